/**
 * `-v`, `--mount` and `--tmpfs` read.
 *
 * A read-only bind is read-only with everything mounted below it: docker's `ro` left submounts writable for years
 * (moby#37838). `--mount …,bind-recursive=writable` asks for the old meaning.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseSize } from "../../base/sizes.ts";
import { didYouMean } from "../../base/text.ts";
import type { BindOption, MountOption, OverlayOption, TmpfsOption } from "../../spec/run_options.ts";
import type { Host } from "../types.ts";
import { readContainerPath, resolveHostPath } from "./flag.ts";

/** `-v SRC:DST[:OPTIONS]`, or a path of the container alone: a volume without a name. */
export function readVolume(text: string, host: Host): BindOption {
  const parts = text.split(":");
  const [source, target, words] = parts;
  if (parts.length === 1 && text.startsWith("/")) {
    return { kind: "bind", source: "", target: readTarget(text), ...readBindWords([]), anonymous: true };
  }
  if (source === undefined || target === undefined || parts.length > 3 || source === "" || target === "") {
    throw new UsageError(`'${text}' is not of the form SRC:DST[:OPTIONS]`, {
      hint: parts.length === 1
        ? "a path alone, for a directory of the container's own, begins with a slash"
        : "for paths with a colon use --mount type=bind,source=…,target=…",
    });
  }
  return {
    kind: "bind",
    source: resolveHostPath(source, host),
    target: readTarget(target),
    ...readBindWords(words === undefined ? [] : words.split(",")),
  };
}

/** `--tmpfs DST[:OPTIONS]`. */
export function readTmpfs(text: string): TmpfsOption {
  const [target, words, extra] = text.split(":");
  if (target === undefined || extra !== undefined) throw new UsageError(`'${text}' is not of the form DST[:OPTIONS]`);
  const given = words === undefined || words === "" ? [] : words.split(",");
  return { kind: "tmpfs", target: readTarget(target), options: given.map(checkTmpfsWord) };
}

/** `--mount type=bind|tmpfs|overlay,KEY=VALUE,…`. */
export function readMount(text: string, host: Host): MountOption {
  const fields = new Fields(splitFields(text));
  const type = fields.take("type");
  const read = MOUNT_READERS.get(type ?? "");
  if (read === undefined) {
    const named = type === undefined ? "'type=' is missing" : `type=${type} is no kind of mount`;
    throw new UsageError(named, { hint: type === "volume" ? VOLUME_HINT : "type=bind, type=tmpfs or type=overlay" });
  }
  const mount = read(fields, host);
  fields.refuseRest(type ?? "");
  return mount;
}

const VOLUME_HINT = "paddock has no named volumes: give a directory with type=bind,source=DIR";

