/**
 * Containers in the background that one goes to: `attach`, `start --attach`; and `run --replace`.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { quoteCommand } from "../lib/base/text.ts";
import { begin, logOf, monitorOf, out, seen, testInBackground } from "./support/background.ts";
import { type Box, waitFor } from "./support/box.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import type { Ability } from "./support/requires.ts";
import { Terminal } from "./support/terminal.ts";

const test = (name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void =>
  testInBackground(`attach: ${name}`, fn, more);

const shell = (box: Box, ...words: readonly string[]): string => quoteCommand(box.paddock.command(words));

test("a shell in the background is typed into, left, come back to, and ended", async (box) => {
  await begin(box, ["-it", "--name", "at-box"], "exec sh");
  const first = new Terminal(shell(box, "attach", "at-box"));
  // It is at least told of the new size.
  await first.type("stty size; A=$((40 + 2)); echo first=$A\n");
  await first.see(/33 77\r\nfirst=42/);
  await first.type("\x10\x11");
  assertEquals(await first.end(), 0);
  assertEquals((await seen(box, "at-box"))["status"], "running");
  const second = new Terminal(shell(box, "attach", "--detach-keys", "ctrl-x", "at-box"));
  await second.type("echo second=$A\n");
  await second.see(/second=42/);
  await second.type("\x18");
  assertEquals(await second.end(), 0);
  const third = new Terminal(shell(box, "attach", "at-box"));
  // Ctrl-C is the container's to understand.
  await third.type("echo be'gin'; sleep 100; echo code=$?\n");
  await third.see(/begin\r\n/);
  await third.type("\x03");
  await third.see(/code=130|\^C/);
  await third.type("echo still $((1 + 1)); exit 6\n");
  await third.see(/still 2/);
  assertEquals(await third.end(), 6);
}, ["tool:script"]);

test("the caller's terminal is as it was after a leave and an end", async (box) => {
  await begin(box, ["-it", "--name", "at-box"], "exec sh");
  const states = `stty -a >${box.path("before")}; ${shell(box, "attach", "at-box")}; stty -a >${box.path("after")}`;
  for (const way of ["\x10\x11", "exit\n"]) {
    const terminal = new Terminal(states);
    await terminal.type("echo here=$((1 + 1))\n");
    await terminal.see(/here=2/);
    await terminal.type(way);
    await terminal.end();
    assertEquals(Deno.readTextFileSync(box.path("after")), Deno.readTextFileSync(box.path("before")));
  }
}, ["tool:script"]);

test("without a terminal it reads what is piped in, and keeps its input open", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    await begin(box, ["-i", "--name", "at-pipe"], 'while read line; do echo "got $line"; done; echo end');
    const attached = box.paddock.start(["attach", "at-pipe"]);
    const writer = attached.stdin.getWriter();
    await writer.write(new TextEncoder().encode("one\ntwo\n"));
    await waitFor("its answer", () => Deno.readTextFileSync(logOf(box, "at-pipe")) === "got one\ngot two\n");
    await writer.close();
    // Another one adds to it; the end of the first one's input is not the container's.
    const other = box.paddock.start(["attach", "at-pipe"]);
    const adder = other.stdin.getWriter();
    await adder.write(new TextEncoder().encode("three\n"));
    await waitFor("its answer", () => Deno.readTextFileSync(logOf(box, "at-pipe")).endsWith("got three\n"));
    assertEquals((await seen(box, "at-pipe"))["status"], "running");
    await out(box, "stop", "-t", "0", "at-pipe");
    const [first, second] = await Promise.all([attached.output(), other.output()]);
    assertEquals([first.code, second.code], [137, 137]);
    assertStringIncludes(new TextDecoder().decode(first.stdout), "got two\n");
    await adder.close().catch(() => undefined);
    await out(box, "rm", "at-pipe");
  });
});

test("signals go to the container, and its monitor is as small as any", async (box) => {
  await begin(
    box,
    ["-i", "--name", "at-signal"],
    "trap 'echo usr; exit 12' USR1; echo ready; while :; do sleep 0.05; done",
  );
  const attached = box.paddock.start(["attach", "--no-stdin", "at-signal"]);
  await waitFor("32 kB at most", () => {
    const text = Deno.readTextFileSync(`/proc/${monitorOf(box, "at-signal")}/smaps_rollup`);
    return Number(/^Rss: +(\d+) kB$/m.exec(text)?.[1]) <= 32;
  });
  await waitFor("its handler", () => {
    const status = Deno.readTextFileSync(`/proc/${attached.pid}/status`);
    return (BigInt(`0x${/^SigCgt:\s+(\w+)/m.exec(status)![1]}`) & (1n << 9n)) !== 0n;
  });
  attached.kill("SIGUSR1");
  const { code, stdout } = await attached.output();
  assertEquals(code, 12);
  assertStringIncludes(new TextDecoder().decode(stdout), "usr\n");
  await attached.stdin.close();
});

test("start --attach shows all that it prints, and ends as it does", async (box) => {
  await begin(box, ["--name", "at-again"], "echo said; exit 4");
  assertEquals(await out(box, "wait", "at-again"), "4\n");
  const { code, stdout } = await box.paddock.run(["start", "--attach", "at-again"]);
  assertEquals([code, stdout], [4, "said\n"]);
  await begin(box, ["-i", "--name", "at-typed"], "read line; echo got $line");
  await out(box, "stop", "-t", "0", "at-typed");
  const typed = await box.paddock.run(["start", "-ai", "at-typed"], { stdin: "word\n" });
  assertEquals([typed.code, typed.stdout], [0, "got word\n"]);
});

test("what cannot be attached to is said", async (box) => {
  await begin(box, ["--name", "at-over"], "true");
  await out(box, "wait", "at-over");
  const { code, stderr } = await box.paddock.run(["attach", "at-over"]);
  assertEquals(code, 125);
  assertStringIncludes(stderr, "start --attach at-over");
  const bad = await box.paddock.run(["attach", "--detach-keys", "ctrl-", "at-over"]);
  assertEquals(bad.code, 125);
  assertStringIncludes(bad.stderr, "'ctrl-' is no key");
});

test("--replace takes the place of one that has the name, however that is", async (box) => {
  await begin(box, ["--name", "at-name", "--restart", "always"], "exec sleep 4530");
  const taken = await box.sh("true", ["-d", "--name", "at-name"]);
  assertEquals(taken.code, 125);
  assertEquals(await begin(box, ["--name", "at-name", "--replace"], "echo new"), "at-name");
  await out(box, "wait", "at-name");
  assertEquals(await out(box, "logs", "at-name"), "new\n");
  assertEquals(await box.out("echo third", ["--name", "at-name", "--replace"]), "third\n");
  const { code, stderr } = await box.sh("true", ["--replace"]);
  assertEquals(code, 125);
  assertStringIncludes(stderr, "--replace needs --name");
});
