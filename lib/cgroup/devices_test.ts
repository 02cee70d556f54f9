import { assert, assertEquals } from "@std/assert";
import type { DeviceRule } from "../spec/config.ts";
import { assembleDeviceProgram, BPF, encodeProgram, type Instruction } from "./device_program.ts";
import { ACCESS, allowEverything, completeRules, type ExactRule, formatException, toExceptions } from "./devices.ts";

interface Request {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** Runs a program as the kernel would, on a context of three words. */
function interpret(program: readonly Instruction[], { type, major, minor, access }: Request): number {
  const bits = [...access].reduce((bits, letter) => bits | ACCESS[letter]!, 0);
  const context = [(bits << 16) | (type === "b" ? 1 : 2), major, minor];
  const r: number[] = new Array(11).fill(0);
  for (let at = 0; at < program.length; at++) {
    const { code, to = 0, from = 0, skip = 0, value = 0 } = program[at]!;
    if (code === BPF.load) r[to] = context[skip / 4]!;
    else if (code === BPF.move) r[to] = r[from]!;
    else if (code === BPF.set) r[to] = value;
    else if (code === BPF.and32) r[to] = (r[to]! & value) >>> 0;
    else if (code === BPF.shift32) r[to] = r[to]! >>> value;
    else if (code === BPF.jump) at += skip;
    else if (code === BPF.jumpUnlessEqual) at += r[to] !== value ? skip : 0;
    else if (code === BPF.jumpIfBits) at += (r[to]! & value) !== 0 ? skip : 0;
    else if (code === BPF.exit) return r[0]!;
    else throw new Error(`code ${code}`);
  }
  throw new Error("the program ran past its end");
}

function isAllowed(rules: readonly ExactRule[], words: string): boolean {
  const [type, numbers, access] = words.split(" ");
  const [major, minor] = numbers!.split(":").map(Number);
  const request = { type: type as "b" | "c", major: major!, minor: minor!, access: access! };
  return interpret(assembleDeviceProgram(rules), request) === 1;
}

Deno.test("assembleDeviceProgram lets a container use the default devices, make nodes, and no more", () => {
  const rules = completeRules();
  const allowed = ["c 1:3 rw", "c 1:5 r", "c 1:9 r", "c 5:0 rw", "c 5:2 rw", "c 136:7 rw", "b 8:0 m", "c 10:200 m"];
  for (const words of allowed) assert(isAllowed(rules, words), words);
  const refused = ["b 8:0 r", "b 8:0 rm", "c 1:1 r", "c 1:11 r", "c 10:200 rw", "b 1:3 r"];
  for (const words of refused) assert(!isAllowed(rules, words), words);
});

Deno.test("assembleDeviceProgram gives the last rule the word, for the accesses that it names", () => {
  const rules = completeRules([
    { allow: true, type: "b", major: 8, access: "rw" },
    { allow: false, type: "b", major: 8, minor: 1, access: "w" },
  ]);
  assert(isAllowed(rules, "b 8:0 rw"));
  assert(isAllowed(rules, "b 8:1 r"));
  assert(!isAllowed(rules, "b 8:1 rw"));
  assert(!isAllowed(rules, "b 8:1 w"));
});

Deno.test("assembleDeviceProgram adds up what several rules allow", () => {
  const rules = completeRules([
    { allow: true, type: "c", major: 10, minor: 200, access: "r" },
    { allow: true, type: "c", major: 10, minor: 200, access: "w" },
  ]);
  assert(isAllowed(rules, "c 10:200 rw"));
});

Deno.test("assembleDeviceProgram ends at a rule for everything, and its jumps stay inside", () => {
  const program = assembleDeviceProgram(completeRules([{ allow: true }, { allow: false }]));
  assertEquals(program.slice(-2), [{ code: BPF.set, to: 0, value: 0 }, { code: BPF.exit }]);
  program.forEach(({ code, skip = 0 }, index) => {
    if (code !== BPF.load) assert(index + skip < program.length);
  });
  assertEquals(program.filter(({ code }) => code === BPF.exit).length, completeRules().length);
});

Deno.test("encodeProgram lays instructions out as struct bpf_insn", () => {
  const bytes = encodeProgram([{ code: BPF.load, to: 2, from: 1, skip: 8 }, { code: BPF.set, to: 0, value: -2 }]);
  assertEquals([...bytes], [0x61, 0x12, 8, 0, 0, 0, 0, 0, 0xb7, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
});

Deno.test("toExceptions and the program agree on every request, where v1 has words for the rules", () => {
  const cases: DeviceRule[][] = [
    [],
    [{ allow: true }],
    [{ allow: true }, { allow: false, type: "b", access: "w" }, { allow: false, type: "c", major: 10 }],
    [{ allow: true, type: "a", access: "r" }, { allow: false, type: "b", access: "r" }],
    [{ allow: true, type: "c", major: 10, minor: 200 }, { allow: false, type: "c", major: 10, access: "w" }],
  ];
  for (const asked of cases) {
    const rules = completeRules(asked);
    const list = toExceptions(rules);
    assertEquals(list.inexpressible, []);
    for (const type of ["b", "c"]) {
      for (const numbers of ["1:3", "1:11", "5:2", "8:0", "10:200", "136:4"]) {
        for (const access of ["r", "w", "m", "rw", "rwm"]) {
          const words = `${type} ${numbers} ${access}`;
          assertEquals(isListed(list, words), isAllowed(rules, words), `${JSON.stringify(asked)}: ${words}`);
        }
      }
    }
  }
});

/** `devcgroup_check_permission`: allowed where every access is, by default or by exceptions. */
function isListed(list: ReturnType<typeof toExceptions>, words: string): boolean {
  const [type, numbers, access] = words.split(" ");
  const [major, minor] = numbers!.split(":").map(Number);
  const covered = list.exceptions
    .filter((other) => other.type === type && (other.major ?? major) === major && (other.minor ?? minor) === minor)
    .reduce((bits, other) => bits | other.access, 0);
  const wanted = [...access!].reduce((bits, letter) => bits | ACCESS[letter]!, 0);
  return list.default === "deny" ? (wanted & ~covered) === 0 : (wanted & covered) === 0;
}

Deno.test("toExceptions tells of a hole in a wildcard, which v1 cannot have", () => {
  const { inexpressible } = toExceptions(completeRules([
    { allow: true, type: "b", major: 8 },
    { allow: false, type: "b", major: 8, minor: 1 },
  ]));
  assertEquals(inexpressible, ["b 8:1 rwm within b 8:* rwm"]);
});

Deno.test("toExceptions takes numbers of -1 for all, and merges rules of one device", () => {
  const { exceptions } = toExceptions(completeRules([
    { allow: true, type: "c", major: 10, minor: -1, access: "r" },
    { allow: true, type: "c", major: 10, access: "w" },
  ]));
  assert(exceptions.map(formatException).includes("c 10:* rw"));
});

Deno.test("allowEverything is true for a privileged container alone", () => {
  assertEquals([[], [{ allow: true }], [{ allow: true, type: "b" }]].map((r) => allowEverything(completeRules(r))), [
    false,
    true,
    false,
  ]);
});
