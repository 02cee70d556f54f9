/**
 * Downloads a blob into a file: it goes on where an earlier download was cut off, is hashed while it comes, and is named
 * as whole when it is what its digest says.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import * as calls from "../../kernel/file_calls.ts";
import { check, statFd, writeAll } from "../../kernel/fs.ts";
import { KernelError } from "../../kernel/syscall.ts";
import { type ContentHash, startHash } from "../content_hash.ts";
import type { PartialBlob } from "../download_directory.ts";
import type { Descriptor } from "../manifest.ts";
import { explainFailure, Unreachable } from "./failure.ts";
import type { HttpAnswer } from "./http.ts";
import type { RegistrySession } from "./session.ts";

/** A try that brings as many bytes is no failed one. */
const PROGRESS = 1 << 20;

/**
 * Fills a file with a blob. What has come stays in it where the connection ends, for the next try.
 *
 * @param what for errors: `layer 2 of 5`.
 * @throws PaddockError where it cannot be had, or is not what its digest says: the file is gone then.
 */
export async function downloadBlob(
  session: RegistrySession,
  blob: Descriptor,
  file: PartialBlob,
  what: string,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const wasThere = Math.min(statFd(file.fd, what).size, blob.size);
  const isRight = await fill(session, blob, file, wasThere, what, onProgress);
  // What was left by an earlier download may be damaged: once more, from the beginning.
  if (isRight || (wasThere > 0 && await fill(session, blob, file, 0, what, onProgress))) return file.publish();
  file.discard();
  throw new PaddockError(`${what}: ${session.endpoint.registry} sends something else than ${blob.digest}`, {
    hint: "the image is damaged there, or somebody changes what comes: pull it from elsewhere, or push it again",
  });
}

/** @returns whether it is what its digest says. */
async function fill(
  session: RegistrySession,
  blob: Descriptor,
  file: PartialBlob,
  from: number,
  what: string,
  onProgress: (bytes: number) => void,
): Promise<boolean> {
  const filling = await Filling.begin(blob, file, from, what, onProgress);
  for (let tries = 1; filling.length < blob.size;) {
    const before = filling.length;
    try {
      await filling.continueFrom(await askFor(session, blob, before));
    } catch (error) {
      if (error instanceof KernelError) {
        // A full disk is given back what this has taken.
        file.discard();
        throw error;
      }
      if (filling.length - before >= PROGRESS) tries = 1;
      const wait = session.waitAfter(error, tries++);
      if (wait === undefined) throw explainFailure(error, what, session.endpoint.registry);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  return filling.isRight();
}

async function askFor(session: RegistrySession, { digest }: Descriptor, from: number): Promise<HttpAnswer> {
  return await session.once({
    path: `${session.base}/blobs/${digest}`,
    headers: from === 0 ? {} : { range: `bytes=${from}-` },
    expect: from === 0 ? [200] : [200, 206, 416],
  });
}

/** A file that grows, and its hash. */
class Filling {
  length = 0;

  private constructor(
    private readonly blob: Descriptor,
    private readonly file: PartialBlob,
    private readonly what: string,
    private readonly onProgress: (bytes: number) => void,
    private hash: ContentHash,
  ) {}

  /** @param from bytes of the file that are kept. */
  static async begin(
    blob: Descriptor,
    file: PartialBlob,
    from: number,
    what: string,
    onProgress: (bytes: number) => void,
  ): Promise<Filling> {
    const filling = new Filling(blob, file, what, onProgress, await startHash(blob.digest));
    const buffer = new Uint8Array(1 << 20);
    while (filling.length < from) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, from - filling.length));
      const got = check(what, "pread", calls.pread(file.fd, wanted, filling.length));
      if (got === 0) break;
      filling.hash.update(wanted.subarray(0, got));
      filling.length += got;
      // Other downloads go on meanwhile.
      await new Promise((done) => setTimeout(done, 0));
    }
    check(what, "ftruncate", calls.ftruncate(file.fd, filling.length));
    return filling;
  }

  isRight(): boolean {
    return this.hash.finish() === this.blob.digest;
  }

  /** Writes what comes behind what is there, or from the beginning where the registry begins there. */
  async continueFrom(answer: HttpAnswer): Promise<void> {
    try {
      if (answer.status === 416 || (answer.status === 200 && this.length > 0)) await this.#restart();
      if (answer.status === 416) return;
      const rest = this.blob.size - this.length;
      this.#checkAnswer(answer, rest);
      const end = this.blob.size;
      for (let piece = await answer.read(); piece !== undefined; piece = await answer.read()) {
        if (this.length + piece.length > end) {
          throw this.#refuse(`sends more than the ${end} bytes that the image says`);
        }
        writeAll(this.file.fd, piece, this.what, this.length);
        this.hash.update(piece);
        this.length += piece.length;
        this.onProgress(this.length);
      }
      if (this.length < end) throw new Unreachable(`the connection ended after ${this.length} of ${end} bytes`);
    } finally {
      answer.close();
    }
  }

  async #restart(): Promise<void> {
    this.hash = await startHash(this.blob.digest);
    this.length = 0;
    check(this.what, "ftruncate", calls.ftruncate(this.file.fd, 0));
  }

  #checkAnswer({ status, headers }: HttpAnswer, rest: number): void {
    if (status === 206) {
      const [, first] = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
      if (Number(first) !== this.length) throw this.#refuse("sends another part than it was asked for");
    }
    const length = headers.get("content-length");
    if (length !== null && Number(length) !== rest && headers.get("content-encoding") === null) {
      throw this.#refuse(`offers ${Number(length)} bytes where the image says ${rest}`);
    }
  }

  #refuse(why: string): PaddockError {
    this.file.discard();
    return new PaddockError(`${this.what}: the registry ${why}: refused`, {
      hint: "the image is damaged there: push it again",
    });
  }
}
