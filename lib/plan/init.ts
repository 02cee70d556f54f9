/**
 * `--init`: process 1 is a program of ours that does what an init must: it reaps every orphan, and sends signals on.
 *
 * It is a launcher of its own, in a memory of its own: the container may do with its process 1 what it likes, and the
 * launcher outside is none of its business. It travels in the launcher's data, and is executed from a sealed file in
 * memory, so the image needs nothing of it.
 *
 * @module
 */
import { assemble } from "../program/assemble.ts";
import { BUILT_IN } from "../program/layout.ts";
import { type Act, type Arch, flags, previous, type Region, result, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { planReport } from "./ending.ts";
import { CODE, planExec, resetSignals, stringVector } from "./process.ts";

const SIGCHLD = 17;

const REGIONS: Readonly<Record<string, Region>> = {
  mask: { size: 8, fields: [{ at: 0, size: 8, value: -1 }] },
  info: { size: 128 },
  counter: { size: 8 },
  refused: { size: 8 },
  group: { size: 8 },
  status: { size: 8 },
  [CODE]: { size: 8 },
};

/** In the container's process 1: the init as a sealed file in memory. */
export function planInitFile(config: Config, arch: Arch): Act {
  const program = initProgram(config, arch);
  const MFD_CLOEXEC_ALLOW_SEALING = 3;
  const ALL_SEALS = 0xf;
  return {
    what: "make a file of init",
    why: "the image needs nothing of it, and can change nothing in it",
    shell: [],
    steps: [
      step("memfd_create", [text("paddock-init"), MFD_CLOEXEC_ALLOW_SEALING], { label: "init" }),
      step("write", [
        result("init"),
        { block: { size: program.length, fields: [{ at: 0, bytes: program }] } },
        program.length,
      ]),
      step("fcntl", [result("init"), flags("F_ADD_SEALS"), ALL_SEALS]),
    ],
  };
}

/** In place of the command: process 1 becomes the init. */
export function planInit(config: Config): Act {
  return {
    what: "execute init",
    why: "process 1 must reap orphans and gets only the signals that it handles; few commands are written for that",
    shell: [`exec tini -- ${config.process.args[0] ?? ""}`],
    steps: [
      step("execveat", [result("init"), text(""), stringVector(["init"]), stringVector([]), flags("AT_EMPTY_PATH")]),
    ],
  };
}

/** The init as a file. */
export function initProgram(config: Config, arch: Arch): Uint8Array<ArrayBuffer> {
  const acts: Act[] = [
    {
      what: "start the command",
      why: "it is a child of init, in a process group of its own that has the terminal",
      shell: [],
      steps: [
        step("prctl", [flags("PR_SET_NAME"), text("init"), 0, 0, 0]),
        step("rt_sigprocmask", [flags("SIG_SETMASK"), { region: "mask" }, 0, 8]),
        step("clone", [flags("CLONE_VM", "CLONE_VFORK", "SIGCHLD"), 0, 0, 0, 0], {
          label: "clone",
          onPositive: "started",
        }),
        step("setpgid", [0, 0], { onNegative: "next" }),
        step("getpid", []),
        step("@store", [{ region: "group" }, previous()]),
        step("ioctl", [0, flags("TIOCSPGRP"), { region: "group" }], { onNegative: "next" }),
      ],
    },
    resetSignals(),
    planExec(config),
    {
      what: "note which step failed",
      why: "",
      shell: [],
      steps: [
        step("@origin", [], { label: "container.fault" }),
        step("@store", [{ region: BUILT_IN.fault }, previous()]),
        step("exit_group", [1]),
      ],
    },
    {
      what: "reap and forward",
      why: "",
      shell: [],
      steps: [
        step("@add", [{ load: BUILT_IN.fault }, 0], { label: "started", onPositive: "leftovers" }),
        step("rt_sigtimedwait", [{ region: "mask" }, { region: "info" }, 0, 8], {
          label: "watch",
          onNegative: "watch",
        }),
        step("@sub", [result("watch"), SIGCHLD], { onZero: "reap" }),
        step("kill", [result("clone"), result("watch")], { onNegative: "watch", onZero: "watch" }),
        // One SIGCHLD may stand for many children.
        step("wait4", [-1, { region: "status" }, flags("WNOHANG"), 0], {
          label: "reap",
          onZero: "watch",
          onNegative: "watch",
        }),
        step("@sub", [previous(), result("clone")], { onNegative: "reap", onPositive: "reap" }),
        // The command has ended; whatever else is left ends with process 1.
        step("@and", [{ load: "status" }, 0x7f], { onZero: "exited" }),
        step("@add", [previous(), 128]),
        step("exit_group", [previous()]),
        step("@shr", [{ load: "status" }, 8], { label: "exited" }),
        step("@and", [previous(), 0xff]),
        step("exit_group", [previous()]),
      ],
    },
    planReport("init"),
    { what: "end", why: "", shell: [], steps: [step("exit_group", [{ load: CODE }], { label: "exit" })] },
  ];
  return assemble({
    arch,
    name: "init",
    regions: REGIONS,
    sections: [{ side: "launcher", title: "init", fault: "exit", acts }],
    cgroupPaths: [],
  });
}
