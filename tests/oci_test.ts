/**
 * paddock as an OCI runtime: containers from bundles by create, start, exec, kill and delete.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { exampleConfigFile } from "../lib/spec/example_config.ts";
import { Box, findProcesses, waitFor } from "./support/box.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, type Outcome, PADDOCK_COMMAND } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

/** Other tests may run at the same time, and cgroups are the host's. */
const C = `c-${Deno.pid}`;

interface Changes {
  readonly args?: readonly string[];
  readonly process?: Record<string, unknown>;
  readonly linux?: Record<string, unknown>;
  readonly more?: Record<string, unknown>;
}

/** A bundle of the box's root filesystem. */
function makeBundle(box: Box, { args = ["sleep", "4400"], process, linux, more }: Changes = {}): string {
  const bundle = box.directory("bundle");
  const base = exampleConfigFile();
  const config = {
    ...base,
    root: { path: box.rootfs },
    process: { ...base.process, terminal: false, args, rlimits: [], ...process },
    linux: { ...base.linux, ...linux },
    ...more,
  };
  Deno.writeTextFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `oci: ${name}`,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

async function ok(box: Box, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

async function refused(box: Box, text: string, ...words: readonly string[]): Promise<void> {
  const { code, stderr } = await box.paddock.run(words);
  assert(code !== 0, words.join(" "));
  assertStringIncludes(stderr, text);
}

async function stateOf(box: Box, id: string): Promise<Record<string, unknown>> {
  return JSON.parse(await ok(box, "state", id)) as Record<string, unknown>;
}

/** Creates and hands its standard output to a file, for the command writes there later. */
async function create(box: Box, id: string, bundle: string, ...flags: readonly string[]): Promise<string> {
  const file = box.path(`out-${id}`);
  const words = box.paddock.command(["create", "--bundle", bundle, ...flags, id]);
  const { code, stderr } = await call(["sh", "-c", 'exec "$@" >"$0" 2>&1', file, ...words]);
  assertEquals(code, 0, `${stderr}${Deno.readTextFileSync(file)}`);
  return file;
}

async function waitForStatus(box: Box, id: string, wanted: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await stateOf(box, id))["status"] === wanted) return;
  }
  throw new Error(`${id} does not become ${wanted}`);
}

test("create sets everything up, start lets it go, state tells, delete leaves nothing", async (box) => {
  const bundle = makeBundle(box, { args: ["sh", "-c", "echo $$; hostname; exec sleep 4400"] });
  await expectNoLeaks(box.paddock, async () => {
    const pidFile = box.path("pid");
    const out = await create(box, C, bundle, "--pid-file", pidFile);
    const created = await stateOf(box, C);
    assertEquals([created["status"], created["bundle"], created["id"]], ["created", bundle, C]);
    assertEquals(created["pid"], Number(Deno.readTextFileSync(pidFile)));
    assertMatch(Deno.readTextFileSync(pidFile), /^[1-9]\d*$/);
    assertEquals(Deno.readTextFileSync(out), "", "nothing of the command has run");
    await refused(box, "does not exist", "delete", "nosuch");
    assertEquals(await ok(box, "start", C), "");
    await waitFor(
      "its words",
      () => Deno.readTextFileSync(out).includes("\n") && Deno.readTextFileSync(out).length > 3,
    );
    assertMatch(Deno.readTextFileSync(out), /^1\n\w+\n$/);
    assertEquals((await stateOf(box, C))["status"], "running");
    await refused(box, "cannot start an already running container", "start", C);
    await refused(box, `cannot delete container ${C} that is not stopped: running`, "delete", C);
    await ok(box, "kill", C, "KILL");
    await waitForStatus(box, C, "stopped");
    await refused(box, "container not running", "kill", C, "9");
    await refused(box, "cannot start a container that has stopped", "start", C);
    await ok(box, "delete", C);
    await refused(box, "does not exist", "state", C);
    await ok(box, "delete", "--force", C);
  });
});

