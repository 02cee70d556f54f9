/**
 * What must hold of a Config before a plan is made of it: a list of checks, each about one thing.
 *
 * Every finding is returned, not the first alone, each with the JSON path of the value, so that the author of a
 * `config.json` mends all at once.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Config } from "./config.ts";
import { type Check, type Finding, finding } from "./finding.ts";
import { HOOK_CHECKS } from "./validate_hooks.ts";
import { LINUX_CHECKS } from "./validate_linux.ts";
import { MOUNT_CHECKS } from "./validate_mounts.ts";
import { NAMESPACE_CHECKS } from "./validate_namespaces.ts";
import { PROCESS_CHECKS } from "./validate_process.ts";
import { RESOURCE_CHECKS } from "./validate_resources.ts";
import { SECCOMP_CHECKS } from "./validate_seccomp.ts";

/** Everything that is wrong with the Config; empty where it can be planned. */
export function validateConfig(config: Config): readonly Finding[] {
  return CHECKS.flatMap((check) => check(config));
}

/**
 * The Config, if nothing is wrong with it.
 *
 * @throws {PaddockError} naming every finding
 */
export function checkConfig(config: Config): Config {
  const findings = validateConfig(config);
  if (findings.length === 0) return config;
  throw new PaddockError(
    `the configuration cannot be: ${findings.map(({ path, problem }) => `${path}: ${problem}`).join("; ")}`,
  );
}

/** A version that this program follows (config.md, Specification version): 1.anything, as semver counts. */
function checkVersion({ ociVersion }: Config): Finding[] {
  if (/^1\.\d+\.\d+([-+][0-9A-Za-z.+-]*)?$/.test(ociVersion)) return [];
  return [
    finding("ociVersion", `'${ociVersion}' is no version of the specification that is known here; 1.3.0 would be`),
  ];
}

/** Keys are names (config.md, Annotations). */
function checkAnnotations({ annotations }: Config): Finding[] {
  return Object.hasOwn(annotations, "") ? [finding("annotations", "there is an empty key")] : [];
}

/** Paths that must be absolute, in the container or on the host (config.md: Root, Process, Mounts). */
function checkPaths({ root, process, mounts, linux }: Config): Finding[] {
  const paths: [string, string][] = [
    ["root.path", root.path],
    ["process.cwd", process.cwd],
    ...mounts.map(({ destination }, index): [string, string] => [`mounts[${index}].destination`, destination]),
    ...(linux.devices ?? []).map(({ path }, index): [string, string] => [`linux.devices[${index}].path`, path]),
    ...(linux.maskedPaths ?? []).map((path, index): [string, string] => [`linux.maskedPaths[${index}]`, path]),
    ...(linux.readonlyPaths ?? []).map((path, index): [string, string] => [`linux.readonlyPaths[${index}]`, path]),
  ];
  return paths.filter(([, path]) => !path.startsWith("/")).map(([path, value]) =>
    finding(path, `'${value}' is not absolute`)
  );
}

/** No text may have a NUL in it: the kernel would see its beginning only. */
function checkText(config: Config): Finding[] {
  return findNul(config, "");
}

function findNul(value: unknown, path: string): Finding[] {
  if (typeof value === "string") return value.includes("\0") ? [finding(path, "there is a NUL character in it")] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => findNul(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [
    ...(key.includes("\0") ? [finding(path, "there is a NUL character in a key")] : []),
    ...findNul(item, path === "" ? key : `${path}.${key}`),
  ]);
}

const CHECKS: readonly Check[] = [
  checkVersion,
  checkText,
  checkPaths,
  checkAnnotations,
  ...MOUNT_CHECKS,
  ...PROCESS_CHECKS,
  ...NAMESPACE_CHECKS,
  ...LINUX_CHECKS,
  ...HOOK_CHECKS,
  ...RESOURCE_CHECKS,
  ...SECCOMP_CHECKS,
];
