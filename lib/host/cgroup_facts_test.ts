import { assert, assertEquals } from "@std/assert";
import { readCgroupFacts } from "./cgroup_facts.ts";
import type { CgroupFacts } from "./facts.ts";
import { parseMountInfo } from "./mountinfo.ts";

/** Facts from texts: mountinfo, /proc/self/cgroup, and whatever other files there are. */
function read(mountinfo: string, membership: string, files: Record<string, string> = {}): CgroupFacts {
  const texts: Record<string, string> = { "/proc/self/cgroup": membership, "/proc/swaps": "Filename\n", ...files };
  return readCgroupFacts((path) => texts[path], parseMountInfo(mountinfo));
}

const V1_MOUNTS = `30 22 0:27 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/usr/lib/systemd/agent,name=systemd
32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 30 0:31 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
`;

Deno.test("readCgroupFacts finds v1 controllers where they are mounted, joint ones together", () => {
  const facts = read(
    V1_MOUNTS,
    "4:cpu,cpuacct:/user\n3:memory:/user.slice\n2:devices:/\n1:name=systemd:/user.slice\n",
    {
      "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes": "9223372036854771712\n",
      "/proc/1/comm": "systemd\n",
    },
  );
  assertEquals(facts, {
    controllers: {
      cpu: { version: 1, mount: "/sys/fs/cgroup/cpu,cpuacct", self: "/user", joint: ["cpu", "cpuacct"] },
      cpuacct: { version: 1, mount: "/sys/fs/cgroup/cpu,cpuacct", self: "/user", joint: ["cpu", "cpuacct"] },
      memory: { version: 1, mount: "/sys/fs/cgroup/memory", self: "/user.slice", joint: ["memory"], swap: true },
      devices: { version: 1, mount: "/sys/fs/cgroup/devices", self: "/", joint: ["devices"] },
    },
    named: { mount: "/sys/fs/cgroup/systemd", self: "/user.slice" },
    systemd: true,
  });
});

Deno.test("readCgroupFacts says that v1 does not count swap where the file is missing", () => {
  assertEquals(read(V1_MOUNTS, "3:memory:/\n").controllers["memory"]?.swap, false);
});

const V2_MOUNTS = "30 22 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const ALL = "cpuset cpu io memory hugetlb pids rdma misc\n";

Deno.test("readCgroupFacts finds in v2 what cgroup.controllers lists, and no freezer or devices", () => {
  const facts = read(V2_MOUNTS, "0::/user.slice/session-1.scope\n", { "/sys/fs/cgroup/cgroup.controllers": ALL });
  assertEquals(Object.keys(facts.controllers), ALL.trim().split(" "));
  assertEquals(facts.unified, { mount: "/sys/fs/cgroup", self: "/user.slice/session-1.scope" });
  assertEquals(facts.controllers["io"], { version: 2, ...facts.unified! });
  assertEquals(facts.systemd, false);
  assert(!("named" in facts));
});

Deno.test("readCgroupFacts decides for each controller of a hybrid host", () => {
  const mounts = `${V1_MOUNTS}40 30 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`;
  const facts = read(mounts, "3:memory:/\n2:devices:/\n0::/\n", {
    "/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb pids\n",
  });
  assertEquals(facts.controllers["hugetlb"], { version: 2, mount: "/sys/fs/cgroup/unified", self: "/" });
  assertEquals(facts.controllers["pids"]?.version, 2);
  assertEquals(facts.controllers["memory"]?.version, 1);
});

Deno.test("readCgroupFacts asks a group below v2's root for swap, and the kernel's parameters where none can tell", () => {
  const swapOf = (files: Record<string, string>, self = "/"): boolean | undefined =>
    read(V2_MOUNTS, `0::${self}\n`, { "/sys/fs/cgroup/cgroup.controllers": ALL, ...files }).controllers["memory"]?.swap;
  const own = "/sys/fs/cgroup/a.scope";
  assertEquals(swapOf({ [`${own}/memory.swap.max`]: "max\n", [`${own}/memory.max`]: "max\n" }, "/a.scope"), true);
  assertEquals(swapOf({ [`${own}/memory.max`]: "max\n" }, "/a.scope"), false);
  assertEquals(swapOf({ "/sys/fs/cgroup/system.slice/memory.swap.max": "max\n" }), true);
  const old = { "/proc/sys/kernel/osrelease": "5.10.0-28-amd64\n" };
  assertEquals(swapOf({ ...old, "/proc/cmdline": "quiet swapaccount=0\n" }), false);
  assertEquals(swapOf({ ...old, "/proc/cmdline": "quiet\n" }), true);
  const current = { "/proc/sys/kernel/osrelease": "6.12.1\n" };
  assertEquals(swapOf({ ...current, "/proc/cmdline": "swapaccount=0\n" }), true);
});

Deno.test("readCgroupFacts knows its own place below the mount point of a nested container", () => {
  // The host's hierarchy, of which docker mounted a part, without a cgroup namespace.
  const part = read(
    "30 22 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
    "3:memory:/docker/abc/x\n",
  );
  assertEquals(part.controllers["memory"]?.self, "/x");
  const whole = read(
    "30 22 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
    "3:memory:/docker/abc\n",
  );
  assertEquals(whole.controllers["memory"]?.self, "/");
});

Deno.test("readCgroupFacts takes the mount point for its place where a cgroup namespace hides the way", () => {
  const files = { "/sys/fs/cgroup/cgroup.controllers": ALL };
  const above = read("30 22 0:27 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n", files);
  assertEquals(above.unified, { mount: "/sys/fs/cgroup", self: "/" });
  const beside = read(V2_MOUNTS, "0::/../other\n", files);
  assertEquals(beside.unified?.self, "/");
});

Deno.test("readCgroupFacts leaves out a hierarchy that a later mount hides", () => {
  const hidden = read(`${V1_MOUNTS}50 22 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n`, "3:memory:/\n");
  assertEquals(hidden.controllers, {});
  assert(!("named" in hidden));
});

Deno.test("readCgroupFacts prefers the writable mount of a hierarchy that is mounted twice", () => {
  const facts = read(
    "30 22 0:27 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n31 22 0:27 / /mnt/memory rw - cgroup cgroup rw,memory\n",
    "3:memory:/\n",
  );
  assertEquals(facts.controllers["memory"]?.mount, "/mnt/memory");
});

Deno.test("readCgroupFacts tells controllers from mount options by /proc/cgroups where /proc/self/cgroup is no help", () => {
  const facts = read("30 22 0:27 / /cg rw - cgroup cgroup rw,noprefix,memory,clone_children\n", "", {
    "/proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t14\t1\n",
  });
  assertEquals(facts.controllers["memory"]?.joint, ["memory"]);
});

Deno.test("readCgroupFacts finds nothing where nothing is mounted", () => {
  assertEquals(read("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n"), { controllers: {}, systemd: false });
});
