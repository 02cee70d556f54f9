/**
 * `run` of a bundle, and paddock in the place of runc and crun.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Box, waitFor } from "./support/box.ts";
import { callAs, makeBundle, ok, quietly, stateOf, waitForEnd } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, PADDOCK_COMMAND } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";
import { Terminal } from "./support/terminal.ts";

/** Other tests may run at the same time, and cgroups are the host's. */
const ID = `run-${Deno.pid}`;

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `run of a bundle: ${name}`,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** What is there under the state root beside paddock's own files. */
function listStates(box: Box): string[] {
  return [...Deno.readDirSync(box.paddock.root)].map(({ name }) => name).filter((name) => !name.startsWith("."));
}

test("in the foreground the code is the command's, and nothing is left", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const bundle = makeBundle(box, { args: ["sh", "-c", "cat; hostname; echo err >&2; exit 7"] });
    const { code, stdout, stderr } = await box.paddock.run(["run", "--bundle", bundle, ID], { stdin: "in\n" });
    assertEquals([code, stdout, stderr], [7, "in\npaddock\n", "err\n"]);
    assertEquals(listStates(box), []);
    const killed = makeBundle(box, { args: ["sh", "-c", "kill -9 $$"] });
    assertEquals((await box.paddock.run(["run", "-b", killed, ID])).code, 0, "process 1 cannot kill itself");
  });
});

test("its directory and an id are enough, and what is there by that name is an image", async (box) => {
  const bundle = makeBundle(box, { args: ["echo", "of the bundle"] });
  const inside = { cwd: bundle };
  assertEquals((await box.paddock.run(["run", ID], inside)).stdout, "of the bundle\n");
  Deno.symlinkSync(box.rootfs, join(bundle, ID));
  assertEquals((await box.paddock.run(["run", `./${ID}`, "echo", "of the image"], inside)).stdout, "of the image\n");
  const shell = await box.paddock.run(["run", ID], { ...inside, stdin: "echo of its shell\n" });
  assertEquals(shell.stdout, "of its shell\n");
});

test("what makes no sense is refused by name", async (box) => {
  const bundle = makeBundle(box);
  const table: readonly (readonly [string[], string])[] = [
    [["--keep", box.rootfs], "--keep is for an OCI bundle"],
    [["--pid-file", "p", box.rootfs], "--pid-file is for an OCI bundle"],
    [["--bundle", bundle, "--memory", "1m", ID], "--memory is for images"],
    [["--bundle", bundle, ID, "sh"], "takes no word 'sh'"],
    [["--bundle", bundle, "--console-socket", "s", ID], "console socket"],
    [["--bundle", box.path("nosuch"), ID], "config.json"],
  ];
  for (const [words, text] of table) {
    const { code, stderr } = await box.paddock.run(["run", ...words]);
    assertEquals(code, 125, words.join(" "));
    assertStringIncludes(stderr, text);
  }
});

test("a command that is not there is said, in front and detached, and nothing is left", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    // The second is there, and what it wants to be read by is not.
    box.file("rootfs/bin/orphan", "#!/nosuch\n", 0o755);
    for (const args of [["nosuch"], ["/bin/orphan"]]) {
      const bundle = makeBundle(box, { args });
      for (const flags of [[], ["--detach"], ["--keep"]]) {
        const { code, stderr } = await box.paddock.run(["run", ...flags, "--bundle", bundle, ID]);
        assert([126, 127].includes(code), stderr);
        assertStringIncludes(stderr, args[0]!);
        assertEquals(listStates(box), []);
      }
    }
  });
});

test("while it runs other verbs know it, and its signals come through", async (box) => {
  const bundle = makeBundle(box, { args: ["sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.1; done"] });
  const pidFile = box.path("pid");
  const child = box.paddock.start(["run", "--bundle", bundle, "--pid-file", pidFile, ID]);
  await child.stdin.close();
  await waitFor("its process id", () => {
    try {
      return Deno.readTextFileSync(pidFile) !== "";
    } catch {
      return false;
    }
  });
  const state = await stateOf(box, ID);
  assertEquals([state["status"], state["pid"]], ["running", Number(Deno.readTextFileSync(pidFile))]);
  assertEquals(await ok(box, "exec", ID, "echo", "inside"), "inside\n");
  await ok(box, "pause", ID);
  assertEquals((await stateOf(box, ID))["status"], "paused");
  await ok(box, "resume", ID);
  child.kill("SIGUSR1");
  const { code, stdout } = await child.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [9, "up\n"]);
  assertEquals(listStates(box), []);
}, ["controller:freezer"]);

test("one in the foreground can be deleted by force, and is killed with its launcher", async (box) => {
  for (const end of ["delete", "launcher"]) {
    const bundle = makeBundle(box);
    const child = box.paddock.start(["run", "--bundle", bundle, ID]);
    await child.stdin.close();
    await waitFor("its state", () => {
      try {
        return Deno.statSync(join(box.paddock.root, ID, "stat")).size > 0;
      } catch {
        return false;
      }
    });
    const pid = (await stateOf(box, ID))["pid"] as number;
    if (end === "launcher") child.kill("SIGKILL");
    else await ok(box, "delete", "--force", ID);
    await child.output();
    await waitForEnd(pid);
    await ok(box, "delete", "--force", ID);
    assertEquals(listStates(box), []);
  }
});

