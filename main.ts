/**
 * paddock: argv in, exit code out.
 *
 * @module
 */
import { runCommandLine } from "./lib/cli/dispatch.ts";
import { realHost } from "./lib/cli/host.ts";

Deno.exit(await runCommandLine(Deno.args, realHost));
