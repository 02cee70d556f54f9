/**
 * What a `config.json` may ask for, from the Config to what the command sees: each Config is planned for this host,
 * compiled into a launcher and run. Needs root.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { probeHost } from "../lib/host/probe.ts";
import { planContainer } from "../lib/plan/build.ts";
import { type ConfigOverrides, exampleConfig } from "../lib/plan/config_example.ts";
import { RUN_ID_DIGITS, type Setting } from "../lib/plan/setting.ts";
import { assemble } from "../lib/program/assemble.ts";
import type { Mount } from "../lib/spec/config.ts";
import { DEFAULT_MOUNTS, DEFAULT_NAMESPACES } from "../lib/spec/defaults.ts";
import { checkConfig } from "../lib/spec/validate.ts";
import { busybox } from "./support/fixtures.ts";
import { call, type Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";
import { writeProgram } from "./support/small_launcher.ts";

/** A directory of this test's own, gone when it is disposed. */
class Place implements Disposable {
  readonly path = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-test-" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/**
 * Runs a shell script in a container of busybox with this Config, and without paddock.
 *
 * @param source of the root filesystem; else a throw-away overlay of it
 */
async function run(
  script: string,
  overrides: ConfigOverrides,
  place: Place,
  source?: Setting["rootfs"],
): Promise<Outcome> {
  const { dir: rootfs } = await busybox();
  const id = `oci-${RUN_ID_DIGITS}`;
  const stateDir = `${place.path}/${id}`;
  const config = checkConfig(exampleConfig({
    root: { path: rootfs },
    ...overrides,
    process: { args: ["sh", "-c", script], ...overrides.process },
  }));
  const { finish: _, ...setting }: Setting = {
    id,
    name: "oci",
    rootfs: source ?? { kind: "overlay", lower: [rootfs], directory: `${stateDir}/fs`, inMemory: true },
    stateDir,
    stateFiles: [],
    prepared: false,
    files: {},
    sources: Object.fromEntries(config.mounts.map(({ source = "" }) => [source, "directory" as const])),
    present: new Set(),
    interactive: false,
    init: false,
    keep: false,
    trace: false,
  };
  using file = writeProgram(assemble(planContainer(config, probeHost(), setting)), "oci");
  return await call([file.path]);
}

/** What the script says, where it ends well. */
async function outputOf(script: string, overrides: ConfigOverrides): Promise<string> {
  using place = new Place();
  const { code, stdout, stderr } = await run(script, overrides, place);
  assertEquals(code, 0, stderr);
  return stdout.trim();
}

const root = requires("root");

Deno.test({
  name: "process.scheduler and process.ioPriority are those of the command",
  ...root,
  fn: async () => {
    const scheduler = { policy: "SCHED_BATCH", nice: 7 };
    const stat = await outputOf("cat /proc/self/stat", { process: { args: ["cat", "/proc/self/stat"], scheduler } });
    const fields = stat.slice(stat.indexOf(")") + 2).split(" ");
    // proc_pid_stat(5): nice is field 19, policy is field 41; the first here is field 3.
    assertEquals([fields[16], fields[38]], ["7", "3"]);
    const ioPriority = { class: "IOPRIO_CLASS_IDLE", priority: 0 };
    assertEquals(await outputOf("ionice -p $$", { process: { ioPriority } }), "idle");
  },
});

Deno.test({
  name: "linux.personality is what uname tells, and linux.memoryPolicy what numa_maps tells",
  ...root,
  fn: async () => {
    const linux32 = await outputOf("uname -m", { linux: { personality: { domain: "LINUX32" } } });
    assertEquals(linux32, Deno.build.arch === "x86_64" ? "i686" : "armv8l");
    const memoryPolicy = { mode: "MPOL_BIND", nodes: "0" };
    const { code, stdout } = await new Deno.Command("test", { args: ["-e", "/proc/self/numa_maps"] }).output();
    if (code !== 0) return;
    assertEquals(stdout.length, 0);
    assertStringIncludes(await outputOf("cat /proc/self/numa_maps", { linux: { memoryPolicy } }), "bind:0");
  },
});

Deno.test({
  name: "a label of a security module that is not there is a failure that names the field",
  ...root,
  fn: async () => {
    using place = new Place();
    const { code, stderr } = await run("true", { process: { apparmorProfile: "acme" } }, place);
    if (code === 0) return; // There is AppArmor here, and such a profile.
    assertStringIncludes(stderr, "process.apparmorProfile");
  },
});

Deno.test({
  name: "process.capabilities are five sets, each as given",
  ...root,
  fn: async () => {
    const chown = ["CAP_CHOWN"];
    const capabilities = {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      effective: chown,
      inheritable: ["CAP_CHOWN", "CAP_KILL"],
      ambient: chown,
    };
    const process = { user: { uid: 1000, gid: 1000 }, capabilities };
    const status = await outputOf("grep ^Cap /proc/self/status", { process });
    const sets = Object.fromEntries(status.split("\n").map((line) => [line.slice(3, 6), Number(`0x${line.slice(8)}`)]));
    // An exec leaves an ordinary user the ambient ones.
    assertEquals(sets, { Inh: 0b100001, Prm: 1, Eff: 1, Bnd: 0b10100001, Amb: 1 });
  },
});

Deno.test({
  name: "a mount with uidMappings shows mapped owners, inside alone, and takes what is written back to the disk's",
  ...root,
  fn: async () => {
    using place = new Place();
    const source = `${place.path}/data`;
    Deno.mkdirSync(source);
    Deno.writeTextFileSync(`${source}/file`, "x");
    for (const path of [source, `${source}/file`]) Deno.chownSync(path, 1000, 1001);
    const map = (containerID: number, hostID: number) => [{ containerID, hostID, size: 1 }];
    const mount: Mount = {
      destination: "/data",
      type: "bind",
      source,
      options: ["rbind", "idmap"],
      uidMappings: map(1000, 0),
      gidMappings: map(1001, 0),
    };
    const { code, stdout, stderr } = await run(
      "stat -c %u:%g /data/file; touch /data/made; stat -c %u:%g /data/made",
      { mounts: [...DEFAULT_MOUNTS, mount] },
      place,
    );
    assertEquals([code, stdout], [0, "0:0\n0:0\n"], stderr);
    const made = Deno.statSync(`${source}/made`);
    assertEquals([made.uid, made.gid], [1000, 1001]);
    const kept = Deno.statSync(`${source}/file`);
    assertEquals([kept.uid, kept.gid], [1000, 1001]);
  },
});

Deno.test({
  name: "a mount with the option idmap in a user namespace has the owners of that namespace",
  ...root,
  fn: async () => {
    using place = new Place();
    const source = `${place.path}/data`;
    Deno.mkdirSync(source);
    Deno.writeTextFileSync(`${source}/file`, "x");
    const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }];
    const types = [...DEFAULT_NAMESPACES, "user" as const];
    const overrides: ConfigOverrides = {
      mounts: [...DEFAULT_MOUNTS, { destination: "/data", type: "bind", source, options: ["rbind", "ridmap"] }],
      linux: { namespaces: types.map((type) => ({ type })), uidMappings: map, gidMappings: map },
    };
    const { code, stdout, stderr } = await run("stat -c %u:%g /data/file; echo y > /data/file", overrides, place);
    assertEquals([code, stdout], [0, "0:0\n"], stderr);
    assertEquals(Deno.statSync(`${source}/file`).uid, 0);
  },
});

