/**
 * The mounts of a container: the default ones, and those that the user asks for.
 *
 * @module
 */
import type { Mount } from "./config.ts";
import { DEFAULT_MOUNTS, TMPFS_OPTIONS } from "./defaults.ts";
import type { MountOption, RunOptions } from "./run_options.ts";

/** Mounts in the order in which they are to be made: a directory before what lies in it. */
export function buildMounts(options: RunOptions): readonly Mount[] {
  const own = options.mounts.map(toMount);
  const targets = new Set(own.map((mount) => mount.destination));
  const kept = DEFAULT_MOUNTS
    .filter((mount) => !targets.has(mount.destination))
    // A /dev of the user's is taken whole: what lies in it is the user's, too.
    .filter((mount) => !(targets.has("/dev") && mount.destination.startsWith("/dev/")))
    .flatMap((mount) => adjustDefault(mount, options));
  return sortByDepth([...kept, ...own]);
}

function adjustDefault(mount: Mount, options: RunOptions): readonly Mount[] {
  const words = mount.options ?? [];
  const writable = { ...mount, options: words.filter((word) => word !== "ro") };
  switch (mount.destination) {
    case "/sys":
      return [options.privileged ? writable : mount];
    case "/sys/fs/cgroup":
      return [options.privileged ? writable : mount];
    case "/dev/shm":
      if (options.ipc === "none") return [];
      if (options.ipc === "host") return [shareWithHost(mount)];
      return [{ ...mount, options: [...words, `size=${options.shmSize}`] }];
    default:
      return [mount];
  }
}

/**
 * Shared memory is a directory, and with the host's IPC namespace it is the host's. (Queues belong to the namespace
 * itself: a mount of mqueue made in it shows them.)
 */
function shareWithHost({ destination }: Mount): Mount {
  return {
    destination,
    type: "bind",
    source: destination,
    options: ["rbind", "rprivate", "nosuid", "noexec", "nodev"],
  };
}

function toMount(option: MountOption): Mount {
  switch (option.kind) {
    case "bind":
      return { destination: option.target, type: "bind", source: option.source, options: option.options };
    case "tmpfs":
      return { destination: option.target, type: "tmpfs", source: "tmpfs", options: mergeTmpfsOptions(option.options) };
    case "overlay":
      return {
        destination: option.target,
        type: "overlay",
        source: "overlay",
        options: [
          ...option.options,
          `lowerdir=${option.lower.join(":")}`,
          ...(option.upper === undefined ? [] : [`upperdir=${option.upper}`]),
          ...(option.work === undefined ? [] : [`workdir=${option.work}`]),
        ],
      };
  }
}

/** The default options, without those that the user's contradict (`exec`, `suid`, `dev`). */
function mergeTmpfsOptions(given: readonly string[]): readonly string[] {
  const kept = TMPFS_OPTIONS.filter((word) => !given.includes(word) && !given.includes(word.slice(2)));
  return [...kept, ...given];
}

function sortByDepth(mounts: readonly Mount[]): readonly Mount[] {
  const depth = ({ destination }: Mount): number => destination.split("/").filter((part) => part !== "").length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}
