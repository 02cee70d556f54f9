/**
 * The built file on a bare host: no Deno, no environment, no home, no directory of its own.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { busybox } from "./support/fixtures.ts";
import { call, Paddock, PADDOCK_COMMAND } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

const BARE = { env: {}, clearEnv: true, cwd: "/" } as const;

Deno.test({ name: "a built paddock says that it is built, and how", ...requires("built") }, async () => {
  const { code, stdout } = await call([...PADDOCK_COMMAND, "version", "--json"], BARE);
  assertEquals(code, 0);
  assertMatch((JSON.parse(stdout) as { kind: string }).kind, /^(compiled|packed)$/);
});

Deno.test(
  { name: "a copy of it alone runs a container with no environment", ...requires("built", "root") },
  async () => {
    using paddock = new Paddock();
    const copy = join(paddock.work, "p");
    Deno.copyFileSync(PADDOCK_COMMAND[0]!, copy);
    const { dir } = await busybox();
    const words = paddock.command(["run", dir, "echo", "hello"]).slice(PADDOCK_COMMAND.length);
    const { code, stdout, stderr } = await call([copy, ...words], BARE);
    assertEquals([code, stdout, stderr], [0, "hello\n", ""]);
  },
);

Deno.test({ name: "it starts itself again to explain a failure", ...requires("built", "root") }, async () => {
  using paddock = new Paddock();
  const { dir } = await busybox();
  const { code, stderr } = await paddock.run(["run", dir, "no-such-command"], BARE);
  assertEquals(code, 127);
  assertStringIncludes(stderr, "no-such-command");
});

Deno.test({ name: "it runs under sudo -n", ...requires("built", "root", "tool:sudo") }, async () => {
  using paddock = new Paddock();
  const { dir } = await busybox();
  const { code, stdout } = await paddock.run(["run", dir, "id", "-u"], { ...BARE, under: ["/usr/bin/sudo", "-n"] });
  assertEquals([code, stdout], [0, "0\n"]);
});

Deno.test({ name: "it writes nothing but its own state", ...requires("built", "root", "tool:strace") }, async () => {
  using paddock = new Paddock();
  const log = join(paddock.work, "strace");
  const trace = ["strace", "-f", "-qq", "-e", "trace=openat,mkdir,mkdirat", "-o", log];
  await call([...trace, ...PADDOCK_COMMAND, "version"], {
    env: { HOME: paddock.work, TMPDIR: paddock.work },
    cwd: "/",
  });
  const written = Deno.readTextFileSync(log).split("\n")
    .filter((line) => /O_(WRONLY|RDWR|CREAT)|mkdir/.test(line) && !/= -1 /.test(line))
    .filter((line) => !/"\/dev\/(null|tty|shm)|"\/proc\/self/.test(line));
  assertEquals(written, []);
  assert([...Deno.readDirSync(paddock.work)].length === 1, "nothing but the log is in the home directory");
});
