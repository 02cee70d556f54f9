/**
 * The name and the place of a container's unit: `linux.cgroupsPath` in the form `slice:prefix:name`.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { CgroupRequest } from "./acts.ts";
import { parseSystemdPath } from "./place.ts";

/** A unit that systemd makes for a container. */
export interface SystemdUnit {
  /** `paddock-web.scope`. */
  readonly name: string;
  /** `system.slice`. */
  readonly slice: string;
}

/**
 * The unit of a container. Without a path it is `paddock-ID.scope` in `system.slice`.
 *
 * @throws PaddockError where the path has another form, in the words that engines know
 */
export function nameUnit(id: string, cgroupsPath = ""): SystemdUnit {
  const { slice, prefix, name } = cgroupsPath === ""
    ? { slice: "", prefix: "paddock", name: id }
    : parseSystemdPath(cgroupsPath);
  if (name.endsWith(".slice")) {
    throw new PaddockError(`linux.cgroupsPath: '${name}' is a slice, and processes are in scopes`, {
      hint: `name the slice first, as in ${name}:paddock:${id}`,
    });
  }
  const unit = { name: escapeName(`${prefix === "" ? "" : `${prefix}-`}${name}.scope`), slice: slice || DEFAULT_SLICE };
  expandSlice(unit.slice);
  return unit;
}

const DEFAULT_SLICE = "system.slice";

/** Where the unit is below each hierarchy's mount point: `a-b.slice` lies in `a.slice`. */
export function placeUnit({ name, slice }: SystemdUnit, root: string): Pick<CgroupRequest, "name" | "parent"> {
  return { name, parent: `${root}${expandSlice(slice)}` || "/" };
}

/**
 * The path of a slice (`man 5 systemd.slice`): `a-b.slice` is `/a.slice/a-b.slice`, and `-.slice` the root, "".
 *
 * @throws PaddockError where it is no name of a slice
 */
export function expandSlice(slice: string): string {
  const name = slice.replace(/\.slice$/, "");
  const parts = name.split("-");
  if (name === "-") return "";
  if (name === slice || slice.includes("/") || parts.includes("")) {
    throw new PaddockError(`invalid slice name: ${slice}`, { hint: "one such as machine.slice or batch-web.slice" });
  }
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}

/** What a unit's name cannot hold is written in hexadecimal: `+` is `\x2b` (`man 1 systemd-escape`). */
function escapeName(name: string): string {
  return [...new TextEncoder().encode(name)].map((byte) => {
    const letter = String.fromCharCode(byte);
    return /[a-zA-Z0-9:_.\\@-]/.test(letter) ? letter : `\\x${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}
