/**
 * Cgroup acts compiled into a launcher and run: the very steps that a container's start makes, on this host's own
 * hierarchies. Needs root; everything is made below `paddock-test-PID` in each.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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
  const node = Deno.makeTempDirSync({ dir: "/dev/shm" });
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