test("a change of config.json after create has no effect, and an id belongs to one", async (box) => {
  const bundle = makeBundle(box, { args: ["echo", "first"] });
  const out = await create(box, C, bundle);
  makeBundle(box, { args: ["echo", "second"] });
  await refused(box, C, "create", "--bundle", bundle, C);
  assertEquals((await stateOf(box, C))["status"], "created");
  await ok(box, "start", C);
  await waitFor("its word", () => Deno.readTextFileSync(out) === "first\n");
  await ok(box, "delete", "--force", C);
});

test("of several creates of one id exactly one wins", async (box) => {
  const bundle = makeBundle(box);
  // What it creates has its output, and would keep a pipe open.
  const quiet = ["sh", "-c", 'exec "$@" >>"$0" 2>&1', box.path("out")];
  const words = box.paddock.command(["create", "--bundle", bundle, `race-${Deno.pid}`]);
  const all = await Promise.all(Array.from({ length: 5 }, () => call([...quiet, ...words])));
  assertEquals(all.filter(({ code }) => code === 0).length, 1, Deno.readTextFileSync(box.path("out")));
  await ok(box, "delete", "--force", `race-${Deno.pid}`);
});

test("what cannot be is said by create, and leaves nothing", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const log = box.path("log");
    const bad: readonly (readonly [Changes, string])[] = [
      [{ args: ["nosuch"] }, "executable file not found in $PATH"],
      [{ args: ["/bin/nosuch"] }, "executable file not found in $PATH"],
      [{ args: ["/etc"] }, "permission denied"],
      [{ process: { cwd: "relative" } }, "process.cwd"],
      [{ linux: { resources: { memory: { limit: "much" } } } }, "linux.resources.memory.limit"],
      [{ process: { terminal: true } }, "console socket"],
      [{ more: { hooks: { poststart: [{ path: "bin/true" }] } } }, "hooks.poststart[0].path"],
    ];
    for (const [changes, text] of bad) {
      const bundle = makeBundle(box, changes);
      const command = box.paddock.command(["create", "--bundle", bundle, C]);
      const at = PADDOCK_COMMAND.length;
      const words = [...command.slice(0, at), "--log", log, "--log-format", "json", ...command.slice(at)];
      const { code, stderr } = await call(words);
      assert(code !== 0, text);
      assertStringIncludes(stderr, text);
      const entry = JSON.parse(Deno.readTextFileSync(log).trim().split("\n").at(-1)!) as Record<string, string>;
      assertEquals(entry["level"], "error");
      assertStringIncludes(entry["msg"]!, text);
      assertMatch(entry["time"]!, /^20\d\d-\d\d-\d\dT/);
    }
  });
});

test("its cgroup is where the bundle says, its limits hold, and it can be paused", async (box) => {
  const cgroupsPath = `/paddock-oci-test-${Deno.pid}/inner`;
  const bundle = makeBundle(box, { linux: { cgroupsPath, resources: { pids: { limit: 30 } } } });
  await create(box, C, bundle);
  await ok(box, "start", C);
  const { pid } = await stateOf(box, C);
  assertStringIncludes(Deno.readTextFileSync(`/proc/${pid}/cgroup`), cgroupsPath);
  await ok(box, "pause", C);
  assertEquals((await stateOf(box, C))["status"], "paused");
  await refused(box, "cannot exec in a paused container", "exec", C, "true");
  await ok(box, "resume", C);
  assertEquals((await stateOf(box, C))["status"], "running");
  await ok(box, "delete", "--force", C);
  for (
    const mount of Deno.readTextFileSync("/proc/self/mounts").split("\n").filter((line) => / cgroup2? /.test(line))
  ) {
    const path = `${mount.split(" ")[1]}/paddock-oci-test-${Deno.pid}`;
    try {
      Deno.removeSync(path);
    } catch {
      // Not in this hierarchy.
    }
  }
}, ["controller:pids", "controller:freezer"]);

