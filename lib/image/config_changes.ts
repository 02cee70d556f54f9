/**
 * Changes of an image's configuration in the words of a Dockerfile, as `docker commit --change` and `docker import
 * --change` take them (Dockerfile reference). Pure.
 *
 * @module
 */
import { PaddockError, UsageError } from "../base/errors.ts";
import { findSignal } from "../base/signals.ts";
import { parseDuration } from "../base/sizes.ts";
import type { Healthcheck, ImageConfig } from "../spec/image_config.ts";
import { expandWord, splitWords } from "./dockerfile_words.ts";

type Changed = { -readonly [K in keyof ImageConfig]: ImageConfig[K] };

/** What an instruction does to the configuration. */
type Apply = (config: Changed, rest: string, before: ReadonlySet<string>) => void;

/**
 * Applies instructions one after the other.
 *
 * @throws UsageError for an instruction that there is none of, or that makes no sense.
 */
export function changeImageConfig(config: ImageConfig, changes: readonly string[]): ImageConfig {
  const changed: Changed = { ...config };
  const before = new Set<string>();
  for (const change of changes.flatMap((text) => text.split("\n")).map((line) => line.trim())) {
    if (change === "" || change.startsWith("#")) continue;
    const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(change) ?? [];
    const apply = INSTRUCTIONS[name.toUpperCase()];
    if (apply === undefined) {
      throw new UsageError(`--change '${change}': ${name} changes no image`, {
        hint: `instructions are ${Object.keys(INSTRUCTIONS).join(", ")}`,
      });
    }
    if (rest === "") throw new UsageError(`--change '${change}': ${name.toUpperCase()} needs a value`);
    try {
      apply(changed, rest, before);
    } catch (error) {
      if (!(error instanceof PaddockError)) throw error;
      throw new UsageError(
        `--change '${change}': ${error.message}`,
        error.hint === undefined ? {} : { hint: error.hint },
      );
    }
    before.add(name.toUpperCase());
  }
  return changed;
}

const INSTRUCTIONS: Readonly<Record<string, Apply>> = {
  CMD: (config, rest) => void (config.cmd = readCommand(config, rest)),
  ENTRYPOINT: (config, rest, before) => {
    config.entrypoint = readCommand(config, rest);
    // What the image runs by default belongs to the entrypoint that it had.
    if (!before.has("CMD")) delete config.cmd;
  },
  ENV: (config, rest) => {
    const values = new Map((config.env ?? []).map((entry) => [entry.slice(0, entry.indexOf("=")), entry]));
    for (const [name, value] of readPairs(config, rest)) values.set(name, `${name}=${value}`);
    config.env = [...values.values()];
  },
  EXPOSE: (config, rest) => {
    const ports = expand(config, splitWords(rest)).flatMap(readPorts);
    config.exposedPorts = [...new Set([...config.exposedPorts ?? [], ...ports])];
  },
  HEALTHCHECK: (config, rest) => void (config.healthcheck = readHealthcheck(rest)),
  LABEL: (config, rest) => void (config.labels = { ...config.labels, ...Object.fromEntries(readPairs(config, rest)) }),
  ONBUILD: (config, rest) => void (config.onBuild = [...config.onBuild ?? [], rest]),
  SHELL: (config, rest) => {
    const words = readJsonWords(rest);
    if (words === undefined || words.length === 0) throw new UsageError('a list is wanted: ["/bin/bash", "-c"]');
    config.shell = words;
  },
  STOPSIGNAL: (config, rest) => {
    const [signal = ""] = expand(config, [rest]);
    if (findSignal(signal) === undefined) throw new UsageError(`'${signal}' is no signal`);
    config.stopSignal = signal;
  },
  USER: (config, rest) => void (config.user = expand(config, [rest])[0]!),
  VOLUME: (config, rest) => {
    const paths = expand(config, readJsonWords(rest) ?? splitWords(rest)).map((path) => joinPath("/", path));
    config.volumes = [...new Set([...config.volumes ?? [], ...paths])];
  },
  WORKDIR: (config, rest) => void (config.workingDir = joinPath(config.workingDir ?? "/", expand(config, [rest])[0]!)),
};

/** A list as JSON, or a line for the shell. */
function readCommand({ shell }: ImageConfig, text: string): readonly string[] {
  return readJsonWords(text) ?? [...shell ?? ["/bin/sh", "-c"], text];
}

/** A JSON list of strings; undefined for anything else, which docker takes as it stands. */
function readJsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `A=1 B="two words"`, or the old form of one name and all the rest: `A one two`. */
function readPairs(config: ImageConfig, text: string): (readonly [string, string])[] {
  const words = splitWords(text);
  const isOld = words[0] !== undefined && !words[0].includes("=");
  if (isOld && words.length < 2) throw new UsageError("NAME=VALUE is wanted");
  const pairs = isOld
    ? [[words[0]!, text.slice(text.indexOf(words[0]!) + words[0]!.length).trim()] as const]
    : words.map((word) => {
      const equals = word.indexOf("=");
      if (equals < 1) throw new UsageError(`'${word}' is not of the form NAME=VALUE`);
      return [word.slice(0, equals), word.slice(equals + 1)] as const;
    });
  return pairs.map(([name, value]) => [expandWord(name, variablesOf(config)), expandWord(value, variablesOf(config))]);
}

/** `80`, `80/tcp`, `8000-8010/udp`. */
function readPorts(text: string): string[] {
  const [, first = "", last = first, protocol = "tcp"] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" || from < 1 || to > 65535 || from > to) {
    throw new UsageError(`'${text}' is no port: 80, 80/udp or 8000-8010 is wanted`);
  }
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

const HEALTH_TIMES: Readonly<Record<string, "interval" | "timeout" | "startPeriod" | "startInterval">> = {
  "--interval": "interval",
  "--timeout": "timeout",
  "--start-period": "startPeriod",
  "--start-interval": "startInterval",
};

/** `[--interval=30s …] CMD …`, or `NONE`. */
function readHealthcheck(text: string): Healthcheck {
  const numbers: { -readonly [K in keyof Healthcheck]?: Healthcheck[K] } = {};
  let rest = text;
  for (let match; (match = /^(--[a-z-]+)=(\S+)\s*/.exec(rest)) !== null; rest = rest.slice(match[0].length)) {
    const [, flag = "", value = ""] = match;
    const time = HEALTH_TIMES[flag];
    if (time !== undefined) numbers[time] = Math.round(parseDuration(value) * 1e9);
    else if (flag === "--retries" && /^\d{1,9}$/.test(value)) numbers.retries = Number(value);
    else throw new UsageError(`HEALTHCHECK does not take ${match[0].trim()}`);
  }
  const [, kind = "", command = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  if (kind.toUpperCase() === "NONE" && command === "") return { test: ["NONE"] };
  if (kind.toUpperCase() !== "CMD" || command === "") throw new UsageError("CMD and a command, or NONE is wanted");
  const words = readJsonWords(command);
  return { test: words === undefined ? ["CMD-SHELL", command] : ["CMD", ...words], ...numbers };
}

function expand(config: ImageConfig, words: readonly string[]): string[] {
  return words.map((word) => expandWord(word, variablesOf(config)));
}

function variablesOf({ env = [] }: ImageConfig): ReadonlyMap<string, string> {
  return new Map(env.map((entry) => {
    const equals = entry.indexOf("=");
    return [entry.slice(0, equals), entry.slice(equals + 1)];
  }));
}

/** An absolute path, or one that begins at another; without `.` and `..`. */
function joinPath(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${path.startsWith("/") ? "" : base}/${path}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
