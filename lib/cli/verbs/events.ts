/**
 * `paddock events`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseDuration } from "../../base/sizes.ts";
import { didYouMean, escapeControl } from "../../base/text.ts";
import type { JournalEvent } from "../../state/journal.ts";
import { formatByTemplate } from "../go_template.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readFlags, readPair } from "../values/flag.ts";
import { readMoment } from "../values/moment.ts";
import { isOn, lastValue } from "../words.ts";

/** Tells what happens to all containers; or what one uses and what happens to it, until it ends. */
export async function run(words: Words, host: Host): Promise<number> {
  const [id] = words.positionals;
  if (id === undefined) return await follow(words, host);
  const interval = readFlag(words, "interval", readInterval) ?? 5000;
  const { followEvents } = await import("../../runtime/events.ts");
  const options = { once: isOn(words, "stats"), interval };
  followEvents(id, options, readRoots(words, host), host.print);
  return 0;
}

/** Milliseconds. */
function readInterval(text: string): number {
  const milliseconds = parseDuration(text) * 1000;
  if (milliseconds < 1) throw new UsageError("duration interval must be greater than 0");
  return milliseconds;
}

async function follow(words: Words, host: Host): Promise<number> {
  const { followJournal } = await import("../../runtime/follow_journal.ts");
  const moment = (text: string): bigint => readMoment(text, Date.now());
  const since = readFlag(words, "since", moment);
  const until = readFlag(words, "until", moment);
  const filters = readFlags(words, "filter", (text) => readFilter(text));
  const format = isOn(words, "json") ? "json" : lastValue(words, "format");
  await followJournal(
    readRoots(words, host),
    { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) },
    (event) => {
      if (isWanted(event, filters)) host.print(formatEvent(event, format));
    },
  );
  return 0;
}

type Filter = readonly [key: string, value: string];

const FILTERS: Readonly<Record<string, (event: JournalEvent, value: string) => boolean>> = {
  container: ({ id, name }, value) => name === value || id.startsWith(value),
  event: ({ event }, value) => event === value || event.startsWith(`${value}:`),
  image: ({ image }, value) => image === value || image.replace(/:[^:/]*$/, "") === value,
  label: ({ labels }, value) => {
    const [, key = "", wanted] = /^([^=]*)(?:=(.*))?$/s.exec(value) ?? [];
    return Object.hasOwn(labels, key) && (wanted === undefined || labels[key] === wanted);
  },
  type: (_, value) => value === "container",
};

function readFilter(text: string): Filter {
  const [key, value] = readPair(text);
  if (Object.hasOwn(FILTERS, key)) return [key, value];
  throw new UsageError(`there is none by '${key}'`, {
    hint: didYouMean(key, Object.keys(FILTERS)) ?? `filters are ${Object.keys(FILTERS).join(", ")}`,
  });
}

/** Values of one key are alternatives, as docker has it. */
function isWanted(event: JournalEvent, filters: readonly Filter[]): boolean {
  const keys = [...new Set(filters.map(([key]) => key))];
  return keys.every((key) => filters.some(([other, value]) => other === key && FILTERS[key]!(event, value)));
}

/** docker's line, its JSON, or by a template. */
export function formatEvent(event: JournalEvent, format: string | undefined): string {
  const { time, id, name, image, labels, attributes } = event;
  if (format !== undefined) return `${formatByTemplate(format, describeAsDocker(event))}\n`;
  const all = Object.entries({ ...attributes, image, name, ...labels }).map(([key, value]) => `${key}=${value}`);
  return `${escapeControl(`${formatTime(time)} container ${event.event} ${id} (${all.join(", ")})`)}\n`;
}

function describeAsDocker({ time, event, id, name, image, labels, attributes }: JournalEvent): Record<string, unknown> {
  return {
    status: event,
    id,
    from: image,
    Type: "container",
    Action: event,
    Actor: { ID: id, Attributes: { ...labels, ...attributes, image, name } },
    scope: "local",
    time: Number(time / 1_000_000_000n),
    // Beyond what a number holds to the last digit, as docker's is for every reader in JavaScript.
    timeNano: Number(time),
  };
}

/** To the nanosecond, in UTC. */
function formatTime(time: bigint): string {
  const whole = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19);
  return `${whole}.${String(time % 1_000_000_000n).padStart(9, "0")}Z`;
}
