/**
 * `paddock run`: from options to a launcher in place of this process.
 *
 * ```
 * options ─ openImage ─▶ rootfs and image config ─ prepareContainer ─▶ Config, Setting
 *         ─ planContainer ─▶ Plan ─ assemble ─▶ program ─ becomeLauncher ─▶ (no JavaScript any more)
 * ```
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { probeHost, ReadLog } from "../host/probe.ts";
import { becomeLauncher } from "../kernel/launch.ts";
import { selfCommand } from "../kernel/self.ts";
import { planContainer } from "../plan/build.ts";
import { KEPT_FILE } from "../plan/freshness.ts";
import { LOCK_FD, type MergedLayers, type RootfsSource, RUN_ID_DIGITS } from "../plan/setting.ts";
import { assemble, markJustMade } from "../program/assemble.ts";
import type { Config } from "../spec/config.ts";
import { writeConfigText } from "../spec/config_text.ts";
import { describeAsImage } from "../spec/container_image_config.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { createContainer, type OwnedContainer, seeContainer } from "../state/container.ts";
import type { ContainerRecord } from "../state/record.ts";
import {
  dataDirectoryOf,
  ensureDataDirectories,
  linkState,
  makeDataDirectory,
  readOwner,
} from "../state/data_directory.ts";
import { keepLauncher, launcherEnvironment } from "../state/launcher_cache.ts";
import { forgetRestarts } from "../state/restarts.ts";
import { describeSubject, JOURNAL_FILE, recordEvent } from "../state/journal.ts";
import { ensurePrivateDirectory } from "../state/root.ts";
import { type Beginning, type Cacheable, seeCacheable } from "./cached_run.ts";
import { detachmentOf, formatRestart, isKept } from "./detachment.ts";
import { eraseContainer } from "./erase_container.ts";
import { quickGc } from "./gc.ts";
import { type OpenedImage, openImage } from "./open_image.ts";
import { writeOrigin } from "./origin.ts";
import type { Place } from "./place.ts";
import { placeNetwork, withHostsFile } from "./place_network.ts";
import { prepareContainer } from "./prepare.ts";
import { prepareCgroup } from "./prepare_cgroup.ts";
import { relabelVolumes } from "./relabel.ts";
import { requireRoot } from "./require_root.ts";
import type { Voice } from "./voice.ts";
import { fillVolumes, hasVolumes, listVolumes, mountVolumes } from "./volumes.ts";

/**
 * Runs a container in the foreground. Returns only when it could not be started.
 *
 * @throws PaddockError saying why; nothing is left behind then.
 */
export async function runContainer(options: RunOptions, beginning: Beginning, voice: Voice): Promise<number> {
  const log = new ReadLog();
  const facts = probeHost(log.readText);
  requireRoot(facts);
  await quickGc(options);
  const cacheable = seeCacheable(options, facts, log, beginning);
  const image = await openImage(options, facts, "import", voice);
  image.notes.forEach((note) => voice.note(note));
  // What was guessed the user is told each time.
  const isReady = !hasVolumes(options, image) && mergedOf(image.rootfs({ dataDir: "" })) === undefined;
  if (cacheable !== undefined && image.notes.length === 0 && isReady) {
    return await startCached(options, facts, image, cacheable);
  }
  if (options.replace) await removeFormer(options, voice);
  const owned = createContainer(options, options.name);
  try {
    return await launchContainer({ options, facts, image, owned, voice });
  } catch (error) {
    await eraseContainer(owned, options);
    throw error;
  }
}

/** The image is there: what can be known to go wrong with the new one has not. */
async function removeFormer(options: RunOptions, voice: Voice): Promise<void> {
  if (options.name === undefined || seeContainer(options, options.name) === undefined) return;
  const { removeContainer } = await import("./rm.ts");
  await removeContainer(options.name, { force: true }, options, voice);
}

/** Starts a container by a launcher that the next run of the same words takes from the cache. */
async function startCached(
  options: RunOptions,
  facts: Facts,
  image: OpenedImage,
  { call, seen, anew }: Cacheable,
): Promise<never> {
  const title = nameOfImage(options.image);
  const id = `${title}-${RUN_ID_DIGITS}`;
  const place: Place = {
    id,
    name: id,
    stateDir: `${options.root}/${id}`,
    dataDir: image.overlaid ? dataDirectoryOf(options.dataRoot, id) : "",
    prepared: false,
    keep: false,
    finish: { argv: finishCommand(options, id), env: finishEnvironment() },
  };
  const { config, setting } = await prepareContainer(options, facts, image, place, (config) => ({
    seen,
    anew,
    stateRoot: options.root,
    config: writeConfigText(config),
    record: describeContainer(options, image, place, config, image.rootfs(place)),
  }));
  const launcher = assemble(planContainer(config, facts, setting));
  ensurePrivateDirectory(options.root);
  if (image.overlaid) ensureDataDirectories(options.dataRoot);
  keepLauncher(call, `paddock: ${title}`, launcher);
  becomeLauncher(markJustMade(launcher), {
    title: `paddock: ${title}`,
    environment: launcherEnvironment(call),
    fallbackDirectory: `${options.dataRoot}/launchers`,
    markDescriptors: false,
  });
}

