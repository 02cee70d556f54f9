/**
 * Descriptors of containers from bundles: those that the command gets from its caller, those that paddock sends; and
 * session keyrings. Where runc is there it is asked the same.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { syscall } from "../lib/kernel/syscall.ts";
import { Box, waitFor } from "./support/box.ts";
import { makeBundle } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { type Ability, requires } from "./support/requires.ts";
import { Runtime } from "./support/runtime.ts";
import { Receiver } from "./support/unix_socket.ts";

/** Nobody else's: cgroups go by it. */
const ID = `descriptors-${Deno.pid}`;

/** A test of paddock, and the same of other runtimes, which shows that the test itself is right. */
function test(
  name: string,
  fn: (runtime: Runtime, box: Box) => Promise<void>,
  { peers = [], more = [] }: { peers?: readonly string[]; more?: readonly Ability[] } = {},
): void {
  for (const runtime of ["paddock", ...peers]) {
    Deno.test({
      name: `oci descriptors: ${name}${runtime === "paddock" ? "" : ` (${runtime})`}`,
      ...requires("root", "tool:busybox", ...more, ...(runtime === "paddock" ? [] : [`peer:${runtime}` as const])),
      fn: async () => {
        using box = await Box.make();
        await fn(new Runtime(box, runtime), box);
      },
    });
  }
}

/** What the command sees of its descriptors: number and file. */
const LOOK = "cd /proc/self/fd; for n in *; do echo $n $(readlink $n); done; cat <&4";

test("descriptors that are preserved are the command's, and no others", async (runtime, box) => {
  const [three, four] = [box.file("three", "3\n"), box.file("four", "4\n")];
  const bundle = makeBundle(box, { args: ["sh", "-c", `${LOOK}; exec sleep 4400`] });
  const open = 'exec "$@" 3<"$PADDOCK_THREE" 4<"$PADDOCK_FOUR" 5</etc/passwd';
  const shell = `PADDOCK_THREE='${three}' PADDOCK_FOUR='${four}'; ${open}`;
  const expectDescriptors = (text: string): void => {
    assertStringIncludes(text, `3 ${three}\n4 ${four}\n`);
    assert(!text.includes("passwd"), text);
    assertMatch(text, /\n4\n$/, "its content is read");
  };
  await expectNoLeaks(box.paddock, async () => {
    const file = await runtime.toFile(["create", "--bundle", bundle, "--preserve-fds", "2", ID], shell);
    await runtime.ok("start", ID);
    await waitFor("its words", () => Deno.readTextFileSync(file).endsWith("\n4\n"));
    expectDescriptors(Deno.readTextFileSync(file));
    const further = await runtime.toFile(["exec", "--preserve-fds", "2", ID, "sh", "-c", LOOK], shell);
    expectDescriptors(Deno.readTextFileSync(further));
    await runtime.ok("delete", "--force", ID);
  });
}, { peers: ["runc"] });

test("many descriptors are handed on", async (runtime, box) => {
  const bundle = makeBundle(box, { args: ["sh", "-c", "ls /proc/self/fd | wc -l; exec sleep 4400"] });
  const numbers = Array.from({ length: 96 }, (_, index) => index + 3);
  // A shell's redirections know digits only.
  const shell = `exec bash -c '${numbers.map((fd) => `exec ${fd}</dev/null`).join("; ")}; exec "$@"' sh "$@"`;
  const file = await runtime.toFile(["create", "--bundle", bundle, "--preserve-fds", "96", ID], shell);
  await runtime.ok("start", ID);
  // The three standard ones, and the one by which ls reads the directory.
  await waitFor("its word", () => Deno.readTextFileSync(file) === "100\n");
  await runtime.ok("delete", "--force", ID);
  await runtime.refused("cannot hand on 97 descriptors", "create", "--bundle", bundle, "--preserve-fds", "97", ID);
});

test("a descriptor that is not there is told, and nothing is made", async (runtime, box) => {
  const bundle = makeBundle(box);
  await expectNoLeaks(box.paddock, async () => {
    await runtime.refused(
      "descriptor 3 (1 of 1 to hand on) is not there",
      ...["create", "--bundle", bundle, "--preserve-fds", "1", ID],
    );
    await runtime.refused("does not exist", "state", ID);
  });
});

