/**
 * Networks on disk, and which of their addresses are taken.
 *
 * ```
 * /var/lib/paddock/networks/lock                       held while networks or leases change
 *                           NAME/network.json          the definition
 *                                leases/10.83.0.2      symbolic link to the state directory of who has the address
 *                                last                  the address that was given out last
 *                                members/ID.json       its names, of one who has an address
 *                                members/ID.hosts      its /etc/hosts, in which the names of all are kept
 * ```
 *
 * A lease holds as long as the state directory that it leads to is there: whatever ends a container ends its leases, and
 * a boot ends all. Nobody has to tidy up for an address to be free again.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { checkName, isName } from "../base/names.ts";
import { AT } from "../kernel/constants.ts";
import { isThere, must, syscall } from "../kernel/syscall.ts";
import type { NetworkDefinition } from "../spec/network.ts";
import { replaceFile } from "./container.ts";
import { tryLock } from "./lock.ts";
import { ensurePrivateDirectory, makeDirectory } from "./root.ts";

/** An address that is taken. */
export interface Lease {
  readonly address: string;
  /** The state directory of who has it. */
  readonly owner: string;
}

/**
 * Does something while nobody else changes networks or leases.
 *
 * @throws PaddockError where the data root cannot be trusted.
 */
export function withNetworks<T>(dataRoot: string, body: () => T): T {
  ensurePrivateDirectory(dataRoot);
  ensurePrivateDirectory(directoryOf(dataRoot));
  using _ = takeLock(directoryOf(dataRoot));
  return body();
}

function takeLock(directory: string): Disposable {
  for (;;) {
    const lock = tryLock(directory, true);
    if (typeof lock === "object") return lock;
  }
}

/** The networks that there are, by name. */
export function listNetworks(dataRoot: string): NetworkDefinition[] {
  return namesIn(directoryOf(dataRoot)).filter(isName).sort().flatMap((name) => readNetwork(dataRoot, name) ?? []);
}

/** One network; `undefined` where there is none of that name. @throws PaddockError where its file is damaged. */
export function readNetwork(dataRoot: string, name: string): NetworkDefinition | undefined {
  const path = `${directoryOf(dataRoot, checkName(name))}/${FILE}`;
  if (!isThere(path)) return undefined;
  try {
    return JSON.parse(Deno.readTextFileSync(path)) as NetworkDefinition;
  } catch (cause) {
    throw new PaddockError(`the network '${name}' cannot be read: ${path}: ${(cause as Error).message}`, {
      hint: `remove it, and make it again: paddock network rm ${name}`,
      cause,
    });
  }
}

/** Keeps a network. To be called with the lock. */
export function writeNetwork(dataRoot: string, network: NetworkDefinition): void {
  const directory = directoryOf(dataRoot, network.name);
  makeDirectory(directory);
  makeDirectory(`${directory}/${LEASES}`);
  replaceFile(directory, FILE, `${JSON.stringify(network)}\n`);
}

/** Forgets a network and its leases. To be called with the lock. */
export function removeNetwork(dataRoot: string, name: string): void {
  Deno.removeSync(directoryOf(dataRoot, checkName(name)), { recursive: true });
}

/** The addresses of a network that are taken; leases that no longer hold are passed over. */
export function listLeases(dataRoot: string, name: string): Lease[] {
  const directory = `${directoryOf(dataRoot, name)}/${LEASES}`;
  return namesIn(directory).flatMap((address) => {
    const owner = readLink(`${directory}/${address}`);
    return owner !== undefined && isThere(owner) ? [{ address, owner }] : [];
  });
}

/** Takes addresses for a state directory; leases of them no longer hold. To be called with the lock. */
export function takeLeases(dataRoot: string, name: string, addresses: readonly string[], owner: string): void {
  const directory = `${directoryOf(dataRoot, name)}/${LEASES}`;
  for (const address of addresses) {
    const path = leasePath(dataRoot, name, address);
    syscall("unlinkat", AT.FDCWD, path, 0);
    must(path, "symlinkat", owner, AT.FDCWD, path);
  }
  if (addresses[0] !== undefined) replaceFile(directoryOf(dataRoot, name), LAST, addresses[0]);
  for (const address of namesIn(directory)) {
    const owner = readLink(`${directory}/${address}`);
    if (owner !== undefined && !isThere(owner)) syscall("unlinkat", AT.FDCWD, `${directory}/${address}`, 0);
  }
}

/** A container on a network whose members know each other by name. */
export interface Member {
  /** Its state directory. */
  readonly owner: string;
  readonly addresses: readonly string[];
  readonly names: readonly string[];
}

