/**
 * Hooks of bundles: where, when and with what they are run, and what becomes of the container when one fails. What runc
 * and crun agree on is tried with them as well.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { exampleConfigFile } from "../lib/spec/example_config.ts";
import type { Hook, Hooks } from "../lib/spec/config.ts";
import { Box, findProcesses, waitFor } from "./support/box.ts";
import { callOn } from "./support/old_kernel.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, type Outcome, PADDOCK_COMMAND } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

const NAMES = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;

/** Its cgroups are seen by the whole host. */
const ID = `hooks-${Deno.pid}`;

/** A runtime: its words for a verb and what follows. */
type Runtime = (words: readonly string[]) => readonly string[];

function runtimesOf(box: Box): Readonly<Record<"paddock" | "runc" | "crun", Runtime>> {
  // crun takes no hierarchy of version 2 beside those of version 1; it gets a view without.
  const alone = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"';
  return {
    paddock: (words) => box.paddock.command(words),
    runc: (words) => ["runc", "--root", box.path("runc"), ...words],
    crun: (words) => ["unshare", "--mount", "sh", "-c", alone, "crun", "--root", box.path("crun"), ...words],
  };
}

interface Changes {
  readonly args?: readonly string[];
  readonly process?: Record<string, unknown>;
  readonly linux?: Record<string, unknown>;
  readonly annotations?: Record<string, string>;
}

