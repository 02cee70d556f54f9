/**
 * A registry that says just what a test wants, down to the bytes of its connections: one request for each of them.
 *
 * @module
 */
import { configOf, json, type MadeImage, sha256 } from "./images.ts";

/** A request, read whole. */
export interface Asked {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Headers;
  /** A character for each byte. */
  readonly body: string;
}

/** The other end of a connection. */
export interface Say {
  /** The status line and the headers; `Connection: close` is said as well. */
  head(status: number, headers?: Readonly<Record<string, string>>): Promise<void>;
  bytes(bytes: Uint8Array): Promise<void>;
  /** A whole answer. */
  all(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array | string): Promise<void>;
  /** Settles when the test is over, or the client hangs up. */
  silence(): Promise<void>;
}

/** Gives true where it has answered; else the registry does, as it should. */
export type Behaviour = (asked: Asked, say: Say) => Promise<boolean | void> | boolean | void;

/** A blob or a manifest. */
export interface Document {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** An image as a registry has it, by path. */
export type Documents = Map<string, Document>;

const OCI = "application/vnd.oci.image";

/** What a registry has of an image `web:1`. @param pack how layers are packed */
export function documentsOf(
  image: MadeImage,
  pack: (layer: Uint8Array) => Uint8Array,
  edit: (manifest: Record<string, unknown>) => unknown = (manifest) => manifest,
): Documents {
  const documents: Documents = new Map();
  const add = (bytes: Uint8Array, mediaType: string): Record<string, unknown> => {
    documents.set(`/v2/web/blobs/${sha256(bytes)}`, { type: "application/octet-stream", bytes });
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const layers = image.layers.map((layer) => add(pack(layer), `${OCI}.layer.v1.tar+gzip`));
  const config = add(configOf(image), `${OCI}.config.v1+json`);
  const mediaType = `${OCI}.manifest.v1+json`;
  const bytes = json(edit({ schemaVersion: 2, mediaType, config, layers }));
  for (const wanted of ["1", sha256(bytes)]) documents.set(`/v2/web/manifests/${wanted}`, { type: mediaType, bytes });
  return documents;
}

/** A server of 127.0.0.1, over TLS where it is given a certificate. */
export class FakeRegistry implements AsyncDisposable {
  /** Everything that was asked, in order. */
  readonly asked: Asked[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly #connections = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;

  private constructor(
    private readonly listener: Deno.Listener,
    readonly host: string,
    private readonly documents: Documents,
    private readonly behave: Behaviour,
  ) {
    this.#serving = this.#serve();
  }

  static start(
    documents: Documents,
    behave: Behaviour = () => false,
    tls?: { readonly cert: string; readonly key: string },
  ): FakeRegistry {
    const address = { hostname: "127.0.0.1", port: 0 };
    const listener = tls === undefined ? Deno.listen(address) : Deno.listenTls({ ...address, ...tls });
    return new FakeRegistry(listener, `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`, documents, behave);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.resolve();
    this.listener.close();
    for (const connection of this.#connections) hangUp(connection);
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      for await (const connection of this.listener) running.push(this.#answer(connection));
    } catch {
      // It is over.
    }
    await Promise.all(running);
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    this.#connections.add(connection);
    try {
      const asked = await readRequest(connection);
      if (asked === undefined) return;
      this.asked.push(asked);
      const say = this.#say(connection);
      if (await this.behave(asked, say) === true) return;
      const document = this.documents.get(asked.path);
      if (document !== undefined) return await say.all(200, { "Content-Type": document.type }, document.bytes);
      await say.all(asked.path === "/v2/" ? 200 : 404, { "Content-Type": "application/json" }, "{}");
    } catch {
      // The client has hung up.
    } finally {
      this.#connections.delete(connection);
      hangUp(connection);
    }
  }

  #say(connection: Deno.Conn): Say {
    const bytes = async (data: Uint8Array): Promise<void> => {
      for (let at = 0; at < data.length;) at += await connection.write(data.subarray(at));
    };
    const head = async (status: number, headers: Readonly<Record<string, string>> = {}): Promise<void> => {
      const lines = Object.entries({ ...headers, Connection: "close" }).map(([name, value]) => `${name}: ${value}\r\n`);
      await bytes(new TextEncoder().encode(`HTTP/1.1 ${status} Said\r\n${lines.join("")}\r\n`));
    };
    const all = async (
      status: number,
      headers: Readonly<Record<string, string>>,
      body: Uint8Array | string = "",
    ): Promise<void> => {
      const data = typeof body === "string" ? new TextEncoder().encode(body) : body;
      await head(status, { "Content-Length": String(data.length), ...headers });
      await bytes(data);
    };
    const silence = async (): Promise<void> => {
      await Promise.race([this.#over.promise, connection.read(new Uint8Array(1))]);
    };
    return { head, bytes, all, silence };
  }
}

function hangUp(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}

/** A character for each byte: what TextDecoder calls latin1 is windows-1252. */
function toText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

async function readRequest(connection: Deno.Conn): Promise<Asked | undefined> {
  let text = "";
  const buffer = new Uint8Array(65536);
  const more = async (): Promise<boolean> => {
    const got = await connection.read(buffer);
    if (got !== null) text += toText(buffer.subarray(0, got));
    return got !== null;
  };
  // Who begins to speak TLS is not understood.
  while (!text.includes("\r\n\r\n")) if (!await more() || text.startsWith("\x16")) return undefined;
  const end = text.indexOf("\r\n\r\n");
  const [line = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers(lines.map((header): [string, string] => {
    const colon = header.indexOf(":");
    return [header.slice(0, colon), header.slice(colon + 1).trim()];
  }));
  const length = Number(headers.get("content-length") ?? 0);
  while (text.length < end + 4 + length) if (!await more()) return undefined;
  const [method = "", path = ""] = line.split(" ");
  return { method, path, headers, body: text.slice(end + 4) };
}
