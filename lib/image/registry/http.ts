/**
 * One HTTP request and its answer, as a client of registries needs them: redirects are answers like any other, silence
 * has an end, and a body is read piece by piece.
 *
 * Requests go through `fetch`. Where a certificate is not to be verified they go through node:https, which alone can be
 * told so, and so do streams, as `fetch` sends no Content-Length with them, which registries want.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import type { CertificateFiles } from "./certificates.ts";
import { Unreachable } from "./failure.ts";

/** What is asked. */
export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What is answered. Who has one reads it to its end or closes it. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The next piece of the body; undefined at its end. @throws Unreachable for a connection that breaks or is silent. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Lets it go, read or not. */
  close(): void;
}

/** How a server is spoken to. */
export interface Carrier {
  /** Milliseconds of silence after which a server is given up. */
  readonly idle: number;
  /** With certificates of its own. */
  readonly client?: Deno.HttpClient;
  /** The same for node:https, as PEM. */
  readonly files?: CertificateFiles;
  /** The server's certificate is not verified. */
  readonly unverified?: boolean;
}

/** Sends a request. @throws Unreachable where there is no answer. */
export async function sendRequest(url: URL, request: HttpRequest, carrier: Carrier): Promise<HttpAnswer> {
  const isUnverified = carrier.unverified === true && url.protocol === "https:";
  const isByNode = isUnverified || request.body instanceof ReadableStream;
  return isByNode ? await sendByNode(url, request, carrier) : await sendByFetch(url, request, carrier);
}

/** The rest of a body as text. @throws RangeError where it has more than `limit` bytes; Unreachable */
export async function readBody(answer: HttpAnswer, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const said = Number(answer.headers.get("content-length") ?? 0);
  let whole = new Uint8Array(Math.min(Math.max(said, 0) || 4096, limit));
  let length = 0;
  try {
    for (let piece = await answer.read(); piece !== undefined; piece = await answer.read()) {
      if (length + piece.length > limit) throw new RangeError(`more than ${limit} bytes`);
      if (length + piece.length > whole.length) {
        const larger = new Uint8Array(Math.min(limit, Math.max(2 * whole.length, length + piece.length)));
        larger.set(whole.subarray(0, length));
        whole = larger;
      }
      whole.set(piece, length);
      length += piece.length;
    }
  } finally {
    answer.close();
  }
  return whole.subarray(0, length);
}

/** After the silence this is how long a piece may still lie unread: the thread may have been busy. */
const GRACE = 500;

/**
 * Ends what waits too long. Who waits is told by a promise of its own: the runtime may have forgotten by then what is to
 * happen when a signal aborts (it holds the signal of a request weakly).
 */
class Watchdog {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fail: (failure: Unreachable) => void = () => {};

  constructor(private readonly idle: number, private readonly bite: (failure: Unreachable) => void) {}

  start(): void {
    this.stop();
    const bite = (): void => {
      const failure = new Unreachable(`silent for ${Math.round(this.idle / 100) / 10} s`);
      this.#fail(failure);
      this.bite(failure);
    };
    this.#timer = setTimeout(() => this.#timer = setTimeout(bite, Math.min(GRACE, this.idle)), this.idle);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Watches over one step. @throws Unreachable where it takes too long */
  async over<T>(step: Promise<T>): Promise<T> {
    const late = new Promise<never>((_, reject) => this.#fail = reject);
    this.start();
    try {
      return await Promise.race([step, late]);
    } finally {
      this.stop();
      // What comes too late is nobody's.
      step.catch(() => {});
    }
  }

  /** A body that is sent: each piece that goes is a sign of life. */
  follow(body: HttpRequest["body"]): HttpRequest["body"] {
    if (!(body instanceof ReadableStream)) return body;
    return body.pipeThrough(
      new TransformStream({
        transform: (piece, controller) => {
          this.start();
          controller.enqueue(piece);
        },
      }),
    );
  }
}

async function sendByFetch(url: URL, request: HttpRequest, { idle, client }: Carrier): Promise<HttpAnswer> {
  const controller = new AbortController();
  const watchdog = new Watchdog(idle, (failure) => controller.abort(failure));
  const body = watchdog.follow(request.body);
  try {
    const { signal } = controller;
    const { method, headers } = request;
    const init = { method, headers, signal, redirect: "manual", ...(body === undefined ? {} : { body }) } as const;
    const response = await watchdog.over(fetch(url, client === undefined ? init : { ...init, client }));
    const reader = response.body?.getReader();
    return {
      status: response.status,
      headers: response.headers,
      read: async () => {
        if (reader === undefined) return undefined;
        try {
          return (await watchdog.over(reader.read())).value as Uint8Array<ArrayBuffer> | undefined;
        } catch (error) {
          throw Unreachable.from(error);
        }
      },
      close: () => {
        watchdog.stop();
        // What was read to its end does not mind; the connection of what was not is closed.
        reader?.cancel().catch(() => {});
        controller.abort();
      },
    };
  } catch (error) {
    throw Unreachable.from(error);
  }
}

async function sendByNode(url: URL, request: HttpRequest, carrier: Carrier): Promise<HttpAnswer> {
  const { idle, unverified, files } = carrier;
  const isPlain = url.protocol === "http:";
  const [{ default: client }, { Readable }] = await Promise.all([
    isPlain ? import("node:http") : import("node:https"),
    import("node:stream"),
  ]);
  const { method, headers } = request;
  const tls = isPlain ? {} : unverified ? { rejectUnauthorized: false } : { ca: files?.authorities, ...files?.pair };
  const sent = client.request(url, { method, headers, ...tls } as RequestOptions);
  const watchdog = new Watchdog(idle, (failure) => sent.destroy(failure));
  const body = watchdog.follow(request.body);
  try {
    const answer = await watchdog.over(
      new Promise<IncomingMessage>((resolve, reject) => {
        sent.on("response", resolve);
        sent.on("error", reject);
        if (body instanceof ReadableStream) Readable.fromWeb(body as never).on("error", reject).pipe(sent);
        else sent.end(body);
      }),
    );
    const pieces = answer[Symbol.asyncIterator]();
    return {
      status: answer.statusCode ?? 0,
      headers: new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
      read: async () => {
        try {
          const { value, done } = await watchdog.over(pieces.next());
          return done ? undefined : value as Uint8Array<ArrayBuffer>;
        } catch (error) {
          throw Unreachable.from(error);
        }
      },
      close: () => {
        watchdog.stop();
        answer.destroy();
      },
    };
  } catch (error) {
    throw Unreachable.from(error);
  }
}
