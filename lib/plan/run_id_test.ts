import { assertEquals } from "@std/assert";
import { exampleAct, examplePlan } from "../program/plan_example.ts";
import { step, text } from "../program/step.ts";
import { writeSteps } from "./config_example.ts";
import { withRunId } from "./run_id.ts";

const ID = "web-0000000";

Deno.test("withRunId writes the process id over the digits in every text that has the id", () => {
  const plan = examplePlan([
    exampleAct("a", step("mkdirat", [-100, text(`/run/paddock/${ID}`), 0o700]), step("chdir", [text("/")])),
    exampleAct("b", step("mkdirat", [-100, text(`/run/paddock/${ID}`), 0]), step("chdir", [text(`/ü/${ID}/${ID}`)])),
  ]);
  const { sections } = withRunId(plan, ID);
  const [act, ...others] = sections[0]!.acts;
  assertEquals(act?.what, "number this run");
  assertEquals(writeSteps([act!]), [
    "getpid()",
    `@digits(<1 back>, "/run/paddock/${ID}"+17, 7)`,
    // Bytes, not letters: ü has two of them.
    `@digits(<2 back>, "/ü/${ID}/${ID}"+8, 7)`,
    `@digits(<3 back>, "/ü/${ID}/${ID}"+20, 7)`,
  ]);
  assertEquals(others, plan.sections[0]?.acts);
});

Deno.test("withRunId finds texts in structs, in structs of structs too", () => {
  const inner = { block: { size: 8, fields: [{ at: 0, size: 8, value: text(`HOSTNAME=${ID}`) }] } } as const;
  const outer = { block: { size: 8, fields: [{ at: 0, size: 8, value: inner }] } } as const;
  const plan = withRunId(examplePlan([exampleAct("a", step("execve", [text("/bin/sh"), outer, 0]))]), ID);
  assertEquals(writeSteps(plan.sections[0]!.acts)[1], `@digits(<1 back>, "HOSTNAME=${ID}"+13, 7)`);
});

Deno.test("withRunId leaves a plan without sections alone", () => {
  const plan = { ...examplePlan([]), sections: [] };
  assertEquals(withRunId(plan, ID), plan);
});

Deno.test("withRunId finds the id in the bytes of a struct: the program of an init has it in its environment", () => {
  const bytes = new TextEncoder().encode(`...HOSTNAME=${ID}\0${ID}`);
  const block = { size: 100, fields: [{ at: 8, bytes }] };
  const plan = withRunId(examplePlan([exampleAct("a", step("write", [1, { block }, 100]))]), ID);
  const [, ...digits] = plan.sections[0]!.acts[0]!.steps;
  assertEquals(digits.map(({ args }) => args), [
    [{ previous: 1 }, { block, offset: 24 }, 7],
    [{ previous: 2 }, { block, offset: 36 }, 7],
  ]);
});
