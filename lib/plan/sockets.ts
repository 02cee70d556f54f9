/**
 * Unix sockets of whoever called: connected before the clone, and a descriptor sent over them (`man 7 unix`,
 * SCM_RIGHTS).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import {
  type Act,
  type Arg,
  type Block,
  type Constant,
  flags,
  previous,
  type Step,
  step,
  text,
} from "../program/step.ts";

/** A socket at a path, and the descriptor's number that it gets. */
export interface Socket {
  readonly path: string;
  readonly fd: number;
  /** As it reads in "connect to the …". */
  readonly name: string;
  readonly why: string;
}

/** `sun_path` of `struct sockaddr_un`, and its NUL. */
const LONGEST_PATH = 107;

/** Connects (`struct sockaddr_un`). */
export function planConnect({ path, fd, name, why }: Socket): Act {
  const bytes = new TextEncoder().encode(path);
  if (bytes.length > LONGEST_PATH) {
    throw new PaddockError(
      `the path of the ${name} is longer than the ${LONGEST_PATH} bytes of a unix socket's: ${path}`,
    );
  }
  const address: Block = { size: 110, fields: [{ at: 0, size: 2, value: flags("AF_UNIX") }, { at: 2, bytes }] };
  return {
    what: `connect to the ${name} ${path}`,
    why,
    shell: [],
    steps: [
      step("socket", [flags("AF_UNIX"), flags("SOCK_STREAM", "SOCK_CLOEXEC"), 0]),
      step("connect", [previous(), { block: address }, 2 + bytes.length + 1]),
      step("dup3", [previous(2), fd, flags("O_CLOEXEC")]),
      step("close", [previous(3)]),
    ],
  };
}

/** Sends a descriptor of a fixed number with some bytes over a socket, and closes both (`man 3 cmsg`). */
export function sendDescriptor(socket: number, fd: number, data: Constant, length: number): Step[] {
  const SCM_RIGHTS = 1;
  const vector: Block = {
    size: 16,
    fields: [{ at: 0, size: 8, value: data }, { at: 8, size: 8, value: length }],
  };
  const control: Block = {
    size: 24,
    fields: [
      { at: 0, size: 8, value: 20 },
      { at: 8, size: 4, value: flags("SOL_SOCKET") },
      { at: 12, size: 4, value: SCM_RIGHTS },
      { at: 16, size: 4, value: fd },
    ],
  };
  const message: Block = {
    size: 56,
    fields: [
      { at: 16, size: 8, value: { block: vector } },
      { at: 24, size: 8, value: 1 },
      { at: 32, size: 8, value: { block: control } },
      { at: 40, size: 8, value: control.size },
    ],
  };
  return [
    step("sendmsg", [socket, { block: message }, flags("MSG_NOSIGNAL")]),
    step("close", [socket]),
    step("close", [fd]),
  ];
}

/** The pidfd's socket, and the pidfd. */
const PIDFD_SOCKET_FD = 110;
const PIDFD_FD = 111;

/** Before the clone: `--pidfd-socket`. */
export function planPidfdSocket(path: string | undefined): Act[] {
  if (path === undefined) return [];
  const why = "who called gets a descriptor of the process from there, which no other process can take the place of";
  return [planConnect({ path, fd: PIDFD_SOCKET_FD, name: "pidfd socket", why })];
}

/**
 * In the launcher, once the process is there: a descriptor of it is sent.
 *
 * @param pid of the process.
 * @param word that goes with it: as with runc `standard` for a container's first process, `setns` for a further one.
 */
export function planSendPidfd(path: string | undefined, pid: Arg, word: "standard" | "setns"): Act[] {
  if (path === undefined) return [];
  return [{
    what: `send the process's descriptor to ${path}`,
    why: "asked for by --pidfd-socket",
    shell: [],
    steps: [
      step("pidfd_open", [pid, 0]),
      step("dup3", [previous(), PIDFD_FD, flags("O_CLOEXEC")]),
      step("close", [previous(2)]),
      ...sendDescriptor(PIDFD_SOCKET_FD, PIDFD_FD, text(word), word.length),
    ],
  }];
}
