/**
 * Networks: what a user asks for, what a network is, and what a container has of one. All addresses are text.
 *
 * @module
 */

/** Which network a container has. */
export type NetworkChoice =
  | "none"
  | "host"
  /** The network of that name; `bridge` is made when it is first used. */
  | { readonly kind: "network"; readonly name: string }
  /** That of another container. */
  | { readonly kind: "container"; readonly id: string }
  /** A network namespace of the host, by its absolute path. */
  | { readonly kind: "path"; readonly path: string };

export type Protocol = "tcp" | "udp";

/** A port of the container that is to be reached at one of the host's. */
export interface PortOption {
  readonly protocol: Protocol;
  /** The only address of the host that it is reached at; absent: all. */
  readonly hostAddress?: string;
  /** Any free one of these, the first and the last included; absent: any free one at all. */
  readonly hostPorts?: readonly [number, number];
  readonly containerPort: number;
}

/** What a container wants of its network. */
export interface NetworkWishes {
  readonly ports: readonly PortOption[];
  /** Publish what the image exposes as well, each at any free port. */
  readonly publishAll: boolean;
  readonly ip?: string;
  readonly ip6?: string;
  /** Six pairs of hexadecimal digits. */
  readonly macAddress?: string;
  /** Further names of it on its network. */
  readonly aliases: readonly string[];
}

/** A published port once it is known which. */
export interface Port {
  readonly protocol: Protocol;
  readonly hostAddress?: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** Addresses that a network gives out. */
export interface NetworkSubnet {
  /** `10.83.0.0/16`. */
  readonly subnet: string;
  /** The host's own address on the bridge. */
  readonly gateway: string;
}

/** A network, as it is kept on disk. */
export interface NetworkDefinition {
  readonly name: string;
  /** The host's interface. */
  readonly bridge: string;
  /** One of IPv4 and perhaps one of IPv6. */
  readonly subnets: readonly NetworkSubnet[];
  /** Absent: as that of the host's way out. */
  readonly mtu?: number;
  /** Nothing outside is reached. */
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601 in UTC. */
  readonly created: string;
}

/** What a container has of a network, as its record says it. */
export interface Attachment {
  /** The network's name. */
  readonly network: string;
  readonly bridge: string;
  /** The host's end of the cable; the container's is `eth0`. */
  readonly hostEnd: string;
  readonly macAddress: string;
  readonly mtu: number;
  /** With the subnet's prefix: `10.83.0.2/16`. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly ports: readonly Port[];
  readonly aliases: readonly string[];
}
