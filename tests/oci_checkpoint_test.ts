/**
 * `checkpoint` and `restore`: what criu is asked for, by a stand-in that reads it with criu's own description of the
 * messages; and criu itself, as far as this kernel lets it go.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Box } from "./support/box.ts";
import { makeBundle, ok, quietly, runDetached, stateOf, waitForEnd, waitForStatus } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

/** Other tests may run at the same time, and cgroups are the host's. */
const ID = `criu-${Deno.pid}`;

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** The stand-in needs criu's library for Python, which is in criu's package. */
const STAND_IN: readonly Ability[] = ["tool:criu", "tool:python3"];

function standIn(box: Box): string {
  return box.file("standin/criu", Deno.readTextFileSync(join(import.meta.dirname!, "support/criu.py")), 0o755);
}

type Asked = Record<string, unknown>;

function asked(box: Box): Asked {
  return JSON.parse(Deno.readTextFileSync(box.path("standin/asked.json"))) as Asked;
}

/** `opts` of flags that are there. */
const FLAGS = ["--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks", "--auto-dedup"];

test("checkpoint asks criu for what its flags say, and the container is over and gone", async (box) => {
  const criu = standIn(box);
  await expectNoLeaks(box.paddock, async () => {
    const pid = await runDetached(box, ID);
    const images = box.path("images");
    const words = ["checkpoint", "--criu", criu, "--image-path", images, "--work-path", box.path("work"), ...FLAGS];
    await ok(box, ...words, "--manage-cgroups-mode", "full", "--empty-ns", "network", ID);
    const opts = asked(box);
    assertEquals([opts["images_dir_fd"], opts["work_dir_fd"]], [images, box.path("work")]);
    assertEquals([opts["pid"], opts["root"], opts["log_file"]], [pid, box.rootfs, "dump.log"]);
    for (const flag of FLAGS) assertEquals(opts[flag.slice(2).replaceAll("-", "_")], true, flag);
    assertEquals([opts["manage_cgroups_mode"], opts["empty_ns"]], ["FULL", 0x40000000]);
    assertEquals([opts["leave_running"], opts["orphan_pts_master"], opts["notify_scripts"]], [false, true, true]);
    assertEquals((JSON.parse(Deno.readTextFileSync(join(images, "descriptors.json"))) as string[]).length, 3);
    await waitForEnd(pid);
    assertStringIncludes((await box.paddock.run(["state", ID])).stderr, "does not exist");
  });
}, STAND_IN);

test("checkpoint: memory beforehand, then what has changed, and it goes on", async (box) => {
  const criu = standIn(box);
  const pid = await runDetached(box, ID);
  const images = (name: string) => ["--criu", criu, "--image-path", box.path(`images/${name}`)];
  await ok(box, "checkpoint", ...images("first"), "--pre-dump", ID);
  assertEquals([asked(box)["track_mem"], asked(box)["ext_mnt"], asked(box)["pid"]], [true, undefined, pid]);
  const second = [...images("second"), "--parent-path", "../first", "--leave-running"];
  await ok(box, "checkpoint", ...second, "--page-server", "127.0.0.1:2222", ID);
  const opts = asked(box);
  assertEquals([opts["parent_img"], opts["track_mem"], opts["leave_running"]], ["../first", true, true]);
  assertEquals(opts["ps"], { address: "127.0.0.1", port: 2222 });
  assert((opts["ext_mnt"] as unknown[]).length > 0);
  assertEquals((await stateOf(box, ID))["status"], "running");
  const table: readonly (readonly [string[], string])[] = [
    [["--parent-path", "/abs"], "relative"],
    [["--parent-path", "nosuch"], "no directory nosuch"],
    [["--manage-cgroups-mode", "odd"], "'odd' is not supported"],
    [["--empty-ns", "mount"], "'mount' is not supported"],
    [["--page-server", "here"], "ADDRESS:PORT"],
  ];
  for (const [flags, words] of table) {
    const { code, stderr } = await box.paddock.run(["checkpoint", ...images("third"), ...flags, ID]);
    assertEquals(code, 125);
    assertStringIncludes(stderr, words);
  }
  await ok(box, "delete", "--force", ID);
}, STAND_IN);

test("what criu says of a failure is told, with where it says more, and the container goes on", async (box) => {
  const criu = standIn(box);
  const pid = await runDetached(box, ID);
  const words = ["checkpoint", "--criu", criu, "--image-path", box.path("images"), ID];
  const { code, stderr } = await box.paddock.run(words, { env: { STANDIN_FAILS: "1" } });
  assertEquals(code, 125);
  assertStringIncludes(stderr, `cannot checkpoint container ${ID}: criu failed: not this: EINVAL`);
  assertStringIncludes(stderr, `${box.path("images")}/dump.log`);
  assertEquals((await stateOf(box, ID))["pid"], pid);
  await ok(box, "kill", ID, "KILL");
  await waitForStatus(box, ID, "stopped");
  assertStringIncludes((await box.paddock.run(words)).stderr, "container cannot be checkpointed in stopped state");
  await ok(box, "delete", ID);
}, STAND_IN);

