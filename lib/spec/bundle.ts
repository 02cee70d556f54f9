/**
 * A bundle's `config.json`, made ready to be planned (runtime-spec bundle.md and config.md).
 *
 * @module
 */
import type { Config, Mount } from "./config.ts";
import type { Finding } from "./finding.ts";
import { grantCapabilities } from "./grantable.ts";
import { isBind } from "./validate_mounts.ts";
import { parseConfigText } from "./parse.ts";
import { checkConfig } from "./validate.ts";

/** Where a `config.json` lies, and what can be granted here. */
export interface BundleSurroundings {
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Capabilities that can be handed on, as in `Facts`. */
  readonly capabilities: readonly string[];
}

/** A Config that can be planned, and what of it is left out with a warning. */
export interface BundleConfig {
  readonly config: Config;
  readonly warnings: readonly Finding[];
}

/**
 * Reads the text of a bundle's `config.json`: relative paths are those of the bundle, relative destinations those of
 * the container's root.
 *
 * @throws {PaddockError} where it is no JSON, or naming every field that is wrong
 */
export function readBundleConfig(source: string, { bundle, capabilities }: BundleSurroundings): BundleConfig {
  const config = resolvePaths(parseConfigText(source), bundle);
  // A process that says nothing of capabilities gets none, as with runc.
  const asked = { ...config.process, capabilities: config.process.capabilities ?? {} };
  const { process, left } = grantCapabilities(asked, capabilities);
  return { config: checkConfig({ ...config, process }), warnings: left };
}

/** The Config with every path absolute (config.md, Root and Mounts; relative destinations since 1.2). */
export function resolvePaths(config: Config, bundle: string): Config {
  return {
    ...config,
    root: { ...config.root, path: resolve(bundle, config.root.path) },
    mounts: config.mounts.map((mount) => resolveMount(mount, bundle)),
  };
}

function resolveMount(mount: Mount, bundle: string): Mount {
  const { type, options, source } = mount;
  return {
    ...mount,
    destination: mount.destination === "" ? "" : resolve("/", mount.destination),
    ...(isBind(type, options) && source ? { source: resolve(bundle, source) } : {}),
  };
}

function resolve(base: string, path: string): string {
  const whole = path.startsWith("/") ? path : `${base}/${path}`;
  return whole.replace(/\/(\.?\/)+/g, "/").replace(/(?<=.)\/\.?$/, "");
}
