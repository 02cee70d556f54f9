import { assert, assertEquals } from "@std/assert";
import { planCgroup } from "../cgroup/plan.ts";
import { viewMounts } from "../cgroup/view.ts";
import { exampleCgroupHybrid, exampleCgroupV1, exampleFacts, type FactsOverrides } from "../host/facts_example.ts";
import type { Act } from "../program/step.ts";
import type { Mount, Resources } from "../spec/config.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planMounts } from "./mounts.ts";

interface PlanOptions {
  readonly terminal?: boolean;
  readonly resources?: Resources;
}

function plan(
  mounts: readonly Mount[],
  overrides: FactsOverrides = {},
  { terminal = false, resources = {} }: PlanOptions = {},
): Act[] {
  const facts = exampleFacts(overrides);
  const config = exampleConfig({ mounts, process: { terminal } });
  const cgroup = planCgroup({ name: "paddock/web", resources }, facts);
  const setting = exampleSetting({ files: { "/etc/hosts": "x" } });
  return planMounts({ config, facts, setting, cgroupView: viewMounts(facts, cgroup) });
}

const DEV: Mount = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
const PTS: Mount = { destination: "/dev/pts", type: "devpts", source: "devpts" };
const CGROUP: Mount = {
  destination: "/sys/fs/cgroup",
  type: "cgroup",
  source: "cgroup",
  options: ["ro", "nosuid", "noexec", "nodev", "rprivate"],
};

function whats(acts: readonly Act[]): string[] {
  return acts.map(({ what }) => what);
}

/** The `mount` calls on a target, without what looks the target up. */
function mountCalls(acts: readonly Act[]): string[] {
  return writeSteps(acts).filter((line) => line.startsWith("mount("));
}

Deno.test("planMounts gives flags to the kernel and the other words to the filesystem", () => {
  const [proc] = plan([{ destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] }]);
  assertEquals(mountCalls([proc!]), [
    'mount("proc", "/proc/self/fd/100", "proc", MS_NOSUID|MS_NOEXEC|MS_NODEV, "")',
  ]);
  const [dev] = plan([DEV]);
  assertEquals(mountCalls([dev!]), ['mount("tmpfs", "/proc/self/fd/100", "tmpfs", MS_NOSUID, "mode=755")']);
  assertEquals(dev!.shell, ['mount -t tmpfs -o nosuid,mode=755 tmpfs "$ROOT"/dev']);
});

Deno.test("planMounts lets nothing in the image lead the kernel's own filesystems elsewhere", () => {
  for (const type of ["proc", "sysfs"]) {
    const [act] = plan([{ destination: `/${type}`, type }]);
    const how = act!.steps.filter(({ call }) => call === "openat2").map(({ args: [, , how] }) => JSON.stringify(how));
    assert(how.length > 0 && how.every((words) => words.includes("RESOLVE_NO_SYMLINKS")), type);
  }
});

Deno.test("planMounts fills /dev as soon as it is there, and before what is mounted in it", () => {
  assertEquals(whats(plan([DEV, PTS])), [
    "mount tmpfs on /dev",
    "make the standard devices in /dev",
    "link the standard streams in /dev",
    "write /etc/hosts",
    "mount devpts on /dev/pts",
  ]);
});

Deno.test("planMounts makes nodes in the image's own /dev where nothing is mounted there", () => {
  assertEquals(whats(plan([])), [
    "make the standard devices in /dev",
    "link the standard streams in /dev",
    "write /etc/hosts",
  ]);
});

Deno.test("planMounts takes a /dev of the user's as it is, and writes no file of ours into it", () => {
  const given: Mount = { destination: "/dev", type: "bind", source: "/dev", options: ["rbind"] };
  assertEquals(whats(plan([given])), ["mount tmpfs on /dev", "write /etc/hosts", "mount /dev on /dev"]);
});

Deno.test("planMounts opens a terminal in the container's devpts, or without one in the /dev that it was given", () => {
  assertEquals(whats(plan([DEV, PTS], {}, { terminal: true })).at(-1), "open a terminal in the container's devpts");
  const given: Mount = { destination: "/dev", type: "bind", source: "/dev", options: ["rbind"] };
  const acts = plan([given], {}, { terminal: true });
  assertEquals(acts.filter(({ what }) => what.startsWith("open a terminal")).length, 1);
});

Deno.test("planMounts leaves mqueue out where the kernel has none", () => {
  const mount: Mount = { destination: "/dev/mqueue", type: "mqueue", source: "mqueue" };
  assertEquals(whats(plan([DEV, mount], { has: { mqueue: false } })).includes("mount mqueue on /dev/mqueue"), false);
  assertEquals(whats(plan([DEV, mount])).at(-1), "mount mqueue on /dev/mqueue");
});

Deno.test("planMounts sets the propagation of a filesystem in a call of its own", () => {
  const [act] = plan([{ destination: "/x", type: "tmpfs", source: "tmpfs", options: ["rshared", "nodev"] }]);
  assertEquals(mountCalls([act!]), [
    'mount("tmpfs", "/proc/self/fd/100", "tmpfs", MS_NODEV, "")',
    'mount(0, "/proc/self/fd/100", 0, MS_SHARED|MS_REC, 0)',
  ]);
});

Deno.test("planMounts shows cgroup v2 as one filesystem, read-only", () => {
  const acts = plan([CGROUP]);
  assertEquals(mountCalls(acts.slice(0, 1)), [
    'mount("cgroup2", "/proc/self/fd/100", "cgroup2", MS_RDONLY|MS_NOSUID|MS_NOEXEC|MS_NODEV, "")',
  ]);
});

Deno.test("planMounts shows each hierarchy of v1 in a directory, links to the joint ones, and closes the directory last", () => {
  const acts = plan([CGROUP], { cgroup: exampleCgroupV1() });
  const calls = mountCalls(acts.filter(({ what }) => what.includes("/sys/fs/cgroup")));
  const flags = "MS_RDONLY|MS_NOSUID|MS_NOEXEC|MS_NODEV";
  assert(calls[0]?.includes('"tmpfs", MS_NOSUID|MS_NOEXEC|MS_NODEV, "mode=755"'), calls[0]);
  assert(calls.includes(`mount("cgroup", "/proc/self/fd/100", "cgroup", ${flags}, "cpu,cpuacct")`), calls.join("\n"));
  assert(calls.at(-1)?.includes("MS_REMOUNT|MS_BIND|MS_RDONLY"));
  const links = writeSteps(acts).filter((line) => line.startsWith("symlinkat") && line.includes("cpu,cpuacct"));
  assertEquals(links, ['symlinkat("cpu,cpuacct", 100, "cpu")', 'symlinkat("cpu,cpuacct", 100, "cpuacct")']);
});

Deno.test("planMounts shows the unified hierarchy beside those of v1", () => {
  const acts = plan([CGROUP], { cgroup: exampleCgroupHybrid() }, { resources: { pids: { limit: 9 } } });
  assert(whats(acts).includes("mount cgroup2 on /sys/fs/cgroup/unified"), whats(acts).join("\n"));
});
