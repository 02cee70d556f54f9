import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ERRNO_TABLE } from "../base/errno.ts";
import { assemble } from "./assemble.ts";
import { BUILT_IN, HEADER, LAYOUT_VERSION, MAGIC } from "./layout.ts";
import { constant } from "./constants.ts";
import { type DecodedStep, decodeProgram } from "./decode.ts";
import { DATA_ADDRESS, DATA_OFFSET, HEADER_SIZE, STEP, stepSize } from "./interpreter.ts";
import { exampleAct, type ExamplePlan, examplePlan } from "./plan_example.ts";
import { type Act, type Arch, flags, previous, result, type Step, step, text } from "./step.ts";

const ARCHES: readonly Arch[] = ["x86_64", "aarch64"];

/** The table of a plan of one act. */
function compile(steps: readonly Step[], more: ExamplePlan = {}): readonly DecodedStep[] {
  return decodeProgram(assemble(examplePlan([exampleAct("act", ...steps)], more))).steps;
}

function dataOf(acts: readonly Act[], more: ExamplePlan = {}): DataView {
  const file = assemble(examplePlan(acts, more));
  return new DataView(file.buffer, DATA_OFFSET);
}

/** The bytes that stand at an address of the running program. */
function bytesAt(data: DataView, address: bigint, length: number): number[] {
  const at = Number(address) - DATA_ADDRESS;
  return Array.from({ length }, (_, index) => data.getUint8(at + index));
}

Deno.test("assemble writes a data header that says what the file is", () => {
  for (const [arch, machine] of [["x86_64", 62], ["aarch64", 183]] as const) {
    const steps = [step("getpid", []), step("exit_group", [0])];
    const data = dataOf([exampleAct("act", ...steps)], { arch, name: "web" });
    assertEquals(String.fromCharCode(...bytesAt(data, BigInt(DATA_ADDRESS), 8)), MAGIC);
    assertEquals(data.getUint32(HEADER.version, true), LAYOUT_VERSION);
    assertEquals(data.getUint32(HEADER.arch, true), machine);
    assertEquals(data.getUint32(HEADER.size, true), data.byteLength);
    assertEquals(data.getUint32(HEADER.steps, true), 2);
    assertEquals(data.getUint32(HEADER.nameLength, true), 3);
    assertEquals(
      bytesAt(data, BigInt(data.getUint32(HEADER.name, true)), 4),
      [..."web"].map((letter) => letter.charCodeAt(0)).concat(0),
    );
    assertEquals(data.getBigUint64(HEADER.status, true), 0n);
    assertEquals(data.getBigUint64(HEADER.fault, true), 0n);
  }
});

Deno.test("assemble lets the size that a launcher writes out be a 64-bit word", () => {
  const data = dataOf([exampleAct("act", step("exit_group", [{ load: BUILT_IN.size }]))]);
  assertEquals(data.getBigUint64(HEADER.size, true), BigInt(data.byteLength));
});

Deno.test("assemble and decodeProgram agree on every kind of argument", () => {
  const steps = compile([
    step("getpid", [], { label: "first" }),
    step("mount", [
      -100,
      flags("MS_BIND", "MS_REC"),
      text("proc"),
      { block: { size: 8, fields: [] } },
      { region: "memory" },
      { load: "memory", offset: 8 },
    ]),
    step("dup3", [result("first"), previous(2), 18446744073709551615n]),
  ], { regions: { memory: { size: 16 } } });
  assertEquals(steps.map(({ call }) => call), ["getpid", "mount", "dup3"]);
  assertEquals(steps[1]!.args.map(({ kind }) => kind), ["number", "flags", "text", "block", "region", "load"]);
  assertEquals(steps[1]!.args[0]!.value, -100n);
  assertEquals(steps[1]!.args[1]!.value, 0x5000n);
  assertEquals(steps[1]!.args[2]!.text, "proc");
  assertEquals(steps[1]!.args[5]!.value, steps[1]!.args[4]!.value + 8n);
  assertEquals(steps[2]!.args.map(({ kind }) => kind), ["result", "result", "number"]);
  assertEquals(steps[2]!.args.map(({ step }) => step), [0, 0, undefined]);
  assertEquals(steps[2]!.args[2]!.value, -1n);
});

