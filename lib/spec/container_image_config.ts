/**
 * What an image says that is made of a container: what the image below says, and what the container was run with.
 *
 * @module
 */
import { mergeHealthcheck } from "./health.ts";
import type { ImageConfig } from "./image_config.ts";
import type { RunOptions } from "./run_options.ts";

/** The configuration that docker and podman give an image of such a container. Pure. */
export function describeAsImage(options: RunOptions, image: ImageConfig): ImageConfig {
  const { entrypoint, command } = options;
  const ownEntrypoint = entrypoint === undefined ? image.entrypoint : entrypoint === "" ? undefined : [entrypoint];
  const cmd = command.length > 0 ? command : entrypoint === undefined ? image.cmd : undefined;
  const user = options.user ?? image.user;
  const workingDir = options.workdir ?? image.workingDir;
  const stopSignal = options.stopSignal === undefined ? image.stopSignal : `SIG${options.stopSignal}`;
  const healthcheck = mergeHealthcheck(image.healthcheck, options.health);
  const labels = { ...image.labels, ...options.labels };
  const env = mergeEnv(image.env ?? [], options.env);
  const { entrypoint: _, cmd: __, ...kept } = image;
  return {
    ...kept,
    ...(env.length === 0 ? {} : { env }),
    ...(ownEntrypoint === undefined ? {} : { entrypoint: ownEntrypoint }),
    ...(cmd === undefined ? {} : { cmd }),
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

/** Variables of the image with those of the user in their places; `NAME` alone takes one away. */
function mergeEnv(below: readonly string[], given: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (const entry of [...below, ...given]) {
    const equals = entry.indexOf("=");
    if (equals < 0) values.delete(entry);
    else values.set(entry.slice(0, equals), entry);
  }
  return [...values.values()];
}
