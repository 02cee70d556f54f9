/**
 * The filter of system calls as a container meets it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assemble } from "../lib/program/assemble.ts";
import { exampleAct, examplePlan } from "../lib/program/plan_example.ts";
import { errnoNumber } from "../lib/base/errno.ts";
import { quoteCommand } from "../lib/base/text.ts";
import { type Arg, previous, step } from "../lib/program/step.ts";
import { Box } from "./support/box.ts";
import { requires } from "./support/requires.ts";
import { ENDINGS } from "./support/small_launcher.ts";
import { Terminal } from "./support/terminal.ts";

function test(name: string, fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `seccomp: ${name}`,
    ...requires("root", "tool:busybox", "tool:script"),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Puts a program into the rootfs that makes one call, and ends with the number of its error, or 0. */
function putCall(box: Box, name: string, call: string, args: readonly Arg[]): void {
  const steps = [
    step(call, args, { onNegative: "refused", onZero: "good", onPositive: "good" }),
    step("@sub", [0, previous()], { label: "refused" }),
    step("exit_group", [previous()]),
  ];
  const plan = examplePlan([exampleAct("try", ...steps), ENDINGS], { arch: Deno.build.arch, fault: "fault" });
  box.file(`rootfs/bin/${name}`, assemble(plan), 0o755);
}

const STATUS = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\t' | tr '\\n' ' '";

const VARIANTS: readonly (readonly [flags: readonly string[], noNewPrivileges: 0 | 1])[] = [
  [[], 0],
  [["--security-opt", "no-new-privileges"], 1],
  [["-u", "5:6"], 0],
  [["-u", "5:6", "--security-opt", "no-new-privileges"], 1],
  [["-u", "5:6", "--cap-drop", "all"], 0],
  [["--cap-drop", "all"], 0],
  [["--init"], 0],
  [["--init", "-u", "5", "--security-opt", "no-new-privileges"], 1],
  [["--cap-add", "sys_admin"], 0],
  [["--cap-add", "all"], 0],
  [["--userns", "0:100000:65536"], 0],
  [["--read-only", "--network", "host", "--pid", "host"], 0],
];

for (const [flags, noNewPrivileges] of VARIANTS) {
  test(`is on: ${flags.join(" ") || "no flags"}`, async (box) => {
    assertEquals(await box.out(STATUS, flags), `NoNewPrivs:${noNewPrivileges} Seccomp:2 `);
  });
}

test("is off where the user says so, and for a privileged container", async (box) => {
  for (const flags of [["--security-opt", "seccomp=unconfined"], ["--privileged"]]) {
    assertEquals(await box.out(STATUS, flags), "NoNewPrivs:0 Seccomp:0 ", flags.join(" "));
  }
});

test("capabilities are as asked for: what was kept for the filter is gone after the exec", async (box) => {
  const look = "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status";
  const off = ["--security-opt", "seccomp=unconfined"];
  for (const flags of [[], ["-u", "5"], ["--cap-drop", "all"], ["-u", "5", "--cap-add", "sys_admin"], ["--init"]]) {
    assertEquals(await box.out(look, flags), await box.out(look, [...flags, ...off]), flags.join(" "));
  }
});

const CLONE_NEWUSER = 0x10000000;
const EPERM = errnoNumber("EPERM");

test("refuses what it should with EPERM, and clone3 as if it were not there", async (box) => {
  putCall(box, "try-keyctl", "keyctl", [0, -3, 0]);
  putCall(box, "try-unshare", "unshare", [CLONE_NEWUSER]);
  putCall(box, "try-clone", "clone", [CLONE_NEWUSER + 17, 0, 0, 0, 0]);
  putCall(box, "try-clone3", "clone3", [0, 0]);
  putCall(box, "try-mount", "mount", [0, 0, 0, 0, 0]);
  putCall(box, "try-bpf", "bpf", [0, 0, 0]);
  for (const name of ["keyctl", "unshare", "clone", "mount", "bpf"]) {
    assertEquals((await box.run([`/bin/try-${name}`])).code, EPERM, name);
  }
  assertEquals((await box.run(["/bin/try-clone3"])).code, errnoNumber("ENOSYS"));
  // The capability brings its calls: the kernel itself has the word again.
  const flags = ["--cap-add", "sys_admin"];
  assertEquals((await box.run(["/bin/try-clone3"], flags)).code, errnoNumber("EINVAL"));
  assertEquals((await box.run(["/bin/try-unshare"], flags)).code, 0);
  assertEquals((await box.run(["/bin/try-keyctl"], flags)).code, EPERM);
  assertEquals(await box.out("mount -t tmpfs x /tmp && echo mounted", flags), "mounted\n");
});

