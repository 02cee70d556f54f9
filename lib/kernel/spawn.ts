/**
 * A child process with exactly the words, environment, input and working directory that are asked for.
 *
 * `Deno.Command` chooses the first word itself, and does not wait with a limit. `posix_spawn(3)` makes the child without
 * a line of JavaScript on its side.
 *
 * @module
 */
import { markDescriptors } from "./launch.ts";
import { addressOf, cString, must, syscall } from "./syscall.ts";

/** What is run. */
export interface SpawnOptions {
  /** Absolute. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** What it reads. */
  readonly input: string;
  /** Seconds; no limit where it is absent. */
  readonly timeout?: number;
}

/** How it ended, and what it said. */
export interface SpawnOutcome {
  /** Positive error number where it could not be executed; then all else is empty. */
  readonly errno: number;
  /** As `wait4(2)` gives it. */
  readonly status: number;
  /** True where it took too long, and was killed with its process group. */
  readonly late: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const MFD_CLOEXEC = 1;
const POLLIN = 1;
const SIGKILL = 9;
const LARGEST_OUTPUT = 65536;
const ALL_SIGNALS = 0xff;
const POSIX_SPAWN_SETPGROUP = 2;
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;

/** Runs a program and waits for its end, this thread's only work meanwhile. It has no descriptor but the standard three. */
export function spawnAndWait(options: SpawnOptions): SpawnOutcome {
  markDescriptors();
  const files = ["stdin", "stdout", "stderr"].map((name) => must(name, "memfd_create", `hook-${name}`, MFD_CLOEXEC));
  const [input, output, errors] = files as [number, number, number];
  try {
    const bytes = new TextEncoder().encode(options.input);
    for (let done = 0; done < bytes.length;) {
      done += must("the input", "write", input, bytes.subarray(done), bytes.length - done);
    }
    must("the input", "lseek", input, 0, 0);
    const { errno, pid } = spawn(options, files);
    if (errno !== 0) return { errno, status: 0, late: false, stdout: "", stderr: "" };
    const ended = wait(pid, options.timeout);
    return { errno, ...ended, stdout: readAll(output), stderr: readAll(errors) };
  } finally {
    for (const fd of files) syscall("close", fd);
  }
}

function wait(pid: number, timeout: number | undefined): Pick<SpawnOutcome, "status" | "late"> {
  const late = timeout !== undefined && !endsWithin(pid, timeout);
  if (late) syscall("kill", -pid, SIGKILL);
  const status = new Uint32Array(1);
  must("the hook", "wait4", pid, new Uint8Array(status.buffer), 0, 0);
  return { status: status[0]!, late };
}

/** Looks every few milliseconds where the kernel has no descriptors of processes (before 5.3). */
function endsWithin(pid: number, timeout: number): boolean {
  const fd = syscall("pidfd_open", pid, 0);
  const WNOWAIT_EXITED_NOHANG = 0x01000000 | 4 | 1;
  const P_PID = 1;
  for (const end = Date.now() + 1000 * timeout; fd < 0;) {
    const info = new Uint8Array(128);
    if (syscall("waitid", P_PID, pid, info, WNOWAIT_EXITED_NOHANG, 0) < 0 || info[0] !== 0) return true;
    if (Date.now() >= end) return false;
    syscall("nanosleep", new Uint8Array(new BigInt64Array([0n, 5_000_000n]).buffer), 0);
  }
  const poll = new Uint8Array(new Int32Array([fd, POLLIN]).buffer);
  // The kernel leaves in it what is left, so that an interrupted call goes on.
  const left = new Uint8Array(new BigInt64Array([BigInt(timeout), 0n]).buffer);
  const found = syscall("ppoll", poll, 1, left, 0, 8);
  syscall("close", fd);
  return found !== 0;
}

function readAll(fd: number): string {
  const buffer = new Uint8Array(LARGEST_OUTPUT);
  const length = Math.max(0, syscall("pread64", fd, buffer, buffer.length, 0));
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** Larger than glibc's `posix_spawnattr_t` and `posix_spawn_file_actions_t`, which are opaque. */
const OPAQUE_SIZE = 1024;

function spawn(
  { path, args, env, cwd }: SpawnOptions,
  files: readonly number[],
): { readonly errno: number; readonly pid: number } {
  const { symbols } = Deno.dlopen("libc.so.6", SYMBOLS);
  const [attributes, actions] = [new Uint8Array(OPAQUE_SIZE), new Uint8Array(OPAQUE_SIZE)];
  symbols.posix_spawnattr_init(attributes);
  symbols.posix_spawn_file_actions_init(actions);
  const own = Deno.cwd();
  try {
    symbols.posix_spawnattr_setflags(
      attributes,
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK,
    );
    symbols.posix_spawnattr_setsigdefault(attributes, new Uint8Array(128).fill(ALL_SIGNALS, 0, 8));
    symbols.posix_spawnattr_setsigmask(attributes, new Uint8Array(128));
    files.forEach((fd, number) => symbols.posix_spawn_file_actions_adddup2(actions, fd, number));
    const pid = new Int32Array(1);
    const words = vector(args);
    const variables = vector(env);
    // An action for this came only with glibc 2.29.
    Deno.chdir(cwd);
    const errno = symbols.posix_spawn(
      new Uint8Array(pid.buffer),
      cString(path),
      actions,
      attributes,
      words.pointers,
      variables.pointers,
    );
    // Held until here, for the pointers say nothing to the collector.
    if (words.held.length + variables.held.length !== args.length + env.length) throw new RangeError("spawn: words");
    return { errno, pid: pid[0]! };
  } finally {
    Deno.chdir(own);
    symbols.posix_spawn_file_actions_destroy(actions);
    symbols.posix_spawnattr_destroy(attributes);
  }
}

function vector(words: readonly string[]): { readonly held: Uint8Array[]; readonly pointers: Uint8Array<ArrayBuffer> } {
  const held = words.map(cString);
  return { held, pointers: new Uint8Array(new BigUint64Array([...held.map(addressOf), 0n]).buffer) };
}

const BUFFER = { parameters: ["buffer"], result: "i32" } as const;
const BUFFERS = { parameters: ["buffer", "buffer"], result: "i32" } as const;

/** `man 3 posix_spawn` and its relations; each gives an error number. */
const SYMBOLS = {
  posix_spawn: { parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"], result: "i32" },
  posix_spawnattr_init: BUFFER,
  posix_spawnattr_destroy: BUFFER,
  posix_spawnattr_setflags: { parameters: ["buffer", "i16"], result: "i32" },
  posix_spawnattr_setsigdefault: BUFFERS,
  posix_spawnattr_setsigmask: BUFFERS,
  posix_spawn_file_actions_init: BUFFER,
  posix_spawn_file_actions_destroy: BUFFER,
  posix_spawn_file_actions_adddup2: { parameters: ["buffer", "i32", "i32"], result: "i32" },
} as const;
