/**
 * `update`: limits of containers that are there already, with runc beside it where both agree.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Box } from "./support/box.ts";
import { makeBundle, ok, quietly, runDetached } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, PADDOCK_COMMAND } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

const MIB = 1024 ** 2;

const RESOURCES = {
  memory: { limit: 64 * MIB, reservation: 32 * MIB },
  cpu: { shares: 100, quota: 500_000, period: 1_000_000 },
  pids: { limit: 20 },
};

/** Other tests may run at the same time, and cgroups are the host's. */
const ID = `update-${Deno.pid}`;

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `update: ${name}`,
    ...requires("root", "tool:busybox", "memory", "controller:cpu", "controller:cpuset", "controller:pids", ...more),
    fn: async () => {
      using box = await Box.make();
      try {
        await fn(box);
      } catch (error) {
        // Not in the way of the next: cgroups are the host's.
        await box.paddock.run(["delete", "--force", ID]);
        throw error;
      }
    },
  });
}

/** Control files by what they are about, in v1 and in v2. */
const FILES: Readonly<Record<string, readonly [file: string, controller: string]>> = {
  memory: ["memory.limit_in_bytes", "memory"],
  reservation: ["memory.soft_limit_in_bytes", "memory"],
  shares: ["cpu.shares", "cpu"],
  quota: ["cpu.cfs_quota_us", "cpu"],
  period: ["cpu.cfs_period_us", "cpu"],
  pids: ["pids.max", "pids"],
  cpus: ["cpuset.cpus", "cpuset"],
};

const FILES_V2: typeof FILES = {
  memory: ["memory.max", "memory"],
  reservation: ["memory.low", "memory"],
  weight: ["cpu.weight", "cpu"],
  quota: ["cpu.max", "cpu"],
  pids: ["pids.max", "pids"],
  cpus: ["cpuset.cpus", "cpuset"],
};

/** What the limits of a process are now, in the words of the kernel. */
function readLimits(pid: number): Record<string, string> {
  const memberships = readMemberships(pid);
  const mounts = Deno.readTextFileSync("/proc/mounts").trim().split("\n").map((line) => line.split(" "));
  const isV1 = hasV1();
  return Object.fromEntries(
    Object.entries(isV1 ? FILES : FILES_V2).map(([key, [file, controller]]) => {
      const own = memberships.find(([, names]) => isV1 ? names!.split(",").includes(controller) : names === "")!;
      const mount = mounts.find(([, , type, options]) =>
        isV1 ? type === "cgroup" && options!.split(",").includes(controller) : type === "cgroup2"
      )!;
      return [key, Deno.readTextFileSync(`${mount[1]}${own[2]}/${file}`).trim()];
    }),
  );
}

function readMemberships(pid: number | "self"): string[][] {
  return Deno.readTextFileSync(`/proc/${pid}/cgroup`).trim().split("\n").map((line) => line.split(":"));
}

/** True where memory is limited by v1. */
function hasV1(): boolean {
  return readMemberships("self").some(([, names]) => names!.split(",").includes("memory"));
}

/** Updates in turn, each of what the one before has left. */
const TURNS: readonly (readonly string[])[] = [
  ["--memory", "48m"],
  ["--memory-reservation", "16m", "--pids-limit", "10"],
  ["--pids-limit", "-1"],
  ["--cpu-share", "200"],
  ["--cpu-period", "900000", "--cpu-quota", "600000"],
  ["--cpu-quota", "300000"],
  ["--cpuset-cpus", "0"],
  ["--memory", "-1"],
  ["--memory", "67108864", "--memory-reservation", "33554432", "--cpu-share", "100"],
];

