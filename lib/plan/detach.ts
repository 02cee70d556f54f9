/**
 * A container in the background: the launcher divides, and the half that watches over it has a session of its own.
 *
 * ```
 *   launcher                              monitor                        container
 *   open the log, clone ────────────────▶ a session of its own
 *   read the pipe                         all that any launcher does
 *     (nothing yet: it is set up)         clone ───────────────────────▶ … its output is the log
 *   ◀─ a byte ─────────────────────────── it has begun; let go of the caller's streams
 *   print the id, end                     watch over it
 *   ◀─ no byte: the monitor has ended
 *   end as it did
 * ```
 *
 * What goes wrong before the command begins is so told where the caller sees it, and is the caller's exit code.
 *
 * @module
 */
import { BUILT_IN } from "../program/layout.ts";
import type { Detachment } from "./detachment.ts";
import { planJournald } from "./journald.ts";
import { closePumped, planPump, PUMPED } from "./log_pump.ts";
import { planDivided, planWhetherAgain } from "./restart.ts";
import { type Act, AT_FDCWD, flags, previous, type Region, result, type Step, step, text } from "../program/step.ts";

/** Descriptor of the log, or of what swallows the output. */
const LOG_FD = 105;
/** Ends of the pipe between the two halves. */
const READ_FD = 106;
const WRITE_FD = 107;
/** The pipe that is its standard input. */
const INPUT_FD = 108;

/** Memory of these acts. */
export const DETACH_REGIONS: Readonly<Record<string, Region>> = { pipe: { size: 8 }, monitor: { size: 8 } };

/** Digits of a process id: the largest is 4194304 (`man 5 proc_sys_kernel`, pid_max). */
const PID_DIGITS = 7;

/** In the launcher, before it makes anything: the log, the pipe, and the monitor, which goes on with all that follows. */
export function planDivide({ log, input, monitorFile, restart, pump, journald }: Detachment): Act[] {
  return [
    {
      what: `open ${log ?? "/dev/null"}`,
      why: log === undefined ? "asked for: nobody keeps its output" : "its output is written there by itself",
      shell: [`exec >>${log ?? "/dev/null"} 2>&1 </dev/null`],
      steps: [
        step("openat", [
          AT_FDCWD,
          text(log ?? "/dev/null"),
          flags("O_WRONLY", "O_APPEND", "O_CREAT", "O_CLOEXEC"),
          0o600,
        ]),
        ...moveTo(LOG_FD),
      ],
    },
    ...(input === undefined ? [] : [openInput(input)]),
    ...(restart === undefined ? [] : [planWhetherAgain(restart)]),
    {
      what: "start the monitor",
      why: "it watches over the container when the caller is gone; what it does before is still told here",
      shell: ["setsid"],
      steps: [
        step("pipe2", [{ region: "pipe" }, flags("O_CLOEXEC")]),
        step("@and", [{ load: "pipe" }, 0xffffffff]),
        ...moveTo(READ_FD),
        step("@shr", [{ load: "pipe" }, 32]),
        ...moveTo(WRITE_FD),
        // No new memory map that both share: a copy, as of any fork.
        step("clone", [flags("SIGCHLD"), 0, 0, 0, 0], { label: "monitor", onPositive: "attend" }),
        step("setsid", []),
        step("close", [READ_FD]),
        step("chdir", [text("/")]),
        // A terminal's keys are not for it, and nobody is there to read what it would be asked for.
        step("openat", [AT_FDCWD, text("/dev/null"), flags("O_RDONLY", "O_CLOEXEC")]),
        step("dup3", [previous(), 0, 0]),
        step("close", [previous(2)]),
        step("getpid", []),
        step("@digits", [previous(), { region: "monitor" }, PID_DIGITS]),
        step("openat", [AT_FDCWD, text(monitorFile), flags("O_WRONLY", "O_CREAT", "O_CLOEXEC"), 0o600]),
        step("write", [previous(), { region: "monitor" }, PID_DIGITS]),
        step("close", [previous(2)]),
      ],
    },
    ...(restart === undefined ? [] : [planDivided()]),
    ...(journald === undefined ? [] : planJournald(journald, PUMPED)),
    ...(pump === undefined || log === undefined ? [] : planPump(log, pump, LOG_FD, [WRITE_FD, INPUT_FD])),
  ];
}

