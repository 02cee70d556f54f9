import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { DeviceRule, Resources } from "../spec/config.ts";
import type { Value } from "../systemd/value.ts";
import { listDeviceProperties, parseDeviceGroups } from "./systemd_devices.ts";
import { listProperties, type SystemdHost } from "./systemd_properties.ts";
import { expandSlice, nameUnit, placeUnit } from "./systemd_unit.ts";

Deno.test("nameUnit reads slice:prefix:name, and has a name for a container without a path", () => {
  assertEquals(nameUnit("web"), { name: "paddock-web.scope", slice: "system.slice" });
  assertEquals(nameUnit("x", "machine.slice:libpod:1a"), { name: "libpod-1a.scope", slice: "machine.slice" });
  assertEquals(nameUnit("x", "::web"), { name: "web.scope", slice: "system.slice" });
  assertEquals(nameUnit("a+b").name, "paddock-a\\x2bb.scope");
});

Deno.test("nameUnit refuses other forms", () => {
  assertThrows(() => nameUnit("x", "/batch/web"), PaddockError, 'of format "slice:prefix:name" for systemd cgroups');
  assertThrows(() => nameUnit("x", "a--b.slice:p:n"), PaddockError, "invalid slice name: a--b.slice");
  assertThrows(() => nameUnit("x", "a.slice:p:b.slice"), PaddockError, "'b.slice' is a slice");
});

Deno.test("expandSlice nests a slice in those that its name begins with", () => {
  assertEquals(expandSlice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
  assertEquals(expandSlice("-.slice"), "");
  for (const bad of ["a", ".slice", "-a.slice", "a-.slice", "a/b.slice"]) {
    assertThrows(() => expandSlice(bad), PaddockError, "invalid slice name");
  }
});

Deno.test("placeUnit puts the unit below systemd's own cgroup", () => {
  const unit = { name: "w.scope", slice: "a-b.slice" };
  assertEquals(placeUnit(unit, ""), { name: "w.scope", parent: "/a.slice/a-b.slice" });
  assertEquals(placeUnit({ ...unit, slice: "-.slice" }, ""), { name: "w.scope", parent: "/" });
  assertEquals(placeUnit(unit, "/m").parent, "/m/a.slice/a-b.slice");
});

const HOST: SystemdHost = { cgroup: 2, version: 252, groups: { c: new Map([[136, "pts"]]), b: new Map() } };
const INFINITY = (1n << 64n) - 1n;

function propertiesOf(resources: Resources, host: Partial<SystemdHost> = {}): Record<string, Value> {
  return Object.fromEntries(listProperties(resources, { ...HOST, ...host }).map(({ name, value }) => [name, value]));
}

Deno.test("listProperties says limits in the words of v2", () => {
  assertEquals(
    propertiesOf({
      memory: { limit: 100, swap: 150, reservation: 50 },
      cpu: { shares: 1024, quota: 25_000, period: 50_000, cpus: "0-2,9", mems: "1" },
      pids: { limit: 7 },
      blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] },
    }),
    {
      MemoryMax: 100n,
      MemoryLow: 50n,
      MemorySwapMax: 50n,
      CPUWeight: 100n,
      CPUQuotaPeriodUSec: 50_000n,
      CPUQuotaPerSecUSec: 500_000n,
      AllowedCPUs: [0b111, 0b10],
      AllowedMemoryNodes: [0b10],
      TasksMax: 7n,
      IOWeight: 1n,
      IOReadBandwidthMax: [["/dev/block/8:0", 9n]],
    },
  );
});

Deno.test("listProperties says limits in the words of v1", () => {
  assertEquals(
    propertiesOf({
      memory: { limit: 100, swap: 150, reservation: 50 },
      cpu: { shares: 512 },
      blockIO: { weight: 10, throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 0 }] },
      unified: { "memory.high": "5" },
    }, { cgroup: 1 }),
    {
      MemoryLimit: 100n,
      CPUShares: 512n,
      BlockIOWeight: 10n,
      BlockIOWriteBandwidth: [["/dev/block/8:0", INFINITY]],
    },
  );
});

