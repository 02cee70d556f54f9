/**
 * `paddock compile`: a container as a program that needs nothing but a kernel.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Box, waitFor } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, type CallOptions, type Outcome } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `compile: ${name}`,
    ...requires("root", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

async function compile(box: Box, words: readonly string[], name = "web"): Promise<string> {
  const program = box.path(name);
  const { code, stdout, stderr } = await box.paddock.run(["compile", "-o", program, ...words]);
  assertEquals([code, stdout], [0, ""], stderr);
  return program;
}

/** Runs a program with nothing: no environment, no PATH, in the root directory. */
function runBare(program: string, options: CallOptions = {}): Promise<Outcome> {
  return call([program], { clearEnv: true, cwd: "/", ...options });
}

test("a directory becomes a program of some kilobytes that runs it with no environment at all", async (box) => {
  const program = await compile(box, [
    "--hostname",
    "compiled",
    box.rootfs,
    "sh",
    "-c",
    "hostname; echo $$; id -u; exit 3",
  ]);
  const { size, mode } = Deno.statSync(program);
  assert(size < 100_000, `${size} bytes`);
  assertEquals(mode! & 0o777, 0o755);
  const { code, stdout, stderr } = await runBare(program);
  assertEquals([code, stdout, stderr], [3, "compiled\n1\n0\n", ""]);
  // What is not there to be removed would be tried again and again.
  const calls = await call(["strace", "-f", "-e", "trace=nanosleep", program], { cwd: "/" });
  assertEquals([calls.code, calls.stderr.includes("nanosleep(")], [3, false], calls.stderr);
}, "tool:strace");

test("a tarball becomes one as well; what it writes is gone each time", async (box) => {
  const program = await compile(box, [
    (await busybox()).zst,
    "sh",
    "-c",
    "ls /new 2>/dev/null; echo x > /new; cat /new",
  ]);
  for (let time = 0; time < 2; time++) assertEquals((await runBare(program)).stdout, "x\n");
});

test("it holds its limits, mounts and rights", async (box) => {
  const source = box.directory("source");
  const program = await compile(box, [
    ...["--pids-limit", "7", "-v", `${source}:/data:ro`, "--cap-drop", "ALL", "--ulimit", "nofile=64", "-e", "A=b"],
    ...[box.rootfs, "sh", "-c"],
    "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/*/pids.max 2>/dev/null; touch /data/x 2>/dev/null || echo ro; ulimit -n; echo $A; " +
    "grep CapBnd /proc/self/status",
  ]);
  assertEquals((await runBare(program)).stdout, "7\nro\n64\nb\nCapBnd:\t0000000000000000\n");
});

test("it runs many times at once, each as its own container", async (box) => {
  const program = await compile(box, ["--memory", "64m", box.rootfs, "sh", "-c", "sleep 0.3; hostname"]);
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => runBare(program)));
  assertEquals(outcomes.map(({ code, stderr }) => [code, stderr]), [[0, ""], [0, ""], [0, ""], [0, ""]]);
});

test("exit codes, signals and streams are those of run", async (box) => {
  assertEquals((await runBare(await compile(box, [box.rootfs, "sh", "-c", "exit 42"]))).code, 42);
  assertEquals((await runBare(await compile(box, ["--pid", "host", box.rootfs, "sh", "-c", "kill -9 $$"]))).code, 137);
  assertEquals((await runBare(await compile(box, [box.rootfs, "nosuch"]))).code, 127);
  assertEquals((await runBare(await compile(box, [box.rootfs, "/etc/passwd"]))).code, 126);
  const cat = await compile(box, ["-i", box.rootfs, "cat"]);
  const bytes = crypto.getRandomValues(new Uint8Array(50_000));
  assertEquals((await runBare(cat, { stdin: bytes })).bytes, bytes);
  const streams = await runBare(await compile(box, [box.rootfs, "sh", "-c", "echo out; echo err >&2"]));
  assertEquals([streams.stdout, streams.stderr], ["out\n", "err\n"]);
});

