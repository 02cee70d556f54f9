/**
 * Values of the flags for networks.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { isName } from "../../base/names.ts";
import type { NetworkChoice, NetworkWishes, PortOption, Protocol } from "../../spec/network.ts";
import type { Host, Words } from "../types.ts";
import { isOn, lastValue } from "../words.ts";
import { readFlag, readFlags, resolveHostPath } from "./flag.ts";
import { readAddress, readHostname } from "./process.ts";

/** Of a published port and the like there must be a network that it is published from. */
const WISHES = ["publish", "publish-all", "ip", "ip6", "mac-address", "network-alias"];

/** `--network`, and what is wished of it. */
export function readNetworkFlags(
  words: Words,
  host: Host,
): { readonly network: NetworkChoice; readonly networkWishes?: NetworkWishes } {
  const wished = WISHES.find((name) => words.values.has(name) || isOn(words, name));
  const given = readFlag(words, "network", (text) => readNetwork(text, host));
  if (wished === undefined) return { network: given ?? "none" };
  const network = given ?? { kind: "network", name: "bridge" };
  if (typeof network === "string" || network.kind !== "network") {
    throw new UsageError(`--${wished} and --network ${lastValue(words, "network")} contradict each other`, {
      hint: `--${wished} is for a network of its own: --network bridge`,
    });
  }
  return {
    network,
    networkWishes: {
      ports: readFlags(words, "publish", readPublish).flat(),
      publishAll: isOn(words, "publish-all"),
      ...optional("ip", readFlag(words, "ip", (text) => readFamily(text, 4))),
      ...optional("ip6", readFlag(words, "ip6", (text) => readFamily(text, 6))),
      ...optional("macAddress", readFlag(words, "mac-address", readMacAddress)),
      aliases: readFlags(words, "network-alias", readHostname),
    },
  };
}

/** `none`, `host`, the name of a network, `container:ID` or `ns:PATH`. */
function readNetwork(text: string, host: Host): NetworkChoice {
  if (text === "none" || text === "host") return text;
  const [kind, rest] = splitFirst(text, ":");
  if (rest === undefined) {
    if (isName(text)) return { kind: "network", name: text === "default" ? "bridge" : text };
  } else if (kind === "container" && rest !== "") return { kind: "container", id: rest };
  else if (kind === "ns") return { kind: "path", path: resolveHostPath(rest, host) };
  throw new UsageError(`'${text}' is no network`, {
    hint: "none, host, bridge, the name of another (paddock network ls), container:ID or ns:PATH",
  });
}

/** `[ADDRESS:][PORT[-PORT]:]PORT[-PORT][/tcp|/udp]`, an IPv6 address in brackets: docker's form. */
export function readPublish(text: string): PortOption[] {
  const match = /^(?:(\[[^\]]*\]|[^:/[\]]*):)?(?:([^:/]*):)?([^:/]+)(?:\/(\w+))?$/.exec(text) ?? fail(text);
  const [, first, second, container = "", protocolWord = "tcp"] = match;
  // With one colon only, what stands before it is a port, unless it is an address.
  const isAddress = second !== undefined || /^\[|\./.test(first ?? "");
  const hostWord = (isAddress ? second : first) ?? "";
  const protocol = readProtocol(protocolWord.toLowerCase(), text);
  const hostAddress = isAddress && first !== "" ? readHostAddress(first ?? "") : undefined;
  const [from, to] = readRange(container, text);
  const host = hostWord === "" ? undefined : readRange(hostWord, text);
  const count = to - from + 1;
  if (host !== undefined && count > 1 && host[1] - host[0] + 1 !== count) {
    throw new UsageError(`'${text}': the ranges are not of the same length`);
  }
  return Array.from({ length: count }, (_, at) => ({
    protocol,
    ...(hostAddress === undefined ? {} : { hostAddress }),
    ...(host === undefined ? {} : { hostPorts: count > 1 ? [host[0] + at, host[0] + at] as const : host }),
    containerPort: from + at,
  }));
}

function fail(text: string): never {
  throw new UsageError(`'${text}' is not of the form [[ADDRESS:]PORT:]PORT[/udp]`, {
    hint: "the host's port stands first, as in 8080:80",
  });
}

function readProtocol(word: string, text: string): Protocol {
  if (word === "tcp" || word === "udp") return word;
  throw new UsageError(`'${text}': '${word}' is no protocol that has ports here`, { hint: "tcp or udp" });
}

/** All addresses of a family are all that the container has. */
function readHostAddress(word: string): string | undefined {
  const address = readAddress(word.replace(/^\[(.*)\]$/, "$1"));
  if (address === "0.0.0.0" || address === "::") return undefined;
  if (address === "::1") {
    throw new UsageError("'[::1]': the kernel leads nothing from the loopback of IPv6 to another interface", {
      hint: "publish on 127.0.0.1, or on another address",
    });
  }
  return address;
}

function readRange(word: string, text: string): readonly [number, number] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word);
  if (match === null) return fail(text);
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
  if (from < 1 || to > 65535 || to < from) throw new UsageError(`'${text}': ports are from 1 to 65535`);
  return [from, to];
}

function readFamily(text: string, family: 4 | 6): string {
  const address = readAddress(text);
  if (address.includes(":") === (family === 6)) return address;
  throw new UsageError(`'${text}' is no address of IPv${family}`);
}

/** Six pairs of hexadecimal digits, the first even: others are addresses of groups. */
function readMacAddress(text: string): string {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) throw new UsageError(`'${text}' is no MAC address`);
  if (parseInt(text.slice(0, 2), 16) % 2 === 1) {
    throw new UsageError(`'${text}' is the address of a group, and not of one interface`);
  }
  return text.toLowerCase().replaceAll("-", ":");
}

function splitFirst(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : { [key]: value } as { [key in K]: V };
}
