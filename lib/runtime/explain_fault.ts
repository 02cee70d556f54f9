/**
 * Why a container could not be started: the step that failed, in words, and what to do about it.
 *
 * @module
 */
import { describeErrno, errnoName } from "../base/errno.ts";
import { EXIT, PaddockError } from "../base/errors.ts";
import { explainCgroupFault } from "../cgroup/explain_fault.ts";
import { readError } from "../kernel/netlink.ts";
import type { DecodedStep, Program } from "../program/decode.ts";
import { formatDecoded } from "../program/format.ts";
import { DATA_ADDRESS } from "../program/interpreter.ts";
import type { ContainerRecord } from "../state/record.ts";
import { explainExec } from "./explain_exec.ts";
import { explainHook } from "./explain_hook.ts";

/** The error for a step that failed. */
export function explainFault(program: Program, fault: DecodedStep, record: ContainerRecord | undefined): PaddockError {
  if (fault.what.startsWith("execute ") && fault.call !== "execveat") return explainExec(program, fault, record);
  const hook = explainHook(program, fault);
  if (hook !== undefined) return hook;
  const code = errnoName(-fault.result);
  const path = pathOf(program, fault) ?? "";
  const hint = explainCgroupFault({ call: fault.call, path, code }) ?? HINTS.find((row) => row.fits(fault, code))?.hint;
  const step = `step ${fault.index}, ${formatDecoded(program, fault)}`;
  const words = readKernelWords(program, fault);
  const cause = describeErrno(-fault.result) + (words === undefined ? "" : ` (the kernel says: ${words})`);
  return new PaddockError(`cannot ${fault.what}: ${cause} (${step})`, {
    exitCode: EXIT.failed,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Words of the kernel's for what its network refused: they are in the answer that the failed step was worked out from. */
function readKernelWords(program: Program, fault: DecodedStep): string | undefined {
  const answered = program.steps[fault.index - 2];
  if (fault.call !== "@sub" || answered?.call !== "recvfrom" || answered.result <= 0) return undefined;
  const at = Number(answered.args[1]?.value ?? 0n) - DATA_ADDRESS;
  return readError(fault.what, program.data.slice(at, at + answered.result))?.said;
}

/** The path that a step is about: its own, or that of the file which the steps before it opened. */
function pathOf(program: Program, fault: DecodedStep): string | undefined {
  const path = (step: DecodedStep) => step.args.find(({ text }) => text?.startsWith("/"))?.text;
  const opened = fault.args.find(({ step }) => step !== undefined)?.step;
  const before = opened === undefined ? undefined : program.steps[opened];
  return fault.call === "write" && before !== undefined ? path(before) : path(fault);
}

interface Hint {
  fits(fault: DecodedStep, code: string): boolean;
  readonly hint: string;
}

const isMount = ({ call }: DecodedStep) => ["mount", "move_mount", "open_tree", "mount_setattr"].includes(call);

/** The first row that fits has the word. */
const HINTS: readonly Hint[] = [
  {
    fits: ({ what }, code) => what.startsWith("mount the overlay") && code === "EINVAL",
    hint: "the filesystem of the data root cannot hold an overlay's upper directory (another overlay, NFS, …): " +
      "choose another with --data-root",
  },
  {
    fits: ({ what }, code) => what.startsWith("mount the overlay") && code === "ENODEV",
    hint: "load the module: modprobe overlay",
  },
  {
    fits: (fault, code) => isMount(fault) && code === "ENOENT",
    hint: "what is mounted was there when paddock looked, and is gone: see whether something removes it",
  },
  {
    fits: (fault, code) => isMount(fault) && (code === "ENOTDIR" || (fault.call === "move_mount" && code === "EINVAL")),
    hint: "a directory can be mounted only on a directory, and a file only on a file",
  },
  {
    fits: ({ call }, code) => call === "openat2" && (code === "ELOOP" || code === "EXDEV"),
    hint: "a symbolic link in the rootfs stands where a directory must be: the image is not one to trust",
  },
  {
    fits: ({ call }, code) =>
      ["openat2", "mkdirat", "mknodat"].includes(call) && (code === "EROFS" || code === "ENOENT"),
    hint: "the mount point is missing in the rootfs and cannot be made there: make it, or choose another",
  },
  {
    fits: ({ call }, code) => call === "clone" && code === "ENOSPC",
    hint: "too many namespaces: see /proc/sys/user/max_*_namespaces",
  },
  {
    fits: ({ call }, code) => call === "clone" && code === "EINVAL",
    hint: "this kernel lacks a namespace that was asked for: see `paddock doctor`",
  },
  {
    fits: ({ call }, code) => call === "prlimit64" && code === "EPERM",
    hint: "a hard limit cannot be raised without CAP_SYS_RESOURCE: ask for less with --ulimit",
  },
  {
    fits: ({ call }, code) => call === "capset" && code === "EPERM",
    hint: "paddock itself lacks a capability that --cap-add asks for: `paddock doctor` lists them",
  },
  {
    fits: ({ what }, code) => what.startsWith("reserve port ") && code === "EADDRINUSE",
    hint: "another program or container has it (see ss -ltnup): choose another",
  },
  {
    fits: ({ call }, code) => call === "seccomp" && code === "EINVAL",
    hint:
      "this kernel has no filters of system calls, or not the flags that the profile asks for: see `paddock doctor`",
  },
  {
    fits: (_, code) => code === "EPERM" || code === "EACCES",
    hint: "paddock lacks a privilege here, or a security module forbids it: see `paddock doctor`",
  },
  { fits: (_, code) => code === "ENOSPC" || code === "EDQUOT", hint: "make room, or choose another --data-root" },
  {
    fits: (_, code) => code === "ENOMEM",
    hint: "the host is short of memory, or the container's --memory is too small",
  },
];
