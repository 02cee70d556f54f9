/**
 * What the flags of registries say.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { RegistryOptions } from "../../spec/registry_options.ts";
import type { Host, Words } from "../types.ts";
import { lastValue } from "../words.ts";
import { readFlag, readInteger, resolveHostPath } from "./flag.ts";

/** What is said of registries; undefined where nothing is. @throws {UsageError} naming the flag and the value */
export function readRegistryOptions(words: Words, host: Host): RegistryOptions | undefined {
  const path = (text: string): string => resolveHostPath(text, host);
  return whatIsSaid({
    platform: readFlag(words, "platform", readPlatform),
    creds: lastValue(words, "creds"),
    authfile: readFlag(words, "authfile", path),
    tlsVerify: words.switches.get("insecure") === true ? false : words.switches.get("tls-verify"),
    certDir: readFlag(words, "cert-dir", path),
    ca: readFlag(words, "ca", path),
    retries: readFlag(words, "retry", (text) => readInteger(text, 0, 100)),
    timeout: readFlag(words, "timeout", (text) => readInteger(text, 1, 3600)),
  });
}

function readPlatform(text: string): string {
  if (/^[a-z0-9]+(\/[a-z0-9_]+(\/[a-z0-9.]+)?)?$/.test(text)) return text;
  throw new UsageError(`'${text}' is no platform`, { hint: "OS/ARCHITECTURE[/VARIANT] is wanted, as in linux/arm64" });
}

function whatIsSaid(
  options: { readonly [K in keyof RegistryOptions]-?: RegistryOptions[K] | undefined },
): RegistryOptions | undefined {
  const said = Object.entries(options).filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}
