/**
 * `tmpcopyup`: a tmpfs in which what lies beneath is seen (runtime-spec config.md, "Linux mount options").
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, flags, step, text } from "../program/step.ts";
import type { Mount } from "../spec/config.ts";
import { readMountOptions } from "./mount_options.ts";
import { openTarget, SOURCE_FD, SOURCE_PATH, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** What is needed beside the mount. */
export interface CopyUp {
  /** Unique in the plan. */
  readonly key: string;
  /** Mounts the tmpfs. */
  readonly tmpfs: Act;
}

/**
 * Nothing is copied until it is changed: what is seen is an overlay whose upper directory is in the tmpfs.
 *
 * @throws PaddockError where this kernel has no overlays.
 */
export function planCopyUp(mount: Mount, facts: Facts, { key, tmpfs }: CopyUp): Act[] {
  if (!facts.has.overlay) {
    throw new PaddockError(
      `the mount on ${mount.destination} cannot show what lies beneath (tmpcopyup): this kernel ` +
        `(${facts.release}) has no overlay filesystem`,
    );
  }
  const { flags: names } = readMountOptions(mount.options ?? []);
  const inside = (name: string) => `${TARGET_PATH}/${name}`;
  const data = `lowerdir=${SOURCE_PATH},upperdir=${inside("upper")},workdir=${inside("work")}`;
  const [upper, work] = [text("upper"), text("work")];
  return [
    {
      what: `open what lies beneath ${mount.destination}`,
      why: "it is to be seen in the tmpfs that will cover it",
      shell: [],
      steps: [
        ...openTarget(mount.destination, facts, { key: `${key}.beneath`, kind: "directory" }),
        step("dup3", [TARGET_FD, SOURCE_FD, flags("O_CLOEXEC")]),
      ],
    },
    tmpfs,
    {
      what: `show in ${mount.destination} what lies beneath (tmpcopyup)`,
      why: "asked for: files of the image that can be changed, and whose changes are kept in memory",
      shell: [`mount -t overlay -o lowerdir=…,upperdir=…,workdir=… overlay "$ROOT"${mount.destination}`],
      steps: [
        ...openTarget(mount.destination, facts, { key: `${key}.over`, kind: "existing" }),
        // The root of an overlay is the upper directory: it is to have the mode and owners of what it covers.
        step("statx", [SOURCE_FD, text(""), flags("AT_EMPTY_PATH"), STATX_BASIC, { region: "path" }]),
        step("mkdirat", [TARGET_FD, upper, 0o755]),
        step("mkdirat", [TARGET_FD, work, 0o700]),
        step("@shr", [{ load: "path", offset: STATX_UID }, 32]),
        step("@and", [{ load: "path", offset: STATX_UID }, 0xffffffff]),
        step("fchownat", [TARGET_FD, upper, { previous: 1 }, { previous: 2 }, 0]),
        step("@and", [{ load: "path", offset: STATX_MODE }, 0o7777]),
        step("fchmodat", [TARGET_FD, upper, { previous: 1 }]),
        step("mount", [
          text("overlay"),
          text(TARGET_PATH),
          text("overlay"),
          flags(...names),
          text(data),
        ]),
        step("close", [SOURCE_FD]),
      ],
    },
  ];
}

/** True for an option of the tmpfs itself, which stays writable: what is to be read-only is what is seen. */
export function isForBeneath(word: string): boolean {
  return word !== "tmpcopyup" && word !== "ro" && word !== "rro";
}

/** `struct statx` (`man 2 statx`): the mode in 16 bits, the user and the group in 32 each, side by side. */
const STATX_BASIC = 0x7ff;
const STATX_UID = 20;
const STATX_MODE = 28;
