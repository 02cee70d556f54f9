/**
 * Writes `lib/plan/seccomp/numbers.ts`: the number of each system call on each architecture, from the kernel's headers.
 *
 *     apt-get download linux-libc-dev && dpkg-deb -x linux-libc-dev_*.deb headers
 *     deno run -A scripts/generate_syscalls.ts headers/usr/lib/linux/uapi OLDER/usr/lib/linux/uapi
 *
 * Debian's package has those of all architectures from version 6.12 on. Of several directories the first that has an
 * architecture's file counts: 31-bit s390 is in none after 6.12.
 *
 * @module
 */
import { dirname, join } from "@std/path";

/** Where the numbers of an architecture are. */
interface Source {
  readonly name: string;
  /** Below the directory of headers; all are read. */
  readonly files: readonly string[];
  /** What the names stand for that the files take for granted. */
  readonly given?: Readonly<Record<string, number>>;
  /** A number that is part of all of them, and left out. */
  readonly base?: number;
}

const X32_BIT = 0x40000000;

const SOURCES: readonly Source[] = [
  { name: "x86_64", files: ["x86/asm/unistd_64.h"] },
  { name: "x86", files: ["x86/asm/unistd_32.h"] },
  { name: "x32", files: ["x86/asm/unistd_x32.h"], given: { __X32_SYSCALL_BIT: X32_BIT }, base: X32_BIT },
  { name: "aarch64", files: ["arm64/asm/unistd_64.h"] },
  { name: "arm", files: ["arm/asm/unistd-eabi.h", "arm/asm/unistd.h"], given: { __NR_SYSCALL_BASE: 0 } },
  { name: "mips_o32", files: ["mips/asm/unistd_o32.h"], given: { __NR_Linux: 4000 }, base: 4000 },
  { name: "mips_n64", files: ["mips/asm/unistd_n64.h"], given: { __NR_Linux: 5000 }, base: 5000 },
  { name: "mips_n32", files: ["mips/asm/unistd_n32.h"], given: { __NR_Linux: 6000 }, base: 6000 },
  { name: "ppc", files: ["powerpc/asm/unistd_32.h"] },
  { name: "ppc64", files: ["powerpc/asm/unistd_64.h"] },
  { name: "s390", files: ["s390/asm/unistd_32.h"] },
  { name: "s390x", files: ["s390/asm/unistd_64.h"] },
  { name: "riscv64", files: ["riscv/asm/unistd_64.h"] },
  { name: "loongarch64", files: ["loongarch/asm/unistd_64.h"] },
  { name: "parisc", files: ["parisc/asm/unistd_32.h"] },
  { name: "parisc64", files: ["parisc/asm/unistd_64.h"] },
  { name: "m68k", files: ["m68k/asm/unistd_32.h"] },
  { name: "sh", files: ["sh/asm/unistd_32.h"] },
];

/** Names of macros that are no system calls. */
const NO_CALLS = /^(syscalls|Linux.*|.*SYSCALL_(BASE|MASK)|64_Linux.*|N32_Linux.*|O32_Linux.*)$/;

/** Within these most architectures have the same calls; those of the first are written once. */
const FIRST_COMMON = 424;
const END_OF_COMMON = 512;

type Numbers = ReadonlyMap<string, number>;
type Numbered = readonly [name: string, number: number];

/** The calls that the text of headers defines, by name. */
export function readNumbers(text: string, given: Readonly<Record<string, number>> = {}): Numbers {
  const macros = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^#define\s+(__\w+)\s+(\S[^\n]*?)\s*$/gm)) macros.set(name!, value!);
  const evaluate = (expression: string | undefined): number => {
    const terms = expression?.replaceAll(/[()]/g, "").split("+").map((term) => term.trim()) ?? [];
    const values = terms.map((term) => given[term] ?? (/^\d/.test(term) ? Number(term) : evaluate(macros.get(term))));
    return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0);
  };
  const found = new Map<string, number>();
  for (const [macro, value] of macros) {
    const name = /^__(?:ARM_)?NR_(\w+)$/.exec(macro)?.[1];
    if (name === undefined || NO_CALLS.test(name) || name === "BASE") continue;
    found.set(name, evaluate(value));
  }
  return found;
}

