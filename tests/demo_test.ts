/**
 * The demo and the bench as their users call them: each act goes as it must, and what is measured is shown.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ACTS } from "../scripts/demo/acts.ts";
import { call, type CallOptions, type Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

const ROOT = join(import.meta.dirname!, "..");

/** As the task does, by the way to the standard packages that this test takes itself. */
function runScript(
  name: string,
  words: readonly string[],
  options: CallOptions = {},
  deno = Deno.execPath(),
): Promise<Outcome> {
  const env = { PADDOCK_IMPORTS: Deno.env.get("PADDOCK_IMPORTS") ?? "offline", ...options.env };
  const command = [deno, "run", "-A", "scripts/deno.ts", "run", "-A", `scripts/${name}.ts`, ...words];
  return call(command, { ...options, env, cwd: ROOT });
}

function listDemos(): string[] {
  return [...Deno.readDirSync("/var/tmp")].map(({ name }) => name).filter((name) => name.startsWith("paddock-demo-"));
}

Deno.test({
  name: "the demo plays all of its acts, and says what came of each",
  ...requires("root", "memory", "overlay"),
  fn: async () => {
    const before = listDemos();
    const { code, stdout, stderr } = await runScript("demo", []);
    assertEquals([code, stderr], [0, ""], stdout);
    for (const [index, { title }] of ACTS.entries()) assertStringIncludes(stdout, `\n${index + 1}. ${title}\n`);
    assertEquals([...stdout.matchAll(/^ {2}ok {2}/gm)].length, ACTS.length);
    assertStringIncludes(stdout, "    paddock: out of memory: the kernel killed the command (limit 100 MiB");
    assertEquals(stdout.includes("\x1b"), false);
    assertEquals(listDemos().filter((name) => !before.includes(name)), []);
  },
});

Deno.test({
  name: "the demo fails and names the acts where paddock does not do what it must",
  ...requires("root"),
  fn: async () => {
    const { code, stdout } = await runScript("demo", [], { env: { PADDOCK_BIN: "/bin/true" } });
    assertEquals(code, 1);
    assertMatch(
      stdout,
      /\n\d of \d acts failed: Its files are the container's whole world; .*Killed, and nothing is left\n$/,
    );
  },
});

Deno.test({
  name: "without root, demo and bench say so in one line",
  ...requires("root", "tool:setpriv"),
  fn: async () => {
    const under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const directory = Deno.makeTempDirSync({ dir: "/var/tmp" });
    try {
      Deno.chmodSync(directory, 0o777);
      // The runtime of this test may lie in root's own home (npx keeps it there), where nobody else may execute it.
      const deno = join(directory, "deno");
      Deno.copyFileSync(Deno.execPath(), deno);
      Deno.chmodSync(deno, 0o755);
      for (const name of ["demo", "bench"]) {
        const { code, stderr } = await runScript(name, [], { under, env: { DENO_DIR: directory } }, deno);
        assertEquals([code, stderr], [125, `${name}: only root may make containers here: sudo deno task ${name}\n`]);
      }
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "the bench measures pairs, and gives them as a table and as JSON",
  ...requires("root", "tool:busybox", "memory", "peer:bwrap"),
  fn: async () => {
    const words = ["--quick", "--only", "launcher true / bwrap"];
    const table = await runScript("bench", words);
    assertEquals(table.code, 0, table.stderr);
    assertMatch(table.stdout, /^launcher true \/ bwrap true +[\d.]+ ms +[\d.]+ ms .* ≤ 1\.00 +(ok|over)$/m);
    const json = await runScript("bench", [...words, "--json"]);
    const { figures } = JSON.parse(json.stdout) as { figures: { comparison: { runs: number }; value: number }[] };
    assertEquals(figures.map(({ comparison }) => comparison.runs), [4]);
    assertEquals(figures[0]!.value > 0, true);
  },
});
