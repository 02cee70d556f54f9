/**
 * `registries.conf`, version 2 (`man 5 containers-registries.conf`), as far as it says where images are pulled from:
 * `[[registry]]` with `prefix`, `location`, `insecure`, `blocked` and `[[registry.mirror]]`. Short names are docker.io's,
 * as docker has it: lists of search registries and aliases are podman's alone. Pure.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import type { TomlTable, TomlValue } from "./toml.ts";
import type { Reference } from "../reference.ts";
import { type Endpoint, endpointOf } from "./endpoint.ts";

/** A place that stands for names that begin in some way. */
export interface RegistryRule {
  /** A registry, a part of its paths, or `*.DOMAIN`. */
  readonly prefix: string;
  /** What the prefix is really called; absent: the same. */
  readonly location?: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrorByDigestOnly: boolean;
  readonly mirrors: readonly Mirror[];
}

/** A further place that is asked before. */
export interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly pulls: "all" | "digest-only" | "tag-only";
}

/** The rules of a file. @param subject names it. @throws PaddockError for what makes no sense */
export function readRules(document: TomlTable, subject: string): RegistryRule[] {
  if (document.registries !== undefined) {
    throw new PaddockError(`${subject}: it is of version 1`, {
      hint: "write [[registry]] tables: see its manual page",
    });
  }
  return readTables(document.registry, `${subject}: registry`).map((table, i) => {
    const at = `${subject}: registry ${i + 1}`;
    const location = readOptionalText(table.location, `${at}: location`);
    const prefix = readOptionalText(table.prefix, `${at}: prefix`) ?? location;
    if (prefix === undefined) throw new PaddockError(`${at}: neither prefix nor location`);
    if (prefix.startsWith("*.") && location !== undefined && table.prefix === undefined) {
      throw new PaddockError(`${at}: location: a wildcard may stand in a prefix alone`);
    }
    return {
      prefix,
      ...(location === undefined || location === prefix ? {} : { location }),
      insecure: readFlag(table.insecure, `${at}: insecure`),
      blocked: readFlag(table.blocked, `${at}: blocked`),
      mirrorByDigestOnly: readFlag(table["mirror-by-digest-only"], `${at}: mirror-by-digest-only`),
      mirrors: readTables(table.mirror, `${at}: mirror`).map((mirror, m) =>
        readMirror(mirror, `${at}: mirror ${m + 1}`)
      ),
    };
  });
}

/**
 * Where an image is pulled from, the best first.
 *
 * @param insecure as the user says; it counts for all places.
 * @throws PaddockError where the configuration forbids it
 */
export function chooseEndpoints(
  rules: readonly RegistryRule[],
  reference: Reference,
  insecure: boolean | undefined,
): Endpoint[] {
  const { domain, path, digest } = reference;
  const name = `${domain}/${path}`;
  const rule = findRule(rules, reference);
  if (rule === undefined) return [endpointOf(domain, path, insecure)];
  if (rule.blocked) {
    throw new PaddockError(`"${name}" is blocked by registries.conf (prefix ${JSON.stringify(rule.prefix)})`);
  }
  const mirrors = rule.mirrors.filter(({ pulls }) =>
    digest === undefined ? pulls !== "digest-only" && !rule.mirrorByDigestOnly : pulls !== "tag-only"
  );
  const own = { location: rule.location ?? rule.prefix, insecure: rule.insecure };
  return [...mirrors, own].map((place) => {
    const full = rule.prefix.startsWith("*.") && rule.location === undefined && place === own
      ? name
      : `${place.location}${name.slice(prefixLength(rule.prefix, name))}`;
    const slash = full.indexOf("/");
    if (slash < 0) throw new PaddockError(`registries.conf: ${JSON.stringify(place.location)} leads to no repository`);
    const says = insecure ?? (place.insecure ? true : undefined);
    return endpointOf(full.slice(0, slash), full.slice(slash + 1), says);
  });
}

/** The rule of the longest prefix. */
function findRule(rules: readonly RegistryRule[], { domain, path, tag, digest }: Reference): RegistryRule | undefined {
  const name = `${domain}/${path}`;
  const whole = `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  const matching = rules.filter(({ prefix }) => {
    if (prefix.startsWith("*.")) {
      return domain.replace(/:\d+$/, "").endsWith(prefix.slice(1)) || domain.endsWith(prefix.slice(1));
    }
    return whole === prefix || (whole.startsWith(prefix) && "/:@".includes(whole[prefix.length]!));
  });
  return matching.sort((a, b) => b.prefix.length - a.prefix.length)[0];
}

function prefixLength(prefix: string, name: string): number {
  return prefix.startsWith("*.") ? name.indexOf("/") : Math.min(prefix.length, name.length);
}

function readMirror(table: TomlTable, at: string): Mirror {
  const location = readOptionalText(table.location, `${at}: location`);
  if (location === undefined) throw new PaddockError(`${at}: location is missing`);
  const pulls = readOptionalText(table["pull-from-mirror"], `${at}: pull-from-mirror`) ?? "all";
  if (pulls !== "all" && pulls !== "digest-only" && pulls !== "tag-only") {
    throw new PaddockError(`${at}: pull-from-mirror: ${JSON.stringify(pulls)} is not all, digest-only or tag-only`);
  }
  return { location, insecure: readFlag(table.insecure, `${at}: insecure`), pulls };
}

function readTables(value: TomlValue | undefined, at: string): TomlTable[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.some((entry) => typeof entry !== "object")) {
    throw new PaddockError(`${at}: [[…]] is wanted`);
  }
  return value as TomlTable[];
}

/** A place is a host and perhaps a path: no `https://`, nothing behind. */
function readOptionalText(value: TomlValue | undefined, at: string): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string" || /:\/\/|\s|\/$/.test(value)) {
    throw new PaddockError(`${at}: ${JSON.stringify(value)} is no HOST[:PORT][/PATH]`);
  }
  return value;
}

function readFlag(value: TomlValue | undefined, at: string): boolean {
  if (value !== undefined && typeof value !== "boolean") throw new PaddockError(`${at}: true or false is wanted`);
  return value ?? false;
}
