/**
 * The words of mount options, in one table: what they mean to `mount(2)`, to `mount_setattr(2)`, and as propagation
 * (runtime-spec config.md, "Linux mount options"; `man 8 mount`).
 *
 * @module
 */

/** What one word sets or clears. */
interface Word {
  /** `MS_` flag of `mount(2)`. */
  readonly flag?: string;
  /** `MOUNT_ATTR_` flag of `mount_setattr(2)`, for what belongs to the mount and not to the filesystem. */
  readonly attribute?: string;
  /** True where the word takes the flag away. */
  readonly clear?: boolean;
  /** True where the word goes for every mount below as well. */
  readonly recursive?: boolean;
}

const PAIRS: readonly (readonly [set: string, clear: string, flag: string, attribute: string])[] = [
  ["ro", "rw", "MS_RDONLY", "MOUNT_ATTR_RDONLY"],
  ["nosuid", "suid", "MS_NOSUID", "MOUNT_ATTR_NOSUID"],
  ["nodev", "dev", "MS_NODEV", "MOUNT_ATTR_NODEV"],
  ["noexec", "exec", "MS_NOEXEC", "MOUNT_ATTR_NOEXEC"],
  ["nodiratime", "diratime", "MS_NODIRATIME", "MOUNT_ATTR_NODIRATIME"],
  ["noatime", "atime", "MS_NOATIME", "MOUNT_ATTR_NOATIME"],
  ["strictatime", "nostrictatime", "MS_STRICTATIME", "MOUNT_ATTR_STRICTATIME"],
];

/** Every word with its meaning: those of `PAIRS` plain and with `r` for recursive, and those of the filesystem alone. */
const WORDS: ReadonlyMap<string, Word> = new Map<string, Word>([
  ...PAIRS.flatMap(([set, clear, flag, attribute]): [string, Word][] => [
    [set, { flag, attribute }],
    [clear, { flag, attribute, clear: true }],
    [`r${set}`, { attribute, recursive: true }],
    [`r${clear}`, { attribute, recursive: true, clear: true }],
  ]),
  ["relatime", { flag: "MS_RELATIME" }],
  ["norelatime", { flag: "MS_RELATIME", clear: true }],
  ["sync", { flag: "MS_SYNCHRONOUS" }],
  ["async", { flag: "MS_SYNCHRONOUS", clear: true }],
  ["dirsync", { flag: "MS_DIRSYNC" }],
  ["mand", { flag: "MS_MANDLOCK" }],
  ["nomand", { flag: "MS_MANDLOCK", clear: true }],
  ["silent", { flag: "MS_SILENT" }],
  ["loud", { flag: "MS_SILENT", clear: true }],
  ["bind", { flag: "MS_BIND" }],
  ["rbind", { flag: "MS_BIND", recursive: true }],
  ["defaults", {}],
]);

/** Propagation types (`man 7 mount_namespaces`), alone and, with `r`, with every mount below. */
export const PROPAGATION: Readonly<Record<string, string>> = {
  private: "MS_PRIVATE",
  slave: "MS_SLAVE",
  shared: "MS_SHARED",
  unbindable: "MS_UNBINDABLE",
};

/** The options of one mount, understood. Names of kernel constants; `data` is what the filesystem itself gets. */
export interface MountOptions {
  readonly bind: boolean;
  readonly recursiveBind: boolean;
  /** For `mount(2)`, without `MS_BIND` and `MS_REC`. */
  readonly flags: readonly string[];
  /** `MOUNT_ATTR_` flags for the mount alone. */
  readonly attributes: readonly string[];
  /** `MOUNT_ATTR_` flags for the mount and all below. */
  readonly recursiveAttributes: readonly string[];
  /** `MOUNT_ATTR_` flags that are taken away, from the mount alone and from all below. */
  readonly cleared: readonly string[];
  readonly recursiveCleared: readonly string[];
  readonly propagation?: { readonly type: string; readonly recursive: boolean };
  readonly data: string;
}

/** Reads the words of a mount's options; what is not in the tables goes to the filesystem. */
export function readMountOptions(words: readonly string[]): MountOptions {
  const flags = new Set<string>();
  const attributes = new Set<string>();
  const recursiveAttributes = new Set<string>();
  const cleared = new Set<string>();
  const recursiveCleared = new Set<string>();
  const data: string[] = [];
  let propagation: MountOptions["propagation"];
  for (const text of words) {
    const spread = readPropagation(text);
    const word = WORDS.get(text);
    if (spread !== undefined) propagation = spread;
    else if (word === undefined) data.push(text);
    else {
      if (word.flag !== undefined) toggle(flags, word.flag, word.clear);
      const [on, off] = word.recursive ? [recursiveAttributes, recursiveCleared] : [attributes, cleared];
      if (word.attribute !== undefined) {
        toggle(on, word.attribute, word.clear);
        toggle(off, word.attribute, !word.clear);
      }
    }
  }
  const bind = flags.delete("MS_BIND");
  return {
    bind,
    recursiveBind: words.includes("rbind"),
    flags: [...flags],
    attributes: [...attributes],
    recursiveAttributes: [...recursiveAttributes],
    cleared: [...cleared],
    recursiveCleared: [...recursiveCleared],
    ...(propagation === undefined ? {} : { propagation }),
    data: data.join(","),
  };
}

function readPropagation(word: string): MountOptions["propagation"] {
  const recursive = !Object.hasOwn(PROPAGATION, word);
  const name = recursive ? word.replace(/^r/, "") : word;
  return Object.hasOwn(PROPAGATION, name) ? { type: PROPAGATION[name]!, recursive } : undefined;
}

function toggle(set: Set<string>, name: string, clear = false): void {
  if (clear) set.delete(name);
  else set.add(name);
}
