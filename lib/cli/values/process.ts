/**
 * The flags that shape the process, its names and its rights, read.
 *
 * @module
 */
import { CAPABILITIES } from "../../base/capabilities.ts";
import { UsageError } from "../../base/errors.ts";
import { findSignal, nameSignal } from "../../base/signals.ts";
import { parseDuration } from "../../base/sizes.ts";
import { didYouMean } from "../../base/text.ts";
import type { IdMapping, Rlimit } from "../../spec/config.ts";
import { RLIMITS } from "../../base/rlimits.ts";
import type { DeviceOption, RestartPolicy, RunOptions, SeccompOption } from "../../spec/run_options.ts";
import type { Host } from "../types.ts";
import { readContainerPath, readInteger, resolveHostPath } from "./flag.ts";

/** `-e NAME=value`, or `-e NAME` for the value that it has here; gone where it has none here. */
export function readEnv(text: string, host: Host): string {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "" || /\s/.test(name)) throw new UsageError(`'${text}' has no variable's name`);
  if (equals >= 0) return text;
  const value = host.env(name);
  return value === undefined ? name : `${name}=${value}`;
}

/** The variables in an `--env-file`: one on a line, `#` begins a comment line, values are taken as they stand. */
export function readEnvFile(path: string, host: Host): string[] {
  const lines = readHostText(path, host).replace(/^\ufeff/, "").split(/\r?\n/).map((line) => line.trimStart());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => readEnv(line, host));
}

function readHostText(path: string, host: Host): string {
  try {
    return host.readText(resolveHostPath(path, host));
  } catch (error) {
    throw new UsageError(`cannot read '${path}': ${(error as Error).message}`, { cause: error });
  }
}

/** `USER[:GROUP]`: names, or numbers that an id may have. */
export function readUser(text: string): string {
  const parts = text.split(":");
  if (parts.length > 2 || parts.some((part) => part === "")) {
    throw new UsageError(`'${text}' is not of the form USER[:GROUP]`);
  }
  parts.forEach(readIdOrName);
  return text;
}

/** A name, or a number below the one that means "no change" (`man 2 setresuid`). */
export function readIdOrName(text: string): string {
  if (/^[+-]?\d+$/.test(text)) readInteger(text, 0, LAST_ID);
  else if (!/^[^\s:,\0/-][^\s:,\0/]*$/.test(text)) throw new UsageError(`'${text}' is neither a name nor a number`);
  return text;
}

const LAST_ID = 2 ** 32 - 2;

/** `--ulimit NAME=SOFT[:HARD]`; -1 and `unlimited` are no limit. */
export function readUlimit(text: string): Rlimit {
  const match = /^([a-z]+)=([^:]+)(?::([^:]+))?$/.exec(text);
  const name = match?.[1] ?? "";
  if (match === null) throw new UsageError(`'${text}' is not of the form NAME=SOFT[:HARD]`);
  if (!RLIMITS.some((known) => known === name)) {
    throw new UsageError(`'${name}' is no resource limit`, {
      hint: didYouMean(name, RLIMITS) ?? `limits are ${RLIMITS.join(", ")}`,
    });
  }
  const soft = readLimit(match[2] ?? "");
  const hard = readLimit(match[3] ?? match[2] ?? "");
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new UsageError(`'${text}': the soft limit is above the hard one`);
  }
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

function readLimit(text: string): number {
  return text === "unlimited" ? -1 : readInteger(text, -1, Number.MAX_SAFE_INTEGER);
}

/** An octal `--umask`. */
export function readUmask(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text) || Number.parseInt(text, 8) > 0o777) {
    throw new UsageError(`'${text}' is no octal mode from 0 to 0777`);
  }
  return Number.parseInt(text, 8);
}

/** A capability without `CAP_` and in lower case, or `all`. */
export function readCapability(text: string): string {
  const name = text.toLowerCase().replace(/^cap_/, "");
  if (name === "all" || CAPABILITIES.some((known) => known === name)) return name;
  throw new UsageError(`'${text}' is no capability`, {
    hint: didYouMean(name, CAPABILITIES) ?? "see: man 7 capabilities",
  });
}

/** A signal's name without `SIG`. */
export function readSignal(text: string): string {
  const number = findSignal(text);
  if (number === undefined) throw new UsageError(`'${text}' is no signal`);
  return nameSignal(number);
}

/** `--userns UID:GID:SIZE` or `host`. */
export function readUserns(text: string): RunOptions["userns"] {
  if (text === "host") return "host";
  const match = /^(\d+):(\d+):(\d+)$/.exec(text);
  if (match === null) throw new UsageError(`'${text}' is not of the form UID:GID:SIZE, nor host`);
  const [uid = 0, gid = 0, size = 0] = match.slice(1).map((part) => readInteger(part, 0, LAST_ID));
  if (size === 0) throw new UsageError(`'${text}' maps no id at all`);
  const map = (hostID: number): IdMapping => {
    if (hostID + size - 1 > LAST_ID) throw new UsageError(`'${text}' maps ids beyond ${LAST_ID}`);
    return { containerID: 0, hostID, size };
  };
  return { uid: map(uid), gid: map(gid) };
}

