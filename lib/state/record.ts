/**
 * What is kept of a container beside its lock: one JSON file.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { isName } from "../base/names.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import type { Attachment, Port } from "../spec/network.ts";

/** A container, as `state.json` says it. Whether it runs is not in here: the lock knows that, and cannot be stale. */
export interface ContainerRecord {
  readonly id: string;
  /** The name that its user gave it; absent where the id was made up. */
  readonly name?: string;
  /** When it was made, ISO 8601 in UTC. */
  readonly created: string;
  /** The image in its user's words. */
  readonly image: string;
  readonly command: readonly string[];
  /** Digest of the configuration of its image; absent where that is none of the store. */
  readonly imageId?: string;
  /** What an image that is made of it says. */
  readonly imageConfig?: ImageConfig;
  /** The ids of a user namespace of its own: inside, on the host, how many; for users and for groups. */
  readonly ids?: { readonly uid: IdRange; readonly gid: IdRange };
  /** The bundle that it was made from, absolute; absent where it came from an image. */
  readonly bundle?: string;
  /** `annotations` of its configuration; only of one made from a bundle. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Its directory below the data root: what it writes lands there. Absent where it needs none. */
  readonly dataDir?: string;
  /** How its layers were laid over one another where the kernel's overlay did not do it. */
  readonly layering?: "fuse" | "copy";
  /** Where its volumes without names are in it; the directory of each is `volumes/N` in `dataDir`. */
  readonly volumes?: readonly string[];
  /** The directories of the host that its rootfs is made of, the topmost first. */
  readonly layers?: readonly string[];
  /** Each of its cgroups as an absolute path, one for every hierarchy. */
  readonly cgroupPaths: readonly string[];
  /** Its directories of resctrl, absolute, the inner first. */
  readonly resctrlPaths?: readonly string[];
  /** The unit that systemd has made for it: its cgroups are that unit's. */
  readonly unit?: string;
  /** True where it outlives its command: named, and not to be removed at its end. */
  readonly keep: boolean;
  /** True where nobody waits for its end but its monitor. */
  readonly detached?: boolean;
  /** How long it may take to end when it is asked to, seconds; -1 is for ever; absent: as long as is usual. */
  readonly stopTimeout?: number;
  /** The policy by which it is started again when it ends: `always`, `unless-stopped`, `on-failure`, `on-failure:N`. */
  readonly restart?: string;
  /** True where its user ended it, and so it is not started by itself any more. */
  readonly stopped?: boolean;
  /** True where it has a terminal of its own. */
  readonly terminal?: boolean;
  /** True where somebody may type into it who attaches. */
  readonly input?: boolean;
  /** How often it was started again after its first end. */
  readonly restarts?: number;
  /** The file that its output goes to, absolute; absent where nobody keeps it. */
  readonly log?: string;
  /** How many files its log has at most, with times and streams; absent where it is one, as it was printed. */
  readonly logFiles?: number;
  /** True where its processes have the keyring of who called, and none of the container's. */
  readonly callersKeyring?: boolean;
  /** The launcher's process: the container's parent. Only to be believed while the lock is held. */
  readonly launcherPid?: number;
  /** The container's first process, where its maker knew it. Only to be believed while the lock is held. */
  readonly pid?: number;
  /** What it has of a network; absent where it is connected with none, and once it is over. */
  readonly network?: Attachment;
  readonly exit?: ContainerExit;
}

