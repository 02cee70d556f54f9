import { assert, assertEquals } from "@std/assert";
import { decodeProgram } from "../program/decode.ts";
import { exampleConfig, findSteps, writeSteps } from "./config_example.ts";
import { initProgram, planInit, planInitFile } from "./init.ts";

const CONFIG = exampleConfig({ process: { args: ["server", "--port", "80"], env: ["PATH=/a:/b"] } });

Deno.test("planInit executes a sealed program from memory, so that the image needs nothing of it", () => {
  const acts = [planInitFile(CONFIG, "x86_64"), planInit(CONFIG)];
  const lines = writeSteps(acts);
  assertEquals(lines.map((line) => line.split("(")[0]), ["memfd_create", "write", "fcntl", "execveat"]);
  assert(lines.includes("fcntl(<init>, F_ADD_SEALS, 15)"));
  const [write] = findSteps(acts, "write");
  const block = write!.args[1];
  assert(typeof block === "object" && "block" in block);
  const [field] = block.block.fields;
  assert(field !== undefined && "bytes" in field);
  assertEquals(decodeProgram(field.bytes).name, "init");
  assertEquals(write!.args[2], field.bytes.length);
});

Deno.test("initProgram starts the command as its child, in a process group that has the terminal", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const { steps } = decodeProgram(initProgram(CONFIG, arch));
    const calls = steps.map(({ call }) => call);
    assert(calls.indexOf("clone") < calls.indexOf("setpgid") && calls.indexOf("setpgid") < calls.indexOf("execve"));
    const paths = steps.filter(({ call }) => call === "execve").map(({ args }) => args[0]?.text);
    assertEquals(paths, ["/a/server", "/b/server"]);
  }
});

Deno.test("initProgram reaps every child that there is, and ends with its command", () => {
  const { steps } = decodeProgram(initProgram(CONFIG, "x86_64"));
  const reap = steps.find(({ call, args }) => call === "wait4" && args[0]?.value === -1n)!;
  const next = steps[reap.index + 1]!;
  // Another process than the command: once more, for one signal may stand for many.
  assertEquals([next.targets[0], next.targets[2]], [reap.index, reap.index]);
  const watch = steps.find(({ call }) => call === "rt_sigtimedwait")!;
  assertEquals(reap.targets[1], watch.index);
});
