/**
 * Uploads a blob (distribution-spec, "Pushing blobs"): whole in one request, or in chunks where that is wanted or where
 * one request is too large for the registry. What broke off goes on where the registry has got to.
 *
 * An upload goes where the registry says, which may be on another origin: nothing that says who asks goes along there.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { escapeControl } from "../../base/text.ts";
import type { BlobDescriptor } from "../image_origin.ts";
import { explainFailure, Refusal, Unreachable } from "./failure.ts";
import { type Arrived, readLocation } from "./follow.ts";
import type { Ask, RegistrySession } from "./session.ts";

/** A blob that lies in a file. */
export interface BlobFile extends BlobDescriptor {
  readonly path: string;
}

/** How a blob is uploaded. */
export interface UploadOptions {
  /** Bytes of each request; absent: all in one. */
  readonly chunk?: number;
  /** What it is, for errors: `layer 2 of 5`. */
  readonly what: string;
  /** An upload that the registry has begun already. */
  readonly begun?: Begun;
  readonly onProgress: (bytes: number) => void;
}

/** Where an upload goes on. */
export interface Begun {
  readonly location: URL;
  readonly isAbroad: boolean;
  /** Bytes that a chunk must have at least. */
  readonly least: number;
}

/** A try that brings as many bytes is no failed one. */
const PROGRESS = 1 << 20;
/** Bytes of a chunk where one request is too large for the registry, and the least that is tried then. */
const FIRST_CHUNK = 16 << 20;
const LEAST_CHUNK = 1 << 20;
const PUSH = { action: "pull,push" } as const;

