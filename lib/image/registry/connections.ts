/**
 * Connections to registries: each host with the certificates that are meant for it.
 *
 * @module
 */
import type { CertificateFiles } from "./certificates.ts";
import { findCertificates, readSystemRoots } from "./certificates.ts";
import type { Carrier } from "./http.ts";

/** What the user says of connections. */
export interface ConnectionOptions {
  /** Milliseconds of silence after which a server is given up; 30 s unless given. */
  readonly idle?: number;
  /** A directory of `*.crt`, `*.cert` and `*.key` in place of the usual ones. */
  readonly certDir?: string;
  /** A file of one more certificate authority. */
  readonly ca?: string;
}

const IDLE = 30_000;

/** All connections of one command; closed when it is disposed. */
export class Connections implements Disposable {
  readonly #clients = new Map<string, Deno.HttpClient | undefined>();

  constructor(private readonly options: ConnectionOptions = {}) {}

  /** How a host is spoken to. @param insecure its certificate is not verified. @throws PaddockError */
  carrier(url: URL, insecure: boolean): Carrier {
    const idle = this.options.idle ?? IDLE;
    if (url.protocol === "http:") return { idle };
    if (insecure) return { idle, unverified: true };
    if (!this.#clients.has(url.host)) this.#clients.set(url.host, this.#makeClient(url.host));
    const client = this.#clients.get(url.host);
    return client === undefined ? { idle } : { idle, client };
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client?.close();
    this.#clients.clear();
  }

  #makeClient(host: string): Deno.HttpClient {
    const { certDir, ca } = this.options;
    const files: CertificateFiles = findCertificates(host, { certDir, ca });
    const pair = files.pair === undefined ? {} : files.pair;
    return Deno.createHttpClient({ caCerts: [...readSystemRoots(), ...files.authorities], ...pair });
  }
}
