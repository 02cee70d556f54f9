/**
 * The options of a mount, understood by the table of their words.
 *
 * @module
 */
import { MOUNT_WORDS, PROPAGATION } from "../spec/mount_words.ts";

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
  /** Owners are mapped, those of the mount alone or of all below too. */
  readonly idmap?: { readonly recursive: boolean };
  /** What lies beneath is seen in the new filesystem. */
  readonly copyUp?: true;
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
    const word = MOUNT_WORDS.get(text);
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
  const specials = words.map((text) => MOUNT_WORDS.get(text)).filter((word) => word?.special !== undefined);
  const idmap = specials.findLast((word) => word?.special === "idmap");
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
    ...(idmap === undefined ? {} : { idmap: { recursive: idmap.recursive === true } }),
    ...(specials.some((word) => word?.special === "tmpcopyup") ? { copyUp: true as const } : {}),
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