test("with --keep its state stays until it is deleted", async (box) => {
  const bundle = makeBundle(box, { args: ["sh", "-c", "exit 3"] });
  assertEquals((await box.paddock.run(["run", "--keep", "--bundle", bundle, ID])).code, 3);
  assertEquals((await stateOf(box, ID))["status"], "stopped");
  await ok(box, "delete", ID);
  assertEquals(listStates(box), []);
});

test("detached it goes on by itself, with its process id in a file", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const bundle = makeBundle(box, { args: ["sh", "-c", "echo up; exec sleep 4400"] });
    const pidFile = box.path("pid");
    const out = await quietly(box, ID, ["run", "-d", "--bundle", bundle, "--pid-file", pidFile, ID]);
    const state = await stateOf(box, ID);
    assertEquals([state["status"], state["pid"]], ["running", Number(Deno.readTextFileSync(pidFile))]);
    await waitFor("its word", () => Deno.readTextFileSync(out) === "up\n");
    await ok(box, "delete", "--force", ID);
    await waitForEnd(state["pid"] as number);
  });
});

test("at a terminal it has one of its own, of the same size", async (box) => {
  const bundle = makeBundle(box, {
    args: ["sh", "-c", "tty; stty size; read a; exit $a"],
    process: { terminal: true },
  });
  const words = box.paddock.command(["run", "--bundle", bundle, ID]);
  const terminal = new Terminal(words.map((word) => `'${word}'`).join(" "));
  await terminal.see(/\/dev\/(pts\/0|console)/);
  await terminal.see(/33 77/);
  await terminal.type("4\n");
  assertEquals(await terminal.end(), 4);
  assertEquals(listStates(box), []);
}, ["terminal", "tool:script"]);

test("called runc it runs bundles alone, and tells errors as runc does", async (box) => {
  const bundle = makeBundle(box, { args: ["sh", "-c", "echo hello; exit 5"] });
  const ran = await callAs(box, "runc", ["run", "--bundle", bundle, ID]);
  assertEquals([ran.code, ran.stdout], [5, "hello\n"]);
  const missing = await callAs(box, "runc", ["state", "nosuch"]);
  assertEquals(missing.code, 1);
  assertMatch(
    missing.stderr,
    /^time="20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg="container .*does not exist"\n/,
  );
  const bad = await callAs(box, "runc", ["run", "--bundle", makeBundle(box, { args: ["nosuch"] }), ID]);
  assertEquals(bad.code, 1);
  assertMatch(bad.stderr, /level=error msg="runc run failed: .*executable file not found in \$PATH"/);
  const log = box.path("log");
  const logged = await callAs(box, "runc", ["--log", log, "--log-format", "json", "state", "nosuch"]);
  const entry = JSON.parse(Deno.readTextFileSync(log)) as Record<string, string>;
  assertEquals([logged.code, entry["level"]], [1, "error"]);
  assertStringIncludes(entry["msg"]!, "does not exist");
  assertEquals((await callAs(box, "runc", ["help"])).stdout, (await callAs(box, "runc", ["--help"])).stdout);
  assertEquals((await callAs(box, "runc", ["images"])).code, 1);
}, ["tool:bash"]);

test("its version is in the form of the tool whose name it has", async (box) => {
  for (const [name, peer] of [["runc", "runc"], ["crun", "crun"]] as const) {
    const ours = (await callAs(box, name, ["--version"])).stdout.split("\n");
    const theirs = (await call([peer, "--version"])).stdout.split("\n");
    const form = (line: string) => line.replace(/\d.*$/, "N");
    assertEquals(form(ours[0]!), form(theirs[0]!));
    const spec = ours.find((line) => line.startsWith("spec: "));
    assertMatch(spec ?? "", /^spec: \d+\.\d+\.\d+$/);
    assert(theirs.some((line) => line.startsWith("spec: ")));
  }
}, ["tool:bash", "peer:runc", "peer:crun"]);

test("a link by another name is the tool of that name, whatever is in the cache of launchers", async (box) => {
  const link = box.path("runc");
  Deno.symlinkSync(PADDOCK_COMMAND[0]!, link);
  assertMatch((await call([link, "--version"])).stdout, /^runc version /);
  // The image's form is kept for the next call of the same words; under the other name they mean a bundle.
  const words = ["run", box.rootfs, "true"];
  for (let times = 0; times < 3; times++) assertEquals((await call([PADDOCK_COMMAND[0]!, ...words])).code, 0);
  const asRunc = await call([link, ...words]);
  assertEquals(asRunc.code, 1);
  assertStringIncludes(asRunc.stderr, "takes no word 'true'");
  const bundle = makeBundle(box, { args: ["echo", "of the bundle"] });
  const roots = ["--root", box.paddock.root, "--data-root", box.paddock.dataRoot];
  for (let times = 0; times < 2; times++) {
    assertEquals((await call([link, ...roots, "run", "-b", bundle, ID])).stdout, "of the bundle\n");
  }
}, ["built"]);
