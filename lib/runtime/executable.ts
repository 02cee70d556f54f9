/**
 * What a file is to execve(2): a program of some machine, a script, or neither. Pure: over the file's first bytes.
 *
 * @module
 */

/** What the first bytes of a file say. */
export type Executable =
  | { readonly kind: "elf"; readonly machine: string; readonly interpreter?: string }
  | { readonly kind: "script"; readonly interpreter: string }
  | { readonly kind: "empty" | "other" };

/** Bytes from a file's beginning that are enough to tell. */
export const HEAD_SIZE = 65536;

/** `e_machine` (`elf.h`). */
const MACHINES: Readonly<Record<number, string>> = {
  3: "i386",
  8: "mips",
  20: "ppc",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x86_64",
  183: "aarch64",
  243: "riscv64",
  258: "loongarch64",
};

const PT_INTERP = 3;

/** Reads a file's first bytes; whatever is in them, it gives an answer. */
export function inspectExecutable(head: Uint8Array): Executable {
  if (head.length === 0) return { kind: "empty" };
  const text = new TextDecoder("latin1").decode(head.subarray(0, 256));
  if (text.startsWith("#!")) {
    return { kind: "script", interpreter: /^#![ \t]*([^ \t\n\0]*)/.exec(text)?.[1] ?? "" };
  }
  return text.startsWith("\x7fELF") && head.length >= 64 ? inspectElf(head) : { kind: "other" };
}

/** `man 5 elf`, for both word sizes; big-endian files are of another machine anyway. */
function inspectElf(head: Uint8Array): Executable {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const little = head[5] === 1;
  const wide = head[4] === 2;
  const number = view.getUint16(18, little);
  const machine = MACHINES[number] ?? `machine ${number}`;
  const table = wide ? Number(view.getBigUint64(32, little)) : view.getUint32(28, little);
  const [entrySize, count] = wide ? [56, view.getUint16(56, little)] : [32, view.getUint16(44, little)];
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    if (at + entrySize > head.length) break;
    if (view.getUint32(at, little) !== PT_INTERP) continue;
    const offset = wide ? Number(view.getBigUint64(at + 8, little)) : view.getUint32(at + 4, little);
    const end = head.indexOf(0, offset);
    if (offset >= head.length || end < 0) break;
    return { kind: "elf", machine, interpreter: new TextDecoder().decode(head.subarray(offset, end)) };
  }
  return { kind: "elf", machine };
}
