/**
 * `paddock spec` and `paddock features`: what an OCI runtime says of bundles and of itself.
 *
 * @module
 */
import { VERSION } from "../../base/build_info.ts";
import type { Host, Words } from "../types.ts";
import { resolveHostPath } from "../values/flag.ts";
import { isOn, lastValue } from "../words.ts";

/** Writes a `config.json`; one that is there stays. */
export async function spec(words: Words, host: Host): Promise<number> {
  const { formatExampleConfig, writeExampleConfig } = await import("../../runtime/describe.ts");
  const isRootless = isOn(words, "rootless");
  if (isOn(words, "to-stdout")) host.print(formatExampleConfig(isRootless));
  else {
    const bundle = resolveHostPath(lastValue(words, "bundle") ?? ".", host);
    const file = lastValue(words, "file") ?? "config.json";
    writeExampleConfig(file.startsWith("/") ? file : `${bundle}/${file}`, isRootless);
  }
  return 0;
}

/** Prints the features document. */
export async function features(_: Words, host: Host): Promise<number> {
  const { formatFeatures } = await import("../../runtime/describe.ts");
  host.print(formatFeatures(VERSION));
  return 0;
}
