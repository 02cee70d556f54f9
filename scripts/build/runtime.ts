/**
 * The `deno` binary that the packed file is made of.
 *
 * @module
 */
import { join } from "@std/path";
import { archOf } from "./pack.ts";
import type { StubArch } from "./stub.ts";

/**
 * The binary for an architecture: the one that runs this, or that of the npm package for the other.
 *
 * @throws Error where npm has none.
 */
export async function readRuntime(arch: StubArch, workDir: string): Promise<Uint8Array> {
  if (arch === Deno.build.arch) return Deno.readFileSync(Deno.execPath());
  const name = `@deno/linux-${arch === "aarch64" ? "arm64" : "x64"}-glibc@${Deno.version.deno}`;
  await run("npm", ["pack", "--silent", "--pack-destination", workDir, name], `npm has no ${name}`);
  const archive = [...Deno.readDirSync(workDir)].find((entry) => entry.name.endsWith(".tgz"))!.name;
  await run("tar", ["-xzf", join(workDir, archive), "-C", workDir], `${archive} cannot be read`);
  const runtime = Deno.readFileSync(join(workDir, "package", "deno"));
  if (archOf(runtime) !== arch) throw new Error(`${name} holds a runtime for another architecture`);
  return runtime;
}

async function run(command: string, args: string[], failure: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${failure}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`);
}
