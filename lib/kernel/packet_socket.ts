/**
 * A pair of sockets over which a child process and this one exchange messages, and descriptors with them
 * (`man 7 unix`, SOCK_SEQPACKET, SCM_RIGHTS).
 *
 * @module
 */
import { Fd } from "./fd.ts";
import { O } from "./fs.ts";
import { addressOf, must, syscall } from "./syscall.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** More than any message of criu's. */
const LARGEST = 1 << 20;

/** A message, and the descriptor that came with it. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly fd?: Fd;
}

/** This process's end, and the number of the child's, which a child inherits. */
export class PacketSocket implements Disposable {
  readonly #own: Fd;
  /** For the child alone: `closeTheirs` once it has it. */
  readonly theirs: Fd;

  constructor() {
    const pair = new Int32Array(2);
    must("sockets for a child", "socketpair", AF_UNIX, SOCK_SEQPACKET, 0, new Uint8Array(pair.buffer));
    this.#own = new Fd(pair[0]!);
    this.theirs = new Fd(pair[1]!);
    must("a socket", "fcntl", this.#own.number, F_SETFD, FD_CLOEXEC);
  }

  /** @throws KernelError where the other end is gone. */
  send(bytes: Uint8Array): void {
    const MSG_NOSIGNAL = 0x4000;
    must("the child's socket", "sendto", this.#own.number, bytes, bytes.length, MSG_NOSIGNAL, null, 0);
  }

  /** Waits for a message; `undefined` where the other end is gone. */
  receive(): Packet | undefined {
    const data = new Uint8Array(LARGEST);
    const vector = new BigUint64Array([addressOf(data), BigInt(data.length)]);
    const control = new Uint8Array(24);
    const header = encodeHeader(new Uint8Array(vector.buffer), control);
    const length = syscall("recvmsg", this.#own.number, header, MSG_CMSG_CLOEXEC);
    if (length <= 0) return undefined;
    const view = new DataView(control.buffer);
    const hasFd = view.getUint32(8, true) === SOL_SOCKET && view.getUint32(12, true) === SCM_RIGHTS;
    const bytes = data.slice(0, length);
    return hasFd ? { bytes, fd: new Fd(view.getInt32(16, true)) } : { bytes };
  }

  [Symbol.dispose](): void {
    this.#own.close();
    this.theirs.close();
  }
}

/** Sends a descriptor to whoever listens at a path, with a few bytes. @throws KernelError */
export function sendDescriptorTo(path: string, fd: number, name: string): void {
  using socket = new Fd(must(path, "socket", AF_UNIX, SOCK_STREAM | O.CLOEXEC, 0));
  const text = new TextEncoder().encode(path);
  const address = new Uint8Array(110);
  address[0] = AF_UNIX;
  address.set(text.subarray(0, 107), 2);
  must(path, "connect", socket.number, address, 2 + Math.min(text.length, 107) + 1);
  const data = new TextEncoder().encode(name);
  const vector = new BigUint64Array([addressOf(data), BigInt(data.length)]);
  const control = new Uint8Array(24);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, 20n, true);
  view.setUint32(8, SOL_SOCKET, true);
  view.setUint32(12, SCM_RIGHTS, true);
  view.setInt32(16, fd, true);
  must(path, "sendmsg", socket.number, encodeHeader(new Uint8Array(vector.buffer), control), 0);
}

/** `struct msghdr` with one vector. */
function encodeHeader(vector: Uint8Array, control: Uint8Array): Uint8Array {
  const words = new BigUint64Array([0n, 0n, addressOf(vector), 1n, addressOf(control), BigInt(control.length), 0n]);
  return new Uint8Array(words.buffer);
}