/** `--time-offset monotonic=1d` or `boottime=-3600`, in seconds. */
export function readTimeOffset(text: string): readonly ["monotonic" | "boottime", number] {
  const [clock, amount = ""] = text.split("=", 2);
  if (clock !== "monotonic" && clock !== "boottime") {
    throw new UsageError(`'${text}' is not of the form CLOCK=SECONDS`, { hint: "clocks are monotonic and boottime" });
  }
  return [clock, parseDuration(amount)];
}

/** What `--security-opt` words mean here. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  readonly unmasked: boolean;
  /** Absent where nothing is said of it. */
  readonly seccomp?: SeccompOption;
}

/** All `--security-opt` words together; of one key the last counts. */
export function readSecurityOptions(words: readonly string[], host: Host): SecurityOptions {
  const settings = words.map((word) => {
    const [, key = "", value = "true"] = /^([a-z-]+)(?:[=:](.*))?$/.exec(word) ?? ["", word];
    const ofKey = SECURITY_SETTINGS.filter(([known]) => known === key);
    const found = ofKey.find(([, known]) => known === value);
    if (found !== undefined) return found[2];
    if (key === "seccomp" && value !== "" && /[=:]/.test(word)) return { seccomp: readSeccompFile(value, host) };
    if (ofKey.length > 0) {
      throw new UsageError(`--security-opt: ${key} does not take '${value}'`, {
        hint: `it takes ${ofKey.map(([, known]) => known).join(" and ")}` +
          (key === "seccomp" ? ", and the file of a profile" : ""),
      });
    }
    throw new UsageError(`--security-opt: '${word}' is not known`, {
      hint: didYouMean(key, SECURITY_SETTINGS.map(([known]) => known)) ??
        "it takes no-new-privileges, seccomp=unconfined, seccomp=FILE and systempaths=unconfined",
    });
  });
  return { noNewPrivileges: false, unmasked: false, ...Object.assign({}, ...settings) };
}

/** Key, value, and what they set. The last two say what holds anyway: no profile and no label is set. */
const SECURITY_SETTINGS: readonly (readonly [string, string, Partial<SecurityOptions>])[] = [
  ["no-new-privileges", "true", { noNewPrivileges: true }],
  ["no-new-privileges", "false", { noNewPrivileges: false }],
  ["systempaths", "unconfined", { unmasked: true }],
  ["seccomp", "unconfined", { seccomp: { kind: "unconfined" } }],
  ["seccomp", "builtin", { seccomp: { kind: "default" } }],
  ["apparmor", "unconfined", {}],
  ["label", "disable", {}],
];

function readSeccompFile(path: string, host: Host): SeccompOption {
  try {
    return { kind: "file", path, text: readHostText(path, host) };
  } catch (cause) {
    throw new UsageError(`--security-opt seccomp: ${(cause as Error).message}`, {
      hint: "give a profile's file, or unconfined",
      cause,
    });
  }
}

/** `--device SRC[:DST[:rwm]]`. */
export function readDevice(text: string, host: Host): DeviceOption {
  const [source = "", second, third, extra] = text.split(":");
  const secondIsAccess = second !== undefined && third === undefined && !second.startsWith("/");
  const access = (secondIsAccess ? second : third) ?? "rwm";
  if (extra !== undefined || !/^[rwm]{1,3}$/.test(access) || new Set(access).size !== access.length) {
    throw new UsageError(`'${text}' is not of the form SRC[:DST[:rwm]]`);
  }
  const path = resolveHostPath(source, host);
  return { source: path, target: readContainerPath(secondIsAccess || second === undefined ? path : second), access };
}

/** An IPv4 or IPv6 address. */
export function readAddress(text: string): string {
  if (isIPv4(text) || isIPv6(text)) return text;
  throw new UsageError(`'${text}' is no IP address`);
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

function isIPv6(text: string): boolean {
  return /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) && URL.canParse(`http://[${text}]/`);
}

/** `--add-host NAME:ADDRESS` or `NAME=ADDRESS`. */
export function readAddHost(text: string): { readonly host: string; readonly address: string } {
  const match = /^([^:=\s]+)[:=](.+)$/.exec(text);
  if (match === null) throw new UsageError(`'${text}' is not of the form NAME:ADDRESS`);
  return { host: match[1] ?? "", address: readAddress((match[2] ?? "").replace(/^\[(.*)\]$/, "$1")) };
}

/** A host name: labels of letters, digits and `-` with points between, and no longer than Linux takes. */
export function readHostname(text: string): string {
  if (
    /^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$/.test(text) &&
    text.length <= 64
  ) return text;
  throw new UsageError(`'${text}' is no host name`, { hint: "letters, digits, '-' and '.', 64 characters at most" });
}

/** A restart policy; `no`, as if nothing was said. */
export function readRestart(text: string): RestartPolicy | undefined {
  if (text === "no") return undefined;
  if (text === "always" || text === "unless-stopped" || text === "on-failure") return { when: text };
  const [, times] = /^on-failure:(\d+)$/.exec(text) ?? [];
  // 0 is no limit, as with docker.
  if (times !== undefined && Number(times) === 0) return { when: "on-failure" };
  if (times !== undefined) return { when: "on-failure", atMost: readInteger(times, 1, 2 ** 31 - 1) };
  throw new UsageError(`'${text}' is no restart policy`, {
    hint: "no, on-failure, on-failure:N, always, unless-stopped",
  });
}
