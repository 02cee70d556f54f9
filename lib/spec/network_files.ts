/**
 * `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` of a container, as text.
 *
 * @module
 */
import type { RunOptions } from "./run_options.ts";

type NetworkOptions = Pick<RunOptions, "network" | "dns" | "dnsSearch" | "dnsOptions" | "addHosts">;

/**
 * `/etc/hosts`: loopback, the container's own name (also a loopback address while it has no other), `--add-host`.
 *
 * @param addresses the container's own.
 */
export function buildHosts(options: NetworkOptions, hostname: string, addresses: readonly string[] = []): string {
  const named = addresses.length === 0 ? ["127.0.1.1"] : addresses;
  const own = hostname === "" || hostname === "localhost" ? [] : named.map((address) => `${address}\t${hostname}`);
  return lines([
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    ...own,
    ...options.addHosts.map(({ host, address }) => `${address}\t${host}`),
  ]);
}

/** A container on a network, by the names that others know it by. */
export interface NamedMember {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

/** `/etc/hosts` with other names of a network than before; lines that are not paddock's stay as they are. */
export function replaceNames(text: string, members: readonly NamedMember[]): string {
  const [before = "", rest] = text.split(`${BEGIN}\n`, 2);
  const after = rest?.split(`${END}\n`, 2)[1] ?? "";
  const named = members.filter(({ names }) => names.length > 0);
  const block = named.flatMap(({ names, addresses }) => addresses.map((address) => `${address}\t${names.join(" ")}`));
  return before + lines([BEGIN, ...block, END]) + after;
}

const BEGIN = "# names of this network, kept by paddock";
const END = "# end";

/**
 * `/etc/resolv.conf`: what the user gives in place of what the host has, part by part.
 *
 * With a network of its own, servers on the host's loopback (systemd-resolved's 127.0.0.53) are not reached and left
 * out; where that leaves none there is none.
 *
 * @param host the text of the host's `/etc/resolv.conf`
 */
export function buildResolvConf(options: NetworkOptions, host: string): string {
  const found = parseResolvConf(host);
  const reached = options.network === "host"
    ? found.servers
    : found.servers.filter((address) => !/^(127\.|::1$)/.test(address));
  const search = (options.dnsSearch.length > 0 ? options.dnsSearch : found.search).filter((domain) => domain !== ".");
  const settings = options.dnsOptions.length > 0 ? options.dnsOptions : found.options;
  return lines([
    ...(options.dns.length > 0 ? options.dns : reached).map((address) => `nameserver ${address}`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...(settings.length === 0 ? [] : [`options ${settings.join(" ")}`]),
  ]);
}

interface ResolvConf {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** `man 5 resolv.conf`: the last `search` or `domain` counts, servers and options add up. */
function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  const options: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.replace(/[#;].*/, "").trim().split(/\s+/);
    if (word === "nameserver") servers.push(...rest.slice(0, 1));
    else if (word === "search" || word === "domain") search = rest;
    else if (word === "options") options.push(...rest);
  }
  return { servers, search, options };
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