Deno.test("listProperties tells no limit from nothing said, and rounds a quota up to whole percents", () => {
  assertEquals(propertiesOf({}), {});
  assertEquals(propertiesOf({ memory: { limit: 0 }, cpu: { shares: 0, quota: 0 }, pids: {} }), {});
  assertEquals(propertiesOf({ memory: { limit: -1, swap: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } }), {
    MemoryMax: INFINITY,
    MemorySwapMax: INFINITY,
    TasksMax: INFINITY,
    CPUQuotaPerSecUSec: INFINITY,
  });
  assertEquals(propertiesOf({ memory: { limit: 9, swap: 9 }, pids: { limit: 0 }, cpu: { quota: 1234 } }), {
    MemoryMax: 9n,
    MemorySwapMax: 0n,
    TasksMax: 1n,
    CPUQuotaPerSecUSec: 20_000n,
  });
});

Deno.test("listProperties leaves out what an older systemd has no word for", () => {
  const cpu = { quota: 10_000, period: 10_000, cpus: "0", idle: 1, shares: 1024 };
  assertEquals(propertiesOf({ cpu }, { version: 239 }), { CPUWeight: 100n, CPUQuotaPerSecUSec: 1_000_000n });
  assertEquals(propertiesOf({ cpu: { idle: 1, shares: 1024 } }), { CPUWeight: 0n });
});

Deno.test("listProperties reads raw files of v2", () => {
  const unified = {
    "memory.high": "max",
    "memory.max": "12\n",
    "memory.low": "1G",
    "cpu.max": "max 50000",
    "cpuset.cpus": "3",
    "pids.max": "4",
    "io.max": "8:0 rbps=1",
  };
  assertEquals(propertiesOf({ unified }), {
    MemoryHigh: INFINITY,
    MemoryMax: 12n,
    CPUQuotaPeriodUSec: 50_000n,
    CPUQuotaPerSecUSec: INFINITY,
    AllowedCPUs: [8],
    TasksMax: 4n,
  });
});

const PROC_DEVICES = `Character devices:
  1 mem
  4 tty
  5 /dev/tty
 10 misc
136 pts
204 ttyS
205 ttyS

Block devices:
  7 loop
254 virtblk
`;

Deno.test("parseDeviceGroups leaves out names that stand for several numbers, and paths", () => {
  const { b, c } = parseDeviceGroups(PROC_DEVICES);
  assertEquals([...c], [[1, "mem"], [4, "tty"], [10, "misc"], [136, "pts"]]);
  assertEquals([...b], [[7, "loop"], [254, "virtblk"]]);
});

function devicesOf(...rules: DeviceRule[]): [policy: Value, allowed: readonly string[]] {
  const [policy, allow] = listDeviceProperties(rules, parseDeviceGroups(PROC_DEVICES));
  return [policy!.value, (allow!.value as string[][]).map((words) => words.join(" "))];
}

Deno.test("listDeviceProperties allows what is allowed, by number and by group", () => {
  const [policy, allowed] = devicesOf({ allow: true, type: "b", major: 7, access: "rw" }, {
    allow: true,
    type: "c",
    major: 10,
    minor: 229,
    access: "rw",
  });
  assertEquals(policy, "strict");
  assertEquals(allowed.slice(0, 4), ["block-loop rw", "/dev/char/10:229 rw", "char-* m", "block-* m"]);
  assertEquals(allowed.slice(-1), ["char-pts rwm"]);
});

Deno.test("listDeviceProperties holds nothing where systemd would forbid more than was asked for", () => {
  assertEquals(devicesOf({ allow: true }), ["auto", []]);
  assertEquals(devicesOf({ allow: true, type: "c", major: 204, access: "r" }), ["auto", []]);
  assertEquals(devicesOf({ allow: true }, { allow: false, type: "b", major: 7 })[0], "auto");
});
