/**
 * A root filesystem for the demo, made of what every host has: a few of its own programs and the libraries that they
 * load, as the gzipped tarball that `docker export` and `gzip` would give. No image, no network.
 *
 * @module
 */
import { existsSync } from "@std/fs";
import { dirname, join } from "@std/path";
import { TarStream, type TarStreamInput } from "@std/tar";

/** What the acts call inside. */
const COMMANDS = ["cat", "hostname", "id", "ls", "ps", "sh", "sleep", "tail"];

/** Where the host is asked for them. */
const DIRECTORIES = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin"];

/** Stand-ins for programs that small hosts lack. */
const SCRIPTS: Readonly<Record<string, string>> = {
  hostname: 'read -r name < /proc/sys/kernel/hostname; echo "$name"\n',
  ps: 'echo "PID COMMAND"\n' +
    'for at in /proc/[0-9]*; do read -r name < "$at/comm" && echo "${at#/proc/} $name"; done\n',
};

/** One file of the tarball. */
interface File {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Writes the tarball. @throws Error where the host lacks one of the programs. */
export async function writeRootfs(output: string): Promise<void> {
  const files = new Map<string, File>();
  for (const command of COMMANDS) addCommand(files, command);
  addText(files, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  addText(files, "/etc/group", "root:x:0:\n");
  addText(files, "/etc/os-release", 'ID=demo\nPRETTY_NAME="a few programs of this host"\n');
  const entries = ReadableStream.from(listEntries([...files.values()]));
  const packed = entries.pipeThrough(new TarStream()).pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(output, packed);
}

function addCommand(files: Map<string, File>, command: string): void {
  const source = DIRECTORIES.map((directory) => join(directory, command)).find((path) => existsSync(path));
  const script = SCRIPTS[command];
  if (source !== undefined) addProgram(files, `/bin/${command}`, Deno.realPathSync(source));
  else if (script !== undefined) addText(files, `/bin/${command}`, `#!/bin/sh\n${script}`, 0o755);
  else throw new Error(`this host has no ${command} in ${DIRECTORIES.join(", ")}`);
}

/** A program under the name that it goes by: one file may be many programs, and tells by its name which it is. */
function addProgram(files: Map<string, File>, path: string, source: string): void {
  const bytes = Deno.readFileSync(source);
  files.set(path, { path, mode: 0o755, bytes });
  const interpreter = /^#!\s*(\S+)/.exec(new TextDecoder().decode(bytes.subarray(0, 200)))?.[1];
  const needed = interpreter === undefined ? listLibraries(source) : [interpreter];
  for (const name of needed.filter((name) => !files.has(name))) {
    if (interpreter !== undefined) addProgram(files, name, name);
    else files.set(name, { path: name, mode: 0o755, bytes: Deno.readFileSync(name) });
  }
}

/** What the host's dynamic loader would load, and itself; nothing for a static program (`man 8 ld.so`). */
function listLibraries(program: string): string[] {
  const bytes = Deno.readFileSync(program);
  const loader = readLoader(bytes);
  if (loader === undefined) return [];
  const { success, stdout } = new Deno.Command(loader, { args: ["--list", program], stderr: "null" }).outputSync();
  if (!success) throw new Error(`${loader} cannot tell which libraries ${program} needs`);
  const found = new TextDecoder().decode(stdout).matchAll(/(?:=>\s*|^\s*)(\/\S+)/gm);
  return [loader, ...[...found].map(([, path]) => path!)];
}

/** The PT_INTERP of a 64-bit ELF file (`man 5 elf`). */
function readLoader(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  const view = new DataView(bytes.buffer);
  const ELF_64 = 0x7f454c46_02n;
  if (bytes.length < 64 || view.getBigUint64(0) >> 24n !== ELF_64) return undefined;
  const [PT_INTERP, HEADER_SIZE] = [3, 56];
  const [table, count] = [Number(view.getBigUint64(32, true)), view.getUint16(56, true)];
  for (let at = table; at < table + count * HEADER_SIZE; at += HEADER_SIZE) {
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    const [start, size] = [Number(view.getBigUint64(at + 8, true)), Number(view.getBigUint64(at + 32, true))];
    return new TextDecoder().decode(bytes.subarray(start, start + size - 1));
  }
  return undefined;
}

function addText(files: Map<string, File>, path: string, text: string, mode = 0o644): void {
  files.set(path, { path, mode, bytes: new TextEncoder().encode(text) });
}

/** The directories that the files lie in, and those that a root filesystem has for mounts; then the files. */
function listEntries(files: readonly File[]): TarStreamInput[] {
  const directories = new Set(["/dev", "/proc", "/root", "/sys", "/tmp"]);
  for (const { path } of files) for (let at = dirname(path); at !== "/"; at = dirname(at)) directories.add(at);
  // As `docker export` writes names: from the root, without the first slash.
  return [
    ...[...directories].sort().map((path): TarStreamInput => ({
      type: "directory",
      path: path.slice(1),
      options: { mode: path === "/tmp" ? 0o1777 : 0o755 },
    })),
    ...files.map(({ path, mode, bytes }): TarStreamInput => ({
      type: "file",
      path: path.slice(1),
      size: bytes.length,
      readable: ReadableStream.from([bytes]),
      options: { mode },
    })),
  ];
}