Deno.test({
  name:
    "mount options: recursive ones hold for filesystems too, remount changes a mount, tmpcopyup shows what lies beneath",
  ...root,
  fn: async () => {
    const mounts: Mount[] = [
      ...DEFAULT_MOUNTS,
      { destination: "/r", type: "tmpfs", source: "tmpfs", options: ["rro", "rnosymfollow"] },
      { destination: "/m", type: "tmpfs", source: "tmpfs", options: ["nosuid"] },
      { destination: "/m/nested", type: "tmpfs", source: "tmpfs" },
      { destination: "/m", type: "tmpfs", source: "tmpfs", options: ["remount", "ro", "nodev"] },
      { destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "size=1m"] },
    ];
    const script = "touch /r/x; touch /m/x; grep -E ' /(r|m|etc|m/nested) ' /proc/self/mountinfo | cut -d' ' -f5,6; " +
      "[ -s /etc/passwd ] && echo passwd; touch /etc/new && echo new";
    using place = new Place();
    const { code, stdout, stderr } = await run(script, { mounts }, place);
    assertEquals(code, 0, stderr);
    assertEquals(stdout.trim().split("\n"), [
      "/r ro,relatime,nosymfollow",
      "/m ro,nodev,relatime",
      "/m/nested rw,relatime",
      "/etc rw,relatime",
      "/etc rw,relatime",
      "passwd",
      "new",
    ]);
    assertEquals(stderr.match(/Read-only file system/g)?.length, 2);
  },
});

