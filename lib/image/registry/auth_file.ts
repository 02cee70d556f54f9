/**
 * Files of credentials, as docker (`config.json`) and podman (`man 5 containers-auth.json`) keep them. Pure.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { JsonPlace, parseJson, readObject, readText, readTextMap } from "../json_place.ts";
import type { Credentials } from "./authorizer.ts";

/** What a file holds. Everything else in it is other programs' and stays. */
export interface AuthFile {
  /** By registry, or a registry's path. */
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** Names of the programs that keep a registry's credentials, by registry. */
  readonly credHelpers: Readonly<Record<string, string>>;
  /** Name of the program that keeps all others. */
  readonly credsStore?: string;
}

/** One registry's entry; an empty one says that a program keeps it. */
export interface AuthEntry {
  readonly credentials?: Credentials;
}

/** Names that all stand for docker.io. */
const DOCKER_HUB = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/** What docker calls docker.io in its files, and to its helpers. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/** What a registry is called in files that are written, and by helpers. */
export function keyOf(registry: string): string {
  return DOCKER_HUB.includes(registry) ? DOCKER_HUB_KEY : registry;
}

/** Reads a file. @throws PaddockError with the place in it that makes no sense */
export function parseAuthFile(text: string, path: string): AuthFile {
  const at = new JsonPlace(`"${path}"`, "it is written by: paddock login, docker login, podman login");
  const value = text.trim() === "" ? {} : readObject(parseJson(text, at), at);
  const { auths = {}, credHelpers = {}, credsStore } = value;
  const entries = Object.entries(readObject(auths, at.child(".auths")));
  return {
    auths: new Map(entries.map(([key, entry]) => [key, readEntry(entry, at.child(`.auths[${JSON.stringify(key)}]`))])),
    credHelpers: readTextMap(credHelpers, at.child(".credHelpers")),
    ...(credsStore === undefined || credsStore === ""
      ? {}
      : { credsStore: readText(credsStore, at.child(".credsStore")) }),
  };
}

function readEntry(value: unknown, at: JsonPlace): AuthEntry {
  const { auth, username, password, identitytoken, registrytoken } = readObject(value, at);
  if (registrytoken !== undefined && registrytoken !== "") {
    return { credentials: { kind: "bearer", token: readText(registrytoken, at.child(".registrytoken")) } };
  }
  if (identitytoken !== undefined && identitytoken !== "") {
    return { credentials: { kind: "identity", token: readText(identitytoken, at.child(".identitytoken")) } };
  }
  if (auth !== undefined && auth !== "") {
    return { credentials: { kind: "password", ...decodeAuth(readText(auth, at.child(".auth")), at.child(".auth")) } };
  }
  if (typeof username !== "string" || username === "") return {};
  return { credentials: { kind: "password", user: username, password: typeof password === "string" ? password : "" } };
}

function decodeAuth(text: string, at: JsonPlace): { readonly user: string; readonly password: string } {
  let plain: string;
  try {
    plain = new TextDecoder().decode(Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0)));
  } catch {
    return at.fail("no base64");
  }
  const colon = plain.indexOf(":");
  if (colon < 0) at.fail("USER:PASSWORD in base64 is wanted");
  // docker fills it up with NULs.
  return { user: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, "") };
}

/**
 * The entry for a repository: of its whole name, of the longest beginning of that, of the registry.
 *
 * @param repository may be empty: the registry itself.
 */
export function findEntry(
  { auths }: AuthFile,
  registry: string,
  repository: string,
): { readonly key: string; readonly entry: AuthEntry } | undefined {
  const hosts = DOCKER_HUB.includes(registry) ? DOCKER_HUB : [registry];
  const parts = repository === "" ? [] : repository.split("/");
  for (let length = parts.length; length >= 0; length--) {
    for (const host of hosts) {
      const key = [host, ...parts.slice(0, length)].join("/");
      const entry = auths.get(key);
      if (entry !== undefined) return { key, entry };
    }
  }
  // docker writes addresses.
  for (const [key, entry] of auths) {
    const host = key.replace(/^https?:\/\//, "");
    if (host !== key && hosts.includes(host.replace(/\/.*$/, ""))) return { key, entry };
  }
  return undefined;
}

/** The name of the program that keeps a registry's credentials. @throws PaddockError for what is no such name */
export function findHelper({ credHelpers, credsStore }: AuthFile, registry: string): string | undefined {
  const hosts = DOCKER_HUB.includes(registry) ? [...DOCKER_HUB, DOCKER_HUB_KEY] : [registry];
  const own = hosts.map((host) => credHelpers[host]).find((name) => name !== undefined && name !== "");
  const name = own ?? credsStore;
  // It becomes part of a program's name.
  if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new PaddockError(`${JSON.stringify(name)} is no name of a credential helper`);
  }
  return name;
}

/** A file with a registry's entry changed. @param entry undefined takes it away. @throws PaddockError */
export function editAuthFile(
  text: string,
  path: string,
  keys: readonly string[],
  entry: Readonly<Record<string, string>> | undefined,
): string {
  const at = new JsonPlace(`"${path}"`, "repair it, or name another with --authfile");
  const value = text.trim() === "" ? {} : readObject(parseJson(text, at), at);
  const auths = new Map(Object.entries(readObject(value.auths ?? {}, at.child(".auths"))));
  for (const [i, key] of keys.entries()) {
    if (entry !== undefined && i === 0) auths.set(key, entry);
    else auths.delete(key);
  }
  return `${JSON.stringify({ ...value, auths: Object.fromEntries(auths) }, undefined, "\t")}\n`;
}
