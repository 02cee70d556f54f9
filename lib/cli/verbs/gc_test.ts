import { assertEquals } from "@std/assert";
import { formatReport } from "./gc.ts";

Deno.test("formatReport says what was removed, what was not, and why", () => {
  const leftovers = [
    { kind: "container" as const, what: "web", why: "its launcher is dead", problems: [] },
    {
      kind: "cgroup" as const,
      what: "/sys/fs/cgroup/paddock/x",
      why: "nobody holds its lock",
      problems: ["EBUSY: in use"],
    },
  ];
  assertEquals(
    formatReport({ dryRun: false, leftovers }),
    "removed container web: its launcher is dead\n" +
      "could not remove cgroup /sys/fs/cgroup/paddock/x: nobody holds its lock\n  EBUSY: in use\n",
  );
  assertEquals(
    formatReport({ dryRun: true, leftovers: leftovers.slice(0, 1) }),
    "would remove container web: its launcher is dead\n",
  );
  assertEquals(formatReport({ dryRun: false, leftovers: [] }), "");
});
