/**
 * The file of `--security-opt seccomp=FILE`: an OCI profile, or docker's own format, whose rules may depend on the
 * machine, the kernel and the capabilities (moby `profiles/seccomp/seccomp.go`).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Seccomp, SeccompAction, SeccompArch, SeccompArgument, SeccompFlag, SeccompRule } from "./config.ts";
import { SECCOMP_PARTS } from "./parse.ts";
import { integer, list, may, need, object, type Reader, readJson, text } from "./shape.ts";

/** What rules of such a file may depend on. */
export interface SeccompCircumstances {
  readonly arch: "x86_64" | "aarch64";
  /** First numbers of the kernel's version. */
  readonly kernel: readonly [number, number, ...number[]];
  /** The bounding set, names such as `CAP_SYS_ADMIN`. */
  readonly capabilities: readonly string[];
}

/**
 * The profile in a file's text, as it is for these circumstances.
 *
 * @throws {PaddockError} naming what of it cannot be
 */
export function parseSeccompFile(source: string, circumstances: SeccompCircumstances): Seccomp {
  const { archMap, architectures, syscalls = [], ...others } = readFile(parseJson(source), "");
  if (archMap !== undefined && archMap.length > 0 && architectures !== undefined && architectures.length > 0) {
    throw new PaddockError("archMap: there is a list of architectures, too; one of them is enough");
  }
  const chosen = architectures ?? chooseArchitectures(archMap ?? [], circumstances);
  return {
    ...others,
    ...(chosen.length === 0 ? {} : { architectures: chosen }),
    syscalls: syscalls.flatMap((rule, index) => holds(rule, circumstances) ? [toRule(rule, `syscalls[${index}]`)] : []),
  };
}

interface FileRule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
  readonly includes?: Conditions;
  readonly excludes?: Conditions;
}

/** Architectures in the words of Go, capabilities, and a version such as `4.8`. */
interface Conditions {
  readonly arches?: readonly string[];
  readonly caps?: readonly string[];
  readonly minKernel?: readonly number[];
}

interface ArchEntry {
  readonly architecture: SeccompArch;
  readonly subArchitectures?: readonly SeccompArch[];
}

interface File extends Omit<Seccomp, "syscalls"> {
  readonly archMap?: readonly ArchEntry[];
  readonly syscalls?: readonly FileRule[];
}

const version: Reader<readonly number[]> = (value, path) => {
  const parts = /^(\d+)\.(\d+)$/.exec(text(value, path));
  if (parts === null) throw new PaddockError(`${path}: '${value}' is no version such as 4.8`);
  return [Number(parts[1]), Number(parts[2])];
};

const conditions = object<Conditions>({
  arches: may(list(text)),
  caps: may(list(text)),
  minKernel: may(version),
});

const readFile = object<File>({
  defaultAction: need(SECCOMP_PARTS.action),
  defaultErrnoRet: may(integer),
  architectures: may(list(SECCOMP_PARTS.architecture)),
  archMap: may(list(object<ArchEntry>({
    architecture: need(SECCOMP_PARTS.architecture),
    subArchitectures: may(list(SECCOMP_PARTS.architecture)),
  }))),
  flags: may(list(SECCOMP_PARTS.flag) as Reader<readonly SeccompFlag[]>),
  listenerPath: may(text),
  listenerMetadata: may(text),
  syscalls: may(list(object<FileRule>({
    name: may(text),
    names: may(list(text)),
    action: need(SECCOMP_PARTS.action),
    errnoRet: may(integer),
    args: may(list(SECCOMP_PARTS.argument)),
    includes: may(conditions),
    excludes: may(conditions),
  }))),
});

function parseJson(source: string): unknown {
  try {
    return readJson(source);
  } catch (cause) {
    throw new PaddockError(`it is no JSON: ${(cause as Error).message}`, { cause });
  }
}

const MACHINES = {
  x86_64: { own: "SCMP_ARCH_X86_64", go: "amd64" },
  aarch64: { own: "SCMP_ARCH_AARCH64", go: "arm64" },
} as const;

function chooseArchitectures(map: readonly ArchEntry[], { arch }: SeccompCircumstances): readonly SeccompArch[] {
  const entry = map.find(({ architecture }) => architecture === MACHINES[arch].own);
  return entry === undefined ? [] : [entry.architecture, ...(entry.subArchitectures ?? [])];
}

/** A rule is left out by anything that it excludes, and by anything that it includes and that is not so. */
function holds({ includes = {}, excludes = {} }: FileRule, circumstances: SeccompCircumstances): boolean {
  const { capabilities, kernel } = circumstances;
  const { go } = MACHINES[circumstances.arch];
  const reaches = ([major = 0, minor = 0]: readonly number[]) =>
    kernel[0] > major || (kernel[0] === major && kernel[1] >= minor);
  const excluded = excludes.arches?.includes(go) === true ||
    (excludes.caps ?? []).some((name) => capabilities.includes(name)) ||
    (excludes.minKernel !== undefined && reaches(excludes.minKernel));
  const { arches = [], caps = [], minKernel } = includes;
  return !excluded && (arches.length === 0 || arches.includes(go)) &&
    caps.every((name) => capabilities.includes(name)) && (minKernel === undefined || reaches(minKernel));
}

function toRule({ name, names = [], action, errnoRet, args }: FileRule, path: string): SeccompRule {
  if (name !== undefined && names.length > 0) throw new PaddockError(`${path}: has both name and names`);
  return {
    names: name === undefined ? names : [name],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args.length === 0 ? {} : { args }),
  };
}
