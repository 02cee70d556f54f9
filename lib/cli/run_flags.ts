/**
 * The flags of `run`, which `explain` and `compile` share: docker's spelling and meaning wherever docker has one.
 *
 * @module
 */
import { RUN_REGISTRY_FLAGS } from "./registry_flags.ts";
import type { Option } from "./types.ts";

const container = inGroup("Container", [
  { name: "name", value: "NAME", help: "name it; without --rm it is kept when it ends" },
  { name: "replace", help: "in place of one that has its name: that one is ended and removed" },
  { name: "rm", help: "remove it when it ends, though it has a name" },
  { name: "detach", short: "d", help: "leave it in the background, and print its id" },
  {
    name: "log-driver",
    value: "DRIVER",
    choices: ["file", "local", "journald", "none"],
    help:
      "what becomes of its output in the background: file, as it is; local, with times and streams, in files that " +
      "do not grow for ever; journald, systemd's, where journalctl -t NAME finds it; none (file)",
  },
  {
    name: "log-opt",
    value: "KEY=VALUE",
    repeat: true,
    help: "of local: max-size (20m), from which on a new file is begun, and max-file (5), how many are kept",
  },
  {
    name: "restart",
    value: "POLICY",
    suggestions: ["no", "on-failure", "always", "unless-stopped"],
    help: "start it again when it ends, in the background: no, on-failure[:N], always, unless-stopped",
  },
  {
    name: "interactive",
    short: "i",
    help: "pass standard input to it (it is; -i=false: empty); with -d that of who attaches",
  },
  { name: "tty", short: "t", help: "give it a terminal (it has one if you call from one)" },
  { name: "init", help: "run a small init as process 1 that forwards signals and reaps" },
  { name: "stop-signal", value: "SIGNAL", help: "signal that asks it to stop (TERM)" },
  { name: "stop-timeout", value: "SECONDS", help: "how long it may take then (10); -1 is for ever" },
  { name: "label", short: "l", value: "KEY=VALUE", repeat: true, help: "note about it" },
  {
    name: "config",
    value: "FILE",
    path: true,
    help: "image config or `docker inspect` output that the rootfs has lost",
  },
  { name: "trace", help: "print each step with its result" },
]);

const health = inGroup("Health", [
  { name: "health-cmd", value: "COMMAND", help: "line for its shell, or a JSON list, that says whether it is well" },
  { name: "health-interval", value: "DURATION", help: "time between checks (30s)" },
  { name: "health-timeout", value: "DURATION", help: "how long a check may take (30s)" },
  { name: "health-retries", value: "N", help: "failures in a row that make it unhealthy (3)" },
  {
    name: "health-start-period",
    value: "DURATION",
    help: "time for it to start up, in which failures do not count (0s)",
  },
  { name: "no-healthcheck", help: "not even that of its image" },
]);

const image = inGroup("Image", [
  {
    name: "pull",
    value: "WHEN",
    choices: ["missing", "always", "never"],
    help: "when its registry is asked: missing (the default), always or never",
  },
  { name: "platform", value: "OS/ARCH[/VARIANT]", help: "an image for another platform (this machine's)" },
  ...RUN_REGISTRY_FLAGS,
]);

const process = inGroup("Process", [
  { name: "env", short: "e", value: "VAR[=VALUE]", repeat: true, help: "set a variable, or take it over from here" },
  { name: "env-file", value: "FILE", path: true, repeat: true, help: "variables, one on a line" },
  { name: "entrypoint", value: "PROGRAM", help: "instead of the image's entrypoint" },
  { name: "user", short: "u", value: "USER[:GROUP]", help: "names or numbers (root)" },
  { name: "group-add", value: "GROUP", repeat: true, help: "one more group" },
  { name: "workdir", short: "w", value: "DIR", help: "where it starts, in the container" },
  { name: "umask", value: "MODE", help: "octal (0022)" },
  { name: "ulimit", value: "NAME=SOFT[:HARD]", repeat: true, help: "as in nofile=1024:4096" },
  { name: "oom-score-adj", value: "N", help: "-1000 (spared) to 1000 (killed first)" },
]);

const files = inGroup("Files", [
  {
    name: "volume",
    short: "v",
    value: "SRC:DST[:OPTIONS]",
    repeat: true,
    path: true,
    help: "a file or directory of the host (ro is recursive); a path alone: a directory of the container's own",
  },
  { name: "mount", value: "type=TYPE,...", repeat: true, help: "type=bind|tmpfs|overlay and its keys" },
  { name: "tmpfs", value: "DST[:OPTIONS]", repeat: true, help: "an empty filesystem in memory" },
  { name: "read-only", help: "the root filesystem cannot be written" },
  { name: "rw-save", value: "DIR", path: true, help: "keep what it writes in this directory of the host" },
  { name: "shm-size", value: "SIZE", help: "of /dev/shm (64m)" },
  { name: "device", value: "SRC[:DST[:rwm]]", repeat: true, path: true, help: "a device of the host" },
]);

