/**
 * `paddock update`.
 *
 * @module
 */
import { PaddockError, UsageError } from "../../base/errors.ts";
import { parseSizeOrUnlimited } from "../../base/sizes.ts";
import type { UpdateRequest } from "../../runtime/update.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readInteger, resolveHostPath } from "../values/flag.ts";
import { speakOn } from "../voice.ts";
import { lastValue } from "../words.ts";

/** Changes the limits of a container. */
export async function run(words: Words, host: Host): Promise<number> {
  const request = await readRequest(words, host);
  const { updateContainer } = await import("../../runtime/update.ts");
  await updateContainer(words.positionals[0] ?? "", request, readRoots(words, host), speakOn(host));
  return 0;
}

async function readRequest(words: Words, host: Host): Promise<UpdateRequest> {
  const file = lastValue(words, "resources");
  const flags = readFlags(words);
  // As with runc: what is read has the word, and the other flags have none.
  if (file === undefined) return flags;
  return { resources: {}, json: await readJson(file, host) };
}

async function readJson(file: string, host: Host): Promise<string> {
  if (file === "-") return await new Response(Deno.stdin.readable).text();
  const path = resolveHostPath(file, host);
  try {
    return host.readText(path);
  } catch (cause) {
    throw new PaddockError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

function readFlags(words: Words): UpdateRequest {
  const number = (name: string, least = 0) => readNumber(words, name, (text) => readInteger(text, least, MOST));
  const size = (name: string) => readNumber(words, name, parseSizeOrUnlimited);
  const text = (name: string) => lastValue(words, name);
  const pids = number("pids-limit", -1);
  const l3 = text("l3-cache-schema");
  const bandwidth = text("mem-bw-schema");
  return {
    resources: withoutAbsent({
      memory: withoutAbsent({
        limit: size("memory"),
        swap: size("memory-swap"),
        reservation: size("memory-reservation"),
        kernel: size("kernel-memory"),
        kernelTCP: size("kernel-memory-tcp"),
      }),
      cpu: withoutAbsent({
        period: number("cpu-period"),
        quota: number("cpu-quota", -1),
        burst: number("cpu-burst"),
        shares: number("cpu-share"),
        realtimePeriod: number("cpu-rt-period"),
        realtimeRuntime: number("cpu-rt-runtime", -1),
        idle: number("cpu-idle"),
        cpus: text("cpuset-cpus"),
        mems: text("cpuset-mems"),
      }),
      pids: pids === undefined ? undefined : { limit: pids },
      blockIO: withoutAbsent({ weight: number("blkio-weight") }),
    }) ?? {},
    ...(l3 === undefined && bandwidth === undefined ? {} : {
      intelRdt: {
        ...(l3 === undefined ? {} : { l3CacheSchema: l3 }),
        ...(bandwidth === undefined ? {} : { memBwSchema: bandwidth }),
      },
    }),
  };
}

const MOST = Number.MAX_SAFE_INTEGER;

/** An empty value is none, as with runc. */
function readNumber(words: Words, name: string, read: (text: string) => number): number | undefined {
  const text = lastValue(words, name);
  if (text === undefined || text === "") return undefined;
  try {
    return read(text);
  } catch (cause) {
    throw new UsageError(`invalid value for ${name}: ${(cause as Error).message}`, { cause });
  }
}

/** The object without keys whose value is undefined; undefined where none is left. */
function withoutAbsent<T extends Record<string, unknown>>(values: T): Given<T> | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries) as Given<T>;
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };
