/**
 * Installs what the tests drive, where that can be done: as root, on a host with apt. Elsewhere, and where it fails,
 * it says what is missing; the tests that need it are then ignored and say so.
 *
 * @module
 */

/** For which tests. */
export type TestKind = "host" | "vm";

/** A command that tests use, and the Debian package that has it. */
interface Tool {
  readonly command: string;
  readonly package: string;
  readonly for: readonly TestKind[];
}

const TOOLS: readonly Tool[] = [
  { command: "busybox", package: "busybox-static", for: ["host", "vm"] },
  { command: "debootstrap", package: "debootstrap", for: ["host", "vm"] },
  { command: "zstd", package: "zstd", for: ["host", "vm"] },
  { command: "xz", package: "xz-utils", for: ["host", "vm"] },
  { command: "getfattr", package: "attr", for: ["host", "vm"] },
  { command: "setcap", package: "libcap2-bin", for: ["host", "vm"] },
  { command: "getfacl", package: "acl", for: ["host"] },
  { command: "strace", package: "strace", for: ["host"] },
  { command: "jq", package: "jq", for: ["host"] },
  { command: "tmux", package: "tmux", for: ["host"] },
  { command: "script", package: "bsdutils", for: ["host"] },
  { command: "as", package: "binutils", for: ["host"] },
  { command: "aarch64-linux-gnu-as", package: "binutils-aarch64-linux-gnu", for: ["host"] },
  { command: "qemu-aarch64", package: "qemu-user", for: ["host"] },
  { command: "scmp_sys_resolver", package: "seccomp", for: ["host"] },
  { command: "sudo", package: "sudo", for: ["host"] },
  { command: "runc", package: "runc", for: ["host", "vm"] },
  { command: "crun", package: "crun", for: ["host"] },
  { command: "criu", package: "criu", for: ["host"] },
  { command: "ps", package: "procps", for: ["host", "vm"] },
  { command: "bwrap", package: "bubblewrap", for: ["host"] },
  { command: "skopeo", package: "skopeo", for: ["host"] },
  { command: "umoci", package: "umoci", for: ["host"] },
  { command: "systemd-analyze", package: "systemd", for: ["host"] },
  { command: "podman", package: "podman", for: ["host"] },
  { command: "ip", package: "iproute2", for: ["host"] },
  { command: "nft", package: "nftables", for: ["host"] },
  { command: "fuse-overlayfs", package: "fuse-overlayfs", for: ["host"] },
  { command: "python3", package: "python3", for: ["host"] },
  { command: "catatonit", package: "catatonit", for: ["host"] },
  { command: "dockerd", package: "docker.io", for: ["host"] },
  // Debian 12 has it in docker.io.
  { command: "docker", package: "docker-cli", for: ["host"] },
  { command: "containerd", package: "containerd", for: ["host"] },
  { command: "docker-registry", package: "docker-registry", for: ["host"] },
  { command: "openssl", package: "openssl", for: ["host"] },
  { command: "qemu-system-x86_64", package: "qemu-system-x86", for: ["vm"] },
  // Debian 12 has it in qemu-system-common.
  { command: "virtiofsd", package: "virtiofsd", for: ["vm"] },
  { command: "cpio", package: "cpio", for: ["vm"] },
  { command: "modprobe", package: "kmod", for: ["vm"] },
  { command: "mkfs.ext4", package: "e2fsprogs", for: ["host", "vm"] },
  { command: "flock", package: "util-linux", for: ["vm"] },
];

const INSTALL = ["install", "-y", "-q", "--no-install-recommends"];

/** Sees to what is missing; gives the packages that are missing still. */
export async function setUpTests(kind: TestKind): Promise<string[]> {
  const missing = packagesMissing(kind);
  if (missing.length === 0) return [];
  if (Deno.uid() !== 0 || !hasCommand("apt-get")) {
    console.error(`for all tests: apt-get install ${missing.join(" ")}`);
    return missing;
  }
  console.error(`installing for the tests: ${missing.join(" ")}`);
  if (!await apt([...INSTALL, ...missing])) {
    // The lists may be old or not there at all; and one name that this release has not is enough for apt to do nothing.
    await apt(["update", "-q"]);
    for (const name of missing) await apt([...INSTALL, name]);
  }
  const still = packagesMissing(kind);
  if (still.length > 0) console.error(`cannot be installed here: ${still.join(" ")}`);
  return still;
}

/** Packages whose command is not there. */
export function packagesMissing(kind: TestKind): string[] {
  return TOOLS.filter((tool) => tool.for.includes(kind) && !hasCommand(tool.command)).map((tool) => tool.package);
}

async function apt(args: string[]): Promise<boolean> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const { success, stdout, stderr } = await new Deno.Command("apt-get", { args, env, stdin: "null" }).output();
  if (!success) {
    const text = new TextDecoder().decode(stderr.length > 0 ? stderr : stdout);
    console.error(text.trim().split("\n").slice(-5).join("\n"));
  }
  return success;
}

function hasCommand(name: string): boolean {
  const directories = [
    ...(Deno.env.get("PATH") ?? "").split(":"),
    "/usr/sbin",
    "/sbin",
    "/usr/lib/qemu",
    "/usr/libexec",
  ];
  return directories.some((directory) => isExecutable(`${directory}/${name}`));
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

if (import.meta.main) await setUpTests(Deno.args.includes("vm") ? "vm" : "host");
