/**
 * A file descriptor that closes itself at the end of its scope.
 *
 * @module
 */
import { close } from "./file_calls.ts";

/** An open descriptor and its owner: `using file = new Fd(…)` closes it, `release` alone hands it on. */
export class Fd implements Disposable {
  #number: number;

  /** @param number an open descriptor, owned from now on. */
  constructor(number: number) {
    this.#number = number;
  }

  /** The descriptor; throws Error when it was closed or handed on, which is a mistake of the program. */
  get number(): number {
    if (this.#number < 0) throw new Error("descriptor: used after it was closed or handed on");
    return this.#number;
  }

  /** Hands the descriptor to the caller, who closes it. */
  release(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /** Closes it; a second time does nothing. */
  close(): void {
    if (this.#number < 0) return;
    close(this.#number);
    this.#number = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
