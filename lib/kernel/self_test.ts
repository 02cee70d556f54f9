import { assertEquals } from "@std/assert";
import { selfCommand } from "./self.ts";

Deno.test("one file is started again by its own path", () => {
  const source = { oneFile: true, executable: "/usr/bin/paddock", script: "", commandLine: [], userWords: 0 };
  assertEquals(selfCommand(source), ["/usr/bin/paddock"]);
});

Deno.test("from source, flags and script are kept and the user's words are not", () => {
  const commandLine = [
    "deno",
    "run",
    "--no-lock",
    "--import-map",
    "/p/map.json",
    "-A",
    "main.ts",
    "run",
    "-it",
    "host",
  ];
  const source = { oneFile: false, executable: "/bin/deno", script: "/p/main.ts", commandLine, userWords: 3 };
  assertEquals(selfCommand(source), [
    "/bin/deno",
    "run",
    "--no-lock",
    "--import-map",
    "/p/map.json",
    "-A",
    "/p/main.ts",
  ]);
});

Deno.test("a script that starts itself again by selfCommand runs with new arguments", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    const self = new URL("./self.ts", import.meta.url).href;
    Deno.writeTextFileSync(
      `${dir}/a b.ts`,
      `import { selfCommand } from ${JSON.stringify(self)};
      if (Deno.args[0] === "again") console.log(JSON.stringify(Deno.args));
      else {
        const [file, ...words] = selfCommand();
        const { stdout } = new Deno.Command(file!, { args: [...words, "again", "x y"], cwd: "/" }).outputSync();
        Deno.stdout.writeSync(stdout);
      }`,
    );
    const args = ["run", "--no-config", "--no-lock", "-A", "a b.ts", "first", "--words"];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: dir, stderr: "inherit" }).output();
    assertEquals(new TextDecoder().decode(stdout), '["again","x y"]\n');
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
