/**
 * A unix socket that descriptors are sent to (`man 7 unix`, SCM_RIGHTS), for which Deno has no interface.
 *
 * @module
 */
import { addressOf, must, syscall } from "../../lib/kernel/syscall.ts";

const AF_UNIX = 1;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const O_CLOEXEC = 0o2000000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** What came over one connection. */
export interface Received {
  readonly text: string;
  /** The caller closes it. */
  readonly fd: number;
}

/** Listens at a path; nothing of it blocks. */
export class Receiver implements Disposable {
  readonly #fd: number;

  constructor(readonly path: string) {
    const name = new TextEncoder().encode(path);
    const address = new Uint8Array(110);
    address[0] = AF_UNIX;
    address.set(name, 2);
    this.#fd = must(path, "socket", AF_UNIX, SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
    must(path, "bind", this.#fd, address, 2 + name.length + 1);
    must(path, "listen", this.#fd, 5);
  }

  /** What the first of those who wait has sent; undefined where nobody has called. */
  take(): Received | undefined {
    const connection = syscall("accept4", this.#fd, null, null, O_CLOEXEC);
    if (connection < 0) return undefined;
    try {
      return receive(connection);
    } finally {
      syscall("close", connection);
    }
  }

  [Symbol.dispose](): void {
    syscall("close", this.#fd);
    Deno.removeSync(this.path);
  }
}

/** All that is sent, and the descriptor with its first bytes. */
function receive(connection: number): Received {
  const [data, control] = [new Uint8Array(65536), new Uint8Array(64)];
  const vector = new BigUint64Array([addressOf(data), BigInt(data.length)]);
  const header = new BigUint64Array([
    0n,
    0n,
    addressOf(new Uint8Array(vector.buffer)),
    1n,
    addressOf(control),
    64n,
    0n,
  ]);
  const length = must("a message", "recvmsg", connection, new Uint8Array(header.buffer), MSG_CMSG_CLOEXEC);
  const view = new DataView(control.buffer);
  // One descriptor: 16 bytes of header and 4 of its own.
  const fd = view.getUint32(0, true) === 20 ? view.getInt32(16, true) : -1;
  return { text: new TextDecoder().decode(data.subarray(0, length)), fd };
}
