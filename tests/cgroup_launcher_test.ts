/**
 * Cgroup acts compiled into a launcher and run: the very steps that a container's start makes, on this host's own
 * hierarchies. Needs root; everything is made below `paddock-test-PID` in each.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PaddockError } from "../lib/base/errors.ts";
import type { CgroupActs } from "../lib/cgroup/acts.ts";
import { planCgroup } from "../lib/cgroup/plan.ts";
import { readDeath } from "../lib/cgroup/read.ts";
import type { Facts } from "../lib/host/facts.ts";
import { probeHost } from "../lib/host/probe.ts";
import { listProcesses, readControl, removeCgroups, removeEmptyParents } from "../lib/kernel/cgroup.ts";
import { assemble } from "../lib/program/assemble.ts";
import { type Act, type Block, type Step, step, text } from "../lib/program/step.ts";
import type { Resources } from "../lib/spec/config.ts";

const ignore = Deno.build.os !== "linux" || Deno.uid() !== 0;
const PARENT = `/paddock-test-${Deno.pid}`;
const FAULT = 99;
const LEFTOVERS = 98;

function plan(name: string, resources: Resources, facts: Facts = probeHost()): CgroupActs {
  return planCgroup({ name: `paddock/${name}`, parent: PARENT, resources }, facts);
}

/** This host as if it had no devices controller of v1: the device program has to do its work. */
function withoutDevicesController(): Facts {
  const facts = probeHost();
  const { devices: _, ...controllers } = facts.cgroup.controllers;
  return { ...facts, cgroup: { ...facts.cgroup, controllers } };
}

function exec(script: string): Step {
  const words = ["/bin/sh", "-c", script];
  const argv: Block = {
    size: 8 * (words.length + 1),
    fields: words.map((word, index) => ({ at: 8 * index, size: 8, value: text(word) })),
  };
  return step("execve", [text(words[0]!), { block: argv }, 0]);
}

function act(what: string, ...steps: Step[]): Act {
  return { what, why: "", shell: [], steps };
}

