/**
 * Names of images, by docker's rules (the `reference` package of github.com/distribution/reference). Pure.
 *
 * @module
 */

/** A name taken apart. */
export interface Reference {
  /** `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/alpine`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

const DEFAULT_DOMAIN = "docker.io";
const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,}$/;
const LONGEST = 255;

/**
 * Takes a name apart; a short one is completed: `alpine` is `docker.io/library/alpine`. No tag is added.
 *
 * @returns undefined for what can be no name.
 */
export function parseReference(text: string): Reference | undefined {
  const [, name = "", tag, digest] = /^(.+?)(?::([^:/@]+))?(?:@(.+))?$/.exec(text) ?? [];
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;
  const { domain, path } = splitDomain(name);
  if (!DOMAIN.test(domain) || path.length + domain.length > LONGEST) return undefined;
  if (!path.split("/").every((component) => COMPONENT.test(component))) return undefined;
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** The first word is a domain where it has a dot, a port or a capital letter, or is `localhost`. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain = slash > 0 && (/[.:A-Z]/.test(first) || first === "localhost");
  const domain = !isDomain || first === "index.docker.io" ? DEFAULT_DOMAIN : first;
  const path = isDomain ? name.slice(slash + 1) : name;
  return { domain, path: domain === DEFAULT_DOMAIN && !path.includes("/") ? `library/${path}` : path };
}

/** A name in full, with its tag, `latest` where it has none; undefined for what can be no name. */
export function completeName(text: string): string | undefined {
  const reference = parseReference(text);
  if (reference === undefined) return undefined;
  const { domain, path, tag, digest } = reference;
  const tail = tag !== undefined ? `:${tag}` : digest === undefined ? ":latest" : "";
  return `${domain}/${path}${tail}${digest === undefined ? "" : `@${digest}`}`;
}

/** A full name as docker shows it: `docker.io/library/alpine:3` is `alpine:3`. */
export function familiarName(name: string): string {
  return name.replace(/^docker\.io\/(library\/(?=[^/]+$))?/, "");
}
