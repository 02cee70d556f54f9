/**
 * Masked and read-only paths: what the kernel shows in /proc and /sys and a container has no business with.
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import { type Act, flags, type Step, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { mountAttributes } from "./binds.ts";
import { openTarget, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** Acts for `linux.maskedPaths` and `linux.readonlyPaths`; a path that is not there needs none. */
export function planProtectedPaths(config: Config, facts: Facts): Act[] {
  return [
    ...(config.linux.readonlyPaths ?? []).map((path) => makeReadOnly(path, facts)),
    ...(config.linux.maskedPaths ?? []).map((path) => mask(path, facts)),
  ];
}

function mask(path: string, facts: Facts): Act {
  const key = `mask.${path}`;
  return {
    what: `mask ${path}`,
    why: "it tells about the host or controls it: a file reads as empty, a directory has nothing in it",
    shell: [
      `mount --bind /dev/null "$ROOT"${path} && mount -o remount,bind,ro "$ROOT"${path} || ` +
      `mount -t tmpfs -o ro tmpfs "$ROOT"${path}`,
    ],
    steps: [
      ...openTarget(path, facts, { key, kind: "existing", onMissing: "end" }),
      // This is still the host's /dev/null: one of the image could be a link to a file worth writing (CVE-2025-31133).
      step("mount", [text("/dev/null"), text(TARGET_PATH), 0, flags("MS_BIND"), 0], { onNegative: `${key}.directory` }),
      // Read-only, for mode and owner would be those of the host's own node. The mount is on top of what is open.
      ...openTarget(path, facts, { key: `${key}.again`, kind: "existing" }),
      step(
        "mount",
        [0, text(TARGET_PATH), 0, flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY", "MS_NOSUID", "MS_NOEXEC"), 0],
        {
          onZero: "end",
        },
      ),
      step("mount", [
        text("tmpfs"),
        text(TARGET_PATH),
        text("tmpfs"),
        flags("MS_RDONLY"),
        text("nr_blocks=1,nr_inodes=1"),
      ], { label: `${key}.directory` }),
    ],
  };
}

function makeReadOnly(path: string, facts: Facts): Act {
  const key = `readonly.${path}`;
  const remount: Step = facts.has.mount_setattr
    ? step("mount_setattr", [
      TARGET_FD,
      text(""),
      flags("AT_EMPTY_PATH", "AT_RECURSIVE"),
      mountAttributes(["MOUNT_ATTR_RDONLY"], []),
      32,
    ])
    : step("mount", [
      0,
      text(TARGET_PATH),
      0,
      flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY", "MS_NOSUID", "MS_NODEV", "MS_NOEXEC"),
      0,
    ]);
  return {
    what: `make ${path} read-only`,
    why: "it configures the host's kernel",
    shell: [`mount --bind "$ROOT"${path} "$ROOT"${path} && mount -o remount,bind,ro "$ROOT"${path}`],
    steps: [
      ...openTarget(path, facts, { key, kind: "existing", onMissing: "end" }),
      step("mount", [text(TARGET_PATH), text(TARGET_PATH), 0, flags("MS_BIND", "MS_REC"), 0]),
      // The descriptor is of what lies underneath the new mount, so the path is looked up again.
      ...openTarget(path, facts, { key: `${key}.again`, kind: "existing" }),
      remount,
    ],
  };
}
