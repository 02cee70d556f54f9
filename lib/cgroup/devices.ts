/**
 * Which devices a container may use: rules of the specification, made exact.
 *
 * Rules apply in their order, the later over the earlier, each to the accesses that it names (config-linux.md, Allowed
 * Device list). v1 keeps one default and a list of exceptions, and cannot carve a hole into an exception; a BPF program
 * on v2 can do anything.
 *
 * @module
 */
import type { DeviceRule } from "../spec/config.ts";

/**
 * What every container may use, after whatever was asked for: nodes may be made, for making one opens nothing, and the
 * devices that the specification demands work (config-linux.md, Default Devices).
 */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  { allow: true, type: "c", major: 1, minor: 3, access: "rwm" }, // null
  { allow: true, type: "c", major: 1, minor: 5, access: "rwm" }, // zero
  { allow: true, type: "c", major: 1, minor: 7, access: "rwm" }, // full
  { allow: true, type: "c", major: 1, minor: 8, access: "rwm" }, // random
  { allow: true, type: "c", major: 1, minor: 9, access: "rwm" }, // urandom
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" }, // tty
  { allow: true, type: "c", major: 5, minor: 1, access: "rwm" }, // console
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" }, // ptmx
  { allow: true, type: "c", major: 136, access: "rwm" }, // pts
];

/** A rule with nothing left open: a wildcard is `undefined`, the access a set of bits. */
export interface ExactRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: number;
}

/** Bits of an access, as the kernel counts them (`BPF_DEVCG_ACC_*` in linux/bpf.h). */
export const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** Reading, writing and making a node. */
export const ALL_ACCESS = 7;

/** Everything is denied first, then what was asked for, then what every container may use. */
export function completeRules(asked: readonly DeviceRule[] = []): ExactRule[] {
  return [{ allow: false }, ...asked, ...DEFAULT_DEVICE_RULES].map(toExact);
}

/** True where the rules come to "everything is allowed". */
export function allowEverything(rules: readonly ExactRule[]): boolean {
  const list = toExceptions(rules);
  return list.default === "allow" && list.exceptions.length === 0;
}

/** The form in which v1 keeps a list: `devices.list` begins with the default, the rest is exceptions to it. */
export interface DeviceList {
  readonly default: "allow" | "deny";
  readonly exceptions: readonly Exception[];
  /** Rules that this form cannot express, as text. */
  readonly inexpressible: readonly string[];
}

/** What an exception is about, and for which accesses. */
export interface Exception {
  readonly type: "b" | "c";
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: number;
}

/** Folds rules into a default and exceptions to it. */
export function toExceptions(rules: readonly ExactRule[]): DeviceList {
  let list: DeviceList = { default: "deny", exceptions: [], inexpressible: [] };
  for (const rule of rules) {
    const isForAll = rule.type === "a" && rule.major === undefined && rule.minor === undefined;
    if (isForAll && rule.access === ALL_ACCESS) {
      list = { default: rule.allow ? "allow" : "deny", exceptions: [], inexpressible: [] };
      continue;
    }
    for (const type of rule.type === "a" ? ["b", "c"] as const : [rule.type]) {
      const part = { type, major: rule.major, minor: rule.minor, access: rule.access };
      list = rule.allow === (list.default === "allow") ? restoreDefault(list, part) : addException(list, part);
    }
  }
  return list;
}

/** A rule as v1 writes it: `c 1:3 rwm`. */
export function formatException({ type, major, minor, access }: Exception): string {
  return `${type} ${major ?? "*"}:${minor ?? "*"} ${formatAccess(access)}`;
}

/** "rw" from its bits. */
export function formatAccess(access: number): string {
  return ["r", "w", "m"].filter((letter) => access & ACCESS[letter]!).join("");
}

function toExact({ allow, type, major, minor, access }: DeviceRule): ExactRule {
  const bits = [...(access ?? "rwm")].reduce((bits, letter) => bits | (ACCESS[letter] ?? 0), 0);
  const wild = (number: number | undefined): number | undefined => number === -1 ? undefined : number;
  return { allow, type: (type ?? "a") as ExactRule["type"], major: wild(major), minor: wild(minor), access: bits };
}

function addException(list: DeviceList, part: Exception): DeviceList {
  const same = list.exceptions.find((other) => covers(other, part) && covers(part, other));
  if (same === undefined) return { ...list, exceptions: [...list.exceptions, part] };
  const merged = { ...same, access: same.access | part.access };
  return { ...list, exceptions: list.exceptions.map((other) => other === same ? merged : other) };
}

/** Takes away what `part` covers of the exceptions; one that it covers in part would need a hole, which v1 has not. */
function restoreDefault(list: DeviceList, part: Exception): DeviceList {
  const exceptions: Exception[] = [];
  const inexpressible = [...list.inexpressible];
  for (const other of list.exceptions) {
    const overlaps = meet(other, part) && (other.access & part.access) !== 0;
    if (!overlaps) exceptions.push(other);
    else if (covers(part, other)) {
      const access = other.access & ~part.access;
      if (access !== 0) exceptions.push({ ...other, access });
    } else {
      exceptions.push(other);
      inexpressible.push(`${formatException(part)} within ${formatException(other)}`);
    }
  }
  return { ...list, exceptions, inexpressible };
}

function covers(whole: Exception, part: Exception): boolean {
  return whole.type === part.type && (whole.major === undefined || whole.major === part.major) &&
    (whole.minor === undefined || whole.minor === part.minor);
}

function meet(a: Exception, b: Exception): boolean {
  const agree = (x: number | undefined, y: number | undefined): boolean =>
    x === undefined || y === undefined || x === y;
  return a.type === b.type && agree(a.major, b.major) && agree(a.minor, b.minor);
}
