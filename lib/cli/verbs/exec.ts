/**
 * `paddock exec`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlags, readInteger, resolveHostPath } from "../values/flag.ts";
import { readEnv, readEnvFile } from "../values/process.ts";
import { speakOn } from "../voice.ts";
import { allValues, isOn, lastValue } from "../words.ts";
import { readPassedOn, readPreserved, refuseRootless } from "./create.ts";

const LAST_ID = 2 ** 32 - 2;

/** Runs a further command in a container; the exit code is its own. */
export async function run(words: Words, host: Host): Promise<number> {
  refuseRootless(words);
  const { execInContainer } = await import("../../runtime/exec.ts");
  const [id = "", ...args] = words.positionals;
  const path = (name: string) => {
    const given = lastValue(words, name);
    return given === undefined ? undefined : resolveHostPath(given, host);
  };
  const optional = <K extends string, V>(key: K, value: V | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
  return await execInContainer({
    ...readRoots(words, host),
    id,
    ...optional("processFile", path("process")),
    changes: {
      args,
      env: [
        ...readFlags(words, "env-file", (path) => readEnvFile(path, host)).flat(),
        ...readFlags(words, "env", (text) => readEnv(text, host)),
      ],
      ...optional("cwd", lastValue(words, "cwd")),
      ...optional("user", lastValue(words, "user")),
      additionalGids: allValues(words, "additional-gids").map((text) => readInteger(text, 0, LAST_ID)),
      capabilities: allValues(words, "cap"),
      ...optional("noNewPrivileges", words.switches.get("no-new-privs")),
      ...optional("apparmorProfile", lastValue(words, "apparmor")),
      ...optional("selinuxLabel", lastValue(words, "process-label")),
    },
    tty: isOn(words, "tty"),
    interactive: words.switches.get("interactive") ?? true,
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
