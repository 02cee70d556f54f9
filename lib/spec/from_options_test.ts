import { assert, assertEquals, assertFalse, assertObjectMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { PaddockError, UsageError } from "../base/errors.ts";
import type { Config, Mount } from "./config.ts";
import { DEFAULT_CAPABILITIES, MASKED_PATHS, READONLY_PATHS } from "./defaults.ts";
import { ANNOTATIONS, buildConfig, type Surroundings } from "./from_options.ts";
import { type DeviceNode, listDevicePaths } from "./resources_from_options.ts";
import type { RunOptions } from "./run_options.ts";
import { validateConfig } from "./validate.ts";

const OPTIONS: RunOptions = {
  root: "/run/paddock",
  dataRoot: "/var/lib/paddock",
  image: "web.tar",
  command: ["sh"],
  rm: false,
  detach: false,
  logDriver: "file",
  interactive: false,
  tty: false,
  init: false,
  trace: false,
  labels: {},
  env: [],
  groupAdd: [],
  ulimits: [],
  readOnly: false,
  mounts: [],
  shmSize: 67108864,
  devices: [],
  network: "none",
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  addHosts: [],
  pid: "private",
  ipc: "private",
  uts: "private",
  cgroupns: "private",
  userns: "host",
  timeOffsets: {},
  capAdd: [],
  capDrop: [],
  privileged: false,
  noNewPrivileges: false,
  unmasked: false,
  seccomp: { kind: "default" },
  sysctls: {},
  memory: { disableOOMKiller: false },
  cpu: {},
  cgroupManager: "cgroupfs",
  blkio: { weightDevice: [], readBps: [], writeBps: [], readIops: [], writeIops: [] },
};

const DISK: DeviceNode = { path: "/dev/sda", type: "b", major: 8, minor: 0, mode: 0o660, uid: 0, gid: 6 };
const FUSE: DeviceNode = { path: "/dev/fuse", type: "c", major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 };
const NULL: DeviceNode = { path: "/dev/null", type: "c", major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 };

const AROUND: Surroundings = {
  id: "0123456789ab",
  rootfs: "/var/lib/paddock/containers/0123456789ab/rootfs",
  image: {},
  user: { uid: 0, gid: 0, additionalGids: [], home: "/root" },
  limitsSwap: true,
  hostname: "host",
  nodes: new Map([["/dev/sda", [DISK]], ["/dev/fuse", [FUSE]], ["/dev/both", [
    { ...DISK, path: "/dev/both/a" },
    { ...FUSE, path: "/dev/both/b" },
  ]]]),
  allNodes: [DISK, FUSE, NULL, { ...FUSE, path: "/dev/ptmx" }],
  maskedPaths: [],
};

function build(options: Partial<RunOptions> = {}, around: Partial<Surroundings> = {}): Config {
  return buildConfig({ ...OPTIONS, ...options }, { ...AROUND, ...around });
}

function capabilities(names: readonly string[]): string[] {
  return names.map((name) => `CAP_${name.toUpperCase()}`);
}

function findMount(mounts: readonly Mount[], destination: string): Mount | undefined {
  return mounts.find((mount) => mount.destination === destination);
}

Deno.test("buildConfig: the default container is docker's, and valid", () => {
  const config = build();
  assertEquals(validateConfig(config), []);
  assertEquals(config.hostname, "0123456789ab");
  assertEquals(config.process, {
    cwd: "/",
    env: [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOSTNAME=0123456789ab",
      "HOME=/root",
    ],
    args: ["sh"],
    user: { uid: 0, gid: 0 },
    capabilities: {
      bounding: capabilities(DEFAULT_CAPABILITIES),
      effective: capabilities(DEFAULT_CAPABILITIES),
      permitted: capabilities(DEFAULT_CAPABILITIES),
    },
  });
  assertEquals(config.linux.namespaces.map(({ type }) => type), ["mount", "pid", "network", "ipc", "uts", "cgroup"]);
  assertEquals(config.mounts.map(({ destination }) => destination), [
    "/proc",
    "/dev",
    "/sys",
    "/dev/pts",
    "/dev/mqueue",
    "/dev/shm",
    "/sys/fs/cgroup",
  ]);
  assertEquals(config.linux.cgroupsPath, "/paddock/0123456789ab");
  assertEquals(config.linux.maskedPaths, MASKED_PATHS);
  assertEquals(config.linux.readonlyPaths, READONLY_PATHS);
  assertEquals(config.linux.resources?.devices?.[0], { allow: false, access: "rwm" });
  assertEquals(Object.keys(config.linux.resources ?? {}), ["devices"]);
  assertEquals(config.annotations, { [ANNOTATIONS.image]: "web.tar", [ANNOTATIONS.seccomp]: "default" });
});

Deno.test("buildConfig: entrypoint and command follow docker's rules", () => {
  const image = { entrypoint: ["/entry", "-x"], cmd: ["serve"] };
  const table: [Partial<RunOptions>, string[]][] = [
    [{ command: [] }, ["/entry", "-x", "serve"]],
    [{ command: ["sh", "-l"] }, ["/entry", "-x", "sh", "-l"]],
    [{ command: ["a"], entrypoint: "/bin/echo" }, ["/bin/echo", "a"]],
    [{ command: [], entrypoint: "/bin/echo" }, ["/bin/echo"]],
    [{ command: ["sh"], entrypoint: "" }, ["sh"]],
  ];
  for (const [options, args] of table) assertEquals(build(options, { image }).process.args, args);
});

Deno.test("buildConfig: with nothing to run it says how to say it", () => {
  const error = assertThrows(() => build({ command: [] }), PaddockError, "nothing to run: 'web.tar' names no command");
  assertStringIncludes(error.hint ?? "", "paddock run web.tar sh");
  assertThrows(() => build({ command: [""] }), PaddockError, "the command is empty");
});

Deno.test("buildConfig: a later variable takes an earlier one's place, and a bare name removes it", () => {
  const image = { env: ["PATH=/img", "A=1", "B=2", "broken"] };
  const { env } = build({ tty: true, env: ["B=3", "C=4", "A"] }, { image }).process;
  assertEquals(env, ["PATH=/img", "HOSTNAME=0123456789ab", "TERM=xterm", "B=3", "C=4", "HOME=/root"]);
  assertEquals(build({ env: ["HOME=/h"] }).process.env.filter((entry) => entry.startsWith("HOME")), ["HOME=/h"]);
});

Deno.test("buildConfig: capabilities are added and dropped as docker does", () => {
  const all = 41;
  const table: [Partial<RunOptions>, number, string[], string[]][] = [
    [{ capAdd: ["sys_admin"] }, 15, ["CAP_SYS_ADMIN", "CAP_CHOWN"], []],
    [{ capDrop: ["chown"] }, 13, [], ["CAP_CHOWN"]],
    [{ capDrop: ["all"] }, 0, [], []],
    [{ capDrop: ["all"], capAdd: ["net_raw", "net_raw"] }, 1, ["CAP_NET_RAW"], []],
    [{ capAdd: ["all"] }, all, ["CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"], []],
    [{ capAdd: ["all"], capDrop: ["sys_admin"] }, all - 1, ["CAP_BPF"], ["CAP_SYS_ADMIN"]],
    [{ privileged: true }, all, ["CAP_SYS_ADMIN"], []],
  ];
  for (const [options, count, present, absent] of table) {
    const { bounding = [], effective, permitted, inheritable, ambient } = build(options).process.capabilities ?? {};
    assertEquals(bounding.length, count);
    assertEquals([effective, permitted, inheritable, ambient], [bounding, bounding, undefined, undefined]);
    for (const name of present) assert(bounding.includes(name), name);
    for (const name of absent) assertFalse(bounding.includes(name), name);
  }
});

Deno.test("buildConfig: capabilities that paddock lacks are left out, unless asked for by name", () => {
  const around = { capabilities: ["chown", "kill"] };
  const bounding = (options: Partial<RunOptions>) => build(options, around).process.capabilities?.bounding;
  assertEquals(bounding({}), ["CAP_CHOWN", "CAP_KILL"]);
  assertEquals(bounding({ privileged: true }), ["CAP_CHOWN", "CAP_KILL"]);
  assertEquals(bounding({ capAdd: ["sys_admin"] }), ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"]);
});

Deno.test("buildConfig: a user other than root starts without capabilities, and with its groups", () => {
  const { process } = build({ umask: 0o77 }, {
    user: { uid: 1000, gid: 100, additionalGids: [5, 27], home: "/home/u" },
  });
  assertEquals(process.user, { uid: 1000, gid: 100, umask: 0o77, additionalGids: [5, 27] });
  assertEquals(process.capabilities, { bounding: capabilities(DEFAULT_CAPABILITIES), effective: [], permitted: [] });
  assert(process.env.includes("HOME=/home/u"));
});

Deno.test("buildConfig: --privileged opens /sys, the cgroups, the devices and the masks", () => {
  const config = build({ privileged: true });
  assertEquals(config.linux.maskedPaths, []);
  assertEquals(config.linux.readonlyPaths, []);
  assertEquals(config.linux.resources?.devices, [{ allow: true, access: "rwm" }]);
  assertEquals(config.linux.devices?.map(({ path }) => path), ["/dev/sda", "/dev/fuse"]);
  for (const path of ["/sys", "/sys/fs/cgroup"]) {
    assertFalse(findMount(config.mounts, path)?.options?.includes("ro"), path);
    assert(findMount(build().mounts, path)?.options?.includes("ro"), path);
  }
});

Deno.test("buildConfig: systempaths=unconfined opens the masks alone", () => {
  const { linux, process } = build({ unmasked: true, noNewPrivileges: true }, { maskedPaths: ["/sys/x"] });
  assertEquals([linux.maskedPaths, linux.readonlyPaths], [[], []]);
  assertEquals(process.noNewPrivileges, true);
  assertEquals(process.capabilities?.bounding?.length, 14);
  assertEquals(build({}, { maskedPaths: ["/sys/x"] }).linux.maskedPaths?.at(-1), "/sys/x");
});

Deno.test("buildConfig: namespaces shared with the host are not made", () => {
  const types = (options: Partial<RunOptions>): string[] => build(options).linux.namespaces.map(({ type }) => type);
  assertEquals(types({ network: "host", pid: "host", ipc: "host", uts: "host", cgroupns: "host" }), ["mount"]);
  assert(types({ timeOffsets: { boottime: 1 } }).includes("time"));
  const map = { containerID: 0, hostID: 100000, size: 65536 };
  const { linux } = build({ userns: { uid: map, gid: map } });
  assertEquals(linux.namespaces[0], { type: "user" });
  assertEquals([linux.uidMappings, linux.gidMappings], [[map], [map]]);
});

Deno.test("buildConfig: time offsets are whole seconds and nanoseconds from there upwards", () => {
  assertEquals(build({ timeOffsets: { monotonic: 86400, boottime: -1.5 } }).linux.timeOffsets, {
    monotonic: { secs: 86400, nanosecs: 0 },
    boottime: { secs: -2, nanosecs: 500000000 },
  });
});

Deno.test("buildConfig: the host's network or names bring the host's name", () => {
  const config = build({ network: "host" });
  assertEquals(config.hostname, undefined);
  assert(config.process.env.includes("HOSTNAME=host"));
  assertEquals(config.linux.sysctl, undefined);
  assertEquals(build({ network: "host", hostname: "own" }).hostname, "own");
  assertEquals(build({ domainname: "lan" }).domainname, "lan");
  assertEquals(build({}, { id: "n".repeat(128) }).hostname?.length, 63);
});

Deno.test("buildConfig: sysctls of the user's come after the network's defaults", () => {
  assertEquals(build({ sysctls: { "net.ipv4.ip_unprivileged_port_start": "1024" } }).linux.sysctl, {
    "net.ipv4.ip_unprivileged_port_start": "1024",
    "net.ipv4.ping_group_range": "0 2147483647",
  });
});

Deno.test("buildConfig: a sysctl that would change the host is refused in the user's words", () => {
  const table: [Partial<RunOptions>, string][] = [
    [{ sysctls: { "kernel.panic": "1" } }, "--sysctl kernel.panic: it belongs to no namespace"],
    [
      { sysctls: { "net.ipv4.ip_forward": "1" }, network: "host" },
      "--sysctl net.ipv4.ip_forward: it would change the host's network",
    ],
    [{ sysctls: { "kernel.shmmax": "1" }, ipc: "host" }, "--sysctl kernel.shmmax: it would change the host's IPC"],
  ];
  for (const [options, message] of table) assertThrows(() => build(options), UsageError, message);
});

Deno.test("buildConfig: mounts of the user's replace default ones and lie after what holds them", () => {
  const bind = (target: string) => ({
    kind: "bind" as const,
    source: "/src",
    target,
    options: ["rbind", "ro", "rro"],
    relabel: false,
  });
  const config = build({ mounts: [bind("/data/deep/er"), bind("/data"), bind("/dev/shm")], shmSize: 1 << 20 });
  const targets = config.mounts.map(({ destination }) => destination);
  assert(targets.indexOf("/data") < targets.indexOf("/data/deep/er"));
  assertEquals(targets.filter((target) => target === "/dev/shm").length, 1);
  assertEquals(findMount(config.mounts, "/dev/shm"), {
    destination: "/dev/shm",
    type: "bind",
    source: "/src",
    options: ["rbind", "ro", "rro"],
  });
  const ownDev = build({ mounts: [bind("/dev")] }).mounts.filter(({ destination }) => destination.startsWith("/dev"));
  assertEquals(ownDev.map(({ source }) => source), ["/src"]);
});

Deno.test("buildConfig: tmpfs has docker's options unless contradicted, overlay the kernel's", () => {
  const { mounts } = build({
    mounts: [
      { kind: "tmpfs", target: "/t", options: ["exec", "size=4096"] },
      { kind: "overlay", target: "/o", lower: ["/l1", "/l2"], upper: "/u", work: "/w", options: ["nosuid"] },
    ],
    shmSize: 1 << 20,
  });
  assertEquals(findMount(mounts, "/t")?.options, ["nosuid", "nodev", "exec", "size=4096"]);
  assertEquals(findMount(mounts, "/o")?.options, ["nosuid", "lowerdir=/l1:/l2", "upperdir=/u", "workdir=/w"]);
  assert(findMount(mounts, "/dev/shm")?.options?.includes("size=1048576"));
});

Deno.test("buildConfig: --ipc decides what /dev/shm is", () => {
  assertEquals(findMount(build({ ipc: "none" }).mounts, "/dev/shm"), undefined);
  assertObjectMatch({ ...findMount(build({ ipc: "host" }).mounts, "/dev/shm") }, { type: "bind", source: "/dev/shm" });
  assertEquals(findMount(build({ ipc: "host" }).mounts, "/dev/mqueue")?.type, "mqueue");
});

Deno.test("buildConfig: as much swap as memory where nothing is said and the kernel can limit it", () => {
  const memory = (given: Partial<RunOptions["memory"]>, limitsSwap = true) =>
    build({ memory: { disableOOMKiller: false, ...given } }, { limitsSwap }).linux.resources?.memory;
  assertEquals(memory({ limit: 1000 }), { limit: 1000, swap: 2000 });
  assertEquals(memory({ limit: 1000 }, false), { limit: 1000 });
  assertEquals(memory({ limit: 1000, swap: 1000 }, false), { limit: 1000, swap: 1000 });
  assertEquals(memory({ limit: 1000, swap: -1 }), { limit: 1000, swap: -1 });
  assertEquals(memory({ limit: -1 }), { limit: -1 });
  assertEquals(memory({ reservation: 5, swappiness: 0, disableOOMKiller: true }), {
    reservation: 5,
    swappiness: 0,
    disableOOMKiller: true,
  });
  assertEquals(memory({}), undefined);
});

Deno.test("buildConfig: devices get nodes and rules, directories of them too", () => {
  const devices = [
    { source: "/dev/fuse", target: "/dev/f", access: "rw" },
    { source: "/dev/both", target: "/dev/own", access: "rwm" },
  ];
  const { linux } = build({ devices });
  assertEquals(linux.devices?.map(({ path, type, major, minor }) => [path, type, major, minor]), [
    ["/dev/f", "c", 10, 229],
    ["/dev/own/a", "b", 8, 0],
    ["/dev/own/b", "c", 10, 229],
  ]);
  assertEquals(linux.resources?.devices?.slice(-3), [
    { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
    { allow: true, type: "b", major: 8, minor: 0, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
  ]);
  assertThrows(
    () => build({ devices: [{ source: "/dev/none", target: "/dev/none", access: "r" }] }),
    PaddockError,
    "'/dev/none' is no device",
  );
});

Deno.test("buildConfig: limits arrive in the specification's units", () => {
  const blkio = {
    ...OPTIONS.blkio,
    weight: 500,
    readBps: [{ path: "/dev/sda", rate: 1048576 }],
    weightDevice: [{ path: "/dev/sda", weight: 10 }],
  };
  const { linux } = build({ blkio, pidsLimit: 100, cpu: { quota: 1, shares: 2 }, cgroupParent: "/my/group" });
  assertEquals(linux.resources?.blockIO, {
    weight: 500,
    weightDevice: [{ major: 8, minor: 0, weight: 10 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1048576 }],
  });
  assertEquals(linux.resources?.pids, { limit: 100 });
  assertEquals(linux.resources?.cpu, { quota: 1, shares: 2 });
  assertEquals(linux.cgroupsPath, "/my/group/paddock/0123456789ab");
  const fuse = { ...OPTIONS.blkio, writeBps: [{ path: "/dev/fuse", rate: 1 }] };
  assertThrows(() => build({ blkio: fuse }), PaddockError, "'/dev/fuse' is no block device");
  assertEquals(listDevicePaths({ ...OPTIONS, blkio, devices: [{ source: "/dev/fuse", target: "/f", access: "r" }] }), [
    "/dev/fuse",
    "/dev/sda",
  ]);
});

Deno.test("buildConfig: what the specification has no field for stands in annotations", () => {
  const image = { stopSignal: "SIGQUIT", labels: { a: "1", b: "2" }, workingDir: "srv" };
  const config = build({ init: true, labels: { b: "3" } }, { image });
  assertEquals(config.annotations, {
    [ANNOTATIONS.image]: "web.tar",
    [ANNOTATIONS.init]: "true",
    [ANNOTATIONS.seccomp]: "default",
    [ANNOTATIONS.stopSignal]: "QUIT",
    [`${ANNOTATIONS.label}a`]: "1",
    [`${ANNOTATIONS.label}b`]: "3",
  });
  assertEquals(config.process.cwd, "/srv");
  assertEquals(build({ workdir: "/w" }, { image }).process.cwd, "/w");
  const more = { healthcheck: { test: ["CMD", "x"] }, shell: ["/bin/ash", "-c"], exposedPorts: ["80/tcp", "53/udp"] };
  const { annotations } = build({}, { image: more });
  assertEquals(annotations[ANNOTATIONS.healthcheck], '{"test":["CMD","x"]}');
  assertEquals(annotations[ANNOTATIONS.shell], '["/bin/ash","-c"]');
  assertEquals(annotations[ANNOTATIONS.exposedPorts], "80/tcp,53/udp");
  assertEquals(build({ stopSignal: "INT" }, { image }).annotations[ANNOTATIONS.stopSignal], "INT");
});

Deno.test("buildConfig: system calls are filtered by default, and only by default", () => {
  const annotation = (seccomp: RunOptions["seccomp"]) => build({ seccomp }).annotations[ANNOTATIONS.seccomp];
  assertEquals(annotation({ kind: "default" }), "default");
  assertEquals(annotation({ kind: "unconfined" }), undefined);
  assertEquals(annotation({ kind: "file", path: "/p.json", text: "{}" }), undefined);
});

Deno.test("buildConfig refuses an image whose volumes lie over the kernel's files, or lead out", () => {
  build({}, { image: { volumes: ["/data", "/sys/fs/cgroup", "/var/lib/x/"] } });
  for (const path of ["/", "/proc", "//proc/./sys", "/sys", "/dev/", "/data/../proc", "/.."]) {
    assertThrows(() => build({}, { image: { volumes: ["/data", path] } }), PaddockError, "declares a volume at");
  }
});
