/**
 * Labels of security modules, which the kernel puts on the process with its exec (runtime-spec config.md, Linux Process).
 *
 * They are told to it through the host's own /proc, before the pivot, which nobody inside can replace (CVE-2019-16884);
 * and before ids and capabilities change, for the kernel takes them from who has opened the file alone.
 *
 * @module
 */
import { type Act, AT_FDCWD, flags, previous, type Step, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { TARGET_FD } from "./targets.ts";

/** The acts for `process.apparmorProfile` and `process.selinuxLabel`; they fail where there is no such module. */
export function planLabels({ process: { apparmorProfile = "", selinuxLabel = "" } }: Config): Act[] {
  return [
    ...(apparmorProfile === "" ? [] : [apparmor(apparmorProfile)]),
    ...(selinuxLabel === "" ? [] : [selinux(selinuxLabel)]),
  ];
}

/** Of several modules at once each has a directory, since Linux 5.8; before, the one file was the one module's. */
const ATTRIBUTES = "/proc/thread-self/attr";

function apparmor(profile: string): Act {
  const legacy = "apparmor.legacy";
  const write = "apparmor.write";
  return {
    what: `set the AppArmor profile ${profile} (process.apparmorProfile)`,
    why: "asked for: what the command may touch is in that profile, from its exec on",
    shell: [`aa-exec -p ${profile} --`],
    steps: [
      open(`${ATTRIBUTES}/apparmor/exec`, { onNegative: legacy }),
      ...takeTarget({ onZero: write }),
      open(`${ATTRIBUTES}/exec`, { label: legacy }),
      ...takeTarget(),
      ...writeTarget(`exec ${profile}`, write),
    ],
  };
}

function selinux(label: string): Act {
  return {
    what: `set the SELinux label ${label} (process.selinuxLabel)`,
    why: "asked for: what the command may touch is in that label's rules, from its exec on",
    shell: [`runcon ${label}`],
    steps: [open(`${ATTRIBUTES}/exec`), ...takeTarget(), ...writeTarget(label, "selinux.write")],
  };
}

function open(path: string, more: Pick<Step, "label" | "onNegative"> = {}): Step {
  return step("openat", [AT_FDCWD, text(path), flags("O_WRONLY", "O_CLOEXEC")], more);
}

function takeTarget(afterwards: Pick<Step, "onZero"> = {}): Step[] {
  return [
    step("dup3", [previous(), TARGET_FD, flags("O_CLOEXEC")]),
    step("close", [previous(2)], afterwards),
  ];
}

function writeTarget(data: string, label: string): Step[] {
  return [
    step("write", [TARGET_FD, text(data), new TextEncoder().encode(data).length], { label }),
    step("close", [TARGET_FD]),
  ];
}
