/**
 * Mounts with shifted owners (`man 2 mount_setattr`, "ID-mapped mounts").
 *
 * @module
 */
import { quoteShell } from "../base/text.ts";
import { type Act, AT_FDCWD, flags, type Region, result, step, text } from "../program/step.ts";
import { word } from "./targets.ts";

/** `struct mount_attr`; the descriptor of the user namespace is put into it when the program runs. */
export const SHIFT_REGIONS: Readonly<Record<string, Region>> = {
  shifted: { size: 32, fields: [word(0, flags("MOUNT_ATTR_IDMAP"))] },
};

/** Where the descriptor belongs in the region `shifted`. */
export const SHIFTED_USERNS = { region: "shifted", offset: 24 } as const;

/** A copy of what `from` shows, owners shifted, attached at `to`. */
export function shiftMount(from: string, to: string, key: string): Act {
  return {
    what: `mount ${from} with shifted owners on ${to}`,
    why: "files of the image belong to the container's own root and users, and nothing changes on disk",
    shell: [`mount --bind -o X-mount.idmap=/proc/$CHILD/ns/user ${quoteShell(from)} ${quoteShell(to)}`],
    steps: [
      step("open_tree", [AT_FDCWD, text(from), flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC")], { label: key }),
      step("mount_setattr", [result(key), text(""), flags("AT_EMPTY_PATH"), { region: "shifted" }, 32]),
      step("move_mount", [result(key), text(""), AT_FDCWD, text(to), flags("MOVE_MOUNT_F_EMPTY_PATH")]),
      step("close", [result(key)]),
    ],
  };
}
