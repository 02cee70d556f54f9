/**
 * Stand-in for `@std/path` on Linux, for hosts that cannot reach JSR.
 *
 * Not over `node:path`: the first import of a `node:` module costs 30 ms, half as much as all the rest of a start.
 *
 * @module
 */

/** What separates the parts of a path. */
export const SEPARATOR = "/";

/** True for a path that begins at the root. */
export function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}

/** The path without `.`, `..` and doubled separators, as far as the text alone tells; `.` for an empty one. */
export function normalize(path: string): string {
  if (path === "") return ".";
  const absolute = isAbsolute(path);
  const text = cleanParts(path, absolute).join("/");
  const end = path.endsWith("/") && text !== "" ? "/" : "";
  return absolute ? `/${text}${end}` : text === "" ? (path.endsWith("/") ? "./" : ".") : text + end;
}

/** The parts put together with separators between them, normalized. */
export function join(...parts: string[]): string {
  return normalize(parts.filter((part) => part !== "").join("/"));
}

/** An absolute path: the parts from the last absolute one on, below the working directory if there is none. */
export function resolve(...parts: string[]): string {
  const start = parts.findLastIndex(isAbsolute);
  const used = start < 0 ? [Deno.cwd(), ...parts] : parts.slice(start);
  return `/${cleanParts(used.join("/"), true).join("/")}`;
}

/** The way from one path to another. */
export function relative(from: string, to: string): string {
  const [here, there] = [resolve(from), resolve(to)].map((path) => path.split("/").filter((part) => part !== ""));
  let shared = 0;
  while (shared < here!.length && here![shared] === there![shared]) shared++;
  return [...here!.slice(shared).map(() => ".."), ...there!.slice(shared)].join("/");
}

/** The path without its last part. */
export function dirname(path: string): string {
  if (path === "") return ".";
  const end = withoutEnd(path);
  const at = end.lastIndexOf("/");
  if (at < 0) return path.startsWith("/") ? "/" : ".";
  return withoutEnd(end.slice(0, at + 1)) || "/";
}

/** The last part of the path, without the suffix. */
export function basename(path: string, suffix = ""): string {
  const end = withoutEnd(path);
  const name = end.slice(end.lastIndexOf("/") + 1);
  if (name === "" && path.startsWith("/")) return "/";
  return suffix !== "" && suffix !== name && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

/** The last part's extension with its dot; empty where there is none. */
export function extname(path: string): string {
  const name = basename(path);
  const at = name.lastIndexOf(".");
  return at > 0 && name !== ".." ? name.slice(at) : "";
}

/** The path of a file URL. */
export function fromFileUrl(url: string | URL): string {
  const { protocol, pathname } = new URL(url);
  if (protocol !== "file:") throw new TypeError(`path: a file URL is needed, not "${protocol}"`);
  return decodeURIComponent(pathname);
}

/** The file URL of an absolute path. */
export function toFileUrl(path: string): URL {
  if (!isAbsolute(path)) throw new TypeError(`path: an absolute path is needed, not "${path}"`);
  const url = new URL("file:///");
  url.pathname = path.replaceAll("%", "%25").replaceAll("\\", "%5C").replaceAll("\n", "%0A").replaceAll("\t", "%09");
  return url;
}

function cleanParts(path: string, absolute: boolean): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!absolute) parts.push("..");
  }
  return parts;
}

function withoutEnd(path: string): string {
  return path.replace(/\/+$/, "");
}
