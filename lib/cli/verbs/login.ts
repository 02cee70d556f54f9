/**
 * `paddock login` and `paddock logout`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { Host, Words } from "../types.ts";
import { readRegistryOptions } from "../values/registry.ts";
import { isOn, lastValue } from "../words.ts";

/** Logs in to a registry, or says who is. */
export async function login(words: Words, host: Host): Promise<number> {
  const options = readRegistryOptions(words, host) ?? {};
  const { DEFAULT_REGISTRY, logIn, whoIsLoggedIn } = await import("../../runtime/login.ts");
  const registry = readRegistry(words) ?? DEFAULT_REGISTRY;
  if (isOn(words, "get-login")) {
    host.print(`${await whoIsLoggedIn(registry, options.authfile)}\n`);
    return 0;
  }
  const given = lastValue(words, "password");
  const fromStdin = isOn(words, "password-stdin");
  if (given !== undefined && fromStdin) throw new UsageError("--password and --password-stdin exclude each other");
  if (fromStdin && lastValue(words, "username") === undefined) {
    throw new UsageError("--password-stdin needs --username");
  }
  if (given !== undefined) {
    host.warn("paddock: a password on the command line can be seen by others: better --password-stdin\n");
  }
  const { askLine, readSecret } = await import("../ask.ts");
  const user = lastValue(words, "username") ?? await askLine("name", false);
  const password = given ?? (fromStdin ? await readSecret() : await askLine("password", true));
  if (user === "" || password === "") throw new UsageError("the name or the password is empty");
  if (user.includes(":")) throw new UsageError(`a name with a colon cannot be sent: '${user}'`);
  const where = await logIn(registry, user, password, options);
  host.print(`logged in to ${registry}; kept in ${where}\n`);
  return 0;
}

/** Forgets a login. */
export async function logout(words: Words, host: Host): Promise<number> {
  const { authfile } = readRegistryOptions(words, host) ?? {};
  const { DEFAULT_REGISTRY, logOut, logOutEverywhere } = await import("../../runtime/login.ts");
  if (isOn(words, "all")) {
    await logOutEverywhere(authfile);
    return 0;
  }
  const registry = readRegistry(words) ?? DEFAULT_REGISTRY;
  await logOut(registry, authfile);
  host.print(`logged out of ${registry}\n`);
  return 0;
}

/** `HOST[:PORT][/PATH]`; people paste addresses. */
function readRegistry(words: Words): string | undefined {
  const [given] = words.positionals;
  if (given === undefined) return undefined;
  const registry = given.replace(/^https?:\/\//, "").replace(/(\/v[12])?\/*$/, "");
  if (/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?(\/[a-z0-9._/-]+)?$/.test(registry)) {
    return registry === "index.docker.io" ? "docker.io" : registry;
  }
  throw new UsageError(`'${given}' is no registry`, { hint: "HOST[:PORT] is wanted" });
}
