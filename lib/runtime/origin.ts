/**
 * What a kept container was made from, so that it can be started again: its options in full, and what its image was
 * then. The image's own file or name may be another by now; the layers are those that the container has.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { RootfsSource } from "../plan/setting.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { replaceFile } from "../state/container.ts";
import { isThere } from "../state/data_directory.ts";

/** The file of it in a container's data directory. */
export const ORIGIN_FILE = "origin.json";

/** A container before it was planned. */
export interface Origin {
  readonly options: RunOptions;
  readonly imageConfig: ImageConfig;
  readonly imageId?: string;
  /** The directories that the image's files can be read in, the topmost first. */
  readonly layers: readonly string[];
  readonly rootfs: RootfsSource;
}

/** Keeps it in the data directory of its container. */
export function writeOrigin(dataDirectory: string, origin: Origin): void {
  replaceFile(dataDirectory, ORIGIN_FILE, `${JSON.stringify(origin)}\n`);
}

/**
 * Reads it. The directory is root's alone, and so is what stands in it.
 *
 * @throws PaddockError where there is none: the container was made by an older paddock, or by a compiled launcher.
 */
export function readOrigin(id: string, dataDirectory: string | undefined): Origin {
  const path = `${dataDirectory}/${ORIGIN_FILE}`;
  if (dataDirectory === undefined || !isThere(path)) {
    throw new PaddockError(`container '${id}' cannot be started again: nobody has kept what it was made from`, {
      hint: "run it anew",
    });
  }
  return JSON.parse(Deno.readTextFileSync(path)) as Origin;
}
