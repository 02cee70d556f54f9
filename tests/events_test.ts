/**
 * The journal of what happens to containers: `paddock events` without an id.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { out, testInBackground } from "./support/background.ts";
import type { Box } from "./support/box.ts";
import type { Ability } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  testInBackground(`events: ${name}`, fn, more);
}

/** Runs a script in the background. */
async function begin(box: Box, name: string, script: string, flags: readonly string[] = []): Promise<void> {
  await out(box, "run", "-d", "--name", name, ...flags, box.rootfs, "sh", "-c", script);
}

interface Told {
  readonly Action: string;
  readonly id: string;
  readonly timeNano: number;
  readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
}

/** All that has happened so far. */
async function told(box: Box, ...words: readonly string[]): Promise<Told[]> {
  const lines = await out(box, "events", "--json", "--since", "0", "--until", "0s", ...words);
  return lines.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const names = (events: readonly Told[]): string => events.map(({ Action }) => Action).join(" ");

test("the life of a container, from create to destroy, in docker's words", async (box) => {
  const before = Date.now() * 1e6;
  await begin(box, "ev-web", "trap 'exit 3' TERM; while :; do sleep 0.05; done", ["-l", "tier=front", "-v", "/data"]);
  await out(box, "exec", "ev-web", "true");
  await out(box, "pause", "ev-web");
  await out(box, "unpause", "ev-web");
  await out(box, "stop", "ev-web");
  await out(box, "start", "ev-web");
  await out(box, "stop", "-t", "0", "ev-web");
  await out(box, "rm", "ev-web");
  const events = await told(box);
  const life = "create start exec_start: true pause unpause kill die stop start kill die stop destroy";
  assertEquals(names(events), life);
  const times = events.map(({ timeNano }) => timeNano);
  assertEquals(times, [...times].sort((a, b) => a - b));
  assert(times[0]! >= before && times.at(-1)! <= Date.now() * 1e6 + 1e6);
  const [first, second] = events.filter(({ Action }) => Action === "die").map(({ Actor }) => Actor.Attributes);
  assertEquals([first!["exitCode"], first!["cause"]], ["3", undefined]);
  assertEquals([second!["exitCode"], second!["cause"]], ["137", "SIGKILL"]);
  assertEquals([first!["name"], first!["tier"], first!["image"]], ["ev-web", "front", box.rootfs]);
  const [line] = (await out(box, "events", "--since", "1h", "--until", "0s", "-f", "event=start")).split("\n");
  assertMatch(
    line!,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z container start ev-web \(image=.*, name=ev-web, tier=front\)$/,
  );
  const by = async (...filters: string[]) => names(await told(box, ...filters.flatMap((one) => ["--filter", one])));
  assertEquals(await by("event=die", "event=create"), "create die die");
  assertEquals(await by("container=ev-web", "event=exec_start"), "exec_start: true");
  assertEquals(await by("label=tier=back"), "");
  assertEquals(await by("label=tier", "event=destroy"), "destroy");
  assertStringIncludes((await box.paddock.run(["events", "-f", "size=1"])).stderr, "there is none by 'size'");
}, ["memory"]);

test("one that is not kept tells of its end by its launcher; one from the cache is not told of", async (box) => {
  await out(box, "run", "-d", "--rm", "--name", "ev-gone", box.rootfs, "sh", "-c", "exit 0");
  await box.paddock.run(["run", "--rm", "--name", "ev-code", box.rootfs, "sh", "-c", "exit 42"]);
  const ends = async () => (await told(box)).filter(({ Action }) => Action === "destroy").length;
  for (let tries = 0; await ends() < 2 && tries < 20; tries++);
  const events = await told(box);
  assertEquals(names(events.filter(({ id }) => id === "ev-gone")), "create start die destroy");
  const code = events.filter(({ id }) => id === "ev-code");
  assertEquals(names(code), "create start die destroy");
  assertEquals(code[2]!.Actor.Attributes["exitCode"], "42");
});

test("want of memory, a start that fails, and one that is killed with its launcher", async (box) => {
  await begin(box, "ev-oom", "x=a; while :; do x=$x$x; done", ["--memory", "20m", "--swap", "0"]);
  await out(box, "wait", "ev-oom");
  await out(box, "rm", "ev-oom");
  assertEquals(names(await told(box)), "create start oom die destroy");
  const [die] = await told(box, "-f", "event=die");
  assertEquals([die!.Actor.Attributes["exitCode"], die!.Actor.Attributes["cause"]], ["137", "out of memory"]);
  await box.run(["nosuch"], ["--name", "ev-fail"]);
  const failed = await told(box, "-f", "container=ev-fail");
  assertEquals(names(failed), "create die destroy");
  assertStringIncludes(failed[1]!.Actor.Attributes["error"]!, "cannot execute nosuch");
}, ["memory"]);

test("those that come are told as they come, each once, until the time is over", async (box) => {
  const child = box.paddock.start([
    "events",
    "--format",
    "{{.Action}} {{.Actor.Attributes.name}}",
    "-f",
    "event=start",
  ]);
  const text = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  // It tells of those that begin when it watches: the first may be too early.
  let heard = "";
  const hear = (async () => {
    for (let piece = await text.read(); !piece.done; piece = await text.read()) heard += piece.value;
  })();
  for (let n = 0; !heard.includes("\n") && n < 20; n++) await begin(box, `ev-${n}`, "exit 0");
  await begin(box, "ev-last", "exit 0");
  for (let tries = 0; !heard.includes("ev-last") && tries < 100; tries++) {
    await new Promise((done) => setTimeout(done, 50));
  }
  child.kill("SIGINT");
  await child.status;
  await hear;
  const lines = heard.trimEnd().split("\n");
  assertEquals(lines.at(-1), "start ev-last");
  assertEquals(new Set(lines).size, lines.length);
  await child.stderr.cancel();
  await child.stdin.close();
  const ended = await box.paddock.run(["events", "-f", "container=nobody", "--until", String(Date.now() / 1000 + 1)]);
  assertEquals([ended.code, ended.stdout], [0, ""]);
});
