/**
 * paddock at a terminal: a pty of the container's own, keys, job control, and the terminal as it was afterwards.
 */
import { assertEquals } from "@std/assert";
import { quoteCommand } from "../lib/base/text.ts";
import { Box } from "./support/box.ts";
import { requires } from "./support/requires.ts";
import { Terminal } from "./support/terminal.ts";

function test(name: string, body: (box: Box) => Promise<void>): void {
  Deno.test({
    name,
    ...requires("root", "tool:script"),
    async fn(): Promise<void> {
      using box = await Box.make();
      await body(box);
    },
  });
}

/** The shell's words for `paddock run` with these flags and this command. */
function run(box: Box, flags: readonly string[], ...command: string[]): string {
  return quoteCommand(box.paddock.command(["run", ...flags, box.rootfs, ...command]));
}

test("a command that is started from a terminal has one of its own, of the same size", async (box) => {
  const terminal = new Terminal(run(box, [], "sh"));
  await terminal.see(/# /);
  await terminal.type("tty; stty size; echo size=$?\n");
  await terminal.see(/\/dev\/pts\/0\r\n33 77\r\nsize=0/);
  await terminal.type("ls -l /dev/console; exit 5\n");
  await terminal.see(/136, +0/);
  assertEquals(await terminal.end(), 5);
});

test("Ctrl-C ends what runs in the container's foreground, and not the container", async (box) => {
  const terminal = new Terminal(run(box, ["-it"], "sh"));
  await terminal.see(/# /);
  await terminal.type("echo begin; sleep 100; echo code=$?\n");
  await terminal.see(/begin\r\n/);
  await terminal.type("\x03");
  await terminal.see(/code=130|\^C/);
  await terminal.type("echo still $((1 + 1)); exit\n");
  await terminal.see(/still 2/);
  await terminal.end();
});

test("the terminal is as it was after an end, an error and a death", async (box) => {
  const ways = [
    run(box, ["-t"], "true"),
    run(box, ["-t"], "no-such-command"),
    run(box, ["-t", "--init"], "sh", "-c", "kill -9 $$"),
  ];
  for (const way of ways) {
    const terminal = new Terminal(`stty -a > ${box.path("before")}; ${way}; stty -a > ${box.path("after")}`);
    await terminal.end();
    assertEquals(Deno.readTextFileSync(box.path("after")), Deno.readTextFileSync(box.path("before")), way);
  }
});

test("a new window size reaches the container", async (box) => {
  const watch = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done";
  // The terminal's size is changed from beside the launcher, by its name.
  const terminal = new Terminal(`tty > ${box.path("tty")}; ${run(box, ["-it"], "sh", "-c", watch)}`);
  await terminal.see(/ready/);
  const name = Deno.readTextFileSync(box.path("tty")).trim();
  await new Deno.Command("stty", { args: ["-F", name, "rows", "21", "cols", "99"] }).output();
  await terminal.see(/21 99/);
  await terminal.type("\x1c");
  await new Deno.Command("pkill", { args: ["-KILL", "-f", `^paddock: .*`, "-t", name.replace("/dev/", "")] }).output();
  await terminal.end();
  assertEquals((await box.paddock.run(["gc"])).code, 0);
});

test("without a terminal of its own the second Ctrl-C kills what ignores the first", async (box) => {
  // The shell is replaced: it would die of the same key.
  const terminal = new Terminal(`exec ${run(box, ["-i"], "sh", "-c", "echo ready; exec sleep 100")}`);
  await terminal.see(/ready/);
  // Two that come at once are one to the kernel.
  const fingers = setInterval(() => void terminal.type("\x03").catch(() => undefined), 200);
  const code = await terminal.end();
  clearInterval(fingers);
  assertEquals(code, 137);
});

test("Ctrl-Z stops the job, all of the container with it, and fg goes on with it", async (box) => {
  const ticks = box.directory("ticks");
  const job = run(
    box,
    ["-i", "-v", `${ticks}:/ticks`],
    "sh",
    "-c",
    "while :; do echo >> /ticks/n; echo tick; sleep 0.1; done",
  );
  const terminal = new Terminal("bash --norc -i", { PS1: "prompt> " });
  await terminal.see(/prompt> /);
  await terminal.type(`${job}\n`);
  await terminal.see(/tick\r\n[^]*tick\r\n/);
  await terminal.type("\x1a");
  await terminal.see(/Stopped[^]*prompt> /);
  const counted = Deno.statSync(`${ticks}/n`).size;
  await terminal.type("sleep 0.5; echo slept\n");
  await terminal.see(/\nslept/);
  assertEquals(Deno.statSync(`${ticks}/n`).size, counted, "a stopped container goes on");
  await terminal.type("fg\n");
  await terminal.see(/fg\r\n[^]*tick\r\n[^]*tick\r\n/);
  await terminal.type("\x03\x03");
  await terminal.see(/prompt> /);
  await terminal.type("exit 3\n");
  assertEquals(await terminal.end(), 3);
});
