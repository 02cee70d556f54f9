import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { Plan } from "../program/step.ts";
import type { Config, Hooks } from "../spec/config.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting } from "./config_example.ts";

const CREATION = { fifo: "/run/paddock/web/exec.fifo", pidFiles: [], report: "/run/paddock/web/report" };

function plan(hooks: Hooks, created: boolean, more: Partial<Config["linux"]> = {}): Plan {
  const base = exampleConfig();
  const config = { ...base, hooks, linux: { ...base.linux, ...more } };
  const setting = { ...exampleSetting(), keep: created, bundle: "/bundle" };
  const creation = created ? CREATION : { ...CREATION, then: "watch" as const };
  return planContainer(config, exampleFacts(), { ...setting, creation });
}

function whats(plan: Plan, side: "launcher" | "container"): string[] {
  return plan.sections.filter((section) => section.side === side).flatMap(({ acts }) => acts.map(({ what }) => what));
}

const ALL: Hooks = {
  prestart: [{ path: "/h/pre" }],
  createRuntime: [{ path: "/h/runtime", timeout: 3 }],
  createContainer: [{ path: "/h/container" }],
  startContainer: [{ path: "/start" }, { path: "/start2" }],
  poststart: [{ path: "/h/post" }],
  poststop: [{ path: "/h/stop" }],
};

Deno.test("each hook is run by the side whose namespaces it belongs to, in the order of the spec", () => {
  for (const created of [true, false]) {
    const all = plan(ALL, created);
    const launcher = whats(all, "launcher").filter((what) => what.startsWith("run "));
    assertEquals(launcher, [
      "run prestart hook #0 (/h/pre)",
      "run createRuntime hook #0 (/h/runtime)",
      // Nobody but `start` is there later where the container is created first.
      ...(created ? [] : ["run poststart hook #0 (/h/post)"]),
    ]);
    const container = whats(all, "container");
    const place = (word: string) => container.findIndex((what) => what.startsWith(word));
    assert(place("wait for the runtime's hooks") < place("run createContainer hook #0"));
    assert(place("run createContainer hook #0") < place("pivot into the rootfs"));
    assert(place("pivot into the rootfs") < place("run startContainer hook #0"));
    assert(place("run startContainer hook #0") < place("run startContainer hook #1"));
    assert(place("run startContainer hook #1") < container.findLastIndex((what) => what.startsWith("execute ")));
    assert(place("wait to be started") < place("run startContainer hook #0"));
    assert(assemble(all).length > 10_000);
  }
});

Deno.test("without hooks a plan has no step for them", () => {
  assertEquals(plan({}, true), plan({ prestart: [] }, true));
  assert(
    ![...whats(plan({}, true), "launcher"), ...whats(plan({}, true), "container")].some((w) => w.includes("hook")),
  );
});

Deno.test("a hook has its own words and environment; startContainer without one has the command's", () => {
  const hook = { path: "/h", args: ["name", "x"], env: ["A=b"] };
  const texts = (hooks: Hooks) => {
    const found = plan(hooks, true).sections.flatMap(({ acts }) => acts).filter(({ what }) => what.startsWith("run "))
      .flatMap(({ steps }) => steps).find(({ call }) => call === "execve")!;
    return found.args.map((arg) => JSON.stringify(arg));
  };
  const [path, args, env] = texts({ createRuntime: [hook] });
  assertEquals(path, '{"text":"/h"}');
  assert(args!.includes('"name"') && args!.includes('"x"') && !args!.includes('"/h"'));
  assert(env!.includes('"A=b"'));
  const [own] = exampleConfig().process.env;
  assert(texts({ startContainer: [{ path: "/h" }] })[2]!.includes(own!));
  assert(!texts({ createContainer: [{ path: "/h" }] })[2]!.includes(own!));
  assert(!texts({ startContainer: [hook] })[2]!.includes(own!));
});

Deno.test("hooks of the runtime go back to the namespaces that the launcher has left", () => {
  const calls = (more: Partial<Config["linux"]>) =>
    plan({ createRuntime: [{ path: "/h" }] }, true, more).sections.flatMap(({ acts }) => acts)
      .filter(({ what }) => what.startsWith("run ")).flatMap(({ steps }) => steps).map(({ call }) => call);
  assert(!calls({}).includes("setns"));
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const namespaces = [...exampleConfig().linux.namespaces, { type: "user" } as const];
  assertEquals(
    calls({ namespaces, uidMappings: maps, gidMappings: maps }).filter((call) => call === "setns").length,
    1,
  );
});
