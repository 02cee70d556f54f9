/**
 * The vocabulary between the router and its backends: what one wish comes to in files of one hierarchy.
 *
 * @module
 */
import type { Resources } from "../spec/config.ts";

/** What can be limited; each is one controller in v1 and one in v2 (devices are a BPF program there). */
export const TOPICS = ["memory", "cpu", "cpuset", "pids", "io", "hugetlb", "net_cls", "net_prio", "rdma"] as const;

export type Topic = typeof TOPICS[number];

/** One control file and what is written into it, each of `data` by a write of its own. */
export interface FileWrite {
  /** Names in the container's cgroup; of several, the first that exists here is written, with the data beside it. */
  readonly files: readonly { readonly name: string; readonly data: readonly string[] }[];
  /** True where a kernel without the file holds the wish anyway. */
  readonly optional?: boolean;
}

/** One limit that a person would name, and the files that hold it. */
export interface Setting {
  /** "limit memory to 100 MiB". */
  readonly what: string;
  readonly why: string;
  readonly writes: readonly FileWrite[];
}

/** What one cgroup version makes of the wishes on a topic. */
export interface Backend {
  /** The controller that serves the topic in this version: `blkio` in v1 is `io` in v2. */
  controllerOf(topic: Topic): string;
  /**
   * The settings for what is asked on this topic, in the order in which they must be written; none where nothing is.
   *
   * @param fault told of each wish that this version has no words for
   */
  settings(topic: Topic, resources: Resources, fault: (message: string) => void): readonly Setting[];
}

/** A file that gets one value. */
export function write(name: string, data: string | number, more: Pick<FileWrite, "optional"> = {}): FileWrite {
  return { files: [{ name, data: [String(data)] }], ...more };
}

/** A file that gets several values, one write each. */
export function writeEach(name: string, data: readonly string[]): FileWrite {
  return { files: [{ name, data }] };
}

/** Bytes for a person, or "no limit" for -1. */
export function describeAmount(value: number, format: (value: number) => string): string {
  return value < 0 ? "no limit" : format(value);
}
