/**
 * What dead containers leave is found and removed, and nothing else. Needs root and at least one cgroup hierarchy.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { PaddockError } from "../lib/base/errors.ts";
import { makeId } from "../lib/base/names.ts";
import { probeHost } from "../lib/host/probe.ts";
import { collectGarbage, type GcReport, quickGc } from "../lib/runtime/gc.ts";
import { listContainers } from "../lib/runtime/ps.ts";
import { removeContainer } from "../lib/runtime/rm.ts";
import type { Voice } from "../lib/runtime/voice.ts";
import { createContainer, type OwnedContainer, seeContainer } from "../lib/state/container.ts";
import { makeDataDirectory } from "../lib/state/data_directory.ts";
import type { ContainerRecord } from "../lib/state/record.ts";
import type { Roots } from "../lib/state/root.ts";

const FACTS = probeHost();

const SILENT: Voice = { note: () => {}, warn: () => {}, progress: () => ({ update: () => {}, done: () => {} }) };

/** A hierarchy in which groups can be made. */
const HIERARCHY = FACTS.cgroup.controllers["pids"]?.mount ?? FACTS.cgroup.unified?.mount;

function withRoots(body: (roots: Roots, id: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const base = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-test-" });
    const id = `test-${makeId()}`;
    try {
      await body({ root: `${base}/run`, dataRoot: `${base}/data` }, id);
    } finally {
      removeCgroupsOf(id);
      Deno.removeSync(base, { recursive: true });
    }
  };
}

/** A container with a record, data and a cgroup, as `run` makes it. */
function makeContainer(roots: Roots, id: string, more: Partial<ContainerRecord> = {}): OwnedContainer {
  const container = createContainer(roots, id);
  const dataDir = makeDataDirectory(roots.dataRoot, id, container.directory);
  Deno.mkdirSync(`${dataDir}/work/work`, { recursive: true });
  Deno.mkdirSync(`${dataDir}/upper`);
  Deno.writeTextFileSync(`${dataDir}/upper/file`, "x");
  container.writeRecord({
    id,
    created: new Date().toISOString(),
    image: "i",
    command: ["sleep", "60"],
    dataDir,
    cgroupPaths: [makeCgroup(id)],
    keep: false,
    ...more,
  });
  return container;
}

/** What is left of containers; the journal of events is a file, and stays. */
function listDirectories(...parents: readonly string[]): string[] {
  return parents.flatMap((parent) => [...Deno.readDirSync(parent)])
    .filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
}

/** Those that a test which failed has left. */
function removeCgroupsOf(id: string): void {
  const top = `${HIERARCHY}/paddock`;
  for (const { name } of isThere(top) ? Deno.readDirSync(top) : []) {
    if (name.startsWith(id)) Deno.removeSync(`${top}/${name}`);
  }
}

