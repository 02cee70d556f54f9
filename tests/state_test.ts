import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../lib/base/errors.ts";
import {
  adoptContainer,
  createContainer,
  inheritContainer,
  listContainers,
  openContainer,
  type OwnedContainer,
  seeContainer,
} from "../lib/state/container.ts";
import { dataDirectoryOf, makeDataDirectory, readOwner } from "../lib/state/data_directory.ts";
import type { ContainerRecord } from "../lib/state/record.ts";
import { ensurePrivateDirectory, findFault, type Roots } from "../lib/state/root.ts";

const WORKER = new URL("./state_worker.ts", import.meta.url).pathname;

function withRoots(body: (roots: Roots) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const base = Deno.makeTempDirSync({ prefix: "paddock-state-" });
    try {
      await body({ root: `${base}/run`, dataRoot: `${base}/data` });
    } finally {
      Deno.removeSync(base, { recursive: true });
    }
  };
}

function recordOf(id: string, more: Partial<ContainerRecord> = {}): ContainerRecord {
  return { id, created: "2026-01-01T00:00:00Z", image: "i", command: ["c"], cgroupPaths: [], keep: false, ...more };
}

interface Worker {
  readonly said: string;
  kill(): Promise<void>;
}

/** Starts a worker and waits for its first line. */
async function startWorker(verb: string, roots: Roots, id: string): Promise<Worker> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", "--no-check", WORKER, verb, roots.root, roots.dataRoot, id],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  return {
    said: new TextDecoder().decode(value).trim(),
    kill: async () => {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      await child.stdin.abort();
    },
  };
}

Deno.test(
  "createContainer makes a private directory whose lock is held",
  withRoots((roots) => {
    using container = createContainer(roots, "web");
    assertEquals(Deno.statSync(roots.root).mode! & 0o777, 0o700);
    assertEquals(Deno.statSync(container.directory).mode! & 0o777, 0o700);
    assertEquals(seeContainer(roots, "web")?.status, "creating");
    container.writeRecord(recordOf("web"));
    assertEquals(seeContainer(roots, "web")?.status, "running");
    assertEquals(Deno.statSync(`${container.directory}/state.json`).mode! & 0o777, 0o600);
    assertEquals(adoptContainer(roots, "web"), "held");
  }),
);

Deno.test(
  "a container is over the moment its lock is free, and stopped once its end is known",
  withRoots((roots) => {
    const container = createContainer(roots, undefined);
    container.writeRecord(recordOf(container.id));
    container.lock.release();
    container.lock.release();
    assertEquals(seeContainer(roots, container.id)?.status, "dead");
    using again = adoptContainer(roots, container.id) as OwnedContainer;
    again.writeRecord(recordOf(container.id, { exit: { code: 3, oom: false, at: "2026-01-01T00:00:01Z" } }));
    again.lock.release();
    assertEquals(seeContainer(roots, container.id)?.status, "stopped");
  }),
);

Deno.test(
  "inheritContainer takes the lock by its descriptor, and no other descriptor for it",
  withRoots((roots) => {
    const container = createContainer(roots, "web");
    const other = createContainer(roots, "other");
    assertThrows(() => inheritContainer(roots.root, "web", other.lock.fd), PaddockError, "is not the lock");
    assertThrows(() => inheritContainer(roots.root, "none", container.lock.fd), PaddockError, "is not the lock");
    assertThrows(() => inheritContainer(roots.root, "web", 999), PaddockError, "is not the lock");
    inheritContainer(roots.root, "web", container.lock.fd).remove();
    assertEquals(seeContainer(roots, "web"), undefined);
    other.remove();
  }),
);

Deno.test(
  "createContainer refuses a name that is taken, until its container is removed",
  withRoots((roots) => {
    const first = createContainer(roots, "web");
    assertThrows(() => createContainer(roots, "web"), PaddockError, "is creating");
    first.writeRecord(recordOf("web"));
    assertThrows(() => createContainer(roots, "web"), PaddockError, "is running");
    first.lock.release();
    const error = assertThrows(() => createContainer(roots, "web"), PaddockError, "is dead");
    assertEquals(error.hint, "remove it: paddock rm web");
    (adoptContainer(roots, "web") as OwnedContainer).remove();
    using second = createContainer(roots, "web");
    assertEquals(seeContainer(roots, "web")?.status, "creating");
    second.remove();
    assertEquals(seeContainer(roots, "web"), undefined);
    assertEquals([...Deno.readDirSync(roots.root)], []);
  }),
);

Deno.test(
  "createContainer refuses names that would leave the state root",
  withRoots((roots) => {
    for (const name of ["..", ".", "", "a/b", "-x", ".hidden", "a\nb", "x".repeat(129)]) {
      assertThrows(() => createContainer(roots, name), PaddockError, "is no name");
    }
    createContainer(roots, "x".repeat(128)).remove();
  }),
);

