/**
 * Which ports of the host are free.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { must, syscall } from "../kernel/syscall.ts";
import type { Port, PortOption } from "../spec/network.ts";
import { readAddress, socketAddress } from "./addresses.ts";

/**
 * A port of the host that is free now, and not one of those chosen already. The launcher takes it.
 *
 * @throws PaddockError where it is taken, or all of a range are, or the host has no such address.
 */
export function choosePort({ protocol, hostAddress, hostPorts }: PortOption, chosen: readonly Port[]): number {
  const address = hostAddress === undefined ? new Uint8Array(4) : readAddress(hostAddress);
  const isChosen = (port: number) => chosen.some((one) => one.hostPort === port && one.protocol === protocol);
  if (hostPorts === undefined) return findFree(protocol, address, isChosen);
  const [first, last] = hostPorts;
  let answer = -EADDRINUSE;
  for (let port = first; port <= last; port++) {
    answer = isChosen(port) ? -EADDRINUSE : tryPort(protocol, address, port);
    if (answer >= 0) return port;
    if (answer !== -EADDRINUSE) break;
  }
  const shown = `${hostAddress === undefined ? "" : `${hostAddress}:`}${first}${
    last > first ? `-${last}` : ""
  }/${protocol}`;
  throw new PaddockError(`cannot publish port ${shown} of the host: ${describeErrno(-answer)}`, {
    hint: answer === -EADDRINUSE
      ? "another program or container has it (see ss -ltnup): choose another"
      : "see the host's addresses: ip address",
  });
}

const EADDRINUSE = 98;
const SOCK = { tcp: 1, udp: 2 } as const;
const SOCK_CLOEXEC = 0o2000000;

function findFree(protocol: "tcp" | "udp", address: Uint8Array, isChosen: (port: number) => boolean): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = tryPort(protocol, address, 0);
    if (port < 0) throw new PaddockError(`cannot publish a ${protocol} port of the host: ${describeErrno(-port)}`);
    if (!isChosen(port)) return port;
  }
  throw new PaddockError(`no free ${protocol} port of the host was found`);
}

/** Takes a port for a moment; 0 is any. @returns its number, or a negative error number. */
function tryPort(protocol: "tcp" | "udp", address: Uint8Array, port: number): number {
  const socket = must(`for ${protocol}`, "socket", socketAddress(address, 0)[0]!, SOCK[protocol] | SOCK_CLOEXEC, 0);
  try {
    const own = socketAddress(address, port);
    const answer = syscall("bind", socket, own, own.length);
    if (answer < 0) return answer;
    const length = Uint8Array.of(own.length, 0, 0, 0);
    must("a socket", "getsockname", socket, own, length);
    return own[2]! << 8 | own[3]!;
  } finally {
    syscall("close", socket);
  }
}
