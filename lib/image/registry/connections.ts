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
  readonly #clients = new Map<string, Pick<Required<Carrier>, "client" | "files">>();

  constructor(private readonly options: ConnectionOptions = {}) {}

  /** How a host is spoken to. @param insecure its certificate is not verified. @throws PaddockError */
  carrier(url: URL, insecure: boolean): Carrier {
    const idle = this.options.idle ?? IDLE;
    if (url.protocol === "http:") return { idle };
    if (insecure) return { idle, unverified: true };
    const known = this.#clients.get(url.host) ?? this.#makeClient(url.host);
    this.#clients.set(url.host, known);
    return { idle, ...known };
  }

  [Symbol.dispose](): void {
    for (const { client } of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #makeClient(host: string): Pick<Required<Carrier>, "client" | "files"> {
    const { certDir, ca } = this.options;
    const found = findCertificates(host, { certDir, ca });
    const files: CertificateFiles = { ...found, authorities: [...readSystemRoots(), ...found.authorities] };
    return { client: Deno.createHttpClient({ caCerts: [...files.authorities], ...files.pair }), files };
  }
}
