/**
 * The network of a container by its options: none of its own, that of another, or a place in one.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { isThere } from "../kernel/syscall.ts";
import { buildHosts } from "../spec/network_files.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { openContainer } from "../state/container.ts";
import type { OpenedImage } from "./open_image.ts";
import type { PlacedNetwork } from "./place.ts";
import type { Voice } from "./voice.ts";

/**
 * Finds or takes a container's place in a network; `undefined` where it has only its own loopback, or the host's all.
 *
 * @param stateDir the state directory that an address is leased to.
 * @param look nothing is taken, only shown.
 * @throws PaddockError where the network is not there, or cannot give what is wished.
 */
export async function placeNetwork(
  options: RunOptions,
  image: Pick<OpenedImage, "config">,
  stateDir: string,
  voice: Voice,
  look = false,
): Promise<PlacedNetwork | undefined> {
  const { network, networkWishes: wishes = { ports: [], publishAll: false, aliases: [] }, dataRoot } = options;
  if (typeof network === "string") return undefined;
  if (network.kind === "path") return { path: checkPath(network.path), addresses: [] };
  if (network.kind === "container") return shareNetwork(network.id, options);
  const { joinNetwork } = await import("./join_network.ts");
  const note = (line: string): void => voice.note(line);
  const exposed = image.config.exposedPorts ?? [];
  const id = stateDir.slice(stateDir.lastIndexOf("/") + 1);
  const hostname = options.hostname ?? (options.uts === "host" ? Deno.hostname() : id.slice(0, 63));
  const { attachment, acts, hostsFile } = joinNetwork(network.name, {
    dataRoot,
    stateDir,
    wishes,
    names: [...new Set([id, ...(options.hostname === undefined ? [] : [options.hostname]), ...wishes.aliases])],
    hosts: (addresses) => buildHosts(options, hostname, addresses),
    user: options.userns === "host" ? 0 : options.userns.uid.hostID,
    exposed,
    note,
    look,
  });
  return {
    attachment,
    acts,
    addresses: attachment.addresses.map(withoutPrefix),
    ...(hostsFile === undefined ? {} : { hostsFile }),
  };
}

/** The options with the file that others write their names into, unless the user has one of their own there. */
export function withHostsFile(options: RunOptions, network: PlacedNetwork | undefined): RunOptions {
  const source = network?.hostsFile;
  const target = "/etc/hosts";
  if (source === undefined || options.mounts.some((mount) => mount.target === target)) return options;
  const mount = { kind: "bind", source, target, options: ["bind", "rprivate"], relabel: false } as const;
  return { ...options, mounts: [...options.mounts, mount] };
}

function checkPath(path: string): string {
  if (isThere(path)) return path;
  throw new PaddockError(`--network ns:${path}: there is nothing`, {
    hint: "ip netns add NAME makes /run/netns/NAME; /proc/PID/ns/net is that of a process",
  });
}

/** By its first process: the namespace is there as long as that is. */
function shareNetwork(id: string, options: RunOptions): PlacedNetwork {
  const { status, pid, record } = openContainer(options, id);
  if (pid === undefined) {
    throw new PaddockError(`--network container:${id}: the container is ${status} and has no network now`, {
      hint: "paddock ps shows those that run",
    });
  }
  return { path: `/proc/${pid}/ns/net`, addresses: record?.network?.addresses.map(withoutPrefix) ?? [] };
}

function withoutPrefix(address: string): string {
  return address.split("/")[0]!;
}
