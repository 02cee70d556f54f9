/**
 * The way of `deno compile`, which puts the program behind a runtime of its own (`denort`), downloaded once.
 *
 * @module
 */
import { existsSync } from "@std/fs";
import { join } from "@std/path";
import type { StubArch } from "./stub.ts";

/** True where `deno compile` has its runtime for the architecture, or can fetch it. */
export async function findCompileRuntime(arch: StubArch): Promise<boolean> {
  const given = Deno.env.get("DENORT_BIN") ?? "";
  if (given !== "") return true;
  const archive = `release/v${Deno.version.deno}/denort-${targetOf(arch)}.zip`;
  const directory = await denoDirectory();
  if (directory !== undefined && existsSync(join(directory, "dl", archive))) return true;
  try {
    const signal = AbortSignal.timeout(PROBE_MS);
    return (await fetch(`https://dl.deno.land/${archive}`, { method: "HEAD", signal })).ok;
  } catch {
    return false;
  }
}

/** Compiles one module. @throws Error with what the compiler says. */
export async function compileProgram(script: string, output: string, arch: StubArch): Promise<void> {
  // Its code cache would lie in the world-writable temporary directory, and this runs under sudo.
  const flags = ["--no-config", "--no-lock", "--no-check", "--no-code-cache", "--quiet", "-A"];
  const args = ["compile", ...flags, "--target", targetOf(arch), "--output", output, script];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(`deno compile failed: ${new TextDecoder().decode(stderr).trim()}`);
}

const PROBE_MS = 3000;

function targetOf(arch: StubArch): string {
  return `${arch}-unknown-linux-gnu`;
}

async function denoDirectory(): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  if (!success) return undefined;
  return (JSON.parse(new TextDecoder().decode(stdout)) as { denoDir?: string }).denoDir;
}
