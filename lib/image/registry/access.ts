/**
 * The way to registries for one command: what the user and the host's configuration say, brought together.
 *
 * @module
 */
import type { RegistryOptions } from "../../spec/registry_options.ts";
import type { Reference } from "../reference.ts";
import { Connections } from "./connections.ts";
import { endpointOf } from "./endpoint.ts";
import type { RetryPolicy } from "./failure.ts";
import { RegistrySession } from "./session.ts";

const RETRIES = 4;
const DELAY = 250;

/** Opens sessions; its connections are closed when it is disposed. */
export class RegistryAccess implements Disposable {
  readonly #connections: Connections;
  readonly #retry: RetryPolicy;

  constructor(private readonly options: RegistryOptions) {
    const { certDir, ca, timeout } = options;
    this.#connections = new Connections({
      ...(certDir === undefined ? {} : { certDir }),
      ...(ca === undefined ? {} : { ca }),
      ...(timeout === undefined ? {} : { idle: timeout * 1000 }),
    });
    this.#retry = { retries: options.retries ?? RETRIES, delay: DELAY };
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }

  /** Where an image can be pulled from, the best first. @throws PaddockError for a registry that is blocked */
  sessionsFor({ domain, path }: Reference): RegistrySession[] {
    const insecure = this.options.tlsVerify === undefined ? undefined : !this.options.tlsVerify;
    const options = {
      connections: this.#connections,
      credentials: () => Promise.resolve(undefined),
      retry: this.#retry,
    };
    return [new RegistrySession(endpointOf(domain, path, insecure), options)];
  }
}
