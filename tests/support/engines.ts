/**
 * Container engines with state of their own, on top of the paddock under test or of a peer: the same cases run on
 * each runtime, and what is seen must be the same.
 *
 * @module
 */
import { join } from "@std/path";
import { busybox } from "./fixtures.ts";
import { call, type Outcome, PADDOCK_COMMAND } from "./paddock.ts";
import type { Box } from "./box.ts";

/** The name of the image that an engine has: the busybox fixture, with `sh` as its command. */
export const IMAGE = "docker.io/library/small:1";

/** What a case tells of a call: its exit code, and what was printed, without the space around it. */
export interface Seen {
  readonly code: number;
  readonly out: string;
}

/** An engine that is there until it is disposed. */
export interface Engine extends AsyncDisposable {
  /** Calls the engine's client. */
  (...words: readonly string[]): Promise<Outcome>;
  /** The whole command line of such a call. */
  command(words: readonly string[]): string[];
}

/** A file that is the runtime `name`: `paddock` is the one under test, any other one of the host's. */
export function runtimeFile(box: Box, name: string): string {
  if (name !== "paddock") return findCommand(name);
  // Engines want one file: the built one, or a script that calls the source.
  const words = PADDOCK_COMMAND.map((word) => `'${word}'`).join(" ");
  return box.file("bin/paddock", `#!/bin/sh\nexec ${words} "$@"\n`, 0o755);
}

/** podman with a storage of its own below the box, with IMAGE in it. */
export async function startPodman(
  box: Box,
  runtime: string,
  cgroupManager: "cgroupfs" | "systemd" = "cgroupfs",
): Promise<Engine> {
  const home = box.directory("p");
  const base = [
    "podman",
    "--storage-driver=vfs",
    `--cgroup-manager=${cgroupManager}`,
    "--events-backend=file",
    `--runtime=${runtimeFile(box, runtime)}`,
    `--root=${join(home, "root")}`,
    `--runroot=${join(home, "r")}`,
    `--tmpdir=${join(home, "tmp")}`,
  ];
  // Its own default is more than a host without CAP_SYS_RESOURCE can set.
  const limits = box.file(
    "containers.conf",
    '[containers]\ndefault_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]\n',
  );
  const options = { timeout: 60_000, env: { CONTAINERS_CONF: limits } };
  const podman = (...words: readonly string[]) => call([...base, ...words], options);
  await must(podman("import", "--change", 'CMD ["sh"]', (await busybox()).tar, IMAGE));
  return Object.assign(podman, {
    command: (words: readonly string[]) => [...base, ...words],
    async [Symbol.asyncDispose](): Promise<void> {
      await podman("pod", "rm", "--force", "--time", "0", "--all");
      await podman("rm", "--force", "--time", "0", "--all");
    },
  });
}

/** containerd with `ctr`, on sockets of its own below the box, with IMAGE in it. */
export async function startContainerd(box: Box): Promise<Engine> {
  const home = box.directory("containerd");
  const socket = join(home, "containerd.sock");
  const config = box.file(
    "containerd.toml",
    `version = 2
root = "${home}/root"
state = "${home}/state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`,
  );
  const log = box.path("containerd.log");
  const args = ["-c", 'exec containerd --config "$0" 2>"$1"', config, log];
  const daemon = new Deno.Command("sh", { args, stdout: "null" }).spawn();
  const command = (words: readonly string[]) => ["ctr", "--address", socket, ...words];
  const ctr = (...words: readonly string[]) => call(command(words), { timeout: 60_000 });
  for (let tries = 0; (await ctr("version")).code !== 0; tries++) {
    if (tries === 100) {
      throw new Error(`containerd does not answer: ${Deno.readTextFileSync(log)}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  await must(ctr("images", "import", await ociArchive(box)));
  return Object.assign(ctr, {
    command,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const task of (await ctr("tasks", "ls", "-q")).stdout.split("\n").filter(Boolean)) {
        await ctr("tasks", "delete", "--force", task);
      }
      daemon.kill("SIGTERM");
      await daemon.status;
    },
  });
}

/**
 * dockerd with `docker`, in a network namespace of its own and on a socket below the box, with IMAGE in it. It knows the
 * runtime under test by the name `paddock`.
 */
export async function startDocker(box: Box): Promise<Engine> {
  const home = box.directory("docker");
  const socket = `unix://${home}/docker.sock`;
  const log = box.path("dockerd.log");
  const words = [
    "dockerd",
    `--data-root=${home}/root`,
    `--exec-root=${home}/exec`,
    `--pidfile=${home}/pid`,
    `--host=${socket}`,
    "--bridge=none",
    "--iptables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    "--storage-driver=vfs",
    "--default-ulimit=nofile=1000:1000",
    `--add-runtime=paddock=${runtimeFile(box, "paddock")}`,
  ];
  const script = 'ip link set lo up 2>/dev/null; log=$1; shift; exec "$@" >"$log" 2>&1';
  const daemon = new Deno.Command("unshare", { args: ["--net", "sh", "-c", script, "dockerd", log, ...words] }).spawn();
  const command = (words: readonly string[]) => ["docker", `--host=${socket}`, ...words];
  const docker = (...words: readonly string[]) => call(command(words), { timeout: 60_000 });
  for (let tries = 0; (await docker("version")).code !== 0; tries++) {
    if (tries === 100) throw new Error(`dockerd does not answer: ${Deno.readTextFileSync(log)}`);
    await new Promise((done) => setTimeout(done, 100));
  }
  await must(docker("import", "--change", 'CMD ["sh"]', (await busybox()).tar, IMAGE));
  return Object.assign(docker, {
    command,
    async [Symbol.asyncDispose](): Promise<void> {
      const ids = (await docker("ps", "-a", "-q")).stdout.split("\n").filter(Boolean);
      if (ids.length > 0) await docker("rm", "--force", ...ids);
      daemon.kill("SIGTERM");
      await daemon.status;
    },
  });
}

/** The busybox fixture as an OCI archive whose tag is IMAGE. */
async function ociArchive(box: Box): Promise<string> {
  const layout = box.path("layout");
  const unpacked = box.path("unpacked");
  const archive = box.path("small.tar");
  const { dir } = await busybox();
  await must(call(["umoci", "init", "--layout", layout]));
  await must(call(["umoci", "new", "--image", `${layout}:1`]));
  await must(call(["umoci", "unpack", "--image", `${layout}:1`, unpacked]));
  await must(call(["cp", "-a", `${dir}/.`, join(unpacked, "rootfs")]));
  await must(call(["umoci", "repack", "--image", `${layout}:1`, unpacked]));
  await must(call(["umoci", "config", "--image", `${layout}:1`, "--config.cmd", "sh"]));
  await must(call(["skopeo", "copy", "--quiet", `oci:${layout}:1`, `oci-archive:${archive}:${IMAGE}`]));
  return archive;
}

async function must(outcome: Promise<Outcome>): Promise<void> {
  const { code, stdout, stderr } = await outcome;
  if (code !== 0) throw new Error(`exit code ${code}: ${stdout}${stderr}`);
}

function findCommand(name: string): string {
  const found = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"].map((directory) => join(directory, name))
    .find((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
  if (found === undefined) throw new Error(`no ${name} on this host`);
  return found;
}