const PROPAGATIONS = ["rprivate", "private", "rshared", "shared", "rslave", "slave"] as const;
const MOUNT_FLAGS = ["nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "nodiratime", "relatime"] as const;
/** Words for other systems' file sharing: docker takes them on Linux, and they do nothing there. */
const WITHOUT_EFFECT = ["cached", "delegated", "consistent", "default"] as const;
const ACCESS = ["rw", "ro", "rro"] as const;
const BIND_WORDS = [...ACCESS, ...PROPAGATIONS, ...MOUNT_FLAGS, ...WITHOUT_EFFECT, "z", "Z", "rbind", "bind"] as const;

/** Options of the specification from the words after the second colon of `-v`. */
function readBindWords(words: readonly string[]): Pick<BindOption, "options" | "relabel"> {
  const given = words.filter((word) => word !== "");
  for (const word of given) {
    if (!includes(BIND_WORDS, word)) {
      throw new UsageError(`'${word}' is no option of a bind mount`, {
        hint: didYouMean(word, BIND_WORDS) ?? `options are ${BIND_WORDS.slice(0, 15).join(", ")}`,
      });
    }
  }
  return {
    options: [
      pickOne(given, ["rbind", "bind"]) ?? "rbind",
      pickOne(given, PROPAGATIONS) ?? "rprivate",
      ...readonlyWords(pickOne(given, ACCESS) ?? "rw", "enabled"),
      ...given.filter((word) => includes(MOUNT_FLAGS, word)),
    ],
    relabel: pickOne(given, ["z", "Z"]) !== undefined,
  };
}

/** `ro` alone is the mount itself; `rro` is everything mounted below it too. */
function readonlyWords(access: string, recursive: string): string[] {
  if (access === "rw") return [];
  return recursive === "writable" || recursive === "disabled" ? ["ro"] : ["ro", "rro"];
}

type MountReader = (fields: Fields, host: Host) => MountOption;

const MOUNT_READERS: ReadonlyMap<string, MountReader> = new Map<string, MountReader>([
  ["bind", readBindMount],
  ["tmpfs", readTmpfsMount],
  ["overlay", readOverlayMount],
]);

function readBindMount(fields: Fields, host: Host): BindOption {
  const source = fields.take("source", "src") ?? fail("type=bind needs source=");
  const target = readTarget(fields.takeTarget());
  const recursive = readRecursion(fields);
  const propagation = fields.takeOneOf("bind-propagation", PROPAGATIONS) ?? "rprivate";
  const access = fields.takeSwitch("readonly", "ro") ? "ro" : "rw";
  fields.take("consistency");
  return {
    kind: "bind",
    source: resolveHostPath(source, host),
    target,
    options: [
      recursive === "disabled" ? "bind" : "rbind",
      propagation,
      ...readonlyWords(access, recursive),
      ...fields.takeFlags(),
    ],
    relabel: false,
  };
}

/** `bind-recursive=enabled|disabled|writable|readonly` and the older `bind-nonrecursive`. */
function readRecursion(fields: Fields): string {
  if (fields.takeSwitch("bind-nonrecursive")) return "disabled";
  return fields.takeOneOf("bind-recursive", ["enabled", "disabled", "writable", "readonly"]) ?? "enabled";
}

function readTmpfsMount(fields: Fields): TmpfsOption {
  const target = readTarget(fields.takeTarget());
  const size = fields.take("tmpfs-size");
  const mode = fields.take("tmpfs-mode");
  return {
    kind: "tmpfs",
    target,
    options: [
      ...(fields.takeSwitch("readonly", "ro") ? ["ro"] : []),
      ...(size === undefined ? [] : [checkTmpfsWord(`size=${size}`)]),
      ...(mode === undefined ? [] : [checkTmpfsWord(`mode=${mode}`)]),
      ...fields.takeFlags(),
    ],
  };
}

function readOverlayMount(fields: Fields, host: Host): OverlayOption {
  const target = readTarget(fields.takeTarget());
  const lower = fields.takeAll("lower", "lowerdir").flatMap((value) => value.split(":"));
  const upper = fields.take("upper", "upperdir");
  const work = fields.take("work", "workdir");
  if (lower.length === 0) fail("type=overlay needs lower=");
  if (upper === undefined && lower.length < 2) {
    fail("type=overlay needs upper= and work=, or two directories in lower=");
  }
  if ((upper === undefined) !== (work === undefined)) fail("type=overlay needs upper= and work= together");
  return {
    kind: "overlay",
    target,
    lower: lower.map((path) => checkOverlayPath(resolveHostPath(path, host))),
    ...(upper === undefined ? {} : { upper: checkOverlayPath(resolveHostPath(upper, host)) }),
    ...(work === undefined ? {} : { work: checkOverlayPath(resolveHostPath(work, host)) }),
    options: [...(fields.takeSwitch("readonly", "ro") ? ["ro"] : []), ...fields.takeFlags()],
  };
}

/** The options of overlayfs are split at commas and colons, and a backslash escapes: such paths need the caller to rename. */
function checkOverlayPath(path: string): string {
  if (/[,:\\]/.test(path)) fail(`'${path}': overlay takes no path with a comma, colon or backslash`);
  return path;
}

/** Words of `mount -t tmpfs -o` (`man 5 tmpfs`); sizes with units in bytes, for the kernel knows k, m and g only. */
function checkTmpfsWord(word: string): string {
  const [key, value] = word.split("=", 2);
  if (value === undefined && includes(["ro", "rw", ...MOUNT_FLAGS], word)) return word;
  if (key === "size" && value !== undefined) return /^\d+%$/.test(value) ? word : `size=${parseSize(value)}`;
  if (key === "mode" && value !== undefined && /^[0-7]{3,5}$/.test(value)) return word;
  if (
    (key === "uid" || key === "gid" || key === "nr_inodes" || key === "nr_blocks") && /^\d+[kmg]?$/.test(value ?? "")
  ) return word;
  throw new UsageError(`'${word}' is no option of a tmpfs`, {
    hint: "options are size=, mode=, uid=, gid=, nr_inodes=, ro, exec, suid, dev",
  });
}

function readTarget(text: string): string {
  const target = readContainerPath(text);
  if (target === "/") fail("the target cannot be /, the root filesystem itself");
  return target;
}

/** The only word of a family that is given; two different ones contradict each other. */
function pickOne(given: readonly string[], family: readonly string[]): string | undefined {
  const found = [...new Set(given.filter((word) => family.includes(word)))];
  if (found.length > 1) fail(`'${found[0]}' and '${found[1]}' contradict each other`);
  return found[0];
}

/** Comma-separated `KEY=VALUE` with docker's (CSV's) quotes: `"source=/a,b"`. */
function splitFields(text: string): [string, string][] {
  const fields = text.match(/(?:"(?:[^"]|"")*"|[^,"])+/g) ?? [];
  return fields.map((field) => {
    const bare = field.replace(/"((?:[^"]|"")*)"/g, (_, quoted: string) => quoted.replaceAll('""', '"'));
    const equals = bare.indexOf("=");
    return equals < 0 ? [bare.trim(), "true"] : [bare.slice(0, equals).trim(), bare.slice(equals + 1)];
  });
}