/** Keeps new namespaces open by their paths until it is disposed. */
class Holder implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  constructor(...options: string[]) {
    this.#process = new Deno.Command("unshare", {
      args: [...options, "sh", "-c", "echo ready; exec sleep 60"],
      stdout: "piped",
    }).spawn();
  }

  /** The process inside. */
  async pid(): Promise<number> {
    const reader = this.#process.stdout.getReader();
    await reader.read();
    await reader.cancel();
    const { pid } = this.#process;
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
    return children === "" ? pid : Number(children);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }
}

const INSIDE =
  "for ns in net ipc uts pid user time; do readlink /proc/self/ns/$ns; done; cat /proc/self/uid_map; hostname";

Deno.test({
  name: "namespaces are joined by their paths, of every kind that has one",
  ...root,
  fn: async () => {
    await using holder = new Holder("--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--time");
    const pid = await holder.pid();
    const joined = [["network", "net"], ["ipc", "ipc"], ["uts", "uts"], ["pid", "pid"], ["time", "time"]] as const;
    const namespaces = [
      { type: "mount" as const },
      ...joined.map(([type, file]) => ({ type, path: `/proc/${pid}/ns/${file}` })),
    ];
    const output = await outputOf(INSIDE, { hostname: "joined", linux: { namespaces } });
    const lines = output.split("\n");
    const expected = ["net", "ipc", "uts", "pid"].map((file) => Deno.readLinkSync(`/proc/${pid}/ns/${file}`));
    assertEquals(lines.slice(0, 4), expected);
    assertEquals(lines[5], Deno.readLinkSync(`/proc/${pid}/ns/time`));
    assertEquals(lines.at(-1), "joined");
  },
});

Deno.test({
  name: "a path to another kind of namespace is refused, and the field is named",
  ...root,
  fn: async () => {
    using place = new Place();
    const network = { type: "network" as const, path: "/proc/self/ns/ipc" };
    const namespaces = [{ type: "mount" as const }, network, { type: "uts" as const }];
    const { code, stderr } = await run("true", { linux: { namespaces } }, place);
    assertEquals(code, 125);
    assertStringIncludes(stderr, "linux.namespaces[1].path");
  },
});

Deno.test({
  name: "a user namespace is joined by its path: what is new belongs to it, and its root mounts",
  ...root,
  fn: async () => {
    await using holder = new Holder("--user", "--net");
    const pid = await holder.pid();
    for (const map of ["uid_map", "gid_map"]) Deno.writeTextFileSync(`/proc/${pid}/${map}`, "0 200000 65536\n");
    using place = new Place();
    const { dir } = await busybox();
    const rootfs = `${place.path}/rootfs`;
    await new Deno.Command("cp", { args: ["-a", dir, rootfs] }).output();
    await new Deno.Command("chown", { args: ["-R", "200000:200000", rootfs] }).output();
    Deno.chmodSync(place.path, 0o711);
    const namespaces = [
      ...["mount", "pid", "ipc", "uts", "cgroup"].map((type) => ({ type }) as { type: "mount" }),
      { type: "user" as const, path: `/proc/${pid}/ns/user` },
      { type: "network" as const, path: `/proc/${pid}/ns/net` },
    ];
    const script = "readlink /proc/self/ns/user; id -u; stat -c %u /bin; touch /made; echo $$";
    const source = { kind: "directory", path: rootfs, owned: true } as const;
    const { code, stdout, stderr } = await run(script, { linux: { namespaces } }, place, source);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout.trim().split("\n"), [Deno.readLinkSync(`/proc/${pid}/ns/user`), "0", "0", "1"]);
    assertEquals(Deno.statSync(`${rootfs}/made`).uid, 200_000);
  },
});

