/**
 * The root of containers from bundles without pivot_root, and global words of engines.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Box, waitFor } from "./support/box.ts";
import { makeBundle } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, PADDOCK_COMMAND } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";
import { Runtime } from "./support/runtime.ts";

/** Nobody else's: cgroups go by it. */
const ID = `root-${Deno.pid}`;

function test(name: string, fn: (runtime: Runtime, box: Box) => Promise<void>, runtimes = ["paddock"]): void {
  for (const runtime of runtimes) {
    Deno.test({
      name: `oci root: ${name}${runtime === "paddock" ? "" : ` (${runtime})`}`,
      ...requires("root", "tool:busybox", ...(runtime === "paddock" ? [] : [`peer:${runtime}` as const])),
      fn: async () => {
        using box = await Box.make();
        await fn(new Runtime(box, runtime), box);
      },
    });
  }
}

test("--no-pivot covers the host's root: the command and further ones see their own alone", async (runtime, box) => {
  Deno.writeTextFileSync(`${box.rootfs}/mark`, "mine\n");
  const look = "cat /mark; ls /; readlink /proc/self/root; grep -c . /proc/self/mountinfo; touch /mark 2>&1";
  const bundle = makeBundle(box, {
    args: ["sh", "-c", `${look}; exec sleep 4400`],
    more: { root: { path: box.rootfs, readonly: true } },
  });
  await expectNoLeaks(box.paddock, async () => {
    const file = await runtime.toFile(["create", "--bundle", bundle, "--no-pivot", ID]);
    await runtime.ok("start", ID);
    await waitFor("its words", () => Deno.readTextFileSync(file).includes("Read-only"));
    const further = await runtime.ok("exec", ID, "sh", "-c", `${look}; true`);
    const own = [...Deno.readDirSync(box.rootfs)].map(({ name }) => name).sort();
    for (const text of [Deno.readTextFileSync(file), further]) {
      const lines = text.split("\n");
      assertEquals(lines.slice(0, own.length + 2), ["mine", ...own, "/"]);
      assertMatch(text, /Read-only file system/);
    }
    await runtime.ok("delete", "--force", ID);
  });
}, ["paddock", "runc"]);

test("--rootless is said to be false or auto, and anything else is refused", async (_, box) => {
  const bundle = makeBundle(box);
  const run = (value: string) => {
    const [verb, ...rest] = box.paddock.command(["create", "--bundle", bundle, ID]).slice(PADDOCK_COMMAND.length);
    return call(["sh", "-c", 'exec "$@" >/dev/null', "sh", ...PADDOCK_COMMAND, "--rootless", value, verb!, ...rest]);
  };
  for (const value of ["true", "1", "perhaps"]) {
    const { code, stderr } = await run(value);
    assert(code !== 0, value);
    assertMatch(stderr, /--rootless/);
  }
  for (const value of ["false", "auto"]) {
    const file = box.path("err");
    const words = [
      "--rootless",
      value,
      ...box.paddock.command(["create", "--bundle", bundle, ID]).slice(PADDOCK_COMMAND.length),
    ];
    const { code } = await call(["sh", "-c", 'exec "$@" >"$0" 2>&1', file, ...PADDOCK_COMMAND, ...words]);
    assertEquals(code, 0, Deno.readTextFileSync(file));
    await box.paddock.run(["delete", "--force", ID]);
  }
});

test("a container without a process can be created and not started", async (runtime, box) => {
  const bundle = makeBundle(box, { more: { process: undefined } });
  await expectNoLeaks(box.paddock, async () => {
    await runtime.toFile(["create", "--bundle", bundle, ID]);
    assertEquals((await runtime.state(ID))["status"], "created");
    await runtime.refused("cannot start a container that has no process", "start", ID);
    assertEquals((await runtime.state(ID))["status"], "created", "it had no effect");
    await runtime.ok("delete", ID);
    await runtime.refused("process: is missing", "run", "--bundle", bundle, ID);
    const empty = makeBundle(box, { args: [] });
    await runtime.refused("process.args: there is no command", "create", "--bundle", empty, ID);
  });
});
