/**
 * Checks of the seccomp profile (runtime-spec config-linux.md, Seccomp).
 *
 * @module
 */
import type { Config, SeccompAction, SeccompRule } from "./config.ts";
import { type Check, type Finding, finding, findOutside } from "./finding.ts";

/** The rules for `linux.seccomp`. */
export const SECCOMP_CHECKS: readonly Check[] = [checkDefault, checkRules, checkListener];

/** The largest error number that the kernel passes on (`include/linux/err.h`). */
const LARGEST_ERRNO = 4095;
/** What a filter can tell a tracer has 16 bits (`man 2 seccomp`). */
const LARGEST_MESSAGE = 0xffff;

function checkDefault({ linux: { seccomp } }: Config): Finding[] {
  if (seccomp === undefined) return [];
  const { defaultAction, defaultErrnoRet } = seccomp;
  return [
    ...checkErrno("linux.seccomp.defaultErrnoRet", defaultAction, defaultErrnoRet),
    // Whoever starts the container would wait for an answer to its own calls.
    ...(defaultAction === "SCMP_ACT_NOTIFY"
      ? [finding("linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action")]
      : []),
  ];
}

function checkRules({ linux: { seccomp } }: Config): Finding[] {
  return (seccomp?.syscalls ?? []).flatMap((rule, index) => checkRule(rule, `linux.seccomp.syscalls[${index}]`));
}

function checkRule({ names, action, errnoRet, args = [] }: SeccompRule, path: string): Finding[] {
  return [
    ...(names.length === 0 ? [finding(`${path}.names`, "there is no name")] : []),
    ...checkErrno(`${path}.errnoRet`, action, errnoRet),
    ...args.flatMap(({ index }, at) => findOutside(`${path}.args[${at}].index`, index, 0, 5)),
  ];
}

function checkErrno(path: string, action: SeccompAction, value: number | undefined): Finding[] {
  if (value === undefined) return [];
  if (action === "SCMP_ACT_ERRNO") return findOutside(path, value, 0, LARGEST_ERRNO);
  if (action === "SCMP_ACT_TRACE") return findOutside(path, value, 0, LARGEST_MESSAGE);
  return [finding(path, `${action} gives no number`)];
}

function checkListener({ linux: { seccomp } }: Config): Finding[] {
  if (seccomp === undefined) return [];
  const { listenerPath, listenerMetadata, syscalls = [] } = seccomp;
  const asked = syscalls.findIndex(({ action }) => action === "SCMP_ACT_NOTIFY");
  return [
    ...(asked >= 0 && listenerPath === undefined
      ? [finding(`linux.seccomp.syscalls[${asked}].action`, "SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath")]
      : []),
    ...syscalls.flatMap(({ names, action }, index) =>
      // What runc's own processes need, and agents of it know that they are not asked about.
      action === "SCMP_ACT_NOTIFY" && names.includes("write")
        ? [finding(`linux.seccomp.syscalls[${index}].names`, "SCMP_ACT_NOTIFY cannot be used for the write syscall")]
        : []
    ),
    ...(listenerPath !== undefined && !listenerPath.startsWith("/")
      ? [finding("linux.seccomp.listenerPath", `'${listenerPath}' is not absolute`)]
      : []),
    ...(listenerMetadata !== undefined && listenerPath === undefined
      ? [finding("linux.seccomp.listenerMetadata", "there is no listenerPath to send it to")]
      : []),
  ];
}
