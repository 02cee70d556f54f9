/**
 * `kill` in all the forms that engines and people give it.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Box, waitFor } from "./support/box.ts";
import { makeBundle, ok, quietly, runDetached, stateOf, waitForEnd, waitForStatus } from "./support/bundles.ts";
import { type Ability, requires } from "./support/requires.ts";

/** Other tests may run at the same time, and cgroups are the host's. */
const ID = `kill-${Deno.pid}`;

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `kill: ${name}`,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Writes the number of each signal that it gets, and goes on. */
const TELL = [
  "sh",
  "-c",
  'for s in 1 2 10 12 15; do trap "echo $s" $s; done; echo up; while :; do sleep 0.05; done',
];

test("a signal has a number, a name, a name with SIG, in letters of any size; TERM is the default", async (box) => {
  const out = await quietly(box, ID, ["run", "-d", "--bundle", makeBundle(box, { args: TELL }), ID]);
  let expected = "up\n";
  await waitFor("its word", () => Deno.readTextFileSync(out) === expected);
  const table = [["1", 1], ["HUP", 1], ["SIGINT", 2], ["sigusr1", 10], ["usr2", 12], ["TERM", 15]] as const;
  for (const [word, number] of [...table, [undefined, 15] as const]) {
    assertEquals(await ok(box, "kill", ID, ...(word === undefined ? [] : [word])), "");
    expected += `${number}\n`;
    await waitFor(`${word}`, () => Deno.readTextFileSync(out) === expected);
  }
  assertEquals(await ok(box, "kill", ID, "0"), "");
  for (const word of ["NOSUCH", "99", "-1"]) {
    const { code, stderr } = await box.paddock.run(["kill", ID, "--", word]);
    assert(code !== 0, word);
    assertStringIncludes(stderr, "unknown signal");
  }
  await ok(box, "delete", "--force", ID);
}, ["host"]);

test(
  "what has stopped or is not there is told in the words of runc; --all of what has stopped is fine",
  async (box) => {
    const pid = await runDetached(box, ID);
    await ok(box, "kill", ID, "KILL");
    await waitForEnd(pid);
    await waitForStatus(box, ID, "stopped");
    assertStringIncludes((await box.paddock.run(["kill", ID, "KILL"])).stderr, "container not running");
    assertEquals(await ok(box, "kill", "--all", ID, "KILL"), "");
    assertEquals(await ok(box, "kill", "-a", ID, "9"), "");
    assertStringIncludes((await box.paddock.run(["kill", "nosuch", "9"])).stderr, "does not exist");
    await ok(box, "delete", ID);
  },
  ["host"],
);

test("--all reaches every process, and not the first alone", async (box) => {
  const args = ["sh", "-c", "trap : USR1; sleep 4409 & wait; sleep 4410"];
  const pid = await runDetached(box, ID, { args });
  const pids = async () => JSON.parse(await ok(box, "ps", "-f", "json", ID)) as number[];
  while ((await pids()).length < 2);
  const [, child] = await pids();
  await ok(box, "kill", "--all", ID, "USR1");
  await waitForEnd(child!);
  assertEquals((await stateOf(box, ID))["pid"], pid);
  await ok(box, "kill", "--all", ID, "KILL");
  await waitForEnd(pid);
  await ok(box, "delete", ID);
}, ["cgroup"]);

test("KILL ends all of a container without a pid namespace of its own, and a paused one", async (box) => {
  const namespaces = [{ type: "mount" }, { type: "ipc" }, { type: "uts" }, { type: "network" }];
  const args = ["sh", "-c", "sleep 4411 & wait"];
  const pid = await runDetached(box, ID, { args, linux: { namespaces } });
  const listed = async () => JSON.parse(await ok(box, "ps", "-f", "json", ID)) as number[];
  while ((await listed()).length < 2);
  const all = await listed();
  await ok(box, "kill", ID, "KILL");
  for (const one of all) await waitForEnd(one);
  assert(all.includes(pid));
  await ok(box, "delete", ID);
  const paused = await runDetached(box, ID);
  await ok(box, "pause", ID);
  await ok(box, "kill", ID, "KILL");
  await waitForEnd(paused);
  await ok(box, "delete", ID);
}, ["cgroup", "controller:freezer"]);

test("a container that was run from an image is reached by its name", async (box) => {
  const child = box.paddock.start([
    "run",
    "--name",
    ID,
    box.rootfs,
    "sh",
    "-c",
    "trap 'exit 8' USR1; echo up; sleep 4412 & wait",
  ]);
  const reader = child.stdout.getReader();
  await reader.read();
  await ok(box, "kill", ID, "USR1");
  assertEquals((await child.status).code, 8);
  reader.releaseLock();
  await child.stdout.cancel();
  await child.stderr.cancel();
  await child.stdin.close();
  assertStringIncludes((await box.paddock.run(["kill", ID])).stderr, "container not running");
  await ok(box, "rm", ID);
}, ["host"]);
