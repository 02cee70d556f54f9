/**
 * `paddock port`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { Port } from "../../spec/network.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Shows which ports of the host lead to a container, or where one of its ports is reached. */
export async function run(words: Words, host: Host): Promise<number> {
  const { listPorts } = await import("../../runtime/port.ts");
  const [name = "", port] = words.positionals;
  const ports = listPorts(name, port === undefined ? undefined : readPort(port), readRoots(words, host));
  host.print(isOn(words, "json") ? `${JSON.stringify(ports, null, 2)}\n` : formatPorts(ports, port !== undefined));
  return 0;
}

function readPort(text: string): { readonly port: number; readonly protocol: string } {
  const [, port, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (port === undefined) throw new UsageError(`'${text}' is no port`, { hint: "as in 80 or 53/udp" });
  return { port: Number(port), protocol };
}

/** docker's lines: `80/tcp -> 0.0.0.0:8080`, and of one port the address alone. */
export function formatPorts(ports: readonly Port[], one: boolean): string {
  return ports.map(({ protocol, hostAddress = "0.0.0.0", hostPort, containerPort }) => {
    const address = `${hostAddress.includes(":") ? `[${hostAddress}]` : hostAddress}:${hostPort}\n`;
    return one ? address : `${containerPort}/${protocol} -> ${address}`;
  }).join("");
}
