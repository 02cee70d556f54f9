/**
 * `paddock create`.
 *
 * @module
 */
import type { CreateOptions } from "../../runtime/create.ts";
import { UsageError } from "../../base/errors.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { readCgroupManager } from "../values/cgroup_manager.ts";
import { readFlag, readInteger, resolveHostPath } from "../values/flag.ts";
import { isOn, lastValue } from "../words.ts";

/** Creates a container from a bundle; its first process waits for `start`. */
export async function run(words: Words, host: Host): Promise<number> {
  const { createFromBundle } = await import("../../runtime/create.ts");
  return await createFromBundle(readCreateOptions(words, host), speakOn(host));
}

/** What `create` and `run` of a bundle are told. */
export function readCreateOptions(words: Words, host: Host): CreateOptions {
  refuseRootless(words);
  const path = (name: string) => {
    const given = lastValue(words, name);
    return given === undefined ? undefined : resolveHostPath(given, host);
  };
  const config = path("config");
  const [pidFile, consoleSocket, pidfdSocket] = [path("pid-file"), path("console-socket"), path("pidfd-socket")];
  return {
    ...readRoots(words, host),
    id: words.positionals[0] ?? "",
    bundle: path("bundle") ?? host.cwd(),
    ...(config === undefined ? {} : { config }),
    ...(pidFile === undefined ? {} : { pidFile }),
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
    noPivot: isOn(words, "no-pivot"),
    noNewKeyring: isOn(words, "no-new-keyring"),
    given: { preserved: readPreserved(words), env: host.env },
    cgroupManager: readCgroupManager(words),
    passedOn: readPassedOn(words, host),
  };
}

/** How errors are to be told, and where, by the paddock that a launcher executes. */
export function readPassedOn(words: Words, host: Host): string[] {
  const [file, format] = [lastValue(words, "log"), lastValue(words, "log-format")];
  const name = lastValue(words, "called-as") ?? host.calledAs();
  return [
    ...(name === "runc" || name === "crun" ? ["--called-as", name] : []),
    ...(file === undefined ? [] : ["--log", resolveHostPath(file, host)]),
    ...(format === undefined ? [] : ["--log-format", format]),
  ];
}

/**
 * runc's `--rootless true` goes on where cgroups may not be made or written to.
 *
 * @throws UsageError, for a limit that does not hold is an error here; `false` and `auto` say what is so anyway.
 */
export function refuseRootless(words: Words): void {
  const value = lastValue(words, "rootless");
  if (value === undefined || /^(auto|false|f|0)?$/i.test(value)) return;
  if (!/^(true|t|1)$/i.test(value)) {
    throw new UsageError(`--rootless does not take '${value}'`, { hint: "true, false or auto" });
  }
  throw new UsageError("paddock needs root, and says where a cgroup cannot be had: there is no --rootless true", {
    hint: "leave it out",
  });
}

/** `--preserve-fds N`. @throws UsageError where it is no number. */
export function readPreserved(words: Words): number {
  return readFlag(words, "preserve-fds", (text) => readInteger(text, 0, 1_000_000)) ?? 0;
}
