/**
 * `paddock network create|ls|inspect|rm|prune`.
 *
 * @module
 */
import { EXIT, UsageError } from "../../base/errors.ts";
import { checkName } from "../../base/names.ts";
import { didYouMean, formatTable } from "../../base/text.ts";
import type { SeenNetwork } from "../../runtime/networks.ts";
import { reportError } from "../report.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readFlags, readInteger, readPair } from "../values/flag.ts";
import { allValues, isOn } from "../words.ts";

type Action = (words: Words, host: Host, names: readonly string[]) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = { create, ls, list: ls, inspect, rm, remove: rm, prune };

/** Does what the first word says. */
export async function run(words: Words, host: Host): Promise<number> {
  const [word = "", ...names] = words.positionals;
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (action === undefined) {
    throw new UsageError(`network does not know '${word}'`, {
      hint: didYouMean(word, Object.keys(ACTIONS)) ?? "create, ls, inspect, rm or prune",
    });
  }
  return await action(words, host, names);
}

async function create(words: Words, host: Host, [name, ...others]: readonly string[]): Promise<number> {
  if (name === undefined || others.length > 0) {
    throw new UsageError("network create takes one name", { hint: "as in: paddock network create backend" });
  }
  const { createNetwork } = await import("../../runtime/networks.ts");
  const mtu = readFlag(words, "mtu", (text) => readInteger(text, 576, 65535));
  createNetwork({
    name: checkName(name),
    subnets: allValues(words, "subnet"),
    gateways: allValues(words, "gateway"),
    ipv6: isOn(words, "ipv6"),
    internal: isOn(words, "internal"),
    ...(mtu === undefined ? {} : { mtu }),
    labels: Object.fromEntries(readFlags(words, "label", (text) => readPair(text, ""))),
  }, readRoots(words, host));
  host.print(`${name}\n`);
  return 0;
}

async function ls(words: Words, host: Host, names: readonly string[]): Promise<number> {
  if (names.length > 0) throw new UsageError(`network ls takes no word '${names[0]}'`);
  const { seeNetworks } = await import("../../runtime/networks.ts");
  const found = seeNetworks(readRoots(words, host));
  host.print(formatNetworks(found, isOn(words, "json") ? "json" : isOn(words, "quiet") ? "quiet" : "table"));
  return 0;
}

/** The list as text. */
export function formatNetworks(found: readonly SeenNetwork[], form: "json" | "quiet" | "table"): string {
  if (form === "json") return `${JSON.stringify(found, null, 2)}\n`;
  if (form === "quiet") return found.map(({ name }) => `${name}\n`).join("");
  const rows = found.map(({ name, bridge, subnets, internal, containers }) => [
    name,
    subnets.map(({ subnet }) => subnet).join(" "),
    bridge,
    String(containers.length),
    internal ? "internal" : "",
  ]);
  return `${formatTable(["NAME", "SUBNET", "INTERFACE", "CONTAINERS", ""], rows)}\n`;
}

async function inspect(words: Words, host: Host, names: readonly string[]): Promise<number> {
  const { seeNetwork } = await import("../../runtime/networks.ts");
  const roots = readRoots(words, host);
  const found = needNames("inspect", names).map((name) => seeNetwork(roots, checkName(name)));
  host.print(`${JSON.stringify(found, null, 2)}\n`);
  return 0;
}

/** Each on its own: one that cannot be removed does not keep the others. */
async function rm(words: Words, host: Host, names: readonly string[]): Promise<number> {
  const { removeNetworkOf } = await import("../../runtime/networks.ts");
  const roots = readRoots(words, host);
  let failed = false;
  for (const name of needNames("rm", names)) {
    try {
      removeNetworkOf(roots, checkName(name));
      host.print(`${name}\n`);
    } catch (error) {
      failed = true;
      host.warn(reportError(error, isOn(words, "debug")).text);
    }
  }
  return failed ? EXIT.failed : 0;
}

async function prune(words: Words, host: Host, names: readonly string[]): Promise<number> {
  if (names.length > 0) throw new UsageError(`network prune takes no word '${names[0]}'`);
  const { pruneNetworks } = await import("../../runtime/networks.ts");
  host.print(pruneNetworks(readRoots(words, host)).map((name) => `${name}\n`).join(""));
  return 0;
}

function needNames(action: string, names: readonly string[]): readonly string[] {
  if (names.length > 0) return names;
  throw new UsageError(`network ${action} needs NAME`, { hint: "paddock network ls lists them" });
}
