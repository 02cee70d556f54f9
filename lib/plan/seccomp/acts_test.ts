import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../../base/errors.ts";
import { exampleFacts } from "../../host/facts_example.ts";
import type { Seccomp } from "../../spec/config.ts";
import { ANNOTATIONS } from "../../spec/from_options.ts";
import { planContainer } from "../build.ts";
import { actsOf, exampleConfig, exampleSetting, writeSteps } from "../config_example.ts";
import { flagsOf, hasFilter, planSeccomp } from "./acts.ts";

const PROGRAM = new Uint8Array(16);
const PROFILE: Seccomp = { defaultAction: "SCMP_ACT_ALLOW" };
const DEFAULT = { annotations: { [ANNOTATIONS.seccomp]: "default" } };

Deno.test("planSeccomp makes one call, with the program as a struct", () => {
  const [act] = planSeccomp(exampleConfig({ linux: { seccomp: PROFILE } }), exampleFacts(), PROGRAM);
  assertEquals(writeSteps([act!]), ["seccomp(1, 4, {16 bytes})"]);
  assertEquals(planSeccomp(exampleConfig(), exampleFacts(), undefined), []);
});

Deno.test("hasFilter: a profile, or the annotation of the default", () => {
  assertEquals(hasFilter(exampleConfig()), false);
  assertEquals(hasFilter(exampleConfig(DEFAULT)), true);
  assertEquals(hasFilter(exampleConfig({ linux: { seccomp: PROFILE } })), true);
});

Deno.test("flagsOf knows the kernel's numbers; without flags programs are not slowed down", () => {
  assertEquals(flagsOf(undefined), 4);
  assertEquals(flagsOf({ ...PROFILE, flags: [] }), 0);
  assertEquals(flagsOf({ ...PROFILE, flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"] }), 3);
});

Deno.test("planSeccomp refuses where the kernel has no filters", () => {
  const facts = exampleFacts({ has: { seccomp_filter: false } });
  const config = exampleConfig({ linux: { seccomp: PROFILE } });
  assertThrows(() => planSeccomp(config, facts, PROGRAM), PaddockError, "no filters of system calls");
});

Deno.test("planContainer puts the filter on last: nothing but the exec comes after it", () => {
  for (const noNewPrivileges of [false, true]) {
    for (const init of [false, true]) {
      const config = exampleConfig({ ...DEFAULT, process: { noNewPrivileges, user: { uid: 5, gid: 5 } } });
      const setting = exampleSetting({ init, filter: PROGRAM });
      const acts = actsOf(planContainer(config, exampleFacts(), setting), "container");
      const at = acts.findIndex(({ what }) => what === "filter the system calls");
      const after = acts.slice(at + 1).map(({ what }) => what);
      assertEquals(after, [init ? "execute init" : "execute true", "note which step failed"]);
      const calls = acts.slice(at + 1).flatMap(({ steps }) => steps.map(({ call }) => call));
      const made = new Set(calls.filter((call) => !call.startsWith("@")));
      assertEquals([...made], [init ? "execveat" : "execve", "exit_group"]);
    }
  }
});
