import { assert, assertEquals, assertThrows } from "@std/assert";
import { exampleFacts } from "../../host/facts_example.ts";
import type { Config } from "../../spec/config.ts";
import { planContainer } from "../build.ts";
import { actsOf, exampleConfig, exampleSetting, findSteps } from "../config_example.ts";
import { planExecInto } from "../exec.ts";
import { flagsOf } from "./acts.ts";
import { planListener, planReachAgent } from "./listener.ts";

const NOTIFY = { names: ["mkdir"], action: "SCMP_ACT_NOTIFY" } as const;

function configOf(metadata?: string): Config {
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    listenerPath: "/a.sock",
    syscalls: [NOTIFY],
    ...(metadata === undefined ? {} : { listenerMetadata: metadata }),
  } as const;
  return exampleConfig({ linux: { seccomp } });
}

const STATE = { id: "web", status: "creating", bundle: "/ö", annotations: {} } as const;

/** The text that is sent, with the ids written as the launcher does. */
function messageOf(config: Config, pid: number, state: Parameters<typeof planListener>[1] = STATE): string {
  const acts = planListener(config, state, "listener", "ended");
  const width = String(pid).length;
  const steps = findSteps(acts, "@digits").filter(({ args }) => args[2] === width);
  const bytes = steps.map(({ args }) => args[1] as { text: string; offset: number });
  const message = new TextEncoder().encode(bytes[0]!.text);
  for (const { offset } of bytes) message.set(new TextEncoder().encode(String(pid)), offset);
  return new TextDecoder().decode(message);
}

Deno.test("planListener sends a state that is JSON for an id of any length", () => {
  for (const pid of [1, 4321, 4194304]) {
    const state = JSON.parse(messageOf(configOf('"ä"'), pid)) as Record<string, unknown>;
    assertEquals([state["pid"], state["fds"], state["metadata"]], [pid, ["seccompFd"], '"ä"']);
    assertEquals((state["state"] as Record<string, unknown>)["pid"], pid);
    assertEquals((state["state"] as Record<string, unknown>)["bundle"], "/ö");
  }
  assert(!messageOf(configOf(), 1).includes("metadata"), "no metadata, no field");
});

Deno.test("planListener tells the container's process and the further one apart", () => {
  const further = { ...STATE, status: "running", pid: 7, annotations: { a: "b" } } as const;
  const state = JSON.parse(messageOf(configOf(), 99, further)) as { pid: number; state: Record<string, unknown> };
  assertEquals([state.pid, state.state["pid"], state.state["annotations"]], [99, 7, { a: "b" }]);
});

Deno.test("planReachAgent wants a kernel that hands descriptors over, and nothing where nobody is asked", () => {
  assertEquals(planReachAgent(exampleConfig(), exampleFacts()), []);
  assertThrows(() => planReachAgent(configOf(), exampleFacts({ version: [5, 5, 0] })), Error, "Linux 5.6");
});

Deno.test("flagsOf asks for the listener only where the profile has calls for it", () => {
  const profile = { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_TSYNC"] } as const;
  assertEquals(flagsOf(profile), 0x1);
  assertEquals(flagsOf({ ...profile, syscalls: [NOTIFY] }), 0x8 | 0x1 | 0x10);
  const killable = { ...profile, flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] } as const;
  assertEquals([flagsOf(killable), flagsOf({ ...killable, syscalls: [NOTIFY] })], [0, 0x8 | 0x20]);
});

Deno.test("a created container has its filter before it waits, and a further process before it spins", () => {
  const filter = new Uint8Array(8);
  const creation = { fifo: "/fifo", pidFiles: [] };
  const setting = { ...exampleSetting(), filter, listener: STATE };
  const created = actsOf(planContainer(configOf(), exampleFacts(), { ...setting, keep: true, creation }), "container");
  const whats = created.map(({ what }) => what);
  assert(whats.indexOf("filter the system calls") < whats.indexOf("wait to be started"), whats.join("\n"));
  assertEquals(findSteps(created, "seccomp").length, 1);
  const exec = { ...setting, prepared: false, joins: [], detached: true, pidFiles: [] };
  const further = actsOf(planExecInto(configOf(), exampleFacts(), exec), "container").map(({ what }) => what);
  assert(
    further.indexOf("filter the system calls") < further.indexOf("wait until the listener of the filter is taken"),
  );
  assertThrows(() => planContainer(configOf(), exampleFacts(), { ...exampleSetting(), filter }), Error, "bundles only");
});
