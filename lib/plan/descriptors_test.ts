import { assert, assertEquals, assertThrows } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { actsOf, exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planContainer } from "./build.ts";
import { planClosingOthers, planPreserved } from "./descriptors.ts";
import { planKeyring, sessionKeyring } from "./keyring.ts";
import { planPidfdSocket, planSendPidfd } from "./sockets.ts";

Deno.test("planPreserved moves descriptors back to where the caller had them, and nothing where there are none", () => {
  assertEquals(planPreserved(), []);
  assertEquals(planPreserved(2)[0]?.what, "hand on the descriptors 3 to 4");
});

Deno.test("planClosingOthers leaves the preserved ones alone, and the lock where it is held", () => {
  assertEquals(writeSteps([planClosingOthers(2, true)]).slice(0, 2), [
    "close_range(4, 255, 0)",
    "close_range(258, 0xffffffff, 0)",
  ]);
  assertEquals(writeSteps([planClosingOthers(1, false)])[0], "close_range(3, 255, 0)");
});

Deno.test("descriptors are moved back when the lock is closed, and before the filter and the exec", () => {
  const setting = { ...exampleSetting(), preserved: 1 };
  const whats = actsOf(planContainer(exampleConfig(), exampleFacts(), setting), "container").map(({ what }) => what);
  const at = (start: string): number => whats.findIndex((what) => what.startsWith(start));
  assert(at("close the container's lock") < at("hand on"), whats.join("\n"));
  assert(at("hand on") < at("execute"), whats.join("\n"));
});

Deno.test("planKeyring joins a keyring by its name, one without, or none", () => {
  const named = planKeyring(exampleConfig(), { ...exampleSetting(), keyring: sessionKeyring("web") });
  assertEquals(writeSteps(named), ['keyctl(1, "_ses.web")']);
  assertEquals(writeSteps(planKeyring(exampleConfig(), exampleSetting())), ["keyctl(1, 0)"]);
  assertEquals(planKeyring(exampleConfig(), { ...exampleSetting(), keyring: false }), []);
});

Deno.test("sockets that nobody asks for are not opened, and those with a path that is too long are refused", () => {
  assertEquals([...planPidfdSocket(undefined), ...planSendPidfd(undefined, 1, "setns")], []);
  assertThrows(() => planPidfdSocket(`/${"x".repeat(107)}`), Error, "107 bytes");
});
