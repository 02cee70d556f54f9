import { assertEquals } from "@std/assert";
import { elfExecutable } from "./elf.ts";
import { CODE_OFFSET, DATA_ADDRESS, DATA_OFFSET, interpreterCode, LISTING, TEXT_ADDRESS } from "./interpreter.ts";
import type { Arch } from "./step.ts";

const ARCHES: readonly Arch[] = ["x86_64", "aarch64"];

interface Header {
  readonly type: number;
  readonly flags: number;
  readonly words: readonly number[];
}

function programHeaders(file: Uint8Array<ArrayBuffer>): Header[] {
  const view = new DataView(file.buffer);
  return [0, 1, 2].map((index) => {
    const at = 64 + 56 * index;
    const words = Array.from({ length: 6 }, (_, place) => Number(view.getBigUint64(at + 8 + 8 * place, true)));
    return { type: view.getUint32(at, true), flags: view.getUint32(at + 4, true), words };
  });
}

Deno.test("elfExecutable makes code that is not writable and data that is not executable", () => {
  for (const arch of ARCHES) {
    const file = elfExecutable(arch, { bytes: new Uint8Array([1, 2, 3]), size: 50_000 });
    const [code, data, stack] = programHeaders(file);
    const codeEnd = CODE_OFFSET + interpreterCode(arch).length;
    assertEquals(code, { type: 1, flags: 5, words: [0, TEXT_ADDRESS, TEXT_ADDRESS, codeEnd, codeEnd, 65536] });
    assertEquals(data, { type: 1, flags: 6, words: [DATA_OFFSET, DATA_ADDRESS, DATA_ADDRESS, 3, 50_000, 65536] });
    assertEquals(stack?.type, 0x6474e551);
    assertEquals(stack?.flags, 6);
  }
});

Deno.test("elfExecutable lays both segments out for pages of up to 64 KiB", () => {
  assertEquals(TEXT_ADDRESS % 65536, 0);
  assertEquals(DATA_ADDRESS % 65536, DATA_OFFSET % 65536);
  assertEquals(DATA_ADDRESS - TEXT_ADDRESS > 65536, true);
});

Deno.test("elfExecutable says which machine it is for and where it begins", () => {
  for (const [arch, machine] of [["x86_64", 62], ["aarch64", 183]] as const) {
    const view = new DataView(elfExecutable(arch, { bytes: new Uint8Array(1), size: 1 }).buffer);
    assertEquals(view.getUint32(0), 0x7f454c46);
    assertEquals(view.getUint16(18, true), machine);
    assertEquals(view.getBigUint64(24, true), BigInt(TEXT_ADDRESS + CODE_OFFSET));
  }
});

Deno.test("interpreterCode is its listing, and fits before the data", () => {
  for (const arch of ARCHES) {
    const size = interpreterCode(arch).length;
    assertEquals(CODE_OFFSET + size <= DATA_OFFSET, true);
    assertEquals(size, LISTING[arch].reduce((sum, [bytes]) => sum + bytes.split(" ").length, 0));
  }
});
