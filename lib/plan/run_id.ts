/**
 * The id of a compiled container's run: the launcher's process id, written over a place holder in every string that
 * has it, so that the same launcher may run many times at once.
 *
 * @module
 */
import { type Act, type Arg, type Block, type Plan, previous, type Section, type Step, step } from "../program/step.ts";
import { RUN_ID_DIGITS } from "./setting.ts";

/**
 * The plan with an act before all others which writes the process id into every text that holds `id`, and into the bytes
 * of structs, where a program of its own may have it.
 *
 * @param id ends in `RUN_ID_DIGITS`.
 */
export function withRunId(plan: Plan, id: string): Plan {
  const { texts, blocks } = findMemory(plan);
  const written = [
    ...[...texts].filter((value) => value.includes(id)),
    ...[...blocks].filter((block) => findInBlock(block, id).length > 0),
  ];
  const places = written.flatMap((one) => typeof one === "string" ? findInText(one, id) : findInBlock(one, id));
  const act: Act = {
    what: "number this run",
    why: "the same launcher may run many times at once: its process id tells the runs apart",
    shell: [`ID=${id.slice(0, -RUN_ID_DIGITS.length)}$$`],
    steps: [
      step("getpid", []),
      ...writeDigits(places),
    ],
  };
  const [first, ...rest] = plan.sections;
  if (first === undefined) return plan;
  const whats = [...new Set(plan.sections.flatMap(({ acts }) => acts.map(({ what }) => what)))];
  const sections = [{ ...first, acts: [act, ...first.acts] }, ...rest];
  return { ...plan, written, sections: sections.map((section) => numberReport(section, whats, id)) };
}

/**
 * What steps do is only read when one has failed: the numbers in there are filled in then, in the act that begins at
 * `leftovers`, behind the step which sees that there was a failure.
 */
function numberReport(section: Section, whats: readonly string[], id: string): Section {
  const acts = section.acts.map((act): Act => {
    const [first, ...others] = act.steps;
    if (first?.label !== "leftovers") return act;
    const digits = writeDigits(whats.flatMap((what) => findInText(what, id)));
    return { ...act, steps: [first, step("getpid", []), ...digits, ...others] };
  });
  return { ...section, acts };
}

/** Right behind the step that gave the number. */
function writeDigits(places: readonly Arg[]): Step[] {
  return places.map((place, index) => step("@digits", [previous(index + 1), place, RUN_ID_DIGITS.length]));
}

/** What of a plan lies in memory: each text once, each struct once. */
interface Memory {
  readonly texts: Set<string>;
  readonly blocks: Set<Block>;
}

function findMemory(plan: Plan): Memory {
  const memory: Memory = { texts: new Set(), blocks: new Set() };
  for (const { acts } of plan.sections) {
    for (const { steps } of acts) for (const { args } of steps) args.forEach((arg) => collect(arg, memory));
  }
  return memory;
}

function collect(arg: Arg, memory: Memory): void {
  if (typeof arg !== "object") return;
  if ("text" in arg) memory.texts.add(arg.text);
  if (!("block" in arg) || memory.blocks.has(arg.block)) return;
  memory.blocks.add(arg.block);
  for (const field of arg.block.fields) if ("value" in field) collect(field.value, memory);
}

function findInText(value: string, id: string): Arg[] {
  return value.includes(id) ? findOffsets(encode(value), id).map((offset) => ({ text: value, offset })) : [];
}

function findInBlock(block: Block, id: string): Arg[] {
  return block.fields.flatMap((field) =>
    "bytes" in field ? findOffsets(field.bytes, id).map((at) => ({ block, offset: field.at + at })) : []
  );
}

/** Where in these bytes the digits begin, each time that the id is there. */
function findOffsets(bytes: Uint8Array, id: string): number[] {
  const wanted = encode(id);
  const offsets: number[] = [];
  for (let at = bytes.indexOf(wanted[0]!); at !== -1; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) {
      offsets.push(at + wanted.length - RUN_ID_DIGITS.length);
    }
  }
  return offsets;
}

function encode(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
