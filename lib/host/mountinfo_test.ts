import { assertEquals } from "@std/assert";
import { findMountOf, parseMountInfo, unescapeOctal } from "./mountinfo.ts";

const TEXT = `26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
36 26 98:0 /mnt1 /mnt2 ro,noatime master:1 propagate_from:2 - xfs /dev/sdb1 rw,errors=continue
40 26 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
41 26 0:38 / /data/with\\040space rw - tmpfs  rw,size=4k
42 26 0:39 / /mnt2 rw - tmpfs tmpfs rw
`;

Deno.test("parseMountInfo reads each field of a line", () => {
  assertEquals(parseMountInfo(TEXT)[1], {
    id: 36,
    parent: 26,
    device: "98:0",
    root: "/mnt1",
    target: "/mnt2",
    options: ["ro", "noatime"],
    propagation: ["master:1", "propagate_from:2"],
    type: "xfs",
    source: "/dev/sdb1",
    superOptions: ["rw", "errors=continue"],
  });
});

Deno.test("parseMountInfo reads a line without optional fields, an empty source and an escaped space", () => {
  const mounts = parseMountInfo(TEXT);
  assertEquals(mounts[2]?.propagation, []);
  assertEquals(mounts[3]?.target, "/data/with space");
  assertEquals(mounts[3]?.source, "");
  assertEquals(mounts[3]?.superOptions, ["rw", "size=4k"]);
});

Deno.test("parseMountInfo leaves out a line that was cut off", () => {
  assertEquals(parseMountInfo(TEXT.slice(0, 30)), []);
  assertEquals(parseMountInfo(""), []);
});

Deno.test("parseMountInfo is not misled by a dash among the first six fields", () => {
  const [mount] = parseMountInfo("5 1 0:1 / - rw - tmpfs - rw");
  assertEquals([mount?.target, mount?.type, mount?.source], ["-", "tmpfs", "-"]);
});

Deno.test("unescapeOctal undoes what the kernel escapes and nothing else", () => {
  assertEquals(unescapeOctal("a\\011b\\134c\\012"), "a\tb\\c\n");
  assertEquals(unescapeOctal("\\999 \\04"), "\\999 \\04");
});

Deno.test("findMountOf finds the topmost mount that a path is in", () => {
  const mounts = parseMountInfo(TEXT);
  assertEquals(findMountOf("/mnt2/file", mounts)?.id, 42);
  assertEquals(findMountOf("/mnt22", mounts)?.id, 26);
  assertEquals(findMountOf("/", mounts)?.id, 26);
});