test("every flag arrives in its file, and what is not given stays", async (box) => {
  const pid = await runDetached(box, ID, { linux: { resources: RESOURCES } });
  const seen = [readLimits(pid)];
  for (const flags of TURNS) {
    await ok(box, "update", ...flags, ID);
    seen.push(readLimits(pid));
  }
  const memory = seen.map(({ memory }) => memory);
  assertEquals(memory.slice(0, 2), [String(64 * MIB), String(48 * MIB)]);
  assert(["max", "9223372036854771712"].includes(memory[8]!), memory[8]);
  assertEquals(seen.map(({ pids }) => pids).slice(0, 4), ["20", "20", "10", "max"]);
  assertEquals(seen[7]!["cpus"], "0");
  const kept = JSON.parse(Deno.readTextFileSync(join(box.paddock.root, ID, "config.json")));
  assertEquals(kept.linux.resources.cpu.quota, 300_000);
  assertEquals(kept.linux.resources.pids.limit, -1);
  await ok(box, "delete", "--force", ID);
});

/** Without the weight of v2: until 1.3.2 runc's map from shares to it was another. */
function withoutWeight({ weight: _, ...limits }: Record<string, string>): Record<string, string> {
  return limits;
}

test("the same updates leave the same limits as runc's", async (box) => {
  const pid = await runDetached(box, ID, { linux: { resources: RESOURCES } });
  const bundle = makeBundle(
    box,
    { linux: { resources: RESOURCES, cgroupsPath: `/paddock-update-${Deno.pid}/${ID}` } },
    "r",
  );
  const runc = (...words: string[]) => call(["runc", "--root", box.path("runc"), ...words]);
  const pidFile = box.path("runc-pid");
  try {
    const words = ["run", "-d", "--bundle", bundle, "--pid-file", pidFile, ID];
    const started = await call([
      "sh",
      "-c",
      'exec "$@" >"$0" 2>&1',
      box.path("out"),
      "runc",
      "--root",
      box.path("runc"),
      ...words,
    ]);
    assertEquals(started.code, 0, Deno.readTextFileSync(box.path("out")));
    const theirs = Number(Deno.readTextFileSync(pidFile));
    for (const flags of [[], ...TURNS]) {
      if (flags.length > 0) {
        await ok(box, "update", ...flags, ID);
        const { code, stderr } = await runc("update", ...flags, ID);
        assertEquals(code, 0, stderr);
      }
      assertEquals(withoutWeight(readLimits(pid)), withoutWeight(readLimits(theirs)), flags.join(" "));
    }
  } finally {
    await runc("delete", "--force", ID);
    for (const line of Deno.readTextFileSync("/proc/mounts").split("\n").filter((line) => / cgroup2? /.test(line))) {
      try {
        Deno.removeSync(`${line.split(" ")[1]}/paddock-update-${Deno.pid}`);
      } catch {
        // Not in this hierarchy.
      }
    }
  }
  await ok(box, "delete", "--force", ID);
}, ["host", "peer:runc"]);

test("limits come as JSON from a file or standard input, and flags beside them are not looked at", async (box) => {
  const pid = await runDetached(box, ID, { linux: { resources: RESOURCES } });
  const json = JSON.stringify({ memory: { limit: 40 * MIB }, cpu: { shares: 300 }, pids: { limit: 7 } });
  const { code, stderr } = await box.paddock.run(["update", "--resources", "-", "--pids-limit", "99", ID], {
    stdin: json,
  });
  assertEquals([code, stderr], [0, ""]);
  assertEquals([readLimits(pid)["memory"], readLimits(pid)["pids"]], [String(40 * MIB), "7"]);
  await ok(box, "update", "-r", box.file("r.json", JSON.stringify({ pids: { limit: 8 }, devices: [] })), ID);
  assertEquals(readLimits(pid)["pids"], "8");
  for (const [bad, words] of [["{", "JSON"], ['{"memory": {"limit": "x"}}', "linux.resources.memory.limit"]]) {
    const refused = await box.paddock.run(["update", "-r", "-", ID], { stdin: bad! });
    assert(refused.code !== 0);
    assertStringIncludes(refused.stderr, words!);
  }
  await ok(box, "delete", "--force", ID);
}, ["host"]);

