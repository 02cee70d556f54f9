/**
 * Containers in the background: `run -d`, and what is done to them.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { begin, logOf, monitorOf, out, seen, testInBackground } from "./support/background.ts";
import { type Box, findProcesses, waitFor } from "./support/box.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import type { Ability } from "./support/requires.ts";
import type { Outcome } from "./support/paddock.ts";

const test = (name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void =>
  testInBackground(`detached: ${name}`, fn, more);

test("run -d prints the name, and goes on when the command has begun; it is kept until it is removed", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    assertEquals(await begin(box, ["--name", "bg-web"], "exec sleep 4510"), "bg-web");
    assertEquals((await seen(box, "bg-web"))["status"], "running");
    // A session of its own, and the working directory of nobody.
    const monitor = monitorOf(box, "bg-web");
    assertEquals(Deno.readLinkSync(`/proc/${monitor}/cwd`), "/");
    assertEquals(Deno.readTextFileSync(`/proc/${monitor}/stat`).split(") ")[1]!.split(" ")[3], `${monitor}`);
    assertEquals(await out(box, "rm", "-f", "bg-web"), "bg-web\n");
  });
});

test("what watches over a container needs 32 kB at most", async (box) => {
  await begin(box, ["--name", "bg-web"], "exec sleep 4511");
  // The id is printed just before the monitor gives its memory back.
  await waitFor("32 kB at most", () => {
    const text = Deno.readTextFileSync(`/proc/${monitorOf(box, "bg-web")}/smaps_rollup`);
    const resident = Number(/^Rss: +(\d+) kB$/m.exec(text)?.[1]);
    return resident > 0 && resident <= 32;
  });
  await out(box, "rm", "-f", "bg-web");
});

test("what goes wrong before the command begins is told to the caller, with its code, and nothing is left", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const missing = await box.run(["nosuch"], ["-d"]);
    assertEquals([missing.code, missing.stdout], [127, ""]);
    assertStringIncludes(missing.stderr, "cannot execute nosuch");
    const refused = await box.run(["true"], ["-d", "--workdir", "/bin/busybox"]);
    assertEquals([refused.code, refused.stdout], [125, ""]);
    assertStringIncludes(refused.stderr, "/bin/busybox");
  });
});

test("its log has what it printed on both streams, whole, followed or in part", async (box) => {
  const script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; sleep 0.1; done; printf end";
  await begin(box, ["--name", "bg-web"], script);
  const followed = await out(box, "logs", "-f", "bg-web");
  const lines = [1, 2, 3, 4, 5].flatMap((n) => [`out ${n}`, `err ${n}`]);
  assertEquals(followed, `${lines.join("\n")}\nend`);
  assertEquals(await out(box, "logs", "bg-web"), followed);
  assertEquals(await out(box, "logs", "--tail", "2", "bg-web"), "err 5\nend");
  assertEquals(await out(box, "logs", "--tail", "0", "bg-web"), "");
  assertEquals(await out(box, "logs", "--tail", "100", "bg-web"), followed);
  await out(box, "rm", "bg-web");
});

test("a log of megabytes is read from its end", async (box) => {
  await begin(box, ["--name", "bg-web"], "i=0; while [ $i -lt 3000 ]; do printf '%0999d\\n' $i; i=$((i+1)); done");
  assertEquals(await out(box, "wait", "bg-web"), "0\n");
  const tail = (await out(box, "logs", "--tail", "500", "bg-web")).trimEnd().split("\n");
  assertEquals([tail.length, Number(tail[0]), Number(tail.at(-1))], [500, 2500, 2999]);
  await out(box, "rm", "bg-web");
});

test("--log-driver none keeps nothing, and logs says so", async (box) => {
  await begin(box, ["--name", "bg-web", "--log-driver", "none"], "echo gone");
  await out(box, "wait", "bg-web");
  const { code, stderr } = await box.paddock.run(["logs", "bg-web"]);
  assertEquals(code, 125);
  assertStringIncludes(stderr, "--log-driver none");
  await out(box, "rm", "bg-web");
});

test("wait gives the exit code, of one that is gone with its end too", async (box) => {
  await begin(box, ["--name", "bg-a"], "exit 7");
  assertEquals(await out(box, "wait", "bg-a"), "7\n");
  assertEquals((await seen(box, "bg-a"))["status"], "stopped");
  await begin(box, ["--name", "bg-b", "--rm"], "sleep 3; exit 8");
  assertEquals(await out(box, "wait", "bg-b"), "8\n");
  await out(box, "rm", "bg-a");
});

test("stop sends the stop signal, and kills what does not end in time", async (box) => {
  await begin(box, ["--name", "bg-polite"], "trap 'echo bye; exit 9' TERM; while :; do sleep 0.05; done");
  assertEquals(await out(box, "stop", "bg-polite"), "bg-polite\n");
  assertEquals(await out(box, "logs", "bg-polite"), "bye\n");
  assertEquals((await seen(box, "bg-polite"))["exit"] !== undefined, true);
  assertEquals(await out(box, "wait", "bg-polite"), "9\n");
  await begin(box, ["--name", "bg-own", "--stop-signal", "USR1"], "trap 'exit 10' USR1; while :; do sleep 0.05; done");
  await out(box, "stop", "bg-own");
  assertEquals(await out(box, "wait", "bg-own"), "10\n");
  await begin(box, ["--name", "bg-deaf"], "trap '' TERM; while :; do sleep 0.05; done");
  await out(box, "stop", "--time", "0", "bg-deaf");
  assertEquals(await out(box, "wait", "bg-deaf"), "137\n");
  assertEquals(await out(box, "stop", "bg-deaf"), "bg-deaf\n", "one that has ended stays as it is");
  await out(box, "rm", "bg-polite", "bg-own", "bg-deaf");
});

test("with a terminal the log has what it shows, and no input ends it", async (box) => {
  await begin(box, ["--name", "bg-web", "-t"], "tty; read line; echo read");
  await waitFor("its terminal", () => Deno.readTextFileSync(logOf(box, "bg-web")).includes("\n"));
  assertEquals((await seen(box, "bg-web"))["status"], "running");
  assertEquals(await out(box, "logs", "bg-web"), "/dev/pts/0\r\n");
  await out(box, "rm", "-f", "bg-web");
});

test("exec runs beside its command: user names, directory, variables, exit codes, and in the background", async (box) => {
  await begin(box, ["--name", "bg-web", "-e", "OWN=1"], "exec sleep 4514");
  const exec = (...words: string[]) => box.paddock.run(["exec", ...words]);
  const first = await exec("bg-web", "sh", "-c", "echo $OWN; grep -c sleep /proc/1/cmdline; exit 3");
  assertEquals([first.code, first.stdout], [3, "1\n1\n"], first.stderr);
  const user = await exec(
    "-u",
    "user",
    "-w",
    "/tmp",
    "-e",
    "A=b",
    "-e",
    "OWN",
    "bg-web",
    "sh",
    "-c",
    "id -u; pwd; echo $A $HOME,$OWN",
  );
  assertEquals(user.stdout, "1000\n/tmp\nb /home/user,\n", user.stderr);
  const unknown = await exec("-u", "stranger", "bg-web", "true");
  assertEquals(unknown.code, 125);
  assertStringIncludes(unknown.stderr, "no user 'stranger'");
  // By the beginning of its name, as everywhere.
  const missing = await exec("bg-we", "nosuch");
  assertEquals(missing.code, 127);
  assertStringIncludes(missing.stderr, "cannot execute nosuch");
  const { call } = await import("./support/paddock.ts");
  const quiet = box.paddock.command(["exec", "-d", "bg-web", "sleep", "4515"]);
  assertEquals((await call(["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", ...quiet])).code, 0);
  const there = await exec("bg-web", "sh", "-c", "grep -l 4515 /proc/[0-9]*/cmdline");
  assertEquals(there.code, 0, there.stderr);
  await out(box, "pause", "bg-web");
  assertStringIncludes((await exec("bg-web", "true")).stderr, "paused");
  await out(box, "unpause", "bg-web");
  await expectNoLeaks(box.paddock, async () => {
    await out(box, "run", "-d", "--rm", "--name", "bg-short", box.rootfs, "sleep", "4516");
    await exec("bg-short", "true");
    await out(box, "stop", "-t", "0", "bg-short");
  });
  await out(box, "rm", "-f", "bg-web");
});

