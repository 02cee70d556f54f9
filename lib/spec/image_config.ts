/**
 * What an image says about running it.
 *
 * @module
 */

/** The part of an image's configuration that shapes a container (image-spec config.md); absent: not said. */
export interface ImageConfig {
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Absolute paths in the container whose content is no part of the image. */
  readonly volumes?: readonly string[];
}
