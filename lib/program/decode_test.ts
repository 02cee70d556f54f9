import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { assemble } from "./assemble.ts";
import { HEADER } from "./layout.ts";
import { decodeData, decodeProgram } from "./decode.ts";
import { DATA_ADDRESS, DATA_OFFSET, HEADER_SIZE, STEP, stepSize } from "./interpreter.ts";
import { exampleAct, examplePlan } from "./plan_example.ts";
import { previous, step, text } from "./step.ts";

function exampleFile(): Uint8Array<ArrayBuffer> {
  const act = exampleAct(
    "try a thing",
    step("openat", [-100, text("/nowhere"), 0]),
    step("close", [previous()]),
    step("exit_group", [7]),
  );
  return assemble(examplePlan([act], { name: "web", fault: "next" }));
}

Deno.test("decodeProgram reads name, steps and the words of each back from a launcher's file", () => {
  const program = decodeProgram(exampleFile());
  assertEquals(program.name, "web");
  assertEquals(program.steps.map(({ call, what, result }) => [call, what, result]), [
    ["openat", "try a thing", 0],
    ["close", "try a thing", 0],
    ["exit_group", "try a thing", 0],
  ]);
  assertEquals(program.status, 0);
  assertEquals(program.fault, undefined);
});

Deno.test("decodeData reads results, the failed step and the wait status from data that a launcher wrote out", () => {
  const data = exampleFile().slice(DATA_OFFSET);
  const view = new DataView(data.buffer);
  view.setBigInt64(HEADER_SIZE + STEP.result, -2n, true);
  view.setBigUint64(HEADER.fault, BigInt(DATA_ADDRESS + HEADER_SIZE + stepSize(3)), true);
  // A wait status has 32 bits; the kernel leaves the rest of the word alone.
  view.setBigUint64(HEADER.status, 0xffffffff_00000089n, true);
  const program = decodeData(data);
  assertEquals(program.steps[0]!.result, -2);
  assertEquals(program.fault?.call, "close");
  assertEquals(program.status, 0x89);
});

Deno.test("decodeProgram refuses files that are no launchers", () => {
  const refused = (bytes: Uint8Array) =>
    assertThrows(() => decodeProgram(bytes), PaddockError, "not a launcher made by `paddock compile`");
  refused(new Uint8Array(0));
  refused(new Uint8Array(DATA_OFFSET));
  refused(new Uint8Array(DATA_OFFSET + 1000));
  refused(exampleFile().slice(0, DATA_OFFSET + HEADER_SIZE + 10));
});

Deno.test("decodeProgram names the layout of a launcher that another paddock made", () => {
  const file = exampleFile();
  new DataView(file.buffer).setUint32(DATA_OFFSET + HEADER.version, 99, true);
  const error = assertThrows(() => decodeProgram(file), PaddockError, "has layout 99");
  assertEquals(error.hint?.includes("compile it again"), true);
});

Deno.test("decodeProgram gives a PaddockError or a program for any bytes behind the magic", () => {
  const file = exampleFile();
  // Every byte of the data in turn, spoilt in three ways; numbers from a fixed recipe so that a failure can be repeated.
  for (let at = DATA_OFFSET + 12; at < file.length; at++) {
    for (const value of [0xff, 0x7f, (at * 37) & 0xff]) {
      const spoilt = file.slice();
      spoilt[at] = value;
      decodeOrRefuse(spoilt, at);
    }
  }
  for (let size = DATA_OFFSET; size < file.length; size += 3) decodeOrRefuse(file.slice(0, size), size);
});

function decodeOrRefuse(bytes: Uint8Array, at: number): void {
  try {
    decodeProgram(bytes);
  } catch (error) {
    if (!(error instanceof PaddockError)) throw new Error(`byte ${at}: ${error}`);
  }
}

Deno.test("decodeProgram shows numbers that it does not know as numbers", () => {
  const file = exampleFile();
  const view = new DataView(file.buffer);
  view.setUint16(DATA_OFFSET + HEADER_SIZE, 999, true);
  view.setUint16(DATA_OFFSET + HEADER_SIZE + stepSize(3), 0x8000 | 99, true);
  const { steps } = decodeProgram(file);
  assertEquals(steps[0]!.call, "#999");
  assertEquals(steps[1]!.call, "@99");
});