test("is on at a terminal", async (box) => {
  const terminal = new Terminal(quoteCommand(box.paddock.command(["run", "-t", box.rootfs, "sh", "-c", STATUS])));
  await terminal.see(/Seccomp:2/);
  assertEquals(await terminal.end(), 0);
});

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly op: string }[];
}

function putProfile(box: Box, defaultAction: string, ...syscalls: readonly Rule[]): string[] {
  return ["--security-opt", `seccomp=${box.file("profile.json", JSON.stringify({ defaultAction, syscalls }))}`];
}

test("a profile of one's own decides, by arguments too", async (box) => {
  const flags = putProfile(
    box,
    "SCMP_ACT_ALLOW",
    { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: errnoNumber("EDQUOT") },
    {
      names: ["kill"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: errnoNumber("EXDEV"),
      args: [{ index: 1, value: 12, op: "SCMP_CMP_EQ" }],
    },
    { names: ["sethostname"], action: "SCMP_ACT_KILL_PROCESS" },
  );
  assertMatch((await box.sh("mkdir /tmp/x", flags)).stderr, /[Qq]uota/);
  putCall(box, "try-kill", "kill", [0, 12]);
  assertEquals((await box.run(["/bin/try-kill"], flags)).code, errnoNumber("EXDEV"));
  assertEquals((await box.sh("kill -0 $$", flags)).code, 0);
  const { code, stderr } = await box.sh("exec hostname x", flags);
  assertEquals(code, 128 + 31);
  assertStringIncludes(stderr, "SIGSYS: it made a system call that is forbidden here");
});

test("a profile needs to allow nothing of paddock's own, only the command's calls", async (box) => {
  putCall(box, "quiet", "getpid", []);
  // `getpid` gives a number above 0, and the program ends with 0.
  const rules = { names: ["execve", "execveat", "getpid", "exit_group"], action: "SCMP_ACT_ALLOW" };
  const flags = putProfile(box, "SCMP_ACT_KILL_PROCESS", rules);
  for (const more of [[], ["-u", "5"], ["--security-opt", "no-new-privileges"], ["--cap-drop", "all"]]) {
    assertEquals((await box.run(["/bin/quiet"], [...flags, ...more])).code, 0, more.join(" "));
  }
});

test("a profile that forbids even the exec ends in words, and leaves nothing", async (box) => {
  const { code, stderr } = await box.run(["/bin/true"], putProfile(box, "SCMP_ACT_ERRNO"));
  assertEquals(code, 126);
  assertMatch(stderr, /cannot execute|seccomp/);
  assertEquals((await box.paddock.run(["ps", "-a", "-q"])).stdout, "");
});

test("a file that is no profile is refused in words", async (box) => {
  const flags = (text: string) => ["--security-opt", `seccomp=${box.file("bad.json", text)}`];
  for (const [text, words] of [["{", "it is no JSON"], ['{"defaultAction":"X"}', "defaultAction: needs one of"]]) {
    const { code, stderr } = await box.run(["true"], flags(text!));
    assertEquals(code, 125);
    assertStringIncludes(stderr, words!);
  }
});

test("a compiled launcher has the filter, and stays small", async (box) => {
  const output = box.path("launcher");
  assertEquals((await box.paddock.run(["compile", "-o", output, box.rootfs, "sh", "-c", STATUS])).code, 0);
  const { stdout } = await new Deno.Command(output).output();
  assertStringIncludes(new TextDecoder().decode(stdout), "Seccomp:2");
  assert(Deno.statSync(output).size < 60_000);
});

test("explain shows it, with its reason", async (box) => {
  const { stdout } = await box.paddock.run(["explain", "--syscalls", box.rootfs, "true"]);
  assertStringIncludes(stdout, "# filter the system calls");
  assertStringIncludes(stdout, "seccomp(1, 4, {16 bytes})");
});
