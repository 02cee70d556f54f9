/**
 * `paddock diff`.
 *
 * @module
 */
import { decodeText } from "../../base/byte_string.ts";
import { escapeControl } from "../../base/text.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

const LETTER = { added: "A", changed: "C", deleted: "D" } as const;

/** Lists what a container has changed. */
export async function run(words: Words, host: Host): Promise<number> {
  const { diffContainer } = await import("../../runtime/diff.ts");
  const changes = diffContainer(words.positionals[0] ?? "", readRoots(words, host)).map(({ kind, path }) => ({
    kind,
    path: decodeText(path),
  }));
  host.print(
    isOn(words, "json")
      ? `${JSON.stringify(changes, null, 2)}\n`
      : changes.map(({ kind, path }) => `${LETTER[kind]} ${escapeControl(path)}\n`).join(""),
  );
  return 0;
}
