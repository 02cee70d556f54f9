/**
 * Annotations that set properties of a container's unit: `org.systemd.property.TimeoutStopUSec` is `uint64 5000000`.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Property, Value } from "./value.ts";
import { parseVariant } from "./variant_text.ts";

const PREFIX = "org.systemd.property.";

/**
 * The properties among annotations, in their order. One whose name ends in `Sec`, as in a unit's file, is in seconds;
 * systemd itself counts microseconds.
 *
 * @throws PaddockError naming the annotation that is none.
 */
export function readAnnotations(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(annotations).filter(([key]) => key.startsWith(PREFIX)).map(([key, text]) => {
    const name = key.slice(PREFIX.length);
    if (!/^[a-zA-Z]{3,}$/.test(name)) {
      throw new PaddockError(`annotations['${key}']: '${name}' is no property of a unit`);
    }
    try {
      return inMicroseconds({ name, ...parseVariant(text) });
    } catch (cause) {
      if (!(cause instanceof PaddockError)) throw cause;
      throw new PaddockError(`annotations['${key}']: ${cause.message}`, {
        ...(cause.hint === undefined ? {} : { hint: cause.hint }),
        cause,
      });
    }
  });
}

function inMicroseconds(property: Property): Property {
  const { name, signature, value } = property;
  if (!/[a-z]Sec$/.test(name)) return property;
  if (!"nqiuxtd".includes(signature)) throw new PaddockError(`'${signature}' is no type of a number of seconds`);
  return { name: name.replace(/Sec$/, "USec"), signature: "t", value: toMicroseconds(value) };
}

function toMicroseconds(seconds: Value): bigint {
  const microseconds = typeof seconds === "bigint" ? seconds * 1_000_000n : BigInt(Math.round(Number(seconds) * 1e6));
  if (microseconds < 0n) throw new PaddockError("a time cannot be negative");
  return microseconds;
}