Deno.test("assemble writes the same plan as the same bytes, and another arch's numbers and constants for it", () => {
  const plan = (arch: Arch) => examplePlan([exampleAct("act", step("mkdirat", [flags("O_DIRECTORY")]))], { arch });
  assertEquals(assemble(plan("x86_64")), assemble(plan("x86_64")));
  for (const [arch, number] of [["x86_64", 258], ["aarch64", 34]] as const) {
    const file = assemble(plan(arch));
    assertEquals(new DataView(file.buffer).getUint16(DATA_OFFSET + HEADER_SIZE + STEP.number, true), number);
    assertEquals(decodeProgram(file).arch, arch);
    assertEquals(decodeProgram(file).steps[0]!.args[0]!.value, BigInt(constant("O_DIRECTORY", arch)));
  }
});

Deno.test("assemble sends each result where the step says", () => {
  const acts = [
    exampleAct(
      "one",
      step("getpid", [], { onNegative: "last", onZero: "end", onPositive: "next" }),
      step("getuid", []),
      step("@add", [0, 0]),
    ),
    exampleAct("two", step("getgid", [], { onZero: "end" }), step("exit_group", [1], { label: "last" })),
  ];
  const { steps } = decodeProgram(assemble(examplePlan(acts, { fault: "last" })));
  assertEquals(steps.map(({ targets }) => targets), [
    [4, 3, 1],
    // A failed call goes to the fault handler of its section, an operation's negative result to the next step.
    [4, 2, 2],
    [3, 3, 3],
    // "end" of the last act is past the table, where nothing ever arrives.
    [4, 5, 4],
    [4, 5, 5],
  ]);
});

Deno.test("assemble gives each section its own fault handler", () => {
  const section = (title: string, fault: string, ...steps: Step[]) => ({
    side: "launcher" as const,
    title,
    fault,
    acts: [exampleAct(title, ...steps)],
  });
  const plan = {
    ...examplePlan([]),
    sections: [
      section("one", "a", step("getpid", []), step("exit_group", [1], { label: "a" })),
      section("two", "b", step("getpid", []), step("exit_group", [2], { label: "b" })),
    ],
  };
  const { steps } = decodeProgram(assemble(plan));
  assertEquals(steps[0]!.targets[0], 1);
  assertEquals(steps[2]!.targets[0], 3);
});

Deno.test("assemble keeps equal texts and a struct that is used twice once, and offsets into a text count in bytes", () => {
  const block = (value: number) => ({ block: { size: 8, fields: [{ at: 0, size: 4, value }] } as const });
  const [one, two] = [block(1), block(2)];
  const steps = compile([
    step("chdir", [text("/dürr"), { text: "/dürr", offset: 4 }, text("/other")]),
    step("chdir", [text("/dürr"), one, one, two]),
  ]);
  assertEquals(steps[0]!.args[0]!.value, steps[1]!.args[0]!.value);
  assertEquals(steps[0]!.args[1]!.value, steps[0]!.args[0]!.value + 4n);
  assertEquals(steps[0]!.args[1]!.text, "rr");
  assertNotEquals(steps[0]!.args[0]!.value, steps[0]!.args[2]!.value);
  assertEquals(steps[1]!.args[1]!.value, steps[1]!.args[2]!.value);
  assertNotEquals(steps[1]!.args[1]!.value, steps[1]!.args[3]!.value);
});

Deno.test("assemble fills a struct with numbers, bytes, flags and addresses, little-endian; the rest is zero", () => {
  const inner = { block: { size: 4, fields: [{ at: 0, size: 2, value: 0x1234 }] } } as const;
  const block = {
    size: 48,
    fields: [
      { at: 0, size: 1, value: 0xab },
      { at: 2, size: 2, value: -2 },
      { at: 4, size: 4, value: 0x01020304 },
      { at: 8, size: 8, value: -1n },
      { at: 16, size: 8, value: text("/bin/sh") },
      { at: 24, size: 8, value: inner },
      { at: 32, size: 8, value: flags("MS_BIND", "MS_REC") },
      { at: 40, bytes: new Uint8Array([7, 8, 9]) },
    ],
  } as const;
  const data = dataOf([exampleAct("act", step("getpid", [{ block }, text("/bin/sh")]))]);
  const table = HEADER_SIZE + STEP.args;
  const address = data.getBigUint64(table, true);
  const bytes = bytesAt(data, address, 48);
  assertEquals(bytes.slice(0, 16), [0xab, 0, 0xfe, 0xff, 4, 3, 2, 1, ...Array(8).fill(0xff)]);
  const word = (at: number) => data.getBigUint64(Number(address) - DATA_ADDRESS + at, true);
  assertEquals(word(16), data.getBigUint64(table + 8, true));
  assertEquals(bytesAt(data, word(24), 4), [0x34, 0x12, 0, 0]);
  assertEquals(word(32), 0x5000n);
  assertEquals(bytes.slice(40), [7, 8, 9, 0, 0, 0, 0, 0]);
});