test("restore asks criu for the bundle's mounts in the container's cgroups, and knows the process", async (box) => {
  const criu = standIn(box);
  await expectNoLeaks(box.paddock, async () => {
    const source = box.directory("source");
    const bundle = makeBundle(box, { linux: { resources: { pids: { limit: 40 } } } });
    const path = join(bundle, "config.json");
    const config = JSON.parse(Deno.readTextFileSync(path));
    config.mounts.push({ destination: "/over/there", type: "bind", source, options: ["rbind"] });
    Deno.writeTextFileSync(path, JSON.stringify(config));
    Deno.mkdirSync(box.path("images"));
    Deno.writeTextFileSync(box.path("images/descriptors.json"), '["/dev/null", "pipe:[4711]", "pipe:[4712]"]');
    const pidFile = box.path("pid");
    const flags = ["--criu", criu, "--image-path", box.path("images"), "--lsm-profile", "apparmor:x"];
    await quietly(box, "r", ["restore", ...flags, "--bundle", bundle, "-d", "--pid-file", pidFile, ID]);
    const opts = asked(box);
    const mounts = (opts["ext_mnt"] as { key: string; val: string }[]).map(({ key, val }) => [key, val].join("="));
    assert(mounts.includes(`/over/there=${source}`), mounts.join());
    assert(mounts.includes("/dev/null=/dev/null"));
    assertEquals((opts["inherit_fd"] as { key: string }[]).map(({ key }) => key), ["pipe:[4711]", "pipe:[4712]"]);
    assertEquals([opts["rst_sibling"], opts["isMount"], opts["lsm_profile"]], [true, true, "apparmor:x"]);
    const roots = opts["cg_root"] as { path: string }[];
    assert(roots.length > 0 && roots.every(({ path }) => path.endsWith(`/${ID}`)));
    for (const { path } of roots) assertStringIncludes(opts["cgroups"] as string, path);
    assert(Deno.statSync(join(box.rootfs, "over/there")).isDirectory);
    const state = await stateOf(box, ID);
    assertEquals([state["status"], state["pid"]], ["running", Number(Deno.readTextFileSync(pidFile))]);
    await ok(box, "delete", "--force", ID);
    await waitForEnd(state["pid"] as number);
    Deno.removeSync(join(box.rootfs, "over"), { recursive: true });
  });
}, [...STAND_IN, "cgroup"]);

test("restore in front ends with the container's own code, and leaves nothing", async (box) => {
  const criu = standIn(box);
  await expectNoLeaks(box.paddock, async () => {
    const bundle = makeBundle(box);
    Deno.mkdirSync(box.path("images"), { recursive: true });
    const words = ["restore", "--criu", criu, "--image-path", box.path("images"), "--bundle", bundle, ID];
    assertEquals((await box.paddock.run(words, { env: { STANDIN_SLEEP: "0.1" } })).code, 0);
    const child = box.paddock.start(words);
    for (;;) {
      const { code, stdout } = await box.paddock.run(["state", ID]);
      if (code === 0 && JSON.parse(stdout).status === "running") break;
    }
    await ok(box, "kill", ID, "TERM");
    await child.stdin.close();
    const { code } = await child.output();
    assertEquals(code, 143);
    assertEquals([...Deno.readDirSync(box.paddock.root)].filter(({ name }) => name === ID), []);
  });
}, STAND_IN);

test("a restore that fails leaves nothing", async (box) => {
  const criu = standIn(box);
  await expectNoLeaks(box.paddock, async () => {
    Deno.mkdirSync(box.path("images"), { recursive: true });
    const words = ["restore", "--criu", criu, "--image-path", box.path("images"), "--bundle", makeBundle(box), ID];
    const { code, stderr } = await box.paddock.run(words, { env: { STANDIN_FAILS: "1" } });
    assertEquals(code, 125);
    assertStringIncludes(stderr, `cannot restore container ${ID}: criu failed: not this`);
    assertStringIncludes((await box.paddock.run(["state", ID])).stderr, "does not exist");
  });
}, STAND_IN);

test("without criu both say so", async (box) => {
  await runDetached(box, ID);
  for (const words of [["checkpoint", ID], ["restore", "--bundle", makeBundle(box), `${ID}-r`]]) {
    const { code, stderr } = await box.paddock.run([words[0]!, "--criu", "/nosuch/criu", ...words.slice(1)], {
      cwd: box.directory("cwd"),
    });
    assertEquals(code, 125);
    assertStringIncludes(stderr, "cannot execute /nosuch/criu");
    assertStringIncludes(stderr, "install criu");
  }
  await ok(box, "delete", "--force", ID);
});

test("criu itself understands what it is asked for", async (box) => {
  const pid = await runDetached(box, ID);
  const images = box.path("images");
  const { code, stderr } = await box.paddock.run(["checkpoint", "--image-path", images, ID]);
  const works = (await call(["criu", "check"])).code === 0;
  // Where criu does not know the kernel it has read the request, opened its log, and said why it goes no further.
  if (works) assertEquals(code, 0, stderr);
  else {
    assertMatch(stderr, /cannot checkpoint container .*: criu failed/);
    assertStringIncludes(Deno.readTextFileSync(join(images, "dump.log")), "Error");
    assertEquals((await stateOf(box, ID))["pid"], pid);
  }
  await ok(box, "delete", "--force", ID);
}, ["tool:criu"]);

test("podman sees by the words of an error that restore has a flag", async (box) => {
  const { stderr } = await box.paddock.run(["restore", "--lsm-mount-context"]);
  assertStringIncludes(stderr, "flag needs an argument");
  assertEquals((await box.paddock.run(["checkpoint", "--help"])).code, 0);
});
