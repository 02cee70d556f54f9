/**
 * The flags of `checkpoint` and `restore`: runc's spelling and meaning.
 *
 * @module
 */
import type { Option } from "./types.ts";

const SHARED: readonly Option[] = [
  { name: "image-path", value: "DIR", path: true, help: "directory of the files (./checkpoint)" },
  { name: "work-path", value: "DIR", path: true, help: "directory of criu's log (that of the files)" },
  { name: "tcp-established", help: "connections as well" },
  { name: "ext-unix-sk", help: "unix sockets whose other end is outside as well" },
  { name: "shell-job", help: "a job of a shell's terminal as well" },
  { name: "file-locks", help: "locks of files as well" },
  { name: "manage-cgroups-mode", value: "MODE", help: "soft, full, strict or ignore (soft)" },
  { name: "empty-ns", value: "NAMESPACE", repeat: true, help: "made anew, and left empty: network" },
  { name: "auto-dedup", help: "what is in two images once alone" },
  { name: "lazy-pages", help: "memory follows when it is needed" },
];

/** In the order in which help shows them. */
export const CHECKPOINT_FLAGS: readonly Option[] = [
  ...SHARED,
  { name: "parent-path", value: "DIR", help: "of an earlier --pre-dump, relative to --image-path" },
  { name: "pre-dump", help: "memory alone, and it goes on; more than once to be quick in the end" },
  { name: "leave-running", help: "it goes on afterwards" },
  { name: "status-fd", value: "N", help: "descriptor that a NUL is written to once lazy pages can be had" },
  { name: "page-server", value: "ADDRESS:PORT", help: "who takes the memory" },
];

/** In the order in which help shows them. */
export const RESTORE_FLAGS: readonly Option[] = [
  { name: "bundle", short: "b", value: "DIR", path: true, help: "directory with config.json (.)" },
  ...SHARED,
  { name: "detach", short: "d", help: "end once it goes on" },
  { name: "pid-file", value: "FILE", path: true, help: "file that the process id is written to" },
  { name: "console-socket", value: "SOCKET", path: true, help: "unix socket that the terminal is sent to" },
  { name: "no-subreaper", help: "taken for runc's sake; nobody else's processes are reaped" },
  { name: "no-pivot", help: "taken for runc's sake; criu enters the root" },
  { name: "lsm-profile", value: "TYPE:NAME", help: "another profile of a security module" },
  { name: "lsm-mount-context", value: "CONTEXT", help: "another context of mounts" },
];
