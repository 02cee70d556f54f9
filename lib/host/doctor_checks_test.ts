import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CHECKS } from "./doctor_checks.ts";
import { type Examined, type Finding, GROUPS } from "./examined.ts";
import {
  exampleCgroupNone,
  exampleCgroupV1,
  exampleCgroupV2,
  exampleFacts,
  exampleMount,
  exampleOldFacts,
} from "./facts_example.ts";

const FILES: Readonly<Record<string, string>> = {
  "/proc/sys/kernel/seccomp/actions_avail": "kill_process errno allow\n",
  "/proc/pressure/memory": "some avg10=0.00",
};

function examine(overrides: Partial<Examined> = {}, files: Readonly<Record<string, string>> = {}): Examined {
  const all = { ...FILES, ...files };
  return {
    facts: exampleFacts(),
    readText: (path) => all[path],
    exists: (path) => path.startsWith("/proc/self/ns/") || path in all,
    stateRoot: { path: "/run/paddock", exists: true, fault: undefined, free: 2 ** 30 },
    dataRoot: { path: "/var/lib/paddock", exists: true, fault: undefined, free: 2 ** 40 },
    overlayTrial: { works: true, detail: "mounted" },
    nftables: true,
    leftovers: [],
    runtime: { deno: "2.9.6", glibc: "2.36" },
    ...overrides,
  };
}

function find(id: string, host: Examined): Finding {
  const check = CHECKS.find((check) => check.id === id);
  assert(check !== undefined, id);
  return check.check(host);
}

Deno.test("CHECKS are content with a modern server", () => {
  for (const check of CHECKS) assertEquals(check.check(examine()).verdict, "ok", check.id);
});

Deno.test("CHECKS have ids of their own, stand in the order of the groups, and give a remedy for each no", () => {
  assertEquals(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length);
  const groups = CHECKS.map(({ group }) => GROUPS.indexOf(group));
  assertEquals(groups, [...groups].sort());
  const bare = examine({
    facts: exampleOldFacts({ uid: 1000, capabilities: [], cgroup: exampleCgroupNone(), mounts: [] }),
    overlayTrial: { works: false, detail: "cannot make the filesystem: EINVAL" },
  });
  for (const check of CHECKS) {
    const { verdict, remedy } = check.check(bare);
    if (verdict === "no") assert(remedy !== undefined && remedy !== "", check.id);
  }
});

Deno.test("a container cannot run without root or sys_admin, and can without cgroups", () => {
  const host = examine({ facts: exampleFacts({ uid: 1000, capabilities: ["chown"], cgroup: exampleCgroupNone() }) });
  const missing = CHECKS.filter((check) => check.needed && check.check(host).verdict === "no").map(({ id }) => id);
  assertEquals(missing, ["root", "capabilities"]);
});

Deno.test("limits say which flags are lost, and why the controller is missing", () => {
  const facts = exampleFacts({ cgroup: { ...exampleCgroupV2(), controllers: {} } });
  const cgroups = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t0\nio\t0\t1\t1\npids\t0\t1\t1\n";
  const host = examine({ facts }, { "/proc/cgroups": cgroups });
  const memory = find("cgroup-memory", host);
  assertEquals(memory.verdict, "no");
  assertStringIncludes(memory.detail, "--memory");
  assertEquals(memory.remedy, "boot with cgroup_enable=memory");
  assertStringIncludes(find("cgroup-pids", host).remedy!, "+pids > /sys/fs/cgroup/cgroup.subtree_control");
  assertStringIncludes(find("cgroup-cpuset", host).remedy!, "kernel that was built with it");
});

Deno.test("a kernel without filters of system calls is a no, and the way around it is said", () => {
  assertEquals(find("seccomp", examine()).detail, "kill_process, errno, allow");
  const host = examine({ facts: exampleFacts({ has: { seccomp_filter: false } }) });
  assertEquals(find("seccomp", host).verdict, "no");
  assertStringIncludes(find("seccomp", host).remedy!, "--security-opt seccomp=unconfined");
});

Deno.test("limits of v2 find devices and freezing where there is no controller for them", () => {
  assertEquals(find("cgroup-devices", examine()).detail, "v2, a BPF program");
  assertEquals(find("cgroup-freezer", examine()).detail, "v2, cgroup.freeze");
  const host = examine({ facts: exampleFacts({ has: { bpf_cgroup_device: false } }) });
  assertEquals(find("cgroup-devices", host).verdict, "no");
});

Deno.test("a hierarchy that is mounted read-only holds no limit", () => {
  const mount = "/sys/fs/cgroup";
  const mounts = [exampleMount(mount, "cgroup2", { options: ["ro", "nosuid"] })];
  const host = examine({ facts: exampleFacts({ mounts }) });
  assertEquals(find("cgroup-memory", host).verdict, "no");
  assertEquals(find("cgroup-memory", host).remedy, "mount -o remount,rw /sys/fs/cgroup");
});

Deno.test("swap that is not counted matters only where there is swap", () => {
  const v1 = exampleCgroupV1();
  const cgroup = {
    ...v1,
    controllers: { ...v1.controllers, memory: { version: 1, mount: "/sys/fs/cgroup/memory", self: "/" } as const },
  };
  assertEquals(find("swap", examine({ facts: exampleFacts({ cgroup, swapTotal: 0 }) })).verdict, "ok");
  assertEquals(find("swap", examine({ facts: exampleFacts({ cgroup, swapTotal: 1 }) })).verdict, "no");
});

Deno.test("storage is refused where others may write, and doubted on filesystems that overlays do not like", () => {
  const dataRoot = { path: "/var/lib/paddock", exists: true, fault: "it belongs to user 5", free: 0 };
  assertEquals(find("data-root", examine({ dataRoot })).verdict, "no");
  assertEquals(find("space", examine({ dataRoot })).verdict, "no");
  const mounts = [exampleMount("/", "ext4"), exampleMount("/var/lib", "overlay")];
  assertEquals(find("data-root", examine({ facts: exampleFacts({ mounts }) })).verdict, "warn");
});

Deno.test("a memory program that is forbidden is a no only where no file can take its place", () => {
  const has = { execveat_memfd: false };
  assertEquals(find("memory-program", examine({ facts: exampleFacts({ has }) })).verdict, "warn");
  const mounts = [exampleMount("/", "ext4", { options: ["rw", "noexec"] })];
  assertEquals(find("memory-program", examine({ facts: exampleFacts({ has, mounts }) })).verdict, "no");
});

Deno.test("the container engine around paddock is recognised", () => {
  assertEquals(find("nested", examine()).verdict, "ok");
  assertStringIncludes(find("nested", examine({}, { "/.dockerenv": "" })).detail, "docker");
  assertStringIncludes(find("nested", examine({}, { "/proc/1/environ": "A=1\0container=lxc\0" })).detail, "lxc");
});