/** Uploads a blob. @throws PaddockError where the registry does not take it */
export async function uploadBlob(session: RegistrySession, blob: BlobFile, options: UploadOptions): Promise<void> {
  const upload = new Upload(session, blob, options);
  for (let tries = 1;;) {
    const before = upload.offset;
    try {
      return await upload.run();
    } catch (error) {
      if (upload.offset - before >= PROGRESS) tries = 1;
      const wait = upload.adapt(error) ? 0 : session.waitAfter(upload.judge(error), tries++);
      if (wait === undefined) throw explainFailure(error, options.what, session.endpoint.registry);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

/** Does the repository have a blob? @throws Refusal, Unreachable */
export async function hasBlob(session: RegistrySession, { digest, size }: BlobDescriptor): Promise<boolean> {
  const path = `${session.base}/blobs/${digest}`;
  const answer = await session.demand({ ...PUSH, method: "HEAD", path, expect: [200, 404] });
  answer.close();
  const length = answer.headers.get("content-length");
  const said = answer.headers.get("docker-content-digest");
  // A registry that says something else of it shall have it once more.
  return answer.status === 200 && (said === null || said === digest) && (length === null || Number(length) === size);
}

/**
 * Takes a blob over from another repository of the registry.
 *
 * @returns true where it is there now; else an upload, where the registry has begun one instead.
 */
export async function mountBlob(
  session: RegistrySession,
  { digest }: BlobDescriptor,
  from: string,
): Promise<true | Begun | undefined> {
  try {
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    const answer = await session.demand({
      ...PUSH,
      alsoReads: from,
      method: "POST",
      path: `${session.base}/blobs/uploads/?${query}`,
      headers: { "content-length": "0" },
      expect: [201, 202],
    });
    answer.close();
    if (answer.status === 201) return true;
    return readBegun(answer, session);
  } catch (error) {
    // It is not ours to read, or the registry does not know of this: then it is uploaded.
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** One blob on its way. */
class Upload {
  /** Bytes that the registry has. */
  offset = 0;
  #begun: Begun | undefined;
  #chunk: number | undefined;
  /** Did a try fail? Then it is not known how far the registry has got. */
  #isInDoubt = false;
  #refusesChunks = false;
  /** The end of what was ever sent. */
  #sent = 0;

  constructor(
    private readonly session: RegistrySession,
    private readonly blob: BlobFile,
    private readonly options: UploadOptions,
  ) {
    this.#begun = options.begun;
    this.#chunk = options.chunk;
  }

  /** Until it is there. @throws Refusal, Unreachable, PaddockError */
  async run(): Promise<void> {
    if (this.#isInDoubt && await this.#isThereNow()) return;
    this.#isInDoubt = true;
    this.#begun ??= await this.#begin();
    if (this.#chunk === undefined && this.offset === 0) return await this.#finish(true);
    while (this.offset < this.blob.size) await this.#sendChunk(this.#begun);
    await this.#finish(false);
  }

  /** Can it be done otherwise after this? Then at once. */
  adapt(error: unknown): boolean {
    if (!(error instanceof Refusal)) return false;
    if (error.status === 413 && !this.#refusesChunks) {
      const smaller = this.#chunk === undefined ? FIRST_CHUNK : this.#chunk / 4;
      if (smaller < LEAST_CHUNK) return false;
      this.#chunk = smaller;
      return this.#startOver();
    }
    const wasChunk = this.#sent > 0 && (this.#chunk !== undefined || this.offset > 0);
    if (!wasChunk || this.#refusesChunks || !REFUSES_CHUNKS.includes(error.status)) return false;
    this.#refusesChunks = true;
    this.#chunk = undefined;
    return this.#startOver();
  }

  /** What is to be made of an error: an upload that the registry does not know any more is begun once more. */
  judge(error: unknown): unknown {
    const isLost = error instanceof Refusal && this.#begun !== undefined &&
      (error.status === 404 || error.status === 416 ||
        (this.#begun.isAbroad && [401, 403, 410].includes(error.status)));
    if (!isLost) return error;
    this.#startOver();
    return new Unreachable(error.message);
  }

  #startOver(): true {
    this.#begun = undefined;
    this.offset = 0;
    return true;
  }

  async #begin(): Promise<Begun> {
    const answer = await this.session.once({
      ...PUSH,
      method: "POST",
      path: `${this.session.base}/blobs/uploads/`,
      headers: { "content-length": "0" },
      expect: [202],
    });
    answer.close();
    const begun = readBegun(answer, this.session);
    if (begun !== undefined) return begun;
    throw new PaddockError(`${this.options.what}: ${this.session.endpoint.registry} does not say where it goes`);
  }

  /** After a failure: is it there, though we have not heard of it, or how much of it is? */
  async #isThereNow(): Promise<boolean> {
    if (await hasBlob(this.session, this.blob)) return true;
    if (this.#begun === undefined || this.#refusesChunks) {
      this.#startOver();
      return false;
    }
    try {
      const answer = await this.#ask({ path: this.#begun.location, expect: [204, 200, 202] });
      answer.close();
      const offset = readRange(answer);
      if (offset === undefined || offset > this.#sent) return !this.#startOver();
      this.offset = offset;
      this.#goOn(answer);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#startOver();
    }
    return false;
  }

  async #sendChunk({ location, least }: Begun): Promise<void> {
    const end = Math.min(this.offset + Math.max(this.#chunk ?? this.blob.size, least), this.blob.size);
    const answer = await this.#send("PATCH", location, this.offset, end, [202, 201, 204]);
    const now = readRange(answer) ?? end;
    if (now <= this.offset || now > end) throw new Unreachable(`it has taken nothing of ${end - this.offset} bytes`);
    this.offset = now;
    this.#goOn(answer);
  }

  /** @param whole with all of the blob, of which nothing has gone so far */
  async #finish(whole: boolean): Promise<void> {
    const { digest, size } = this.blob;
    const location = withDigest(this.#begun!.location, digest);
    const answer = await this.#send("PUT", location, whole ? 0 : size, size, [201, 200, 204]);
    requireSameDigest(answer, digest, this.options.what, this.session.endpoint.registry);
    this.offset = size;
  }

  async #send(method: "PUT" | "PATCH", location: URL, from: number, to: number, expect: number[]): Promise<Arrived> {
    // Better before a long body than behind it.
    if (!this.#begun!.isAbroad && this.session.isStale(PUSH)) await hasBlob(this.session, this.blob);
    const isPart = method === "PATCH";
    this.#sent = Math.max(this.#sent, to);
    const answer = await this.#ask({
      method,
      path: location,
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(to - from),
        ...(isPart ? { "content-range": `${from}-${to - 1}` } : {}),
      },
      ...(to === from ? {} : { body: () => readPart(this.blob.path, from, to, this.options.onProgress) }),
      expect,
    });
    answer.close();
    return answer;
  }

  async #ask(ask: Ask): Promise<Arrived> {
    const isAbroad = this.#begun!.isAbroad || new URL(ask.path).origin !== await this.session.origin();
    return await this.session.once({ ...PUSH, ...ask, isAbroad });
  }

  #goOn(answer: Arrived): void {
    const { least, isAbroad } = this.#begun!;
    const next = readBegun(answer, this.session);
    if (next !== undefined) this.#begun = { ...next, least, isAbroad: isAbroad || next.isAbroad };
  }
}

/** What registries answer to chunks that do not take any. */
const REFUSES_CHUNKS = [400, 404, 405, 411, 415, 416, 501];

/** @throws PaddockError where a registry says that what it has got is something else */
export function requireSameDigest({ headers }: Arrived, digest: string, what: string, registry: string): void {
  const said = headers.get("docker-content-digest");
  if (said === null || said === digest || said.split(":")[0] !== digest.split(":")[0]) return;
  const shown = escapeControl(said).slice(0, 80);
  throw new PaddockError(`${what}: ${registry} says that it has got ${shown}, and sent was ${digest}`, {
    hint: "something between here and there changes what is sent",
  });
}

function readBegun({ headers, url, isAbroad }: Arrived, session: RegistrySession): Begun | undefined {
  const location = headers.get("location");
  if (location === null) return undefined;
  const least = Number(headers.get("oci-chunk-min-length") ?? 0);
  return {
    location: readLocation(location, url, session.endpoint.registry),
    isAbroad,
    least: Number.isSafeInteger(least) && least > 0 ? least : 0,
  };
}

/** `Range: 0-N` as the number of bytes that are there; `0-0` is what registries say of none. */
function readRange({ headers }: Arrived): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(headers.get("range") ?? "") ?? [];
  return last === undefined ? undefined : Number(last) === 0 ? 0 : Number(last) + 1;
}

/** The query stays as it is, to the letter: it may be signed. */
function withDigest(location: URL, digest: string): URL {
  const url = new URL(location);
  url.search = `${url.search}${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
  return url;
}

const PIECE = 1 << 17;

/** A part of a file as a stream. */
function readPart(
  path: string,
  from: number,
  to: number,
  onProgress: (bytes: number) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let file: Deno.FsFile | undefined;
  let at = from;
  const close = (): void => {
    file?.close();
    file = undefined;
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: async () => {
      file = await Deno.open(path);
      await file.seek(from, Deno.SeekMode.Start);
    },
    pull: async (controller) => {
      const buffer = new Uint8Array(Math.min(PIECE, to - at));
      const got = await file!.read(buffer);
      if (got === null) {
        close();
        return controller.error(new Error(`"${path}" has become shorter`));
      }
      controller.enqueue(buffer.subarray(0, got));
      onProgress(at += got);
      if (at < to) return;
      close();
      controller.close();
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
