/**
 * `paddock inspect-program`: the table of a launcher.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { decodeProgram, type Program } from "../program/decode.ts";
import { formatDecoded } from "../program/format.ts";

/**
 * The steps of a launcher's file as text, or as JSON.
 *
 * @throws PaddockError where the file cannot be read, or is no launcher.
 */
export async function inspectProgram(path: string, { json }: { readonly json: boolean }): Promise<string> {
  const program = decode(await read(path), path);
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
