/**
 * The id of a compiled container's run: the launcher's process id, written over a place holder in every string that
 * has it, so that the same launcher may run many times at once.
 *
 * @module
 */
import { type Act, type Arg, type Plan, previous, type Section, type Step, step } from "../program/step.ts";
import { RUN_ID_DIGITS } from "./setting.ts";

/**
 * The plan with an act before all others which writes the process id into every text that holds `id`.
 *
 * @param id ends in `RUN_ID_DIGITS`.
 */
export function withRunId(plan: Plan, id: string): Plan {
  const places = [...findTexts(plan)].flatMap((value) => findPlaces(value, id));
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
  return { ...plan, sections: sections.map((section) => numberReport(section, whats, id)) };
}

/**
 * What steps do is only read when one has failed: the numbers in there are filled in then, in the act that begins at
 * `leftovers`, behind the step which sees that there was a failure.
 */
function numberReport(section: Section, whats: readonly string[], id: string): Section {
  const acts = section.acts.map((act): Act => {
    const [first, ...others] = act.steps;
    if (first?.label !== "leftovers") return act;
    const digits = writeDigits(whats.flatMap((what) => findPlaces(what, id)));
    return { ...act, steps: [first, step("getpid", []), ...digits, ...others] };
  });
  return { ...section, acts };
}

/** Right behind the step that gave the number. */
function writeDigits(places: readonly Arg[]): Step[] {
  return places.map((place, index) => step("@digits", [previous(index + 1), place, RUN_ID_DIGITS.length]));
}

function findTexts(plan: Plan): Set<string> {
  const texts = new Set<string>();
  const steps: Step[] = plan.sections.flatMap(({ acts }) => acts.flatMap((act) => act.steps));
  for (const { args } of steps) args.forEach((arg) => collect(arg, texts));
  return texts;
}

function collect(arg: Arg, texts: Set<string>): void {
  if (typeof arg !== "object") return;
  if ("text" in arg) texts.add(arg.text);
  if (!("block" in arg)) return;
  for (const field of arg.block.fields) if ("value" in field) collect(field.value, texts);
}

/** Where in a text the digits begin, in bytes. */
function findPlaces(value: string, id: string): Arg[] {
  const places: Arg[] = [];
  const digitsAt = id.length - RUN_ID_DIGITS.length;
  for (let at = value.indexOf(id); at !== -1; at = value.indexOf(id, at + id.length)) {
    places.push({ text: value, offset: new TextEncoder().encode(value.slice(0, at + digitsAt)).length });
  }
  return places;
}
