/**
 * Root filesystems for tests, made once for a host and kept in a cache directory (PADDOCK_FIXTURES names another).
 *
 * - `busybox`: one static program with all its applets, a few users, a few megabytes.
 * - `debian`: a minimal Debian by debootstrap from the mirror that this host's apt uses, about 100 MB.
 * - `systemd`: one that boots, with systemd, D-Bus, runc and podman, for guests; a directory alone.
 *
 * Nobody may write into them: what changes a root filesystem takes a copy (`copyFixture`) or a tarball.
 *
 * @module
 */
import { existsSync } from "@std/fs";
import { join } from "@std/path";

/** A root filesystem in each form that paddock takes. */
export interface Fixture {
  readonly dir: string;
  readonly tar: string;
  readonly gz: string;
  readonly zst: string;
}

/** A root filesystem of busybox. @throws Error where there is no static busybox. */
export async function busybox(): Promise<Fixture> {
  return await make("busybox", "5", buildBusybox);
}

/** A minimal Debian. @throws Error where debootstrap fails. */
export async function debian(): Promise<Fixture> {
  return await make("debian", "2", (dir) => buildDebian(dir, ["libcap2-bin", "attr"]));
}

/** The root filesystem of a machine whose first process is systemd; its directory. @throws Error where debootstrap fails. */
export async function systemd(): Promise<string> {
  // debootstrap does not look for what provides podman's `container-network-stack`.
  const packages = ["systemd-sysv", "dbus", "runc", "podman", "netavark", "busybox-static"];
  return (await make("systemd", "2", (dir) => buildDebian(dir, packages), "directory")).dir;
}

/** A copy of a fixture's directory to write into, with owners, links and attributes. */
export async function copyFixture(fixture: Fixture, target: string): Promise<string> {
  await run("cp", ["-a", "--reflink=auto", fixture.dir, target]);
  return target;
}

/** Where fixtures are kept: a directory that root alone can write to, for they are run as root. */
const CACHE = Deno.env.get("PADDOCK_FIXTURES") ?? "/var/cache/paddock-fixtures";

