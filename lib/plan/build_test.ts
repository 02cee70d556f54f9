import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import {
  exampleCgroupHybrid,
  exampleCgroupNone,
  exampleCgroupV1,
  exampleFacts,
  exampleOldFacts,
  type FactsOverrides,
} from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import { type DecodedStep, decodeProgram } from "../program/decode.ts";
import type { Arch, Plan } from "../program/step.ts";
import { syscallName } from "../program/syscalls.ts";
import { planContainer } from "./build.ts";
import { actsOf, type ConfigOverrides, exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { RUN_ID_DIGITS, type Setting } from "./setting.ts";

interface Case {
  readonly config?: ConfigOverrides;
  readonly facts?: FactsOverrides;
  readonly setting?: Partial<Setting>;
}

function plan({ config = {}, facts = {}, setting = {} }: Case = {}): Plan {
  return planContainer(exampleConfig(config), exampleFacts(facts), exampleSetting(setting));
}

const STAND_ALONE: Partial<Setting> = (() => {
  const { finish: _, ...others } = exampleSetting({ id: `web-${RUN_ID_DIGITS}`, prepared: false });
  return { ...others, stateDir: `/run/paddock/web-${RUN_ID_DIGITS}` };
})();

/** A compiled launcher: nobody is there at its end. */
function standAlone(facts: FactsOverrides = {}): Plan {
  return planContainer(exampleConfig(), exampleFacts(facts), STAND_ALONE as Setting);
}

/** The places of these words among the container's acts; each must be there once. */
function placesOf(found: Plan, ...words: readonly (string | RegExp)[]): number[] {
  const whats = actsOf(found, "container").map(({ what }) => what);
  return words.map((word) => {
    const places = whats.flatMap((what, index) =>
      (typeof word === "string" ? what === word : word.test(what)) ? [index] : []
    );
    assertEquals(places.length, 1, `${word}: ${whats.join("\n")}`);
    return places[0]!;
  });
}

function assertAscending(places: readonly number[]): void {
  assertEquals(places, places.toSorted((a, b) => a - b));
}

Deno.test("planContainer has the order that safety asks for", () => {
  const found = plan({
    config: {
      process: { user: { uid: 5, gid: 5 }, noNewPrivileges: true, oomScoreAdj: 10 },
      linux: { sysctl: { "net.ipv4.ip_forward": "0" } },
    },
  });
  assertAscending(placesOf(
    found,
    "begin a session",
    "make a cgroup namespace",
    "bring the loopback device up",
    "make the mount namespace private",
    /^mount the overlay/,
    /^open the rootfs/,
    "mount proc on /proc",
    "mount tmpfs on /dev",
    "make the standard devices in /dev",
    "mount devpts on /dev/pts",
    "set the OOM score adjustment to 10",
    "set the sysctl net.ipv4.ip_forward to 0",
    "make read-only what configures the kernel",
    "mask what the kernel tells of the host",
    "pivot into the rootfs",
    "set the hostname to box",
    "enter the working directory /",
    "set RLIMIT_NOFILE to 1024:524288",
    "drop capabilities from the bounding set",
    "become user 5, group 5",
    "set the capabilities",
    "set no_new_privs",
    "reset all signals",
    "check the working directory /",
    "execute true",
    "note which step failed",
  ));
});

Deno.test("planContainer lets the child enter its cgroups before it does anything else", () => {
  for (const cgroup of [undefined, exampleCgroupV1(), exampleCgroupHybrid()]) {
    const found = plan({ facts: cgroup === undefined ? {} : { cgroup } });
    const acts = actsOf(found, "container");
    const joins = acts.filter(({ steps }) =>
      writeSteps([{ what: "", why: "", shell: [], steps }]).some((line) => /cgroup\.procs|tasks/.test(line))
    );
    assert(joins.length > 0);
    assertEquals(acts.slice(0, joins.length), joins);
    const [namespace] = placesOf(found, "make a cgroup namespace");
    assert(namespace! >= joins.length);
  }
});

Deno.test("planContainer ends with the exec: nothing of the container's follows but the note of a failure", () => {
  for (const init of [false, true]) {
    const acts = actsOf(plan({ setting: { init } }), "container");
    assertEquals(acts.slice(-2).map(({ what }) => what), [
      init ? "execute init" : "execute true",
      "note which step failed",
    ]);
  }
});

Deno.test("planContainer makes cgroups and directories before the clone, and removes them after the end", () => {
  const sections = plan().sections.map(({ title }) => title);
  assertEquals(sections, [
    "before the container",
    "the container",
    "while the container lives",
    "after the container",
    "when there is something to tell or to clean",
  ]);
  const acts = actsOf(plan(), "launcher").map(({ what }) => what);
  const clone = acts.indexOf("start the container's first process");
  const made = acts.findIndex((what) => what.startsWith("make directories in"));
  const removed = acts.findIndex((what) => what.startsWith("remove /var/lib/paddock/containers/web"));
  assert(made >= 0 && made < clone && clone < removed, acts.join("\n"));
});

Deno.test("planContainer asks clone for the namespaces of the Config and for no others", () => {
  const clone = (types: readonly ("mount" | "pid" | "cgroup" | "network")[]) =>
    writeSteps(actsOf(plan({ config: { linux: { namespaces: types.map((type) => ({ type })) } } })))
      .find((line) => line.startsWith("clone("));
  assert(clone(["mount", "pid"])?.includes("CLONE_NEWNS|CLONE_NEWPID|SIGCHLD"), clone(["mount", "pid"]));
  assertEquals(clone(["mount", "cgroup"])?.includes("CLONE_NEWCGROUP"), false);
  assertEquals(clone(["mount", "network"])?.includes("CLONE_NEWPID"), false);
});

Deno.test("planContainer marks the child's first step whatever comes first", () => {
  for (const cgroup of [exampleCgroupNone(), exampleCgroupV1()]) {
    const { resources: _, ...linux } = exampleConfig().linux;
    const found = planContainer({ ...exampleConfig(), linux }, exampleFacts({ cgroup }), exampleSetting());
    const [first] = actsOf(found, "container").flatMap(({ steps }) => steps);
    assertEquals(first?.label, "container");
  }
});

Deno.test("planContainer gives a launcher of its own no paddock to execute, but words of its own and tries again", () => {
  const found = standAlone();
  const lines = writeSteps(actsOf(found, "launcher"));
  assertEquals(lines.some((line) => line.startsWith("execve")), false);
  const acts = actsOf(found, "launcher").map(({ what }) => what);
  assert(acts.includes("say which step failed") && acts.includes("try again to clean up"));
  assertEquals(acts[0], "number this run");
  assert(writeSteps(actsOf(plan(), "launcher")).some((line) => line.startsWith('execve("/usr/bin/paddock"')));
});

const HOSTS: Readonly<Record<string, FactsOverrides>> = {
  "cgroup v2": {},
  "cgroup v1": { cgroup: exampleCgroupV1() },
  "hybrid cgroups": { cgroup: exampleCgroupHybrid() },
  "an old kernel": exampleOldFacts(),
};

const SHAPES: Readonly<Record<string, Omit<Case, "facts">>> = {
  "as it comes": {},
  "of a directory": { setting: { rootfs: { kind: "directory", path: "/srv/rootfs" } } },
  "with a terminal": { config: { process: { terminal: true } }, setting: { interactive: true } },
  "with init": { setting: { init: true } },
  "kept and traced": { setting: { keep: true, trace: true } },
  "with limits": {
    config: { linux: { resources: { memory: { limit: 2 ** 27 }, pids: { limit: 9 }, cpu: { shares: 512 } } } },
  },
  "with files and volumes": {
    setting: { files: { "/etc/hosts": "x\n" }, sources: { "/srv/data": "directory", "/srv/file": "file" } },
    config: {
      mounts: [
        ...exampleConfig().mounts,
        { destination: "/data", type: "bind", source: "/srv/data", options: ["rbind", "ro", "rro"] },
        { destination: "/file", type: "bind", source: "/srv/file", options: ["bind", "rslave"] },
        { destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["size=1m"] },
      ],
    },
  },
};

for (const [host, facts] of Object.entries(HOSTS)) {
  for (const [shape, { config = {}, setting = {} }] of Object.entries(SHAPES)) {
    Deno.test(`planContainer ${shape} assembles on ${host} for both architectures`, () => {
      for (const arch of ["x86_64", "aarch64"] as const) {
        const program = decodeProgram(assemble(plan({ config, setting, facts: { ...facts, arch } })));
        checkProgram(program.steps, arch);
      }
    });
  }
}

/** Every call has a number of that architecture, and every jump a place in the table or just past it. */
function checkProgram(steps: readonly DecodedStep[], arch: Arch): void {
  assert(steps.length > 100);
  for (const { call, targets, index } of steps) {
    assert(call.startsWith("@") || !call.startsWith("#"), `${index}: ${call} on ${arch}`);
    for (const target of targets) assert(target < steps.length || call.startsWith("exit"), `${index}: ${call}`);
  }
}

Deno.test("planContainer for a kernel of 4.18 uses no call that came later", () => {
  const later = ["openat2", "open_tree", "move_mount", "mount_setattr", "clone3", "pidfd_open", "fsopen", "fsmount"];
  const found = planContainer(
    exampleConfig({
      mounts: [
        ...exampleConfig().mounts,
        { destination: "/data", type: "bind", source: "/srv/data", options: ["rbind", "ro", "rro", "rslave"] },
      ],
      process: { terminal: true },
    }),
    exampleOldFacts(),
    exampleSetting({ files: { "/etc/hosts": "x" }, interactive: true }),
  );
  const used = new Set(actsOf(found).flatMap(({ steps }) => steps.map(({ call }) => call)));
  assertEquals(later.filter((call) => used.has(call)), []);
  // The one that may fail there, and is told to go on then.
  const tolerated = actsOf(found).flatMap(({ steps }) => steps).filter(({ call }) => call === "close_range");
  assert(tolerated.every(({ onNegative }) => onNegative === "next"));
});

Deno.test("planContainer writes the numbers of the architecture into the table", () => {
  const [x86, arm] = (["x86_64", "aarch64"] as const).map((arch) => decodeProgram(assemble(plan({ facts: { arch } }))));
  assertEquals(x86!.steps.map(({ call }) => call), arm!.steps.map(({ call }) => call));
  assertEquals(syscallName(40, "aarch64"), "mount");
  assertEquals(syscallName(165, "x86_64"), "mount");
});

Deno.test("planContainer tells where the container's cgroups are", () => {
  assertEquals(plan().cgroupPaths.every((path) => path.endsWith("/paddock/web")), true);
  assert(plan().cgroupPaths.length > 0);
  assertEquals(
    plan({ setting: { cgroupParent: "/mine" } }).cgroupPaths.every((path) => path.endsWith("/mine/paddock/web")),
    true,
  );
});

Deno.test("planContainer refuses a mount over the kernel's own /proc", () => {
  const mount = (destination: string) => ({
    mounts: [...exampleConfig().mounts, { destination, type: "bind", source: "/srv/x", options: ["bind"] }],
  });
  const error = assertThrows(() => plan({ config: mount("/proc/self") }), PaddockError, "/proc must be the kernel's");
  assertEquals(error.hint, "choose another place in the container");
  for (const path of ["/proc", "/proc/../proc/sys", "/proc//sys"]) {
    assertThrows(() => plan({ config: mount(path) }), PaddockError, "cannot mount /srv/x");
  }
  // What lxcfs provides is no harm.
  assert(actsOf(plan({ config: mount("/proc/meminfo") })).some(({ what }) => what === "mount /srv/x on /proc/meminfo"));
});

Deno.test("planContainer gives every failed step of a side to that side's own handler", () => {
  const { sections } = plan();
  for (const { side, fault, title } of sections) {
    if (side === "container") assertEquals(fault, "container.fault");
    else assert(["launcher.fault", "exit"].includes(fault), title);
  }
});
