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
  /** `USER[:GROUP]`, names or numbers. */
  readonly user?: string;
  /** Absolute. */
  readonly workingDir?: string;
  /** A name such as SIGTERM, or a number. */
  readonly stopSignal?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `80/tcp`. */
  readonly exposedPorts?: readonly string[];
  /** Absolute paths in the container whose content is no part of the image. */
  readonly volumes?: readonly string[];
  readonly healthcheck?: Healthcheck;
  /** What runs the commands of a Dockerfile that are no lists. */
  readonly shell?: readonly string[];
  /** Instructions for who builds upon it. */
  readonly onBuild?: readonly string[];
}

/** How to see that a container is well (docker's image specification v1.2); times in nanoseconds. */
export interface Healthcheck {
  /** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", "…"]`; empty: as the image below. */
  readonly test: readonly string[];
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
}