async function make(
  name: string,
  version: string,
  fill: (dir: string) => Promise<void>,
  forms: "all" | "directory" = "all",
): Promise<Fixture> {
  const home = join(CACHE, `${name}-${version}-${Deno.build.arch}`);
  const paths = (base: string): Fixture => ({
    dir: join(base, "rootfs"),
    tar: join(base, "rootfs.tar"),
    gz: join(base, "rootfs.tar.gz"),
    zst: join(base, "rootfs.tar.zst"),
  });
  if (existsSync(home)) return paths(home);
  Deno.mkdirSync(CACHE, { recursive: true, mode: 0o755 });
  const draft = Deno.makeTempDirSync({ dir: CACHE, prefix: `${name}-draft-` });
  Deno.chmodSync(draft, 0o755);
  try {
    const { dir, tar, gz, zst } = paths(draft);
    Deno.mkdirSync(dir, { mode: 0o755 });
    Deno.chmodSync(dir, 0o755);
    await fill(dir);
    if (forms === "all") {
      // As `docker export` writes it: numeric owners, no leading "./", directories with their own entries.
      const names = [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
      await run("tar", ["--numeric-owner", "--xattrs", "--sort=name", "-C", dir, "-cf", tar, ...names]);
      await run("sh", ["-c", 'gzip -1 < "$1" > "$2" && zstd -q -1 "$1" -o "$3"', "sh", tar, gz, zst]);
    }
    Deno.renameSync(draft, home);
  } catch (error) {
    await run("rm", ["-rf", "--one-file-system", draft]);
    // Two test processes may make the same one: the first wins.
    if (!existsSync(home)) throw error;
  }
  return paths(home);
}

async function buildBusybox(dir: string): Promise<void> {
  const binary = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
  if (binary === undefined) throw new Error("fixtures: no static busybox: apt-get install busybox-static");
  for (const name of ["bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr/bin", "usr/sbin", "var/tmp"]) {
    Deno.mkdirSync(join(dir, name), { recursive: true, mode: 0o755 });
  }
  Deno.chmodSync(join(dir, "root"), 0o700);
  for (const name of ["tmp", "var/tmp"]) Deno.chmodSync(join(dir, name), 0o1777);
  Deno.symlinkSync("bin", join(dir, "sbin"));
  Deno.copyFileSync(binary, join(dir, "bin/busybox"));
  Deno.chmodSync(join(dir, "bin/busybox"), 0o755);
  const applets = (await run(binary, ["--list"])).trim().split("\n").filter((applet) => applet !== "busybox");
  for (const applet of applets) Deno.symlinkSync("busybox", join(dir, "bin", applet));
  Deno.symlinkSync("../../bin/env", join(dir, "usr/bin/env"));
  const etc: Readonly<Record<string, string>> = {
    passwd: "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:A User:/home/user:/bin/sh\n" +
      "nobody:x:65534:65534:nobody:/:/bin/false\n",
    group: "root:x:0:\naudio:x:29:user\nuser:x:1000:\nstaff:x:50:user\nnogroup:x:65534:\n",
    "os-release": 'ID=busybox\nPRETTY_NAME="busybox for tests"\n',
    hosts: "127.0.0.1 from-the-image\n",
    // As in what `docker export` writes; paddock mounts over them, and makes them where they are not.
    hostname: "",
    "resolv.conf": "",
  };
  for (const [name, text] of Object.entries(etc)) Deno.writeTextFileSync(join(dir, "etc", name), text, { mode: 0o644 });
  Deno.mkdirSync(join(dir, "home/user"), { mode: 0o755 });
  Deno.chownSync(join(dir, "home/user"), 1000, 1000);
}

async function buildDebian(dir: string, packages: readonly string[]): Promise<void> {
  const { mirror, suite } = readMirror();
  // It mounts /proc in there, which nobody is to see nor to forget.
  await run("unshare", [
    "--mount",
    "debootstrap",
    "--variant=minbase",
    `--include=${packages.join(",")}`,
    suite,
    dir,
    mirror,
  ]);
  for (const name of ["var/cache/apt/archives", "var/lib/apt/lists"]) {
    await run("find", [join(dir, name), "-type", "f", "-delete"]);
  }
}

/** The mirror and suite of this host's own sources (`man 5 sources.list`), in either of their two formats. */
export function parseMirror(texts: readonly string[]): { mirror: string; suite: string } | undefined {
  for (const text of texts) {
    const line = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+main\b/m.exec(text);
    if (line !== null) return { mirror: line[1]!, suite: line[2]! };
    for (const stanza of text.split(/\n\s*\n/)) {
      const field = (name: string): string[] =>
        (new RegExp(`^${name}:(.*)$`, "mi").exec(stanza)?.[1] ?? "").trim().split(/\s+/);
      const [mirror] = field("URIs");
      const suite = field("Suites").find((word) => /^[a-z]+$/.test(word));
      if (field("Types").includes("deb") && field("Components").includes("main") && mirror && suite) {
        return { mirror, suite };
      }
    }
  }
  return undefined;
}

function readMirror(): { mirror: string; suite: string } {
  const parts = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list"];
  if (existsSync(parts)) files.push(...[...Deno.readDirSync(parts)].map(({ name }) => join(parts, name)).sort());
  const texts = files.filter((file) => existsSync(file)).map((file) => Deno.readTextFileSync(file));
  const found = parseMirror(texts.filter((text) => /debian/i.test(text)).concat(texts));
  if (found === undefined) throw new Error("fixtures: no Debian mirror in /etc/apt/sources.list");
  return found;
}

// For scripts/vm, which is no program of ours: makes the one that is named, and says where it is.
if (import.meta.main) console.log(Deno.args[0] === "systemd" ? await systemd() : (await busybox()).dir);

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const [text, words] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  if (success) return text;
  // debootstrap says it on standard output.
  throw new Error(`fixtures: ${command} failed: ${`${text}\n${words}`.trim().split("\n").slice(-5).join("\n")}`);
}