test("start and restart run it once more, with what it wrote and its limits, after a boot too", async (box) => {
  const script = "echo run >>/count; cat /count; exec sleep 4518";
  const { busybox } = await import("./support/fixtures.ts");
  const command = ["run", "-d", "--name", "bg-web", "--memory", "60m", (await busybox()).tar, "sh", "-c", script];
  await out(box, ...command);
  const count = async () => (await out(box, "exec", "bg-web", "cat", "/count")).trimEnd().split("\n").length;
  assertEquals(await count(), 1);
  assertEquals(await out(box, "start", "bg-web"), "bg-web\n", "one that runs stays as it is");
  await out(box, "stop", "-t", "0", "bg-web");
  assertEquals(await out(box, "start", "bg-web"), "bg-web\n");
  assertEquals([await count(), (await seen(box, "bg-web"))["restarts"]], [2, 1]);
  assertEquals(await out(box, "restart", "-t", "0", "bg-web"), "bg-web\n");
  assertEquals(await count(), 3);
  await out(box, "stop", "-t", "0", "bg-web");
  // As after a boot: the state root is a tmpfs.
  Deno.removeSync(box.paddock.root, { recursive: true });
  assertEquals((await seen(box, "bg-web"))["status"], "stopped");
  await out(box, "start", "bg-web");
  assertEquals(await count(), 4);
  const files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max";
  const limit = await out(box, "exec", "bg-web", "sh", "-c", `cat ${files} 2>/dev/null || true`);
  assertEquals(limit, `${60 * 1024 * 1024}\n`);
  await out(box, "rm", "-f", "bg-web");
}, ["overlay", "memory"]);