/** Runs acts and last steps in one launcher; 99 is a fault, 98 a directory that could not be removed. */
function launch(acts: CgroupActs, run: readonly Act[], ...last: Step[]): { code: number; out: string } {
  const exit = (code: number, label: string): Act => act(label, step("exit_group", [code], { label }));
  const program = assemble({
    arch: Deno.build.arch,
    name: "cgroup-test",
    regions: acts.regions,
    cgroupPaths: acts.paths,
    sections: [{
      side: "launcher",
      title: "test",
      fault: "fault",
      acts: [...run, act("last", ...last), exit(0, "done"), exit(FAULT, "fault"), exit(LEFTOVERS, "leftovers")],
    }],
  });
  const file = Deno.makeTempFileSync({ prefix: "paddock-launcher-" });
  try {
    Deno.writeFileSync(file, program);
    Deno.chmodSync(file, 0o755);
    const { code, stdout, stderr } = new Deno.Command(file, { stdin: "null" }).outputSync();
    return { code, out: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    Deno.removeSync(file);
  }
}

async function cleanUp(acts: CgroupActs): Promise<void> {
  await removeCgroups(acts.paths);
  const parents = acts.paths.map((path) => `${path.slice(0, path.indexOf(PARENT))}${PARENT}`);
  removeEmptyParents(parents);
  for (const parent of parents) Deno.removeSync(parent);
}

Deno.test({
  name: "a launcher makes its cgroups, enters them and removes them, and a second one of the name is refused",
  ignore,
  async fn(): Promise<void> {
    const limit = 32 * 1024 * 1024;
    const acts = plan("life", { memory: { limit }, cpu: { quota: 50_000, cpus: "0" }, pids: { limit: 10 } });
    try {
      const { code, out } = launch(acts, [...acts.create, ...acts.join], exec("cat /proc/self/cgroup"));
      assertEquals(code, 0, out);
      const entered = out.trim().split("\n").filter((line) => line.endsWith(`:${PARENT}/paddock/life`));
      assertEquals(entered.length, acts.paths.length, out);
      assertEquals(readDeath(acts.paths, readControl).limit, limit);
      assertEquals(launch(acts, acts.create).code, FAULT);
      assertEquals(launch(acts, acts.remove).code, 0);
      assertEquals(launch(acts, acts.remove).code, LEFTOVERS);
      assertEquals(launch(acts, [...acts.create, ...acts.remove]).code, 0);
    } finally {
      await cleanUp(acts);
    }
  },
});

for (const [how, read] of [["as here", probeHost], ["by a program", withoutDevicesController]] as const) {
  const facts = ignore ? undefined : read();
  Deno.test({
    name: `a launcher's cgroups refuse a device that no rule allows, and allow /dev/null: ${how}`,
    ignore: facts === undefined || !plan("probe", {}, facts).confinesDevices,
    fn: () => checkDevices(facts!),
  });
}

async function checkDevices(facts: Facts): Promise<void> {
  const acts = plan("devices", {}, facts);
  // Not in a temporary directory, which may be mounted nodev.
  const node = Deno.makeTempDirSync({ dir: "/dev", prefix: "paddock-test-" });
  try {
    // 1:11 is /dev/kmsg, which every host has and no container may read.
    const script = `mknod ${node}/kmsg c 1 11 && echo made; echo null > /dev/null && echo written; ` +
      `exec 3< ${node}/kmsg && echo opened; exit 0`;
    const { code, out } = launch(acts, [...acts.create, ...acts.join], exec(script));
    assertStringIncludes(out, "made");
    assertStringIncludes(out, "written");
    assert(!out.includes("opened"), out);
    assertStringIncludes(out, "Operation not permitted");
    assert(code !== FAULT);
    const outside = new Deno.Command("sh", { args: ["-c", `exec 3< ${node}/kmsg`], stderr: "null" }).outputSync();
    assert(outside.success, "outside of the cgroup it can be opened");
  } finally {
    Deno.removeSync(node, { recursive: true });
    await cleanUp(acts);
  }
}

Deno.test({
  name: "a launcher's freeze steps stop a process and its thaw steps let it go on",
  ignore,
  async fn(): Promise<void> {
    const acts = plan("freeze", {});
    assert(acts.freeze !== undefined && acts.thaw !== undefined);
    const isFrozen = (): boolean =>
      acts.paths.some((path) =>
        readControl(`${path}/freezer.state`)?.trim() === "FROZEN" ||
        readControl(`${path}/cgroup.events`)?.includes("frozen 1") === true
      );
    try {
      const sleeping = [...acts.create, ...acts.join];
      assertEquals(launch(acts, sleeping, exec("sleep 60 > /dev/null 2>&1 & exit 0")).code, 0);
      assertEquals(listProcesses(acts.paths).length, 1);
      assertEquals(launch(acts, [act("freeze", ...acts.freeze)]).code, 0);
      for (let tries = 0; !isFrozen() && tries < 100; tries++) await new Promise((done) => setTimeout(done, 10));
      assert(isFrozen());
      assertEquals(launch(acts, [act("thaw", ...acts.thaw)]).code, 0);
      for (let tries = 0; isFrozen() && tries < 100; tries++) await new Promise((done) => setTimeout(done, 10));
      assert(!isFrozen());
    } finally {
      await cleanUp(acts);
    }
  },
});

/** One limit each, and a file with what must stand in it afterwards. */
function listLimits(): readonly (readonly [Resources, string, string])[] {
  const limit = 64 * 1024 * 1024;
  const disk = findDisk();
  const throttled = disk === undefined ? [] : [
    [{ throttleReadBpsDevice: [{ ...disk, rate: 1048576 }] }, "blkio.throttle.read_bps_device", "io.max"],
    [{ throttleWriteIOPSDevice: [{ ...disk, rate: 100 }] }, "blkio.throttle.write_iops_device", "io.max"],
  ] as const;
  return [
    [{ memory: { limit, swap: limit } }, "memory.memsw.limit_in_bytes|memory.swap.max", `${limit}|0`],
    [{ memory: { limit, swap: 2 * limit } }, "memory.memsw.limit_in_bytes|memory.swap.max", `${2 * limit}|${limit}`],
    [{ memory: { reservation: limit } }, "memory.soft_limit_in_bytes|memory.low", `${limit}`],
    [{ memory: { swappiness: 7 } }, "memory.swappiness", "7"],
    [{ cpu: { shares: 512 } }, "cpu.shares|cpu.weight", "512|59"],
    [{ cpu: { quota: 150_000 } }, "cpu.cfs_quota_us|cpu.max", "150000|150000 100000"],
    [{ cpu: { quota: 20_000, period: 50_000 } }, "cpu.cfs_period_us|cpu.max", "50000|20000 50000"],
    [{ cpu: { cpus: "0", mems: "0" } }, "cpuset.cpus", "0"],
    [{ pids: { limit: 7 } }, "pids.max", "7"],
    [
      { hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }] },
      "hugetlb.2MB.limit_in_bytes|hugetlb.2MB.max",
      "4194304",
    ],
    [{ unified: { "memory.high": `${limit}` } }, "memory.high", `${limit}`],
    [{ unified: { "memory.oom.group": "1" } }, "memory.oom.group", "1"],
    ...throttled.map(([blockIO, old, current]) =>
      [{ blockIO }, `${old}|${current}`, `${disk!.major}:${disk!.minor}`] as const
    ),
  ];
}

/** A whole disk of this machine, by its numbers. */
function findDisk(): { readonly major: number; readonly minor: number } | undefined {
  for (const { name } of Deno.readDirSync("/sys/block")) {
    const numbers = /^(?:vd|sd|nvme|xvd)/.test(name) ? readControl(`/sys/block/${name}/dev`) : undefined;
    if (numbers === undefined) continue;
    const [major, minor] = numbers.split(":").map(Number);
    return { major: major!, minor: minor! };
  }
  return undefined;
}

Deno.test({
  name: "a launcher sets every limit that this host has a controller for, and the kernel shows it",
  ignore,
  async fn(): Promise<void> {
    const facts = probeHost();
    let held = 0;
    for (const [resources, files, values] of listLimits()) {
      let acts: CgroupActs;
      try {
        acts = plan("limit", resources, facts);
      } catch (error) {
        assert(error instanceof PaddockError, `${error}`);
        continue;
      }
      try {
        const label = JSON.stringify(resources);
        assertEquals(launch(acts, acts.create).code, 0, label);
        const texts = acts.paths.flatMap((path) =>
          files.split("|").flatMap((file) => readControl(`${path}/${file}`)?.trim() ?? [])
        );
        const wanted = values.split("|");
        assert(texts.some((text) => wanted.some((value) => text.startsWith(value))), `${label}: ${texts}`);
        held++;
      } finally {
        await cleanUp(acts);
      }
    }
    assert(held >= 6, `only ${held} limits could be asked for`);
  },
});
