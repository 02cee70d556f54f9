/**
 * Which paddock this is: its version, and in what form it runs.
 *
 * @module
 */

/** The version of this source. */
export const VERSION = "0.1.0";

/** How this paddock was built. */
export interface BuildInfo {
  readonly version: string;
  /**
   * `source`: run from its source by an installed Deno. `compiled`: one file by `deno compile`. `packed`: one file
   * made of the whole runtime and the program, where `deno compile` could not be had.
   */
  readonly kind: "source" | "compiled" | "packed";
  /** The source's revision; absent when it runs from source. */
  readonly revision?: string;
  /** Version of Deno that it runs on. */
  readonly runtime: string;
}

const KEY = "paddock.build";
const BUILT: unique symbol = Symbol.for(KEY);

/** What this process runs. */
export function readBuildInfo(): BuildInfo {
  const built = (globalThis as { [BUILT]?: Pick<BuildInfo, "kind" | "revision"> })[BUILT];
  return { version: VERSION, runtime: Deno.version.deno, ...(built ?? { kind: "source" }) };
}

/** The line that a build puts before the program, so that the program knows how it was built. */
export function buildInfoLine(built: Pick<BuildInfo, "kind" | "revision">): string {
  return `globalThis[Symbol.for(${JSON.stringify(KEY)})]=${JSON.stringify(built)};\n`;
}
