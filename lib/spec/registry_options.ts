/**
 * What the user says of registries.
 *
 * @module
 */

/** How registries are reached, and which image is taken from them; absent: as the configuration has it. */
export interface RegistryOptions {
  /** `OS/ARCHITECTURE[/VARIANT]`. */
  readonly platform?: string;
  /** `USER` or `USER:PASSWORD`. */
  readonly creds?: string;
  /** Absolute path of a file of credentials. */
  readonly authfile?: string;
  /** False: plain http and any certificate will do. True: they never will. */
  readonly tlsVerify?: boolean;
  /** Absolute path of a directory of certificates. */
  readonly certDir?: string;
  /** Absolute path of a certificate authority. */
  readonly ca?: string;
  /** Further tries after the first. */
  readonly retries?: number;
  /** Seconds of silence after which a registry is given up. */
  readonly timeout?: number;
}

/** When an image is asked for at its registry. */
export type PullPolicy = "always" | "missing" | "never";