test("exec runs in all of its namespaces and its cgroup, with its own code, input and output", async (box) => {
  const bundle = makeBundle(box);
  await create(box, C, bundle);
  await ok(box, "start", C);
  const { pid } = await stateOf(box, C);
  const look =
    "for n in mnt pid net ipc uts; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup; hostname; id -u";
  const inside = await ok(box, "exec", C, "sh", "-c", look);
  for (const name of ["mnt", "pid", "net", "ipc", "uts"]) {
    assertStringIncludes(inside, Deno.readLinkSync(`/proc/${pid}/ns/${name}`));
  }
  const run = async (words: readonly string[], stdin?: string): Promise<Outcome> =>
    await box.paddock.run(["exec", ...words], stdin === undefined ? {} : { stdin });
  assertEquals((await run([C, "sh", "-c", "exit 42"])).code, 42);
  assertEquals((await run([C, "cat"], "in and out")).stdout, "in and out");
  assertEquals((await run([C, "sh", "-c", "kill -9 $$"])).code, 137);
  const missing = await run([C, "nosuch"]);
  assertEquals(missing.code, 127);
  assertStringIncludes(missing.stderr, "nosuch");
  assertStringIncludes(missing.stderr, "executable file not found in $PATH");
  const flags = ["--user", "7:8", "--env", "A=b", "--cwd", "/bin", "--additional-gids", "9"];
  assertMatch(
    (await run([...flags, C, "sh", "-c", 'id; pwd; echo "$A"'])).stdout,
    /^uid=7.* gid=8.*9.*\n\/bin\nb\n$/,
  );
  assertEquals((await run([C, "sh", "-c", "echo /proc/self/fd/*"])).stdout.split(" ").length <= 4, true);
  const file = box.file(
    "process.json",
    JSON.stringify({ args: ["id", "-u"], cwd: "/", user: { uid: 3, gid: 3 }, env: ["PATH=/bin"] }),
  );
  assertEquals((await run(["--process", file, C])).stdout, "3\n");
  // A process that says nothing of capabilities has those of the container, and not the host's.
  const caps = (file: string) => ["exec", "--process", file, C];
  const silent = { args: ["grep", "CapBnd", "/proc/self/status"], cwd: "/", env: ["PATH=/bin"] };
  const own = await ok(box, "exec", C, "grep", "CapBnd", "/proc/self/status");
  assertEquals(await ok(box, ...caps(box.file("silent.json", JSON.stringify(silent)))), own);
  assertEquals(own, "CapBnd:\t0000000020000420\n");
  for (const odd of [":1", "-1", "4294967296", "root", "1:"]) {
    assert((await run(["--user", odd, C, "true"])).code !== 0, odd);
  }
  await ok(box, "delete", "--force", C);
  await refused(box, "does not exist", "exec", C, "true");
});

test("the bundle's filter is on its command and on what is executed in it, and there is none unasked", async (box) => {
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }],
  };
  const look = "grep ^Seccomp: /proc/self/status; mkdir /tmp/x 2>&1";
  for (const [linux, mode, word] of [[{ seccomp }, 2, "No space left"], [{}, 0, ""]] as const) {
    const bundle = makeBundle(box, { linux, more: { root: { path: box.rootfs, readonly: false } } });
    await create(box, C, bundle);
    await ok(box, "start", C);
    const { pid } = await stateOf(box, C);
    assertStringIncludes(Deno.readTextFileSync(`/proc/${pid}/status`), `Seccomp:\t${mode}\n`);
    const { stdout } = await box.paddock.run(["exec", C, "sh", "-c", look]);
    assertMatch(stdout, new RegExp(`^Seccomp:\\s+${mode}\n`));
    assertStringIncludes(stdout, word);
    await ok(box, "delete", "--force", C);
  }
});

test("a detached exec goes on by itself, and its id is in the file", async (box) => {
  await create(box, C, makeBundle(box));
  await ok(box, "start", C);
  const pidFile = box.path("exec-pid");
  const words = box.paddock.command(["exec", "--detach", "--pid-file", pidFile, C, "sleep", "4401"]);
  assertEquals((await call(["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", ...words])).code, 0);
  const pid = Number(Deno.readTextFileSync(pidFile));
  assertStringIncludes(Deno.readTextFileSync(`/proc/${pid}/cmdline`), "4401");
  assertEquals([...Deno.readDirSync(join(box.paddock.root, C, "exec"))], []);
  await ok(box, "delete", "--force", C);
  await waitFor("its end", () => !findProcesses("sleep").includes(pid));
});

