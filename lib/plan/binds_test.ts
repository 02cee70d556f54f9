import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleFacts, exampleMount } from "../host/facts_example.ts";
import type { Facts, MountFact } from "../host/facts.ts";
import type { Act, Step } from "../program/step.ts";
import type { Mount } from "../spec/config.ts";
import { mountAttributes, mountOf, planBind, planBindSources } from "./binds.ts";
import { findSteps, writeSteps } from "./config_example.ts";

const modern = exampleFacts();

function old(mounts: readonly MountFact[] = [exampleMount("/", "ext4")]): Facts {
  return exampleFacts({ release: "4.18.0", mounts, has: { openat2: false, open_tree: false, mount_setattr: false } });
}

function bind(options: readonly string[], facts = modern): Act {
  return planBind(mountWith(options), { facts, key: "m", kind: "directory" });
}

function sources(options: readonly string[], facts = modern): Act[] {
  return planBindSources([mountWith(options)], facts, () => "m");
}

function mountWith(options: readonly string[]): Mount {
  return { destination: "/data", type: "bind", source: "/srv/data", options };
}

/** The 64-bit words of the struct that a step points at. */
function wordsOf(step: Step | undefined, place: number): Record<number, readonly string[]> {
  const arg = step?.args[place];
  assert(typeof arg === "object" && "block" in arg);
  return Object.fromEntries(arg.block.fields.map((field) => {
    assert("value" in field && typeof field.value === "object" && "flags" in field.value);
    return [field.at, field.value.flags];
  }));
}

/** The flags of each `mount` call that changes what is mounted already. */
function remounts(steps: readonly Step[]): (readonly string[])[] {
  return steps.filter(({ call }) => call === "mount").map(({ args: [, , , arg] }) => {
    assert(typeof arg === "object" && "flags" in arg);
    return arg.flags;
  }).filter((flags) => flags[0] === "MS_REMOUNT").map((flags) => flags.slice(2));
}

Deno.test("planBindSources copies the mounts of a source and sets their attributes; planBind only attaches them", () => {
  const acts = sources(["rbind", "ro", "rro"]);
  assertEquals(writeSteps(acts), [
    'open_tree(-100, "/srv/data", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
    'mount_setattr(<m.tree>, "", AT_EMPTY_PATH, {32 bytes}, 32)',
    'mount_setattr(<m.tree>, "", AT_EMPTY_PATH|AT_RECURSIVE, {32 bytes}, 32)',
  ]);
  assertEquals(wordsOf(acts[0]?.steps[2], 3), { 0: ["MOUNT_ATTR_RDONLY"], 8: [] });
  const attached = bind(["rbind", "ro", "rro"]);
  assertEquals(attached.what, "mount /srv/data on /data read-only");
  assertEquals(writeSteps([attached]).slice(-2), [
    'move_mount(<m.tree>, "", 100, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)',
    "close(<m.tree>)",
  ]);
});

Deno.test("planBindSources sets no attributes where none are asked for, and copies one mount alone for bind", () => {
  assertEquals(writeSteps(sources(["bind"])), ['open_tree(-100, "/srv/data", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC)']);
  assertEquals(bind(["bind"]).what, "mount /srv/data on /data");
});

Deno.test("planBindSources passes over what is no bind mount, and opens nothing on a kernel without the call", () => {
  assertEquals(planBindSources([{ destination: "/proc", type: "proc" }], modern, String), []);
  assertEquals(sources(["rbind"], old()), []);
});

Deno.test("planBindSources sets propagation with the attributes, recursive or not", () => {
  const [own] = findSteps(sources(["rbind", "slave"]), "mount_setattr");
  assertEquals(wordsOf(own, 3)[16], ["MS_SLAVE"]);
  const both = findSteps(sources(["rbind", "nosuid", "rprivate"]), "mount_setattr");
  assertEquals(both.map((step) => wordsOf(step, 3)), [
    { 0: ["MOUNT_ATTR_NOSUID"], 8: [] },
    { 0: [], 8: [], 16: ["MS_PRIVATE"] },
  ]);
});

Deno.test("mountAttributes clears all settings of access times before it sets one: they exclude one another", () => {
  const words = (...args: Parameters<typeof mountAttributes>) =>
    wordsOf({ call: "mount_setattr", args: [mountAttributes(...args)] }, 0);
  assertEquals(words(["MOUNT_ATTR_NOATIME"], []), { 0: ["MOUNT_ATTR_NOATIME"], 8: ["MOUNT_ATTR__ATIME"] });
  assertEquals(words([], ["MOUNT_ATTR_NOATIME", "MOUNT_ATTR_NOSUID"]), {
    0: [],
    8: ["MOUNT_ATTR_NOSUID", "MOUNT_ATTR__ATIME"],
  });
  assertEquals(words(["MOUNT_ATTR_RDONLY"], []), { 0: ["MOUNT_ATTR_RDONLY"], 8: [] });
});

Deno.test("planBind on an older kernel mounts first and then remounts by a new look at the path", () => {
  const { steps } = bind(["rbind", "ro", "rro"], old());
  const mounts = steps.filter(({ call }) => call === "mount");
  assertEquals(writeSteps([{ ...bind([], old()), steps: mounts }]), [
    'mount("/srv/data", "/proc/self/fd/100", 0, MS_BIND|MS_REC, 0)',
    'mount(0, "/proc/self/fd/100", 0, MS_REMOUNT|MS_BIND|MS_RELATIME|MS_RDONLY, 0)',
  ]);
  const between = steps.slice(steps.indexOf(mounts[0]!) + 1, steps.indexOf(mounts[1]!)).map(({ call }) => call);
  assertEquals(between.includes("openat") && between.includes("dup3"), true);
});