/** A bundle of the box's root filesystem, with these hooks. */
function makeBundle(box: Box, hooks: Hooks, changes: Changes = {}): string {
  const { args = ["sleep", "4410"], process, linux, annotations } = changes;
  const bundle = box.directory("bundle");
  const base = exampleConfigFile();
  const config = {
    ...base,
    // For runc of Debian, which is older.
    ociVersion: "1.0.2",
    root: { path: box.rootfs },
    process: { ...base.process, terminal: false, args, rlimits: [], capabilities: {}, ...process },
    linux: { ...base.linux, ...linux },
    annotations,
    hooks,
  };
  Deno.writeTextFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

/** A hook that writes what it sees, one file for each; and its name into `order`. */
function observers(box: Box): Hooks {
  const script = `#!/bin/sh
dir=$1 name=$2
{ echo "$0"; cat; echo; pwd; echo $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/pid); env | sort | tr '\\n' ' '; echo; umask
} >$dir/seen-$name
echo $name >>$dir/order
`;
  box.file("observe", script, 0o755);
  Deno.mkdirSync(join(box.rootfs, "seen"));
  Deno.writeTextFileSync(join(box.rootfs, "observe"), script, { mode: 0o755 });
  const hook = (name: string, dir: string): Hook => ({
    path: "/bin/sh",
    args: ["sh", dir === "/seen" ? "/observe" : box.path("observe"), dir, name],
    env: ["PATH=/bin:/usr/bin", `NAME=${name}`],
  });
  return Object.fromEntries(
    NAMES.map((name) => [name, [hook(name, name === "startContainer" ? "/seen" : box.path("."))]]),
  );
}

interface Seen {
  readonly state: Record<string, unknown>;
  readonly cwd: string;
  readonly mnt: string;
  readonly pid: string;
  readonly env: string;
  readonly umask: string;
}

function readSeen(box: Box, name: string): Seen {
  const directory = name === "startContainer" ? join(box.rootfs, "seen") : box.path(".");
  const text = Deno.readTextFileSync(join(directory, `seen-${name}`));
  const [, state = "", cwd = "", namespaces = "", env = "", umask = ""] = text.split(/\n+/);
  const [mnt = "", pid = ""] = namespaces.split(" ");
  return { state: JSON.parse(state) as Record<string, unknown>, cwd, mnt, pid, env, umask };
}

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `hooks: ${name}`,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Calls a runtime with its output in a file, for a container keeps it open. */
async function quiet(box: Box, command: readonly string[]): Promise<{ code: number; text: string }> {
  const file = box.path("quiet");
  const { code } = await call(["sh", "-c", 'exec "$@" >"$0" 2>&1', file, ...command]);
  return { code, text: Deno.readTextFileSync(file) };
}

async function ok(box: Box, command: readonly string[]): Promise<void> {
  const { code, text } = await quiet(box, command);
  assertEquals(code, 0, `${command.join(" ")}: ${text}`);
}

for (const name of ["paddock", "runc", "crun"] as const) {
  const needs: readonly Ability[] = name === "paddock" ? [] : [`peer:${name}`, "tool:unshare"];
  test(`${name} runs all six in order, each in its namespaces, with the state on standard input`, async (box) => {
    const runtime = runtimesOf(box)[name];
    const bundle = makeBundle(box, observers(box), { annotations: { "org.example": "x" } });
    const pidFile = box.path("pid");
    await ok(box, runtime(["create", "--bundle", bundle, "--pid-file", pidFile, ID]));
    const pid = Number(Deno.readTextFileSync(pidFile));
    const inside = { mnt: Deno.readLinkSync(`/proc/${pid}/ns/mnt`), pid: Deno.readLinkSync(`/proc/${pid}/ns/pid`) };
    await ok(box, runtime(["start", ID]));
    await waitFor("its start", () => Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("4410"));
    await ok(box, runtime(["delete", "--force", ID]));

    const order = Deno.readTextFileSync(box.path("order")).trim().split("\n");
    // runc 1.1 runs poststart when the container is created (its issue 4347).
    assertEquals(order.filter((point) => name !== "runc" || point !== "poststart"), [
      "prestart",
      "createRuntime",
      "createContainer",
      ...(name === "runc" ? [] : ["poststart"]),
      "poststop",
    ]);
    for (const point of NAMES) {
      const seen = readSeen(box, point);
      const isInside = point === "createContainer" || point === "startContainer";
      assertEquals(seen.pid === inside.pid, isInside, point);
      assertEquals(seen.mnt === inside.mnt, isInside, point);
      assertStringIncludes(seen.env, `NAME=${point} `);
      assertEquals(seen.state["id"], ID);
      assertEquals(seen.state["annotations"], { "org.example": "x" }, point);
      if (!isInside) assertEquals(seen.state["bundle"], bundle, point);
      // That of runc is where it was called.
      if (!isInside && (point !== "poststop" || name !== "runc")) assertEquals(seen.cwd, bundle, point);
      if (["prestart", "createRuntime", "poststart"].includes(point)) assertEquals(seen.state["pid"], pid, point);
    }
    assertEquals(readSeen(box, "poststop").state["status"], "stopped");
    assertEquals(readSeen(box, "startContainer").cwd, "/");
    if (name !== "paddock") return;
    const statuses = NAMES.map((point) => readSeen(box, point).state["status"]);
    assertEquals(statuses, ["creating", "creating", "creating", "created", "running", "stopped"]);
    const own = ["createContainer", "startContainer"].map((point) => readSeen(box, point).state["pid"]);
    assertEquals(own, [1, 1], "as the container counts");
    assertEquals(readSeen(box, "createContainer").cwd, box.rootfs);
    assertEquals(readSeen(box, "createContainer").umask, "0022");
    assertEquals("pid" in readSeen(box, "poststop").state, false);
  }, needs);

  test(`${name} takes a container away whose hook fails before it is created, and tells which`, async (box) => {
    const runtime = runtimesOf(box)[name];
    for (const point of ["prestart", "createRuntime", "createContainer"] as const) {
      const bad = { path: "/bin/sh", args: ["sh", "-c", "echo some words; echo why >&2; exit 3"] };
      const mark = { path: "/bin/sh", args: ["sh", "-c", `echo >${box.path(`after-${point}`)}`] };
      const bundle = makeBundle(box, { [point]: [{ path: "/bin/true" }, bad, mark], poststop: [] });
      const { code, text } = await quiet(box, runtime(["create", "--bundle", bundle, ID]));
      assert(code !== 0, point);
      assertMatch(text, name === "crun" ? /error executing hook/ : /hook #1: .*exit status 3/, text);
      assert((await call([...runtime(["state", ID])])).code !== 0, `${point}: it is gone`);
      assertEquals([...Deno.readDirSync(box.path("."))].filter((entry) => entry.name.startsWith("after-")), [], point);
    }
  }, needs);
}

/** A hook that notes that it was run. */
function note(box: Box, name: string): Hook {
  return { path: "/bin/sh", args: ["sh", "-c", `cat >${box.path(name)}`], env: ["PATH=/bin:/usr/bin"] };
}

async function outcomeOf(box: Box, hooks: Hooks, changes: Changes = {}): Promise<{ code: number; text: string }> {
  const { paddock } = box;
  const bundle = makeBundle(box, hooks, changes);
  const created = await quiet(box, paddock.command(["create", "--bundle", bundle, ID]));
  if (created.code !== 0) return created;
  const started = await quiet(box, paddock.command(["start", ID]));
  if (started.code === 0) await ok(box, paddock.command(["delete", "--force", ID]));
  return started;
}

test("whichever fails, the error has what it said, nothing stays, and poststop hooks are run", async (box) => {
  const points = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"] as const;
  await expectNoLeaks(box.paddock, async () => {
    for (const point of points) {
      const bad = { path: "/bin/sh", args: ["sh", "-c", "echo some words; echo why >&2; exit 3"] };
      const { code, text } = await outcomeOf(box, { [point]: [bad], poststop: [note(box, `stop-${point}`)] });
      assertEquals(code, 125, point);
      assertStringIncludes(
        text,
        `error running ${point} hook #0: exit status 3, stdout: some words, stderr: why\n` +
          `  it is hooks.${point}[0] of config.json, /bin/sh\n`,
      );
      const state = JSON.parse(Deno.readTextFileSync(box.path(`stop-${point}`))) as Record<string, unknown>;
      assertEquals([state["status"], state["id"]], ["stopped", ID]);
      assertMatch((await box.paddock.run(["state", ID])).stderr, /does not exist/);
    }
  });
});

test("a hook that is not there, that dies, or that takes too long has failed; its process group is ended", async (box) => {
  for (const point of ["createRuntime", "createContainer", "startContainer", "poststart"] as const) {
    const missing = await outcomeOf(box, { [point]: [{ path: "/no/such" }] });
    assertStringIncludes(missing.text, `error running ${point} hook #0: cannot execute /no/such: ENOENT`);
    const killed = await outcomeOf(box, { [point]: [{ path: "/bin/sh", args: ["sh", "-c", "kill -9 $$"] }] });
    assertStringIncludes(killed.text, `error running ${point} hook #0: signal: SIGKILL`);
    const late = { path: "/bin/sh", args: ["sh", "-c", "echo began; sleep 4411; echo"], timeout: 1 };
    const slow = await outcomeOf(box, { [point]: [{ ...late, env: ["PATH=/bin:/usr/bin"] }] });
    assertStringIncludes(slow.text, `error running ${point} hook #0: hook ran past its timeout, stdout: began`);
    await waitFor("the end of its child", () => !commandLines().includes("sleep 4411"));
    const soon = await outcomeOf(box, { [point]: [{ ...late, args: ["sh", "-c", "exit 0"], timeout: 30 }] });
    assertEquals(soon.code, 0, soon.text);
  }
});

function commandLines(): string[] {
  return findProcesses("sleep").map(commandOf);
}

function commandOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** The flags of the log stand before the verb, as engines put them. */
function withLog(command: readonly string[], log: string): string[] {
  const at = PADDOCK_COMMAND.length;
  return [...command.slice(0, at), "--log", log, "--log-format", "json", ...command.slice(at)];
}

test("a poststop hook that fails is a warning, also in the log, and those after it are run", async (box) => {
  const bad = { path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 3"] };
  const bundle = makeBundle(box, { poststop: [bad, { path: "/no/such" }, note(box, "last")] });
  await ok(box, box.paddock.command(["create", "--bundle", bundle, ID]));
  const log = box.path("log");
  const { code, stderr } = await call(withLog(box.paddock.command(["delete", "--force", ID]), log));
  assertEquals(code, 0, stderr);
  const [first] = Deno.readTextFileSync(log).split("\n").map((line) =>
    JSON.parse(line || "{}") as Record<string, string>
  );
  assertEquals(first!["level"], "warning");
  assertEquals(first!["msg"], "error running poststop hook #0: exit status 3, stdout: , stderr: why");
  assertStringIncludes(stderr, "warning: error running poststop hook #0: exit status 3, stdout: , stderr: why");
  assertStringIncludes(stderr, "warning: error running poststop hook #1: cannot execute /no/such: ENOENT");
  assertStringIncludes(Deno.readTextFileSync(box.path("last")), '"status":"stopped"');
});

test("the first word, the words and the environment are as given, and nothing of the host's leaks", async (box) => {
  const words = ["-c", 'echo "$0 $*"; env; ls /proc/self/fd; exit 1', "zero", "one  two", ""];
  for (const point of ["createRuntime", "createContainer", "startContainer", "poststart"] as const) {
    const hook = {
      path: "/bin/sh",
      args: [point === "startContainer" ? "sh" : "fi rst", ...words],
      env: ["PATH=/bin:/usr/bin", "A=1 2", "A=3", "B="],
    };
    const { text } = await outcomeOf(box, { [point]: [hook] });
    assertStringIncludes(text, "stdout: zero one  two ", point);
    assertMatch(text, /B=/, point);
    assert(!text.includes("HOME="), text);
    assertMatch(text, /\\n0\\n1\\n2(\\n3)?, stderr/, `${point}: ls itself has one more`);
  }
  // A multi-call program goes by its first word.
  const busybox = await outcomeOf(box, { startContainer: [{ path: "/bin/busybox", args: ["cat", "/nosuch"] }] });
  assertMatch(busybox.text, /cat: can't open '\/nosuch'/);
  // With no environment of their own hooks of the container have its command's, and the others none.
  const show = [{ path: "/bin/sh", args: ["sh", "-c", 'echo "<$OWN>"; exit 1'] }];
  const process = { env: ["PATH=/bin", "OWN=it"] };
  for (const [point, seen] of [["startContainer", "<it>"], ["createContainer", "<>"], ["poststart", "<>"]] as const) {
    assertStringIncludes((await outcomeOf(box, { [point]: show }, { process })).text, `stdout: ${seen}`, point);
  }
});

test("startContainer hooks are bound as the command is: user, capabilities, filter", async (box) => {
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }],
  };
  const script = "id -u; grep -E '^(Seccomp|CapEff|NoNewPrivs|SigBlk):' /proc/self/status; mkdir /tmp/x; exit 1";
  const hook = { path: "/bin/sh", args: ["sh", "-c", script] };
  const process = { user: { uid: 7, gid: 8 }, noNewPrivileges: true };
  const { text } = await outcomeOf(box, { startContainer: [hook] }, { process, linux: { seccomp } });
  assertStringIncludes(text, "stdout: 7\\n");
  for (
    const line of [
      "SigBlk:\\x090000000000000000",
      "CapEff:\\x090000000000000000",
      "NoNewPrivs:\\x091",
      "Seccomp:\\x092",
    ]
  ) {
    assertStringIncludes(text, line);
  }
  assertMatch(text, /No space left/);
  // And without no_new_privs, where the filter needs a capability that the command does not get.
  const bare = await outcomeOf(box, { startContainer: [hook] }, { linux: { seccomp }, process: {} });
  assertStringIncludes(bare.text, "CapEff:\\x090000000000000000");
  assertStringIncludes(bare.text, "Seccomp:\\x092");
});

test("a filter that leaves little more than the exec keeps no hook from being waited for", async (box) => {
  const names = ["ppoll", "signalfd4", "memfd_create", "ftruncate"];
  const seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names, action: "SCMP_ACT_ERRNO", errnoRet: 1 }] };
  const { code, text } = await outcomeOf(box, { startContainer: [{ path: "/bin/true" }] }, { linux: { seccomp } });
  assertEquals(code, 0, text);
});