/**
 * Names in the order of their numbers; a number stands before a name where the one before it is not one less. A plus
 * sign stands where all the common ones are left out.
 */
export function writeTable(numbers: readonly Numbered[], common: readonly Numbered[]): string {
  const words = writeRuns(numbers);
  const sorted = writeRuns(common);
  const at = words.indexOf(sorted[0]!);
  const isWhole = at >= 0 && sorted.every((word, index) => words[at + index] === word);
  return isWhole ? words.toSpliced(at, sorted.length, "+").join(" ") : words.join(" ");
}

function writeRuns(numbers: readonly Numbered[]): string[] {
  let next = 0;
  return numbers.toSorted(([, one], [, other]) => one - other).flatMap(([name, number]) => {
    const words = number === next ? [name] : [String(number), name];
    next = number + 1;
    return words;
  });
}

function readSource({ files, given = {}, base = 0 }: Source, roots: readonly string[]): [string, number][] {
  const root = roots.find((root) => isThere(join(root, files[0]!)));
  if (root === undefined) throw new RangeError(`no directory has ${files[0]}`);
  const text = files.map((file) => Deno.readTextFileSync(join(root, file))).join("\n");
  return [...readNumbers(text, given)].map(([name, number]): [string, number] => [name, number - base])
    // On arm one call has a second name.
    .filter(([name]) => !(files[0] === "arm/asm/unistd-eabi.h" && name === "sync_file_range2"));
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Lines of a template that stands for one line. */
function fold(words: string): string {
  const lines = [""];
  for (const word of words.split(" ")) {
    const line = lines.at(-1)!;
    if (line.length + word.length > 115) lines.push(`${word} `);
    else lines[lines.length - 1] = `${line}${word} `;
  }
  return lines.map((line) => line.trimEnd()).join(" \\\n");
}

function versionOf(root: string): string {
  const text = Deno.readTextFileSync(join(root, "../../../include/linux/version.h"));
  const part = (name: string) => new RegExp(`${name} (\\d+)`).exec(text)?.[1];
  return `${part("LINUX_VERSION_MAJOR")}.${part("LINUX_VERSION_PATCHLEVEL")}`;
}

function main(roots: string[]): void {
  const tables = SOURCES.map((source) => ({ name: source.name, numbers: readSource(source, roots) }));
  const common = tables[0]!.numbers.filter(([, number]) => number >= FIRST_COMMON && number < END_OF_COMMON);
  const lines = tables.map(({ name, numbers }) => `  ${name}: \`\\\n${fold(writeTable(numbers, common))}\`,\n`);
  const text = `/**
 * Numbers of system calls by architecture. Written by \`scripts/generate_syscalls.ts\` from the headers of Linux ${
    versionOf(roots[0]!)
  };
 * not to be changed by hand.
 *
 * Each table has the names in the order of their numbers. A number stands before a name where the one before it is not
 * one less; a plus sign stands for \`COMMON_CALLS\`. Those of mips and x32 begin at a number of their own, which
 * \`architectures.ts\` has.
 *
 * @module
 */

/** Calls that most architectures have under the same numbers. */
export const COMMON_CALLS = \`\\\n${fold(writeRuns(common).join(" "))}\`;

/** Calls of each architecture's own. */
export const CALLS = {
${lines.join("")}} as const;
`;
  const output = join(dirname(import.meta.dirname!), "lib/plan/seccomp/numbers.ts");
  Deno.writeTextFileSync(output, text);
  console.log(`${output}: ${tables.map(({ name, numbers }) => `${name} ${numbers.length}`).join(", ")}`);
}

if (import.meta.main) main(Deno.args);
