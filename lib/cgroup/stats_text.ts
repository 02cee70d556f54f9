/**
 * Numbers and lines of the files that count what a cgroup uses.
 *
 * @module
 */

/** A tree of names, numbers and words as JSON has it, whole numbers of any size among them. */
export type StatsValue = bigint | number | string | null | readonly StatsValue[] | {
  readonly [key: string]: StatsValue;
};

export type StatsObject = { readonly [key: string]: StatsValue };

/** A file of one number; zero for "max", and where there is none. */
export function readCount(text: string | undefined): bigint {
  return /^\d+\s*$/.test(text ?? "") ? BigInt(text!.trim()) : 0n;
}

/** Lines of a name and a number. */
export function readCounts(text: string | undefined): Readonly<Record<string, bigint>> {
  return Object.fromEntries(
    (text ?? "").split("\n").flatMap((line) => {
      const match = /^(\S+) (\d+)$/.exec(line);
      return match === null ? [] : [[match[1]!, BigInt(match[2]!)]];
    }),
  );
}

/** An object without numbers that are zero and lists that are empty. */
export function withoutZeros(values: StatsObject): StatsObject {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== 0n && !(Array.isArray(value) && value.length === 0)),
  );
}
