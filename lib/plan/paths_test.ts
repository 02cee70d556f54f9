import { assert, assertEquals } from "@std/assert";
import { exampleFacts, exampleOldFacts } from "../host/facts_example.ts";
import type { Act, Step } from "../program/step.ts";
import { exampleConfig, writeSteps } from "./config_example.ts";
import { planProtectedPaths } from "./paths.ts";

const CONFIG = exampleConfig({
  linux: { maskedPaths: ["/proc/kcore", "/sys/firmware"], readonlyPaths: ["/proc/sys", "/proc/bus"] },
});

function plan(facts = exampleFacts()): readonly [readOnly: Act, mask: Act] {
  const [readOnly, mask, ...others] = planProtectedPaths(CONFIG, facts);
  assertEquals(others, []);
  return [readOnly!, mask!];
}

/** The step of that label. */
function find({ steps }: Act, label: string | undefined): Step {
  const found = steps.find((step) => step.label === label);
  assert(found !== undefined, label);
  return found;
}

Deno.test("planProtectedPaths makes paths read-only before it masks any, and does nothing where none are given", () => {
  assertEquals(plan().map(({ what }) => what), [
    "make read-only what configures the kernel",
    "mask what the kernel tells of the host",
  ]);
  const nothing = exampleConfig({ linux: { maskedPaths: [], readonlyPaths: [] } });
  assertEquals(planProtectedPaths(nothing, exampleFacts()), []);
});

Deno.test("planProtectedPaths walks a list of paths, looks each up inside the rootfs, and skips what is not there", () => {
  for (const act of plan()) {
    const lines = writeSteps([act]);
    assert(/^@store\(&\w+\.at, \{24 bytes\}\)$/.test(lines[0]!), lines[0]);
    const loop = act.steps[1]!;
    assertEquals([loop.call, loop.onZero], ["@load", "end"]);
    const open = act.steps[2]!;
    assertEquals(open.call, "openat2");
    assertEquals(find(act, open.onNegative).call, "@add");
    assertEquals(act.steps.at(-1)?.onPositive, loop.label);
  }
});

Deno.test("planProtectedPaths keeps the paths relative to the rootfs, in a list that ends with nothing", () => {
  const [, mask] = plan();
  const list = mask.steps[0]!.args[1];
  assert(typeof list === "object" && "block" in list);
  const texts = list.block.fields.map((field) => "value" in field ? field.value : undefined);
  assertEquals(texts, [{ text: "proc/kcore" }, { text: "sys/firmware" }]);
  assertEquals(list.block.size, 24);
});

Deno.test("planProtectedPaths covers a file with the host's /dev/null, read-only, and a directory with an empty one", () => {
  for (const facts of [exampleFacts(), exampleOldFacts()]) {
    const [, mask] = plan(facts);
    const mounts = mask.steps.filter(({ call }) => call === "mount").slice(0, 3);
    assertEquals(writeSteps([{ ...mask, steps: mounts }]), [
      'mount("/dev/null", "/proc/self/fd/100", 0, MS_BIND, 0)',
      'mount(0, "/proc/self/fd/100", 0, MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOSUID|MS_NOEXEC, 0)',
      'mount("tmpfs", "/proc/self/fd/100", "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1")',
    ]);
    // What is no file is tried as a directory; where that fails as well, nothing starts.
    assertEquals(find(mask, mounts[0]!.onNegative), mounts[2]);
    assertEquals([mounts[1]!.onNegative, mounts[2]!.onNegative], [undefined, undefined]);
  }
});

Deno.test("planProtectedPaths makes a path read-only with all below it, by a new look-up of the mount", () => {
  const lines = writeSteps([plan()[0]]);
  const at = lines.indexOf('mount("/proc/self/fd/100", "/proc/self/fd/100", 0, MS_BIND|MS_REC, 0)');
  const set = lines.indexOf('mount_setattr(100, "", AT_EMPTY_PATH|AT_RECURSIVE, {32 bytes}, 32)');
  assert(at > 0 && set > at && lines.slice(at, set).some((line) => line.startsWith("openat2")));
});

Deno.test("planProtectedPaths on an older kernel takes one path after the other, and remounts with the flags of /proc", () => {
  const [readOnly, mask] = plan(exampleOldFacts());
  const words = "MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC";
  const remounts = writeSteps([readOnly]).filter((line) => line.includes("MS_REMOUNT"));
  assertEquals(remounts, Array(2).fill(`mount(0, "/proc/self/fd/100", 0, ${words}, 0)`));
  for (const act of [readOnly, mask]) {
    const opens = act.steps.filter(({ call, onNegative }) => call === "openat" && onNegative !== undefined);
    for (const { onNegative } of opens) assertEquals(find(act, onNegative).call, "@add");
    // Two components of two paths, each missing perhaps.
    assertEquals(opens.length, 4);
    assertEquals(act.steps.some(({ call }) => call === "mkdirat" || call === "mknodat"), false);
  }
});
