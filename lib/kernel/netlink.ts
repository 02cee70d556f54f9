/**
 * A netlink socket (`man 7 netlink`): what `lib/network` writes is sent, and what the kernel answers is read.
 *
 * The kernel does what a message asks for while it is being sent, so all answers to it are there when the call returns.
 *
 * @module
 */
import { describeErrno, errnoName } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "./fd.ts";
import { must, syscall } from "./syscall.ts";

/** Whom a socket speaks to: links, addresses and routes, or nf_tables. */
export type Protocol = keyof typeof PROTOCOLS;

/** What the kernel refused. */
export class NetlinkError extends PaddockError {
  override readonly name = "NetlinkError";

  /**
   * @param errno positive error number.
   * @param said the kernel's own words, where it has any.
   */
  constructor(readonly what: string, readonly errno: number, readonly said?: string) {
    super(`cannot ${what}: ${describeErrno(errno)}${said === undefined ? "" : ` (the kernel says: ${said})`}`);
  }

  /** The errno's name: "EEXIST". */
  get code(): string {
    return errnoName(this.errno);
  }
}

/** An open socket to the kernel. */
export class NetlinkSocket implements Disposable {
  readonly #fd: Fd;
  #sequence = 1;

  private constructor(fd: Fd) {
    this.#fd = fd;
  }

  /** @throws KernelError where the kernel has no such protocol. */
  static open(protocol: Protocol): NetlinkSocket {
    const fd = new Fd(must(`for ${protocol}`, "socket", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, PROTOCOLS[protocol]));
    // Errors then come with words, and without the message that they are about. Older kernels do without.
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK]) {
      syscall("setsockopt", fd.number, SOL_NETLINK, option, Uint8Array.of(1, 0, 0, 0), 4);
    }
    return new NetlinkSocket(fd);
  }

  /**
   * Sends one message, or several that are a batch, and gives the messages of the answer: none for most that change
   * something.
   *
   * @param what it does, as it reads after "cannot".
   * @throws NetlinkError with what the kernel says.
   */
  send(what: string, bytes: Uint8Array): Uint8Array[] {
    const own = bytes.slice();
    // The sequence numbers of a batch count from that of its first message.
    const first = this.#sequence;
    for (const message of splitMessages(own)) {
      const view = viewOf(message);
      view.setUint32(8, first + view.getUint32(8, true), true);
      this.#sequence = Math.max(this.#sequence, view.getUint32(8, true) + 1);
    }
    const sent = syscall("sendto", this.#fd.number, own, own.length, 0, null, 0);
    if (sent < 0) throw new NetlinkError(what, -sent);
    return this.#receive(what, first);
  }

  /** Gives true where `send` succeeds, and false where the kernel answers with one of these errors. */
  try(what: string, bytes: Uint8Array, ...codes: readonly string[]): boolean {
    try {
      this.send(what, bytes);
      return true;
    } catch (error) {
      if (error instanceof NetlinkError && codes.includes(error.code)) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  /** Reads until there is nothing more. Of several errors the first counts: the others are its consequences. */
  #receive(what: string, first: number): Uint8Array[] {
    const answers: Uint8Array[] = [];
    let failed: NetlinkError | undefined;
    const buffer = new Uint8Array(BUFFER_SIZE);
    for (;;) {
      const length = syscall("recvfrom", this.#fd.number, buffer, buffer.length, MSG_DONTWAIT, null, null);
      if (length === -EAGAIN) break;
      if (length < 0) throw new NetlinkError(what, -length);
      for (const message of splitMessages(buffer.slice(0, length))) {
        const view = viewOf(message);
        if (view.getUint32(8, true) < first) continue;
        const type = view.getUint16(4, true);
        if (type === NLMSG_ERROR || type === NLMSG_DONE) failed ??= readError(what, message);
        else answers.push(message);
      }
    }
    if (failed !== undefined) throw failed;
    return answers;
  }
}

/**
 * The messages in what was received, or is to be sent: each begins with its length, and the next at a multiple of four.
 */
export function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + HEADER_SIZE <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_SIZE || at + length > bytes.length) break;
    messages.push(bytes.subarray(at, at + length));
    at += (length + 3) & ~3;
  }
  return messages;
}

/**
 * The error in an `NLMSG_ERROR` or at the end of a list; `undefined` where it says that all went well.
 *
 * @param what was tried, as it reads after "cannot".
 */
export function readError(what: string, message: Uint8Array): NetlinkError | undefined {
  const view = viewOf(message);
  // A list may end with nothing behind the header.
  const errno = message.length < HEADER_SIZE + 4 ? 0 : -view.getInt32(HEADER_SIZE, true);
  return errno > 0 ? new NetlinkError(what, errno, readWords(message)) : undefined;
}

/** `NLMSGERR_ATTR_MSG` behind the error and the header, or the whole, of the message that it is about. */
function readWords(message: Uint8Array): string | undefined {
  const view = viewOf(message);
  const flags = view.getUint16(6, true);
  if ((flags & NLM_F_ACK_TLVS) === 0 || message.length < HEADER_SIZE + 4 + HEADER_SIZE) return undefined;
  const original = (flags & NLM_F_CAPPED) !== 0 ? HEADER_SIZE : view.getUint32(HEADER_SIZE + 4, true);
  for (let at = HEADER_SIZE + 4 + ((original + 3) & ~3); at + 4 <= message.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > message.length) break;
    if (view.getUint16(at + 2, true) === NLMSGERR_ATTR_MSG) {
      return new TextDecoder().decode(message.subarray(at + 4, at + length)).replace(/\0.*$/s, "");
    }
    at += (length + 3) & ~3;
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

// linux/netlink.h, linux/socket.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const PROTOCOLS = { route: 0, netfilter: 12 } as const;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const HEADER_SIZE = 16;
const BUFFER_SIZE = 65536;
