import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleFacts, exampleMount, exampleOldFacts } from "../host/facts_example.ts";
import { type ConfigOverrides, exampleConfig, exampleSetting, findSteps, writeSteps } from "./config_example.ts";
import { planDirectories, planPivot, planPropagation, planRemoval, planRootfs } from "./rootfs.ts";
import type { OverlayRootfs, Setting } from "./setting.ts";

const facts = exampleFacts();
const OVERLAY: OverlayRootfs = { kind: "overlay", lower: ["/l"], directory: "/c" };

/** The data of the overlay's mount. */
function dataOf(setting: Partial<Setting>, host = facts): string {
  const acts = planRootfs(exampleConfig(), host, exampleSetting({ rootfs: OVERLAY, ...setting }));
  const mount = findSteps(acts, "mount").find(({ args: [, , type] }) => typeof type === "object");
  const data = mount?.args[4];
  assert(typeof data === "object" && "text" in data);
  return data.text;
}

Deno.test("planRootfs mounts an overlay of all layers, the topmost first", () => {
  const rootfs = { ...OVERLAY, lower: ["/a", "/b"] };
  assertEquals(dataOf({ rootfs, keep: true }), "lowerdir=/a:/b,upperdir=/c/upper,workdir=/c/work");
});

Deno.test("planRootfs names many layers from the directory that they have in common", () => {
  const layers = Array.from({ length: 128 }, (_, i) => `/var/lib/paddock/long/name/l/${String(i).padStart(10, "0")}`);
  const rootfs = { ...OVERLAY, lower: layers };
  const lines = writeSteps(planRootfs(exampleConfig(), facts, exampleSetting({ rootfs })));
  assertEquals(lines.slice(0, 2), [
    'openat(-100, ".", O_PATH|O_DIRECTORY|O_CLOEXEC)',
    'chdir("/var/lib/paddock/long/name/l/")',
  ]);
  assertEquals(lines.slice(3, 5), ["fchdir(<cwd>)", "close(<cwd>)"]);
  const data = dataOf({ rootfs });
  assert(data.startsWith("lowerdir=0000000000:0000000001:") && data.length < 4096);
});

Deno.test("planRootfs says so where the names of all layers do not fit", () => {
  const rootfs = { ...OVERLAY, lower: Array.from({ length: 200 }, (_, i) => `/${"x".repeat(30)}${i}/rootfs`) };
  assertThrows(() => dataOf({ rootfs }), PaddockError, "200 layers are more than the kernel takes");
});

Deno.test("planRootfs escapes what separates the words and layers of an overlay", () => {
  const rootfs: OverlayRootfs = { kind: "overlay", lower: ["/a:b,c\\d"], directory: "/x:y,z" };
  assertEquals(
    dataOf({ rootfs, keep: true }),
    "lowerdir=/a\\:b\\,c\\\\d,upperdir=/x:y\\,z/upper,workdir=/x:y\\,z/work",
  );
});

Deno.test("planRootfs spares the disk only for what is thrown away, and where the kernel can", () => {
  const isVolatile = (setting: Partial<Setting>, host = facts) => dataOf(setting, host).endsWith(",volatile");
  assertEquals(isVolatile({}), true);
  assertEquals(isVolatile({ keep: true }), false);
  assertEquals(isVolatile({ rootfs: { ...OVERLAY, upper: "/save" } }), false);
  assertEquals(isVolatile({ rootfs: { ...OVERLAY, inMemory: true } }), false);
  assertEquals(isVolatile({}, exampleOldFacts()), false);
});

Deno.test("planRootfs keeps the changes where the user wants them", () => {
  assert(dataOf({ rootfs: { ...OVERLAY, upper: "/save" } }).includes("upperdir=/save,workdir=/c/work"));
});

