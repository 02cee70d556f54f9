/**
 * `paddock ps`: the containers that there are.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "../base/text.ts";
import { completeName } from "../image/reference.ts";
import type { Roots } from "../state/root.ts";
import { type ContainerView, viewContainers } from "./container_view.ts";

/** Which containers are wanted. */
export interface PsOptions {
  /** Those that have ended, too. */
  readonly all: boolean;
  /** So many of the newest, however they are; all unless given. */
  readonly last?: number;
  /** `KEY=VALUE`: one of the values of each key must hold, and of `label` all. */
  readonly filters?: readonly Wanted[];
}

/**
 * The running containers, the newest first, and with `all` those that are kept too. What a dead one left that nobody
 * keeps is no container: the next `run` or `gc` removes it.
 *
 * @throws UsageError for a filter that there is not.
 */
export function listContainers(roots: Roots, { all, last, filters = [] }: PsOptions): ContainerView[] {
  filters.forEach(([key]) => findFilter(key));
  const isShown = makeFilter(filters);
  // As docker has it, who asks for a state, or for the newest, means those that have ended as well.
  const any = all || last !== undefined || filters.some(([key]) => key === "status" || key === "exited");
  const views = viewContainers(roots);
  const there = views.filter(({ status, record }) =>
    ["running", "restarting", "creating"].includes(status) || (any && record?.keep === true)
  );
  const context = { all: views };
  const found = there.filter((view) => isShown(view, context));
  return last === undefined ? found : found.slice(0, last);
}

type Wanted = readonly [key: string, value: string];

/** What a filter may need beside the container. */
interface Context {
  readonly all: readonly ContainerView[];
}

type Filter = (view: ContainerView, value: string, context: Context) => boolean;

const STATES = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

const FILTERS: Readonly<Record<string, Filter>> = {
  id: ({ id }, value) => id.startsWith(value),
  name: ({ id, record }, value) => makePattern(value).test(record?.name ?? id),
  status: ({ state }, value) => {
    const wanted = value === "stopped" ? "exited" : value;
    if (STATES.includes(wanted)) return state === wanted;
    throw new UsageError(`--filter: no container is ever '${value}'`, { hint: `states are ${STATES.join(", ")}` });
  },
  exited: ({ record }, value) => {
    if (!/^\d+$/.test(value)) throw new UsageError(`--filter: '${value}' is no exit code`);
    return record?.exit?.code === Number(value);
  },
  health: ({ health }, value) => {
    const states = ["starting", "healthy", "unhealthy", "none"];
    if (states.includes(value)) return (health?.status ?? "none") === value;
    throw new UsageError(`--filter: no health is '${value}'`, { hint: `it is one of ${states.join(", ")}` });
  },
  label: ({ record }, value) => {
    const [, key = "", wanted] = /^([^=]*)(?:=(.*))?$/s.exec(value) ?? [];
    const labels = record?.imageConfig?.labels ?? {};
    return Object.hasOwn(labels, key) && (wanted === undefined || labels[key] === wanted);
  },
  ancestor: ({ record }, value) =>
    record !== undefined && (record.image === value || isSameName(record.image, value) ||
      (record.imageId !== undefined && /^(sha256:)?[0-9a-f]{4,}$/.test(value) &&
        record.imageId.replace(/^sha256:/, "").startsWith(value.replace(/^sha256:/, "")))),
  network: ({ record }, value) => record?.network?.network === value,
  volume: ({ record }, value) => (record?.volumes ?? []).includes(value),
  publish: ({ record }, value) => hasPort(record?.network?.ports ?? [], "hostPort", value),
  expose: ({ record }, value) => hasPort(record?.network?.ports ?? [], "containerPort", value),
  before: (view, value, { all }) => createdAt(view) < createdAt(requireView(value, all)),
  since: (view, value, { all }) => createdAt(view) > createdAt(requireView(value, all)),
};

/** Values of one key are alternatives, but labels: a container is to have each that is named. */
function makeFilter(filters: readonly Wanted[]): (view: ContainerView, context: Context) => boolean {
  const keys = [...new Set(filters.map(([key]) => key))];
  return (view, context) =>
    keys.every((key) => {
      const values = filters.filter(([other]) => other === key).map(([, value]) => value);
      const holds = (value: string): boolean => findFilter(key)(view, value, context);
      return key === "label" ? values.every(holds) : values.some(holds);
    });
}

function findFilter(key: string): Filter {
  if (Object.hasOwn(FILTERS, key)) return FILTERS[key]!;
  throw new UsageError(`--filter: there is none by '${key}'`, {
    hint: didYouMean(key, Object.keys(FILTERS)) ?? `filters are ${Object.keys(FILTERS).join(", ")}`,
  });
}

/** docker takes a name for a regular expression. */
function makePattern(text: string): RegExp {
  try {
    return new RegExp(text.replace(/^\^?\//, "^"));
  } catch {
    throw new UsageError(`--filter: '${text}' is no pattern for names`);
  }
}

/** `alpine` and `docker.io/library/alpine:latest` are one. */
function isSameName(image: string, value: string): boolean {
  const name = completeName(value);
  return name !== undefined && completeName(image) === name;
}

function hasPort(
  ports: readonly { readonly protocol: string; readonly hostPort: number; readonly containerPort: number }[],
  side: "hostPort" | "containerPort",
  value: string,
): boolean {
  const [, port, protocol] = /^(\d+)(?:\/(tcp|udp))?$/.exec(value) ?? [];
  if (port === undefined) throw new UsageError(`--filter: '${value}' is no port`, { hint: "80 or 53/udp" });
  return ports.some((one) => one[side] === Number(port) && (protocol === undefined || one.protocol === protocol));
}

function createdAt({ record }: ContainerView): string {
  return record?.created ?? "9";
}

function requireView(value: string, all: readonly ContainerView[]): ContainerView {
  const found = all.find(({ id, record }) => id === value || record?.name === value);
  if (found === undefined) throw new UsageError(`--filter: no container '${value}'`);
  return found;
}
