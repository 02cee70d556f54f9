/**
 * Writes `lib/plan/seccomp/ready_filters.ts`: the default filter, compiled for the capabilities that nearly all
 * containers have. A test says when this has to be run again.
 *
 *     deno run -A scripts/generate_filters.ts && deno fmt lib/plan/seccomp
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { MACHINE_INTERFACES } from "../lib/plan/seccomp/architectures.ts";
import { compileSeccomp } from "../lib/plan/seccomp/compile.ts";
import { CALLS_OF_CAPABILITIES, defaultSeccomp } from "../lib/plan/seccomp/default_profile.ts";
import { DEFAULT_CAPABILITIES } from "../lib/spec/defaults.ts";

const ARCHES = ["x86_64", "aarch64"] as const;

/** The module's text. */
export function writeModule(): string {
  const capabilities = DEFAULT_CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`);
  const given = capabilities.filter((name) => CALLS_OF_CAPABILITIES.includes(name));
  const filters = ARCHES.map((arch) => {
    const program = compileSeccomp(defaultSeccomp(arch, capabilities), MACHINE_INTERFACES[arch][0]!);
    return `  ${arch}: \`\\\n${fold(btoa(String.fromCharCode(...program)))}\`,\n`;
  });
  return `/**
 * The default filter as it is for docker's default capabilities. Compiling it takes some milliseconds in an engine that
 * has just started, and nearly every \`run\` would do it. Written by \`scripts/generate_filters.ts\`; not to be changed by
 * hand.
 *
 * @module
 */
import type { Arch } from "../../program/step.ts";

/**
 * The filter of \`defaultSeccomp\`, if it is ready for these capabilities.
 *
 * @param capabilities the bounding set, names such as \`CAP_SYS_ADMIN\`.
 */
export function readyFilter(arch: Arch, capabilities: readonly string[]): Uint8Array | undefined {
  const given = capabilities.filter((name) => BRINGING.includes(name));
  return given.length === GIVEN.length && GIVEN.every((name) => given.includes(name)) ? Uint8Array.fromBase64(FILTERS[arch]) : undefined;
}

/** Capabilities that bring calls with them, and those of them that containers have. */
const BRINGING: readonly string[] = ${JSON.stringify(CALLS_OF_CAPABILITIES)};
const GIVEN: readonly string[] = ${JSON.stringify(given)};

/** In base 64. */
const FILTERS: Readonly<Record<Arch, string>> = {
${filters.join("")}};
`;
}

function fold(text: string): string {
  return text.replaceAll(/.{117}/g, "$&\\\n");
}

if (import.meta.main) {
  const output = join(dirname(import.meta.dirname!), "lib/plan/seccomp/ready_filters.ts");
  Deno.writeTextFileSync(output, writeModule());
  console.log(output);
}
