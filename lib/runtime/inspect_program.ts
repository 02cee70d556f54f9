/**
 * `paddock inspect-program`: the table of a launcher.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { decodeProgram, type Program } from "../program/decode.ts";
import { formatDecoded } from "../program/format.ts";
import { CODE_OFFSET, interpreterCode, LISTING, TEXT_ADDRESS } from "../program/interpreter.ts";
import type { Arch } from "../program/step.ts";

/** What is shown of a launcher: its steps unless `code` is set. */
export interface InspectOptions {
  readonly json: boolean;
  /** The interpreter's machine code. */
  readonly code: boolean;
}

/**
 * The steps of a launcher's file, or its machine code, as text or as JSON.
 *
 * @throws PaddockError where the file cannot be read, or is no launcher of ours: its code must be the one we know.
 */
export async function inspectProgram(path: string, { json, code }: InspectOptions): Promise<string> {
  const file = await read(path);
  const program = decode(file, path);
  if (code) return describeCode(file, program.arch, path, json);
  return json ? describeAsJson(program) : describe(program);
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    throw new PaddockError(`cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function decode(bytes: Uint8Array, path: string): Program {
  try {
    return decodeProgram(bytes);
  } catch (cause) {
    if (cause instanceof PaddockError) throw new PaddockError(`cannot list ${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** The listing that belongs to the file's own bytes. */
function describeCode(file: Uint8Array, arch: Arch, path: string, json: boolean): string {
  const known = interpreterCode(arch);
  const own = file.subarray(CODE_OFFSET, CODE_OFFSET + known.length);
  if (!known.every((byte, index) => byte === own[index])) {
    throw new PaddockError(`${path} has other machine code than this paddock gives a launcher`, {
      hint: "compile it again, or look at it with the paddock that made it",
    });
  }
  let at = TEXT_ADDRESS + CODE_OFFSET;
  const rows = LISTING[arch].map(([bytes, mnemonic]) => {
    const row = { address: at.toString(16), bytes, mnemonic };
    at += bytes.split(" ").length;
    return row;
  });
  if (json) return JSON.stringify(rows, null, 2) + "\n";
  const width = Math.max(...rows.map(({ bytes }) => bytes.length));
  return rows.map(({ address, bytes, mnemonic }) => `${address}  ${bytes.padEnd(width)}  ${mnemonic}\n`).join("");
}

function describe(program: Program): string {
  const { arch, name, steps, data } = program;
  const lines = [`${name}: a launcher for ${arch}, ${steps.length} steps, ${data.length} bytes of data`];
  let what = "";
  for (const step of steps) {
    if (step.what !== what) lines.push("", `# ${step.what}`);
    what = step.what;
    lines.push(`${String(step.index).padStart(5)}  ${formatDecoded(program, step)}${jumps(step.index, step.targets)}`);
  }
  return lines.join("\n") + "\n";
}

/** Where a step leads, if not to the next. */
function jumps(index: number, targets: readonly [number, number, number]): string {
  const [negative, zero, positive] = targets;
  const words = [[negative, "<0"], [zero, "0"], [positive, ">0"]] as const;
  const shown = words.filter(([target]) => target !== index + 1).map(([target, when]) => `${when} → ${target}`);
  return shown.length === 0 ? "" : `    ; ${shown.join(", ")}`;
}

function describeAsJson({ arch, name, steps }: Program): string {
  const plain = steps.map((step) => ({
    ...step,
    args: step.args.map((arg) => ({ ...arg, value: String(arg.value) })),
  }));
  return JSON.stringify({ arch, name, steps: plain }, null, 2) + "\n";
}
