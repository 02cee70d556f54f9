/**
 * Layers seen as one tree, without a mount that anybody else could see.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "./fd.ts";
import { openDirectory } from "./fs.ts";
import { must, syscall } from "./syscall.ts";

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR_RDONLY = 1;

/**
 * A descriptor of the root of a read-only overlay (`man 2 fsopen`, Linux 5.2), attached to no directory and gone when
 * the descriptor is closed. One layer alone is opened as it is.
 *
 * @param layers absolute paths, the topmost first.
 * @param followHints see as well what an overlay with `redirect_dir` or `metacopy` has left elsewhere; only of directories
 *   that nobody else can have prepared.
 * @throws KernelError for a layer that cannot be opened; PaddockError where the kernel makes no such mount.
 */
export function openMerged(layers: readonly string[], followHints = false): Fd {
  if (layers.length === 1) return openDirectory(layers[0]!);
  const context = syscall("fsopen", "overlay", FSOPEN_CLOEXEC);
  if (context < 0) throw refuse(context);
  using _context = new Fd(context);
  using stack = new DisposableStack();
  // By descriptors, for a value must not be longer than 255 bytes, and paths of three layers often are.
  addLayers(context, layers.map((layer) => `/proc/self/fd/${stack.use(openDirectory(layer)).number}`));
  if (followHints) {
    for (const [key, value] of [["redirect_dir", "follow"], ["metacopy", "on"]] as const) {
      must(key, "fsconfig", context, FSCONFIG_SET_STRING, key, value, 0);
    }
  }
  const made = syscall("fsconfig", context, FSCONFIG_CMD_CREATE, null, null, 0);
  if (made < 0) throw refuse(made);
  return new Fd(must("overlay", "fsmount", context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
}

/**
 * As `openMerged`, of layers the topmost of which takes what is written.
 *
 * @param work an empty directory on its filesystem.
 * @throws KernelError, PaddockError
 */
export function openWritable([upper, ...lower]: readonly string[], work: string): Fd {
  const context = syscall("fsopen", "overlay", FSOPEN_CLOEXEC);
  if (context < 0) throw refuse(context);
  using _context = new Fd(context);
  using stack = new DisposableStack();
  const byDescriptor = (path: string): string => `/proc/self/fd/${stack.use(openDirectory(path)).number}`;
  addLayers(context, lower.map(byDescriptor));
  for (const [key, path] of [["upperdir", upper!], ["workdir", work]] as const) {
    must(key, "fsconfig", context, FSCONFIG_SET_STRING, key, byDescriptor(path), 0);
  }
  const made = syscall("fsconfig", context, FSCONFIG_CMD_CREATE, null, null, 0);
  if (made < 0) throw refuse(made);
  return new Fd(must("overlay", "fsmount", context, FSMOUNT_CLOEXEC, 0));
}

/** One by one where the kernel takes them so, as newer ones do, else all in one value. */
function addLayers(context: number, paths: readonly string[]): void {
  const add = (key: string, value: string): number => syscall("fsconfig", context, FSCONFIG_SET_STRING, key, value, 0);
  const [first, ...others] = paths;
  if (add("lowerdir+", first!) >= 0) {
    for (const path of others) must("lowerdir+", "fsconfig", context, FSCONFIG_SET_STRING, "lowerdir+", path, 0);
    return;
  }
  const all = add("lowerdir", paths.join(":"));
  if (all < 0) throw refuse(all);
}

function refuse(result: number): PaddockError {
  return new PaddockError(`cannot see the container's layers as one: overlay: ${describeErrno(-result)}`, {
    hint:
      "this takes Linux 5.2 with overlayfs, and a later one for more than 14 layers; export it while it runs, or keep its changes with --rw-save",
  });
}
