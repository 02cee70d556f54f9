/**
 * The flags of `update`: runc's spelling and meaning.
 *
 * @module
 */
import type { Option } from "./types.ts";

/** In the order in which help shows them. */
export const UPDATE_FLAGS: readonly Option[] = [
  {
    name: "resources",
    short: "r",
    value: "FILE",
    path: true,
    help: "limits as JSON, as linux.resources of config.json has them; - is standard input",
  },
  { name: "memory", value: "SIZE", help: "memory; -1 is no limit" },
  { name: "memory-swap", value: "SIZE", help: "memory and swap together; -1 is no limit" },
  { name: "memory-reservation", value: "SIZE", help: "what is left to it when memory is short" },
  { name: "cpu-period", value: "MICROSECONDS", help: "the scheduler's period" },
  { name: "cpu-quota", value: "MICROSECONDS", help: "processor time in each period; -1 is no limit" },
  { name: "cpu-burst", value: "MICROSECONDS", help: "what it may save of one period for others" },
  { name: "cpu-share", value: "N", help: "weight among others" },
  { name: "cpu-shares", value: "N", aliasOf: "cpu-share", help: "" },
  { name: "cpu-rt-period", value: "MICROSECONDS", help: "period of real-time processes (cgroup v1)" },
  { name: "cpu-rt-runtime", value: "MICROSECONDS", help: "time of real-time processes in it (cgroup v1)" },
  { name: "cpu-idle", value: "0|1", help: "1: it runs only when nothing else wants to" },
  { name: "cpuset-cpus", value: "LIST", help: "processors it may use, as in 0-3,7" },
  { name: "cpuset-mems", value: "LIST", help: "memory nodes it may use" },
  { name: "pids-limit", value: "N", help: "processes and threads; -1 is no limit" },
  { name: "blkio-weight", value: "10..1000", help: "weight of its input and output among others" },
  { name: "l3-cache-schema", value: "SCHEMA", help: "of its class of cache (resctrl)" },
  { name: "mem-bw-schema", value: "SCHEMA", help: "of its class of memory bandwidth (resctrl)" },
  { name: "kernel-memory", value: "SIZE", help: "taken for runc's sake, and ignored" },
  { name: "kernel-memory-tcp", value: "SIZE", help: "taken for runc's sake, and ignored" },
];
