/**
 * Steps as text, in the way of strace.
 *
 * @module
 */
import { errnoName } from "../base/errno.ts";
import { constantNames } from "./constants.ts";
import type { DecodedArg, DecodedStep, Program } from "./decode.ts";
import type { Arg, Step } from "./step.ts";

/** A step of a plan: `mount("proc", "/proc/self/fd/100", "proc", MS_NOSUID|MS_NODEV, "")`. */
export function formatStep({ call, args }: Step): string {
  return `${call}(${args.map((arg, place) => formatArg(arg, isMode(call, place))).join(", ")})`;
}

/** Which argument of a call is a mode, to be shown in octal. */
const MODES: Readonly<Record<string, number>> = { mkdirat: 2, mknodat: 2, openat: 3, umask: 0, fchmodat: 2 };

function isMode(call: string, place: number): boolean {
  return MODES[call] === place;
}

function formatArg(arg: Arg, mode: boolean): string {
  if (typeof arg === "number" || typeof arg === "bigint") {
    return mode ? formatMode(BigInt(arg)) : formatNumber(BigInt(arg));
  }
  if ("flags" in arg) return arg.flags.join("|") || "0";
  if ("text" in arg) return quote(arg.text) + (arg.offset ? `+${arg.offset}` : "");
  if ("block" in arg) return describeBlock(arg.block.size);
  if ("region" in arg) return `&${arg.region}${arg.offset ? `+${arg.offset}` : ""}`;
  if ("step" in arg) return `&${arg.step}`;
  if ("load" in arg) return `${arg.load}${arg.offset ? `[${arg.offset}]` : ""}`;
  return "result" in arg ? `<${arg.result}>` : `<${arg.previous} back>`;
}

/** A step of a launcher's table; `results` appends what it gave, as a trace does. */
export function formatDecoded(program: Program, step: DecodedStep, { results = false } = {}): string {
  const call = `${step.call}(${step.args.map((arg) => formatDecodedArg(program, arg, step, results)).join(", ")})`;
  return results ? `${call} = ${formatResult(step.result)}` : call;
}

function formatDecodedArg(program: Program, arg: DecodedArg, step: DecodedStep, results: boolean): string {
  const other = arg.step === undefined ? undefined : program.steps[arg.step];
  switch (arg.kind) {
    case "text":
      return quote(arg.text ?? "");
    case "flags":
      return constantNames(step.call, Number(arg.value), program.arch) ?? formatNumber(arg.value);
    case "result":
      return results && other !== undefined ? formatNumber(BigInt(other.result)) : `<step ${arg.step}>`;
    case "number":
      return isMode(step.call, step.args.indexOf(arg)) ? formatMode(arg.value) : formatNumber(arg.value);
    default:
      return `${arg.kind} 0x${arg.value.toString(16)}`;
  }
}

function formatMode(mode: bigint): string {
  return mode === 0n ? "0" : `0${mode.toString(8)}`;
}

/** `-1` and the like in decimal; what is a mask or an address in hexadecimal. */
function formatNumber(value: bigint): string {
  return value > 65536n || value < -65536n ? `0x${BigInt.asUintN(64, value).toString(16)}` : String(value);
}

function formatResult(result: number): string {
  return result < 0 && result >= -4095 ? `-1 ${errnoName(-result)}` : formatNumber(BigInt(result));
}

function describeBlock(size: number): string {
  return `{${size} bytes}`;
}

const LONGEST = 120;

/** As a C string would show it; what is long is cut. */
function quote(value: string): string {
  const shown = value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value;
  return JSON.stringify(shown);
}
