/**
 * The mount table as the kernel writes it (`man 5 proc_pid_mountinfo`).
 *
 * @module
 */
import type { MountFact } from "./facts.ts";

/**
 * Reads the text of `/proc/PID/mountinfo`. Lines that do not have the form are left out: the kernel writes none, and a
 * file that was cut off while it was read ends in one.
 */
export function parseMountInfo(text: string): MountFact[] {
  const mounts: MountFact[] = [];
  for (const line of text.split("\n")) {
    const mount = parseLine(line);
    if (mount !== undefined) mounts.push(mount);
  }
  return mounts;
}

/**
 * The mount that serves an absolute, normal path: the last one, of those with the longest target above or at the path.
 * Later lines hide earlier ones of the same target.
 */
export function findMountOf(path: string, mounts: readonly MountFact[]): MountFact | undefined {
  let found: MountFact | undefined;
  for (const mount of mounts) {
    if (isWithin(path, mount.target) && mount.target.length >= (found?.target.length ?? 0)) found = mount;
  }
  return found;
}

/** True where `path` is `directory` or lies in it; both absolute and normal. */
export function isWithin(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/**
 * One line: `ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [PROPAGATION…] - TYPE SOURCE SUPER_OPTIONS`. The source is empty
 * where something was mounted with "" for a source, so the fields are split at every single space.
 */
function parseLine(line: string): MountFact | undefined {
  const fields = line.split(" ");
  const dash = fields.indexOf("-", 6);
  const [id, parent, device, root, target, options] = fields;
  const type = fields[dash + 1];
  if (dash === -1 || type === undefined || target === undefined) return undefined;
  return {
    id: Number(id),
    parent: Number(parent),
    device: device!,
    root: unescapeOctal(root!),
    target: unescapeOctal(target),
    options: options!.split(","),
    propagation: fields.slice(6, dash),
    type,
    source: unescapeOctal(fields[dash + 2] ?? ""),
    superOptions: (fields[dash + 3] ?? "").split(",").filter((option) => option !== ""),
  };
}

/** Undoes `seq_escape`: space, tab, newline, backslash and `#` stand as a backslash and three octal digits. */
export function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
