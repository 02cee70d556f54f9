/**
 * `paddock attach`: the caller's streams become those of a container in the background.
 *
 * Nothing stands ready for it: what the container prints is read from its log, what is typed goes into its terminal by a
 * copy of the monitor's descriptor, or into the pipe that is its standard input.
 *
 * @module
 */
import { DETACH_KEYS, makeSieve } from "../base/detach_keys.ts";
import { PaddockError } from "../base/errors.ts";
import { findSignal } from "../base/signals.ts";
import { openProcess } from "../kernel/pidfd.ts";
import { isThere } from "../kernel/syscall.ts";
import { copyTerminal, makeRaw, type TerminalEnd } from "../kernel/terminal.ts";
import { PTM_FD } from "../plan/terminal.ts";
import { INPUT_FILE, openContainer, readLauncherPid, seeContainer, type SeenContainer } from "../state/container.ts";
import { readLastCode } from "../state/restarts.ts";
import type { Roots } from "../state/root.ts";
import { readLog } from "./logs.ts";
import { startEach } from "./start_again.ts";
import { killWhileLocked } from "./stopping.ts";
import { waitForContainer } from "./wait.ts";

/** What of the caller's is passed on. */
export interface AttachOptions {
  /** What is typed, where the container takes it. */
  readonly input: boolean;
  /** Signals that this process gets. */
  readonly signals: boolean;
  /** The keys that end it; docker's unless given. */
  readonly keys?: readonly number[];
  /** What it has printed from this byte of its log on; from now on unless given. */
  readonly from?: number;
}

/** The caller's own streams. */
export interface CallerStreams {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): void;
  /** Where standard input is a terminal. */
  readonly terminal?: { size(): { readonly rows: number; readonly columns: number } };
}

/**
 * Attaches, until the container has ended or the caller leaves it.
 *
 * @returns the container's exit code; 0 where it was left.
 * @throws PaddockError where there is none that runs in the background, or nobody keeps what it prints.
 */
export async function attachContainer(
  idOrName: string,
  options: AttachOptions,
  roots: Roots,
  streams: CallerStreams,
): Promise<number> {
  const seen = openContainer(roots, idOrName);
  const pid = check(seen);
  const { record, directory } = seen;
  using ended = openProcess(pid);
  using terminal = record?.terminal ? copyTerminal(readLauncherPid(seen)!, PTM_FD) : undefined;
  using _cleanUp = new DisposableStack();
  const screen = terminal === undefined ? undefined : streams.terminal;
  if (options.signals && screen === undefined) _cleanUp.use(passSignals(directory, pid));
  if (terminal !== undefined && screen !== undefined) _cleanUp.use(passSize(terminal, screen.size));
  const takesInput = options.input && record?.input === true;
  if (takesInput && screen !== undefined) _cleanUp.use(makeRaw(STDIN));
  const keys = screen === undefined ? [] : options.keys ?? DETACH_KEYS;
  const left = takesInput ? passInput(terminal ?? openPipe(directory), streams, keys) : never();
  const { from } = options;
  const shown = readLog(
    seen.id,
    { tail: 0, follow: true, ...(from === undefined ? {} : { from }) },
    roots,
    streams.write,
  );
  // Of one that is started again the log goes on.
  const over = record?.restart === undefined ? shown : Promise.race([shown, waitForEnd(ended)]);
  if (await Promise.race([over, left]) === "left") return 0;
  return record?.restart === undefined ? await waitForContainer(seen.id, roots) : lastCode(seen, roots);
}

/**
 * Starts a kept container that has ended and attaches to it, with all that it prints from its beginning; to one that runs
 * as `attachContainer`.
 *
 * @returns the container's exit code, or the one that the start failed with.
 */
export async function startAttached(
  idOrName: string,
  options: AttachOptions,
  roots: Roots,
  streams: CallerStreams,
): Promise<number> {
  const { id, record } = openContainer(roots, idOrName);
  const from = record?.log === undefined || !isThere(record.log) ? 0 : Deno.statSync(record.log).size;
  const code = await startEach([id], roots, true);
  if (code !== 0) return code;
  const { status } = openContainer(roots, id);
  if (status !== "stopped" && status !== "dead") return await attachContainer(id, { ...options, from }, roots, streams);
  // It was all too short.
  await readLog(id, { from, follow: false }, roots, streams.write);
  return await waitForContainer(id, roots);
}

const STDIN = 0;

function check({ id, status, record, pid }: SeenContainer): number {
  if (record?.detached !== true || record.bundle !== undefined) {
    throw new PaddockError(`container '${id}' is not in the background: its streams are those of who started it`);
  }
  if (status === "running" && pid !== undefined) return pid;
  throw new PaddockError(`cannot attach to container '${id}': it is ${status}`, {
    hint: `start it and attach to it: paddock start --attach ${id}`,
  });
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Where what is typed goes. */
interface Input {
  write(bytes: Uint8Array): number | undefined | Promise<number | undefined>;
}

/** Gives "left" when the keys for that were typed; where the input ends, or nobody takes it, the container goes on. */
async function passInput(input: Input, { read }: CallerStreams, keys: readonly number[]): Promise<"left"> {
  const sieve = makeSieve(keys);
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await read(buffer);
    if (count === null) return await never();
    const { bytes, leaves } = sieve(buffer.subarray(0, count));
    for (let rest = bytes; rest.length > 0;) {
      const taken = await input.write(rest);
      if (taken === undefined) return await never();
      rest = rest.subarray(taken);
      if (taken === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (leaves) return "left";
  }
}

/** The pipe that is its standard input. The container has both ends of it, so that nobody waits here. */
function openPipe(directory: string): Input {
  const file = Deno.openSync(`${directory}/${INPUT_FILE}`, { write: true });
  return { write: (bytes) => file.write(bytes) };
}

/** Signals that ask for something; what the terminal's keys send is among them. */
const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

function passSignals(directory: string, pid: number): Disposable {
  const listeners = PASSED.map((name) => {
    const pass = () => killWhileLocked(directory, pid, findSignal(name));
    Deno.addSignalListener(name, pass);
    return () => Deno.removeSignalListener(name, pass);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}

/** The container's terminal is as large as the caller's. First it is another size, so that what is in it shows itself. */
function passSize(terminal: TerminalEnd, size: () => { readonly rows: number; readonly columns: number }): Disposable {
  const { rows, columns } = size();
  terminal.resize({ rows: rows + 1, columns });
  const pass = () => terminal.resize(size());
  pass();
  Deno.addSignalListener("SIGWINCH", pass);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGWINCH", pass) };
}

async function waitForEnd(process: { waitForEnd(milliseconds: number): boolean } | undefined): Promise<void> {
  while (process !== undefined && !process.waitForEnd(0)) await new Promise((resolve) => setTimeout(resolve, 50));
  // What it printed last is in the log, and shown.
  await new Promise((resolve) => setTimeout(resolve, 200));
}

function lastCode({ id, directory }: SeenContainer, roots: Roots): number {
  return seeContainer(roots, id)?.record?.exit?.code ?? readLastCode(directory) ?? 0;
}
