import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { viewMounts } from "../cgroup/view.ts";
import { exampleCgroupHybrid, exampleCgroupV1, exampleFacts, type FactsOverrides } from "../host/facts_example.ts";
import type { Act } from "../program/step.ts";
import type { Mount, Resources } from "../spec/config.ts";
import { DEFAULT_MOUNTS } from "../spec/defaults.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planCgroupSources } from "./cgroup_mounts.ts";
import { mountKey, planMounts } from "./mounts.ts";

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

Deno.test("planMounts sets recursive options of a filesystem by mount_setattr, and says where there is none", () => {
  const mount: Mount = { destination: "/x", type: "tmpfs", source: "tmpfs", options: ["rro", "rnosuid", "rexec"] };
  const [act] = plan([mount]);
  const lines = writeSteps([act!]);
  assertEquals(lines.at(-1), 'mount_setattr(100, "", AT_EMPTY_PATH|AT_RECURSIVE, {32 bytes}, 32)');
  assertThrows(() => plan([mount], { has: { mount_setattr: false } }), PaddockError, "lacks");
});

Deno.test("planMounts changes what is mounted where it is asked to remount", () => {
  const [act] = plan([{ destination: "/x", type: "tmpfs", options: ["remount", "ro", "size=5m"] }]);
  assertEquals(mountCalls([act!]), ['mount(0, "/proc/self/fd/100", 0, MS_REMOUNT|MS_RDONLY, "size=5m")']);
  const [bind] = plan([{ destination: "/x", source: "/y", options: ["bind", "remount", "ro"] }]);
  assertEquals(mountCalls([bind!]), ['mount(0, "/proc/self/fd/100", 0, MS_REMOUNT|MS_RDONLY|MS_BIND, "")']);
});

Deno.test("planMounts lays an overlay in a tmpfs over what lies beneath for tmpcopyup", () => {
  const mount: Mount = { destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "ro", "size=1m"] };
  const acts = plan([mount]).slice(0, 3);
  assertEquals(mountCalls(acts), [
    'mount("tmpfs", "/proc/self/fd/100", "tmpfs", 0, "size=1m")',
    'mount("overlay", "/proc/self/fd/100", "overlay", MS_RDONLY, ' +
    '"lowerdir=/proc/self/fd/101,upperdir=/proc/self/fd/100/upper,workdir=/proc/self/fd/100/work")',
  ]);
  assertThrows(() => plan([mount], { has: { overlay: false } }), PaddockError, "tmpcopyup");
});

Deno.test("planMounts gives a SELinux context to filesystems that take one", () => {
  const facts = exampleFacts();
  const config = exampleConfig({ mounts: [...DEFAULT_MOUNTS], linux: { mountLabel: "u:r:t:s0:c1,c2" } });
  const cgroup = planCgroup({ name: "paddock/web", resources: {} }, facts);
  const acts = planMounts({ config, facts, setting: exampleSetting(), cgroupView: viewMounts(facts, cgroup) });
  const labelled = acts.filter((act) => writeSteps([act]).some((line) => line.includes("context="))).map(({ what }) =>
    what
  );
  assertEquals(
    labelled,
    ["tmpfs on /dev", "devpts on /dev/pts", "tmpfs on /dev/shm"].map((what) => `mount ${what} with linux.mountLabel`),
  );
});

Deno.test("planMounts takes the host's whole /proc for /proc, and no other mount in it", () => {
  const whole = plan([{ destination: "/proc", source: "/proc", options: ["rbind"] }]);
  assertEquals(whole[0]?.what, "mount /proc on /proc");
  for (
    const mount of [
      { destination: "/proc", source: "/proc/1", options: ["bind"] },
      { destination: "/proc", type: "tmpfs", source: "tmpfs" },
      { destination: "/proc/sys", type: "tmpfs", source: "tmpfs" },
    ]
  ) assertThrows(() => plan([mount]), PaddockError, "must be the kernel's");
});

Deno.test("without a cgroup namespace /sys/fs/cgroup has copies of directories that were opened before", () => {
  const facts = exampleFacts({ cgroup: exampleCgroupV1() });
  const config = exampleConfig({ mounts: [CGROUP] });
  const cgroup = planCgroup({ name: "paddock/web", resources: {} }, facts);
  const context = { config, facts, setting: exampleSetting(), cgroupView: viewMounts(facts, cgroup, false) };
  const opened = writeSteps(planCgroupSources(context, mountKey));
  const memory = opened.find((line) => line.includes("/memory/paddock/web"));
  assert(memory?.startsWith("open_tree("), memory);
  const acts = planMounts(context);
  assertEquals(mountCalls(acts).filter((line) => line.startsWith('mount("cgroup"')), []);
  const attached = writeSteps(acts).filter((line) => line.startsWith("move_mount(")).length;
  assertEquals(attached, opened.filter((line) => line.startsWith("open_tree(")).length);
  assert(attached > 3);
});
