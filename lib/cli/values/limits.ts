/**
 * The flags that become cgroup limits, read.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { formatSize, parseCpus, parseNumberList, parseSize, parseSizeOrUnlimited } from "../../base/sizes.ts";
import type { Cpu } from "../../spec/config.ts";
import type { BlkioOptions, DeviceRate, MemoryOptions } from "../../spec/run_options.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";
import { readFlag, readFlags, readInteger, resolveHostPath } from "./flag.ts";

/** No program starts in less: the kernel charges the first pages of its stack and page tables. */
const LEAST_MEMORY = 512 * 1024;

/** `--memory`, `--swap` and what belongs to them. */
export function readMemory(words: Words): MemoryOptions {
  const limit = readFlag(words, "memory", readMemoryLimit);
  const reservation = readFlag(words, "memory-reservation", readMemoryLimit);
  const swap = readSwap(words, limit);
  const swappiness = readFlag(words, "memory-swappiness", (text) => readInteger(text, -1, 100));
  if (limit !== undefined && limit > 0 && reservation !== undefined && reservation > limit) {
    throw new UsageError(`--memory-reservation ${formatSize(reservation)} is more than --memory ${formatSize(limit)}`);
  }
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(reservation === undefined ? {} : { reservation }),
    ...(swap === undefined ? {} : { swap }),
    ...(swappiness === undefined || swappiness === -1 ? {} : { swappiness }),
    disableOOMKiller: isOn(words, "oom-kill-disable"),
  };
}

/** Memory and swap together, from `--swap` (swap alone) or `--memory-swap` (docker's sum). */
function readSwap(words: Words, limit: number | undefined): number | undefined {
  const swap = readFlag(words, "swap", parseSizeOrUnlimited);
  const sum = readFlag(words, "memory-swap", parseSizeOrUnlimited);
  const given = swap === undefined ? "--memory-swap" : "--swap";
  if (swap === undefined && sum === undefined) return undefined;
  if (swap !== undefined && sum !== undefined) {
    throw new UsageError("--swap and --memory-swap contradict each other", {
      hint: "--swap is the swap alone, --memory-swap is memory and swap together: give one of them",
    });
  }
  if (swap === -1 || sum === -1) return -1;
  if (limit === undefined || limit === -1) {
    throw new UsageError(`${given} needs --memory`, { hint: "as in --memory 100m --swap 0" });
  }
  if (swap !== undefined) return limit + swap;
  // docker reads 0 as "not given".
  if (sum === 0) return undefined;
  if (sum !== undefined && sum < limit) {
    throw new UsageError(`--memory-swap ${formatSize(sum)} is less than --memory ${formatSize(limit)}`, {
      hint: "it is memory and swap together; --swap is the swap alone",
    });
  }
  return sum;
}

function readMemoryLimit(text: string): number {
  const bytes = parseSizeOrUnlimited(text);
  if (bytes === 0) throw new UsageError(`'${text}' is no memory at all`, { hint: "-1 is no limit" });
  if (bytes > 0 && bytes < LEAST_MEMORY) {
    throw new UsageError(`'${text}' is too little to start a program`, {
      hint: `${formatSize(LEAST_MEMORY)} is the least`,
    });
  }
  return bytes;
}

/** `--cpus` and what belongs to it, in the units of the specification. */
export function readCpu(words: Words): Cpu {
  const cpus = readFlag(words, "cpus", parseCpus);
  const period = readFlag(words, "cpu-period", (text) => readInteger(text, 1000, 1_000_000));
  const quota = readFlag(words, "cpu-quota", readQuota);
  const other = period !== undefined ? "--cpu-period" : quota !== undefined ? "--cpu-quota" : undefined;
  if (cpus !== undefined && other !== undefined) {
    throw new UsageError(`--cpus and ${other} contradict each other`, { hint: "--cpus sets both quota and period" });
  }
  const shares = readFlag(words, "cpu-shares", (text) => readInteger(text, 2, 262_144));
  const processors = readFlag(words, "cpuset-cpus", checkList);
  const nodes = readFlag(words, "cpuset-mems", checkList);
  return {
    ...(shares === undefined ? {} : { shares }),
    ...cpus,
    ...(period === undefined ? {} : { period }),
    ...(quota === undefined ? {} : { quota }),
    ...(processors === undefined ? {} : { cpus: processors }),
    ...(nodes === undefined ? {} : { mems: nodes }),
  };
}

function readQuota(text: string): number {
  const quota = readInteger(text, -1, 2 ** 44);
  if (quota >= 0 && quota < 1000) {
    throw new UsageError(`'${text}' is less than 1000 microseconds`, { hint: "-1 is no limit" });
  }
  return quota;
}

function checkList(text: string): string {
  parseNumberList(text);
  return text.replaceAll(" ", "");
}

/** `--pids-limit`: 0 and -1 are no limit, as in docker. */
export function readPidsLimit(words: Words): number | undefined {
  const limit = readFlag(words, "pids-limit", (text) => readInteger(text, -1, 2 ** 22));
  return limit === 0 ? -1 : limit;
}

/** `--blkio-weight`, `--device-read-bps` and their like. */
export function readBlkio(words: Words, host: Host): BlkioOptions {
  const weight = readFlag(words, "blkio-weight", readWeight);
  return {
    ...(weight === undefined ? {} : { weight }),
    weightDevice: readFlags(words, "blkio-weight-device", (text) => {
      const [path, value] = splitDevice(text, host);
      return { path, weight: readWeight(value) };
    }),
    readBps: readFlags(words, "device-read-bps", (text) => readRate(text, host, parseSize)),
    writeBps: readFlags(words, "device-write-bps", (text) => readRate(text, host, parseSize)),
    readIops: readFlags(words, "device-read-iops", (text) => readRate(text, host, readOperations)),
    writeIops: readFlags(words, "device-write-iops", (text) => readRate(text, host, readOperations)),
  };
}

function readWeight(text: string): number {
  return readInteger(text, 10, 1000);
}

function readOperations(text: string): number {
  return readInteger(text, 1, 2 ** 32 - 1);
}

function readRate(text: string, host: Host, read: (value: string) => number): DeviceRate {
  const [path, value] = splitDevice(text, host);
  const rate = read(value);
  if (rate === 0) throw new UsageError(`'${text}' allows nothing at all`);
  return { path, rate };
}

function splitDevice(text: string, host: Host): readonly [string, string] {
  const colon = text.lastIndexOf(":");
  if (colon <= 0) throw new UsageError(`'${text}' is not of the form DEVICE:VALUE`, { hint: "as in /dev/sda:1m" });
  return [resolveHostPath(text.slice(0, colon), host), text.slice(colon + 1)];
}
