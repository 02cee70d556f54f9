/**
 * Where the configuration of a root filesystem comes from: a file that the user names, one beside the archive, or a guess.
 *
 * `docker export` writes the files of a container and nothing else: ENV, ENTRYPOINT, CMD, USER and WORKDIR are lost.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import { parseImageConfig } from "./image_config.ts";
import { RootView } from "./root_files.ts";

/** Where to look. */
export interface ConfigSearch {
  /** The file that the user gave (`--config`). */
  readonly configFile?: string;
  /** The image's own configuration, as text, and what it is called; absent where it has none. */
  readonly own?: { readonly text: string; readonly name: string };
  /** The archive, to look beside it; absent for a directory, the host and standard input. */
  readonly archive?: string;
  /** True where the user says what to run: then nothing is guessed that they would want to know. */
  readonly hasCommand?: boolean;
  /** Directories of the files, the topmost first, to look for a shell; empty where they are not unpacked. */
  readonly layers: readonly string[];
}

/** A configuration, and what the user should know of how it was come by. */
export interface FoundConfig {
  readonly config: ImageConfig;
  /** Lines for standard error. */
  readonly notes: readonly string[];
}

/** What docker sets where an image says nothing. */
export const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const SIZE_LIMIT = 16 * 1024 * 1024;
const SHELLS: readonly (readonly string[])[] = [
  ["/bin/sh"],
  ["/usr/bin/sh"],
  ["/bin/bash"],
  ["/usr/bin/bash"],
  ["/bin/ash"],
  ["/bin/busybox", "sh"],
  ["/busybox/sh"],
  ["/usr/bin/busybox", "sh"],
];

/**
 * Finds the configuration.
 *
 * @throws PaddockError when the file that was named, or the one beside the archive, cannot be read or makes no sense.
 */
export function findImageConfig({ configFile, own, archive, hasCommand = false, layers }: ConfigSearch): FoundConfig {
  if (configFile !== undefined) return { config: complete(readConfigFile(configFile), layers), notes: [] };
  if (own !== undefined) return { config: complete(parseImageConfig(own.text, own.name), layers), notes: [] };
  const sidecar = archive === undefined ? undefined : listSidecars(archive).find(isFile);
  if (sidecar !== undefined) {
    return { config: complete(readConfigFile(sidecar), layers), notes: [] };
  }
  const config = complete({}, layers);
  if (archive === undefined || hasCommand) return { config, notes: [] };
  const names = listSidecars(archive).at(-1)!;
  return {
    config,
    notes: [
      `no image config for ${archive}: running ${config.cmd!.join(" ")} as root in / ` +
      `(to keep the image's own: docker inspect CONTAINER > ${names}, or --config FILE)`,
    ],
  };
}

/** `rootfs.tar.gz` gives `rootfs.tar.gz.json`, `rootfs.tar.json`, `rootfs.json`. */
export function listSidecars(archive: string): string[] {
  const names = [`${archive}.json`];
  for (let name = archive;;) {
    const shorter = name.replace(/(?<=[^/])\.(gz|tgz|zst|zstd|tzst|tar)$/i, "");
    if (shorter === name) return names;
    name = shorter;
    names.push(`${name}.json`);
  }
}

/** Adds what every container needs where the image says nothing: a search path and something to run. */
function complete(config: ImageConfig, layers: readonly string[]): ImageConfig {
  const env = config.env ?? [];
  const hasPath = env.some((entry) => entry.startsWith("PATH="));
  const hasCommand = (config.entrypoint?.length ?? 0) + (config.cmd?.length ?? 0) > 0;
  return {
    ...config,
    env: hasPath ? env : [DEFAULT_PATH, ...env],
    ...(hasCommand ? {} : { cmd: guessShell(layers) }),
  };
}

function guessShell(layers: readonly string[]): readonly string[] {
  if (layers.length === 0) return ["sh"];
  using root = new RootView(layers);
  return SHELLS.find(([path]) => root.has(path!)) ?? ["sh"];
}

function readConfigFile(path: string): ImageConfig {
  try {
    if (Deno.statSync(path).size > SIZE_LIMIT) {
      throw new PaddockError(`image config "${path}": larger than ${SIZE_LIMIT} bytes`);
    }
    return parseImageConfig(Deno.readTextFileSync(path), path);
  } catch (error) {
    if (error instanceof PaddockError || !(error instanceof Error)) throw error;
    const why = error instanceof Deno.errors.NotFound ? "no such file or directory" : error.message.toLowerCase();
    throw new PaddockError(`image config "${path}": ${why}`, { cause: error });
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