/** The keys of a `--mount`, each taken once by the reader that knows it. */
class Fields {
  constructor(private fields: [string, string][]) {}

  takeAll(...names: string[]): string[] {
    const taken = this.fields.filter(([key]) => names.includes(key));
    this.fields = this.fields.filter(([key]) => !names.includes(key));
    return taken.map(([, value]) => value);
  }

  take(...names: string[]): string | undefined {
    const values = this.takeAll(...names);
    if (values.length > 1) fail(`'${names[0]}=' is given twice`);
    return values[0];
  }

  takeTarget(): string {
    return this.take("target", "dst", "destination") ?? fail("'target=' is missing");
  }

  takeSwitch(...names: string[]): boolean {
    const value = this.take(...names) ?? "false";
    if (!["true", "false", "1", "0"].includes(value)) fail(`'${names[0]}=${value}' is neither true nor false`);
    return value === "true" || value === "1";
  }

  takeOneOf(name: string, values: readonly string[]): string | undefined {
    const value = this.take(name);
    if (value !== undefined && !values.includes(value)) {
      throw new UsageError(`'${name}=${value}' is not known`, { hint: `${name} is one of ${values.join(", ")}` });
    }
    return value;
  }

  takeFlags(): string[] {
    return MOUNT_FLAGS.filter((flag) => this.takeSwitch(flag));
  }

  refuseRest(type: string): void {
    const key = this.fields[0]?.[0];
    if (key !== undefined) fail(`'${key}' is no key of type=${type}`);
  }
}

function includes(words: readonly string[], word: string): boolean {
  return words.includes(word);
}

function fail(message: string): never {
  throw new UsageError(message);
}