test("hooks of the runtime see the container's mounts from outside, and may add to them", async (box) => {
  Deno.mkdirSync(join(box.rootfs, "given"));
  const given = box.directory("host-given");
  Deno.writeTextFileSync(join(given, "file"), "from outside\n");
  const script =
    `pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); nsenter -t $pid -m mount --bind ${given} ${box.rootfs}/given`;
  const outside = { path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"] };
  // Of a hook in the container's namespaces the mount is the container's own.
  const inside = { path: "/bin/mount", args: ["mount", "-t", "tmpfs", "-o", "mode=711", "x", `${box.rootfs}/mnt`] };
  Deno.mkdirSync(join(box.rootfs, "mnt"), { recursive: true });
  const check = {
    path: "/bin/sh",
    args: ["sh", "-c", "cat /given/file; grep ' /mnt ' /proc/mounts; exit 1"],
  };
  const hooks = { createRuntime: [outside], createContainer: [inside], startContainer: [check] };
  const { text } = await outcomeOf(box, hooks);
  assertStringIncludes(text, "stdout: from outside\\nx /mnt tmpfs");
  assert(!Deno.readTextFileSync("/proc/self/mounts").includes(`${box.rootfs}/mnt`));
}, ["tool:nsenter"]);

test("with user, time and joined pid namespaces those of the runtime are still in the host's", async (box) => {
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const base = exampleConfigFile().linux.namespaces;
  const sleeper = new Deno.Command("unshare", {
    args: ["--pid", "--fork", "--kill-child", "sleep", "4412"],
  }).spawn();
  const user = new Deno.Command("unshare", { args: ["--user", "sleep", "4416"] }).spawn();
  try {
    const inner = await waitFor("a pid namespace", () => childOf(sleeper.pid));
    await waitFor("a user namespace", () => commandOf(user.pid) === "sleep 4416");
    for (const map of ["uid_map", "gid_map"]) Deno.writeTextFileSync(`/proc/${user.pid}/${map}`, "0 100000 65536\n");
    const joined = base.map((one) => one.type === "pid" ? { type: "pid", path: `/proc/${inner}/ns/pid` } : one);
    const ways: Readonly<Record<string, Record<string, unknown>>> = {
      user: { namespaces: [...base, { type: "user" }], uidMappings: maps, gidMappings: maps },
      time: { namespaces: [...base, { type: "time" }], timeOffsets: { monotonic: { secs: 1000 } } },
      pid: { namespaces: joined },
      joined: { namespaces: [...base, { type: "user", path: `/proc/${user.pid}/ns/user` }] },
    };
    for (const [way, linux] of Object.entries(ways)) {
      const file = box.path(`ns-${way}`);
      const look = `for n in mnt pid time user; do readlink /proc/self/ns/$n; done >${file}; pwd >>${file}`;
      const hook = { path: "/bin/sh", args: ["sh", "-c", look], env: ["PATH=/bin:/usr/bin"] };
      const inside = { path: "/bin/sh", args: ["sh", "-c", "cat >/dev/null; exit 0"] };
      const hooks = { createRuntime: [hook], createContainer: [inside], startContainer: [inside], poststart: [hook] };
      const { code, text } = await outcomeOf(box, hooks, { linux });
      assertEquals(code, 0, `${way}: ${text}`);
      const own = ["mnt", "pid", "time", "user"].map((name) => Deno.readLinkSync(`/proc/self/ns/${name}`));
      assertEquals(Deno.readTextFileSync(file), [...own, box.path("bundle"), ""].join("\n"), way);
      const bad = { ...hook, args: ["sh", "-c", "echo why >&2; exit 4"] };
      const failed = await outcomeOf(box, { createRuntime: [bad] }, { linux });
      assertStringIncludes(failed.text, "error running createRuntime hook #0: exit status 4, stdout: , stderr: why");
    }
  } finally {
    for (const process of [sleeper, user]) {
      process.kill("SIGKILL");
      await process.status;
    }
  }
}, ["userns", "tool:unshare"]);

function childOf(pid: number): number | undefined {
  const found = parseInt(Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`), 10);
  return found > 0 ? found : undefined;
}

test("a create that is told to end ends its hook, and nothing stays", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const hook = { path: "/bin/sh", args: ["sh", "-c", "sleep 4413; echo"], env: ["PATH=/bin:/usr/bin"] };
    const bundle = makeBundle(box, { createRuntime: [hook], poststop: [note(box, "stopped")] });
    const create = box.paddock.start(["create", "--bundle", bundle, ID]);
    const [output] = await Promise.all([
      create.output(),
      create.stdin.close(),
      waitFor("its hook", () => commandLines().includes("sleep 4413")).then(() => create.kill("SIGTERM")),
    ]);
    assertEquals(output.code, 125);
    assertStringIncludes(new TextDecoder().decode(output.stderr), "error running createRuntime hook #0: interrupted");
    await waitFor("its end", () => !commandLines().includes("sleep 4413"));
    assert(Deno.statSync(box.path("stopped")).size > 0);
  });
});

test("run of a bundle has all six, in the foreground and detached, and ends the container where one fails", async (box) => {
  const { paddock } = box;
  const hooks = observers(box);
  const bundle = makeBundle(box, hooks, { args: ["sh", "-c", "cat /seen/seen-startContainer; exit 7"] });
  const { code, stdout, stderr } = await paddock.run(["run", "--bundle", bundle, ID]);
  assertEquals([code, stderr], [7, ""]);
  assertStringIncludes(stdout, '"status":"created","pid":1,');
  const points = NAMES.filter((point) => point !== "startContainer");
  assertEquals(Deno.readTextFileSync(box.path("order")).trim().split("\n"), points);
  const statuses = NAMES.map((point) => readSeen(box, point).state["status"]);
  assertEquals(statuses, ["creating", "creating", "creating", "created", "running", "stopped"]);
  assertEquals(readSeen(box, "poststart").cwd, bundle);
  assertEquals(readSeen(box, "poststart").pid, Deno.readLinkSync("/proc/self/ns/pid"));

  Deno.removeSync(box.path("order"));
  makeBundle(box, hooks);
  await ok(box, paddock.command(["run", "--detach", "--bundle", bundle, ID]));
  assertEquals(Deno.readTextFileSync(box.path("order")).trim().split("\n"), points.slice(0, -1));
  const { pid } = JSON.parse((await paddock.run(["state", ID])).stdout) as { pid: number };
  assertEquals(readSeen(box, "poststart").state["pid"], pid);
  await ok(box, paddock.command(["delete", "--force", ID]));
  assertEquals(Deno.readTextFileSync(box.path("order")).trim().split("\n"), points);

  const bad = { path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 3"] };
  await expectNoLeaks(paddock, async () => {
    for (const flags of [[], ["--detach"]]) {
      for (const point of NAMES.slice(0, -1)) {
        makeBundle(box, { [point]: [bad], poststop: [note(box, `run-${point}`)] });
        const failed = await quiet(box, paddock.command(["run", ...flags, "--bundle", bundle, ID]));
        assertEquals(failed.code, 125, failed.text);
        assertStringIncludes(failed.text, `error running ${point} hook #0: exit status 3, stdout: , stderr: why`);
        assertStringIncludes(Deno.readTextFileSync(box.path(`run-${point}`)), '"stopped"');
        Deno.removeSync(box.path(`run-${point}`));
      }
    }
  });
});

