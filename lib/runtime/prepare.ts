/**
 * From options to everything that a plan is made of: the part that `run`, `explain` and `compile` share.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { confinesDevices } from "../cgroup/route.ts";
import type { Facts } from "../host/facts.ts";
import type { CachedRun } from "../plan/seen.ts";
import type { Setting } from "../plan/setting.ts";
import { rootfsPath } from "../plan/rootfs.ts";
import type { Config } from "../spec/config.ts";
import { buildConfig } from "../spec/from_options.ts";
import { buildHosts, buildResolvConf } from "../spec/network_files.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { checkConfig } from "../spec/validate.ts";
import { INPUT_FILE, LOG_FILE, MONITOR_FILE } from "../state/container.ts";
import { HEALTH_FILE } from "../state/health.ts";
import { compileFilter, withProfile } from "./filter.ts";
import { findPresent } from "./find_present.ts";
import type { OpenedImage } from "./open_image.ts";
import type { Place } from "./place.ts";
import { lookUpSurroundings, readHostResolvConf } from "./surroundings.ts";

/** What `planContainer` takes beside the facts. */
export interface Prepared {
  readonly config: Config;
  readonly setting: Setting;
}

/**
 * Looks up what the options leave open, and makes the Config and the Setting.
 *
 * @param cached for a launcher that is to be kept in the cache.
 * @throws PaddockError naming the option that does not fit this host or this image.
 */
export async function prepareContainer(
  options: RunOptions,
  facts: Facts,
  image: OpenedImage,
  place: Place,
  cached?: (config: Config) => CachedRun,
): Promise<Prepared> {
  const rootfs = image.rootfs(place);
  const around = lookUpSurroundings({
    id: place.id,
    options,
    facts,
    rootfs: rootfsPath(rootfs),
    image: image.config,
    layers: image.layers,
    ...(place.network?.path === undefined ? {} : { networkPath: place.network.path }),
  });
  const config = checkConfig(await withProfile(buildConfig(withoutNodes(options, facts), around), options, facts));
  const filter = await compileFilter(config, facts);
  const files = etcFiles(options, config, place.network?.addresses);
  const setting: Setting = {
    id: place.id,
    name: place.name,
    rootfs,
    stateDir: place.stateDir,
    stateFiles: [
      "config.json",
      "state.json",
      ...(place.detachment === undefined ? [] : [...listLogs(place.detachment), MONITOR_FILE, INPUT_FILE, HEALTH_FILE]),
    ],
    prepared: place.prepared,
    files,
    present: findPresent([...config.mounts.map(({ destination }) => destination), ...Object.keys(files)], image.layers),
    sources: findSources(options),
    ...(options.cgroupParent === undefined ? {} : { cgroupParent: options.cgroupParent }),
    ...(options.cgroupManager === "disabled" ? { withoutCgroups: true } : {}),
    // Nobody is there to type, and the end of the input is no word to a shell.
    interactive: options.interactive && place.detachment === undefined,
    init: options.init,
    ...(place.finish === undefined ? {} : { finish: place.finish }),
    keep: place.keep,
    ...(place.detachment === undefined ? {} : { detachment: place.detachment }),
    ...(place.network?.acts === undefined ? {} : { network: place.network.acts }),
    trace: options.trace,
    ...(rootfs.kind === "directory" && place.dataDir !== "" ? { dataDir: place.dataDir } : {}),
    ...(filter === undefined ? {} : { filter }),
    ...(cached === undefined ? {} : { cached: cached(config) }),
  };
  return { config, setting };
}

/** The files of its log, where they lie with its state. */
function listLogs({ pump }: NonNullable<Place["detachment"]>): string[] {
  return [LOG_FILE, ...[...Array(pump?.maxFiles ?? 1).keys()].slice(1).map((index) => `${LOG_FILE}.${index}`)];
}

/**
 * Where no cgroup confines devices, a container that can make device nodes can read the host's disks: it may not make
 * any, unless its user asks for just that.
 */
function withoutNodes(options: RunOptions, facts: Facts): RunOptions {
  const asked = options.privileged || ["all", "mknod"].some((name) => options.capAdd.includes(name));
  const confined = confinesDevices(facts) && options.cgroupManager !== "disabled";
  return asked || confined ? options : { ...options, capDrop: [...options.capDrop, "mknod"] };
}

/** The files that a container has of its own, unless a mount of the user's is in their place. */
function etcFiles(options: RunOptions, config: Config, addresses?: readonly string[]): Record<string, string> {
  const hostname = config.hostname ?? Deno.hostname();
  const files: Record<string, string> = {
    "/etc/resolv.conf": buildResolvConf(options, readHostResolvConf()),
    "/etc/hosts": buildHosts(options, hostname, addresses),
    "/etc/hostname": `${hostname}\n`,
  };
  for (const { destination } of config.mounts) delete files[destination];
  return files;
}

/** What the source of each bind mount is: the kernel mounts a directory onto a directory, and all else onto a file. */
function findSources(options: RunOptions): Record<string, "directory" | "file"> {
  const sources: Record<string, "directory" | "file"> = {};
  for (const mount of options.mounts) {
    if (mount.kind !== "bind") continue;
    sources[mount.source] = mount.anonymous ? "directory" : kindOf(mount.source);
  }
  return sources;
}

function kindOf(path: string): "directory" | "file" {
  try {
    return Deno.statSync(path).isDirectory ? "directory" : "file";
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new PaddockError(`cannot mount ${path}: no such file or directory on the host`, {
        hint: "make it first (mkdir), or correct the path; sources are never made by paddock",
        cause,
      });
    }
    throw new PaddockError(`cannot mount ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
