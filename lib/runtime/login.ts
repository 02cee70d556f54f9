/**
 * `paddock login` and `logout`.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { RegistryAccess } from "../image/registry/access.ts";
import { CredentialStore } from "../image/registry/credential_store.ts";
import { explainFailure } from "../image/registry/failure.ts";
import type { RegistryOptions } from "../spec/registry_options.ts";

/** What a registry is called where nothing is said: docker's. */
export const DEFAULT_REGISTRY = "docker.io";

/**
 * Shows a name and a password to a registry, and keeps them where it takes them.
 *
 * @param registry a host, or the beginning of a repository's name: `quay.io/team`.
 * @returns where they are kept: a file, or the name of a helper.
 * @throws PaddockError where the registry does not take them, or they cannot be kept.
 */
export async function logIn(
  registry: string,
  user: string,
  password: string,
  options: RegistryOptions,
): Promise<string> {
  const host = registry.replace(/\/.*$/, "");
  using access = new RegistryAccess(options);
  try {
    const session = access.sessionOf(host, { kind: "password", user, password });
    (await session.demand({ path: "/v2/", action: "none" })).close();
  } catch (error) {
    const explained = explainFailure(error, `login as ${JSON.stringify(user)}`, host);
    if (!isRefused(error)) throw explained;
    throw new PaddockError(`${host} does not take this name and this password`, {
      hint: "some registries want a token in place of the password",
      cause: error,
    });
  }
  return await new CredentialStore(options.authfile).keep(registry, user, password);
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && error.name === "Refusal" && "status" in error &&
    (error.status === 401 || error.status === 403);
}

/** Forgets a login. @throws PaddockError where there is none */
export async function logOut(registry: string, authfile: string | undefined): Promise<void> {
  if (await new CredentialStore(authfile).forget(registry)) return;
  throw new PaddockError(`nobody is logged in to ${registry}`);
}

/** Forgets all logins. */
export async function logOutEverywhere(authfile: string | undefined): Promise<void> {
  await new CredentialStore(authfile).forgetAll();
}

/** Who is logged in. @throws PaddockError where nobody is */
export async function whoIsLoggedIn(registry: string, authfile: string | undefined): Promise<string> {
  const [host = "", ...path] = registry.split("/");
  const found = await new CredentialStore(authfile).find(host, path.join("/"));
  if (found === undefined) throw new PaddockError(`nobody is logged in to ${registry}`);
  return found.kind === "password" ? found.user : "<token>";
}
