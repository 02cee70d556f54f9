/**
 * Runs a Deno command (`run`, `test`, `check`, `bundle`, …) with the standard packages from where they can be had:
 * JSR, or, where JSR does not answer within three seconds, the stand-ins of `scripts/offline`.
 *
 *     deno run -A scripts/deno.ts test -A lib
 *
 * PADDOCK_IMPORTS=jsr or PADDOCK_IMPORTS=offline forces the way. Run as a task, it works in the directory that the
 * task was called from. It uses nothing but what is built in, since it decides where the rest comes from.
 *
 * @module
 */

/** One of the two ways to the standard packages. */
export type ImportsWay = "jsr" | "offline";

/** Flags that a Deno command needs for a way; they go right after the command's name. */
export function importFlags(way: ImportsWay): string[] {
  return way === "jsr" ? [] : ["--import-map", IMPORT_MAP, "--no-lock"];
}

/** The way to go: as the environment says, else by asking JSR. @throws RangeError for another word in PADDOCK_IMPORTS. */
export async function chooseWay(): Promise<ImportsWay> {
  const forced = Deno.env.get("PADDOCK_IMPORTS") ?? "";
  if (forced === "jsr" || forced === "offline") return forced;
  if (forced !== "") throw new RangeError(`PADDOCK_IMPORTS: "${forced}" is neither jsr nor offline`);
  return await answers(PROBE_URL, PROBE_MS) ? "jsr" : "offline";
}

const ROOT = new URL("..", import.meta.url).pathname;
const IMPORT_MAP = new URL("offline/import_map.json", import.meta.url).pathname;
const PROBE_URL = "https://jsr.io/@std/path/meta.json";
const PROBE_MS = 3000;

async function answers(url: string, ms: number): Promise<boolean> {
  try {
    const response = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(ms) });
    return response.ok;
  } catch {
    return false;
  }
}

/** Files of ours are named from the repository's root, whatever the directory that the user is in. */
function atRoot(word: string): string {
  return /^(main\.ts|scripts\/.+\.ts)$/.test(word) ? ROOT + word : word;
}

async function main([command = "help", ...words]: readonly string[]): Promise<number> {
  const way = await chooseWay();
  const script = words.findIndex((word) => !word.startsWith("-"));
  const args = words.map((word, at) => at === script ? atRoot(word) : word);
  const isRun = command === "run";
  const child = new Deno.Command(Deno.execPath(), {
    args: [command, ...(isRun ? ["--config", `${ROOT}deno.json`] : []), ...importFlags(way), ...args],
    ...(isRun ? { cwd: Deno.env.get("INIT_CWD") ?? Deno.cwd() } : {}),
    env: { PADDOCK_IMPORTS: way },
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // A terminal sends its signals to both; the child decides what they mean. Others are passed on.
  for (const signal of ["SIGINT", "SIGQUIT", "SIGTSTP"] as const) Deno.addSignalListener(signal, () => {});
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    Deno.addSignalListener(signal, () => child.kill(signal));
  }
  return (await child.status).code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
