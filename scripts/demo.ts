/**
 * Plays the tour on this host: what a container is made of, act by act, with the commands that a user would type and
 * what really came of them. Needs root, and nothing else than this repository and Deno; takes a few seconds.
 *
 *     deno task demo
 *     PADDOCK_BIN=dist/paddock deno task demo     with the built file
 *
 * Exits with 1 and the names of the acts that did not go as they must, with 125 where it cannot begin.
 *
 * @module
 */
import { ACTS } from "./demo/acts.ts";
import { Stage } from "./demo/stage.ts";
import { IS_BUILT, PADDOCK_COMMAND } from "../tests/support/paddock.ts";

const CANNOT_BEGIN = 125;
const INTERRUPTED = 130;

async function main(): Promise<number> {
  if (Deno.uid() !== 0) {
    console.error("demo: only root may make containers here: sudo deno task demo");
    return CANNOT_BEGIN;
  }
  if (!IS_BUILT) await fetchImports();
  using stage = new Stage();
  Deno.addSignalListener("SIGINT", () => {
    stage[Symbol.dispose]();
    Deno.exit(INTERRUPTED);
  });
  const begun = performance.now();
  const failed = await play(stage);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  stage.title(
    failed.length === 0
      ? `All ${ACTS.length} acts went as they must, in ${seconds} s.`
      : `${failed.length} of ${ACTS.length} acts failed: ${failed.join("; ")}`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** Gives the titles of the acts that failed. One that fails does not stop the others. */
async function play(stage: Stage): Promise<string[]> {
  stage.title("Containers from scratch, by paddock");
  stage.tell(`in ${stage.work}`);
  stage.tell(`paddock is ${stage.paddockCommand(["VERB"]).join(" ")}`);
  const failed: string[] = [];
  for (const [index, act] of ACTS.entries()) {
    stage.title(`${index + 1}. ${act.title}`);
    try {
      stage.pass(await act.play(stage));
    } catch (error) {
      stage.fail(error instanceof Error ? error.message : String(error));
      failed.push(act.title);
    }
  }
  return failed;
}

/** Paddock is started with nothing but what is in the cache: what it imports has to be there. */
async function fetchImports(): Promise<void> {
  const [deno, , ...flags] = PADDOCK_COMMAND.filter((word) => word !== "--cached-only" && word !== "-A");
  const { success, stderr } = await new Deno.Command(deno!, { args: ["cache", "--quiet", ...flags] }).output();
  if (!success) throw new Error(`cannot fetch what paddock imports: ${new TextDecoder().decode(stderr).trim()}`);
}

if (import.meta.main) Deno.exit(await main());
