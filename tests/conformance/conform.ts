/**
 * Makes tests of normative sentences: one of each sentence for each runtime, named by the sentence.
 *
 *     conform([
 *       {
 *         rule: "config.md/root: readonly makes the root filesystem read-only",
 *         change: { root: { readonly: true } },
 *         script: "touch /x",
 *         shows: /Read-only file system/,
 *       },
 *     ]);
 *
 * A sentence is told in other words than the specification's, behind the document and the section that has it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Ability, requires } from "../support/requires.ts";
import { type Difference, DIFFERENCES } from "./known_differences.ts";
import { type Changes, Place } from "./place.ts";
import { callsHooks, follows, type Runtime, RUNTIMES, versionOf } from "./runtimes.ts";

/** A sentence of the specification. */
export interface Rule {
  /** `document/section: what must hold`. */
  readonly rule: `${string}/${string}: ${string}`;
  readonly needs?: readonly Ability[];
  /** The version of the specification that has it first; runtimes that follow an older one are left out. */
  readonly since?: `${number}.${number}`;
  /** True where it is about hooks: a runtime without them is left out. */
  readonly hooks?: boolean;
  /** The runtimes it is about; all unless given. */
  readonly only?: readonly Runtime["name"][];
}

/** What a container sees: a script in it says something. */
export interface Seen extends Rule {
  readonly change?: Changes;
  readonly script: string;
  /** All that it says, without white space around; or what it matches; or a closer look. */
  readonly shows: string | RegExp | ((text: string, place: Place) => void);
}

/** What must be an error of create, which leaves nothing. */
export interface Refused extends Rule {
  readonly change: Changes;
  /** What paddock's message has: the field by its JSON path. The others may say it in their words. */
  readonly refused: string;
}

/** What must be taken: the container runs to its end, and well. */
export interface Taken extends Rule {
  readonly change: Changes;
  readonly taken: true;
}

/** What needs more than one look. */
export interface Tried extends Rule {
  readonly tried: (place: Place) => Promise<void>;
}

/** Sentences that one container shows. */
export interface Together {
  readonly together: Changes;
  readonly needs?: readonly Ability[];
  readonly all: readonly Omit<Seen, "change" | "needs" | "hooks">[];
}

/** A case of any kind. */
export type Case = Seen | Refused | Taken | Tried | Together;

/** A file of rules: makes the tests of all. */
export function conform(cases: readonly Case[]): void {
  for (const runtime of RUNTIMES) for (const one of cases) define(runtime, one);
}

function define(runtime: Runtime, one: Case): void {
  if ("together" in one) return defineTogether(runtime, one);
  if (one.only?.includes(runtime.name) === false) return;
  const difference = findDifference(runtime, one.rule);
  Deno.test({
    name: nameOf(runtime, one, difference),
    ...ability(runtime, one, difference),
    fn: async () => {
      await judge(difference, async () => {
        await using place = await Place.make(runtime);
        await tryCase(place, one);
      });
    },
  });
}

async function tryCase(place: Place, one: Exclude<Case, Together>): Promise<void> {
  if ("tried" in one) return await one.tried(place);
  if ("script" in one) return check(one, await place.outputOf(one.script, one.change), place);
  if ("taken" in one) {
    const text = await place.outputOf("echo taken", one.change);
    return assertEquals(text, "taken\n");
  }
  await place.write(one.change);
  const { id, code, stderr } = await place.tryCreate();
  assert(code !== 0, "create succeeds");
  assert(!place.knows(id), `create failed and has left its state: ${stderr}`);
  if (place.runtime.name === "paddock") assertStringIncludes(stderr, one.refused);
}

function check({ shows }: Pick<Seen, "shows">, text: string, place: Place): void {
  if (typeof shows === "function") shows(text, place);
  else if (typeof shows === "string") assertEquals(text.trim(), shows);
  else assertMatch(text, shows);
}

/** One container, and a step for each sentence. */
function defineTogether(runtime: Runtime, { together, needs = [], all }: Together): void {
  const mine = all.filter(({ only }) => only?.includes(runtime.name) !== false);
  Deno.test({
    name: `[${runtime.name}] ${mine[0]!.rule.split(":", 1)[0]}: ${mine.length} sentences`,
    ...requires("root", "tool:busybox", ...runtime.needs, ...needs),
    fn: async (context) => {
      await using place = await Place.make(runtime);
      const script = mine.map(({ script }, index) => `echo '==${index}=='; ( ${script}\n)`).join("\n");
      const parts = (await place.outputOf(script, together)).split(/^==\d+==\n/m).slice(1);
      for (const [index, one] of mine.entries()) {
        const difference = findDifference(runtime, one.rule);
        await context.step({
          name: nameOf(runtime, one, difference),
          ignore: isOpen(runtime, difference) || !isOwed(runtime, one),
          fn: async () => {
            // deno-lint-ignore require-await
            await judge(difference, async () => check(one, parts[index] ?? "", place));
          },
        });
      }
    },
  });
}

function nameOf(runtime: Runtime, one: Rule, difference: Difference | undefined): string {
  const remarks = [
    ...(difference === undefined ? [] : [`differs: ${difference.reason}`]),
    ...(one.since === undefined || follows(runtime, one.since) ? [] : [`it follows a version before ${one.since}`]),
    ...(one.hooks === true && !callsHooks(runtime) ? ["it calls no hooks"] : []),
  ];
  return `[${runtime.name}] ${one.rule}${remarks.length === 0 ? "" : ` (${remarks.join("; ")})`}`;
}

function ability(runtime: Runtime, one: Rule, difference: Difference | undefined): { readonly ignore: boolean } {
  const host = requires("root", "tool:busybox", ...runtime.needs, ...(one.needs ?? []));
  if (host.ignore) return host;
  return { ignore: isOpen(runtime, difference) || !isOwed(runtime, one) };
}

function findDifference({ name }: Runtime, rule: string): Difference | undefined {
  return DIFFERENCES.find((one) => one.runtime === name && one.rules.includes(rule));
}

/** True where the runtime owes it: it follows a specification that has it, and has what it is about. */
function isOwed(runtime: Runtime, { since, hooks }: Rule): boolean {
  return (since === undefined || follows(runtime, since)) && (hooks !== true || callsHooks(runtime));
}

/** True where nobody can say how it comes out: a version that was not looked at, or a matter of luck. */
function isOpen(runtime: Runtime, difference: Difference | undefined): boolean {
  if (difference === undefined) return false;
  return difference.sometimes === true ||
    (difference.version !== undefined && difference.version !== versionOf(runtime));
}

/** A known difference must be one: else it is to be taken out of the list. */
async function judge(difference: Difference | undefined, look: () => Promise<void>): Promise<void> {
  if (difference === undefined) return await look();
  try {
    await look();
  } catch {
    return;
  }
  throw new Error(`${difference.runtime} holds to it: take this out of the known differences`);
}
