/**
 * `--creds USER`: the password is asked for, so that no other process sees it.
 *
 * @module
 */
import type { RegistryOptions } from "../spec/registry_options.ts";

/** Asks for a password that was left out. @throws {UsageError} where there is nobody to ask */
export async function completeCredentials(options: RegistryOptions): Promise<RegistryOptions> {
  const { creds } = options;
  if (creds === undefined || creds.includes(":")) return options;
  const { askLine } = await import("./ask.ts");
  return { ...options, creds: `${creds}:${await askLine("password", true)}` };
}
