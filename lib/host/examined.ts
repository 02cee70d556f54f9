/**
 * What `doctor` looks at, and the shape of its checks.
 *
 * @module
 */
import type { Facts } from "./facts.ts";

/** `no`: it is not there. `warn`: it is there in part, or will be missed by few. */
export type Verdict = "ok" | "no" | "warn";

/** What a check found. */
export interface Finding {
  readonly verdict: Verdict;
  /** What there is, in a few words. */
  readonly detail: string;
  /** What to do about it; absent where nothing need be done. */
  readonly remedy?: string;
}

/** One question to the host. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly group: Group;
  /** True where no container runs without it. */
  readonly needed?: true;
  readonly check: (host: Examined) => Finding;
}

/** Headings, in their order. */
export const GROUPS = ["to run a container", "limits", "isolation", "storage", "this host"] as const;
export type Group = typeof GROUPS[number];

/** Everything that the checks look at. */
export interface Examined {
  readonly facts: Facts;
  /** The text of a file, or `undefined` where it cannot be read. */
  readonly readText: (path: string) => string | undefined;
  readonly exists: (path: string) => boolean;
  /** Where state and data are kept. */
  readonly stateRoot: Place;
  readonly dataRoot: Place;
  /** What came of mounting a small overlay where the data are; `undefined` where that could not be tried. */
  readonly overlayTrial: { readonly works: boolean; readonly detail: string } | undefined;
  /** True where the kernel has nftables; `undefined` where it could not be asked. */
  readonly nftables: boolean | undefined;
  /** What dead containers left, one line each. */
  readonly leftovers: readonly string[];
  readonly runtime: { readonly deno: string; readonly glibc: string | undefined };
}

/** A directory that may not exist yet: what is said of space and mount is then of the nearest one that does. */
export interface Place {
  readonly path: string;
  readonly exists: boolean;
  /** Why it cannot be trusted; `undefined` where it can, or does not exist. */
  readonly fault: string | undefined;
  /** Bytes that may still be written. */
  readonly free: number;
}
