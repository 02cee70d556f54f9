/**
 * `paddock images`.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import { formatAge, formatTable } from "../../base/text.ts";
import type { ListedImage } from "../../runtime/named_images.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Lists images that were loaded: a table, ids, or JSON. */
export async function run(words: Words, host: Host): Promise<number> {
  const { listImages } = await import("../../runtime/named_images.ts");
  const found = await listImages(readRoots(words, host));
  const form = isOn(words, "json") ? "json" : isOn(words, "quiet") ? "quiet" : "table";
  host.print(formatImages(found, form, Date.now()));
  return 0;
}

/** The list as text; `now` in milliseconds, for how long ago. */
export function formatImages(found: readonly ListedImage[], form: "json" | "quiet" | "table", now: number): string {
  if (form === "json") return `${JSON.stringify(found, null, 2)}\n`;
  if (form === "quiet") return [...new Set(found.map(({ id }) => `${id}\n`))].join("");
  const rows = found.map(({ short, id, bytes, loaded }) => [
    short ?? "",
    id.slice("sha256:".length).slice(0, 12),
    bytes === undefined ? "" : formatSize(bytes),
    formatAge(now - Date.parse(loaded)),
  ]);
  return `${formatTable(["NAME", "ID", "SIZE", "LOADED"], rows)}\n`;
}
