/**
 * TOML, by `npm:smol-toml`, with the error in our words. Its own file so that only who finds a configuration pays for
 * the parser.
 *
 * @module
 */
import { parse, TomlError } from "smol-toml";
import { PaddockError } from "../../base/errors.ts";

/** A value of a document. */
export type TomlValue = string | number | bigint | boolean | Date | readonly TomlValue[] | TomlTable;

/** A table. */
export interface TomlTable {
  readonly [key: string]: TomlValue;
}

/** @param subject what it is, for errors: `"/etc/containers/registries.conf"`. @throws PaddockError with the line */
export function parseToml(text: string, subject: string): TomlTable {
  try {
    return parse(text) as TomlTable;
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [what = ""] = cause.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new PaddockError(`${subject}: line ${cause.line}: ${what}`, { cause });
  }
}