Deno.test("assemble gives a place inside a struct by its offset", () => {
  const block = { size: 16, fields: [] };
  const [{ args } = { args: [] }] = compile([step("getpid", [{ block }, { block, offset: 12 }])]);
  assertEquals(args[1]!.value - args[0]!.value, 12n);
});

Deno.test("assemble aligns structs and regions to 8 bytes", () => {
  const steps = compile([
    step("getpid", [text("a"), { block: { size: 1, fields: [] } }, { block: { size: 3, fields: [] } }, {
      region: "r",
    }]),
  ], { regions: { q: { size: 3 }, r: { size: 5 } } });
  for (const { value, kind } of steps[0]!.args) if (kind !== "text") assertEquals(value % 8n, 0n, kind);
});

Deno.test("assemble lets a region's struct point at itself and at other regions, whatever their order", () => {
  const data = dataOf([exampleAct("act", step("getpid", [{ region: "a" }, { region: "b", offset: 8 }]))], {
    regions: {
      a: { size: 16, fields: [{ at: 0, size: 8, value: { region: "b", offset: 8 } }] },
      b: { size: 16, fields: [{ at: 0, size: 8, value: { region: "b" } }] },
    },
  });
  const [a, b8] = [0, 8].map((at) => data.getBigUint64(HEADER_SIZE + STEP.args + at, true));
  assertEquals(data.getBigUint64(Number(a) - DATA_ADDRESS, true), b8);
  assertEquals(data.getBigUint64(Number(b8) - 8 - DATA_ADDRESS, true), b8! - 8n);
});

Deno.test("assemble keeps large empty regions out of the file, apart and zeroed by the kernel", () => {
  const plan = (size: number) =>
    examplePlan([exampleAct("act", step("getpid", [{ region: "one" }, { region: "two" }]))], {
      regions: { one: { size }, two: { size } },
    });
  const file = assemble(plan(100_000));
  const [one, two] = decodeProgram(file).steps[0]!.args.map(({ value }) => Number(value) - DATA_ADDRESS);
  const dataSize = file.length - DATA_OFFSET;
  assert(dataSize < 4096, `${dataSize}`);
  assert(one! >= dataSize && two! >= one! + 100_000);
  const memorySize = Number(new DataView(file.buffer).getBigUint64(64 + 56 + 40, true));
  assert(memorySize >= two! + 100_000, `${memorySize}`);
});

Deno.test("assemble keeps a region that holds something in the file, however large", () => {
  const file = assemble(
    examplePlan([exampleAct("act", step("getpid", [{ region: "one" }]))], {
      regions: { one: { size: 2000, fields: [{ at: 1999, size: 1, value: 5 }] } },
    }),
  );
  const address = decodeProgram(file).steps[0]!.args[0]!.value;
  assertEquals(file[DATA_OFFSET + Number(address) - DATA_ADDRESS + 1999], 5);
});

Deno.test("assemble puts the names of errors in only where a plan asks for them", () => {
  const without = dataOf([exampleAct("act", step("getpid", []))]);
  const data = dataOf([exampleAct("act", step("getpid", [{ region: BUILT_IN.errors }]))]);
  assertEquals(without.getUint32(HEADER.errors, true), 0);
  const table = data.getUint32(HEADER.errors, true) - DATA_ADDRESS;
  for (const [number, name, meaning] of ERRNO_TABLE) {
    const [address, length] = [0, 4].map((at) => data.getUint32(table + 8 * number + at, true));
    assertEquals(String.fromCharCode(...bytesAt(data, BigInt(address!), length!)), `${name}: ${meaning}`);
  }
});

Deno.test("assemble keeps what each step does, and equal words once", () => {
  const acts = [exampleAct("dig", step("getpid", [])), exampleAct("fill", step("getpid", []))];
  const { steps } = decodeProgram(assemble(examplePlan([...acts, ...acts])));
  assertEquals(steps.map(({ what }) => what), ["dig", "fill", "dig", "fill"]);
});