const limits = inGroup("Limits", [
  { name: "memory", short: "m", value: "SIZE", help: "memory; -1 is no limit" },
  { name: "swap", value: "SIZE", help: "swap beyond --memory; 0 is none" },
  { name: "memory-swap", value: "SIZE", help: "memory and swap together; -1 is no limit" },
  { name: "memory-reservation", value: "SIZE", help: "what is left to it when memory is short" },
  { name: "memory-swappiness", value: "0..100", help: "how readily it is swapped (cgroup v1)" },
  { name: "oom-kill-disable", help: "wait instead of being killed (cgroup v1)" },
  { name: "cpus", value: "N", help: "processors, as in 1.5" },
  { name: "cpu-shares", short: "c", value: "N", help: "weight among others, 2 to 262144 (1024)" },
  { name: "cpu-period", value: "MICROSECONDS", help: "the scheduler's period (100000)" },
  { name: "cpu-quota", value: "MICROSECONDS", help: "processor time in each period" },
  { name: "cpuset-cpus", value: "LIST", help: "processors it may use, as in 0-3,7" },
  { name: "cpuset-mems", value: "LIST", help: "memory nodes it may use" },
  { name: "pids-limit", value: "N", help: "processes and threads; -1 is no limit" },
  { name: "blkio-weight", value: "10..1000", help: "weight of its input and output among others" },
  { name: "blkio-weight-device", value: "DEV:WEIGHT", repeat: true, help: "the same for one device" },
  { name: "device-read-bps", value: "DEV:SIZE", repeat: true, help: "bytes read in a second" },
  { name: "device-write-bps", value: "DEV:SIZE", repeat: true, help: "bytes written in a second" },
  { name: "device-read-iops", value: "DEV:N", repeat: true, help: "reads in a second" },
  { name: "device-write-iops", value: "DEV:N", repeat: true, help: "writes in a second" },
  { name: "cgroup-parent", value: "PATH", help: "cgroup under which its own is made" },
]);

const network = inGroup("Network", [
  {
    name: "network",
    value: "NETWORK",
    suggestions: ["none", "host", "bridge"],
    help: "none (loopback only), host, bridge, another's NAME, container:ID or ns:PATH",
  },
  { name: "net", value: "MODE", aliasOf: "network", help: "" },
  {
    name: "publish",
    short: "p",
    value: "[[ADDRESS:]PORT:]PORT[/udp]",
    repeat: true,
    help: "let a port of the host lead to one of its own",
  },
  { name: "publish-all", short: "P", help: "the same for all that the image exposes, at free ports" },
  { name: "ip", value: "ADDRESS", help: "its IPv4 address on the network" },
  { name: "ip6", value: "ADDRESS", help: "its IPv6 address on the network" },
  { name: "mac-address", value: "MAC", help: "of its interface" },
  { name: "network-alias", value: "NAME", repeat: true, help: "a further name of it on the network" },
  { name: "hostname", short: "h", value: "NAME", help: "its host name" },
  { name: "domainname", value: "NAME", help: "its NIS domain name" },
  { name: "dns", value: "ADDRESS", repeat: true, help: "name server" },
  { name: "dns-search", value: "DOMAIN", repeat: true, help: "search domain; . is none" },
  { name: "dns-option", value: "OPTION", repeat: true, help: "resolver option" },
  { name: "dns-opt", value: "OPTION", aliasOf: "dns-option", help: "" },
  { name: "add-host", value: "NAME:ADDRESS", repeat: true, help: "line in /etc/hosts" },
]);

const PRIVATE_OR_HOST = ["private", "host"] as const;

const namespaces = inGroup("Namespaces", [
  { name: "pid", value: "private|host", choices: PRIVATE_OR_HOST, help: "process ids" },
  { name: "ipc", value: "private|host|none", choices: ["private", "host", "none"], help: "shared memory and queues" },
  { name: "uts", value: "private|host", choices: PRIVATE_OR_HOST, help: "host name" },
  { name: "cgroupns", value: "private|host", choices: PRIVATE_OR_HOST, help: "view of the cgroups" },
  { name: "userns", value: "UID:GID:SIZE|host", help: "map its ids to SIZE ids of the host from UID and GID" },
  { name: "time-offset", value: "CLOCK=SECONDS", repeat: true, help: "move its clock monotonic or boottime" },
]);

const security = inGroup("Security", [
  { name: "cap-add", value: "NAME", repeat: true, help: "one more capability, or ALL" },
  { name: "cap-drop", value: "NAME", repeat: true, help: "one capability less, or ALL" },
  { name: "privileged", help: "all capabilities and devices, nothing masked or filtered" },
  {
    name: "security-opt",
    value: "OPTION",
    repeat: true,
    help: "no-new-privileges, seccomp=FILE, seccomp=unconfined, systempaths=unconfined",
  },
  { name: "sysctl", value: "KEY=VALUE", repeat: true, help: "kernel setting of its namespaces" },
]);

/** docker's flags that people type from habit, and what does the same here. */
const elsewhere: readonly Option[] = [
  { name: "volumes-from", value: "NAME", help: "", refused: "give the directories with -v" },
];

/** Every flag of `run`, in the order in which help shows them. */
export const RUN_FLAGS: readonly Option[] = [
  ...container,
  ...health,
  ...image,
  ...process,
  ...files,
  ...limits,
  ...network,
  ...namespaces,
  ...security,
  ...elsewhere,
];

function inGroup(group: string, options: readonly Option[]): readonly Option[] {
  return options.map((option) => ({ ...option, group }));
}
