/**
 * config-linux.md of the OCI runtime specification: Control groups.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { call } from "../support/paddock.ts";
import { type Ability, findDisk, missingAbilities } from "../support/requires.ts";
import type { Fields } from "./base_config.ts";
import { conform, type Tried } from "./conform.ts";
import type { Place } from "./place.ts";

/** A field, the controller that it is for, and what the file of each version has then. */
interface Knob {
  readonly field: string;
  readonly resources: Fields;
  readonly controller: string;
  readonly v1: readonly [file: string, value: string];
  /** `refused` where the version has nothing like it. */
  readonly v2: readonly [file: string, value: string | RegExp] | "refused";
}

const MIB = 1024 * 1024;
const disk = findDisk();
const [major = 0, minor = 0] = (disk?.numbers ?? "0:0").split(":").map(Number);
const throttle = (rate: number) => [{ major, minor, rate }];

const KNOBS: readonly Knob[] = [
  {
    field: "memory.limit",
    resources: { memory: { limit: 64 * MIB } },
    controller: "memory",
    v1: ["memory.limit_in_bytes", `${64 * MIB}`],
    v2: ["memory.max", `${64 * MIB}`],
  },
  {
    field: "memory.reservation",
    resources: { memory: { limit: 64 * MIB, reservation: 32 * MIB } },
    controller: "memory",
    v1: ["memory.soft_limit_in_bytes", `${32 * MIB}`],
    v2: ["memory.low", `${32 * MIB}`],
  },
  {
    field: "memory.swappiness",
    resources: { memory: { swappiness: 7 } },
    controller: "memory",
    v1: ["memory.swappiness", "7"],
    v2: "refused",
  },
  {
    field: "cpu.shares",
    resources: { cpu: { shares: 512 } },
    controller: "cpu",
    v1: ["cpu.shares", "512"],
    // (512 - 2) × 9999 / 262142 + 1, or the curve of runc since 1.3.2: 1024 is the ordinary weight.
    v2: ["cpu.weight", /^(20|59)$/],
  },
  {
    field: "cpu.quota and cpu.period",
    resources: { cpu: { quota: 20000, period: 50000 } },
    controller: "cpu",
    v1: ["cpu.cfs_quota_us", "20000"],
    v2: ["cpu.max", "20000 50000"],
  },
  {
    field: "cpu.cpus",
    resources: { cpu: { cpus: "0" } },
    controller: "cpuset",
    v1: ["cpuset.cpus", "0"],
    v2: ["cpuset.cpus", "0"],
  },
  {
    field: "cpu.mems",
    resources: { cpu: { mems: "0" } },
    controller: "cpuset",
    v1: ["cpuset.mems", "0"],
    v2: ["cpuset.mems", "0"],
  },
  {
    field: "pids.limit",
    resources: { pids: { limit: 77 } },
    controller: "pids",
    v1: ["pids.max", "77"],
    v2: ["pids.max", "77"],
  },
  ...(disk === undefined ? [] : [{
    field: "blockIO.throttleReadBpsDevice",
    resources: { blockIO: { throttleReadBpsDevice: throttle(1048576) } },
    controller: "blkio",
    v1: ["blkio.throttle.read_bps_device", `${major}:${minor} 1048576`],
    v2: ["io.max", `${major}:${minor} rbps=1048576 wbps=max riops=max wiops=max`],
  }, {
    field: "blockIO.throttleWriteIOPSDevice",
    resources: { blockIO: { throttleWriteIOPSDevice: throttle(500) } },
    controller: "blkio",
    v1: ["blkio.throttle.write_iops_device", `${major}:${minor} 500`],
    v2: ["io.max", `${major}:${minor} rbps=max wbps=max riops=max wiops=500`],
  }] as const),
];

/** In guests, whose time is dear, the tests of `update` see these. */
const SEEN_BY_UPDATE: readonly string[] = [
  "memory.limit",
  "memory.reservation",
  "cpu.quota and cpu.period",
  "cpu.cpus",
  "cpu.mems",
  "pids.limit",
  "blockIO.throttleWriteIOPSDevice",
];

/** The directory of a process's cgroup that a controller serves, and the version of its hierarchy. */
function findCgroup(pid: number, controller: string): { readonly path: string; readonly version: 1 | 2 } {
  const groups = Deno.readTextFileSync(`/proc/${pid}/cgroup`).trim().split("\n").map((line) => line.split(":"));
  const mounts = Deno.readTextFileSync("/proc/self/mounts").trim().split("\n").map((line) => line.split(" "));
  const v1 = groups.find(([, names = ""]) => names.split(",").includes(controller));
  const mount = mounts.find(([, , type, options = ""]) =>
    v1 === undefined ? type === "cgroup2" : type === "cgroup" && options.split(",").includes(controller)
  );
  const path = v1 === undefined ? groups.find(([id]) => id === "0")?.slice(2).join(":") : v1.slice(2).join(":");
  return { path: `${mount?.[1]}${path}`, version: v1 === undefined ? 2 : 1 };
}

/** The version of the hierarchy that serves a controller. */
function versionOf(controller: string): 1 | 2 {
  return findCgroup(Deno.pid, controller).version;
}

/** Directories of a test's own, which a runtime may leave when the container was not the only one in them. */
function removeLater(place: Place, top: string): void {
  place.defer(() => place.findCgroups(top).forEach((path) => Deno.removeSync(path)));
}