Deno.test("planRootfs mounts a directory on itself, detached first where the kernel can", () => {
  const setting = exampleSetting({ rootfs: { kind: "directory", path: "/srv/rootfs" } });
  const modern = writeSteps(planRootfs(exampleConfig(), facts, setting));
  assertEquals(modern.slice(0, 3), [
    'open_tree(-100, "/srv/rootfs", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
    'move_mount(<1 back>, "", -100, "/srv/rootfs", MOVE_MOUNT_F_EMPTY_PATH)',
    "close(<2 back>)",
  ]);
  const old = writeSteps(planRootfs(exampleConfig(), exampleOldFacts(), setting));
  assertEquals(old[0], 'mount("/srv/rootfs", "/srv/rootfs", 0, MS_BIND|MS_REC, 0)');
  for (const lines of [modern, old]) {
    assertEquals(lines.at(-1), 'openat(-100, "/srv/rootfs", O_PATH|O_DIRECTORY|O_CLOEXEC)');
  }
});

Deno.test("planPropagation makes the namespace private", () => {
  assertEquals(writeSteps([planPropagation(exampleConfig(), facts, exampleSetting())]), [
    'mount(0, "/", 0, MS_PRIVATE|MS_REC, 0)',
  ]);
});

Deno.test("planPropagation listens to the host's mounts, or tells it, only where a mount asks for that", () => {
  const propagation = (overrides: ConfigOverrides) =>
    writeSteps([planPropagation(exampleConfig(overrides), facts, exampleSetting())]);
  const mounts = (word: string) => ({ mounts: [{ destination: "/d", type: "bind", source: "/d", options: [word] }] });
  assertEquals(propagation(mounts("rslave")), ['mount(0, "/", 0, MS_SLAVE|MS_REC, 0)']);
  assertEquals(propagation(mounts("private")), ['mount(0, "/", 0, MS_PRIVATE|MS_REC, 0)']);
  assertEquals(propagation({ linux: { rootfsPropagation: "rslave" } })[0], 'mount(0, "/", 0, MS_SLAVE|MS_REC, 0)');
});

Deno.test("planPropagation keeps the mounts of the rootfs from the host even where a volume is shared", () => {
  const mounts = [{ destination: "/d", type: "bind", source: "/d", options: ["rshared"] }];
  const host = exampleFacts({ mounts: [exampleMount("/", "ext4"), exampleMount("/var/lib", "ext4")] });
  assertEquals(writeSteps([planPropagation(exampleConfig({ mounts }), host, exampleSetting())]), [
    'mount(0, "/", 0, MS_SHARED|MS_REC, 0)',
    'mount(0, "/var/lib", 0, MS_PRIVATE, 0)',
  ]);
});

Deno.test("planRootfs gives each filesystem below an overlay of its own", () => {
  const rootfs: OverlayRootfs = { kind: "overlay", lower: ["/"], directory: "/c", below: ["/boot", "/home"] };
  const lines = writeSteps(planRootfs(exampleConfig(), facts, exampleSetting({ rootfs, keep: true })));
  const overlays = lines.filter((line) => line.startsWith('mount("overlay", "/proc/self/fd/100"'));
  assertEquals(overlays, [
    'mount("overlay", "/proc/self/fd/100", "overlay", 0, "lowerdir=/boot,upperdir=/c/upper0,workdir=/c/work0")',
    'mount("overlay", "/proc/self/fd/100", "overlay", 0, "lowerdir=/home,upperdir=/c/upper1,workdir=/c/work1")',
  ]);
});

Deno.test("planRootfs in memory mounts a tmpfs first and makes the directories in it", () => {
  const setting = exampleSetting({ rootfs: { ...OVERLAY, inMemory: true } });
  const lines = writeSteps(planRootfs(exampleConfig(), facts, setting));
  assertEquals(lines.slice(0, 4), [
    'mount("tmpfs", "/c", "tmpfs", 0, "mode=711")',
    'mkdirat(-100, "/c/upper", 0755)',
    'mkdirat(-100, "/c/work", 0700)',
    'mkdirat(-100, "/c/rootfs", 0700)',
  ]);
});

