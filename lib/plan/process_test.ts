import { assert, assertEquals } from "@std/assert";
import { exampleConfig, writeSteps } from "./config_example.ts";
import { candidates, planDirectory, planDirectoryCheck, planExec, planSession, resetSignals } from "./process.ts";

Deno.test("candidates takes a command with a slash as it is, and looks for others in each directory of PATH", () => {
  const of = (args: string[], env: string[]) => candidates(exampleConfig({ process: { args, env } }));
  assertEquals(of(["./run"], ["PATH=/bin"]), ["./run"]);
  assertEquals(of(["/bin/sh"], []), ["/bin/sh"]);
  assertEquals(of(["sh"], ["PATH=/a:/b"]), ["/a/sh", "/b/sh"]);
  // An empty entry of PATH is the current directory, and of two PATHs the last one holds.
  assertEquals(of(["sh"], ["PATH=/a", "PATH=/b::"]), ["/b/sh", "./sh", "./sh"]);
  assertEquals(of(["sh"], ["XPATH=/a"])[0], "/usr/local/sbin/sh");
  assertEquals(of(["sh"], ["PATH="]).length, 6);
});

Deno.test("planExec tries each candidate: what is not there leads on, what refuses is remembered", () => {
  const act = planExec(exampleConfig({ process: { args: ["sh", "-c", "true"], env: ["PATH=/a:/b"] } }));
  assertEquals(writeSteps([act]), [
    'execve("/a/sh", {32 bytes}, {16 bytes})',
    "@add(<1 back>, 2)",
    "@add(<2 back>, 20)",
    "@store(&refused, <3 back>)",
    "@add(0, 0)",
    'execve("/b/sh", {32 bytes}, {16 bytes})',
    "@add(<1 back>, 2)",
    "@add(<2 back>, 20)",
    "@store(&refused, <3 back>)",
    "@add(0, 0)",
    "@store(&code, 127)",
    "@add(refused, 0)",
    "@store(&code, 126)",
    "@sub(refused, 0)",
    "@sub(0, 2)",
  ]);
  assertEquals(act.what, "execute sh -c true");
  assertEquals(act.steps.slice(-2).map(({ onNegative }) => onNegative), ["container.fault", "container.fault"]);
});

Deno.test("planDirectory makes the working directory part by part and enters it; a refusal is looked at later", () => {
  const [act] = planDirectory(exampleConfig({ process: { cwd: "/srv/my app" } }));
  assertEquals(writeSteps([act!]), [
    'mkdirat(-100, "/srv", 0755)',
    'mkdirat(-100, "/srv/my app", 0755)',
    'chdir("/srv/my app")',
  ]);
  assert(act!.steps.every(({ onNegative }) => onNegative === "next"));
  assertEquals(act!.shell, ["mkdir -p '/srv/my app' && cd '/srv/my app'"]);
});

Deno.test("planDirectoryCheck enters it as the user where root could not, and wants the kernel's name of it to be absolute", () => {
  const act = planDirectoryCheck(exampleConfig({ process: { cwd: "/srv" } }));
  assertEquals(writeSteps([act]), [
    "@add(<chdir>, 0)",
    'chdir("/srv")',
    "getcwd(&path, 4096)",
    "@and(path, 255)",
    "@sub(<1 back>, 47)",
    'chdir("")',
  ]);
  assertEquals(act.steps[4]?.onZero, "end");
  assertEquals(act.steps[5]?.onNegative, undefined);
});

Deno.test("planSession makes the child die with its launcher before it does anything else", () => {
  const lines = writeSteps(planSession());
  assertEquals(lines[0], "prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)");
  assert(lines.includes("setsid()") && lines.includes("umask(0)"));
});

Deno.test("resetSignals sets all 64 signals to their default and unblocks them", () => {
  const act = resetSignals();
  const lines = writeSteps([act]);
  assert(lines.includes("@sub(counter, 65)"));
  assert(lines.includes("rt_sigprocmask(SIG_SETMASK, {8 bytes}, 0, 8)"));
  // SIGKILL and SIGSTOP cannot be set.
  assertEquals(act.steps.find(({ call }) => call === "rt_sigaction")?.onNegative, "next");
});

Deno.test("resetSignals asks again to die with the launcher: a change of user makes the kernel forget it", () => {
  assertEquals(writeSteps([resetSignals()]).at(-1), "prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)");
});
