/**
 * Where the user's credentials are: files, in podman's order and then docker's, and the helpers that they name.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { writeWhole } from "../blobs.ts";
import { type AuthFile, editAuthFile, findEntry, findHelper, keyOf, parseAuthFile } from "./auth_file.ts";
import type { Credentials } from "./authorizer.ts";
import { askHelper, clearHelper, giveHelper } from "./credential_helper.ts";

/** Credentials of one user. */
export class CredentialStore {
  readonly #paths: readonly string[];
  readonly #isNamed: boolean;

  /** @param authfile the one file that is meant; without it, REGISTRY_AUTH_FILE or all the usual ones. */
  constructor(authfile?: string) {
    const named = authfile ?? nonEmpty(Deno.env.get("REGISTRY_AUTH_FILE"));
    this.#isNamed = authfile !== undefined;
    this.#paths = named === undefined ? usualPaths() : [named];
  }

  /** What there is for a repository; undefined for nothing. @throws PaddockError for a file or a helper that fails */
  async find(registry: string, repository: string): Promise<Credentials | undefined> {
    for (const path of this.#paths) {
      const file = this.#read(path);
      const found = file === undefined ? undefined : await findIn(file, registry, repository);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Keeps a login. @returns the file, or the helper, that has it now */
  async keep(registry: string, user: string, password: string): Promise<string> {
    const path = this.#pathFor(registry);
    const text = readText(path) ?? "";
    const file = parseAuthFile(text, path);
    const key = keyOf(registry);
    const old = findEntry(file, registry, "")?.key;
    const keys = [...new Set([key, ...(old === undefined ? [] : [old])])];
    const helper = findHelper(file, registry);
    if (helper !== undefined) await giveHelper(helper, key, user, password);
    const entry: Record<string, string> = helper === undefined ? { auth: encode(`${user}:${password}`) } : {};
    write(path, editAuthFile(text, path, keys, entry));
    return helper === undefined ? path : `docker-credential-${helper}`;
  }

  /** Forgets a login wherever it is. @returns whether there was one */
  async forget(registry: string): Promise<boolean> {
    let isGone = false;
    for (const path of this.#paths) {
      for (;;) {
        const text = readText(path);
        const file = text === undefined ? undefined : parseAuthFile(text, path);
        if (text === undefined || file === undefined) break;
        const found = findEntry(file, registry, "");
        const helper = findHelper(file, registry);
        if (helper !== undefined && await askHelper(helper, keyOf(registry)) !== undefined) {
          await clearHelper(helper, keyOf(registry));
          isGone = true;
        }
        if (found === undefined) break;
        write(path, editAuthFile(text, path, [found.key], undefined));
        isGone = true;
      }
    }
    return isGone;
  }

  /** Forgets all logins of these files. */
  async forgetAll(): Promise<void> {
    for (const path of this.#paths) {
      const text = readText(path);
      if (text === undefined) continue;
      const file = parseAuthFile(text, path);
      for (const key of file.auths.keys()) {
        const helper = findHelper(file, key);
        if (helper !== undefined) await clearHelper(helper, key);
      }
      if (file.auths.size > 0) write(path, editAuthFile(text, path, [...file.auths.keys()], undefined));
    }
  }

  /** The file that has the registry already, else docker's. */
  #pathFor(registry: string): string {
    const has = (path: string): boolean => {
      const text = readText(path);
      return text !== undefined && findEntry(parseAuthFile(text, path), registry, "") !== undefined;
    };
    return this.#paths.find(has) ?? this.#paths.at(-1)!;
  }

  #read(path: string): AuthFile | undefined {
    const text = readText(path);
    if (text !== undefined) return parseAuthFile(text, path);
    if (!this.#isNamed) return undefined;
    throw new PaddockError(`"${path}": no such file`, { hint: "paddock login --authfile FILE makes one" });
  }
}

async function findIn(file: AuthFile, registry: string, repository: string): Promise<Credentials | undefined> {
  const entry = findEntry(file, registry, repository)?.entry;
  if (entry?.credentials !== undefined) return entry.credentials;
  const helper = findHelper(file, registry);
  return helper === undefined ? undefined : await askHelper(helper, keyOf(registry));
}

/** podman's, which a reboot forgets, podman's that stays, docker's. */
function usualPaths(): string[] {
  const home = nonEmpty(Deno.env.get("HOME")) ?? "/root";
  const runtime = nonEmpty(Deno.env.get("XDG_RUNTIME_DIR"));
  const config = nonEmpty(Deno.env.get("XDG_CONFIG_HOME")) ?? `${home}/.config`;
  const docker = nonEmpty(Deno.env.get("DOCKER_CONFIG")) ?? `${home}/.docker`;
  return [
    runtime === undefined ? `/run/containers/${Deno.uid()}/auth.json` : `${runtime}/containers/auth.json`,
    `${config}/containers/auth.json`,
    `${docker}/config.json`,
  ];
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function encode(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new PaddockError(`"${path}": ${(error as Error).message}`, { cause: error });
  }
}

/** Readable by its owner alone, whatever it was. */
function write(path: string, text: string): void {
  try {
    Deno.mkdirSync(path.replace(/\/[^/]*$/, "") || "/", { recursive: true, mode: 0o700 });
    writeWhole(path, new TextEncoder().encode(text));
  } catch (error) {
    throw new PaddockError(`cannot keep credentials in "${path}": ${(error as Error).message}`, { cause: error });
  }
}
