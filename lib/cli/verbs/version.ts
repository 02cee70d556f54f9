/**
 * `paddock version`.
 *
 * @module
 */
import { type BuildInfo, readBuildInfo } from "../../base/build_info.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints the version, the architecture, and in what form this paddock runs. */
export function run(words: Words, host: Host): Promise<number> {
  const info = readBuildInfo();
  const text = isOn(words, "json")
    ? JSON.stringify({ ...info, arch: Deno.build.arch }, null, 2)
    : formatVersion(info, Deno.build.arch);
  host.print(`${text}\n`);
  return Promise.resolve(0);
}

/** One line for a person. */
export function formatVersion({ version, kind, revision, runtime }: BuildInfo, arch: string): string {
  const source = revision === undefined ? "" : ` of ${revision.slice(0, 12)}`;
  return `paddock ${version} (${arch}, ${FORMS[kind]}${source}, Deno ${runtime})`;
}

const FORMS: Readonly<Record<BuildInfo["kind"], string>> = {
  source: "run from its source",
  compiled: "one file by deno compile",
  packed: "one file with its runtime packed in",
};
