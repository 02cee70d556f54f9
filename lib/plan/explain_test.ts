import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { exampleAct, examplePlan } from "../program/plan_example.ts";
import { step, text } from "../program/step.ts";
import { planContainer } from "./build.ts";
import { actsOf, exampleConfig, exampleSetting } from "./config_example.ts";
import { explainAsJson, explainAsShell, explainAsSyscalls } from "./explain.ts";

const PLAN = planContainer(
  exampleConfig({ linux: { resources: { memory: { limit: 100 * 2 ** 20 } } } }),
  exampleFacts(),
  exampleSetting(),
);

Deno.test("explainAsShell prints every command with its reason, in the order in which it is done", () => {
  const script = explainAsShell(PLAN);
  const lines = script.split("\n");
  const after = (word: string) => {
    const at = lines.findIndex((line) => line.includes(word));
    assert(at > 0, word);
    return at;
  };
  const places = ["memory.max", "unshare --mount", "mount -t proc", "pivot_root . .", "setpriv --reuid=0", "exec true"]
    .map(after);
  assertEquals(places, places.toSorted((a, b) => a - b));
  for (const act of actsOf(PLAN)) for (const command of act.shell) assert(script.includes(command), command);
});

Deno.test("explainAsShell puts a comment before each command, and none is longer than a terminal is wide", () => {
  const lines = explainAsShell(PLAN).split("\n");
  for (const line of lines.filter((found) => found.startsWith("# "))) assert(line.length <= 100, line);
  assertEquals(lines[0], "# web: what paddock would do, as shell commands");
  const at = lines.indexOf('mount -t proc -o nosuid,noexec,nodev proc "$ROOT"/proc');
  assert(lines[at - 1]?.startsWith("# "), lines[at - 1]);
});

Deno.test("explainAsShell gives unshare its here-document, and ends it after the container's last command", () => {
  const lines = explainAsShell(PLAN).split("\n");
  const begin = lines.findIndex((line) => line.endsWith("sh <<'container'"));
  const end = lines.findIndex((line, index) => index > begin && line === "container");
  assert(begin > 0 && end > begin);
  assert(lines.slice(begin, end).includes("exec true"));
});

Deno.test("explainAsShell leaves out what a shell has no words for", () => {
  const act = { ...exampleAct("secret", step("getpid", [])), shell: [] };
  assertEquals(explainAsShell(examplePlan([act])).includes("secret"), false);
});

Deno.test("explainAsSyscalls prints every step of the plan, with where it goes", () => {
  const printed = explainAsSyscalls(PLAN);
  const count = PLAN.sections.flatMap(({ acts }) => acts.flatMap(({ steps }) => steps)).length;
  assertEquals(printed.split("\n").filter((line) => line.startsWith("    ")).length, count);
  assert(printed.includes('    pivot_root(".", ".")\n'));
  assert(/clone\(CLONE_VM\|.*; label clone, 0 → container, >0 → started/.test(printed));
  assert(printed.includes("### the container (in the container's new namespaces)"));
  assert(printed.includes("### before the container (on the host)"));
});

Deno.test("explainAsJson is the whole plan, with numbers beyond JSON's as strings and bytes in base 64", () => {
  const block = { size: 8, fields: [{ at: 0, bytes: new Uint8Array([1, 2, 255]) }] };
  const plan = examplePlan([exampleAct("a", step("write", [2n ** 63n, text("x"), { block }]))]);
  const { args } = JSON.parse(explainAsJson(plan)).sections[0].acts[0].steps[0];
  assertEquals(args[0], "9223372036854775808");
  assertEquals(args[2].block.fields[0].bytes, "AQL/");
  const read = JSON.parse(explainAsJson(PLAN));
  assertEquals(read.name, "web");
  assertEquals(read.cgroupPaths, PLAN.cgroupPaths);
  assertEquals(read.sections.length, PLAN.sections.length);
});
