import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { runCommandLine } from "./dispatch.ts";
import { makeExampleHost } from "./host_example.ts";
import { reportError } from "./report.ts";

async function call(...argv: string[]): Promise<readonly [code: number, printed: string, warned: string]> {
  const host = makeExampleHost();
  const code = await runCommandLine(argv, host);
  return [code, host.printed(), host.warned()];
}

Deno.test("runCommandLine without words prints the start page", async () => {
  const [code, printed, warned] = await call();
  assertEquals([code, warned], [0, ""]);
  assertStringIncludes(printed, "paddock VERB --help tells more");
});

Deno.test("runCommandLine shows a verb's help wherever it is asked for", async () => {
  const expected = await call("help", "gc");
  assertStringIncludes(expected[1], "Usage: paddock gc [OPTIONS]\n");
  for (const argv of [["gc", "--help"], ["gc", "-h"], ["--help", "gc"], ["-h", "gc"]]) {
    assertEquals(await call(...argv), expected);
  }
});

Deno.test("runCommandLine prints the version, for people and programs", async () => {
  const [, printed] = await call("version");
  assert(/^paddock \d+\.\d+\.\d+ /.test(printed), printed);
  const facts = JSON.parse((await call("version", "--json"))[1]);
  assert(printed.startsWith(`paddock ${facts.version} `));
});

Deno.test("runCommandLine says what is wrong in one line, with a hint, and ends with 125", async () => {
  const table: [string[], string][] = [
    [["rnu"], "paddock: unknown verb 'rnu'\n  did you mean 'run'\n"],
    [["ps", "--al"], "paddock: unknown flag --al\n  did you mean '--all'\n"],
    [["help", "comple"], "paddock: unknown verb 'comple'\n  did you mean 'compile'\n"],
    [["completion", "tcsh"], "paddock: no completion for 'tcsh'\n  there is one for bash, zsh, fish\n"],
    [["rm"], "paddock: rm needs CONTAINER\n  see: paddock rm --help\n"],
    [
      ["run", "--memory", "1q", "x"],
      "paddock: --memory: '1q' is no size\n  say a number with b, k, m, g or t, as in 100m\n",
    ],
    [["compile", "x"], "paddock: compile needs --output\n  as in: paddock compile -o web ./rootfs httpd\n"],
  ];
  for (const [argv, warned] of table) assertEquals(await call(...argv), [125, "", warned]);
});

Deno.test("runCommandLine shows where with --debug, but not for a --debug of the command's", async () => {
  const [, , warned] = await call("run", "--debug", "--memory", "1q", "x");
  assertStringIncludes(warned, "UsageError: --memory: '1q' is no size\n    at ");
  assertStringIncludes(warned, "caused by:\n");
  assert(!(await call("run", "--memory", "1q", "x", "--debug"))[2].includes("    at "));
});

Deno.test("reportError makes what comes from outside safe for a terminal", () => {
  const error = new PaddockError("no file 'a\x1b[2J'", { hint: "not \r this", exitCode: 127 });
  assertEquals(reportError(error, false), { text: "paddock: no file 'a\\x1b[2J'\n  not \\x0d this\n", exitCode: 127 });
});

Deno.test("reportError tells what failed first, then what failed while cleaning up", () => {
  const error = new SuppressedError(
    new PaddockError("cannot remove x"),
    new PaddockError("cannot mount y", { exitCode: 126 }),
  );
  assertEquals(reportError(error, false), {
    text: "paddock: cannot mount y\npaddock: and while cleaning up: cannot remove x\n",
    exitCode: 126,
  });
});

Deno.test("reportError owns up to faults of paddock itself, and is silent when its reader has gone", () => {
  assertStringIncludes(
    reportError(new TypeError("x is undefined"), false).text,
    "paddock: unexpected: x is undefined\n  this is a fault",
  );
  assertEquals(reportError(new Deno.errors.BrokenPipe("gone"), false), { text: "", exitCode: 141 });
});
