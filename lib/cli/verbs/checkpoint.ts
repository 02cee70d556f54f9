/**
 * `paddock checkpoint` and `paddock restore`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { ImageOptions } from "../../runtime/criu/checkpoint.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readFlags, readInteger, resolveHostPath } from "../values/flag.ts";
import { speakOn } from "../voice.ts";
import { isOn, lastValue } from "../words.ts";
import { readPassedOn } from "./create.ts";

/** Writes a container as files. */
export async function checkpoint(words: Words, host: Host): Promise<number> {
  const { checkpointBundle } = await import("../../runtime/criu/checkpoint.ts");
  const shared = await readShared(words, host);
  const statusFd = readFlag(words, "status-fd", (text) => readInteger(text, -1, 1_000_000));
  await checkpointBundle({
    ...shared,
    ...optional("parentPath", lastValue(words, "parent-path")),
    leaveRunning: isOn(words, "leave-running"),
    preDump: isOn(words, "pre-dump"),
    ...(statusFd === undefined || statusFd < 0 ? {} : { statusFd }),
    ...optional("pageServer", readFlag(words, "page-server", readPageServer)),
  }, speakOn(host));
  return 0;
}

/** Goes on with it. */
export async function restore(words: Words, host: Host): Promise<number> {
  const { restoreBundle } = await import("../../runtime/criu/restore.ts");
  const path = (name: string) => readFlag(words, name, (text) => resolveHostPath(text, host));
  return await restoreBundle({
    ...await readShared(words, host),
    bundle: path("bundle") ?? host.cwd(),
    detach: isOn(words, "detach"),
    ...optional("pidFile", path("pid-file")),
    ...optional("consoleSocket", path("console-socket")),
    ...optional("lsmProfile", readFlag(words, "lsm-profile", readProfile)),
    ...optional("lsmMountContext", lastValue(words, "lsm-mount-context")),
    passedOn: readPassedOn(words, host),
  }, speakOn(host));
}

async function readShared(words: Words, host: Host): Promise<ImageOptions> {
  const { CGROUP_MODES, EMPTY_NAMESPACES } = await import("../../runtime/criu/messages.ts");
  const path = (name: string) => readFlag(words, name, (text) => resolveHostPath(text, host));
  const program = lastValue(words, "criu") ?? "criu";
  const empty = readFlags(words, "empty-ns", (text) => choose(text, EMPTY_NAMESPACES, "namespace"));
  return {
    ...readRoots(words, host),
    id: words.positionals[0] ?? "",
    criu: program.includes("/") ? resolveHostPath(program, host) : program,
    imagePath: path("image-path") ?? `${host.cwd()}/checkpoint`,
    ...optional("workPath", path("work-path")),
    tcpEstablished: isOn(words, "tcp-established"),
    extUnixSk: isOn(words, "ext-unix-sk"),
    shellJob: isOn(words, "shell-job"),
    fileLocks: isOn(words, "file-locks"),
    autoDedup: isOn(words, "auto-dedup"),
    lazyPages: isOn(words, "lazy-pages"),
    emptyNamespaces: empty.reduce((flags, flag) => flags | flag, 0),
    ...optional("cgroupMode", readFlag(words, "manage-cgroups-mode", (text) => choose(text, CGROUP_MODES, "mode"))),
  };
}

function choose(text: string, known: Readonly<Record<string, number>>, what: string): number {
  const found = known[text];
  if (found !== undefined) return found;
  throw new UsageError(`${what} '${text}' is not supported`, { hint: `there is ${Object.keys(known).join(", ")}` });
}

function readPageServer(text: string): { readonly address: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  if (colon <= 0) throw new UsageError(`'${text}' is not of the form ADDRESS:PORT`);
  return { address: text.slice(0, colon), port: readInteger(text.slice(colon + 1), 1, 65535) };
}

function readProfile(text: string): string {
  if (/^[^:]+:.+$/.test(text)) return text;
  throw new UsageError(`'${text}' is not of the form TYPE:NAME`);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
