import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { call, Paddock, PADDOCK_COMMAND } from "./support/paddock.ts";

Deno.test("paddock alone shows how to begin, and ends well", async () => {
  const { code, stdout, stderr } = await call(PADDOCK_COMMAND);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "Begin with:");
});

Deno.test("a wrong command line ends with 125 and one line that names the word", async () => {
  using paddock = new Paddock();
  const table: [string[], string][] = [
    [["rnu"], "paddock: unknown verb 'rnu'\n  did you mean 'run'\n"],
    [["run", "--memroy", "1m", "x"], "paddock: unknown flag --memroy\n  did you mean '--memory'\n"],
    [
      ["run", "--memory", "1z", "x"],
      "paddock: --memory: '1z' is no size\n  say a number with b, k, m, g or t, as in 100m\n",
    ],
    [["run"], "paddock: run needs IMAGE\n  see: paddock run --help\n"],
  ];
  for (const [words, expected] of table) {
    const { code, stdout, stderr } = await paddock.run(words);
    assertEquals([code, stdout, stderr], [125, "", expected]);
  }
});

Deno.test("the version is one line, and needs no environment at all", async () => {
  const { code, stdout } = await call([...PADDOCK_COMMAND, "version"], {
    env: { HOME: "/nonexistent" },
    clearEnv: true,
  });
  assertEquals(code, 0);
  assertMatch(stdout, /^paddock \d+\.\d+\.\d+ \(.*\)\n$/);
});

Deno.test("paddock ends by SIGPIPE's code, and silently, when its reader has gone", async () => {
  const script = `{ sleep 1; "$@" help --man; echo "code $?" >&2; } | true`;
  const { stderr } = await call(["/bin/bash", "-c", script, "bash", ...PADDOCK_COMMAND]);
  assertEquals(stderr, "code 141\n");
});

Deno.test("paddock says so when its output cannot be written", async () => {
  const { code, stderr } = await call(["/bin/bash", "-c", `"$@" version > /dev/full`, "bash", ...PADDOCK_COMMAND]);
  assertEquals(code, 125);
  assertMatch(stderr, /^paddock: cannot write to standard output: No space left on device/);
});

Deno.test("the completion for bash completes verbs, flags, choices and files", async () => {
  using paddock = new Paddock();
  Deno.writeTextFileSync(join(paddock.work, "rootfs.tar"), "");
  const completion = await paddock.run(["completion", "bash"]);
  const complete = async (...words: string[]): Promise<string[]> => {
    const script =
      `eval "$0"; COMP_WORDS=(paddock "$@"); COMP_CWORD=$#; COMPREPLY=(); _paddock; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await call(["/bin/bash", "-c", script, completion.stdout, ...words], { cwd: paddock.work });
    return stdout.split("\n").filter((line) => line !== "");
  };
  assertEquals(await complete("exp"), ["explain", "export"]);
  assertEquals(await complete("--root", "/r", "ru"), ["run"]);
  assertEquals(await complete("run", "--network", ""), ["none", "host", "bridge"]);
  assert((await complete("run", "--mem")).includes("--memory-swap"));
  assertEquals(await complete("run", "--memory", ""), []);
  assertEquals(await complete("run", "roo"), ["rootfs.tar"]);
  assertEquals(await complete("completion", ""), ["bash", "zsh", "fish"]);
});