/** `./web-1.2.tar.gz` is `web-1.2`: what a name cannot hold becomes a dash. */
function nameOfImage(image: string): string {
  const base = image.replace(/\/+$/, "").replace(/^.*\//, "").replace(/\.(tar|gz|tgz|zst|zstd|tzst)\b.*$/i, "");
  return base.replace(/[^a-zA-Z0-9_.-]+/g, "-").replace(/^[^a-zA-Z0-9]+/, "").slice(0, 30) || "container";
}

/** What a container is made of whose directory and lock are there. */
export interface Launch {
  readonly options: RunOptions;
  readonly facts: Facts;
  readonly image: OpenedImage;
  readonly owned: OwnedContainer;
  readonly voice: Voice;
  /** The record of a kept container that is started once more. */
  readonly former?: ContainerRecord;
}

/**
 * Turns this process into the container's launcher.
 *
 * @throws PaddockError where that cannot be; what was made on the way is for the caller to remove.
 */
export async function launchContainer({ options, facts, image, owned, voice, former }: Launch): Promise<never> {
  const network = await placeNetwork(options, image, owned.directory, voice);
  const place = { ...choosePlace(options, image, owned), ...(network === undefined ? {} : { network }) };
  const volumes = listVolumes(options, image, place.dataDir);
  const mounted = withHostsFile(mountVolumes(options, volumes), network);
  const prepared = await prepareContainer(mounted, facts, image, place);
  const { config } = prepared;
  if (former === undefined) relabelVolumes(options);
  const fallbackDirectory = `${options.dataRoot}/launchers`;
  using cgroup = await prepareCgroup(options.cgroupManager, { id: owned.id, config, facts, fallbackDirectory });
  const described = describeContainer(options, image, place, config, prepared.setting.rootfs);
  const journal = { file: `${options.root}/${JOURNAL_FILE}`, about: { ...describeSubject(described) } };
  const setting = { ...prepared.setting, ...cgroup.setting, journal };
  const plan = planContainer(config, facts, setting);
  const record: ContainerRecord = {
    ...described,
    ...(volumes.length === 0 ? {} : { volumes: volumes.map(({ target }) => target) }),
    created: former?.created ?? new Date().toISOString(),
    cgroupPaths: plan.cgroupPaths,
    ...(former === undefined ? {} : { restarts: (former.restarts ?? 0) + 1 }),
    ...(options.detach ? {} : { launcherPid: Deno.pid }),
    ...(network?.attachment === undefined ? {} : { network: network.attachment }),
  };
  if (former === undefined) makeDataDir(options, owned, record);
  else {
    relinkState(record, owned);
    forgetRestarts(owned.directory);
  }
  await cgroup.start(owned, record);
  if (place.keep && record.dataDir !== undefined) {
    const { config: imageConfig, id, layers } = image;
    const imageId = id === undefined ? {} : { imageId: id };
    writeOrigin(record.dataDir, { options, imageConfig, ...imageId, layers, rootfs: setting.rootfs });
  }
  if (place.keep) owned.writeFile(KEPT_FILE, "");
  owned.writeFile("config.json", writeConfigText(config));
  const merged = mergedOf(setting.rootfs);
  if (merged !== undefined) {
    const { makeMergedRootfs } = await import("./merged_rootfs.ts");
    makeMergedRootfs(record.dataDir!, merged, former !== undefined);
  }
  if (former === undefined) {
    fillVolumes(volumes, image.layers, record.ids);
    recordEvent(options.root, "create", record);
  }
  becomeLauncher(assemble(plan), {
    title: `paddock: ${setting.name}`,
    keep: { fd: owned.lock.fd, as: LOCK_FD },
    fallbackDirectory,
    markDescriptors: !facts.has.close_range,
  });
}

/** What is known of a container before it is planned. */
function describeContainer(
  options: RunOptions,
  image: OpenedImage,
  place: Place,
  config: Config,
  rootfs: RootfsSource,
): Omit<ContainerRecord, "created" | "cgroupPaths"> {
  return {
    id: place.id,
    ...(options.name === undefined ? {} : { name: options.name }),
    image: options.image,
    command: config.process.args,
    ...(image.id === undefined ? {} : { imageId: image.id }),
    imageConfig: describeAsImage(options, image.config),
    ...(options.userns === "host" ? {} : { ids: options.userns }),
    ...(place.dataDir === "" ? {} : { dataDir: place.dataDir }),
    ...(place.detachment === undefined ? {} : { detached: true }),
    ...(place.detachment !== undefined && options.tty ? { terminal: true } : {}),
    ...(place.detachment !== undefined && options.interactive ? { input: true } : {}),
    ...(options.stopTimeout === undefined ? {} : { stopTimeout: options.stopTimeout }),
    ...(options.restart === undefined ? {} : { restart: formatRestart(options.restart) }),
    ...(place.detachment?.log === undefined ? {} : { log: place.detachment.log }),
    ...(place.detachment?.pump === undefined ? {} : { logFiles: place.detachment.pump.maxFiles }),
    ...(mergedOf(rootfs) === undefined ? {} : { layering: mergedOf(rootfs)!.by }),
    layers: layersOf(rootfs),
    keep: place.keep,
  };
}

function layersOf(rootfs: RootfsSource): readonly string[] {
  if (rootfs.kind === "directory") {
    if (rootfs.merged?.by !== "fuse") return [rootfs.path];
    return [rootfs.path.replace(/rootfs$/, "upper"), ...rootfs.merged.lower];
  }
  return [rootfs.upper ?? `${rootfs.directory}/upper`, ...rootfs.lower];
}

function mergedOf(rootfs: RootfsSource): MergedLayers | undefined {
  return rootfs.kind === "directory" ? rootfs.merged : undefined;
}

function choosePlace(options: RunOptions, image: OpenedImage, owned: OwnedContainer): Place {
  const keep = isKept(options);
  // The log of one that is kept, its record and what it was made from outlive a boot.
  const dataDir = image.overlaid || keep || hasVolumes(options, image) ? chooseDataDir(options, owned.id) : "";
  return {
    id: owned.id,
    name: options.name ?? owned.id,
    stateDir: owned.directory,
    dataDir,
    prepared: true,
    keep,
    ...detachmentOf(options, { name: options.name ?? owned.id, stateDir: owned.directory, dataDir, keep }),
    finish: { argv: finishCommand(options, owned.id), env: finishEnvironment() },
  };
}

/** An overlay's work directory must be on the filesystem of its upper one: beside it, if the user chose that. */
function chooseDataDir(options: RunOptions, id: string): string {
  if (options.rwSave === undefined) return dataDirectoryOf(options.dataRoot, id);
  const slash = options.rwSave.lastIndexOf("/");
  return `${options.rwSave.slice(0, slash)}/.${options.rwSave.slice(slash + 1)}.paddock-${id}`;
}

/** The container's own directory. One outside the data root is named by a record first, so that `gc` finds it. */
function makeDataDir(options: RunOptions, owned: OwnedContainer, record: ContainerRecord): void {
  if (record.dataDir === undefined) return;
  if (options.rwSave === undefined) {
    makeDataDirectory(options.dataRoot, owned.id, owned.directory);
    return;
  }
  owned.writeRecord({ ...record, keep: false });
  makeBeside(options.rwSave, record.dataDir);
}

/** After a boot, or under another state root, its state directory is another. */
function relinkState({ dataDir }: ContainerRecord, { directory }: OwnedContainer): void {
  if (dataDir !== undefined && readOwner(dataDir) !== directory) linkState(dataDir, directory);
}

function makeBeside(saved: string, path: string): void {
  try {
    Deno.mkdirSync(saved, { recursive: true });
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    throw new PaddockError(`cannot keep changes in ${saved}: ${cause instanceof Error ? cause.message : cause}`, {
      hint: "its parent directory must be writable too: the overlay's work directory lies there",
      cause,
    });
  }
}

function finishCommand(options: RunOptions, id: string): string[] {
  const roots = ["--root", options.root, "--data-root", options.dataRoot];
  return [...selfCommand(), "finish", ...roots, ...(options.trace ? ["--trace"] : []), id];
}

/** What the paddock at the end needs of this one's environment; the launcher itself gets none. */
const KEPT_VARIABLES = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "TERM", "NO_COLOR", "LANG"];

function finishEnvironment(): string[] {
  return KEPT_VARIABLES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
}
