import { assertEquals } from "@std/assert";
import { assemble } from "./assemble.ts";
import { decodeProgram, type Program } from "./decode.ts";
import { formatDecoded, formatStep } from "./format.ts";
import { exampleAct, examplePlan } from "./plan_example.ts";
import { flags, previous, result, type Step, step, text } from "./step.ts";

const MOUNT = step("mount", [
  text("proc"),
  { text: "/proc/self/fd/100", offset: 6 },
  0,
  flags("MS_NOSUID", "MS_NODEV"),
  { block: { size: 8, fields: [] } },
]);

Deno.test("formatStep writes a step in the way of strace", () => {
  assertEquals(formatStep(MOUNT), 'mount("proc", "/proc/self/fd/100"+6, 0, MS_NOSUID|MS_NODEV, {8 bytes})');
  assertEquals(formatStep(step("umount2", [text("."), flags()])), 'umount2(".", 0)');
  assertEquals(
    formatStep(step("@store", [{ region: "memory", offset: 8 }, { load: "memory", offset: 16 }])),
    "@store(&memory+8, memory[16])",
  );
  assertEquals(formatStep(step("close", [previous(2)])), "close(<2 back>)");
  assertEquals(formatStep(step("dup3", [result("root"), -1, 0xffffffffn])), "dup3(<root>, -1, 0xffffffff)");
  assertEquals(formatStep(step("madvise", [{ step: "container" }, { region: "path" }])), "madvise(&container, &path)");
});

Deno.test("formatStep quotes what is in a text and cuts what is long", () => {
  assertEquals(formatStep(step("write", [2, text('say "hi"\n'), 9])), 'write(2, "say \\"hi\\"\\n", 9)');
  assertEquals(formatStep(step("chdir", [text("x".repeat(200))])), `chdir("${"x".repeat(120)}…")`);
});

function compile(...steps: Step[]): Program {
  return decodeProgram(assemble(examplePlan([exampleAct("act", ...steps)])));
}

Deno.test("formatDecoded writes a step of a launcher's file in the same way", () => {
  const program = compile(
    step("openat", [-100, text("/etc"), flags("O_PATH", "O_CLOEXEC")]),
    step("close", [previous()]),
  );
  assertEquals(program.steps.map((found) => formatDecoded(program, found)), [
    'openat(-100, "/etc", O_CLOEXEC|O_PATH)',
    "close(<step 0>)",
  ]);
});

Deno.test("formatDecoded with results shows what each step gave and what the next one took of it", () => {
  const program = compile(step("openat", [-100, text("/etc")]), step("close", [previous()]));
  const steps = [{ ...program.steps[0]!, result: 5 }, { ...program.steps[1]!, result: -9 }];
  const lines = steps.map((found) => formatDecoded({ ...program, steps }, found, { results: true }));
  assertEquals(lines, ['openat(-100, "/etc") = 5', "close(5) = -1 EBADF"]);
});
