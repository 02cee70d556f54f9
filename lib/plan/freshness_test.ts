import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { Plan } from "../program/step.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { againSize, planAnew, planFreshness, STALE } from "./freshness.ts";
import type { CachedRun, Seen } from "./seen.ts";

const SEEN: Seen = {
  files: [{ path: "/etc/resolv.conf", bytes: new TextEncoder().encode("search x\n") }, { path: "/none" }],
  rootFiles: { root: "/images/web", files: [{ path: "/etc/passwd", bytes: new Uint8Array(3) }] },
  inodes: [{ path: "./web", statx: new Uint8Array(256), whole: false }],
  utsname: new Uint8Array(390),
  capabilities: new Uint8Array(24),
  swapTotal: 4096,
  terminal: false,
};

const CACHED: CachedRun = {
  seen: SEEN,
  stateRoot: "/run/paddock",
  config: "{}",
  record: { id: "web-0000000" },
  anew: { file: "/usr/bin/paddock", argv: ["paddock", "run", "./web"] },
};

function stepsOf(seen: Partial<Seen>, what: string): string[] {
  const acts = planFreshness({ ...CACHED, seen: { ...SEEN, ...seen } }).acts;
  return writeSteps(acts.filter((act) => act.what.includes(what)));
}

function planCached(): Plan {
  const setting = { ...exampleSetting(), id: "web-0000000", prepared: false, cached: CACHED };
  return planContainer(exampleConfig(), exampleFacts(), setting);
}

Deno.test("a file that was read is read to its end and compared; one that was missing must be missing", () => {
  assertEquals(stepsOf({}, "/etc/resolv.conf"), [
    'openat(-100, "/etc/resolv.conf", O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC, 0)',
    "@store(&again.at, &again)",
    "read(<again.0>, again.at, 10)",
    "@add(again.at, <1 back>)",
    "@store(&again.at, <1 back>)",
    "@sub(<1 back>, &again+9)",
    "@sub(again.at, &again+9)",
    "@same(&again, {9 bytes}, 9)",
    "close(<again.0>)",
  ]);
  const [missing] = planFreshness(CACHED).acts.filter(({ what }) => what.includes("/none"));
  const [step, ...others] = missing!.steps;
  assertEquals(others, []);
  assertEquals([step?.onNegative, step?.onZero, step?.onPositive], ["end", STALE, STALE]);
});

Deno.test("files of a rootfs are looked up inside it", () => {
  assertStringIncludes(stepsOf({}, "/etc/passwd")[0]!, 'openat2(<again.root>, "etc/passwd"');
});

Deno.test("of a directory the identity counts, of an archive its size and times as well", () => {
  assertEquals(stepsOf({}, "./web").slice(1), [
    "@same(&again+32, {8 bytes}, 8)",
    "@same(&again+136, {8 bytes}, 8)",
  ]);
  const inodes = [{ path: "./web", statx: new Uint8Array(256), whole: true }];
  assertEquals(stepsOf({ inodes }, "./web").slice(3), [
    "@same(&again+40, {8 bytes}, 8)",
    "@same(&again+96, {32 bytes}, 32)",
  ]);
});

Deno.test("whether it is a terminal is looked at where that decided something", () => {
  const { terminal: _, ...indifferent } = SEEN;
  const count = (seen: Seen) =>
    planFreshness({ ...CACHED, seen }).acts.filter(({ what }) => what.includes("terminal")).length;
  assertEquals([count(SEEN), count(indifferent)], [1, 0]);
  assertEquals(stepsOf({ terminal: true }, "terminal").length, 2);
});

Deno.test("what is different leads to paddock as it was called, with its caller's environment", () => {
  const { fault } = planFreshness(CACHED);
  const anew = planAnew(CACHED);
  assertEquals([fault, anew.steps[0]?.label], [STALE, STALE]);
  assertEquals(writeSteps([anew])[2], 'execve("/usr/bin/paddock", {32 bytes}, <1 back>)');
});

Deno.test("everything is looked at before anything is made, and a directory of that name is another's", () => {
  const { sections } = planCached();
  assertEquals(sections.slice(0, 2).map(({ title }) => title), ["whether all is as it was", "before the container"]);
  const made = sections[1]!.acts.find(({ what }) => what.startsWith("make the state directory"));
  assertEquals(made?.steps[0]?.onNegative, "giveUp");
});

Deno.test("what fails before the command has begun is cleaned up and worked out anew; later it is told", () => {
  const plan = planCached();
  const whats = plan.sections.at(-1)!.acts.map(({ what }) => what);
  const order = ["see whether the command has begun", "give up the lock", "execute paddock", "write /run/paddock"];
  const places = order.map((what) => whats.findIndex((found) => found.startsWith(what)));
  assertEquals(places, [...places].sort((a, b) => a - b));
  assert(places.every((place) => place >= 0), whats.join("\n"));
  assert(assemble(plan).length > 10_000);
});

Deno.test("there is room to read a file to twice its length before it is seen to be longer", () => {
  const bytes = new Uint8Array(40_000);
  assertEquals(againSize({ ...CACHED, seen: { ...SEEN, files: [{ path: "/long", bytes }] } }), 80_002);
  assertEquals(againSize(CACHED), 32_768);
});
