/**
 * Writes a classic BPF program from its end to its beginning: jumps lead forward only, so every target is there before
 * what leads to it (`linux/filter.h`).
 *
 * @module
 */

/** Instructions of classic BPF that a seccomp filter needs. */
export const BPF = {
  /** A = the 32 bits at offset k of `struct seccomp_data`. */
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  ifEqual: 0x15,
  ifGreater: 0x25,
  ifAtLeast: 0x35,
  ifAnyBit: 0x45,
  return: 0x06,
} as const;

/** A conditional jump. */
export type Test = typeof BPF["ifEqual" | "ifGreater" | "ifAtLeast" | "ifAnyBit"];

/** A place in the program: how many instructions there are from it to the end. */
export type Place = number;

/** How far a conditional jump leads, with room for two instructions that may come between. */
const REACH = 253;

/** A program being written. */
export class Emitter {
  readonly #codes: number[] = [];
  readonly #constants: number[] = [];
  /** Where each value is returned nearest to the beginning. */
  readonly #returns = new Map<number, Place>();

  /** Puts an instruction before all others that goes on at a place. */
  lead(code: number, constant: number, to: Place): Place {
    if (to !== this.#codes.length) {
      if (this.#codes[to - 1] === BPF.return) this.#put(BPF.return, this.#constants[to - 1]!);
      else this.#put(BPF.jump, this.#codes.length - to);
    }
    return this.#put(code, constant);
  }

  /** A place that returns the value: one that is there and near, or a new one. */
  return(value: number): Place {
    const known = this.#returns.get(value);
    if (known !== undefined && this.#codes.length - known < REACH) return known;
    const place = this.#put(BPF.return, value);
    this.#returns.set(value, place);
    return place;
  }

  /** Where the test holds for A and the constant go to `yes`, else to `no`. */
  branch(test: Test, constant: number, yes: Place, no: Place): Place {
    if (yes === no) return yes;
    const near = [this.#near(no), this.#near(yes)] as const;
    const here = this.#codes.length;
    return this.#put(test | ((here - near[1]) << 16) | ((here - near[0]) << 24), constant);
  }

  /** The place, or one within reach that leads to it. */
  #near(place: Place): Place {
    if (this.#codes.length - place < REACH) return place;
    // A return is copied, for a jump would be one more instruction for whoever comes this way.
    if (this.#codes[place - 1] === BPF.return) return this.return(this.#constants[place - 1]!);
    return this.#put(BPF.jump, this.#codes.length - place);
  }

  #put(code: number, constant: number): Place {
    this.#codes.push(code);
    this.#constants.push(constant);
    return this.#codes.length;
  }

  /** How many instructions there are. */
  get length(): number {
    return this.#codes.length;
  }

  /** The program as the kernel takes it: `struct sock_filter`s, little-endian. */
  finish(): Uint8Array<ArrayBuffer> {
    const count = this.#codes.length;
    const words = new Uint32Array(2 * count);
    for (let index = 0; index < count; index++) {
      words[2 * index] = this.#codes[count - 1 - index]!;
      words[2 * index + 1] = this.#constants[count - 1 - index]!;
    }
    return new Uint8Array(words.buffer);
  }
}