test("several are started by one word, and one that cannot be keeps what it has", async (box) => {
  await begin(box, ["--name", "bg-one"], "exit 3");
  await begin(box, ["--name", "bg-two", "-v", `${box.directory("given")}:/given`], "exit 4");
  for (const name of ["bg-one", "bg-two"]) await out(box, "wait", name);
  assertEquals(await out(box, "start", "bg-one", "bg-two"), "bg-one\nbg-two\n");
  for (const name of ["bg-one", "bg-two"]) await out(box, "wait", name);
  Deno.removeSync(box.path("given"));
  const { code, stderr } = await box.paddock.run(["start", "bg-two"]);
  assertEquals(code, 125);
  assertStringIncludes(stderr, "given");
  assertEquals((await seen(box, "bg-two"))["status"], "stopped");
  await out(box, "rm", "bg-one", "bg-two");
});

test("stop gives it the time that it was made with", async (box) => {
  await begin(box, ["--name", "bg-slow", "--stop-timeout", "0"], "trap '' TERM; while :; do sleep 0.05; done");
  await out(box, "stop", "bg-slow");
  assertEquals(await out(box, "wait", "bg-slow"), "137\n");
  assertEquals((await seen(box, "bg-slow"))["stopTimeout"], 0);
});

test("rename gives it another name, running or not, and the first one is free", async (box) => {
  await begin(box, ["--name", "bg-old"], "exec sleep 4518");
  assertEquals(await out(box, "rename", "bg-old", "bg-new"), "");
  const names = async () => (await out(box, "ps", "-a", "--format", "{{.Names}}")).trim().split("\n").sort();
  assertEquals(await names(), ["bg-new"]);
  assertEquals(await out(box, "exec", "bg-new", "echo", "there"), "there\n");
  const taken = await box.run(["true"], ["-d", "--name", "bg-new"]);
  assertEquals(taken.code, 125);
  assertStringIncludes(taken.stderr, "the name 'bg-new' is taken");
  // The directories of that name are the first one's, and another gets the name all the same.
  const id = await begin(box, ["--name", "bg-old"], "echo second; exec sleep 4519");
  assertEquals(await names(), ["bg-new", "bg-old"]);
  assertEquals(await out(box, "logs", "bg-old"), "second\n");
  assertEquals((await seen(box, id))["name"], "bg-old");
  const again = await box.paddock.run(["rename", "bg-old", "bg-new"]);
  assertStringIncludes(again.stderr, "the name 'bg-new' is taken");
  // Kept over its end, a boot and another start.
  await out(box, "stop", "-t", "0", "bg-new", "bg-old");
  Deno.removeSync(box.paddock.root, { recursive: true });
  assertEquals(await names(), ["bg-new", "bg-old"]);
  await out(box, "start", "bg-new");
  await out(box, "rename", "bg-new", "bg-third");
  await out(box, "stop", "-t", "0", "bg-third");
  assertEquals(await names(), ["bg-old", "bg-third"]);
  const bad = await box.paddock.run(["rename", "bg-third", "no name"]);
  assertEquals(bad.code, 125);
  await out(box, "rm", "bg-third", "bg-old");
});

test("a monitor that is killed takes its container along, and the next command knows", async (box) => {
  await begin(box, ["--name", "bg-web"], "exec sleep 4512");
  Deno.kill(monitorOf(box, "bg-web"), "SIGKILL");
  await waitFor("its end", () => !findProcesses("sleep").some((pid) => isCommand(pid, "4512")));
  assertEquals((await seen(box, "bg-web"))["status"], "dead");
  const { code, stderr } = await box.paddock.run(["wait", "bg-web"]);
  assertEquals(code, 125);
  assertMatch(stderr, /launcher was killed/);
  await out(box, "rm", "bg-web");
});

test("its output does not keep the caller's pipe open, and its signals are not the caller's", async (box) => {
  // The shell's pipe ends when all of its writers have: a monitor or container with a copy would hold it.
  const command = box.paddock.command(["run", "-d", "--name", "bg-web", box.rootfs, "sleep", "4513"]);
  const { call } = await import("./support/paddock.ts");
  const piped: Outcome = await call(["sh", "-c", '"$@" 2>&1 | cat', "sh", ...command], { timeout: 20_000 });
  assertEquals([piped.code, piped.stdout], [0, "bg-web\n"]);
  await out(box, "rm", "-f", "bg-web");
});

function isCommand(pid: number, word: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(word);
  } catch {
    return false;
  }
}