/** Ids of a container in a row, and those that they are on the host. */
export interface IdRange {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** How a container ended. */
export interface ContainerExit {
  /** As paddock gave it: the command's own, or 128 + signal. */
  readonly code: number;
  /** The signal's number, where one ended it. */
  readonly signal?: number;
  /** True where the kernel killed for want of memory. */
  readonly oom: boolean;
  /** The most memory that it used, bytes; absent where it was not counted, as are those below. */
  readonly peakMemory?: number;
  /** Nanoseconds of processor time. */
  readonly cpuTime?: number;
  /** Bytes that it read from disks, and wrote to them. */
  readonly ioRead?: number;
  readonly ioWritten?: number;
  /** What paddock could not do, where the command never began. */
  readonly error?: string;
  /** When its command began, ISO 8601 in UTC. */
  readonly startedAt?: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
}

/** The text of a record, one line with a newline. */
export function formatRecord(record: ContainerRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * A record from its text.
 *
 * @param known what the text may leave out.
 * @throws PaddockError where it is no record, naming the first field that is not as it must be.
 */
export function parseRecord(text: string, known: Partial<ContainerRecord> = {}): ContainerRecord {
  const value: Record<string, unknown> = { ...known, ...parseObject(text) };
  const bad = FIELDS.find(([field, check, optional]) =>
    value[field] === undefined ? optional !== "optional" : !check(value[field])
  );
  if (bad !== undefined) throw new PaddockError(`record of a container: field '${bad[0]}' is not as it must be`);
  return value as unknown as ContainerRecord;
}

const isText = (value: unknown): boolean => typeof value === "string";
const isPid = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
// A record is believed by code that removes directories: paths in it are absolute and have no way up.
const isPath = (value: unknown): boolean =>
  isText(value) && (value as string).startsWith("/") && !(value as string).split("/").some(isDots);
const isDots = (part: string): boolean => part === "." || part === "..";

const FIELDS: readonly (readonly [keyof ContainerRecord, (value: unknown) => boolean, "optional"?])[] = [
  ["id", (value) => isText(value) && isName(value as string)],
  ["name", isText, "optional"],
  ["created", isText],
  ["image", isText],
  ["command", isTexts],
  ["imageId", isText, "optional"],
  ["imageConfig", isObject, "optional"],
  ["ids", isObject, "optional"],
  ["bundle", isPath, "optional"],
  ["annotations", isTextRecord, "optional"],
  ["dataDir", isPath, "optional"],
  ["layering", (value) => value === "fuse" || value === "copy", "optional"],
  ["volumes", isTexts, "optional"],
  ["layers", (value) => isTexts(value) && (value as string[]).every(isPath), "optional"],
  ["cgroupPaths", (value) => isTexts(value) && (value as string[]).every(isPath)],
  ["resctrlPaths", (value) => isTexts(value) && (value as string[]).every(isPath), "optional"],
  ["unit", isText, "optional"],
  ["keep", (value) => typeof value === "boolean"],
  ["detached", (value) => typeof value === "boolean", "optional"],
  ["restart", (value) => /^(always|unless-stopped|on-failure(:\d+)?)$/.test(String(value)), "optional"],
  ["stopTimeout", Number.isInteger, "optional"],
  ["stopped", (value) => typeof value === "boolean", "optional"],
  ["terminal", (value) => typeof value === "boolean", "optional"],
  ["input", (value) => typeof value === "boolean", "optional"],
  ["restarts", (value) => Number.isInteger(value) && (value as number) > 0, "optional"],
  ["log", isPath, "optional"],
  ["logFiles", (value) => Number.isInteger(value) && (value as number) > 0, "optional"],
  ["callersKeyring", (value) => typeof value === "boolean", "optional"],
  ["launcherPid", isPid, "optional"],
  ["pid", isPid, "optional"],
  ["network", isAttachment, "optional"],
  ["exit", isExit, "optional"],
];

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every(isText);
}

/** Code that gives addresses and ports back believes it: the network is a name, addresses are nothing else. */
function isAttachment(value: unknown): boolean {
  const found = value as Partial<Attachment> | null;
  if (typeof found !== "object" || found === null || !isText(found.network) || !isName(found.network!)) return false;
  const { addresses, ports } = found;
  const isAddress = (text: string): boolean => /^[0-9a-f.:]+\/\d+$/.test(text);
  return isTexts(addresses) && addresses!.every(isAddress) && Array.isArray(ports) && ports.every(isPort);
}

function isPort(value: unknown): boolean {
  const port = value as Partial<Port> | null;
  return typeof port === "object" && port !== null && (port.protocol === "tcp" || port.protocol === "udp") &&
    isPid(port.hostPort) && isPid(port.containerPort) && (port.hostAddress === undefined || isText(port.hostAddress));
}

function isExit(value: unknown): boolean {
  const exit = value as Partial<ContainerExit> | null;
  return typeof exit === "object" && exit !== null && Number.isInteger(exit.code) && typeof exit.oom === "boolean" &&
    isText(exit.at);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below: what JSON.parse says of the place helps nobody.
  }
  throw new PaddockError("record of a container: not a JSON object");
}
