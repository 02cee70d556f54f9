/**
 * Cgroups of this host, whatever its layout: as planned, made, entered, killed and removed. Needs root; everything is
 * made below `paddock-test-PID` in each hierarchy.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { PaddockError } from "../lib/base/errors.ts";
import type { CgroupActs } from "../lib/cgroup/acts.ts";
import { planCgroup } from "../lib/cgroup/plan.ts";
import { readDeath, readUsage } from "../lib/cgroup/read.ts";
import { probeHost } from "../lib/host/probe.ts";
import {
  killCgroups,
  listContainerCgroups,
  listProcesses,
  readControl,
  removeCgroups,
  removeEmptyParents,
  writeControl,
} from "../lib/kernel/cgroup.ts";
import type { Act } from "../lib/program/step.ts";
import type { Resources } from "../lib/spec/config.ts";

const ignore = Deno.build.os !== "linux" || Deno.uid() !== 0;
const PARENT = `/paddock-test-${Deno.pid}`;

/** Plans a cgroup of this host and makes it by the shell commands that `explain` would print. */
function makeCgroup(name: string, resources: Resources): CgroupActs {
  const acts = planCgroup({ name: `paddock/${name}`, parent: PARENT, resources }, probeHost());
  runShell(acts.create.filter(isRequired));
  return acts;
}

/** Wished-for controllers may be refused, and a device program has no shell command. */
function isRequired({ shell, steps }: Act): boolean {
  return !shell.some((line) => line.startsWith("#")) && !steps.every(({ onNegative }) => onNegative === "end");
}

