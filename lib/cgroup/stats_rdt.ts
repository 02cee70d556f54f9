/**
 * What resctrl says of a container's class: its part of the cache and of the memory's bandwidth, and what it takes of
 * them (the kernel's Documentation/filesystems/resctrl.rst), in the words of runc's `events`.
 *
 * @module
 */
import type { ReadText } from "./read.ts";
import { readCount, type StatsObject, withoutZeros } from "./stats_text.ts";

/** Where it is told. */
export interface RdtSource {
  /** Mount point of resctrl. */
  readonly mount: string;
  /** The class's directory. */
  readonly directory: string;
  /** Directories of its monitoring group: `mon_data/mon_L3_00`, one for each cache. */
  readonly monitors: readonly string[];
  readonly readText: ReadText;
}

/** Empty where the container has no class. */
export function readRdtStats({ mount, directory, monitors, readText }: RdtSource): StatsObject {
  const own = readText(`${directory}/schemata`);
  if (own === undefined) return {};
  const root = readText(`${mount}/schemata`) ?? "";
  const info = (part: string, name: string) => (readText(`${mount}/info/${part}/${name}`) ?? "").trim();
  const number = (part: string, name: string) => readCount(info(part, name));
  const [l3, bandwidth] = [info("L3", "cbm_mask") !== "", info("MB", "min_bandwidth") !== ""];
  const each = (names: readonly string[], keys: readonly string[]): StatsObject[] =>
    monitors.flatMap((path) => {
      const texts = names.map((name) => readText(`${path}/${name}`));
      if (texts.every((text) => text === undefined)) return [];
      return [withoutZeros(Object.fromEntries(keys.map((key, index) => [key, readCount(texts[index])])))];
    });
  return {
    ...(l3
      ? {
        l3_cache_info: {
          cbm_mask: info("L3", "cbm_mask"),
          ...withoutZeros({ min_cbm_bits: number("L3", "min_cbm_bits"), num_closids: number("L3", "num_closids") }),
        },
        l3_cache_schema_root: pickLine(root, /^\s*L3/),
        l3_cache_schema: pickLine(own, /^\s*L3/),
      }
      : {}),
    ...(bandwidth
      ? {
        mem_bw_info: withoutZeros({
          bandwidth_gran: number("MB", "bandwidth_gran"),
          delay_linear: number("MB", "delay_linear"),
          min_bandwidth: number("MB", "min_bandwidth"),
          num_closids: number("MB", "num_closids"),
        }),
        mem_bw_schema_root: pickLine(root, /^\s*MB/),
        mem_bw_schema: pickLine(own, /^\s*MB/),
      }
      : {}),
    ...withoutZeros({
      mbm_stats: each(["mbm_total_bytes", "mbm_local_bytes"], ["mbm_total_bytes", "mbm_local_bytes"]),
      cmt_stats: each(["llc_occupancy"], ["llc_occupancy"]),
    }),
  };
}

function pickLine(text: string, pattern: RegExp): string {
  return text.split("\n").find((line) => pattern.test(line))?.trim() ?? "";
}
