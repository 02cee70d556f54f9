import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import type { Act } from "../program/step.ts";
import { type ConfigOverrides, exampleConfig, findSteps, writeSteps } from "./config_example.ts";
import { deviceNumber, planDevices } from "./devices.ts";

const DEV = { destination: "/dev", type: "tmpfs", source: "tmpfs" };

function plan(linux: NonNullable<ConfigOverrides["linux"]> = {}): Act[] {
  return planDevices({ config: exampleConfig({ linux, mounts: [DEV] }), facts: exampleFacts() });
}

Deno.test("deviceNumber packs major and minor as the kernel's new_encode_dev does", () => {
  assertEquals(deviceNumber(1, 3), 0x103);
  assertEquals(deviceNumber(5, 0), 0x500);
  assertEquals(deviceNumber(254, 1), 0xfe01);
  // Minors above 255 go behind the major's twelve bits.
  assertEquals(deviceNumber(259, 256), 0x110300);
  assertEquals(deviceNumber(4095, 1048575), 0xffffffff);
});

Deno.test("planDevices makes the standard nodes for all to read and write, and no disk", () => {
  const nodes = writeSteps(plan()).filter((line) => line.startsWith("mknodat(100"));
  assertEquals(nodes, [
    'mknodat(100, "null", 020666, 259)',
    'mknodat(100, "zero", 020666, 261)',
    'mknodat(100, "full", 020666, 263)',
    'mknodat(100, "random", 020666, 264)',
    'mknodat(100, "urandom", 020666, 265)',
    'mknodat(100, "tty", 020666, 1280)',
  ]);
  assertEquals(8630, 0o020666);
});

Deno.test("planDevices links the standard streams, and leaves a link that the image's /dev has", () => {
  const links = findSteps(plan(), "symlinkat");
  assertEquals(writeSteps([{ what: "", why: "", shell: [], steps: links }]), [
    'symlinkat("/proc/self/fd", 100, "fd")',
    'symlinkat("/proc/self/fd/0", 100, "stdin")',
    'symlinkat("/proc/self/fd/1", 100, "stdout")',
    'symlinkat("/proc/self/fd/2", 100, "stderr")',
    'symlinkat("pts/ptmx", 100, "ptmx")',
  ]);
  assert(links.every(({ onNegative }) => onNegative === "next"));
});

Deno.test("planDevices makes a device that is asked for where it is asked for, with its mode and owner", () => {
  const acts = plan({
    devices: [
      { type: "b", path: "/dev/disk/sda", major: 8, minor: 0, fileMode: 0o640, uid: 5, gid: 6 },
      { type: "p", path: "/pipe", fileMode: 0o600 },
      { type: "u", path: "/dev/u", major: 4, minor: 300 },
    ],
  });
  const made = writeSteps(acts.slice(2)).filter((line) => /^(mknodat|fchownat)\(100/.test(line));
  // The second of a node is for the error that another file is in its place.
  assertEquals(made, [
    'mknodat(100, "sda", 060640, 2048)',
    'mknodat(100, "sda", 060640, 2048)',
    'fchownat(100, "sda", 5, 6, AT_SYMLINK_NOFOLLOW)',
    'mknodat(100, "pipe", 010600, 0)',
    'mknodat(100, "pipe", 010600, 0)',
    'mknodat(100, "u", 020666, 0x10042c)',
    'mknodat(100, "u", 020666, 0x10042c)',
  ]);
  assertEquals(acts[2]?.what, "make the device /dev/disk/sda");
});

Deno.test("planDevices makes a standard node that is asked for as it is asked for, and once", () => {
  const acts = plan({ devices: [{ type: "c", path: "/dev/null", major: 1, minor: 3, fileMode: 0o640, gid: 4 }] });
  const made = findSteps(acts, "mknodat").map(({ args }) => args[2]);
  assertEquals(made.filter((mode) => mode === 0o020666).length, 5);
  assertEquals(writeSteps(acts).filter((line) => line.includes('"null"')), [
    'mknodat(100, "null", 020640, 259)',
    'statx(100, "null", AT_SYMLINK_NOFOLLOW, 2047, &path)',
    'mknodat(100, "null", 020640, 259)',
    'fchownat(100, "null", 0, 4, AT_SYMLINK_NOFOLLOW)',
  ]);
});

Deno.test("planDevices takes nodes for good that the rootfs has, where /dev is no new filesystem", () => {
  const own = planDevices({ config: exampleConfig({ mounts: [] }), facts: exampleFacts() });
  assertEquals(findSteps(own, "statx").length, 6);
  assertEquals(findSteps(plan(), "statx").length, 0);
});

Deno.test("planDevices mounts the host's nodes in a user namespace, which may make none", () => {
  const acts = plan({
    namespaces: [{ type: "user" }],
    devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229 }],
  });
  assertEquals(writeSteps(acts).some((line) => line.startsWith("mknodat(100")), false);
  const sources = writeSteps(acts).filter((line) => line.startsWith("mount(")).map((line) => line.split('"')[1]);
  assertEquals(sources, ["null", "zero", "full", "random", "urandom", "tty", "fuse"].map((name) => `/dev/${name}`));
});
