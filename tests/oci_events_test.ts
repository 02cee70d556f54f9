/**
 * `ps` and `events` of a container, with runc beside them.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Box } from "./support/box.ts";
import { callAs, makeBundle, ok, quietly, runDetached } from "./support/bundles.ts";
import { call } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

/** Other tests may run at the same time, and cgroups are the host's. */
const ID = `events-${Deno.pid}`;

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

const TWO = ["sh", "-c", "sleep 4400 & exec sleep 4401"];

test("ps: the processes of a container by the host's ps, or their ids as JSON", async (box) => {
  const pid = await runDetached(box, ID, { args: TWO });
  const pids = JSON.parse(await ok(box, "ps", "--format", "json", ID)) as number[];
  assertEquals([pids.length, pids[0]], [2, pid]);
  const table = (await ok(box, "ps", ID)).trimEnd().split("\n");
  assertMatch(table[0]!, /^UID +PID +PPID /);
  assertEquals(table.length, 3);
  assertStringIncludes(table.join("\n"), "sleep 4401");
  const own = await ok(box, "ps", ID, "-o", "pid,args", "-e");
  assertMatch(own, new RegExp(`^ *PID COMMAND\n *${pid} sleep 4401\n *\\d+ sleep 4400\n$`));
  const bad = await box.paddock.run(["ps", ID, "-o", "args", "-e"]);
  assertStringIncludes(bad.stderr, "couldn't find PID field in ps output");
  assertEquals((await callAs(box, "runc", ["ps", "-f", "json", ID])).stdout, `${JSON.stringify(pids)}\n`);
  assertEquals((await callAs(box, "crun", ["ps", ID])).stdout.split("\n")[0], "PID");
  await ok(box, "delete", "--force", ID);
  const gone = await box.paddock.run(["ps", ID]);
  assertStringIncludes(gone.stderr, "does not exist");
}, ["host", "tool:ps", "tool:bash"]);

test("ps: without a ps on the host there is a table all the same", async (box) => {
  const pid = await runDetached(box, ID, { args: TWO });
  const env = { PATH: box.directory("empty") };
  const { code, stdout, stderr } = await box.paddock.run(["ps", ID], { env });
  assertEquals(code, 0, stderr);
  assertMatch(stdout, new RegExp(`^UID +PID +PPID +STAT +CMD\n0 +${pid} .*sleep 4401\n`));
  assertStringIncludes((await box.paddock.run(["ps", ID, "-ef"], { env })).stderr, "there is no ps on this host");
  await ok(box, "delete", "--force", ID);
}, ["host"]);

test("ps: a container that was run from an image has processes, too", async (box) => {
  const child = box.paddock.start(["run", "--name", ID, box.rootfs, "cat"]);
  for (;;) {
    const { code, stdout } = await box.paddock.run(["ps", "-f", "json", ID]);
    if (code !== 0 || JSON.parse(stdout).length === 0) continue;
    assertEquals(JSON.parse(stdout).length, 1);
    break;
  }
  await child.stdin.close();
  assertEquals((await child.output()).code, 0);
  await ok(box, "rm", ID);
}, ["host", "cgroup"]);

type Tree = { [key: string]: unknown };

/** Names of a tree to a depth of three, without those of `raw`, whose lines are the kernel's. */
function shapeOf(value: unknown, depth = 3): unknown {
  if (depth === 0 || typeof value !== "object" || value === null || Array.isArray(value)) return "value";
  return Object.fromEntries(
    Object.entries(value as Tree).filter(([key]) => key !== "raw").map((
      [key, part],
    ) => [key, shapeOf(part, depth - 1)]),
  );
}

test("events --stats: one line in the words of runc, of which it has all", async (box) => {
  await runDetached(box, ID, { linux: { resources: { pids: { limit: 30 }, memory: { limit: 50 * 1024 ** 2 } } } });
  const { type, id, data } = JSON.parse(await ok(box, "events", "--stats", ID));
  assertEquals([type, id], ["stats", ID]);
  assertEquals(data.pids, { current: 1, limit: 30 });
  assertEquals(data.memory.usage.limit, 50 * 1024 ** 2);
  assert(data.memory.usage.usage > 0 && data.cpu.usage.total > 0);
  const bundle = makeBundle(box, { linux: { cgroupsPath: `/paddock-events-${Deno.pid}/c` } }, "runc");
  const runc = ["runc", "--root", box.path("runc")];
  try {
    const quiet = ["sh", "-c", 'exec "$@" >"$0" 2>&1', box.path("out")];
    assertEquals((await call([...quiet, ...runc, "run", "-d", "--bundle", bundle, "c"])).code, 0);
    const theirs = JSON.parse((await call([...runc, "events", "--stats", "c"])).stdout).data as Tree;
    const missing = (own: unknown, other: unknown, at: string): string[] => {
      if (typeof other !== "object" || other === null) return [];
      return Object.entries(other).flatMap(([key, part]) =>
        // What is zero is left out, and zeros differ.
        ["usage", "max", "cache", "total"].includes(key) && typeof part !== "object"
          ? []
          : (own as Tree)[key] === undefined
          ? [`${at}.${key}`]
          : missing((own as Tree)[key], part, `${at}.${key}`)
      );
    };
    const { blkio: _, ...rest } = theirs;
    assertEquals(missing(shapeOf(data), shapeOf(rest), "data"), []);
  } finally {
    await call([...runc, "delete", "--force", "c"]);
    for (const line of Deno.readTextFileSync("/proc/mounts").split("\n").filter((line) => / cgroup2? /.test(line))) {
      try {
        Deno.removeSync(`${line.split(" ")[1]}/paddock-events-${Deno.pid}`);
      } catch {
        // Not in this hierarchy.
      }
    }
  }
  await ok(box, "delete", "--force", ID);
}, ["memory", "controller:pids", "peer:runc"]);

test("events: looks again and again, says when memory has run out, and ends with the container", async (box) => {
  const memory = { limit: 20 * 1024 ** 2, swap: 20 * 1024 ** 2 };
  const args = ["sh", "-c", "while ! test -e /tmp/go; do sleep 0.1; done; tail /dev/zero; sleep 1; exit 0"];
  const tmp = { destination: "/tmp", type: "bind", source: box.directory("tmp"), options: ["bind"] };
  const bundle = makeBundle(box, { args, linux: { resources: { memory } } });
  const path = `${bundle}/config.json`;
  const config = JSON.parse(Deno.readTextFileSync(path));
  config.mounts.push(tmp);
  Deno.writeTextFileSync(path, JSON.stringify(config));
  await quietly(box, ID, ["run", "--detach", "--bundle", bundle, ID]);
  const child = box.paddock.start(["events", "--interval", "100ms", ID]);
  const lines: Tree[] = [];
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
    const whole = text.split("\n");
    text = whole.pop()!;
    lines.push(...whole.map((line) => JSON.parse(line) as Tree));
    if (lines.length === 2) Deno.writeTextFileSync(box.path("tmp/go"), "");
  }
  await child.stdin.close();
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
  const types = lines.map(({ type }) => type);
  assertEquals(types.slice(0, 2), ["stats", "stats"]);
  assert(types.includes("oom"), types.join());
  assertEquals(new Set(lines.map(({ id }) => id)), new Set([ID]));
  await ok(box, "delete", ID);
  const gone = await box.paddock.run(["events", "--interval", "0s", ID]);
  assertStringIncludes(gone.stderr, "duration interval must be greater than 0");
}, ["memory"]);
