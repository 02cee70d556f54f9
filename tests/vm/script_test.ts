/**
 * What `scripts/vm` says before it boots anything. That it boots is shown by `deno task test:vm`.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";

const script = new URL("../../scripts/vm", import.meta.url).pathname;

async function runScript(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stderr: string; stdout: string }> {
  const { code, stderr, stdout } = await new Deno.Command(script, { args: [...args], env }).output();
  const decoder = new TextDecoder();
  return { code, stderr: decoder.decode(stderr), stdout: decoder.decode(stdout) };
}

Deno.test("scripts/vm ends with 125 and names the wrong word", async () => {
  for (
    const [args, word] of [
      [["boot"], "unknown verb 'boot'"],
      [["run"], "no command"],
      [["run", "--cgroup", "v3", "--", "true"], "'v3'"],
      [["run", "--timeout", "5m", "--", "true"], "'5m'"],
      [["run", "--env", "WORD", "--", "true"], "'WORD'"],
      [["run", "--unknown", "--", "true"], "'--unknown'"],
    ] as const
  ) {
    const { code, stderr } = await runScript(args);
    assertEquals(code, 125, args.join(" "));
    assertStringIncludes(stderr, word);
  }
});

Deno.test("scripts/vm --help prints the description at its top and no code", async () => {
  const { code, stdout } = await runScript(["--help"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "scripts/vm run [--cgroup LAYOUT]");
  assertEquals(stdout.includes("set -"), false);
});

const canBoot = Deno.build.arch === "x86_64" && Deno.uid() === 0;

Deno.test({ name: "scripts/vm names the package of what is missing", ignore: !canBoot }, async () => {
  const bin = await Deno.makeTempDir();
  try {
    for (const tool of ["dirname", "readlink", "uname", "id", "rm"]) {
      await Deno.symlink(`/usr/bin/${tool}`, `${bin}/${tool}`);
    }
    const { code, stderr } = await runScript(["run", "--", "true"], { PATH: bin });
    assertEquals([code, stderr], [125, "vm: no qemu-system-x86_64: apt-get install qemu-system-x86\n"]);
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
});

Deno.test({ name: "scripts/vm test refuses a pattern that matches no file", ignore: !canBoot }, async () => {
  const { code, stderr } = await runScript(["test", "tests/no_such_*_test.ts"]);
  assertEquals(code, 125);
  // On a host without the packages that is said first.
  if (!stderr.includes("apt-get install")) {
    assertStringIncludes(stderr, "no test file matches 'tests/no_such_*_test.ts'");
  }
});
