/**
 * `paddock exec`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { readInteger, resolveHostPath } from "../values/flag.ts";
import { speakOn } from "../voice.ts";
import { allValues, isOn, lastValue } from "../words.ts";
import { readPassedOn, readPreserved, refuseRootless } from "./create.ts";

const LAST_ID = 2 ** 32 - 2;

/** Runs a further command in a container; the exit code is its own. */
export async function run(words: Words, host: Host): Promise<number> {
  refuseRootless(words);
  const { execInBundle } = await import("../../runtime/exec.ts");
  const [id = "", ...args] = words.positionals;
  const path = (name: string) => {
    const given = lastValue(words, name);
    return given === undefined ? undefined : resolveHostPath(given, host);
  };
  const optional = <K extends string, V>(key: K, value: V | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
  return await execInBundle({
    ...readRoots(words, host),
    id,
    ...optional("processFile", path("process")),
    changes: {
      args,
      env: allValues(words, "env"),
      ...optional("cwd", lastValue(words, "cwd")),
      ...optional("user", readUserIds(lastValue(words, "user"))),
      additionalGids: allValues(words, "additional-gids").map((text) => readInteger(text, 0, LAST_ID)),
      capabilities: allValues(words, "cap"),
      ...optional("noNewPrivileges", words.switches.get("no-new-privs")),
      ...optional("apparmorProfile", lastValue(words, "apparmor")),
      ...optional("selinuxLabel", lastValue(words, "process-label")),
    },
    tty: isOn(words, "tty"),
    detach: isOn(words, "detach"),
    ...optional("pidFile", path("pid-file")),
    ...optional("consoleSocket", path("console-socket")),
    ...optional("pidfdSocket", path("pidfd-socket")),
    cgroups: allValues(words, "cgroup"),
    preserved: readPreserved(words),
    ignorePaused: isOn(words, "ignore-paused"),
    passedOn: readPassedOn(words, host),
  }, speakOn(host));
}

/** Numbers, as runc has it; anything odd is refused, for it decides whose rights a process has (CVE-2026-30892). */
function readUserIds(text: string | undefined): { uid: number; gid?: number } | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null) {
    throw new UsageError(`'${text}' is not of the form UID[:GID]`, { hint: "numbers, such as 1000:1000" });
  }
  const uid = readInteger(match[1]!, 0, LAST_ID);
  return match[2] === undefined ? { uid } : { uid, gid: readInteger(match[2], 0, LAST_ID) };
}