Deno.test("planBind on an older kernel makes every mount below read-only by name, each with what it had", () => {
  const facts = old([
    exampleMount("/", "ext4"),
    exampleMount("/srv/data/usb", "vfat", { id: 41, options: ["rw", "nosuid", "nodev", "noexec"] }),
    exampleMount("/srv/database", "ext4", { id: 42 }),
    exampleMount("/srv/data/usb/deep", "tmpfs", { id: 43, options: ["ro", "noatime"] }),
  ]);
  const act = bind(["rbind", "ro", "rro"], facts);
  assertEquals(remounts(act.steps), [
    ["MS_RELATIME", "MS_RDONLY"],
    ["MS_NOSUID", "MS_NODEV", "MS_NOEXEC", "MS_RDONLY"],
    ["MS_RDONLY", "MS_NOATIME"],
  ]);
  const looked = writeSteps([act]);
  assertEquals(looked.some((line) => line.startsWith("openat") && line.includes('"deep"')), true);
  assertEquals(looked.some((line) => line.includes('"database"')), false);
});

Deno.test("planBind on an older kernel makes the mount itself read-only with rro alone", () => {
  assertEquals(remounts(bind(["rbind", "rro"], old()).steps), [["MS_RELATIME", "MS_RDONLY"]]);
});

Deno.test("planBind on an older kernel leaves the mounts below alone where they are not mounted with it", () => {
  const facts = old([exampleMount("/", "ext4"), exampleMount("/srv/data/usb", "vfat", { id: 41 })]);
  assertEquals(remounts(bind(["bind", "ro", "rro"], facts).steps).length, 1);
  assertEquals(remounts(bind(["rbind", "ro"], facts).steps).length, 1);
});

Deno.test("planBind on an older kernel keeps a read-only source read-only, whatever else it changes", () => {
  const facts = old([exampleMount("/srv", "ext4", { options: ["ro", "nodev", "relatime"] })]);
  assertEquals(remounts(bind(["rbind", "nosuid"], facts).steps), [
    ["MS_RDONLY", "MS_NODEV", "MS_RELATIME", "MS_NOSUID"],
  ]);
});

Deno.test("planBind on an older kernel takes away what is asked to be taken away", () => {
  const facts = old([exampleMount("/srv", "ext4", { options: ["ro", "nosuid", "noatime"] })]);
  assertEquals(remounts(bind(["rbind", "suid", "rw"], facts).steps), [["MS_NOATIME"]]);
  assertEquals(remounts(bind(["rbind", "rrw"], facts).steps), [["MS_NOSUID", "MS_NOATIME"]]);
  assertEquals(remounts(bind(["rbind", "strictatime"], facts).steps), [
    ["MS_RDONLY", "MS_NOSUID", "MS_STRICTATIME"],
  ]);
});

Deno.test("planBind on an older kernel sets propagation last", () => {
  const { steps } = bind(["rbind", "ro", "rslave"], old());
  assertEquals(steps.at(-1)?.args[3], { flags: ["MS_SLAVE", "MS_REC"] });
});

Deno.test("planBind on an older kernel refuses recursive options other than read-only", () => {
  const error = assertThrows(() => bind(["rbind", "rnosuid"], old()), PaddockError);
  assertEquals(
    error.message,
    "the options of the mount on /data need mount_setattr, which this kernel (4.18.0) lacks",
  );
  assert(error.hint?.includes("5.12"));
});

Deno.test("mountOf gives the mount that a path lies on, the topmost where several lie over one another", () => {
  const mounts = [
    exampleMount("/", "ext4", { id: 1 }),
    exampleMount("/srv", "ext4", { id: 2 }),
    exampleMount("/srv", "tmpfs", { id: 3 }),
  ];
  const idOf = (path: string) => mountOf(path, mounts)?.id;
  assertEquals(idOf("/srv/data"), 3);
  assertEquals(idOf("/srv"), 3);
  assertEquals(idOf("/srvx"), 1);
  assertEquals(idOf("/"), 1);
  assertEquals(mountOf("/a", []), undefined);
});

Deno.test("planBind says the same in the words of a shell", () => {
  assertEquals(bind(["rbind"]).shell, ["mount --rbind /srv/data \"$ROOT\"'/data'"]);
  const [first, second] = bind(["bind", "ro"]).shell;
  assertEquals(first, "mount --bind /srv/data \"$ROOT\"'/data'");
  assert(second?.startsWith("mount -o remount,bind,ro \"$ROOT\"'/data'"));
});

Deno.test("planBind refuses a recursive read-only mount around the rootfs on a kernel that would leave it writable", () => {
  const mount = { destination: "/x", type: "bind", source: "/", options: ["rbind", "ro", "rro"] };
  const context = {
    facts: old(),
    key: "m",
    kind: "directory",
    rootfs: "/var/lib/paddock/containers/a/rootfs",
  } as const;
  assertThrows(() => planBind(mount, context), PaddockError, "lies in it");
  planBind(mount, { ...context, facts: modern });
});