test("the log has the error of a hook as one line of JSON", async (box) => {
  const log = box.path("log");
  const bundle = makeBundle(box, { createContainer: [{ path: "/bin/sh", args: ["sh", "-c", "echo a >&2; exit 2"] }] });
  const command = box.paddock.command(["create", "--bundle", bundle, ID]);
  assertEquals((await quiet(box, withLog(command, log))).code, 125);
  const entry = JSON.parse(Deno.readTextFileSync(log)) as Record<string, string>;
  assertEquals([entry["level"], entry["msg"]], [
    "error",
    "error running createContainer hook #0: exit status 2, stdout: , stderr: a",
  ]);
});

test("a state of any length is read whole", async (box) => {
  const value = "x".repeat(400_000);
  const outside = note(box, "long");
  const inside = { path: "/bin/sh", args: ["sh", "-c", "cat >/long"] };
  const hooks = { createRuntime: [outside], startContainer: [inside], poststop: [note(box, "longer")] };
  const { code, text } = await outcomeOf(box, hooks, { annotations: { long: value } });
  assertEquals(code, 0, text);
  for (const path of [box.path("long"), join(box.rootfs, "long"), box.path("longer")]) {
    const state = JSON.parse(Deno.readTextFileSync(path)) as { annotations: Record<string, string> };
    assertEquals(state.annotations["long"]!.length, value.length);
  }
});

