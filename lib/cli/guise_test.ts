import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runCommandLine } from "./dispatch.ts";
import { ENGINE_COMMANDS } from "./engine_commands.ts";
import { makeExampleHost } from "./host_example.ts";
import { formatHelp } from "./help.ts";

async function callAs(name: string, ...argv: string[]): Promise<readonly [number, string, string]> {
  const host = makeExampleHost({}, name);
  const code = await runCommandLine(argv, host);
  return [code, host.printed(), host.warned()];
}

Deno.test("--version has the name and the version first, and the specification's on a line of its own", async () => {
  for (const [name, first] of [["runc", /^runc version 1\.\d/], ["crun", /^crun version 1\.\d/]] as const) {
    const [code, printed] = await callAs(name, "--version");
    assertEquals(code, 0);
    assertMatch(printed, first);
    assertMatch(printed, /\nspec: \d+\.\d+\.\d+\n/);
    assertEquals((await callAs(name, "-v"))[1], printed);
  }
  assertMatch((await callAs("paddock", "-v"))[1], /^paddock version \d+\.\d+\.\d+\n/);
});

Deno.test("called by another runtime's name, help lists that runtime's verbs", async () => {
  const [code, printed] = await callAs("runc");
  assertEquals(code, 0);
  for (const { name } of ENGINE_COMMANDS) assertStringIncludes(printed, `\n   ${name} `);
  assertStringIncludes(printed, "COMMANDS:\n");
  assert(!printed.includes("explain"));
  assertStringIncludes((await callAs("runc", "run", "--help"))[1], "Usage: runc run [OPTIONS] ID\n");
  assertStringIncludes((await callAs("crun", "help", "run"))[1], "Usage: crun run [OPTIONS] ID\n");
});

Deno.test("help of an engine's verbs fits 80 columns", () => {
  for (const command of ENGINE_COMMANDS) {
    const long = formatHelp(command).split("\n").filter((line) => line.length > 80);
    assertEquals(long, [], command.name);
  }
});

Deno.test("errors are lines of a log for runc, bare words for crun, and both end with 1", async () => {
  const time = /^time="[^"]+" level=error msg="runc run failed: run needs ID"\n/;
  const [code, , warned] = await callAs("runc", "run");
  assertEquals(code, 1);
  assertMatch(warned, time);
  assertEquals((await callAs("runc", "exec", "--nosuch"))[0], 255);
  const [crun, , words] = await callAs("crun", "run");
  assertEquals([crun, words.split("\n")[0]], [1, "crun run failed: run needs ID"]);
  const [, , json] = await callAs("runc", "--log-format", "json", "run");
  assertEquals(JSON.parse(json).level, "error");
  const [, , logged] = await callAs("runc", "--log", "/nonexistent/log", "run");
  assertEquals(logged.split("\n")[0], "runc run failed: run needs ID");
});
