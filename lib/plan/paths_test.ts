import { assert, assertEquals } from "@std/assert";
import { exampleFacts, exampleOldFacts } from "../host/facts_example.ts";
import { exampleConfig, findSteps, writeSteps } from "./config_example.ts";
import { planProtectedPaths } from "./paths.ts";

const CONFIG = exampleConfig({ linux: { maskedPaths: ["/proc/kcore"], readonlyPaths: ["/proc/sys"] } });

Deno.test("planProtectedPaths masks a file with the host's /dev/null, and where that does not go a directory", () => {
  const [, mask] = planProtectedPaths(CONFIG, exampleFacts());
  const mounts = findSteps([mask!], "mount");
  assertEquals(writeSteps([{ ...mask!, steps: mounts }]), [
    'mount("/dev/null", "/proc/self/fd/100", 0, MS_BIND, 0)',
    'mount("tmpfs", "/proc/self/fd/100", "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1")',
  ]);
  assertEquals([mounts[0]?.onNegative, mounts[0]?.onZero, mounts[1]?.onNegative], ["next", "end", undefined]);
});

Deno.test("planProtectedPaths goes on where the kernel has no such path, and makes none", () => {
  for (const facts of [exampleFacts(), exampleOldFacts()]) {
    for (const act of planProtectedPaths(CONFIG, facts)) {
      const opens = act.steps.filter(({ call }) => call === "openat2" || call === "openat");
      assert(opens.some(({ onNegative }) => onNegative === "end"), act.what);
      assertEquals(act.steps.some(({ call }) => call === "mkdirat" || call === "mknodat"), false);
    }
  }
});

Deno.test("planProtectedPaths makes a path read-only with all below it, by a new look-up of the mount", () => {
  const [act] = planProtectedPaths(CONFIG, exampleFacts());
  const lines = writeSteps([act!]);
  const at = lines.indexOf('mount("/proc/self/fd/100", "/proc/self/fd/100", 0, MS_BIND|MS_REC, 0)');
  assert(at > 0 && lines.slice(at + 1).some((line) => line.startsWith("openat2")));
  assertEquals(lines.at(-1), 'mount_setattr(100, "", AT_EMPTY_PATH|AT_RECURSIVE, {32 bytes}, 32)');
});

Deno.test("planProtectedPaths remounts with the flags of /proc where the kernel has no mount_setattr", () => {
  const [act] = planProtectedPaths(CONFIG, exampleOldFacts());
  const words = "MS_REMOUNT|MS_BIND|MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC";
  assertEquals(writeSteps([act!]).at(-1), `mount(0, "/proc/self/fd/100", 0, ${words}, 0)`);
});

Deno.test("planProtectedPaths makes paths read-only before it masks any, and does nothing where none are given", () => {
  const acts = planProtectedPaths(exampleConfig(), exampleFacts()).map(({ what }) => what);
  const firstMask = acts.findIndex((what) => what.startsWith("mask"));
  assertEquals(acts.slice(firstMask).every((what) => what.startsWith("mask ")), true);
  assertEquals(acts.slice(0, firstMask).every((what) => what.endsWith("read-only")), true);
  assertEquals(
    planProtectedPaths(exampleConfig({ linux: { maskedPaths: [], readonlyPaths: [] } }), exampleFacts()),
    [],
  );
});
