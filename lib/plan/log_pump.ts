/**
 * A log with times, that is renamed when it has grown: between the command's output and the file stands a process of its
 * own, the pump, a copy of the monitor that does nothing else.
 *
 * ```
 *   stdout ─ pipe ─┐
 *                  ├─▶ poll, read ─▶ a frame: header and what was read, in one write ─▶ log; log.1, log.2, …
 *   stderr ─ pipe ─┘
 * ```
 *
 * A frame is 24 bytes of header (32 bits of length, 32 of stream, 64 each of seconds and nanoseconds since 1970,
 * little-endian) and the data. Lines are the reader's affair (`lib/runtime/framed_log.ts`): the pump moves bytes, and
 * loses none where it begins a new file. It ends with the last writer, and holds the container's lock until then: a
 * container is over when its log is complete.
 *
 * @module
 */
import { type Act, AT_FDCWD, flags, previous, type Region, result, type Step, step, text } from "../program/step.ts";
import type { LogRotation } from "./detachment.ts";

/** Descriptors of the pipes. */
const STREAMS = [
  { name: "out", number: 1, read: 109, write: 110, at: 0 },
  { name: "err", number: 2, read: 111, write: 112, at: 8 },
] as const;

/** What the container and the monitor write to in place of the log. */
export const PUMPED = { stdout: STREAMS[0].write, stderr: STREAMS[1].write } as const;

/** Bytes of a frame's header, and the most that follow it. */
export const FRAME = { header: 24, data: 16384 } as const;

const POLLIN = 1;

/** Memory of these acts. */
export const PUMP_REGIONS: Readonly<Record<string, Region>> = {
  "pump.pipe": { size: 8 },
  // `struct pollfd` of each.
  "pump.polls": {
    size: 16,
    fields: STREAMS.flatMap(({ read, at }) => [{ at, size: 4, value: read }, { at: at + 4, size: 2, value: POLLIN }]),
  },
  "pump.left": { size: 8, fields: [{ at: 0, size: 8, value: STREAMS.length }] },
  "pump.size": { size: 8 },
  "pump.frame": { size: FRAME.header + FRAME.data },
};

/** In the monitor: the pipes, and the pump. */
export function planPump(log: string, rotation: LogRotation, logFd: number, others: readonly number[]): Act[] {
  const WNOHANG = 1;
  return [
    {
      what: `start a process that writes what it prints to ${log}`,
      why: "asked for: with the time and the stream of each piece, in files that do not grow for ever",
      shell: [],
      steps: [
        // The one of the time before, where this is a restart.
        step("wait4", [-1, 0, WNOHANG, 0], { onNegative: "next" }),
        ...STREAMS.flatMap(({ read, write }) => [
          step("pipe2", [{ region: "pump.pipe" }, flags("O_CLOEXEC")]),
          step("@and", [{ load: "pump.pipe" }, 0xffffffff]),
          step("dup3", [previous(), read, flags("O_CLOEXEC")]),
          step("close", [previous(2)]),
          step("@shr", [{ load: "pump.pipe" }, 32]),
          step("dup3", [previous(), write, flags("O_CLOEXEC")]),
          step("close", [previous(2)]),
        ]),
        step("clone", [flags("SIGCHLD"), 0, 0, 0, 0], { onPositive: "pump.made" }),
      ],
    },
    {
      what: "write to the log until nobody prints any more",
      why: "",
      shell: [],
      steps: pump(log, rotation, logFd, others),
    },
    {
      what: "let go of what is the other process's",
      why: "it sees the end of the output only where nobody else could read or write it",
      shell: [],
      steps: STREAMS.map(({ read }, index) => step("close", [read], index === 0 ? { label: "pump.made" } : {})),
    },
  ];
}

/** In the monitor, when the command has begun. */
export function closePumped(): Step[] {
  return STREAMS.map(({ write }) => step("close", [write]));
}