Deno.test("assemble sizes a step by its arguments", () => {
  const file = assemble(
    examplePlan([exampleAct("act", step("getpid", []), step("@add", [1, 2]), step("exit_group", [0]))]),
  );
  const numbers = [0, stepSize(0), stepSize(0) + stepSize(2)].map((at) =>
    new DataView(file.buffer).getUint16(DATA_OFFSET + HEADER_SIZE + at, true)
  );
  assertEquals(numbers, [39, 0x8000, 231]);
});

Deno.test("assemble leaves room behind the last step for the six arguments that the interpreter loads", () => {
  const file = assemble(examplePlan([exampleAct("act", step("exit_group", []))]));
  assert(file.length >= DATA_OFFSET + HEADER_SIZE + stepSize(6));
});

Deno.test("assemble refuses the mistakes of a builder by name", () => {
  const refused = (words: string, steps: Step[], more: ExamplePlan = {}) =>
    assertThrows(() => compile(steps, more), RangeError, words);
  refused('no step has the label "nowhere"', [step("getpid", [], { onZero: "nowhere" })]);
  refused('no step has the label "ghost"', [step("close", [result("ghost")])]);
  refused('no step has the label "ghost"', [step("madvise", [{ step: "ghost" }])]);
  refused('"twice" stands twice', [step("getpid", [], { label: "twice" }), step("getpid", [], { label: "twice" })]);
  refused('no region is called "sea"', [step("getpid", [{ region: "sea" }])]);
  refused('no region is called "sea"', [step("getpid", [{ load: "sea" }])]);
  refused('"open" is not known', [step("open", [])]);
  refused('"@frobnicate" is not known', [step("@frobnicate", [])]);
  refused('"O_NOTHING" is not known', [step("getpid", [flags("O_NOTHING")])]);
  refused("more than six arguments", [step("mount", [1, 2, 3, 4, 5, 6, 7])]);
  refused("leaves", [step("getpid", []), step("close", [previous(2)])]);
  refused("leaves its struct", [step("getpid", [{ block: { size: 4, fields: [{ at: 1, size: 4, value: 0 }] } }])]);
  refused("leaves its struct", [
    step("getpid", [{ block: { size: 4, fields: [{ at: 2, bytes: new Uint8Array(3) }] } }]),
  ]);
  refused("leaves its struct", [step("getpid", [])], {
    regions: { r: { size: 7, fields: [{ at: 0, size: 8, value: 1 }] } },
  });
  refused('no step has the label "gone"', [step("getpid", [])], { fault: "gone" });
});

Deno.test("assemble refuses what a launcher cannot hold", () => {
  const long = exampleAct("long", ...Array.from({ length: 6000 }, () => step("mount", [1, 2, 3, 4, 5, 6])));
  assertThrows(() => assemble(examplePlan([long])), RangeError, "too many");
  const large = { size: 3_000_000, fields: [{ at: 0, size: 1, value: 1 }] } as const;
  assertThrows(
    () => assemble(examplePlan([exampleAct("large", step("getpid", [{ block: large }]))])),
    RangeError,
    "too large",
  );
});

Deno.test("previous does not reach into the act before, which may not have run", () => {
  const acts = [exampleAct("one", step("getpid", [])), exampleAct("two", step("close", [previous()]))];
  assertThrows(() => assemble(examplePlan(acts)), RangeError, 'leaves "two"');
});

Deno.test("assemble gives the address of a step, as @origin does", () => {
  for (const arch of ARCHES) {
    const steps = compile([step("getpid", []), step("@sub", [{ step: "here" }, 0], { label: "here" })], { arch });
    assertEquals(steps[1]!.args[0]!.value, BigInt(DATA_ADDRESS + HEADER_SIZE + stepSize(0)));
  }
});

Deno.test("assemble writes numbers of any size and sign as 64 bits", () => {
  const values = [
    0,
    1,
    -1,
    -4095,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 53 - 1,
    -(2 ** 53) + 1,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ];
  for (const value of values) {
    assertEquals(compile([step("getpid", [value])])[0]!.args[0]!.value, BigInt(value), String(value));
    const block = { size: 8, fields: [{ at: 0, size: 8, value }] } as const;
    const data = dataOf([exampleAct("act", step("getpid", [{ block }]))]);
    const at = Number(data.getBigUint64(HEADER_SIZE + STEP.args, true)) - DATA_ADDRESS;
    assertEquals(data.getBigInt64(at, true), BigInt(value), String(value));
  }
});
