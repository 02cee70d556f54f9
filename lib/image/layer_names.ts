/**
 * The names of layers in a store, and the paths that they make: `layers/sha256/HEX`, and for overlays of many the short
 * `l/DIGITS`, a symbolic link to it.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { guardStore } from "./store_errors.ts";

/** Bytes of `lowerdir=` from which on it takes short names: the other options of an overlay need their share of 4096. */
const LONGEST_OPTION = 2048;
/** Digits of a short name, unless another layer has the same. */
const SHORT_DIGITS = 10;

/** The HEX of `sha256:HEX`; nothing else ever becomes part of a path. @throws PaddockError */
export function parseChainId(chainId: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(chainId);
  if (match === null) {
    throw new PaddockError(`"${chainId}" is not a digest: sha256 and 64 hexadecimal digits are wanted`);
  }
  return match[1]!;
}

/** Absolute path of a layer's directory. @throws PaddockError for what is no digest */
export function layerPath(dataRoot: string, chainId: string): string {
  return `${dataRoot}/layers/sha256/${parseChainId(chainId)}`;
}

/** The name of the layer that a path of it, or its short name, leads into; undefined for any other path. */
export function chainOfPath(dataRoot: string, path: string): string | undefined {
  const long = path.startsWith(`${dataRoot}/l/`) ? readLink(path) : path;
  const [, hex] = /(?:^|\/)layers\/sha256\/([0-9a-f]{64})\//.exec(`${long}/`) ?? [];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

/**
 * Lower directories by short names where they are many: the kernel takes one page of mount options, and a hundred of
 * their own paths do not fit in it.
 *
 * @param lower absolute paths in this store, the topmost first.
 * @throws PaddockError where the names cannot be made.
 */
export function shortenPaths(dataRoot: string, lower: readonly string[]): readonly string[] {
  if (lower.join(":").length <= LONGEST_OPTION) return lower;
  return guardStore(dataRoot, () => {
    Deno.mkdirSync(`${dataRoot}/l`, { recursive: true, mode: 0o700 });
    return lower.map((path) => shortenPath(dataRoot, path));
  });
}

/** A symlink `l/DIGITS`: the first digits of a layer's name, as many as nobody else has. */
function shortenPath(dataRoot: string, path: string): string {
  const inside = path.slice(dataRoot.length + 1);
  const hex = inside.replace(/^layers\/sha256\//, "");
  const suffix = inside.endsWith("/init") ? "i" : "";
  for (let digits = SHORT_DIGITS;; digits++) {
    const link = `${dataRoot}/l/${hex.slice(0, digits)}${suffix}`;
    try {
      Deno.symlinkSync(`../${inside}`, link);
      return link;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      if (Deno.readLinkSync(link) === `../${inside}`) return link;
    }
  }
}

/** Removes the short names of a layer that is gone. */
export function removeShortNames(dataRoot: string, chainId: string): void {
  for (const suffix of ["", "i"]) {
    try {
      Deno.removeSync(`${dataRoot}/l/${parseChainId(chainId).slice(0, SHORT_DIGITS)}${suffix}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function readLink(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}