function runShell(acts: readonly Act[]): void {
  for (const line of acts.flatMap(({ shell }) => shell)) {
    const { success, stderr } = new Deno.Command("sh", { args: ["-c", line] }).outputSync();
    assert(success, `${line}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** Starts a shell that enters the cgroups and then runs a script. */
function spawnIn(acts: CgroupActs, script: string): Deno.ChildProcess {
  const enter = acts.join.flatMap(({ shell }) => shell).join(" && ");
  return new Deno.Command("sh", { args: ["-c", `${enter} && ${script}`], stdout: "null", stderr: "null" }).spawn();
}

async function waitUntil(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert(tries < 500, "waited in vain");
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Every mount point of a hierarchy that the acts use. */
function mountsOf(acts: CgroupActs): string[] {
  return acts.paths.map((path) => path.slice(0, path.indexOf(PARENT)));
}

async function cleanUp(acts: CgroupActs): Promise<void> {
  await removeCgroups(acts.paths);
  const parents = mountsOf(acts).map((mount) => `${mount}${PARENT}`);
  removeEmptyParents(parents);
  for (const parent of parents) Deno.removeSync(parent);
}

Deno.test({
  name: "planCgroup's commands make cgroups here that hold what was asked, and nothing of them is left",
  ignore,
  async fn(): Promise<void> {
    const limit = 64 * 1024 * 1024;
    const acts = makeCgroup("limits", {
      memory: { limit },
      cpu: { quota: 50_000, period: 100_000, shares: 512, cpus: "0", mems: "0" },
      pids: { limit: 20 },
    });
    try {
      assertEquals(readDeath(acts.paths, readControl), { oomKills: 0, peakMemory: 0, limit });
      const quotas = acts.paths.map((path) =>
        readControl(`${path}/cpu.max`) ?? readControl(`${path}/cpu.cfs_quota_us`) ?? ""
      );
      assert(quotas.some((text) => text.startsWith("50000")), `quotas ${quotas}`);
      const cpus = acts.paths.map((path) => readControl(`${path}/cpuset.cpus`)?.trim());
      assert(cpus.includes("0"), `cpus ${cpus}`);
      const child = spawnIn(acts, "exec sleep 60");
      await waitUntil(() => listProcesses(acts.paths).length === 1);
      assertEquals(listProcesses(acts.paths), [child.pid]);
      assertEquals(readUsage(acts.paths, readControl).pids, 1);
      for (const path of acts.paths) assertEquals(readControl(`${path}/cgroup.procs`), `${child.pid}\n`);
      killCgroups(acts.paths);
      assertEquals((await child.status).signal, "SIGKILL");
    } finally {
      await cleanUp(acts);
    }
    for (const path of acts.paths) assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
  },
});

Deno.test({
  name: "readDeath tells of an OOM kill, and of the peak",
  ignore,
  async fn(): Promise<void> {
    const limit = 16 * 1024 * 1024;
    const acts = makeCgroup("oom", { memory: { limit, swap: limit } });
    try {
      const child = spawnIn(acts, "exec tail /dev/zero");
      assertEquals((await child.status).signal, "SIGKILL");
      const death = readDeath(acts.paths, readControl);
      assert(death.oomKills >= 1, `OOM kills ${death.oomKills}`);
      assert(death.peakMemory === undefined || death.peakMemory > limit / 2, `peak ${death.peakMemory}`);
    } finally {
      await cleanUp(acts);
    }
  },
});

Deno.test({
  name: "removeCgroups kills what is frozen, in sub-cgroups, and starts processes without end",
  ignore,
  async fn(): Promise<void> {
    const acts = makeCgroup("stubborn", { pids: { limit: 50 } });
    const first = acts.paths[0]!;
    try {
      const child = spawnIn(acts, "trap '' TERM INT HUP; while :; do sleep 0.05 & sleep 0.01; done");
      const other = spawnIn(acts, "exec sleep 60");
      await waitUntil(() => listProcesses(acts.paths).length > 3);
      for (const path of acts.paths) {
        Deno.mkdirSync(`${path}/inner`);
        Deno.mkdirSync(`${path}/inner/most`);
      }
      for (const path of acts.paths) {
        if (
          readControl(`${path}/cpuset.cpus`) === undefined && readControl(`${path}/cgroup.controllers`) === undefined
        ) {
          assert(writeControl(`${path}/inner/most/cgroup.procs`, String(other.pid)));
        }
        writeControl(`${path}/freezer.state`, "FROZEN");
        writeControl(`${path}/cgroup.freeze`, "1");
      }
      await removeCgroups(acts.paths);
      assertEquals((await child.status).signal, "SIGKILL");
      assertEquals((await other.status).signal, "SIGKILL");
      assertThrows(() => Deno.lstatSync(first), Deno.errors.NotFound);
    } finally {
      await cleanUp(acts);
    }
  },
});

Deno.test({
  name: "removeCgroups refuses a mount point, what is no cgroup, and the cgroup that it runs in",
  ignore,
  async fn(): Promise<void> {
    const acts = makeCgroup("own", {});
    try {
      for (const path of [...mountsOf(acts), "/tmp", `${acts.paths[0]}/..`]) {
        await assertRejects(() => removeCgroups([path], 0), PaddockError, "left alone");
      }
      const script = `
        import { removeCgroups } from ${JSON.stringify(new URL("../lib/kernel/cgroup.ts", import.meta.url).href)};
        const error = await removeCgroups(${JSON.stringify(acts.paths)}).catch((error) => error);
        console.log(error.message);`;
      const file = Deno.makeTempFileSync({ suffix: ".ts" });
      Deno.writeTextFileSync(file, script);
      const enter = acts.join.flatMap(({ shell }) => shell).join(" && ");
      const run = `${enter} && exec ${Deno.execPath()} run -A --no-lock ${file}`;
      const { stdout } = await new Deno.Command("sh", { args: ["-c", run] }).output();
      Deno.removeSync(file);
      assertStringIncludes(new TextDecoder().decode(stdout), "this process is itself in the cgroup");
    } finally {
      await cleanUp(acts);
    }
  },
});

Deno.test({
  name: "listContainerCgroups finds what is below paddock in each hierarchy",
  ignore,
  async fn(): Promise<void> {
    const acts = makeCgroup("found", {});
    try {
      const parents = mountsOf(acts).map((mount) => `${mount}${PARENT}`);
      assertEquals(listContainerCgroups(parents).map(({ path }) => path).sort(), [...acts.paths].sort());
      assertEquals(new Set(listContainerCgroups(parents).map(({ id }) => id)), new Set(["found"]));
    } finally {
      await cleanUp(acts);
    }
  },
});
