/**
 * `-v …:z` and `:Z` where SELinux is in force: the files of a volume get the label that containers may use.
 *
 * @module
 */
import { encodeText, toCBytes } from "../base/byte_string.ts";
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import * as calls from "../kernel/file_calls.ts";
import { isThere } from "../kernel/syscall.ts";
import type { RunOptions } from "../spec/run_options.ts";

/** The label of files that every container may use (container-selinux). */
const LABEL = "system_u:object_r:container_file_t:s0\0";

/**
 * Labels the sources of volumes for which that was asked, with all that is in them. Does nothing on a host without
 * SELinux, where there is nothing to label.
 *
 * @throws PaddockError where a file takes no label.
 */
export function relabelVolumes(options: RunOptions): void {
  const sources = options.mounts.flatMap((mount) => mount.kind === "bind" && mount.relabel ? [mount.source] : []);
  if (sources.length === 0 || !isThere("/sys/fs/selinux/enforce")) return;
  for (const source of sources) relabelTree(source);
}

/** Labels a file, or a directory with everything below it; symbolic links themselves, never what they lead to. */
export function relabelTree(path: string): void {
  const label = new TextEncoder().encode(LABEL);
  const result = calls.lsetxattr(toCBytes(encodeText(path)), toCBytes("security.selinux"), label);
  if (result < 0) {
    throw new PaddockError(`cannot label ${path} for containers: ${describeErrno(-result)}`, {
      hint: "leave z away, and label the files yourself (chcon -t container_file_t)",
    });
  }
  if (!Deno.lstatSync(path).isDirectory) return;
  for (const { name } of Deno.readDirSync(path)) relabelTree(`${path}/${name}`);
}
