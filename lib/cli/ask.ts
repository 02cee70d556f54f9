/**
 * Questions at a terminal.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";

const CTRL_C = 3;
const CTRL_D = 4;
const BACKSPACE = [8, 127];
const END_OF_LINE = [10, 13];

/**
 * Asks for a line on the terminal of standard input.
 *
 * @param question printed on standard error.
 * @param secret nothing that is typed is shown.
 * @throws {UsageError} where there is no terminal, or the answer is cut off.
 */
export async function askLine(question: string, secret: boolean): Promise<string> {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(`${question} is asked for, and standard input is no terminal`, {
      hint: "say it: --username NAME --password-stdin < FILE",
    });
  }
  const say = (text: string): void => void Deno.stderr.writeSync(new TextEncoder().encode(text));
  say(`${question}: `);
  if (!secret) return await readLine();
  Deno.stdin.setRaw(true);
  try {
    return await readLine();
  } finally {
    Deno.stdin.setRaw(false);
    say("\n");
  }
}

/** All of standard input, without the end of its last line. */
export async function readSecret(): Promise<string> {
  const text = await new Response(Deno.stdin.readable).text();
  return text.replace(/\r?\n$/, "");
}

async function readLine(): Promise<string> {
  const typed: number[] = [];
  const buffer = new Uint8Array(1);
  for (;;) {
    const got = await Deno.stdin.read(buffer);
    const byte = buffer[0]!;
    if (got === null || byte === CTRL_C || (byte === CTRL_D && typed.length === 0)) {
      throw new UsageError("no answer was given");
    }
    if (END_OF_LINE.includes(byte)) break;
    if (BACKSPACE.includes(byte)) typed.pop();
    else typed.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(typed));
}