/** The files of a member: what is known of it, and its `/etc/hosts`. */
export function memberFiles(
  dataRoot: string,
  name: string,
  owner: string,
): { readonly about: string; readonly hosts: string } {
  const id = checkName(owner.slice(owner.lastIndexOf("/") + 1));
  const base = `${directoryOf(dataRoot, checkName(name))}/${MEMBERS}/${id}`;
  return { about: `${base}.json`, hosts: `${base}.hosts` };
}

/** Adds a member, with a first `/etc/hosts` that belongs to a user of the host. To be called with the lock. */
export function addMember(dataRoot: string, name: string, member: Member, hosts: string, user: number): void {
  makeDirectory(`${directoryOf(dataRoot, name)}/${MEMBERS}`);
  const files = memberFiles(dataRoot, name, member.owner);
  Deno.writeTextFileSync(files.about, JSON.stringify(member), { mode: 0o600 });
  // A file of its own, whatever was there: that may still be mounted in one that is over.
  syscall("unlinkat", AT.FDCWD, files.hosts, 0);
  Deno.writeTextFileSync(files.hosts, hosts, { mode: 0o644 });
  Deno.chmodSync(files.hosts, 0o644);
  if (user !== 0) Deno.chownSync(files.hosts, user, user);
}

/** The members that hold their leases; the files of others go. To be called with the lock. */
export function listMembers(dataRoot: string, name: string): Member[] {
  const directory = `${directoryOf(dataRoot, name)}/${MEMBERS}`;
  const leases = listLeases(dataRoot, name);
  return namesIn(directory).filter((file) => file.endsWith(".json")).sort().flatMap((file) => {
    const member = JSON.parse(Deno.readTextFileSync(`${directory}/${file}`)) as Member;
    if (leases.some(({ address, owner }) => owner === member.owner && member.addresses.includes(address))) {
      return [member];
    }
    removeMember(dataRoot, name, member.owner);
    return [];
  });
}

/** Forgets a member. To be called with the lock. */
export function removeMember(dataRoot: string, name: string, owner: string): void {
  const { about, hosts } = memberFiles(dataRoot, name, owner);
  for (const path of [about, hosts]) syscall("unlinkat", AT.FDCWD, path, 0);
}

/** Puts other text into the `/etc/hosts` of each member: into the same file, for it is mounted. */
export function rewriteHosts(
  dataRoot: string,
  name: string,
  members: readonly Member[],
  change: (text: string) => string,
): void {
  for (const { owner } of members) {
    const { hosts } = memberFiles(dataRoot, name, owner);
    // The container may have written into it, whatever it likes.
    if (!isThere(hosts) || Deno.statSync(hosts).size > LARGEST_HOSTS) continue;
    const text = Deno.readTextFileSync(hosts);
    const changed = change(text);
    if (changed !== text) Deno.writeTextFileSync(hosts, changed, { create: false });
  }
}

const MEMBERS = "members";

/** Bytes of an `/etc/hosts` that are still read. */
const LARGEST_HOSTS = 1024 * 1024;

/** Gives addresses back that a state directory has; one that has changed hands stays. */
export function releaseLeases(dataRoot: string, name: string, addresses: readonly string[], owner: string): void {
  for (const address of addresses) {
    const path = leasePath(dataRoot, name, address);
    if (readLink(path) === owner) syscall("unlinkat", AT.FDCWD, path, 0);
  }
}

/** The address that was given out last; `undefined` where none was. */
export function readLast(dataRoot: string, name: string): string | undefined {
  const path = `${directoryOf(dataRoot, name)}/${LAST}`;
  return isThere(path) ? Deno.readTextFileSync(path) : undefined;
}

/**
 * The link that says who has an address.
 *
 * @throws PaddockError where the name or the address would lead elsewhere: records are believed by code that removes.
 */
export function leasePath(dataRoot: string, name: string, address: string): string {
  if (!/^[0-9a-f:.]+$/.test(address) || !/[0-9a-f]/.test(address)) {
    throw new PaddockError(`'${address}' is no address of a network`);
  }
  return `${directoryOf(dataRoot, checkName(name))}/${LEASES}/${address}`;
}

const FILE = "network.json";
const LEASES = "leases";
const LAST = "last";

function directoryOf(dataRoot: string, name?: string): string {
  return name === undefined ? `${dataRoot}/networks` : `${dataRoot}/networks/${name}`;
}

function namesIn(directory: string): string[] {
  return isThere(directory) ? Array.from(Deno.readDirSync(directory), ({ name }) => name) : [];
}

function readLink(path: string): string | undefined {
  const buffer = new Uint8Array(4096);
  const length = syscall("readlinkat", AT.FDCWD, path, buffer, buffer.length);
  return length < 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, length));
}
