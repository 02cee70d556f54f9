/**
 * Where a repository can be had: its registry, or a mirror of it. Pure.
 *
 * @module
 */
import type { Reference } from "../reference.ts";

/** A place that a repository is read from. */
export interface Endpoint {
  /** What the user calls it; credentials are looked up by this and the path. */
  readonly registry: string;
  /** Host, and port where there is one. */
  readonly host: string;
  /** The repository's name there: `library/alpine`. */
  readonly repository: string;
  /** Plain http, or a certificate of anybody, will do. */
  readonly insecure: boolean;
}

/** docker.io is a name; this is the host behind it. */
const DOCKER_HUB = "registry-1.docker.io";

/** The endpoint of a registry itself. @param insecure as the user says; without it, where it is this host. */
export function endpointOf(registry: string, repository: string, insecure?: boolean): Endpoint {
  const host = registry === "docker.io" ? DOCKER_HUB : registry;
  return { registry, host, repository, insecure: insecure ?? isLoopback(host) };
}

/** The endpoint of a reference's own registry. */
export function endpointOfReference({ domain, path }: Reference, insecure?: boolean): Endpoint {
  return endpointOf(domain, path, insecure);
}

/**
 * As docker has it, a registry on this host needs no TLS: nobody is between. `localhost`, 127.0.0.0/8, ::1.
 *
 * @param host with or without a port.
 */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  return name === "localhost" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}