/** Nothing here may lead to the monitor's own steps: what fails is passed over. */
function pump(log: string, rotation: LogRotation, logFd: number, others: readonly number[]): Step[] {
  const SEEK_END = 2;
  const steps = [
    step("prctl", [flags("PR_SET_NAME"), text("paddock: log"), 0, 0, 0]),
    // The caller's, and the monitor's, which others wait for the end of.
    step("dup3", [0, 1, 0]),
    step("dup3", [0, 2, 0]),
    ...[...others, ...STREAMS.map(({ write }) => write)].map((fd) => step("close", [fd])),
    step("lseek", [logFd, 0, SEEK_END]),
    step("@store", [{ region: "pump.size" }, previous()]),
    step("ppoll", [{ region: "pump.polls" }, STREAMS.length, 0, 0, 8], { label: "pump.poll", onNegative: "pump.poll" }),
    ...STREAMS.flatMap((stream, index) => {
      const next = index + 1 < STREAMS.length ? `pump.${STREAMS[index + 1]!.name}` : "pump.poll";
      return take(stream, next, log, rotation, logFd);
    }),
    step("exit_group", [0], { label: "pump.over" }),
  ];
  return steps.map((one) => one.onNegative === undefined ? { ...one, onNegative: "next" } : one);
}

/** What one stream has, as a frame. */
function take(
  { name, number, read, at }: typeof STREAMS[number],
  next: string,
  log: string,
  rotation: LogRotation,
  logFd: number,
): Step[] {
  const label = (word: string): string => `pump.${name}.${word}`;
  const goOn = step("@add", [0, 0], { onZero: next });
  const REVENTS = 48;
  return [
    step("@shr", [{ load: "pump.polls", offset: at }, REVENTS], { label: `pump.${name}`, onZero: next }),
    step("read", [read, { region: "pump.frame", offset: FRAME.header }, FRAME.data], {
      label: label("read"),
      onNegative: next,
      onZero: label("closed"),
    }),
    step("@or", [previous(), BigInt(number) << 32n]),
    step("@store", [{ region: "pump.frame" }, previous()]),
    step("clock_gettime", [0, { region: "pump.frame", offset: 8 }]),
    step("@add", [result(label("read")), FRAME.header], { label: label("length") }),
    step("write", [logFd, { region: "pump.frame" }, previous()]),
    step("@add", [{ load: "pump.size" }, result(label("length"))]),
    step("@store", [{ region: "pump.size" }, previous()]),
    step("@sub", [previous(2), rotation.maxSize], { onNegative: next }),
    ...rotate(log, rotation, logFd),
    goOn,
    step("close", [read], { label: label("closed") }),
    // A descriptor of -1 is passed over.
    step("@store", [{ region: "pump.polls", offset: at }, 0xffffffff]),
    step("@sub", [{ load: "pump.left" }, 1]),
    step("@store", [{ region: "pump.left" }, previous()]),
    step("@add", [{ load: "pump.left" }, 0], { onZero: "pump.over" }),
    goOn,
  ];
}

/** `log` becomes `log.1`, that `log.2`, and the last goes. */
function rotate(log: string, { maxFiles }: LogRotation, logFd: number): Step[] {
  const names = [...Array(maxFiles).keys()].map((index) => index === 0 ? log : `${log}.${index}`);
  const renames = names.slice(0, -1).map((name, index) =>
    step("renameat", [AT_FDCWD, text(name), AT_FDCWD, text(names[index + 1]!)])
  ).reverse();
  const truncate = maxFiles === 1 ? ["O_TRUNC"] : [];
  return [
    ...renames,
    step("openat", [AT_FDCWD, text(log), flags("O_WRONLY", "O_APPEND", "O_CREAT", "O_CLOEXEC", ...truncate), 0o600]),
    step("dup3", [previous(), logFd, flags("O_CLOEXEC")]),
    step("close", [previous(2)]),
    step("@store", [{ region: "pump.size" }, 0]),
  ];
}
