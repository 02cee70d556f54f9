import { assert, assertEquals } from "@std/assert";
import { CAPABILITIES } from "../../base/capabilities.ts";
import { syscallName } from "../../program/syscalls.ts";
import type { Word } from "../../spec/config.ts";
import { DEFAULT_CAPABILITIES } from "../../spec/defaults.ts";
import { eachCall, INTERFACES, MACHINE_INTERFACES, numberOfCall } from "./architectures.ts";
import { compileSeccomp } from "./compile.ts";
import { defaultSeccomp } from "./default_profile.ts";
import { runFilter } from "./interpreter_example.ts";
import { readyFilter } from "./ready_filters.ts";

const ARCHES = ["x86_64", "aarch64"] as const;
const USUAL = DEFAULT_CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`);
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

/** What the default answers on x86_64. */
function ask(name: string, args: readonly Word[] = [], capabilities: readonly string[] = USUAL): number {
  const program = compileSeccomp(defaultSeccomp("x86_64", capabilities), "SCMP_ARCH_X86_64");
  const number = numberOfCall("SCMP_ARCH_X86_64", name)!;
  return runFilter(program, { number, audit: INTERFACES.SCMP_ARCH_X86_64.audit, args }).value;
}

Deno.test("readyFilter is what the compiler makes of the default profile: see scripts/generate_filters.ts", () => {
  for (const arch of ARCHES) {
    const compiled = compileSeccomp(defaultSeccomp(arch, USUAL), MACHINE_INTERFACES[arch][0]!);
    assertEquals(readyFilter(arch, USUAL), compiled);
    // Capabilities that bring no calls make no difference.
    assertEquals(readyFilter(arch, ["CAP_SYS_CHROOT", "CAP_NET_ADMIN"]), compiled);
    assertEquals(readyFilter(arch, [...USUAL, "CAP_SYS_ADMIN"]), undefined);
    assertEquals(readyFilter(arch, []), undefined);
  }
});

Deno.test("defaultSeccomp refuses what makes namespaces, mounts, modules and traces, and allows what programs need", () => {
  const refused = "mount umount2 unshare setns init_module bpf perf_event_open keyctl add_key io_uring_setup reboot " +
    "kexec_load pivot_root open_by_handle_at userfaultfd swapon quotactl open_tree fsopen move_mount mount_setattr";
  for (const name of refused.split(" ")) assertEquals(ask(name), EPERM, name);
  const allowed = "read write openat execve fork futex mmap ptrace chroot prctl seccomp memfd_create pidfd_open statx";
  for (const name of allowed.split(" ")) assertEquals(ask(name), ALLOW, name);
  assertEquals(ask("chroot", [], []), EPERM);
});

Deno.test("defaultSeccomp makes processes, but no namespaces; clone3 is as if it were not there", () => {
  const SIGCHLD = 0x11;
  assertEquals(ask("clone", [SIGCHLD]), ALLOW);
  assertEquals(ask("clone", [0x3d0f00]), ALLOW);
  for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
    assertEquals(ask("clone", [flag + SIGCHLD]), EPERM, flag.toString(16));
  }
  assertEquals(ask("clone3"), ENOSYS);
});

Deno.test("defaultSeccomp knows families of sockets and personalities", () => {
  const [AF_UNIX, AF_INET, AF_NETLINK, AF_ALG, AF_VSOCK] = [1, 2, 16, 38, 40];
  for (const family of [AF_UNIX, AF_INET, AF_NETLINK]) assertEquals(ask("socket", [family]), ALLOW);
  for (const family of [AF_ALG, AF_VSOCK, 12, 46, 0x100000001n]) assertEquals(ask("socket", [family]), EPERM);
  const ADDR_NO_RANDOMIZE = 0x40000;
  assertEquals([0, 8, 0xffffffff].map((value) => ask("personality", [value])), [ALLOW, ALLOW, ALLOW]);
  assertEquals(ask("personality", [ADDR_NO_RANDOMIZE]), EPERM);
});

Deno.test("defaultSeccomp is wider with a capability", () => {
  const wider: Readonly<Record<string, string>> = {
    CAP_SYS_ADMIN: "mount",
    CAP_SYS_MODULE: "init_module",
    CAP_SYS_TIME: "clock_settime",
    CAP_SYSLOG: "syslog",
    CAP_BPF: "bpf",
    CAP_PERFMON: "perf_event_open",
    CAP_SYS_PTRACE: "kcmp",
    CAP_DAC_READ_SEARCH: "open_by_handle_at",
  };
  for (const [capability, name] of Object.entries(wider)) {
    assertEquals([ask(name), ask(name, [], [...USUAL, capability])], [EPERM, ALLOW], capability);
  }
  assertEquals(ask("clone", [0x10000000], [...USUAL, "CAP_SYS_ADMIN"]), ALLOW);
  assertEquals(ask("clone3", [], [...USUAL, "CAP_SYS_ADMIN"]), ALLOW);
});

Deno.test("defaultSeccomp names calls that there are, each on one machine at least", () => {
  const known = new Set<string>();
  for (const layout of Object.values(INTERFACES)) eachCall(layout, (name) => known.add(name));
  // Names that are in libseccomp's tables and in no header, which docker has as well.
  const elsewhere = ["getsid", "fstatat64", "send", "recv"];
  const all = CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`);
  for (const arch of ARCHES) {
    const names = defaultSeccomp(arch, all).syscalls!.flatMap(({ names }) => names);
    assertEquals(names.filter((name) => !known.has(name) && !elsewhere.includes(name)), []);
  }
});

Deno.test("the generated numbers are those that launchers are made of", () => {
  for (const arch of ARCHES) {
    let count = 0;
    eachCall(INTERFACES[MACHINE_INTERFACES[arch][0]!], (name, number) => {
      const known = syscallName(number, arch);
      if (known === undefined) return;
      assertEquals(known, name);
      count++;
    });
    assert(count > 250);
  }
});
