/**
 * The systemd driver: containers whose cgroup is a transient scope, on a host whose first process is systemd; with runc
 * beside it as the yardstick. `scripts/vm` has guests of that kind.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { exampleConfigFile } from "../lib/spec/example_config.ts";
import { Box, waitFor } from "./support/box.ts";
import { IMAGE, startPodman } from "./support/engines.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

/** Limits that systemd has a property for, and such as it has none for. */
const RESOURCES = {
  devices: [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
  ],
  memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
  cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: "0-1", mems: "0" },
  pids: { limit: 20 },
};

interface Changes {
  readonly args?: readonly string[];
  readonly cgroupsPath?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly resources?: Record<string, unknown>;
}

/** A bundle of the box's root filesystem. */
function makeBundle(box: Box, name: string, { args = ["sleep", "4500"], annotations, ...linux }: Changes = {}): string {
  const bundle = box.directory(name);
  const base = exampleConfigFile();
  const config = {
    ...base,
    root: { path: box.rootfs },
    process: { ...base.process, terminal: false, args, rlimits: [] },
    linux: { ...base.linux, resources: RESOURCES, ...linux },
    ...(annotations === undefined ? {} : { annotations }),
  };
  Deno.writeTextFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

/** What does not depend on the layout is tried in one of the guests: a call of paddock takes seconds there. */
const ANY_LAYOUT: readonly Ability[] = Deno.env.get("PADDOCK_GUEST") === undefined ? [] : ["guest:systemd"];

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `systemd: ${name}`,
    ...requires("root", "systemd", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Creates a container, whose output goes to a file. */
async function create(box: Box, id: string, bundle: string, ...flags: readonly string[]): Promise<void> {
  const words = box.paddock.command(["create", "--systemd-cgroup", "--bundle", bundle, ...flags, id]);
  await quietly(box, words);
}

async function quietly(box: Box, words: readonly string[]): Promise<void> {
  const file = box.path("output");
  const { code } = await call(["sh", "-c", 'exec "$@" >"$0" 2>&1', file, ...words]);
  assertEquals(code, 0, `${words.join(" ")}: ${Deno.readTextFileSync(file)}`);
}

async function ok(box: Box, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** What systemd says of a unit, by the property; of one that it says in several lines, those lines in order. */
async function show(unit: string, ...properties: readonly string[]): Promise<Record<string, string>> {
  const { stdout } = await call(["systemctl", "show", unit, ...properties.map((name) => `--property=${name}`)]);
  const pairs = stdout.trimEnd().split("\n").map((line) => line.split(/=(.*)/s, 2));
  const all = Map.groupBy(pairs, ([name]) => name!);
  return Object.fromEntries([...all].map(([name, lines]) => [name, lines.map(([, text]) => text).sort().join("\n")]));
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function pidOf(box: Box, id: string): number {
  return Number(Deno.readTextFileSync(`${box.paddock.root}/${id}/pid`));
}

test("the process is in its scope before it is started, and nothing else is", async (box) => {
  const bundle = makeBundle(box, "bundle", { cgroupsPath: "paddock-test-a.slice:box:one" });
  await expectNoLeaks(box.paddock, async () => {
    await create(box, "c", bundle);
    const unit = await show("box-one.scope", "ActiveState", "ControlGroup", "Slice", "Transient");
    assertEquals(unit, {
      ActiveState: "active",
      ControlGroup: "/paddock.slice/paddock-test.slice/paddock-test-a.slice/box-one.scope",
      Slice: "paddock-test-a.slice",
      Transient: "yes",
    });
    const places = Deno.readTextFileSync(`/proc/${pidOf(box, "c")}/cgroup`).trimEnd().split("\n");
    assertEquals(places.filter((line) => !line.endsWith(`:${unit["ControlGroup"]}`)), []);
    const { cgroupPaths } = JSON.parse(Deno.readTextFileSync(`${box.paddock.root}/c/state.json`));
    const inside = (cgroupPaths as string[]).map((path) => Deno.readTextFileSync(`${path}/cgroup.procs`).trim());
    assertEquals([...new Set(inside)], [String(pidOf(box, "c"))]);
    await ok(box, "start", "c");
    await ok(box, "kill", "c", "KILL");
    await waitFor("its end", () => !isThere(cgroupPaths[0]));
    await ok(box, "delete", "c");
    assertEquals((await show("box-one.scope", "LoadState"))["LoadState"], "not-found");
  });
});

test("run of a bundle and of an image watches over the container, and leaves no unit", async (box) => {
  const bundle = makeBundle(box, "bundle", { args: ["sh", "-c", "cat /proc/self/cgroup; exit 7"] });
  await expectNoLeaks(box.paddock, async () => {
    const { code, stdout } = await box.paddock.run(["run", "--systemd-cgroup", "--bundle", bundle, "c"]);
    assertEquals(code, 7, stdout);
    // What a cgroup namespace shows of it.
    assertEquals(stdout.trimEnd().split("\n").filter((line) => !line.endsWith(":/")), []);
    assertEquals((await show("paddock-c.scope", "LoadState"))["LoadState"], "not-found");
    const flags = [
      "--systemd-cgroup",
      "--cgroup-parent",
      "box.slice",
      "--name",
      "i",
      "--memory",
      "32M",
      "--cgroupns=host",
    ];
    const image = await box.run(["cat", "/proc/self/cgroup"], [...flags, "--rm"]);
    assertEquals([image.code, image.stderr], [0, ""]);
    assertStringIncludes(image.stdout, ":/box.slice/paddock-i.scope\n");
    assertEquals((await show("paddock-i.scope", "LoadState"))["LoadState"], "not-found");
  });
});

/** What the two must agree on. */
const COMPARED = [
  "Slice",
  "Delegate",
  "DefaultDependencies",
  "MemoryMax",
  "MemoryLimit",
  "MemoryLow",
  "MemorySwapMax",
  "CPUWeight",
  "CPUShares",
  "CPUQuotaPerSecUSec",
  "CPUQuotaPeriodUSec",
  "TasksMax",
  "AllowedCPUs",
  "AllowedMemoryNodes",
  "DevicePolicy",
  "DeviceAllow",
  "MemoryAccounting",
  "CPUAccounting",
  "TasksAccounting",
  "IOAccounting",
  "BlockIOAccounting",
  "TimeoutStopUSec",
  "RuntimeMaxUSec",
];

test("systemd knows of the same limits as with runc, and the files say the same", async (box) => {
  const annotations = {
    "org.systemd.property.TimeoutStopUSec": "uint64 7000000",
    "org.systemd.property.RuntimeMaxSec": "3600",
  };
  const ours = makeBundle(box, "ours", { cgroupsPath: "system.slice:box:ours", annotations });
  const theirs = makeBundle(box, "theirs", { cgroupsPath: "system.slice:box:theirs", annotations });
  const runc = ["runc", "--root", box.path("runc"), "--systemd-cgroup"];
  await create(box, "ours", ours);
  await quietly(box, [...runc, "create", "--bundle", theirs, "theirs"]);
  try {
    const [our, their] = [await show("box-ours.scope", ...COMPARED), await show("box-theirs.scope", ...COMPARED)];
    // Until 1.2 runc allowed tun devices, and not the console; until 2025 its map from shares to weights was another.
    const alike = (shown: Record<string, string>): Record<string, string> => ({
      ...shown,
      DeviceAllow: (shown["DeviceAllow"] ?? "").replace(/^.*(10:200|5:1) .*\n/gm, ""),
      CPUWeight: "",
    });
    assertEquals(alike(our), alike(their));
    assertEquals(our["TimeoutStopUSec"], "7s");
    assertEquals(our["RuntimeMaxUSec"], "1h");
    assertEquals(our["AllowedCPUs"], "0-1");
    assertEquals(our["DevicePolicy"], "strict");
    assertStringIncludes(our["DeviceAllow"] ?? "", "/dev/char/10:229 rw");
    assertStringIncludes(our["DeviceAllow"] ?? "", "char-pts rwm");
    const { cgroupPaths } = JSON.parse(Deno.readTextFileSync(`${box.paddock.root}/ours/state.json`));
    const files = ["memory.max", "memory.low", "memory.swap.max", "cpu.max", "pids.max", "cpuset.cpus", "cpu.shares"];
    let compared = 0;
    for (const path of cgroupPaths as string[]) {
      for (const file of files) {
        const [mine, yours] = [path, path.replace("box-ours", "box-theirs")].map((cgroup) =>
          readOr(`${cgroup}/${file}`)
        );
        if (mine === undefined) continue;
        assertEquals([file, mine], [file, yours]);
        compared++;
      }
    }
    assert(compared >= 3, `${compared} files compared`);
  } finally {
    await call([...runc, "delete", "--force", "theirs"]);
    await ok(box, "delete", "--force", "ours");
  }
}, ["peer:runc"]);

test("update tells systemd, whose reload changes nothing; devices are confined; pause and exec find the container", async (box) => {
  await create(box, "c", makeBundle(box, "bundle"));
  await ok(box, "start", "c");
  await ok(box, "update", "--memory", "48M", "--memory-swap", "64M", "--pids-limit", "15", "--cpu-quota", "12345", "c");
  const { cgroupPaths } = JSON.parse(Deno.readTextFileSync(`${box.paddock.root}/c/state.json`));
  const read = (...names: readonly string[]): string[] =>
    (cgroupPaths as string[]).flatMap((path) => names.map((name) => readOr(`${path}/${name}`)?.trim() ?? ""))
      .filter((text) => text !== "");
  const files = ["memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us"];
  const held = read(...files);
  assert(held.includes(String(48 << 20)) && held.includes("15"), held.join(", "));
  assert(held.some((text) => /^12345( 50000)?$/.test(text)), held.join(", "));
  const unit = await show("paddock-c.scope", "MemoryMax", "MemoryLimit", "TasksMax", "CPUQuotaPerSecUSec");
  assertEquals([unit["TasksMax"], unit["CPUQuotaPerSecUSec"]], ["15", "250ms"]);
  assert([unit["MemoryMax"], unit["MemoryLimit"]].includes(String(48 << 20)));
  await call(["systemctl", "daemon-reload"]);
  assertEquals(read(...files).slice(0, 1), held.slice(0, 1));
  assertEquals(await ok(box, "exec", "c", "sh", "-c", "echo x >/dev/null && head -c1 /dev/zero | wc -c"), "1\n");
  const disk = ["sh", "-c", "mknod /tmp/disk b 254 0; head -c1 /tmp/disk"];
  const { code, stderr } = await box.paddock.run(["exec", "c", ...disk]);
  assert(code !== 0);
  assertStringIncludes(stderr, "Operation not permitted");
  await ok(box, "pause", "c");
  assertStringIncludes(await ok(box, "state", "c"), '"status": "paused"');
  await ok(box, "delete", "--force", "c");
  assertEquals((await show("paddock-c.scope", "LoadState"))["LoadState"], "not-found");
});

test("what cannot be is said, and neither a unit nor a container is left", async (box) => {
  const refused = async (changes: Changes, text: string, ...under: readonly string[]): Promise<void> => {
    await expectNoLeaks(box.paddock, async () => {
      const bundle = makeBundle(box, "bad", changes);
      const { code, stderr } = await box.paddock.run(
        ["create", "--cgroup-manager", "systemd", "--bundle", bundle, "bad"],
        { under },
      );
      assertEquals([code === 0, stderr.includes(text)], [false, true], stderr);
    });
  };
  await refused({ cgroupsPath: "/box/web" }, 'to be of format "slice:prefix:name" for systemd cgroups');
  await refused({ annotations: { "org.systemd.property.Nonsense": "true" } }, "Nonsense");
  await refused({ args: ["/nowhere"], cgroupsPath: "system.slice:box:bad" }, "/nowhere");
  assertEquals((await show("box-bad.scope", "LoadState"))["LoadState"], "not-found");
  const hidden = "mount --bind /dev/null /run/systemd/private && mount --bind /dev/null /run/dbus/system_bus_socket";
  await refused({}, "systemd is not reached", "unshare", "--mount", "sh", "-c", `${hidden} && exec "$0" "$@"`);
}, ANY_LAYOUT);

test("podman, whose cgroup manager is systemd: run, exec, pause, update and stop", async (box) => {
  await using podman = await startPodman(box, "paddock", "systemd");
  const said = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await podman(...words);
    assertEquals(code, 0, `podman ${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const limits = ["--memory=64m", "--pids-limit=77", "--network=none"];
  const id = await said("run", "-d", "--name=c", ...limits, IMAGE, "sleep", "4500");
  const unit = `libpod-${id}.scope`;
  const run = await show(unit, "Slice", "ActiveState", "MemoryMax", "TasksMax");
  assertEquals([run["Slice"], run["ActiveState"]], ["machine.slice", "active"]);
  assertEquals([run["MemoryMax"], run["TasksMax"]], [String(64 << 20), "77"]);
  const files = ["memory.max", "pids.max"].map((name) => `/sys/fs/cgroup/${name}`);
  assertEquals(await said("exec", "c", "cat", ...files), `${64 << 20}\n77`);
  await said("update", "--memory=48m", "c");
  assertEquals((await show(unit, "MemoryMax"))["MemoryMax"], String(48 << 20));
  assertEquals(await said("exec", "c", "cat", ...files), `${48 << 20}\n77`);
  const status = () => said("inspect", "--format={{.State.Status}} {{.State.ExitCode}}", "c");
  await said("pause", "c");
  assertEquals(await status(), "paused 0");
  await said("unpause", "c");
  await said("stop", "--time=0", "c");
  assertEquals(await status(), "exited 137");
  assertEquals((await show(unit, "LoadState"))["LoadState"], "not-found");
}, [...ANY_LAYOUT, "tool:podman"]);

test("a unit of that name which is another's is left alone", async (box) => {
  const cgroupsPath = "system.slice:box:taken";
  await create(box, "first", makeBundle(box, "first", { cgroupsPath }));
  const second = makeBundle(box, "second", { cgroupsPath });
  const { code, stderr } = await box.paddock.run(["create", "--systemd-cgroup", "--bundle", second, "second"]);
  assert(code !== 0);
  assertStringIncludes(stderr, "systemd has a unit box-taken.scope already");
  assertStringIncludes(await ok(box, "state", "first"), '"status": "created"');
  await ok(box, "delete", "first");
  // By the bus, where systemd's own socket is not reached.
  const words = box.paddock.command(["create", "--systemd-cgroup", "--bundle", second, "second"]);
  const hidden = 'mount --bind /dev/null /run/systemd/private && exec "$0" "$@"';
  await quietly(box, ["unshare", "--mount", "sh", "-c", hidden, ...words]);
  assertEquals((await show("box-taken.scope", "ActiveState"))["ActiveState"], "active");
  await ok(box, "delete", "second");
}, ANY_LAYOUT);

function readOr(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