function makeCgroup(id: string): string {
  const path = `${HIERARCHY}/paddock/${id}`;
  Deno.mkdirSync(path, { recursive: true });
  return path;
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What was found of these roots: other tests' cgroups may be about. */
function kinds({ leftovers }: GcReport): string[] {
  return leftovers.filter(({ kind }) => kind !== "cgroup").map(({ kind }) => kind);
}

Deno.test(
  "collectGarbage removes a dead container with its cgroup and its data, and finds nothing after",
  withRoots(async (roots, id) => {
    makeContainer(roots, id).lock.release();
    const seen = await collectGarbage(roots, { dryRun: true, facts: FACTS });
    assertEquals(kinds(seen), ["container"]);
    assertEquals(seen.leftovers.find(({ what }) => what === id)?.why, "its launcher is gone");
    assertEquals(seeContainer(roots, id)?.status, "dead");
    const done = await collectGarbage(roots, { facts: FACTS });
    assertEquals(done.leftovers.flatMap(({ problems }) => problems), []);
    assert(!isThere(`${HIERARCHY}/paddock/${id}`));
    assertEquals(listDirectories(roots.root, `${roots.dataRoot}/containers`), []);
    assertEquals(kinds(await collectGarbage(roots, { facts: FACTS })), []);
  }),
);

Deno.test(
  "collectGarbage and quickGc leave living and kept containers alone",
  withRoots(async (roots, id) => {
    using living = makeContainer(roots, id);
    makeContainer(roots, `${id}-kept`, { keep: true, name: `${id}-kept`, cgroupPaths: [] }).lock.release();
    assertEquals(await quickGc(roots), []);
    assertEquals(kinds(await collectGarbage(roots, { facts: FACTS })), []);
    assert(isThere(`${HIERARCHY}/paddock/${id}`));
    assertEquals(listContainers(roots, { all: false }).map((seen) => seen.id), [id]);
    // Where both were made in one millisecond either may stand first.
    assertEquals(listContainers(roots, { all: true }).map((seen) => seen.id).sort(), [id, `${id}-kept`]);
    living.lock.release();
    assertEquals((await quickGc(roots)).map(({ what, problems }) => [what, problems]), [[id, []]]);
    Deno.removeSync(`${HIERARCHY}/paddock/${id}-kept`);
  }),
);

Deno.test(
  "quickGc removes what a container left that died before it wrote a record",
  withRoots(async (roots, id) => {
    const container = createContainer(roots, id);
    makeDataDirectory(roots.dataRoot, id, container.directory);
    makeCgroup(id);
    container.lock.release();
    Deno.mkdirSync(`${roots.root}/${id}-empty`);
    assertEquals((await quickGc(roots)).flatMap(({ problems }) => problems), []);
    assertEquals(listDirectories(roots.root, `${roots.dataRoot}/containers`), []);
    assert(!isThere(`${HIERARCHY}/paddock/${id}`));
  }),
);

Deno.test(
  "the first run after a power loss removes data whose state is gone, and keeps a kept container's",
  withRoots(async (roots, id) => {
    const lost = makeContainer(roots, id, { cgroupPaths: [] });
    const kept = makeContainer(roots, `${id}-kept`, { keep: true, cgroupPaths: [] });
    for (const { lock } of [lost, kept]) lock.release();
    Deno.removeSync(roots.root, { recursive: true });
    const old = new Date(Date.now() - 60_000);
    for (const name of [id, `${id}-kept`]) Deno.utimeSync(`${roots.dataRoot}/containers/${name}`, old, old);
    assertEquals((await quickGc(roots)).map(({ kind }) => kind), ["data"]);
    assertEquals([...Deno.readDirSync(`${roots.dataRoot}/containers`)].map(({ name }) => name), [`${id}-kept`]);
    for (const name of [id, `${id}-kept`]) Deno.removeSync(`${HIERARCHY}/paddock/${name}`);
  }),
);

Deno.test(
  "data that belong to a container of another state root are left alone",
  withRoots(async (roots, id) => {
    using living = makeContainer(roots, id);
    const other = { root: `${roots.root}-other`, dataRoot: roots.dataRoot };
    assertEquals(await quickGc(other), []);
    assertEquals(kinds(await collectGarbage(other, { facts: FACTS })), []);
    assert(isThere(`${roots.dataRoot}/containers/${id}/upper/file`));
    living.lock.release();
    await quickGc(roots);
  }),
);

Deno.test(
  "processes in a dead container's cgroup are killed, and those of a cgroup without any container",
  withRoots(async (roots, id) => {
    const start = (cgroup: string): Deno.ChildProcess =>
      new Deno.Command("sh", { args: ["-c", `echo $$ > ${cgroup}/cgroup.procs && exec sleep 600`], stdout: "null" })
        .spawn();
    const container = makeContainer(roots, id);
    const first = start(`${HIERARCHY}/paddock/${id}`);
    const second = start(makeCgroup(`${id}-orphan`));
    const lostAt = (name: string): boolean =>
      Deno.readTextFileSync(`${HIERARCHY}/paddock/${name}/cgroup.procs`).trim() !== "";
    while (!lostAt(id) || !lostAt(`${id}-orphan`)) await new Promise((resolve) => setTimeout(resolve, 10));
    // sleep inherited the lock as a launcher does; it has to be dead for the lock to be free.
    container.lock.release();
    first.kill("SIGKILL");
    await first.status;
    const report = await collectGarbage(roots, { facts: FACTS });
    assertEquals(report.leftovers.flatMap(({ problems }) => problems), []);
    assertEquals((await second.status).signal, "SIGKILL");
    assert(!isThere(`${HIERARCHY}/paddock/${id}-orphan`));
  }),
);

Deno.test(
  "data with something mounted in it are unmounted before they are removed",
  withRoots(async (roots, id) => {
    const container = makeContainer(roots, id);
    const precious = `${roots.dataRoot}/precious`;
    Deno.mkdirSync(precious);
    Deno.writeTextFileSync(`${precious}/file`, "x");
    const target = `${roots.dataRoot}/containers/${id}/upper/mnt`;
    Deno.mkdirSync(target);
    assert((await new Deno.Command("mount", { args: ["--bind", precious, target] }).output()).success);
    container.lock.release();
    assertEquals((await quickGc(roots)).flatMap(({ problems }) => problems), []);
    assert(isThere(`${precious}/file`));
    assert(!isThere(`${roots.dataRoot}/containers/${id}`));
  }),
);

Deno.test(
  "removeContainer removes a kept container with all that it wrote",
  withRoots(async (roots, id) => {
    makeContainer(roots, id, { keep: true, name: id }).lock.release();
    await removeContainer(id, { force: false }, roots, SILENT);
    assertEquals(seeContainer(roots, id), undefined);
    assert(!isThere(`${roots.dataRoot}/containers/${id}`));
    await assertRejects(() => removeContainer(id, { force: true }, roots, SILENT), PaddockError, "no container");
  }),
);

Deno.test(
  "removeContainer refuses a running container, and ends it when forced",
  withRoots(async (roots, id) => {
    const container = makeContainer(roots, id, { keep: true, name: id });
    const script = `echo $$ > ${HIERARCHY}/paddock/${id}/cgroup.procs && exec sleep 600`;
    const child = new Deno.Command("sh", { args: ["-c", script] }).spawn();
    while (Deno.readTextFileSync(`${HIERARCHY}/paddock/${id}/cgroup.procs`).trim() === "") {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    container.lock.release();
    await assertRejects(() => removeContainer(id, { force: false }, roots, SILENT), PaddockError, "it is running");
    await removeContainer(id, { force: true }, roots, SILENT);
    assertEquals((await child.status).signal, "SIGKILL");
    assertEquals(seeContainer(roots, id), undefined);
    assert(!isThere(`${HIERARCHY}/paddock/${id}`));
  }),
);