const needs = (controller: string): Ability[] => ["cgroup", `controller:${controller}`];

conform([
  ...KNOBS.map(({ field, resources, controller, v1, v2 }): Tried => ({
    rule: `config-linux.md/control-groups: ${field} is the limit of the container's cgroup`,
    needs: [...needs(controller), ...(SEEN_BY_UPDATE.includes(field) ? ["host" as const] : [])],
    // The others say nothing of what the version has not.
    ...(v2 === "refused" && missingAbilities(["cgroup:v1"]).length > 0 ? { only: ["paddock"] as const } : {}),
    tried: async (place) => {
      if (versionOf(controller) === 2 && v2 === "refused") {
        await place.write({ linux: { resources } });
        const { code, stderr } = await place.tryCreate();
        assert(code !== 0, "create succeeds");
        return assertStringIncludes(stderr, `linux.resources.${field}`);
      }
      const id = await place.create({ linux: { resources } });
      const { path, version } = findCgroup(await place.pid(id), controller);
      const [file, value] = version === 1 || v2 === "refused" ? v1 : v2;
      const lines = Deno.readTextFileSync(`${path}/${file}`).trim().split("\n");
      assert(lines.some((line) => typeof value === "string" ? line === value : value.test(line)), lines.join("\n"));
    },
  })),
  {
    rule: "config-linux.md/cgroups-path: an absolute path begins at the mount point of the hierarchies",
    needs: needs("pids"),
    tried: async (place) => {
      const top = place.newId();
      removeLater(place, top);
      const id = await place.create({ linux: { cgroupsPath: `/${top}/inner` } });
      assert(findCgroup(await place.pid(id), "pids").path.endsWith(`/${top}/inner`));
      await place.ok("delete", "--force", id);
    },
  },
  {
    rule: "config-linux.md/cgroups-path: the same value is the same place each time",
    needs: [...needs("pids"), "host"],
    tried: async (place) => {
      const name = place.newId();
      const seen: string[] = [];
      for (const _ of [1, 2]) {
        const id = await place.create({ linux: { cgroupsPath: name } });
        seen.push(findCgroup(await place.pid(id), "pids").path);
        await place.ok("delete", "--force", id);
      }
      assertEquals(seen[0], seen[1]);
    },
  },
  {
    rule: "config-linux.md/cgroups-path: without one the container has a cgroup all the same",
    needs: [...needs("pids"), "host"],
    tried: async (place) => {
      const { path } = findCgroup(await place.pid(await place.create()), "pids");
      assert(path !== findCgroup(Deno.pid, "pids").path);
    },
  },
  {
    rule: "config-linux.md/cgroup-ownership: with cgroups of v1 the owner does not change",
    needs: [...needs("pids"), "cgroup:v1", "host"],
    tried: async (place) => {
      const id = await place.create({ process: { user: { uid: 1000, gid: 1000 } } });
      assertEquals(Deno.statSync(findCgroup(await place.pid(id), "pids").path).uid, 0);
    },
  },
  {
    rule: "config-linux.md/allowed-device-list: entries are applied in the listed order",
    needs: needs("devices"),
    tried: async (place) => {
      const kmsg = { type: "c", major: 1, minor: 11 };
      const rules = (last: boolean) => [
        { allow: false, access: "rwm" },
        { allow: !last, ...kmsg, access: "rw" },
        { allow: last, ...kmsg, access: "rw" },
      ];
      for (const last of [true, false]) {
        const linux = {
          devices: [{ ...kmsg, path: "/dev/kmsg2", fileMode: 0o666 }],
          resources: { devices: rules(last) },
        };
        const text = await place.outputOf("( : >>/dev/kmsg2 ) && echo open", { linux });
        assertEquals(/^open$/m.test(text), last, text);
      }
    },
  },
  ...["hugetlb", "net_cls", "rdma"].filter((name) => missingAbilities([`controller:${name}`]).length > 0).map(
    (name) => {
      const resources = {
        hugetlb: { hugepageLimits: [{ pageSize: "2MB", limit: 2097152 }] },
        net_cls: { network: { classID: 1048577 } },
        rdma: { rdma: { mlx5_1: { hcaHandles: 3 } } },
      }[name]!;
      return {
        rule: `config-linux.md/control-groups: a limit of a controller that is not there is an error: ${name}` as const,
        only: ["paddock"] as const,
        change: { linux: { resources } },
        refused: `linux.resources.${Object.keys(resources)[0]!}`,
      };
    },
  ),
  {
    rule: "config-linux.md/unified: a file of a controller that is not there is an error",
    needs: ["host"],
    only: ["paddock"],
    change: { linux: { resources: { unified: { "nosuch.max": "1" } } } },
    refused: "linux.resources.unified",
  },
  {
    rule: "config-linux.md/control-groups: a frozen cgroup is an error of create, or no container waits in it for ever",
    needs: [...needs("freezer"), "cgroup:v1"],
    only: ["paddock"],
    tried: async (place) => {
      const name = place.newId();
      const path = `/sys/fs/cgroup/freezer/${name}`;
      Deno.mkdirSync(path);
      place.defer(() => call(["sh", "-c", `echo THAWED >${path}/freezer.state; rmdir ${path}`]));
      Deno.writeTextFileSync(`${path}/freezer.state`, "FROZEN");
      await place.write({ linux: { cgroupsPath: `/${name}` } });
      assert((await place.tryCreate()).code !== 0);
    },
  },
]);