test("what a create left that was killed while a hook ran is deleted by force", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    for (const point of ["createRuntime", "createContainer"] as const) {
      const hook = { path: "/bin/sh", args: ["sh", "-c", "exec sleep 4414"], env: ["PATH=/bin:/usr/bin"] };
      const bundle = makeBundle(box, { [point]: [hook], poststop: [note(box, `gone-${point}`)] });
      const [file, ...args] = box.paddock.command(["create", "--bundle", bundle, ID]);
      // What is left of it would hold a pipe open.
      const create = new Deno.Command(file!, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
      const pid = await waitFor(
        "its hook",
        () => findProcesses("sleep").find((one) => commandOf(one) === "sleep 4414"),
      );
      create.kill("SIGKILL");
      await create.status;
      await waitFor("the end of its hook", () => commandOf(pid) !== "sleep 4414" || point === "createContainer");
      await ok(box, box.paddock.command(["delete", "--force", ID]));
      assertStringIncludes(Deno.readTextFileSync(box.path(`gone-${point}`)), '"stopped"');
      assert(!commandLines().includes("sleep 4414"));
    }
  });
});

for (const kernel of ["4.18", "5.4"] as const) {
  test(`as on Linux ${kernel} they are waited for no longer than they may take`, async (box) => {
    for (const point of ["createRuntime", "startContainer", "poststart"] as const) {
      const late = { path: "/bin/sh", args: ["sh", "-c", "exec sleep 4415"], timeout: 1 };
      const bundle = makeBundle(box, { [point]: [{ ...late, env: ["PATH=/bin:/usr/bin"] }] });
      const file = box.path("old");
      const verb = (word: string, ...words: readonly string[]) =>
        callOn(kernel, ["/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1', file, ...box.paddock.command([word, ...words, ID])]);
      const created = await verb("create", "--bundle", bundle);
      const { code } = created.code === 0 ? await verb("start") : created;
      assertEquals(code, 125);
      const text = Deno.readTextFileSync(file);
      assertStringIncludes(text, `error running ${point} hook #0: hook ran past its timeout`);
      assert(!commandLines().includes("sleep 4415"));
      Deno.removeSync(file);
      const quick = await outcomeOn(kernel, box, { [point]: [{ path: "/bin/true", timeout: 9 }] });
      assertEquals(quick, 0);
    }
  });
}

async function outcomeOn(kernel: "4.18" | "5.4", box: Box, hooks: Hooks): Promise<number> {
  const bundle = makeBundle(box, hooks);
  const quietly = (...words: readonly string[]) =>
    callOn(kernel, ["/bin/sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", ...box.paddock.command([...words, ID])]);
  const created = await quietly("create", "--bundle", bundle);
  const { code } = created.code === 0 ? await quietly("start") : created;
  await quietly("delete", "--force");
  return code;
}

test("features lists all six", async (box) => {
  const { stdout } = await box.paddock.run(["features"]);
  assertEquals((JSON.parse(stdout) as { hooks: string[] }).hooks, [...NAMES]);
});

test("podman runs the hooks of its directory through it", async (box) => {
  const runtime = box.file(
    "paddock",
    `#!/bin/sh\nexec ${PADDOCK_COMMAND.map((word) => `'${word}'`).join(" ")} "$@"\n`,
    0o755,
  );
  const script = box.file("hook", `#!/bin/sh\ncat >${box.path("podman")}-$1\n`, 0o755);
  const stages = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
  for (const stage of stages) {
    const hook = { version: "1.0.0", hook: { path: script, args: ["hook", stage], env: ["PATH=/bin:/usr/bin"] } };
    box.file(`hooks/${stage}.json`, JSON.stringify({ ...hook, when: { always: true }, stages: [stage] }));
  }
  const roots = ["--storage-driver=vfs", "--root", box.path("p"), "--runroot", box.path("r")];
  const base = [...roots, "--cgroup-manager=cgroupfs", "--runtime", runtime, "--hooks-dir", box.path("hooks")];
  const limits = ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000"];
  const podman = (...words: readonly string[]): Promise<Outcome> =>
    call(["podman", ...base, ...words], { timeout: 60_000 });
  try {
    const rootfs = ["--network", "none", ...limits, "--rootfs", box.rootfs];
    const first = await podman("run", "--rm", ...rootfs, "sh", "-c", "echo hello; exit 7");
    assertEquals([first.code, first.stdout], [7, "hello\n"], first.stderr);
    for (const stage of stages) {
      const state = JSON.parse(Deno.readTextFileSync(`${box.path("podman")}-${stage}`)) as Record<string, unknown>;
      assertMatch(String(state["id"]), /^[0-9a-f]{64}$/, stage);
    }
    box.file("hook", "#!/bin/sh\necho no, not so >&2\nexit 1\n", 0o755);
    const second = await podman("run", "--rm", ...rootfs, "true");
    assertEquals(second.code, 126, second.stderr);
    assertStringIncludes(second.stderr, "hook #0: exit status 1, stdout: , stderr: no, not so");
  } finally {
    await podman("rm", "--force", "--time", "0", "--all");
  }
}, ["tool:podman"]);