Deno.test("planDirectories makes what the launcher has to make, and nothing for a directory as it is", () => {
  const made = (overrides: Partial<Setting>) =>
    writeSteps(planDirectories(exampleConfig(), exampleSetting({ rootfs: OVERLAY, ...overrides })));
  assertEquals(made({}).map((line) => line.split('"')[1]), ["/c/upper", "/c/work", "/c/rootfs"]);
  assertEquals(made({ prepared: false }).map((line) => line.split('"')[1]), ["/c", "/c/upper", "/c/work", "/c/rootfs"]);
  assertEquals(made({ rootfs: { ...OVERLAY, upper: "/s" } }).map((line) => line.split('"')[1]), [
    "/c/work",
    "/c/rootfs",
  ]);
  assertEquals(made({ rootfs: { ...OVERLAY, inMemory: true }, prepared: false }).length, 1);
  assertEquals(planDirectories(exampleConfig(), exampleSetting({ rootfs: { kind: "directory", path: "/r" } })), []);
});

Deno.test("planRemoval takes every directory away that planDirectories made, the inner ones first", () => {
  const rootfs: OverlayRootfs = { ...OVERLAY, below: ["/boot"] };
  const setting = exampleSetting({ rootfs, prepared: false });
  const made = writeSteps(planDirectories(exampleConfig(), setting)).map((line) => line.split('"')[1]!);
  const steps = planRemoval(exampleConfig(), setting, "leftovers").flatMap((act) => act.steps);
  const asked = steps.filter(({ onNegative }) => onNegative === "leftovers").map(({ args: [, path] }) =>
    typeof path === "object" && "text" in path ? path.text : ""
  );
  assertEquals([...asked].sort(), [...made].sort());
  assertEquals(asked.at(-1), "/c");
});

Deno.test("planRemoval removes nothing of what is kept, and nothing of the user's", () => {
  assertEquals(planRemoval(exampleConfig(), exampleSetting({ keep: true }), "x"), []);
  assertEquals(planRemoval(exampleConfig(), exampleSetting({ rootfs: { kind: "directory", path: "/r" } }), "x"), []);
  const [saved] = planRemoval(exampleConfig(), exampleSetting({ rootfs: { ...OVERLAY, upper: "/save" } }), "x");
  assertEquals(writeSteps([saved!]).some((line) => line.includes("/save")), false);
});

Deno.test("planPivot leaves no way back to the host's root", () => {
  assertEquals(writeSteps(planPivot(exampleConfig(), exampleFacts())), [
    'openat(-100, "/", O_PATH|O_DIRECTORY|O_CLOEXEC)',
    "fchdir(<root>)",
    'pivot_root(".", ".")',
    "fchdir(<oldRoot>)",
    'mount(0, ".", 0, MS_SLAVE|MS_REC, 0)',
    'umount2(".", MNT_DETACH)',
    'chdir("/")',
    "close(<oldRoot>)",
  ]);
});

Deno.test("planPivot makes the root read-only and sets its propagation after all mounts are made", () => {
  const config = exampleConfig({ root: { path: "/r", readonly: true }, linux: { rootfsPropagation: "rslave" } });
  assertEquals(writeSteps(planPivot(config, exampleFacts()).slice(1)), [
    'mount_setattr(-100, "/", 0, {32 bytes}, 32)',
    'mount(0, "/", 0, MS_SLAVE|MS_REC, 0)',
  ]);
  assertEquals(writeSteps(planPivot(config, exampleFacts({ has: { mount_setattr: false } })).slice(1, 2)), [
    'mount(0, "/", 0, MS_REMOUNT|MS_BIND|MS_RDONLY, 0)',
  ]);
  assertEquals(planPivot(exampleConfig({ linux: { rootfsPropagation: "" } }), exampleFacts()).length, 1);
});

Deno.test("planPivot moves the rootfs over the host's root where it is told not to pivot, and takes /proc away", () => {
  const mounts = ["/proc", "/srv/proc"].map((target) => exampleMount(target, "proc"));
  const facts = exampleFacts({ mounts });
  const acts = planPivot(exampleConfig(), facts, { noPivot: true });
  const calls = acts.flatMap(({ steps }) => steps.map(({ call }) => call));
  assertEquals(calls.includes("pivot_root"), false);
  assertEquals(calls.filter((call) => call === "umount2").length, 2);
  assertEquals(calls.slice(calls.indexOf("fchdir")).slice(0, 4), ["fchdir", "mount", "chroot", "chdir"]);
});
