/**
 * `paddock run`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { isName } from "../../base/names.ts";
import { RUN_OF_BUNDLE_FLAGS } from "../bundle_flags.ts";
import { RUN_FLAGS } from "../run_flags.ts";
import { readRunOptions } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";

/** Runs the container in the foreground; the exit code is its command's. */
export async function run(words: Words, host: Host): Promise<number> {
  if (isOfBundle(words, host)) return await (await import("./run_bundle.ts")).run(words, host);
  let readMore = false;
  const options = readRunOptions(words, {
    ...host,
    readText: (path) => {
      readMore = true;
      return host.readText(path);
    },
    env: (name) => {
      readMore ||= name !== "HOME";
      return host.env(name);
    },
  });
  const terminal = beginsAtTerminal(words);
  const { runContainer } = await import("../../runtime/run.ts");
  return await runContainer(
    terminal ? { ...options, tty: true } : options,
    { readMore, ...(terminal === undefined ? {} : { terminal }) },
    speakOn(host),
  );
}

/** A command that is started from a terminal is at a terminal; undefined where the user has said what they want. */
function beginsAtTerminal({ switches }: Words): boolean | undefined {
  const said = switches.has("tty") || switches.has("interactive") || switches.has("detach");
  return said ? undefined : Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
}

/**
 * True for runc's form: with `--bundle`, or where the only word is an id and the working directory holds a
 * `config.json`. What is there under that name is an image, and so is what has a flag that only images have.
 */
function isOfBundle({ values, switches, positionals }: Words, host: Host): boolean {
  const given = [...values.keys(), ...switches.keys()];
  const bundle = given.filter((name) => !isOfImage(name) && RUN_OF_BUNDLE_FLAGS.some((option) => option.name === name));
  if (values.has("bundle")) return refuseOthers(given);
  const [word = "", ...more] = positionals;
  const isPlain = more.length === 0 && isName(word) && word !== "host" &&
    !given.some((name) => name !== "detach" && isOfImage(name));
  if (isPlain && !host.isThere(`${host.cwd()}/${word}`) && host.isThere(`${host.cwd()}/config.json`)) return true;
  if (bundle.length === 0) return false;
  throw new UsageError(`--${bundle[0]} is for an OCI bundle`, {
    hint: "name it with --bundle, or call it in its directory with an id as the only word",
  });
}

function refuseOthers(given: readonly string[]): true {
  const other = given.find((name) => name !== "detach" && isOfImage(name));
  if (other === undefined) return true;
  throw new UsageError(`--${other} is for images: config.json says all of a bundle`, { hint: "change config.json" });
}

function isOfImage(name: string): boolean {
  return RUN_FLAGS.some((option) => option.name === name);
}
