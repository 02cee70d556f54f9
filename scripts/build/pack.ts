/**
 * One executable file out of the runtime's own binary and a program: no unpacking, no temporary files.
 *
 * The `deno` binary runs a script that is named on its command line. The packed file is that binary with one more
 * segment, and its entry point lies there: some 1,500 bytes of machine code (`stub_*.s`) that run after the dynamic
 * loader and before the runtime. They put a loader script into a memory file, put `run FLAGS /proc/self/fd/N` before
 * the user's arguments, drop `DENO_…` from the environment and add ours, and jump to the runtime's entry. The loader
 * script reads the program from this same file and evaluates it (`wrap.ts` says why it is not a module).
 *
 *     deno's binary | stub, parameters | flags, environment | the program | loader script
 *                     ^ e_entry          one new PT_LOAD, read-only and executable
 *
 * Everything else stays where it was, so that the runtime does not notice. The new segment takes the place of PT_NOTE
 * (the build id), the one program header that nothing reads at run time. Sources: `man 5 elf`; the initial stack in
 * the System V ABI of each architecture.
 *
 * Before all that the stub looks for a launcher: a `run` that was worked out before is executed from the cache,
 * `lib/state/launcher_cache.ts`, and the runtime does not start at all. Its file has the call that it is for in it,
 * whole; where anything differs, or the file is not root's alone, the ordinary start follows as if nothing had been.
 *
 * @module
 */
import { stubCode } from "./stub.ts";
import type { StubArch } from "./stub.ts";

/** What the runtime is to run. */
export interface Packing {
  /** The program in pieces, by name: scripts that may be evaluated (`wrap.ts`). It begins with `main.js`. */
  readonly pieces: Readonly<Record<string, string>>;
  /** What comes between the runtime's name and the script: `run`, flags. */
  readonly flags: readonly string[];
  /** Environment entries, `NAME=value`, that hide the user's of the same name. */
  readonly environment: readonly string[];
}

/** Puts the program into the runtime's binary. @throws RangeError for a binary that cannot be packed, with the reason. */
export function packExecutable(runtime: Uint8Array, packing: Packing): Uint8Array<ArrayBuffer> {
  const elf = readElf(runtime);
  const environ = findSlot(elf, "environ");
  const end = Math.max(...elf.loads.map((load) => load.vaddr + load.memsz));
  const vaddr = alignUp(end, PAGE);
  const offset = alignUp(runtime.length, PAGE);
  const segment = buildSegment(elf.arch, packing, { entry: elf.entry - vaddr, environ: environ - vaddr, offset });

  const packed = new Uint8Array(offset + segment.length);
  packed.set(runtime);
  packed.set(segment, offset);
  writeHeaders(packed, elf, { offset, vaddr, size: segment.length });
  return packed;
}

/** The architecture of a runtime's binary. @throws RangeError where it is none that paddock is built for. */
export function archOf(runtime: Uint8Array): StubArch {
  return readElf(runtime).arch;
}

/** As large as any page of x86_64 or aarch64. */
const PAGE = 0x10000;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const PHDR_SIZE = 56;

interface Header {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

interface Elf {
  readonly view: DataView;
  readonly arch: StubArch;
  readonly entry: number;
  readonly phoff: number;
  readonly headers: readonly Header[];
  readonly loads: readonly Header[];
}

function readElf(file: Uint8Array): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new RangeError("pack: the runtime is no 64-bit little-endian ELF file");
  }
  const machine = view.getUint16(18, true);
  const arch = machine === 62 ? "x86_64" : machine === 183 ? "aarch64" : undefined;
  if (arch === undefined) throw new RangeError(`pack: the runtime is for machine ${machine}, not x86_64 or aarch64`);
  const phoff = u64(view, 32);
  const headers = Array.from({ length: view.getUint16(56, true) }, (_, at) => readHeader(view, phoff + at * PHDR_SIZE));
  return { view, arch, entry: u64(view, 24), phoff, headers, loads: headers.filter(({ type }) => type === PT_LOAD) };
}

function readHeader(view: DataView, at: number): Header {
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 4, true),
    offset: u64(view, at + 8),
    vaddr: u64(view, at + 16),
    filesz: u64(view, at + 32),
    memsz: u64(view, at + 40),
    align: u64(view, at + 48),
  };
}