test("where one limit is refused all stay as they were", async (box) => {
  const pid = await runDetached(box, ID, { linux: { resources: RESOURCES } });
  const before = readLimits(pid);
  const kept = Deno.readTextFileSync(join(box.paddock.root, ID, "config.json"));
  const { code, stderr } = await box.paddock.run(
    ["update", "--memory", "50m", "--pids-limit", "9", "--cpu-share", "333", "--cpuset-cpus", "4000", ID],
  );
  assertEquals(code, 125);
  assertStringIncludes(stderr, "run it on processors 4000 only");
  assertEquals(readLimits(pid), before);
  assertEquals(Deno.readTextFileSync(join(box.paddock.root, ID, "config.json")), kept);
  await ok(box, "delete", "--force", ID);
});

test("it is for containers that are there, and says what it ignores", async (box) => {
  const refused = async (text: string, ...words: string[]) => {
    const { code, stderr } = await box.paddock.run(["update", ...words]);
    assert(code !== 0);
    assertStringIncludes(stderr, text);
  };
  await refused("does not exist", "--memory", "5m", "nosuch");
  await quietly(box, ID, ["create", "--bundle", makeBundle(box, { args: ["true"] }), ID]);
  await refused("invalid value for memory: ", "--memory", "much", ID);
  await refused("invalid value for cpu-quota: ", "--cpu-quota", "1.5", ID);
  const { code, stderr } = await box.paddock.run(["update", "--kernel-memory", "5m", ID]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "kernel memory are ignored");
  await ok(box, "start", ID);
  while (JSON.parse(await ok(box, "state", ID)).status !== "stopped") {
    await new Promise((done) => setTimeout(done, 20));
  }
  await refused("container not running", "--pids-limit", "5", ID);
  await ok(box, "delete", ID);
}, ["host"]);

test("a container that is run in front can be updated as well, and leaves no cgroup", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const child = box.paddock.start(["run", "--bundle", makeBundle(box, { args: ["cat"] }), ID]);
    let pid = 0;
    while (pid === 0) {
      const { code, stdout } = await box.paddock.run(["state", ID]);
      if (code === 0 && JSON.parse(stdout).status === "running") pid = JSON.parse(stdout).pid;
    }
    await ok(box, "update", "--cpu-share", "77", "--cpuset-cpus", "0", "--blkio-weight", "0", ID);
    assertEquals(readLimits(pid)["cpus"], "0");
    await child.stdin.close();
    assertEquals((await child.output()).code, 0);
  });
}, ["host"]);

test("podman's update reaches the container", async (box) => {
  const runtime = box.file(
    "paddock",
    `#!/bin/sh\nexec ${PADDOCK_COMMAND.map((word) => `'${word}'`).join(" ")} "$@"\n`,
    0o755,
  );
  const base = ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--runtime", runtime];
  const roots = ["--root", box.path("p"), "--runroot", box.path("r")];
  const podman = (...words: readonly string[]) => call(["podman", ...base, ...roots, ...words]);
  const limits = ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000"];
  try {
    const started = await podman(
      "run",
      "-d",
      "--name",
      "u",
      "--network=none",
      ...limits,
      "--rootfs",
      box.rootfs,
      "sleep",
      "4400",
    );
    assertEquals(started.code, 0, started.stderr);
    const updated = await podman("update", "--memory", "60m", "--cpu-shares", "123", "u");
    assertEquals(updated.code, 0, updated.stderr);
    const limitsNow = readLimits(Number((await podman("inspect", "u", "--format", "{{.State.Pid}}")).stdout));
    assertEquals(limitsNow["memory"], String(60 * MIB));
    assertEquals([limitsNow["shares"], limitsNow["weight"]], hasV1() ? ["123", undefined] : [undefined, "20"]);
  } finally {
    await podman("rm", "--force", "--time", "0", "--all");
  }
}, ["host", "tool:podman"]);