test("signals reach its command", async (box) => {
  const program = await compile(box, [
    box.rootfs,
    "sh",
    "-c",
    "trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done",
  ]);
  const child = new Deno.Command(program, { clearEnv: true, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 9);
  await reader.cancel();
});

test("nothing of its caller's descriptors, signals and environment reaches the command", async (box) => {
  const program = await compile(box, [
    ...[box.rootfs, "sh", "-c"],
    "ls -l /proc/self/fd 2>&1 | grep -c ' -> '; env | grep -c SECRET; exec grep SigIgn /proc/self/status",
  ]);
  const { stdout } = await call([
    ...["bash", "-c", `trap '' PIPE USR1; export SECRET=x; exec 3</ 9</etc 50</tmp; "$0"`, program],
  ]);
  assertEquals(stdout, "3\n0\nSigIgn:\t0000000000000000\n");
});

test("it says in one line that its root filesystem is gone", async (box) => {
  const program = await compile(box, [box.rootfs, "true"]);
  await call(["mv", box.rootfs, box.path("moved")]);
  const { code, stdout, stderr } = await runBare(program);
  assertEquals([code, stdout], [125, ""]);
  assertMatch(stderr, /^paddock: web: cannot [^\n]*rootfs[^\n]*(no such file|ENOENT)[^\n]*\n$/i);
});

test("it says in one line which step failed: a mount's source, a cgroup, a device", async (box) => {
  const source = box.directory("source");
  const program = await compile(box, ["-v", `${source}:/data`, box.rootfs, "true"]);
  Deno.removeSync(source);
  const { code, stderr } = await runBare(program);
  assertEquals(code, 125);
  assertMatch(stderr, /^paddock: web: cannot [^\n]*(source|\/data)[^\n]*\n$/);
});

test("who is not root is told so by it", async (box) => {
  const program = await compile(box, [box.rootfs, "true"]);
  for (let path = program; path !== "/var/tmp"; path = path.slice(0, path.lastIndexOf("/"))) {
    Deno.chmodSync(path, 0o755);
  }
  const { code, stderr } = await runBare(program, {
    under: ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  });
  assertEquals(code, 125);
  assertMatch(stderr, /^paddock: web: cannot [^\n]+\n$/);
});

test("an end for want of memory has the code of it", async (box) => {
  const words = [
    "--memory",
    "24m",
    "--swap",
    "0",
    box.rootfs,
    "dd",
    "if=/dev/zero",
    "of=/dev/null",
    "bs=200M",
    "count=1",
  ];
  assertEquals((await runBare(await compile(box, words))).code, 137);
}, "memory");

test("SIGKILL of it ends its container, and gc removes the rest", async (box) => {
  const nap = `61.${Deno.pid}`;
  const program = await compile(box, ["--name", "victim", box.rootfs, "sleep", nap]);
  const child = new Deno.Command(program, { clearEnv: true, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  const count = async (): Promise<number> =>
    (await call(["pgrep", "-f", `^sleep ${nap}`])).stdout.trim().split("\n").filter(Boolean).length;
  await waitFor("the container", () => findPid(box));
  assertEquals(await count(), 1);
  child.kill("SIGKILL");
  await child.status;
  for (let tries = 0; tries < 100 && await count() > 0; tries++) await new Promise((done) => setTimeout(done, 20));
  assertEquals(await count(), 0);
  assertEquals((await box.paddock.run(["gc"])).code, 0);
});

function findPid(box: Box): string | undefined {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(box.paddock.root)) {
      if (!isDirectory) continue;
      const pid = Deno.readTextFileSync(`${box.paddock.root}/${name}/pid`);
      if (pid !== "") return pid;
    }
  } catch {
    // Not there yet.
  }
  return undefined;
}

test("a container of it is seen by ps and removed by rm --force", async (box) => {
  const program = await compile(box, ["--name", "seen", box.rootfs, "sleep", "60"]);
  const child = new Deno.Command(program, { clearEnv: true, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  await waitFor("the container", () => findPid(box));
  const name = (await box.paddock.run(["ps", "-q"])).stdout.trim();
  assertMatch(name, /^seen-\d+$/);
  const { code, stderr } = await box.paddock.run(["rm", "-f", name]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals((await child.status).code, 137);
});

test("inspect-program lists its steps, as text and as JSON, and needs no root", async (box) => {
  const program = await compile(box, ["--memory", "64m", box.rootfs, "httpd", "-f"]);
  const text = (await box.paddock.run(["inspect-program", program])).stdout;
  for (const word of ["clone(", "pivot_root(", "execve(", "httpd", Deno.build.arch]) assert(text.includes(word), word);
  const found = JSON.parse((await box.paddock.run(["inspect-program", "--json", program])).stdout);
  assertEquals([found.arch, found.name], [Deno.build.arch, "web"]);
  assert(found.steps.length > 100);
  assertEquals(found.steps.filter(({ call }: { call: string }) => call === "clone").length, 1);
});

test("inspect-program --code shows the machine code with its listing, and refuses code that is not ours", async (box) => {
  const program = await compile(box, [box.rootfs, "true"]);
  const { stdout } = await box.paddock.run(["inspect-program", "--code", program]);
  assertMatch(stdout, /^400100 {2}[0-9a-f ]+ {2}mov/);
  assert(stdout.includes(Deno.build.arch === "x86_64" ? "syscall" : "svc"));
  const bytes = Deno.readFileSync(program);
  bytes[0x120] = bytes[0x120]! ^ 1;
  const { code, stderr } = await box.paddock.run(["inspect-program", "--code", box.file("changed", bytes)]);
  assertEquals(code, 125);
  assertMatch(stderr, /changed has other machine code/);
});

test("what it cannot hold is refused: standard input, --trace, --rw-save, no output", async (box) => {
  const refused = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await box.paddock.run(["compile", ...words]);
    assertEquals(code, 125);
    assertMatch(stderr, /^paddock: [^\n]+\n( {2}[^\n]+\n)?$/);
  };
  const output = ["-o", box.path("x")];
  await refused(...output, "-", "true");
  await refused(...output, "--trace", box.rootfs, "true");
  await refused(...output, "--rw-save", box.path("save"), box.rootfs, "true");
  await refused(box.rootfs, "true");
  await refused("-o", "/proc/nowhere/x", box.rootfs, "true");
  await refused(...output, "--memory", "10q", box.rootfs, "true");
  assert(!Deno.statSync(box.paddock.work).isFile);
  assertEquals([...Deno.readDirSync(box.paddock.work)].map(({ name }) => name), ["rootfs"]);
});

test("it needs no root for a directory", async (box) => {
  for (let path = box.paddock.work; path !== "/var/tmp"; path = path.slice(0, path.lastIndexOf("/"))) {
    Deno.chmodSync(path, 0o755);
  }
  await call(["chmod", "-R", "a+rX", box.rootfs]);
  const directory = box.directory("mine");
  Deno.chmodSync(directory, 0o777);
  const under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const options = { under, env: { HOME: directory, DENO_DIR: directory } };
  const program = `${directory}/web`;
  const { code, stderr } = await box.paddock.run(["compile", "-o", program, box.rootfs, "sh", "-c", "exit 5"], options);
  assertEquals(code, 0, stderr);
  assertEquals((await runBare(program)).code, 5);
});

test("a program that is there is replaced, even while it runs", async (box) => {
  const first = await compile(box, [box.rootfs, "sh", "-c", "sleep 0.5; exit 1"]);
  const running = runBare(first);
  const second = await compile(box, [box.rootfs, "sh", "-c", "exit 2"]);
  assertEquals(first, second);
  assertEquals((await runBare(second)).code, 2);
  assertEquals((await running).code, 1);
  assertNotEquals(first, "");
});
