import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { formatStep } from "../program/format.ts";
import type { Step } from "../program/step.ts";
import { openLoaded, openTarget, splitPath, type TargetOptions } from "./targets.ts";

const modern = exampleFacts();
const old = exampleFacts({ has: { openat2: false } });

function write(path: string, options: TargetOptions, facts = modern): string[] {
  return openTarget(path, facts, options).map(formatStep);
}

/** `open_how` of every `openat2`: its flags and how it may be resolved. */
function howOf(steps: readonly Step[]): (readonly string[])[][] {
  return steps.filter(({ call }) => call === "openat2").map(({ args }) => {
    const how = args[2];
    assert(typeof how === "object" && "block" in how && how.block.size === 24);
    return [0, 16].map((at) => {
      const field = how.block.fields.find((found) => found.at === at);
      assert(field !== undefined && "value" in field && typeof field.value === "object" && "flags" in field.value);
      return field.value.flags;
    });
  });
}

Deno.test("splitPath takes dots and doubled slashes away", () => {
  assertEquals(splitPath("/a//b/./c/"), ["a", "b", "c"]);
  assertEquals(splitPath("/a/../b/../../c"), ["c"]);
  assertEquals(splitPath("/"), []);
  assertEquals(splitPath("../../x"), ["x"]);
});

Deno.test("openTarget looks an existing path up from the rootfs, which it cannot leave", () => {
  const steps = openTarget("/etc/hosts", modern, { key: "k", kind: "existing", onMissing: "end" });
  assertEquals(steps.map(formatStep), [
    'openat2(<root>, "etc/hosts", {24 bytes}, 24)',
    "dup3(<1 back>, 100, O_CLOEXEC)",
    "close(<2 back>)",
  ]);
  assertEquals(howOf(steps), [[["O_PATH", "O_CLOEXEC"], ["RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS"]]]);
  assertEquals(steps[0]?.onNegative, "end");
  assertEquals(openTarget("/x", modern, { key: "k", kind: "existing" })[0]?.onNegative, undefined);
});

Deno.test("openTarget refuses any symbolic link on the way where it is strict", () => {
  for (const kind of ["existing", "directory"] as const) {
    const steps = openTarget("/proc/sys", modern, { key: "k", kind, strict: true });
    for (const [, resolve] of howOf(steps)) {
      assertEquals(resolve, ["RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS", "RESOLVE_NO_SYMLINKS"]);
    }
  }
});

Deno.test("openTarget makes a missing directory part by part, each reached by a scoped look-up", () => {
  const steps = openTarget("/a/b", modern, { key: "k", kind: "directory" });
  assertEquals(steps.map(formatStep), [
    'openat2(<root>, "a/b", {24 bytes}, 24)',
    "dup3(<1 back>, 100, O_CLOEXEC)",
    "close(<2 back>)",
    'openat2(<root>, ".", {24 bytes}, 24)',
    'mkdirat(<1 back>, "a", 0755)',
    "close(<2 back>)",
    'openat2(<root>, "a", {24 bytes}, 24)',
    'mkdirat(<1 back>, "b", 0755)',
    "close(<2 back>)",
    'openat2(<root>, "a/b", {24 bytes}, 24)',
    "dup3(<1 back>, 100, O_CLOEXEC)",
    "close(<2 back>)",
    "@add(0, 0)",
  ]);
  // What is there needs nothing made.
  assertEquals([steps[0]?.onNegative, steps[2]?.onZero, steps.at(-1)?.label], ["k.make", "k.open", "k.open"]);
  assertEquals(steps[3]?.label, "k.make");
  // One that is there already is no failure; the last look-up tells what is wrong.
  assertEquals([steps[4]?.onNegative, steps[9]?.onNegative], ["next", undefined]);
});

Deno.test("openTarget makes a missing file as a file, and takes a link that leads nowhere for the target itself", () => {
  const steps = openTarget("/etc/resolv.conf", modern, { key: "k", kind: "file" });
  assert(steps.map(formatStep).includes('mknodat(<1 back>, "resolv.conf", 0100644, 0)'));
  const flags = howOf(steps).map(([open]) => open);
  assertEquals(flags.at(-1), ["O_PATH", "O_CLOEXEC", "O_NOFOLLOW"]);
  assertEquals(flags[0], ["O_PATH", "O_CLOEXEC"]);
});