/** Open for both, so that it never ends: what nobody has read yet is kept while nobody is attached. */
function openInput(path: string): Act {
  const S_IFIFO = 0o010000;
  return {
    what: `make the pipe ${path}`,
    why: "whoever attaches types into it",
    shell: [`mkfifo -m 600 ${path}; exec <>${path}`],
    steps: [
      step("mknodat", [AT_FDCWD, text(path), S_IFIFO | 0o600, 0], { onNegative: "next" }),
      step("openat", [AT_FDCWD, text(path), flags("O_RDWR", "O_NOFOLLOW", "O_CLOEXEC"), 0]),
      ...moveTo(INPUT_FD),
    ],
  };
}

/** In the child: it reads what is typed by who attaches. */
export function planInput(): Act {
  return {
    what: "give it the pipe as standard input",
    why: "asked for: somebody may attach and type",
    shell: [],
    steps: [step("dup3", [INPUT_FD, 0, 0])],
  };
}

/** In the child: what it prints is the log's. A terminal takes the place of these later. */
export function planLogStreams(detachment: Detachment): Act {
  const direct = !isElsewhere(detachment);
  const { stdout, stderr } = direct ? { stdout: LOG_FD, stderr: LOG_FD } : PUMPED;
  return {
    what: "write its output to the log",
    why: direct
      ? "no process stands between the command and the file"
      : "by way of who writes down when it was printed",
    shell: [],
    steps: [step("dup3", [stdout, 1, 0]), step("dup3", [stderr, 2, 0])],
  };
}

/**
 * In the monitor, when the command has begun.
 *
 * @param relays whether it passes a terminal's output on: that goes to the log.
 */
export function planLetGo(detachment: Detachment, relays: boolean): Act {
  const own = !relays ? 0 : isElsewhere(detachment) ? PUMPED.stdout : LOG_FD;
  return {
    what: "let go of the caller",
    why: "the command has begun: the caller's streams are theirs again, and they go on",
    shell: [],
    steps: [
      step("dup3", [own, 1, 0]),
      step("dup3", [own, 2, 0]),
      step("close", [LOG_FD]),
      ...(isElsewhere(detachment) ? closePumped() : []),
      step("write", [WRITE_FD, text("1"), 1], { onNegative: "next" }),
      // One that is started again has none.
      step("close", [WRITE_FD], { onNegative: "next" }),
    ],
  };
}

/** Not written to a file by the command itself. */
function isElsewhere({ pump, journald }: Detachment): boolean {
  return pump !== undefined || journald !== undefined;
}

/** In the half that the caller waits for: the id is printed when the command has begun. */
export function planAttend(id: string): Act {
  const line = `${id}\n`;
  return {
    what: "wait until the command has begun",
    why: "what goes wrong before is the caller's to know",
    shell: [`echo ${id}`],
    steps: [
      step("close", [WRITE_FD], { label: "attend" }),
      step("read", [READ_FD, { region: "pipe" }, 1], {
        label: "attend.read",
        onNegative: "attend.read",
        onZero: "attend.over",
      }),
      step("write", [1, text(line), new TextEncoder().encode(line).length], { onNegative: "next" }),
      step("exit_group", [0]),
      ...endAsTheMonitor(),
    ],
  };
}

/** What the monitor ended with: the command's own code where that was all too short, paddock's where it explained. */
function endAsTheMonitor(): Step[] {
  return [
    step("wait4", [result("monitor"), { region: BUILT_IN.status }, 0, 0], { label: "attend.over", onNegative: "next" }),
    step("@and", [{ load: BUILT_IN.status }, 0x7f], { onZero: "attend.code" }),
    step("@add", [previous(), 128]),
    step("exit_group", [previous()]),
    step("@shr", [{ load: BUILT_IN.status }, 8], { label: "attend.code" }),
    step("@and", [previous(), 0xff]),
    step("exit_group", [previous()]),
  ];
}

/** A descriptor gets another number, by which other steps know it. */
function moveTo(fd: number): Step[] {
  return [step("dup3", [previous(), fd, flags("O_CLOEXEC")]), step("close", [previous(2)])];
}
