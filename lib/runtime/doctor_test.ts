import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import type { Examined } from "../host/examined.ts";
import { diagnose, examineHost, formatDoctor } from "./doctor.ts";

function examine(overrides: Partial<Examined> = {}): Examined {
  return {
    facts: exampleFacts(),
    readText: () => undefined,
    exists: () => true,
    stateRoot: { path: "/run/paddock", exists: true, fault: undefined, free: 2 ** 30 },
    dataRoot: { path: "/var/lib/paddock", exists: true, fault: undefined, free: 2 ** 40 },
    overlayTrial: undefined,
    nftables: true,
    leftovers: [],
    runtime: { deno: "2.9.6", glibc: undefined },
    ...overrides,
  };
}

Deno.test("diagnose says that a container can run as long as nothing needed is missing", () => {
  assertEquals(diagnose(examine()).canRun, true);
  assertEquals(diagnose(examine({ facts: exampleFacts({ has: { overlay: false } }) })).canRun, true);
  assertEquals(diagnose(examine({ facts: exampleFacts({ uid: 1000 }) })).canRun, false);
});

Deno.test("formatDoctor aligns the details and puts the remedy under them, without colour unless asked", () => {
  const report = diagnose(examine({ facts: exampleFacts({ uid: 1000 }) }));
  const lines = formatDoctor(report, false).split("\n");
  const at = lines.findIndex((line) => line.startsWith("  no  root"));
  assert(at > 0);
  const column = lines[at]!.indexOf("user 1000");
  assertEquals(lines[at + 1], " ".repeat(column) + "-> run it with sudo");
  assert(!lines.some((line) => line.includes("\x1b")));
  assertStringIncludes(formatDoctor(report, true), "\x1b[31mno\x1b[0m");
  assertStringIncludes(lines.join("\n"), "no container can run on this host");
});

Deno.test("formatDoctor makes words of the host safe for a terminal", () => {
  const report = diagnose(examine({ leftovers: ["container \x1b[2Jx"] }));
  assertStringIncludes(formatDoctor(report, false), "\\x1b[2Jx");
});

Deno.test("examineHost answers every question about this host and leaves nothing in the data root", async () => {
  const base = Deno.makeTempDirSync({ prefix: "paddock-doctor-" });
  try {
    const { diagnoses } = await examineHost({ root: `${base}/run`, dataRoot: base });
    assert(diagnoses.every(({ detail }) => detail !== ""));
    assertEquals(diagnoses.find(({ id }) => id === "leftovers")?.needed, false);
    assertEquals([...Deno.readDirSync(base)], []);
  } finally {
    Deno.removeSync(base, { recursive: true });
  }
});
