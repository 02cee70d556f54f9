/**
 * Masked and read-only paths: what the kernel shows in /proc and /sys and a container has no business with.
 *
 * @module
 */
import { quoteShell } from "../base/text.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, flags, type Region, type Step, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { mountAttributes } from "./binds.ts";
import { stringVector } from "./process.ts";
import { openLoaded, openTarget, splitPath, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** Acts for `linux.maskedPaths` and `linux.readonlyPaths`; a path that is not there needs none. */
export function planProtectedPaths(config: Config, facts: Facts): Act[] {
  const { readonlyPaths = [], maskedPaths = [] } = config.linux;
  return [
    ...(readonlyPaths.length === 0 ? [] : [makeReadOnly(readonlyPaths, facts)]),
    ...(maskedPaths.length === 0 ? [] : [mask(maskedPaths, facts)]),
  ];
}

/** Memory for the loops: where each stands in its list of paths. */
export const PATH_REGIONS: Readonly<Record<string, Region>> = { "mask.at": { size: 8 }, "readonly.at": { size: 8 } };

function mask(paths: readonly string[], facts: Facts): Act {
  return {
    what: "mask what the kernel tells of the host",
    why: "a file that tells about the host, or controls it, reads as empty; a directory has nothing in it",
    shell: paths.map((path) =>
      `mount --bind /dev/null ${inRoot(path)} && mount -o remount,bind,ro ${inRoot(path)} || ` +
      `mount -t tmpfs -o ro tmpfs ${inRoot(path)}`
    ),
    steps: forEachPath(paths, "mask", facts, ({ open, next, key }) => [
      // This is still the host's /dev/null: one of the image could be a link to a file worth writing (CVE-2025-31133).
      step("mount", [text("/dev/null"), text(TARGET_PATH), 0, flags("MS_BIND"), 0], { onNegative: `${key}.directory` }),
      // Read-only, for mode and owner would be those of the host's own node. The mount is on top of what is open.
      ...open(),
      step(
        "mount",
        [0, text(TARGET_PATH), 0, flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY", "MS_NOSUID", "MS_NOEXEC"), 0],
        {
          onZero: next,
        },
      ),
      step("mount", [
        text("tmpfs"),
        text(TARGET_PATH),
        text("tmpfs"),
        flags("MS_RDONLY"),
        text("nr_blocks=1,nr_inodes=1"),
      ], {
        label: `${key}.directory`,
      }),
    ]),
  };
}

function makeReadOnly(paths: readonly string[], facts: Facts): Act {
  const remount: Step = facts.has.mount_setattr
    ? step("mount_setattr", [TARGET_FD, text(""), flags("AT_EMPTY_PATH", "AT_RECURSIVE"), READ_ONLY, 32])
    : step("mount", [0, text(TARGET_PATH), 0, flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY", ...PROC_FLAGS), 0]);
  return {
    what: "make read-only what configures the kernel",
    why: "the container may read the settings of the host's kernel, and change none",
    shell: paths.map((path) =>
      `mount --bind ${inRoot(path)} ${inRoot(path)} && mount -o remount,bind,ro ${inRoot(path)}`
    ),
    steps: forEachPath(paths, "readonly", facts, ({ open }) => [
      step("mount", [text(TARGET_PATH), text(TARGET_PATH), 0, flags("MS_BIND", "MS_REC"), 0]),
      // The descriptor is of what lies underneath the new mount, so the path is looked up again.
      ...open(),
      remount,
    ]),
  };
}

/** Without a call that leaves them alone, a remount must name the flags that /proc and /sys are mounted with. */
const PROC_FLAGS = ["MS_NOSUID", "MS_NODEV", "MS_NOEXEC"];

const READ_ONLY = mountAttributes(["MOUNT_ATTR_RDONLY"], []);

function inRoot(path: string): string {
  return `"$ROOT"${quoteShell(path)}`;
}

/** What a body is given. */
interface Round {
  /** The steps that look the path up. */
  open(): Step[];
  /** Where the next path begins. */
  readonly next: string;
  /** For labels of the body's own. */
  readonly key: string;
}

/** The steps for a path. */
type Body = (round: Round) => Step[];

/**
 * A loop over paths that are there, or, for a kernel that has to walk each by its components, one after the other.
 * `body` finds the path's descriptor at `TARGET_FD`.
 */
function forEachPath(paths: readonly string[], key: string, facts: Facts, body: Body): Step[] {
  if (!facts.has.openat2) return paths.flatMap((path, index) => oneAfterTheOther(path, `${key}.${index}`, facts, body));
  const at = `${key}.at`;
  const [loop, next] = [`${key}.loop`, `${key}.next`];
  return [
    step("@store", [{ region: at }, stringVector(paths.map((path) => splitPath(path).join("/")))]),
    // The list ends with a null pointer.
    step("@load", [{ load: at }, 0], { label: loop, onZero: "end" }),
    ...openLoaded(loop, next),
    ...body({ open: () => openLoaded(loop), next, key }),
    step("@add", [{ load: at }, 8], { label: next }),
    step("@store", [{ region: at }, { previous: 1 }], { onPositive: loop }),
  ];
}

function oneAfterTheOther(path: string, key: string, facts: Facts, body: Body): Step[] {
  const next = `${key}.next`;
  return [
    ...openTarget(path, facts, { key, kind: "existing", onMissing: next }),
    ...body({ open: () => openTarget(path, facts, { key, kind: "existing" }), next, key }),
    step("@add", [0, 0], { label: next }),
  ];
}
