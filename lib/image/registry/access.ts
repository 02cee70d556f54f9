/**
 * The way to registries for one command: what the user and the host's configuration say, brought together.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import type { RegistryOptions } from "../../spec/registry_options.ts";
import type { Reference } from "../reference.ts";
import type { Credentials } from "./authorizer.ts";
import { Connections } from "./connections.ts";
import { CredentialStore } from "./credential_store.ts";
import { type Endpoint, endpointOf } from "./endpoint.ts";
import type { RetryPolicy } from "./failure.ts";
import { chooseEndpoints, readRules, type RegistryRule } from "./registries_conf.ts";
import { RegistrySession } from "./session.ts";

const RETRIES = 4;
const DELAY = 250;

/** Opens sessions; its connections are closed when it is disposed. */
export class RegistryAccess implements Disposable {
  readonly #connections: Connections;
  readonly #retry: RetryPolicy;
  readonly #store: CredentialStore;

  constructor(private readonly options: RegistryOptions) {
    const { certDir, ca, timeout, authfile } = options;
    this.#connections = new Connections({
      ...(certDir === undefined ? {} : { certDir }),
      ...(ca === undefined ? {} : { ca }),
      ...(timeout === undefined ? {} : { idle: timeout * 1000 }),
    });
    this.#retry = { retries: options.retries ?? RETRIES, delay: DELAY };
    this.#store = new CredentialStore(authfile);
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }

  /** Where an image can be pulled from, the best first. @throws PaddockError for a registry that is blocked */
  async sessionsFor(reference: Reference): Promise<RegistrySession[]> {
    const endpoints = chooseEndpoints(await readConfiguration(), reference, this.#insecure());
    const own = endpoints.at(-1);
    return endpoints.map((endpoint) => this.#open(endpoint, endpoint === own ? this.#given() : undefined));
  }

  /** The registry itself, to which images are pushed: no mirror. @throws PaddockError where it is blocked */
  async sessionFor(reference: Reference): Promise<RegistrySession> {
    return (await this.sessionsFor(reference)).at(-1)!;
  }

  /** A registry without a repository. @param credentials to be tried in place of those that are kept */
  sessionOf(registry: string, credentials?: Credentials): RegistrySession {
    return this.#open(endpointOf(registry, "", this.#insecure()), credentials);
  }

  #open(endpoint: Endpoint, given: Credentials | undefined): RegistrySession {
    let found: Promise<Credentials | undefined> | undefined;
    return new RegistrySession(endpoint, {
      connections: this.#connections,
      credentials: () =>
        found ??= given === undefined
          ? this.#store.find(endpoint.registry, endpoint.repository)
          : Promise.resolve(given),
      retry: this.#retry,
    });
  }

  #insecure(): boolean | undefined {
    return this.options.tlsVerify === undefined ? undefined : !this.options.tlsVerify;
  }

  #given(): Credentials | undefined {
    const { creds } = this.options;
    if (creds === undefined) return undefined;
    const colon = creds.indexOf(":");
    return { kind: "password", user: creds.slice(0, colon), password: creds.slice(colon + 1) };
  }
}

/**
 * The rules of `registries.conf` and of the files beside it: the user's own where there is one, else the host's. A later
 * file's rule for a prefix takes the place of an earlier one's.
 */
async function readConfiguration(): Promise<RegistryRule[]> {
  const rules = new Map<string, RegistryRule>();
  for (const path of configurationFiles()) {
    let text: string;
    try {
      text = Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw new PaddockError(`"${path}": ${(error as Error).message}`, { cause: error });
    }
    const { parseToml } = await import("./toml.ts");
    for (const rule of readRules(parseToml(text, `"${path}"`), `"${path}"`)) rules.set(rule.prefix, rule);
  }
  return [...rules.values()];
}

function configurationFiles(): string[] {
  const given = Deno.env.get("CONTAINERS_REGISTRIES_CONF");
  if (given !== undefined && given !== "") return [given];
  const home = `${Deno.env.get("HOME") ?? "/root"}/.config/containers`;
  const main = [`${home}/registries.conf`, "/etc/containers/registries.conf"].find(isThere);
  const beside = ["/etc/containers", home].flatMap((directory) => listConfigurations(`${directory}/registries.conf.d`));
  return [...(main === undefined ? [] : [main]), ...beside];
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function listConfigurations(directory: string): string[] {
  try {
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => name.endsWith(".conf"));
    return names.sort().map((name) => `${directory}/${name}`);
  } catch {
    return [];
  }
}
