/**
 * The words of mount options, in one table: what they mean to `mount(2)`, to `mount_setattr(2)`, and as propagation
 * (runtime-spec config.md, "Linux mount options"; `man 8 mount`). Plans, `features` and errors read it.
 *
 * @module
 */

/** What one word sets or clears. */
export interface MountWord {
  /** `MS_` flag of `mount(2)`. */
  readonly flag?: string;
  /** `MOUNT_ATTR_` flag of `mount_setattr(2)`, for what belongs to the mount and not to the filesystem. */
  readonly attribute?: string;
  /** True where the word takes the flag away. */
  readonly clear?: boolean;
  /** True where the word goes for every mount below as well. */
  readonly recursive?: boolean;
  /** What the word asks for that is no flag. */
  readonly special?: "idmap" | "tmpcopyup";
}

const PAIRS: readonly (readonly [set: string, clear: string, flag: string, attribute: string])[] = [
  ["ro", "rw", "MS_RDONLY", "MOUNT_ATTR_RDONLY"],
  ["nosuid", "suid", "MS_NOSUID", "MOUNT_ATTR_NOSUID"],
  ["nodev", "dev", "MS_NODEV", "MOUNT_ATTR_NODEV"],
  ["noexec", "exec", "MS_NOEXEC", "MOUNT_ATTR_NOEXEC"],
  ["nodiratime", "diratime", "MS_NODIRATIME", "MOUNT_ATTR_NODIRATIME"],
  ["noatime", "atime", "MS_NOATIME", "MOUNT_ATTR_NOATIME"],
  ["strictatime", "nostrictatime", "MS_STRICTATIME", "MOUNT_ATTR_STRICTATIME"],
  ["nosymfollow", "symfollow", "MS_NOSYMFOLLOW", "MOUNT_ATTR_NOSYMFOLLOW"],
];

/** Every word with its meaning: those of `PAIRS` plain and with `r` for recursive, and those of the filesystem alone. */
export const MOUNT_WORDS: ReadonlyMap<string, MountWord> = new Map<string, MountWord>([
  ...PAIRS.flatMap(([set, clear, flag, attribute]): [string, MountWord][] => [
    [set, { flag, attribute }],
    [clear, { flag, attribute, clear: true }],
    [`r${set}`, { attribute, recursive: true }],
    [`r${clear}`, { attribute, recursive: true, clear: true }],
  ]),
  ["relatime", { flag: "MS_RELATIME", attribute: "MOUNT_ATTR_RELATIME" }],
  ["rrelatime", { attribute: "MOUNT_ATTR_RELATIME", recursive: true }],
  // What a mount is without it, the other words of access time say; by itself this one changes nothing.
  ["rnorelatime", { recursive: true }],
  ["norelatime", { flag: "MS_RELATIME", clear: true }],
  ["sync", { flag: "MS_SYNCHRONOUS" }],
  ["async", { flag: "MS_SYNCHRONOUS", clear: true }],
  ["dirsync", { flag: "MS_DIRSYNC" }],
  ["mand", { flag: "MS_MANDLOCK" }],
  ["nomand", { flag: "MS_MANDLOCK", clear: true }],
  ["iversion", { flag: "MS_I_VERSION" }],
  ["noiversion", { flag: "MS_I_VERSION", clear: true }],
  ["lazytime", { flag: "MS_LAZYTIME" }],
  ["nolazytime", { flag: "MS_LAZYTIME", clear: true }],
  ["silent", { flag: "MS_SILENT" }],
  ["loud", { flag: "MS_SILENT", clear: true }],
  ["bind", { flag: "MS_BIND" }],
  ["rbind", { flag: "MS_BIND", recursive: true }],
  ["remount", { flag: "MS_REMOUNT" }],
  ["idmap", { special: "idmap" }],
  ["ridmap", { special: "idmap", recursive: true }],
  ["tmpcopyup", { special: "tmpcopyup" }],
  ["defaults", {}],
]);

/** Propagation types (`man 7 mount_namespaces`), alone and, with `r`, with every mount below. */
export const PROPAGATION: Readonly<Record<string, string>> = {
  private: "MS_PRIVATE",
  slave: "MS_SLAVE",
  shared: "MS_SHARED",
  unbindable: "MS_UNBINDABLE",
};

/** Every word that is understood here, sorted; any other goes to the filesystem. */
export function listMountWords(): readonly string[] {
  const propagation = Object.keys(PROPAGATION).flatMap((word) => [word, `r${word}`]);
  return [...MOUNT_WORDS.keys(), ...propagation].sort();
}
