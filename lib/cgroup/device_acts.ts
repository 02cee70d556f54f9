/**
 * Acts that confine a cgroup to the devices of its rules, in each version.
 *
 * @module
 */
import { type Act, AT_FDCWD, flags, previous, type Region, result, type Step, step, text } from "../program/step.ts";
import { assembleDeviceProgram, encodeProgram } from "./device_program.ts";
import { type ExactRule, formatException, toExceptions } from "./devices.ts";

/** Acts, and the memory that they write to. */
export interface ActsWithRegions {
  readonly acts: readonly Act[];
  readonly regions: Readonly<Record<string, Region>>;
}

const WHY = "a device node in the rootfs is no way to the host's disks then, whoever made it and with whatever mode";

/** v1: the default to one file, the exceptions to the other, one write each. */
export function buildDevicesV1(directory: string, rules: readonly ExactRule[]): Act[] {
  const list = toExceptions(rules);
  const [base, rest] = list.default === "deny" ? ["devices.deny", "devices.allow"] : ["devices.allow", "devices.deny"];
  const lines = list.exceptions.map(formatException);
  const steps = [...writeLines(`${directory}/${base}`, ["a"])];
  if (lines.length > 0) steps.push(...writeLines(`${directory}/${rest}`, lines));
  return [{
    what: `confine it to its devices in ${directory}`,
    why: WHY,
    shell: [
      `echo a > ${directory}/${base}`,
      ...lines.map((line) => `echo '${line}' > ${directory}/${rest}`),
    ],
    steps,
  }];
}

/** Opens a file once and writes each line by a write of its own, as control files want it. */
export function writeLines(path: string, lines: readonly string[]): Step[] {
  return [
    step("openat", [AT_FDCWD, text(path), flags("O_WRONLY", "O_CLOEXEC")]),
    ...lines.map((line, index) =>
      step("write", [previous(index + 1), text(line), new TextEncoder().encode(line).length])
    ),
    step("close", [previous(lines.length + 1)]),
  ];
}

/** `enum bpf_cmd`, `bpf_prog_type`, `bpf_attach_type` and `BPF_F_*` of linux/bpf.h. */
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;

/** Bytes of `union bpf_attr` up to `prog_flags`, and up to `attach_flags`: all that Linux 4.15 knew. */
const LOAD_SIZE = 48;
const ATTACH_SIZE = 16;

/** `RLIMIT_MEMLOCK` of resource.h; the same on both architectures. */
const RLIMIT_MEMLOCK = 8;

const ATTACH = "cgroup.bpf.attach";
const OLD_MEMLOCK = "cgroup.bpf.memlock";

/**
 * v2: a program, loaded and attached to the cgroup, which holds it from then on.
 *
 * @param chargesMemlock true on kernels before 5.11, which count programs towards RLIMIT_MEMLOCK: 64 KiB by default,
 * for all programs of a user together
 */
export function buildDevicesV2(
  directory: string,
  rules: readonly ExactRule[],
  chargesMemlock: boolean,
): ActsWithRegions {
  const program = encodeProgram(assembleDeviceProgram(rules));
  const instructions = { size: program.length, fields: [{ at: 0, bytes: program }] };
  const load = step("bpf", [BPF_PROG_LOAD, {
    block: {
      size: LOAD_SIZE,
      fields: [
        { at: 0, size: 4, value: BPF_PROG_TYPE_CGROUP_DEVICE },
        { at: 4, size: 4, value: program.length / 8 },
        { at: 8, size: 8, value: { block: instructions } },
        { at: 16, size: 8, value: text("GPL") },
      ],
    },
  }, LOAD_SIZE], { label: "cgroup.bpf.program" });
  const steps: Step[] = [
    ...(chargesMemlock ? [raiseMemlock(), load, lowerMemlock()] : [load]),
    step("openat", [AT_FDCWD, text(directory), flags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC")], {
      label: "cgroup.bpf.group",
    }),
    // The first two fields, target_fd and attach_bpf_fd, are one word of 64 bits.
    step("@shl", [result("cgroup.bpf.program"), 32]),
    step("@or", [result("cgroup.bpf.group"), previous()]),
    step("@store", [{ region: ATTACH }, previous()]),
    step("bpf", [BPF_PROG_ATTACH, { region: ATTACH }, ATTACH_SIZE]),
    step("close", [result("cgroup.bpf.group")]),
    step("close", [result("cgroup.bpf.program")]),
  ];
  const attach: Region = {
    size: ATTACH_SIZE,
    fields: [{ at: 8, size: 4, value: BPF_CGROUP_DEVICE }, { at: 12, size: 4, value: BPF_F_ALLOW_MULTI }],
  };
  return {
    acts: [{
      what: `confine it to its devices in ${directory}`,
      why: `${WHY}; cgroup v2 has no files for this, but asks a program of ${program.length / 8} instructions`,
      shell: [`# no shell command: bpf(2) loads a program and attaches it to ${directory}`],
      steps,
    }],
    regions: { [ATTACH]: attach, ...(chargesMemlock ? { [OLD_MEMLOCK]: { size: 16 } } : {}) },
  };
}

function raiseMemlock(): Step {
  const unlimited = { at: 0, bytes: new Uint8Array(16).fill(0xff) };
  return step("prlimit64", [0, RLIMIT_MEMLOCK, { block: { size: 16, fields: [unlimited] } }, { region: OLD_MEMLOCK }], {
    onNegative: "next",
  });
}

function lowerMemlock(): Step {
  return step("prlimit64", [0, RLIMIT_MEMLOCK, { region: OLD_MEMLOCK }, 0], { onNegative: "next" });
}
