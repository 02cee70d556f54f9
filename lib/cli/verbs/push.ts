/**
 * `paddock push`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseSize } from "../../base/sizes.ts";
import type { PushRequest } from "../../runtime/push.ts";
import { completeCredentials } from "../credentials.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, resolveHostPath } from "../values/flag.ts";
import { readRegistryOptions } from "../values/registry.ts";
import { speakOn, stayQuiet } from "../voice.ts";
import { isOn, lastValue } from "../words.ts";

/** Pushes images, and prints the digest of each. */
export async function run(words: Words, host: Host): Promise<number> {
  const [image = "", destination] = words.positionals;
  const allTags = isOn(words, "all-tags");
  if (allTags && destination !== undefined) throw new UsageError("--all-tags pushes to the names that images have");
  const chunk = readFlag(words, "chunk-size", readChunk);
  const compression = lastValue(words, "compression") as PushRequest["compression"];
  const digestFile = readFlag(words, "digestfile", (text) => resolveHostPath(text, host));
  const options = await completeCredentials(readRegistryOptions(words, host) ?? {});
  const { pushNamed } = await import("../../runtime/push.ts");
  const pushed = await pushNamed(
    {
      image,
      allTags,
      ...(compression === undefined ? {} : { compression }),
      isForced: isOn(words, "force-compression"),
      ...(destination === undefined ? {} : { destination }),
      ...(chunk === undefined ? {} : { chunk }),
    },
    readRoots(words, host),
    options,
    isOn(words, "quiet") ? stayQuiet() : speakOn(host),
  );
  const digests = pushed.map(({ digest }) => `${digest}\n`).join("");
  if (digestFile !== undefined) Deno.writeTextFileSync(digestFile, digests.trimEnd());
  host.print(digests);
  return 0;
}

const LEAST_CHUNK = 64 * 1024;

function readChunk(text: string): number {
  const bytes = parseSize(text);
  if (bytes >= LEAST_CHUNK) return bytes;
  throw new UsageError(`--chunk-size '${text}': at least 64k`);
}
