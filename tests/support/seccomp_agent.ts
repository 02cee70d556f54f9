/**
 * An agent that answers system calls for a filter with `SCMP_ACT_NOTIFY` (`man 2 seccomp_unotify`).
 *
 * @module
 */
import { must, syscall } from "../../lib/kernel/syscall.ts";

const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
const POLLIN = 1;

/** What is answered: an error number, or "go on" with the call as it is. */
export type Answer = number | "continue";

/** Answers calls while something else goes on, and counts them. */
export class Agent implements AsyncDisposable {
  /** Numbers of the calls that were asked about, in order. */
  readonly asked: number[] = [];
  #ended = false;
  readonly #loop: Promise<void>;

  /** @param fd the listener; closed at the end. */
  constructor(readonly fd: number, readonly answer: (call: number) => Answer) {
    this.#loop = this.#answerAll();
  }

  async #answerAll(): Promise<void> {
    while (!this.#ended) {
      if (isReady(this.fd)) this.#answerOne();
      else await new Promise((done) => setTimeout(done, 5));
    }
  }

  #answerOne(): void {
    const request = new Uint8Array(80);
    if (syscall("ioctl", this.fd, SECCOMP_IOCTL_NOTIF_RECV, request) < 0) return;
    const call = new DataView(request.buffer).getInt32(16, true);
    this.asked.push(call);
    const response = new Uint8Array(24);
    response.set(request.subarray(0, 8));
    const answer = this.answer(call);
    if (answer === "continue") new DataView(response.buffer).setUint32(20, 1, true);
    else new DataView(response.buffer).setInt32(16, -answer, true);
    // The process may have died meanwhile.
    syscall("ioctl", this.fd, SECCOMP_IOCTL_NOTIF_SEND, response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#loop;
    syscall("close", this.fd);
  }
}

function isReady(fd: number): boolean {
  const poll = new Uint8Array(8);
  const view = new DataView(poll.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, POLLIN, true);
  must("the listener", "ppoll", poll, 1, new Uint8Array(16), null, 8);
  return (view.getInt16(6, true) & POLLIN) !== 0;
}
