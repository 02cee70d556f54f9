import { assertEquals, assertStringIncludes } from "@std/assert";
import { explainOrphan, type Processes } from "./orphan_cgroups.ts";

const OLD = 60_000;

/** A host with processes by pid: name and parent; and the members of the one cgroup. */
function makeProcesses(all: Record<number, readonly [name: string, parent: number]>, members: number[]): Processes {
  return {
    membersOf: () => members,
    nameOf: (pid) => all[pid]?.[0],
    parentOf: (pid) => all[pid]?.[1],
  };
}

Deno.test("an empty cgroup is an orphan once it is older than a launcher takes to fill it", () => {
  const none = makeProcesses({}, []);
  assertEquals(explainOrphan("/c/web", "web", 100, none), undefined);
  assertStringIncludes(explainOrphan("/c/web", "web", OLD, none)!, "no process");
});

Deno.test("the cgroup of a compiled launcher stays for as long as that launcher lives", () => {
  const id = "web-0000042";
  assertEquals(explainOrphan("/c", id, OLD, makeProcesses({ 42: ["paddock: web\n", 1] }, [])), undefined);
  assertStringIncludes(explainOrphan("/c", id, 0, makeProcesses({}, []))!, "process 42");
  // The number was given to another process since.
  assertStringIncludes(explainOrphan("/c", id, 0, makeProcesses({ 42: ["bash\n", 1] }, []))!, "process 42");
});

Deno.test("a name that ends in a few digits is no compiled launcher's", () => {
  assertEquals(explainOrphan("/c", "web-42", 100, makeProcesses({}, [])), undefined);
});

Deno.test("processes whose launcher lives are another state root's container", () => {
  const all = { 10: ["paddock: web", 1], 11: ["sh", 10], 12: ["sleep", 11] } as const;
  assertEquals(explainOrphan("/c/web", "web", OLD, makeProcesses(all, [11, 12])), undefined);
  // One that was adopted by init stays with the others.
  assertEquals(explainOrphan("/c/web", "web", OLD, makeProcesses({ ...all, 12: ["sleep", 1] }, [12, 11])), undefined);
});

Deno.test("processes that have lost their launcher are an orphan's", () => {
  const all = { 11: ["sh", 1], 12: ["sleep", 11] } as const;
  assertStringIncludes(explainOrphan("/c/web", "web", 0, makeProcesses(all, [11, 12]))!, "lost their launcher");
});
