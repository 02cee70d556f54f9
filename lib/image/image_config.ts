/**
 * What an image says about running it, read from the JSON that tools print. Pure; the JSON is not trusted.
 *
 * Accepted: `docker inspect` and `podman inspect` of a container or an image (an array or one object with `Config`), an
 * OCI image configuration (`config`; image-spec config.md), or that inner object itself.
 *
 * @module
 */
import type { Healthcheck, ImageConfig } from "../spec/image_config.ts";
import { type ContentDigest, readDigest } from "./content_digest.ts";
import { JsonPlace, parseJson, readList, readObject, readText, readTextMap, readTexts } from "./json_place.ts";

/**
 * Reads a configuration from text.
 *
 * @param file the file's name, for errors.
 * @throws PaddockError that names the place in the JSON.
 */
export function parseImageConfig(text: string, file: string): ImageConfig {
  const at = new JsonPlace(
    `image config "${file}"`,
    "give the output of docker inspect, or an image's configuration",
  );
  return readConfig(...findConfig(parseJson(text, at), at));
}

/**
 * `rootfs.diff_ids` of an image configuration: digests of the unpacked layers, the lowest first.
 *
 * @param name the image's, for errors.
 * @throws PaddockError
 */
export function readDiffIds(config: string, name: string): ContentDigest[] {
  const at = new JsonPlace(`"${name}": the image's configuration`, "the image is damaged: copy or make it again");
  const rootfs = readObject(readObject(parseJson(config, at), at).rootfs, at.child(".rootfs"));
  const here = at.child(".rootfs.diff_ids");
  return readList(rootfs.diff_ids, here).map((id, i) => readDigest(id, here.child(`[${i}]`)));
}

/** Goes down to the object with Env, Cmd and the others. */
function findConfig(value: unknown, at: JsonPlace): [Record<string, unknown>, JsonPlace] {
  if (Array.isArray(value)) {
    if (value.length !== 1) at.fail(`one image or container is wanted, ${value.length} found`);
    return findConfig(value[0], at.child("[0]"));
  }
  const outer = readObject(value, at);
  for (const key of ["Config", "config"]) {
    if (outer[key] !== undefined && outer[key] !== null) {
      return [readObject(outer[key], at.child(`.${key}`)), at.child(`.${key}`)];
    }
  }
  // An image that says nothing of how it is run.
  if ("rootfs" in outer) return [{}, at];
  if (["Env", "Cmd", "Entrypoint", "WorkingDir", "User"].some((key) => key in outer)) return [outer, at];
  return at.fail("neither Config nor config, nor Env, Cmd or Entrypoint is in it");
}

function readConfig(config: Record<string, unknown>, at: JsonPlace): ImageConfig {
  const found: { -readonly [K in keyof ImageConfig]: ImageConfig[K] } = {};
  const given = (key: string): boolean => config[key] !== undefined && config[key] !== null && config[key] !== "";
  const place = (key: string): JsonPlace => at.child(`.${key}`);
  if (given("Env")) found.env = readEnv(config.Env, place("Env"));
  if (given("Entrypoint")) found.entrypoint = readWords(config.Entrypoint, place("Entrypoint"));
  if (given("Cmd")) found.cmd = readWords(config.Cmd, place("Cmd"));
  if (given("User")) found.user = readText(config.User, place("User"));
  if (given("WorkingDir")) found.workingDir = readPath(config.WorkingDir, place("WorkingDir"));
  if (given("StopSignal")) found.stopSignal = readSignal(config.StopSignal, place("StopSignal"));
  if (given("Labels")) found.labels = readTextMap(config.Labels, place("Labels"));
  if (given("ExposedPorts")) found.exposedPorts = Object.keys(readObject(config.ExposedPorts, place("ExposedPorts")));
  if (given("Volumes")) found.volumes = readVolumes(config.Volumes, place("Volumes"));
  if (given("Healthcheck")) found.healthcheck = readHealthcheck(config.Healthcheck, place("Healthcheck"));
  if (given("Shell")) found.shell = readTexts(config.Shell, place("Shell"));
  if (given("OnBuild")) found.onBuild = readTexts(config.OnBuild, place("OnBuild"));
  return found;
}

function readEnv(value: unknown, at: JsonPlace): string[] {
  return readTexts(value, at).map((entry, i) => {
    if (entry.indexOf("=") < 1) at.child(`[${i}]`).fail("NAME=value is wanted");
    return entry;
  });
}

/** Words of a command. Old podman prints them as one string. */
function readWords(value: unknown, at: JsonPlace): string[] {
  if (typeof value === "string") return readText(value, at).split(/\s+/).filter((word) => word !== "");
  return readTexts(value, at);
}

function readSignal(value: unknown, at: JsonPlace): string {
  const text = typeof value === "number" ? String(value) : readText(value, at);
  // Podman says 0 or 15 as a number.
  if (!/^(SIG)?[A-Z0-9+-]{1,12}$/i.test(text)) at.fail("a signal is wanted");
  return text;
}

function readVolumes(value: unknown, at: JsonPlace): string[] {
  return Object.keys(readObject(value, at)).map((path) => readPath(path, at));
}

const HEALTH_NUMBERS = ["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"] as const;

function readHealthcheck(value: unknown, at: JsonPlace): Healthcheck {
  const given = readObject(value, at);
  const test = given.Test === undefined || given.Test === null ? [] : readTexts(given.Test, at.child(".Test"));
  const numbers = HEALTH_NUMBERS.flatMap((key) => {
    const number = given[key];
    if (number === undefined || number === null) return [];
    if (!Number.isSafeInteger(number) || (number as number) < 0) at.child(`.${key}`).fail("a whole number is wanted");
    return [[key.charAt(0).toLowerCase() + key.slice(1), number as number] as const];
  });
  return { test, ...Object.fromEntries(numbers) };
}

/** The configuration as it stands in an image (image-spec config.md, `config`; docker's additions to it). */
export function encodeImageConfig(config: ImageConfig): Record<string, unknown> {
  const { healthcheck, exposedPorts, volumes } = config;
  const asKeys = (names: readonly string[] | undefined): Record<string, unknown> | undefined =>
    names === undefined || names.length === 0
      ? undefined
      : Object.fromEntries([...names].sort().map((name) => [name, {}]));
  const encoded = {
    User: config.user,
    ExposedPorts: asKeys(exposedPorts),
    Env: config.env,
    Entrypoint: config.entrypoint,
    Cmd: config.cmd,
    Volumes: asKeys(volumes),
    WorkingDir: config.workingDir,
    Labels: config.labels,
    StopSignal: config.stopSignal,
    Healthcheck: healthcheck === undefined ? undefined : encodeHealthcheck(healthcheck),
    Shell: config.shell,
    OnBuild: config.onBuild,
  };
  return Object.fromEntries(Object.entries(encoded).filter(([, value]) => value !== undefined));
}

function encodeHealthcheck({ test, ...numbers }: Healthcheck): Record<string, unknown> {
  const entries = Object.entries(numbers).map(([key, value]) => [key.charAt(0).toUpperCase() + key.slice(1), value]);
  return { Test: test, ...Object.fromEntries(entries) };
}

/** A path in the container; from its root when relative, as docker takes it. */
function readPath(value: unknown, at: JsonPlace): string {
  const path = readText(value, at);
  return path.startsWith("/") ? path : `/${path}`;
}
