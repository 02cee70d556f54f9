/**
 * Linux capabilities by number (`linux/capability.h`, `man 7 capabilities`).
 *
 * @module
 */

/** Name without `CAP_`, in lower case; the place in the list is the capability's number. */
export const CAPABILITIES = [
  "chown",
  "dac_override",
  "dac_read_search",
  "fowner",
  "fsetid",
  "kill",
  "setgid",
  "setuid",
  "setpcap",
  "linux_immutable",
  "net_bind_service",
  "net_broadcast",
  "net_admin",
  "net_raw",
  "ipc_lock",
  "ipc_owner",
  "sys_module",
  "sys_rawio",
  "sys_chroot",
  "sys_ptrace",
  "sys_pacct",
  "sys_admin",
  "sys_boot",
  "sys_nice",
  "sys_resource",
  "sys_time",
  "sys_tty_config",
  "mknod",
  "lease",
  "audit_write",
  "audit_control",
  "setfcap",
  "mac_override",
  "mac_admin",
  "syslog",
  "wake_alarm",
  "block_suspend",
  "audit_read",
  "perfmon",
  "bpf",
  "checkpoint_restore",
] as const;

/** The names of the capabilities in a set as `/proc/PID/status` shows it: sixteen hexadecimal digits. */
export function namesOfCapabilities(hex: string): string[] {
  // Two halves: JavaScript's bit operations have 32 bits, and BigInt is slow to warm up in a short process.
  const high = parseInt(hex.slice(0, -8) || "0", 16);
  const low = parseInt(hex.slice(-8), 16);
  return CAPABILITIES.filter((_, number) => ((number < 32 ? low >>> number : high >>> (number - 32)) & 1) === 1);
}