test("sockets of systemd's activation come first, and the command is told of them", async (runtime, box) => {
  const bundle = makeBundle(box, {
    args: ["sh", "-c", "env | grep LISTEN | sort; readlink /proc/self/fd/3; readlink /proc/self/fd/4; exec sleep 4400"],
    process: { env: ["PATH=/bin"] },
  });
  const [one, two] = [box.file("one", ""), box.file("two", "")];
  const start = async (id: string, pid: string): Promise<string> => {
    const shell = `LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=${pid}; export LISTEN_FDS LISTEN_FDNAMES LISTEN_PID; ` +
      `exec "$@" 3<'${one}' 4<'${two}'`;
    const preserve = pid === "$$" ? "1" : "2";
    const file = await runtime.toFile(["create", "--bundle", bundle, "--preserve-fds", preserve, id], shell);
    await runtime.ok("start", id);
    await waitFor("its words", () => Deno.readTextFileSync(file).endsWith(`${two}\n`));
    assertEquals(
      (await runtime.run(["exec", id, "env"])).stdout.includes("LISTEN"),
      false,
      "further ones are not told",
    );
    await runtime.ok("delete", "--force", id);
    return Deno.readTextFileSync(file);
  };
  const told = await start("a", "$$");
  assertStringIncludes(told, `LISTEN_FDS=1\n`);
  assertStringIncludes(told, `LISTEN_PID=1\n${one}\n${two}\n`);
  if (runtime.name === "paddock") assertStringIncludes(told, "LISTEN_FDNAMES=web\n");
  assertEquals(await start("b", "1"), `${one}\n${two}\n`, "for another process: nothing is said");
}, { peers: ["runc"] });

/** The process that a pidfd is of, by the kernel's word. */
function processOf(fd: number): number {
  return Number(/^Pid:\s+(-?\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`))?.[1]);
}

test("a descriptor of the process goes to --pidfd-socket", async (runtime, box) => {
  const bundle = makeBundle(box);
  const path = box.path("pidfd.sock");
  const pidFile = box.path("pid");
  const expectPidfd = (receiver: Receiver, word: string): void => {
    const received = receiver.take();
    assertEquals(received?.text, word);
    assertEquals(processOf(received!.fd), Number(Deno.readTextFileSync(pidFile)));
    syscall("close", received!.fd);
  };
  await expectNoLeaks(box.paddock, async () => {
    const flags = ["--pidfd-socket", path, "--pid-file", pidFile];
    await runtime.refused("cannot connect to the pidfd socket", "create", "--bundle", bundle, ...flags, ID);
    using receiver = new Receiver(path);
    await runtime.toFile(["create", "--bundle", bundle, ...flags, ID]);
    expectPidfd(receiver, "standard");
    await runtime.ok("start", ID);
    await runtime.toFile(["exec", "--detach", ...flags, ID, "sleep", "4401"]);
    expectPidfd(receiver, "setns");
    assertEquals((await runtime.run(["exec", ...flags, ID, "sh", "-c", "exit 3"])).code, 3);
    const received = receiver.take();
    assertEquals([received?.text, processOf(received!.fd)], ["setns", -1], "it has ended");
    assertMatch(Deno.readTextFileSync(pidFile), /^[1-9]\d*$/);
    syscall("close", received!.fd);
    await runtime.ok("delete", "--force", ID);
  });
});

test("a container has a session keyring that its further processes join, unless told not to", async (runtime, box) => {
  const bundle = makeBundle(box, { linux: { maskedPaths: [] } });
  // A process sees the keyrings that it may view: those of one user by their names, here and in the tests beside.
  const own = async (id: string): Promise<string | undefined> => {
    const keys = await runtime.ok("exec", id, "cat", "/proc/keys");
    return keys.split("\n").find((line) => line.includes(`_ses.${id}:`));
  };
  const id = `keys-${crypto.randomUUID()}`;
  const name = `_ses.${id}`;
  await runtime.toFile(["create", "--bundle", bundle, "--no-new-keyring", id]);
  assertEquals(await own(id), undefined);
  await runtime.ok("delete", "--force", id);
  await runtime.toFile(["create", "--bundle", bundle, id]);
  await runtime.ok("start", id);
  assertMatch(await own(id) ?? "", new RegExp(`3f1b0000 .*keyring +${name}: empty$`));
  await runtime.ok("delete", "--force", id);
  await waitFor("its end", () => !Deno.readTextFileSync("/proc/keys").includes(name));
}, { peers: ["runc"] });