test("list tells of all, as a table, by ids, and as JSON; gc leaves them alone", async (box) => {
  const bundle = makeBundle(box, { more: { annotations: { "org.example": "x" } } });
  const [a, b] = [`a-${Deno.pid}`, `b-${Deno.pid}`];
  await create(box, b, bundle);
  await create(box, a, bundle);
  await ok(box, "start", a);
  await ok(box, "gc");
  await ok(box, "run", box.rootfs, "true");
  assertEquals(await ok(box, "list", "--quiet"), `${a}\n${b}\n`);
  assertMatch(
    await ok(box, "list"),
    /^ID +PID +STATUS +BUNDLE +CREATED +OWNER\na-\d+ +\d+ +running .* root\nb-\d+ +\d+ +created /,
  );
  const listed = JSON.parse(await ok(box, "list", "--format", "json")) as Record<string, unknown>[];
  assertEquals(listed.map(({ id, status }) => [id, status]), [[a, "running"], [b, "created"]]);
  assertEquals(listed[0]?.["annotations"], { "org.example": "x" });
  for (const id of [a, b]) await ok(box, "delete", "--force", id);
});

test("without systemd its driver says how to go on, and nothing is left", async (box) => {
  const bundle = makeBundle(box);
  const nowhere = ["env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere", "unshare", "--mount", "sh", "-c"];
  const hidden = "mkdir -p /run/systemd /run/dbus && mount -t tmpfs none /run/systemd && mount -t tmpfs none /run/dbus";
  await expectNoLeaks(box.paddock, async () => {
    for (const words of [["create", "--bundle", bundle, C], ["run", box.rootfs, "true"]]) {
      const { code, stderr } = await box.paddock.run([words[0]!, "--systemd-cgroup", ...words.slice(1)], {
        under: [...nowhere, `${hidden} && exec "$0" "$@"`],
      });
      assert(code !== 0);
      assertStringIncludes(stderr, "systemd is not reached, which is to make the cgroups: /nowhere: ");
      assertStringIncludes(stderr, "--cgroup-manager cgroupfs");
    }
  });
});

test("without a cgroup there are no limits, and no device nodes", async (box) => {
  const words = ["--cgroup-manager", "disabled", "--bundle"];
  const limited = makeBundle(box, { linux: { resources: { pids: { limit: 10 } } } });
  await refused(
    box,
    "linux.resources.pids: a container without a cgroup has no limits",
    "create",
    ...words,
    limited,
    C,
  );
  const args = ["sh", "-c", "mknod /tmp/null c 1 3; cat /proc/self/cgroup"];
  const bundle = makeBundle(box, {
    args,
    process: { capabilities: { bounding: ["CAP_MKNOD"], effective: ["CAP_MKNOD"], permitted: ["CAP_MKNOD"] } },
    linux: {
      namespaces: [{ type: "mount" }, { type: "pid" }, { type: "uts" }],
      resources: { devices: [{ allow: false }] },
    },
  });
  const { stdout, stderr } = await box.paddock.run(["run", ...words, bundle, C]);
  assertStringIncludes(stderr, "CAP_MKNOD is not to be had here");
  assertStringIncludes(stderr, "Operation not permitted");
  assertEquals(stdout, Deno.readTextFileSync("/proc/self/cgroup"));
});

test("HOME is the user's own, by the container's passwd file, where the bundle says nothing of it", async (box) => {
  const env = ["PATH=/bin"];
  const bundle = makeBundle(box, {
    args: ["sh", "-c", "echo $HOME; exec sleep 4440"],
    process: { env, user: { uid: 1000, gid: 1000 } },
  });
  const id = `home-${Deno.pid}`;
  const file = await create(box, id, bundle);
  await ok(box, "start", id);
  await waitFor("its home", () => Deno.readTextFileSync(file) !== "");
  assertEquals(Deno.readTextFileSync(file), "/home/user\n");
  assertEquals(await ok(box, "exec", id, "sh", "-c", "echo $HOME"), "/home/user\n");
  assertEquals(await ok(box, "exec", "--user", "0", id, "sh", "-c", "echo $HOME"), "/root\n");
  assertEquals(await ok(box, "exec", "--user", "77", id, "sh", "-c", "echo $HOME"), "/\n");
  assertEquals(await ok(box, "exec", "--env", "HOME=/own", id, "sh", "-c", "echo $HOME"), "/own\n");
  await ok(box, "delete", "--force", id);
});
