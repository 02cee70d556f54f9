import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { ContainerRecord } from "./record.ts";
import { type Action, checkTransition, deriveStatus, type Status, TRANSITIONS } from "./status.ts";

const RECORD: ContainerRecord = { id: "a", created: "", image: "", command: [], cgroupPaths: [], keep: false };
const EXITED: ContainerRecord = { ...RECORD, exit: { code: 0, oom: false, at: "" } };

Deno.test("deriveStatus believes the lock before the record", () => {
  assertEquals(deriveStatus(true, undefined), "creating");
  assertEquals(deriveStatus(true, RECORD), "running");
  assertEquals(deriveStatus(true, EXITED), "running");
  assertEquals(deriveStatus(false, EXITED), "stopped");
  assertEquals(deriveStatus(false, RECORD), "dead");
  assertEquals(deriveStatus(false, undefined), "dead");
});

Deno.test("checkTransition allows exactly what the table says", () => {
  for (const action of Object.keys(TRANSITIONS) as Action[]) {
    for (const status of ["creating", "running", "stopped", "dead"] satisfies Status[]) {
      if (TRANSITIONS[action].from.includes(status)) checkTransition("a", status, action);
      else assertThrows(() => checkTransition("a", status, action), PaddockError, status);
    }
  }
});

Deno.test("checkTransition tells how a running container is removed", () => {
  const error = assertThrows(() => checkTransition("web", "running", "remove"), PaddockError);
  assertEquals(error.hint, "kill it and remove it: paddock rm -f web");
});
