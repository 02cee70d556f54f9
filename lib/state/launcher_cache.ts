/**
 * Launchers that the next run of the same words takes as they are: then neither paddock nor its runtime starts.
 *
 * ```
 * /run/paddock/.launchers/HASH   64 bytes of header: magic, length of the key, length of the launcher, title
 *                                the key: all that paddock was called with
 *                                the launcher
 * ```
 *
 * The first instructions of a packed paddock (`scripts/build/stub_*.s`) look there: they make the key of what they were
 * called with, and execute the launcher where the keys are the same, byte for byte. Whether the host is the same as
 * well the launcher sees for itself (`lib/plan/freshness.ts`). The directory is root's alone, for it says what root will
 * execute, and the words of a caller may hold secrets; a boot empties it.
 *
 * @module
 */
import { AT } from "../kernel/constants.ts";
import { syscall } from "../kernel/syscall.ts";
import { ensurePrivateDirectory, makeDirectory } from "./root.ts";

/** How paddock was called, in the kernel's own words. */
export interface Call {
  /** `/proc/self/cmdline`, each word with its NUL. */
  readonly words: Uint8Array<ArrayBuffer>;
  /** The entries of its environment, without `ANEW`. */
  readonly environment: readonly Uint8Array<ArrayBuffer>[];
  /** The limit on open files that it was called with; -1 is none. */
  readonly nofile: { readonly soft: number; readonly hard: number };
}

/** In the environment it says: look at nothing that was kept. The launcher sets it when it calls paddock again. */
export const ANEW = "PADDOCK_ANEW";

/** Fixed, for it is looked into before any word of the command line is understood. */
const PARENT = "/run/paddock";
const DIRECTORY = `${PARENT}/.launchers`;
const MAGIC = "paddockL";
const HEADER_SIZE = 64;
const TITLE = { at: 24, size: 40 } as const;
const LARGEST_KEY = 16384;
const LARGEST_LAUNCHER = 1 << 20;
/** So many are kept; the oldest give way. */
const CAPACITY = 64;

/** What this process was called with; undefined where it cannot be had as it was. */
export function readCall(nofile: Call["nofile"]): Call | undefined {
  const words = Deno.readFileSync("/proc/self/cmdline");
  const environment = splitEntries(Deno.readFileSync("/proc/self/environ")).filter((entry) => !isNamed(entry, ANEW));
  return words.length === 0 ? undefined : { words, environment, nofile };
}

/** The words of a call; undefined where they are not all text. */
export function splitWords({ words }: Call): string[] | undefined {
  const text = new TextDecoder().decode(words);
  return text.includes("\ufffd") ? undefined : text.split("\0").slice(0, -1);
}

/**
 * Keeps a launcher for the next call that is the same. A cache that cannot be written is none: the run goes on.
 *
 * @param title shown by `ps`; what is too long is cut.
 */
export function keepLauncher(call: Call, title: string, launcher: Uint8Array): void {
  const key = makeKey(call);
  if (key === undefined || launcher.length > LARGEST_LAUNCHER) return;
  try {
    ensurePrivateDirectory(PARENT);
    makeDirectory(DIRECTORY);
    replace(hashOf(key), join([makeHeader(key, title, launcher), key, launcher]));
    dropOldest();
  } catch {
    // A full or read-only /run: the next call works everything out as this one did.
  }
}

/** What a launcher is started with: the caller's environment, and that it was looked up here once. */
export function launcherEnvironment({ environment }: Call): Uint8Array<ArrayBuffer>[] {
  return [new TextEncoder().encode(`${ANEW}=1\0`), ...environment];
}

/**
 * Everything that a call is told by, in the order of the stub; undefined where it is too long for one. Of the environment
 * only HOME, of which `~` is made: a run that takes more of it is not kept.
 */
function makeKey({ words, environment, nofile }: Call): Uint8Array<ArrayBuffer> | undefined {
  const [directory, file, stat] = [workingDirectory(), readLink("/proc/self/exe"), statBytes("/proc/self/exe")];
  if (directory === undefined || file === undefined || stat === undefined) return undefined;
  const limits = new BigInt64Array([BigInt(nofile.soft), BigInt(nofile.hard)]);
  const home = environment.find((entry) => isNamed(entry, "HOME"));
  const key = join([
    stat,
    new Uint8Array(limits.buffer),
    directory,
    file,
    words,
    ...(home === undefined ? [] : [home]),
  ]);
  return key.length > LARGEST_KEY ? undefined : key;
}

/** The first 120 bytes of `struct stat` without the time of the last access; they lie alike on both architectures. */
function statBytes(path: string): Uint8Array<ArrayBuffer> | undefined {
  const buffer = new Uint8Array(144);
  if (syscall("newfstatat", AT.FDCWD, path, buffer, 0) < 0) return undefined;
  buffer.fill(0, 72, 88);
  return buffer.subarray(0, 120);
}

function workingDirectory(): Uint8Array<ArrayBuffer> | undefined {
  const buffer = new Uint8Array(4096);
  const length = syscall("getcwd", buffer, buffer.length);
  return length > 0 && buffer[0] === "/".charCodeAt(0) ? buffer.subarray(0, length) : undefined;
}

function readLink(path: string): Uint8Array<ArrayBuffer> | undefined {
  const buffer = new Uint8Array(4096);
  const length = syscall("readlinkat", AT.FDCWD, path, buffer, buffer.length - 1);
  return length < 0 ? undefined : buffer.subarray(0, length + 1);
}

/** FNV-1a of 32 bits (draft-eastlake-fnv), in hexadecimal. Keys are compared as well: this is only a name. */
function hashOf(key: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key[at]!, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

function makeHeader(key: Uint8Array, title: string, launcher: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_SIZE);
  const view = new DataView(header.buffer);
  const encoder = new TextEncoder();
  encoder.encodeInto(MAGIC, header);
  view.setUint32(8, key.length, true);
  view.setUint32(16, launcher.length, true);
  encoder.encodeInto(title, header.subarray(TITLE.at, TITLE.at + TITLE.size - 1));
  return header;
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Beside and renamed, so that nobody executes a part of it. */
function replace(name: string, bytes: Uint8Array): void {
  const beside = `${DIRECTORY}/.${name}-${Deno.pid}`;
  Deno.writeFileSync(beside, bytes, { mode: 0o600 });
  Deno.renameSync(beside, `${DIRECTORY}/${name}`);
}

function dropOldest(): void {
  const names = [...Deno.readDirSync(DIRECTORY)].map(({ name }) => name);
  if (names.length <= CAPACITY) return;
  const aged = names.map((name) => ({ name, time: Deno.lstatSync(`${DIRECTORY}/${name}`).mtime?.getTime() ?? 0 }));
  aged.sort((a, b) => a.time - b.time);
  for (const { name } of aged.slice(0, names.length - CAPACITY)) Deno.removeSync(`${DIRECTORY}/${name}`);
}

/** A block of NUL-terminated strings, each with its end. */
function splitEntries(block: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const entries: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < block.length;) {
    const end = block.indexOf(0, at) + 1 || block.length;
    entries.push(block.subarray(at, end));
    at = end;
  }
  return entries;
}

function isNamed(entry: Uint8Array, name: string): boolean {
  return entry[name.length] === "=".charCodeAt(0) &&
    Array.from(name).every((letter, at) => entry[at] === letter.charCodeAt(0));
}
