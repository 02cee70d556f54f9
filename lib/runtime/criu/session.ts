/**
 * A conversation with criu: `criu swrk FD` serves one socket (criu.org, RPC).
 *
 * ```
 *   paddock                       criu swrk
 *   request ────────────────────▶
 *   ◀──────────────────────────── notify: setup-namespaces, post-restore, orphan-pts-master (with a descriptor), …
 *   seen ───────────────────────▶
 *   ◀──────────────────────────── answer
 * ```
 *
 * @module
 */
import { describeErrno } from "../../base/errno.ts";
import { PaddockError } from "../../base/errors.ts";
import type { Fd } from "../../kernel/fd.ts";
import { PacketSocket } from "../../kernel/packet_socket.ts";
import { type CriuAnswer, type CriuOptions, decodeAnswer, encodeNotified, encodeRequest, REQUEST } from "./messages.ts";

/** Called at points of criu's work; what it throws ends that work. */
export type OnNotify = (script: string, pid: number, fd: Fd | undefined) => void;

/** What a session needs to know. */
export interface SessionOptions {
  /** The program: `criu`, or a path. */
  readonly program: string;
  /** Whether criu, and what it restores, has this process's standard streams. */
  readonly streams: "inherit" | "null";
}

/** criu, serving this process. */
export class CriuSession implements Disposable {
  readonly #socket: PacketSocket;
  readonly #child: Deno.ChildProcess;

  private constructor(socket: PacketSocket, child: Deno.ChildProcess) {
    this.#socket = socket;
    this.#child = child;
  }

  /** @throws PaddockError where there is no criu. */
  static start({ program, streams }: SessionOptions): CriuSession {
    const socket = new PacketSocket();
    try {
      const args = ["swrk", String(socket.theirs.number)];
      const child = new Deno.Command(program, { args, stdin: streams, stdout: streams, stderr: streams }).spawn();
      socket.theirs.close();
      return new CriuSession(socket, child);
    } catch (cause) {
      socket[Symbol.dispose]();
      if (!(cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.PermissionDenied)) throw cause;
      throw new PaddockError(`cannot execute ${program}, which checkpoints and restores`, {
        hint: "install criu, or name its program with --criu",
        cause,
      });
    }
  }

  /**
   * Has a request done.
   *
   * @param what it is, as it reads after "cannot"
   * @param log where criu says more
   * @throws PaddockError with what criu says
   */
  call(what: string, type: number, options: CriuOptions | undefined, log: string, onNotify: OnNotify): CriuAnswer {
    this.#socket.send(encodeRequest(type, options));
    for (;;) {
      const packet = this.#socket.receive();
      if (packet === undefined) throw new PaddockError(`cannot ${what}: criu ended without an answer`, seeLog(log));
      using fd = packet.fd;
      const answer = decodeAnswer(packet.bytes);
      if (answer.notify !== undefined && answer.success) {
        try {
          onNotify(answer.notify.script, answer.notify.pid, fd);
        } catch (error) {
          this.#socket.send(encodeNotified(false));
          throw error;
        }
        this.#socket.send(encodeNotified(true));
        continue;
      }
      if (answer.success) return answer;
      throw new PaddockError(`cannot ${what}: ${wordsOf(answer)}`, seeLog(log));
    }
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Its version, as 31700. */
  version(): number {
    return this.call("ask criu for its version", REQUEST.version, undefined, "", () => {}).version ?? 0;
  }

  /** Waits for its end; it ends when it has nothing more to serve. */
  async finish(): Promise<void> {
    this.#socket[Symbol.dispose]();
    await this.#child.status;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

function wordsOf({ errno, message }: CriuAnswer): string {
  const words = [
    "criu failed",
    ...(message === "" ? [] : [message]),
    ...(errno === 0 ? [] : [describeErrno(Math.abs(errno))]),
  ];
  return words.join(": ");
}

function seeLog(log: string): { readonly hint: string } | Record<string, never> {
  return log === "" ? {} : { hint: `criu says more in ${log}` };
}
