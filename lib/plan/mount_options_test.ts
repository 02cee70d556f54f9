import { assertEquals } from "@std/assert";
import { type MountOptions, readMountOptions } from "./mount_options.ts";

const NOTHING: MountOptions = {
  bind: false,
  recursiveBind: false,
  flags: [],
  attributes: [],
  recursiveAttributes: [],
  cleared: [],
  recursiveCleared: [],
  data: "",
};

/** Word, `MS_` flag, name of the attribute; and the word that takes it away. */
const PAIRS: readonly (readonly [string, string, string])[] = [
  ["ro", "rw", "RDONLY"],
  ["nosuid", "suid", "NOSUID"],
  ["nodev", "dev", "NODEV"],
  ["noexec", "exec", "NOEXEC"],
  ["nodiratime", "diratime", "NODIRATIME"],
  ["noatime", "atime", "NOATIME"],
  ["strictatime", "nostrictatime", "STRICTATIME"],
  ["nosymfollow", "symfollow", "NOSYMFOLLOW"],
];

for (const [set, clear, name] of PAIRS) {
  const [flag, attribute] = [`MS_${name}`, `MOUNT_ATTR_${name}`];
  Deno.test(`readMountOptions knows ${set}, ${clear}, r${set} and r${clear}`, () => {
    assertEquals(readMountOptions([set]), { ...NOTHING, flags: [flag], attributes: [attribute] });
    assertEquals(readMountOptions([clear]), { ...NOTHING, cleared: [attribute] });
    assertEquals(readMountOptions([`r${set}`]), { ...NOTHING, recursiveAttributes: [attribute] });
    assertEquals(readMountOptions([`r${clear}`]), { ...NOTHING, recursiveCleared: [attribute] });
    // Of two that contradict each other the last one holds.
    assertEquals(readMountOptions([set, clear]), { ...NOTHING, cleared: [attribute] });
    assertEquals(readMountOptions([clear, set]), { ...NOTHING, flags: [flag], attributes: [attribute] });
    assertEquals(readMountOptions([`r${clear}`, `r${set}`]), { ...NOTHING, recursiveAttributes: [attribute] });
  });
}

Deno.test("readMountOptions knows the words that mount(2) alone has", () => {
  const words = [["iversion", "MS_I_VERSION"], ["lazytime", "MS_LAZYTIME"], ["remount", "MS_REMOUNT"], [
    "sync",
    "MS_SYNCHRONOUS",
  ], ["dirsync", "MS_DIRSYNC"]]
    .concat([["mand", "MS_MANDLOCK"], ["silent", "MS_SILENT"]]);
  for (const [word, flag] of words) assertEquals(readMountOptions([word!]), { ...NOTHING, flags: [flag!] }, word);
  for (const word of ["norelatime", "rnorelatime", "async", "nomand", "loud", "noiversion", "nolazytime", "defaults"]) {
    assertEquals(readMountOptions([word]), NOTHING, word);
  }
  assertEquals(readMountOptions(["sync", "async"]), NOTHING);
});

Deno.test("readMountOptions takes relatime for a flag of mount(2) and for an attribute", () => {
  const attributes = ["MOUNT_ATTR_RELATIME"];
  assertEquals(readMountOptions(["relatime"]), { ...NOTHING, flags: ["MS_RELATIME"], attributes });
  assertEquals(readMountOptions(["rrelatime"]), { ...NOTHING, recursiveAttributes: attributes });
});

Deno.test("readMountOptions knows the words that are no flags", () => {
  assertEquals(readMountOptions(["idmap"]), { ...NOTHING, idmap: { recursive: false } });
  assertEquals(readMountOptions(["ridmap"]), { ...NOTHING, idmap: { recursive: true } });
  assertEquals(readMountOptions(["tmpcopyup"]), { ...NOTHING, copyUp: true });
});

Deno.test("readMountOptions tells bind from rbind", () => {
  assertEquals(readMountOptions(["bind"]), { ...NOTHING, bind: true });
  assertEquals(readMountOptions(["rbind"]), { ...NOTHING, bind: true, recursiveBind: true });
});

Deno.test("readMountOptions knows each propagation, alone and recursive; the last one holds", () => {
  for (const type of ["private", "slave", "shared", "unbindable"]) {
    const flag = `MS_${type.toUpperCase()}`;
    assertEquals(readMountOptions([type]).propagation, { type: flag, recursive: false });
    assertEquals(readMountOptions([`r${type}`]).propagation, { type: flag, recursive: true });
  }
  assertEquals(readMountOptions(["rprivate", "slave"]).propagation, { type: "MS_SLAVE", recursive: false });
});

Deno.test("readMountOptions leaves what it does not know to the filesystem, in its order", () => {
  const options = readMountOptions(["mode=755", "nosuid", "size=65536k", "newinstance"]);
  assertEquals(options.data, "mode=755,size=65536k,newinstance");
  assertEquals(options.flags, ["MS_NOSUID"]);
  // Names that every object of the language has are words like any other.
  assertEquals(readMountOptions(["constructor", "rtoString"]), { ...NOTHING, data: "constructor,rtoString" });
});
