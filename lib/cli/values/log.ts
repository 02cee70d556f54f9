/**
 * Flags about what becomes of a container's output.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseSize } from "../../base/sizes.ts";
import { didYouMean } from "../../base/text.ts";
import type { LogDriver, RunOptions } from "../../spec/run_options.ts";
import type { Words } from "../types.ts";
import { lastValue } from "../words.ts";
import { readFlags, readInteger, readPair } from "./flag.ts";

/** docker's defaults of its driver of that name. */
const LOCAL = { maxSize: 20 << 20, maxFiles: 5 };

/** The smallest file that a log may be: what is read at once fits into it. */
const LEAST = 64 * 1024;

/** @throws UsageError for options that the driver has not. */
export function readLogOptions(words: Words): Pick<RunOptions, "logDriver" | "logRotation"> {
  const logDriver = (lastValue(words, "log-driver") ?? "file") as LogDriver;
  const given = Object.assign({}, ...readFlags(words, "log-opt", readOption)) as Partial<typeof LOCAL>;
  if (logDriver === "local") return { logDriver, logRotation: { ...LOCAL, ...given } };
  if (Object.keys(given).length === 0) return { logDriver };
  throw new UsageError(`--log-opt: a log of the driver '${logDriver}' is one file for ever`, {
    hint: "--log-driver local begins new ones",
  });
}

function readOption(text: string): Partial<typeof LOCAL> {
  const [key, value] = readPair(text);
  if (key === "max-size") {
    const maxSize = parseSize(value);
    if (maxSize < LEAST) throw new UsageError(`'${value}' is too small for a log`, { hint: "64k is the least" });
    return { maxSize };
  }
  if (key === "max-file") return { maxFiles: readInteger(value, 1, 100) };
  throw new UsageError(`there is no option '${key}'`, {
    hint: didYouMean(key, ["max-size", "max-file"]) ?? "options are max-size and max-file",
  });
}
