/**
 * `SCMP_ACT_NOTIFY`: the listener of a container's filter goes to an agent, who answers. runc is asked the same where it
 * is there.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { syscallNumber } from "../lib/program/syscalls.ts";
import { Box, waitFor } from "./support/box.ts";
import { makeBundle } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { requires } from "./support/requires.ts";
import { Runtime } from "./support/runtime.ts";
import { Agent } from "./support/seccomp_agent.ts";
import { type Received, Receiver } from "./support/unix_socket.ts";

/** Nobody else's: cgroups go by it. */
const ID = `agent-${Deno.pid}`;
const ENOMEDIUM = 123;
const MKDIR = ["mkdir", "mkdirat"];

function profile(path: string, names: readonly string[]): Record<string, unknown> {
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    listenerPath: path,
    listenerMetadata: 'say "ä"',
    syscalls: [{ names, action: "SCMP_ACT_NOTIFY" }],
  };
}

/** What `mkdir(2)` and `mkdirat(2)` are on each machine. */
const MKDIR_NUMBERS = [83, 258, 34];

function test(name: string, fn: (runtime: Runtime, box: Box) => Promise<void>, runtimes = ["paddock", "runc"]): void {
  for (const runtime of runtimes) {
    Deno.test({
      name: `oci agent: ${name}${runtime === "paddock" ? "" : ` (${runtime})`}`,
      ...requires("root", "tool:busybox", ...(runtime === "paddock" ? [] : [`peer:${runtime}` as const])),
      fn: async () => {
        using box = await Box.make();
        await fn(new Runtime(box, runtime), box);
      },
    });
  }
}

/** What was sent, with its JSON. */
function take(receiver: Receiver): { readonly received: Received; readonly state: Record<string, unknown> } {
  const received = receiver.take();
  assert(received !== undefined && received.fd > 0, "a listener has come");
  return { received, state: JSON.parse(received.text) as Record<string, unknown> };
}

for (const noNewPrivileges of [true, false]) {
  const kind = noNewPrivileges ? "with no_new_privs" : "without no_new_privs";
  test(
    `the listener comes with the state before create has ended, and the agent answers, ${kind}`,
    async (runtime, box) => {
      const path = box.path("agent.sock");
      const bundle = makeBundle(box, {
        args: ["sh", "-c", "mkdir /tmp/x; echo $?; exec sleep 4400"],
        process: { noNewPrivileges },
        linux: { seccomp: profile(path, MKDIR) },
        more: { annotations: { "org.example": "ö" } },
      });
      await expectNoLeaks(box.paddock, async () => {
        using receiver = new Receiver(path);
        const file = await runtime.toFile(["create", "--bundle", bundle, ID]);
        const { received, state } = take(receiver);
        const { pid } = await runtime.state(ID);
        const { ociVersion, ...rest } = state["state"] as Record<string, unknown>;
        assertMatch(String(ociVersion), /^1\.\d+\.\d+/);
        assertEquals(rest, { id: ID, status: "creating", pid, bundle, annotations: { "org.example": "ö" } });
        assertEquals([state["fds"], state["pid"], state["metadata"]], [["seccompFd"], pid, 'say "ä"']);
        await using agent = new Agent(received.fd, () => ENOMEDIUM);
        await runtime.ok("start", ID);
        await waitFor("its words", () => Deno.readTextFileSync(file).endsWith("1\n"));
        assertMatch(Deno.readTextFileSync(file), /No medium found\n1\n$/);
        assert(
          agent.asked.length > 0 && agent.asked.every((call) => MKDIR_NUMBERS.includes(call)),
          String(agent.asked),
        );
        await runtime.ok("delete", "--force", ID);
      });
    },
  );
}

test("a further process has a listener of its own", async (runtime, box) => {
  const path = box.path("agent.sock");
  const bundle = makeBundle(box, { linux: { seccomp: profile(path, MKDIR) } });
  using receiver = new Receiver(path);
  await runtime.toFile(["create", "--bundle", bundle, ID]);
  await using _first = new Agent(take(receiver).received.fd, () => "continue");
  await runtime.ok("start", ID);
  const { pid } = await runtime.state(ID);
  const pidFile = box.path("pid");
  for (const flags of [[], ["--detach"]]) {
    const words = ["exec", ...flags, "--pid-file", pidFile, ID, "sh", "-c", "mkdir /tmp/y"];
    const running = runtime.tryToFile(words);
    const { received, state } = await waitFor("the listener", () => {
      const received = receiver.take();
      return received && { received, state: JSON.parse(received.text) as Record<string, unknown> };
    });
    await using agent = new Agent(received.fd, () => ENOMEDIUM);
    const { code, file } = await running;
    assertEquals(code, flags.length === 0 ? 1 : 0);
    await waitFor("its words", () => Deno.readTextFileSync(file).includes("No medium found"));
    assert(agent.asked.length > 0);
    const inner = state["state"] as Record<string, unknown>;
    assertEquals([inner["status"], inner["pid"]], ["running", pid]);
    assertEquals(state["pid"], Number(Deno.readTextFileSync(pidFile)));
  }
  await runtime.ok("delete", "--force", ID);
});

test("calls of the way to the command can be asked about, its exec too", async (runtime, box) => {
  const path = box.path("agent.sock");
  const names = ["execve", "read", "close", "openat", "futex", "sendmsg", "exit_group"];
  const bundle = makeBundle(box, {
    args: ["sh", "-c", "echo begun; exec sleep 4400"],
    linux: { seccomp: profile(path, names) },
  });
  using receiver = new Receiver(path);
  const creating = runtime.toFile(["create", "--bundle", bundle, ID]);
  const fd = await waitFor("the listener", () => receiver.take()?.fd);
  await using agent = new Agent(fd, () => "continue");
  const file = await creating;
  await runtime.ok("start", ID);
  await waitFor("its word", () => Deno.readTextFileSync(file) === "begun\n");
  assert(agent.asked.includes(syscallNumber("execve", Deno.build.arch)));
  const running = runtime.tryToFile(["exec", ID, "echo", "further"]);
  const further = await waitFor("the listener", () => receiver.take()?.fd);
  await using _further = new Agent(further, () => "continue");
  const { code, file: output } = await running;
  assertEquals([code, Deno.readTextFileSync(output)], [0, "further\n"]);
  await runtime.ok("delete", "--force", ID);
}, ["paddock"]);

test("what cannot be is refused, and leaves nothing", async (runtime, box) => {
  const path = box.path("agent.sock");
  const base = profile(path, MKDIR);
  const { listenerPath: _, listenerMetadata: __, ...pathless } = base;
  const bad: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ ...base, defaultAction: "SCMP_ACT_NOTIFY" }, "SCMP_ACT_NOTIFY cannot be used as default action"],
    [profile(path, ["write"]), "SCMP_ACT_NOTIFY cannot be used for the write syscall"],
    [pathless, runtime.name === "paddock" ? "listenerPath" : "listener"],
    [base, path],
  ];
  await expectNoLeaks(box.paddock, async () => {
    for (const [seccomp, text] of bad) {
      const bundle = makeBundle(box, { linux: { seccomp } });
      await runtime.refused(text, "create", "--bundle", bundle, ID);
      await runtime.refused("does not exist", "state", ID);
    }
  });
});
