/**
 * HOME of a process whose configuration says nothing of it: by the container's own passwd file, as runc has it. Engines
 * rely on that, and leave HOME out.
 *
 * @module
 */
import { readUserFiles } from "../image/root_files.ts";
import type { Mount, Process } from "../spec/config.ts";
import { isBind } from "../spec/validate_mounts.ts";
import { resolveUser } from "../spec/users.ts";

/**
 * The process with HOME; as it was where it has one, or the file cannot be read.
 *
 * @param rootfs where the container's files are now: its root filesystem, or `/proc/PID/root`.
 * @param mounts of the container, where they are not to be seen in `rootfs` yet: engines mount a passwd file.
 */
export function withHome(process: Process, rootfs: string, mounts: readonly Mount[] = []): Process {
  if (process.env.some((entry) => /^HOME=./.test(entry))) return process;
  const env = process.env.filter((entry) => !entry.startsWith("HOME="));
  return { ...process, env: [...env, `HOME=${findHome(process.user.uid, rootfs, mounts)}`] };
}

function findHome(uid: number, rootfs: string, mounts: readonly Mount[]): string {
  try {
    const given = mounts.findLast(({ destination, type, options }) =>
      destination === "/etc/passwd" && isBind(type, options)
    );
    const passwd = given?.source === undefined ? readUserFiles([rootfs]).passwd : Deno.readTextFileSync(given.source);
    // By number alone: a user may be called by one.
    return resolveUser(`${uid}`, [], { passwd: numbersAlone(passwd), group: "" }).home;
  } catch {
    // What is no file of that kind says nothing of anybody.
    return "/";
  }
}

function numbersAlone(passwd: string): string {
  return passwd.split("\n").filter((line) => !/^\d+:/.test(line)).join("\n");
}
