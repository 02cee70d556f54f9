/**
 * Messages to the kernel's network as steps: a socket, what is sent, and the kernel's answer (`man 7 netlink`).
 *
 * @module
 */
import { type Arg, flags, type Region, result, type Step, step } from "../program/step.ts";

/** Region for answers: small, so that it is in the record of what happened, with the kernel's own words. */
export const REPLY = "net.reply";

/** Bytes for an answer: an error's words are fewer. */
const REPLY_SIZE = 512;

/** Memory for answers. */
export const NETLINK_REGIONS: Readonly<Record<string, Region>> = { [REPLY]: { size: REPLY_SIZE } };

/** Whom a socket speaks to. */
export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;

// linux/netlink.h, linux/socket.h
const AF_NETLINK = 16;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const ONE = { size: 4, fields: [{ at: 0, size: 4, value: 1 }] } as const;
const LOW_WORD = 0xffffffff;

/** Opens a socket whose descriptor is the result of the step of that label. */
export function openSocket(label: string, protocol: number = NETLINK.ROUTE): Step[] {
  return [
    step("socket", [AF_NETLINK, flags("SOCK_RAW", "SOCK_CLOEXEC"), protocol], { label }),
    ...[
      // Errors come with words, and without the message that they are about.
      NETLINK_EXT_ACK,
      NETLINK_CAP_ACK,
      // The kernel tells the addresses of one device only; older ones tell all, and they are sorted out.
      NETLINK_GET_STRICT_CHK,
    ].map((option) =>
      step("setsockopt", [result(label), SOL_NETLINK, option, { block: ONE }, 4], { onNegative: "next" })
    ),
  ];
}

/** A message as writable memory, for what is filled in later. */
export function messageRegion(bytes: Uint8Array): Region {
  return { size: bytes.length + 8, fields: [{ at: 0, bytes }] };
}

/**
 * Puts the result of the step before, of 32 bits, into a message at a place: a step stores 64, and what stands behind is
 * in them as it was.
 *
 * @param clear the value has bits above the 32 that do not belong to it.
 */
export function fillIn(region: string, bytes: Uint8Array, at: number): Step[] {
  const behind = at + 8 <= bytes.length ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 4, true) : 0;
  return [
    step("@or", [{ previous: 1 }, BigInt(behind) << 32n]),
    step("@store", [{ region, offset: at }, { previous: 1 }]),
  ];
}

/** Sends a message of which nothing is filled in. */
export function sendConstant(socket: Arg, bytes: Uint8Array): Step {
  return step("sendto", [socket, { block: { size: bytes.length, fields: [{ at: 0, bytes }] } }, bytes.length, 0, 0, 0]);
}

/**
 * The kernel's answer: an error's number below zero in 32 bits, or zero.
 *
 * @param fault label of the step that takes over at an error.
 * @param done where to go on when all is well.
 */
export function expectAcknowledgement(socket: Arg, fault: string, done: string): Step[] {
  return [
    step("recvfrom", [socket, { region: REPLY }, REPLY_SIZE, 0, 0, 0]),
    step("@and", [{ load: REPLY, offset: 16 }, LOW_WORD], { onZero: done }),
    step("@sub", [{ previous: 1 }, 1n << 32n], { onNegative: fault }),
  ];
}
