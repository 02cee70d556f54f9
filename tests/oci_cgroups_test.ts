/**
 * Cgroups of containers from bundles that are there already, and gc of others. What runc of today does.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeControl } from "../lib/kernel/cgroup.ts";
import { Box, waitFor } from "./support/box.ts";
import { makeBundle } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { Paddock } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";
import { Runtime } from "./support/runtime.ts";

/** Nobody else's. */
const ID = `cgroups-${Deno.pid}`;
const PATH = `/paddock-test-${Deno.pid}`;

function mountOf(controller: string): string {
  const lines = Deno.readTextFileSync("/proc/self/mounts").split("\n").map((line) => line.split(" "));
  const found = lines.find(([, , type, options = ""]) => type === "cgroup" && options.split(",").includes(controller));
  return found?.[1] ?? lines.find(([, , type]) => type === "cgroup2")![1]!;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function test(
  name: string,
  fn: (runtime: Runtime, box: Box) => Promise<void>,
  runtimes = ["paddock"],
  more: readonly Ability[] = [],
): void {
  for (const runtime of runtimes) {
    Deno.test({
      name: `oci cgroups: ${name}${runtime === "paddock" ? "" : ` (${runtime})`}`,
      ...requires(
        "root",
        "tool:busybox",
        "controller:pids",
        "controller:freezer",
        ...(runtime === "paddock" ? [] : ["host", `peer:${runtime}`] as const),
        ...more,
      ),
      fn: async () => {
        using box = await Box.make();
        await fn(new Runtime(box, runtime), box);
      },
    });
  }
}

test("an empty one is taken, and is gone with the container", async (runtime, box) => {
  const path = `${mountOf("pids")}${PATH}-a`;
  await expectNoLeaks(box.paddock, async () => {
    Deno.mkdirSync(path);
    const linux = { cgroupsPath: `${PATH}-a`, resources: { pids: { limit: 30 } } };
    await runtime.toFile(["create", "--bundle", makeBundle(box, { linux }), ID]);
    const { pid } = await runtime.state(ID);
    assertEquals(Deno.readTextFileSync(`${path}/cgroup.procs`), `${pid}\n`);
    assertEquals(Deno.readTextFileSync(`${path}/pids.max`), "30\n");
    await runtime.ok("delete", "--force", ID);
    assert(!exists(path), "it is removed");
  });
}, ["paddock", "runc"]);

test("one that somebody is in is refused, and they live on", async (runtime, box) => {
  const path = `${mountOf("pids")}${PATH}-b`;
  Deno.mkdirSync(path);
  const sleeper = new Deno.Command("sleep", { args: ["4403"] }).spawn();
  try {
    assert(writeControl(`${path}/cgroup.procs`, String(sleeper.pid)));
    const bundle = makeBundle(box, { linux: { cgroupsPath: `${PATH}-b`, resources: { pids: { limit: 30 } } } });
    await runtime.refused("container's cgroup is not empty: 1 process(es) found", "create", "--bundle", bundle, ID);
    await runtime.refused("does not exist", "state", ID);
    assertEquals(Deno.readTextFileSync(`${path}/cgroup.procs`), `${sleeper.pid}\n`);
  } finally {
    sleeper.kill("SIGKILL");
    await sleeper.status;
    await waitFor("its end", () => Deno.readTextFileSync(`${path}/cgroup.procs`) === "");
    Deno.removeSync(path);
  }
});

test("one that is frozen is refused", async (runtime, box) => {
  const path = `${mountOf("freezer")}${PATH}-c`;
  Deno.mkdirSync(path);
  try {
    assert(writeControl(`${path}/freezer.state`, "FROZEN") || writeControl(`${path}/cgroup.freeze`, "1"));
    const bundle = makeBundle(box, { linux: { cgroupsPath: `${PATH}-c` } });
    await runtime.refused("container's cgroup unexpectedly frozen", "create", "--bundle", bundle, ID);
    await runtime.refused("does not exist", "state", ID);
  } finally {
    Deno.removeSync(path);
  }
});

test(
  "gc with another state root leaves a created container alone",
  async (runtime, box) => {
    await runtime.toFile(["create", "--bundle", makeBundle(box), ID]);
    using other = new Paddock();
    const { code, stdout } = await other.run(["gc"]);
    assertEquals(code, 0);
    assert(!stdout.includes(ID), stdout);
    const { status, pid } = await runtime.state(ID);
    assertEquals(status, "created");
    assertStringIncludes(Deno.readTextFileSync(`/proc/${pid}/cgroup`), `/paddock.bundles/${ID}\n`);
    await runtime.ok("delete", "--force", ID);
  },
  ["paddock"],
  ["host"],
);

test(
  "delete removes directories of resctrl that its record names",
  async (runtime, box) => {
    await runtime.toFile(["create", "--bundle", makeBundle(box), ID]);
    // Few processors have the thing itself: what the record says is what counts.
    const directory = box.directory("resctrl");
    const file = `${box.paddock.root}/${ID}/state.json`;
    const record = JSON.parse(Deno.readTextFileSync(file)) as Record<string, unknown>;
    Deno.writeTextFileSync(file, JSON.stringify({ ...record, resctrlPaths: [directory, `${directory}-gone`] }));
    await runtime.ok("delete", "--force", ID);
    assert(!exists(directory));
  },
  ["paddock"],
  ["host"],
);