Deno.test({
  name: "a bundle's rootfs in a new user namespace is taken with the owners that it has",
  ...root,
  fn: async () => {
    using place = new Place();
    const { dir } = await busybox();
    const rootfs = `${place.path}/rootfs`;
    await new Deno.Command("cp", { args: ["-a", dir, rootfs] }).output();
    await new Deno.Command("chown", { args: ["-R", "300000:300000", rootfs] }).output();
    Deno.chmodSync(place.path, 0o711);
    const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }];
    const types = [...DEFAULT_NAMESPACES, "user" as const];
    const linux = { namespaces: types.map((type) => ({ type })), uidMappings: map, gidMappings: map };
    const source = { kind: "directory", path: rootfs, owned: true } as const;
    const { code, stdout, stderr } = await run("stat -c %u /bin; touch /made", { linux }, place, source);
    assertEquals([code, stdout], [0, "0\n"], stderr);
    assertEquals(Deno.statSync(`${rootfs}/made`).uid, 300_000);
  },
});

/** A pair of interfaces on the host, gone with either; undefined where none can be made. */
function makeInterface(name: string): Disposable | undefined {
  const ip = (...args: string[]) => new Deno.Command("ip", { args }).outputSync().success;
  try {
    if (!ip("link", "add", name, "type", "veth", "peer", "name", `${name}p`)) return undefined;
  } catch {
    return undefined;
  }
  ip("address", "add", "192.0.2.7/24", "dev", name);
  ip("address", "add", "198.51.100.1/30", "dev", name);
  ip("address", "add", "169.254.9.9/16", "dev", name, "scope", "link");
  ip("address", "add", "2001:db8::7/64", "dev", name);
  return { [Symbol.dispose]: () => void ip("link", "delete", `${name}p`) };
}

for (const user of [false, true]) {
  Deno.test({
    name: `a network device moves into the container by its new name, with its addresses${
      user ? ", by the launcher" : ""
    }`,
    ...root,
    fn: async () => {
      using device = makeInterface("pdt0");
      if (device === undefined) return console.log("not tried: no pair of interfaces can be made here");
      const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }];
      const types = [...DEFAULT_NAMESPACES, ...(user ? ["user" as const] : [])];
      const linux = {
        namespaces: types.map((type) => ({ type })),
        netDevices: { pdt0: { name: "eth0" } },
        ...(user ? { uidMappings: map, gidMappings: map } : {}),
      };
      const output = await outputOf("ip -o address show dev eth0; ip link show dev eth0", { linux });
      for (const address of ["192.0.2.7/24", "198.51.100.1/30", "2001:db8::7/64"]) {
        assertStringIncludes(output, address);
      }
      assertEquals(output.includes("169.254.9.9"), false);
      assertStringIncludes(output, "UP");
    },
  });
}

Deno.test({
  name: "a network device that is not there is a failure that names the field",
  ...root,
  fn: async () => {
    using place = new Place();
    const { code, stderr } = await run("true", { linux: { netDevices: { nosuch0: {} } } }, place);
    assertEquals(code, 125);
    assertStringIncludes(stderr, 'linux.netDevices["nosuch0"]');
  },
});

Deno.test({
  name: "a network device whose new name is taken is a failure that says so",
  ...root,
  fn: async () => {
    using device = makeInterface("pdt1");
    if (device === undefined) return console.log("not tried: no pair of interfaces can be made here");
    using place = new Place();
    const { code, stderr } = await run("true", { linux: { netDevices: { pdt1: { name: "lo" } } } }, place);
    assertEquals(code, 125);
    assertMatch(
      stderr,
      /cannot move the network device pdt1 .*: EEXIST: file exists/,
    );
  },
});