Deno.test("openTarget of the root itself makes nothing", () => {
  assertEquals(write("/", { key: "k", kind: "existing" })[0], 'openat2(<root>, ".", {24 bytes}, 24)');
  const calls = write("/", { key: "k", kind: "directory" });
  assertEquals(calls.some((call) => call.startsWith("mkdirat")), false);
  assertEquals(write("/", { key: "k", kind: "directory" }, old), [
    'openat(<root>, ".", O_PATH|O_CLOEXEC)',
    "dup3(<1 back>, 100, O_CLOEXEC)",
    "close(<2 back>)",
  ]);
});

Deno.test("openTarget without openat2 walks part by part, never through a symbolic link", () => {
  const steps = openTarget("/etc/ssl/certs", old, { key: "k", kind: "existing", onMissing: "end" });
  assertEquals(steps.map(formatStep), [
    'openat(<root>, ".", O_PATH|O_CLOEXEC)',
    'openat(<1 back>, "etc", O_PATH|O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY)',
    "close(<2 back>)",
    'openat(<2 back>, "ssl", O_PATH|O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY)',
    "close(<3 back>)",
    'openat(<2 back>, "certs", O_PATH|O_NOFOLLOW|O_CLOEXEC)',
    "close(<3 back>)",
    "dup3(<2 back>, 100, O_CLOEXEC)",
    "close(<3 back>)",
  ]);
  assertEquals(steps.filter(({ call }) => call === "openat").map(({ onNegative }) => onNegative), [
    undefined,
    "end",
    "end",
    "end",
  ]);
});

Deno.test("openTarget without openat2 makes what is missing as it goes", () => {
  assertEquals(write("/a/f", { key: "k", kind: "file" }, old), [
    'openat(<root>, ".", O_PATH|O_CLOEXEC)',
    'mkdirat(<1 back>, "a", 0755)',
    'openat(<2 back>, "a", O_PATH|O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY)',
    "close(<3 back>)",
    'mknodat(<2 back>, "f", 0100644, 0)',
    'openat(<3 back>, "f", O_PATH|O_NOFOLLOW|O_CLOEXEC)',
    "close(<4 back>)",
    "dup3(<2 back>, 100, O_CLOEXEC)",
    "close(<3 back>)",
  ]);
});

Deno.test("openTarget makes nothing where the path was seen to be there", () => {
  const present = new Set(["/dev"]);
  for (const [facts, count] of [[modern, 3], [old, 5]] as const) {
    const steps = openTarget("/dev", facts, { key: "k", kind: "directory", present });
    assertEquals(steps.length, count);
    assertEquals(steps.some(({ call }) => call === "mkdirat"), false);
  }
  assert(openTarget("/dev/x", modern, { key: "k", kind: "file", present }).some(({ call }) => call === "mknodat"));
});

Deno.test("openLoaded looks up the path that a step gives, inside the rootfs as well", () => {
  const steps = openLoaded("loop", "next");
  assertEquals(steps.map(formatStep)[0], "openat2(<root>, <loop>, {24 bytes}, 24)");
  assertEquals(howOf(steps), [[["O_PATH", "O_CLOEXEC"], ["RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS"]]]);
  assertEquals([steps[0]?.onNegative, openLoaded("loop")[0]?.onNegative], ["next", undefined]);
});

/** What each `previous` of a walk means, by doing the walk: descriptors are named after their paths. */
Deno.test("openTarget without openat2 closes every descriptor that it opened but the target, and uses none after", () => {
  for (const kind of ["existing", "file", "directory"] as const) {
    for (const path of ["/", "/a", "/a/b", "/a/b/c/d"]) {
      const steps = openTarget(path, old, { key: "k", kind });
      const open = new Set<number>();
      steps.forEach(({ call, args: [first] }, index) => {
        const from = typeof first === "object" && "previous" in first ? index - first.previous : undefined;
        if (from !== undefined) assert(open.has(from), `${kind} ${path}: step ${index} uses what is not open`);
        if (call === "openat") open.add(index);
        if (call === "close") open.delete(from!);
      });
      assertEquals([...open], [], `${kind} ${path}`);
    }
  }
});
