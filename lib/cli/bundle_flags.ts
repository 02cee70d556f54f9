/**
 * The flags of verbs that make a container from a bundle: runc's spelling and meaning.
 *
 * @module
 */
import type { Option } from "./types.ts";

const bundle: Option = { name: "bundle", short: "b", value: "DIR", path: true, help: "directory with config.json (.)" };

/** What `create` takes, and `run` of a bundle too. */
export const CREATE_FLAGS: readonly Option[] = [
  bundle,
  { name: "config", short: "f", value: "FILE", path: true, help: "another file than the bundle's config.json" },
  { name: "pid-file", value: "FILE", path: true, help: "file that the process id is written to" },
  { name: "console-socket", value: "SOCKET", path: true, help: "unix socket that the terminal is sent to" },
  { name: "pidfd-socket", value: "SOCKET", path: true, help: "unix socket that its process descriptor is sent to" },
  { name: "no-pivot", help: "cover the host's root in place of pivoting it away: for a root on a ramdisk" },
  { name: "no-new-keyring", help: "it has the session keyring of who calls" },
  { name: "preserve-fds", value: "N", help: "further descriptors for the command (0)" },
  { name: "no-subreaper", help: "taken for runc's sake; nobody else's processes are reaped" },
];

/** What `run` of a bundle takes beside them. */
export const BUNDLE_RUN_FLAGS: readonly Option[] = [
  ...CREATE_FLAGS,
  { name: "detach", short: "d", help: "end once its command has begun" },
  { name: "keep", help: "its state stays when it has ended, until delete" },
];

/** The same on paddock's own `run`, whose other flags are about images, `--config` and `--detach` among them. */
export const RUN_OF_BUNDLE_FLAGS: readonly Option[] = BUNDLE_RUN_FLAGS.filter(({ name }) =>
  name !== "config" && name !== "detach"
).map((
  option,
) => ({
  ...option,
  ...(option.name === "bundle" ? { help: "run this OCI bundle; the word is the container's id" } : {}),
  group: "Bundles",
}));