/** The address of the slot in the global offset table that will hold the address of libc's variable. */
function findSlot(elf: Elf, name: string): number {
  const dynamic = elf.headers.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) throw new RangeError("pack: the runtime is not dynamically linked");
  const tags = new Map<number, number>();
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.filesz; at += 16) {
    tags.set(u64(elf.view, at), u64(elf.view, at + 8));
  }
  const table = (tag: number): number => fileOffset(elf, tags.get(tag) ?? 0);
  const [strings, symbols, relocations] = [table(5), table(6), table(7)];
  const globDat = elf.arch === "x86_64" ? 6 : 1025;
  for (let at = relocations; at < relocations + (tags.get(8) ?? 0); at += 24) {
    if (elf.view.getUint32(at + 8, true) !== globDat) continue;
    const symbol = symbols + elf.view.getUint32(at + 12, true) * 24;
    if (textAt(elf.view, strings + elf.view.getUint32(symbol, true)) === name) return u64(elf.view, at);
  }
  throw new RangeError(`pack: the runtime does not import libc's ${name}`);
}

function fileOffset(elf: Elf, vaddr: number): number {
  const load = elf.loads.find((load) => vaddr >= load.vaddr && vaddr < load.vaddr + load.filesz);
  if (load === undefined) throw new RangeError(`pack: address 0x${vaddr.toString(16)} is in no segment`);
  return vaddr - load.vaddr + load.offset;
}

/** Stub, parameters, strings, pieces, loader; every number is an offset from the segment's start. */
function buildSegment(
  arch: StubArch,
  packing: Packing,
  at: { readonly entry: number; readonly environ: number; readonly offset: number },
): Uint8Array<ArrayBuffer> {
  const stub = stubCode(arch);
  const encoder = new TextEncoder();
  // Each list ends with an empty string; the environment follows the flags.
  const lists = [...packing.flags, "", ...packing.environment, ""].map((text) => `${text}\0`).join("");
  const parts = [stub, encoder.encode(lists)];
  let end = parts[0]!.length + parts[1]!.length;
  const places: Record<string, readonly [offset: number, size: number]> = {};
  for (const [name, script] of Object.entries(packing.pieces)) {
    const bytes = encoder.encode(script);
    places[name] = [at.offset + end, bytes.length];
    parts.push(bytes);
    end += bytes.length;
  }
  const loaderAt = end;
  const loader = encoder.encode(loaderScript(places));
  const segment = new Uint8Array(loaderAt + loader.length);
  let offset = 0;
  for (const part of [...parts, loader]) {
    segment.set(part, offset);
    offset += part.length;
  }
  // entry, environ, loader and its size, flags, words that are added to argc: the flags and the script.
  const parameters = [at.entry, at.environ, loaderAt, loader.length, stub.length, packing.flags.length + 1];
  const view = new DataView(segment.buffer);
  parameters.forEach((value, index) => view.setBigInt64(stub.length - 48 + index * 8, BigInt(value), true));
  return segment;
}

/** Evaluates the program that lies in this process's own file, each piece when it is first called for. */
function loaderScript(places: Readonly<Record<string, readonly [number, number]>>): string {
  return `const f=Deno.openSync("/proc/self/exe"),t=${JSON.stringify(places)},p={},` +
    `l=i=>p[i]??=(0,eval)(r(...t[i]))(l),` +
    `r=(o,s)=>{const b=new Uint8Array(s);f.seekSync(o,0);` +
    `for(let n=0;n<s;){const r=f.readSync(b.subarray(n));if(r===null)throw new Error("paddock: its file is cut off");n+=r}` +
    `return new TextDecoder().decode(b)};l("main.js");`;
}

/** The note's header becomes the new segment's, in its place after the other segments: they must ascend. */
function writeHeaders(file: Uint8Array, elf: Elf, segment: { offset: number; vaddr: number; size: number }): void {
  const { offset, vaddr, size } = segment;
  const note = elf.headers.findLast(({ type }) => type === PT_NOTE);
  if (note === undefined) throw new RangeError("pack: the runtime has no note segment to give up");
  const added: Header = { type: PT_LOAD, flags: 5, offset, vaddr, filesz: size, memsz: size, align: PAGE };
  const last = elf.loads.at(-1)!;
  const headers = elf.headers.filter((header) => header !== note)
    .flatMap((header) => header === last ? [header, added] : [header]);
  const view = new DataView(file.buffer);
  headers.forEach((header, index) => writeHeader(view, elf.phoff + index * PHDR_SIZE, header));
  view.setBigUint64(24, BigInt(vaddr), true);
}

function writeHeader(view: DataView, at: number, header: Header): void {
  view.setUint32(at, header.type, true);
  view.setUint32(at + 4, header.flags, true);
  const { offset, vaddr, filesz, memsz, align } = header;
  [offset, vaddr, vaddr, filesz, memsz, align].forEach((value, index) => {
    view.setBigUint64(at + 8 + index * 8, BigInt(value), true);
  });
}

function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function textAt(view: DataView, at: number): string {
  let text = "";
  for (let byte = view.getUint8(at); byte !== 0; byte = view.getUint8(++at)) text += String.fromCharCode(byte);
  return text;
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
