import { assert, assertEquals } from "@std/assert";
import type { Act, Field } from "../program/step.ts";
import type { Process } from "../spec/config.ts";
import { type ConfigOverrides, exampleConfig, writeSteps } from "./config_example.ts";
import { planAffinity, planPolicies } from "./policies.ts";

function plan(overrides: ConfigOverrides): Act[] {
  return planPolicies(exampleConfig(overrides));
}

/** The fields of the struct that the only step of the only act points at. */
function fieldsOf([act]: readonly Act[], place: number): readonly Field[] {
  const arg = act?.steps[0]?.args[place];
  assert(typeof arg === "object" && "block" in arg);
  return arg.block.fields;
}

Deno.test("planPolicies does nothing where nothing is asked for", () => {
  assertEquals(plan({}), []);
});

Deno.test("planPolicies fills struct sched_attr", () => {
  const acts = plan({
    process: {
      scheduler: {
        policy: "SCHED_DEADLINE",
        nice: -5,
        flags: ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"],
        runtime: 10_000,
        deadline: 20_000,
        period: 30_000,
      },
    },
  });
  assertEquals(writeSteps(acts), ["sched_setattr(0, {56 bytes}, 0)"]);
  const values = fieldsOf(acts, 1).map((field) => [field.at, "value" in field ? field.value : undefined]);
  assertEquals(values, [[0, 56], [4, 6], [8, 3], [16, -5], [20, 0], [24, 10_000], [32, 20_000], [40, 30_000]]);
});

Deno.test("planPolicies puts the class of input and output above its priority", () => {
  const acts = plan({ process: { ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 4 } } });
  assertEquals(writeSteps(acts), ["ioprio_set(1, 0, 24580)"]);
  const best = plan({ process: { ioPriority: { class: "IOPRIO_CLASS_BE" } } });
  assertEquals(writeSteps(best), ["ioprio_set(1, 0, 16384)"]);
});

Deno.test("planPolicies gives the kernel mode, flags and a bit for each node", () => {
  const acts = plan({
    linux: { memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0,65", flags: ["MPOL_F_STATIC_NODES"] } },
  });
  assertEquals(writeSteps(acts), ["set_mempolicy(32771, {16 bytes}, 129)"]);
  assertEquals(fieldsOf(acts, 1), [{ at: 0, bytes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0) }]);
  assertEquals(writeSteps(plan({ linux: { memoryPolicy: { mode: "MPOL_LOCAL" } } })), ["set_mempolicy(4, 0, 0)"]);
});

Deno.test("planPolicies knows both personalities", () => {
  assertEquals(writeSteps(plan({ linux: { personality: { domain: "LINUX32" } } })), ["personality(8)"]);
  assertEquals(writeSteps(plan({ linux: { personality: { domain: "LINUX" } } })), ["personality(0)"]);
});

Deno.test("planAffinity keeps an executed process to processors, before its cgroup and after", () => {
  const process: Process = { ...exampleConfig().process, execCPUAffinity: { initial: "0-1", final: "9" } };
  assertEquals(writeSteps(planAffinity(process, "initial")), ["sched_setaffinity(0, 8, {8 bytes})"]);
  assertEquals(fieldsOf(planAffinity(process, "final"), 2), [{ at: 0, bytes: Uint8Array.of(0, 2, 0, 0, 0, 0, 0, 0) }]);
  assertEquals(planAffinity(exampleConfig().process, "final"), []);
});
