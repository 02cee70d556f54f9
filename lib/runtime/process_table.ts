/**
 * The processes of a container as a table: the lines of the host's `ps` that are about them.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { formatTable } from "../base/text.ts";
import { readControl } from "../kernel/cgroup.ts";

/**
 * The table, with its head.
 *
 * @param options for `ps`; `-ef` unless given
 * @throws PaddockError where `ps` fails, or prints no column PID
 */
export function tabulateProcesses(pids: readonly number[], options: readonly string[]): string {
  const words = options.length === 0 ? ["-ef"] : options;
  // Chosen by their numbers, so that columns alone may be asked for; words that choose others do not go with that.
  const output = options.length > 0 && pids.length > 0 ? callPsOf(pids, words) : callPs(words);
  if (output === undefined) {
    if (options.length === 0) return formatOwnTable(pids);
    throw new PaddockError(`cannot show processes by ps ${words.join(" ")}: there is no ps on this host`, {
      hint: "leave its options out, or install it (procps)",
    });
  }
  const [head = "", ...lines] = output.split("\n");
  const column = head.trim().split(/\s+/).indexOf("PID");
  if (column < 0) {
    throw new PaddockError("couldn't find PID field in ps output", { hint: "ask ps for that column too" });
  }
  const wanted = new Set(pids);
  const own = lines.filter((line) => wanted.has(Number(line.trim().split(/\s+/)[column])));
  return [head, ...own].map((line) => `${line}\n`).join("");
}

function callPsOf(pids: readonly number[], words: readonly string[]): string | undefined {
  try {
    return callPs([...words, `-q${pids.join(",")}`]);
  } catch {
    return callPs(words);
  }
}

/** What `ps` prints; `undefined` where there is none. */
function callPs(args: readonly string[]): string | undefined {
  try {
    const { success, stdout, stderr } = new Deno.Command("ps", { args: [...args] }).outputSync();
    if (success) return new TextDecoder().decode(stdout);
    throw new PaddockError(`ps ${args.join(" ")} failed: ${new TextDecoder().decode(stderr).trim().split("\n")[0]}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The columns of `ps -ef` that tell most, read from /proc; a process that ended meanwhile is left out. */
function formatOwnTable(pids: readonly number[]): string {
  const rows = pids.flatMap((pid) => {
    const [status, command] = [readControl(`/proc/${pid}/status`), readControl(`/proc/${pid}/cmdline`)];
    if (status === undefined) return [];
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "";
    const words = (command ?? "").split("\0").join(" ").trim();
    return [[field("Uid"), String(pid), field("PPid"), field("State"), words === "" ? `[${field("Name")}]` : words]];
  });
  return `${formatTable(["UID", "PID", "PPID", "STAT", "CMD"], rows)}\n`;
}
