/**
 * The flags of health checks, read.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseDuration } from "../../base/sizes.ts";
import type { Healthcheck } from "../../spec/image_config.ts";
import type { Words } from "../types.ts";
import { isOn } from "../words.ts";
import { readFlag, readInteger } from "./flag.ts";

/** What the user says of the check; undefined where that is nothing. */
export function readHealth(words: Words): Partial<Healthcheck> | undefined {
  const given = {
    test: readFlag(words, "health-cmd", readTest),
    interval: readFlag(words, "health-interval", readTime),
    timeout: readFlag(words, "health-timeout", readTime),
    startPeriod: readFlag(words, "health-start-period", readTime),
    retries: readFlag(words, "health-retries", (text) => readInteger(text, 0, 1e9)),
  };
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  if (isOn(words, "no-healthcheck")) {
    if (said.length > 0) throw new UsageError("--no-healthcheck and the other flags of checks contradict each other");
    return { test: ["NONE"] };
  }
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

/** A line for the shell; a JSON list is a command of its own; `none` is no check. */
function readTest(text: string): readonly string[] {
  if (text === "none") return ["NONE"];
  if (text.trim() === "") throw new UsageError("an empty command");
  if (!text.startsWith("[")) return ["CMD-SHELL", text];
  const list = parseList(text);
  return ["CMD", "CMD-SHELL", "NONE"].includes(list[0] ?? "") ? list : ["CMD", ...list];
}

function parseList(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.length > 0 && list.every((word) => typeof word === "string")) return list;
  } catch {
    // Said below.
  }
  throw new UsageError(`'${text}' is no JSON list of words`, { hint: `as in '["nc", "-z", "localhost", "80"]'` });
}

/** Nanoseconds, as images have it. */
function readTime(text: string): number {
  const seconds = parseDuration(text);
  if (seconds < 0) throw new UsageError(`'${text}' is less than nothing`);
  return Math.round(seconds * 1e9);
}