Deno.test(
  "openContainer finds by id, by name and by the beginning of an id",
  withRoots((roots) => {
    const all = ["abc1", "abd2", "web"].map((id) => createContainer(roots, id));
    all[0]!.writeRecord(recordOf("abc1", { name: "db" }));
    assertEquals(openContainer(roots, "web").id, "web");
    assertEquals(openContainer(roots, "db").id, "abc1");
    assertEquals(openContainer(roots, "abd").id, "abd2");
    assertThrows(() => openContainer(roots, "ab"), PaddockError, "abc1, abd2");
    assertThrows(() => openContainer(roots, "zzz"), PaddockError, "no container 'zzz'");
    assertThrows(() => openContainer(roots, ""), PaddockError, "no container");
    assertThrows(() => openContainer(roots, "../abc1"), PaddockError, "no container");
    all.forEach((container) => container.lock.release());
  }),
);

Deno.test(
  "a state root that others could have prepared is refused",
  withRoots((roots) => {
    Deno.mkdirSync(roots.root);
    Deno.chmodSync(roots.root, 0o777);
    assertThrows(() => createContainer(roots, "web"), PaddockError, "others may write into it (mode 777)");
    Deno.removeSync(roots.root);
    Deno.symlinkSync("/tmp", roots.root);
    assertThrows(() => ensurePrivateDirectory(roots.root), PaddockError, "it is not a directory");
    assertEquals(findFault({ mode: 0o40700, uid: 1000 }, 0), "it belongs to user 1000");
    assertEquals(findFault({ mode: 0o40755, uid: 0 }, 0), undefined);
  }),
);

Deno.test(
  "a kept container keeps its name when /run is emptied by a boot",
  withRoots((roots) => {
    const container = createContainer(roots, "web");
    const dataDir = makeDataDirectory(roots.dataRoot, "web", container.directory);
    assertEquals(readOwner(dataDir), container.directory);
    container.writeRecord(recordOf("web", { name: "web", keep: true, dataDir }));
    container.lock.release();
    Deno.removeSync(roots.root, { recursive: true });
    assertEquals(listContainers(roots).map(({ id, status }) => [id, status]), [["web", "dead"]]);
    assertThrows(() => createContainer(roots, "web"), PaddockError, "is taken");
    assertThrows(() => makeDataDirectory(roots.dataRoot, "web", "/x"), PaddockError, "exists");
  }),
);

Deno.test(
  "a data directory without a kept record is no container",
  withRoots((roots) => {
    Deno.mkdirSync(dataDirectoryOf(roots.dataRoot, "left"), { recursive: true });
    assertEquals(listContainers(roots), []);
  }),
);

Deno.test(
  "listContainers lives with directories that hold nothing, half a file, or something else",
  withRoots((roots) => {
    createContainer(roots, "half").lock.release();
    Deno.writeTextFileSync(`${roots.root}/half/.state.json`, '{"id":"ha');
    Deno.mkdirSync(`${roots.root}/empty`);
    Deno.writeTextFileSync(`${roots.root}/file`, "");
    const seen = listContainers(roots);
    assertEquals(seen.filter(({ id }) => id !== "file").map(({ id, status }) => [id, status]), [
      ["empty", "dead"],
      ["half", "dead"],
    ]);
    (adoptContainer(roots, "half") as OwnedContainer).remove();
    assertEquals(seeContainer(roots, "half"), undefined);
  }),
);

Deno.test(
  "of many processes that want the same name exactly one gets it",
  withRoots(async (roots) => {
    const workers = await Promise.all(Array.from({ length: 4 }, () => startWorker("create", roots, "web")));
    assertEquals(workers.map(({ said }) => said).sort(), ["made", "refused", "refused", "refused"]);
    await Promise.all(workers.map((worker) => worker.kill()));
    assertEquals(seeContainer(roots, "web")?.status, "dead");
  }),
);

Deno.test(
  "a reader sees whole records only while a writer works and after it is killed at any moment",
  withRoots(async (roots) => {
    const worker = await startWorker("churn", roots, "web");
    // The worker speaks just before its first record.
    while (seeContainer(roots, "web")?.status === "creating");
    for (let look = 0; look < 300; look++) assertEquals(seeContainer(roots, "web")?.status, "running");
    await worker.kill();
    assertEquals(seeContainer(roots, "web")?.status, "dead");
    assertEquals(seeContainer(roots, "web")?.record?.id, "web");
  }),
);

Deno.test(
  "the lock lives on in a process that inherited it",
  withRoots(async (roots) => {
    const container = createContainer(roots, "web");
    container.writeRecord(recordOf("web"));
    const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
    container.lock.release();
    assertEquals(seeContainer(roots, "web")?.status, "running");
    child.kill("SIGKILL");
    await child.status;
    assertEquals(seeContainer(roots, "web")?.status, "dead");
  }),
);
