import { assertEquals } from "@std/assert";
import { beforePid, formatState, splitState } from "./state.ts";

const FIELDS = { id: 'we"b', status: "creating", bundle: "/b/ä", annotations: { "org.x": "1\n2" } } as const;

Deno.test("formatState is the JSON of runtime.md, with a process id where there is a process", () => {
  const state = { ociVersion: "1.3.0", id: 'we"b', status: "creating", bundle: "/b/ä" };
  assertEquals(JSON.parse(formatState(FIELDS, 42)), { ...state, pid: 42, annotations: { "org.x": "1\n2" } });
  const bare = { id: 'we"b', status: "stopped", bundle: "/b/ä", annotations: {} } as const;
  assertEquals(JSON.parse(formatState(bare)), { ...state, status: "stopped" });
});

Deno.test("splitState gives the parts around status and process id; the longest is the same for each status", () => {
  const [before, status, after] = splitState(FIELDS);
  assertEquals(`${before}${status}${beforePid}7${after}`, formatState(FIELDS, 7));
  assertEquals(splitState({ ...FIELDS, status: "created" })[2], after);
});
