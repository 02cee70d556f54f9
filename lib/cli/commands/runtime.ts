/**
 * Verbs of an OCI runtime, in the order of a container's life.
 *
 * @module
 */
import { CREATE_FLAGS } from "../bundle_flags.ts";
import { CHECKPOINT_FLAGS, RESTORE_FLAGS } from "../checkpoint_flags.ts";
import { UPDATE_FLAGS } from "../update_flags.ts";
import type { Command } from "../types.ts";
import { ATTACH_FLAGS, COMMAND, JSON_FLAG, STOP_FLAGS } from "./shared.ts";

/** In the order in which the manual page has them. */
export const RUNTIME_COMMANDS: readonly Command[] = [
  {
    name: "create",
    summary: "create a container from a bundle, to be started later",
    description: "As an OCI runtime: the bundle is a directory with config.json and the root filesystem that it " +
      "names. Engines call this (podman, containerd, CRI-O); everything is set up, and the first process waits for " +
      "`start`.",
    positionals: [{ name: "ID" }],
    options: CREATE_FLAGS,
    examples: [["paddock create --bundle ./web web && paddock start web", "created, then started"]],
    load: () => import("../verbs/create.ts"),
  },
  {
    name: "start",
    summary: "start containers that have ended, or one that was created",
    description:
      "A kept container from an image is started in the background, with what it wrote; it is planned anew " +
      "for this host. One that was created from a bundle is let go.",
    positionals: [{ name: "CONTAINER", optional: true, repeat: true }],
    options: [
      { name: "attach", short: "a", help: "show what it prints, and end as it does" },
      { name: "interactive", short: "i", help: "the same, and type into it" },
      ...ATTACH_FLAGS,
      { name: "all-restartable", help: "all that should run by their restart policies, as after a boot" },
    ],
    examples: [
      ["paddock start web", "its command runs"],
      ["paddock start --all-restartable", "for a unit at boot: paddock generate systemd"],
    ],
    load: () => import("../verbs/start.ts"),
  },
  {
    name: "restart",
    summary: "stop containers and start them again",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: STOP_FLAGS,
    examples: [["paddock restart -t 2 web", "what it wrote stays"]],
    load: () => import("../verbs/start.ts").then(({ restart }) => ({ run: restart })),
  },
  {
    name: "state",
    summary: "print the state of a created container as JSON",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock state web", "as the OCI runtime specification has it"]],
    load: () => import("../verbs/bundle.ts").then(({ state }) => ({ run: state })),
  },
  {
    name: "kill",
    summary: "send a signal to a container",
    positionals: [{ name: "ID" }, { name: "SIGNAL", optional: true }],
    options: [{ name: "all", short: "a", help: "to all its processes" }],
    examples: [["paddock kill web KILL", "TERM unless given; SIGKILL or 9 will do"]],
    load: () => import("../verbs/bundle.ts").then(({ kill }) => ({ run: kill })),
  },
  {
    name: "delete",
    summary: "remove a created container that has stopped",
    positionals: [{ name: "ID" }],
    options: [{ name: "force", short: "f", help: "kill it first where it lives; one that is not there is fine" }],
    examples: [["paddock delete web", "what create made is gone"]],
    load: () => import("../verbs/bundle.ts").then(({ remove }) => ({ run: remove })),
  },
  {
    name: "exec",
    summary: "run a further command in a container",
    description: "The command joins the container's namespaces and cgroups, and gets its rights, environment, user " +
      "and directory unless a flag or --process says otherwise. The exit code is the command's. In a container from " +
      "an image USER may be a name of its own.",
    positionals: [{ name: "ID" }, COMMAND],
    options: [
      { name: "process", short: "p", value: "FILE", path: true, help: "the process as JSON, as in config.json" },
      { name: "tty", short: "t", help: "a terminal of its own" },
      { name: "interactive", short: "i", help: "pass standard input to it (it is; -i=false: empty)" },
      { name: "detach", short: "d", help: "end once it has begun" },
      { name: "pid-file", value: "FILE", path: true, help: "file that its process id is written to" },
      { name: "console-socket", value: "SOCKET", path: true, help: "unix socket that the terminal is sent to" },
      { name: "pidfd-socket", value: "SOCKET", path: true, help: "unix socket that its process descriptor is sent to" },
      { name: "cwd", value: "DIR", help: "working directory" },
      { name: "workdir", short: "w", value: "DIR", aliasOf: "cwd", help: "" },
      {
        name: "env",
        short: "e",
        value: "VAR[=VALUE]",
        repeat: true,
        help: "set a variable, or take it over from here",
      },
      { name: "env-file", value: "FILE", path: true, repeat: true, help: "variables, one on a line" },
      { name: "user", short: "u", value: "USER[:GROUP]", help: "whose ids it has" },
      { name: "additional-gids", short: "g", value: "GID", repeat: true, help: "one more group" },
      { name: "cap", short: "c", value: "CAP", repeat: true, help: "one more capability" },
      { name: "no-new-privs", help: "nothing that it executes gives it more rights" },
      { name: "apparmor", value: "PROFILE", help: "AppArmor profile that it has" },
      { name: "process-label", value: "LABEL", help: "SELinux label that it has" },
      {
        name: "cgroup",
        value: "[CONTROLLER:]PATH",
        repeat: true,
        help: "cgroup below the container's that it goes into; it must be there",
      },
      { name: "ignore-paused", help: "run it in a paused container as well: it waits there" },
      { name: "preserve-fds", value: "N", help: "further descriptors for the command (0)" },
    ],
    examples: [["paddock exec -t web sh", "a shell beside its command"]],
    load: () => import("../verbs/exec.ts"),
  },
  {
    name: "events",
    summary: "tell what happens to containers, or what one uses",
    description:
      "A line for each event of containers from images, in docker's words: create, start, oom (told at its " +
      "end), die with its cause, kill, stop, pause, unpause, exec_start, update, commit, destroy. Without --since those " +
      "that are to come. Of a run in the foreground without --name or --rm, which the next one like it has from the " +
      "cache, none is written; a launcher that is killed leaves none.\n\n" +
      "With ID it is one line of JSON in runc's words, time and again, of what that container uses, and when it runs " +
      "out of memory, until it ends.",
    positionals: [{ name: "ID", optional: true }],
    options: [
      { name: "since", value: "TIME", help: "from then on: 10m ago, 2026-11-24T14:00:00Z or seconds since 1970" },
      { name: "until", value: "TIME", help: "until then (for ever)" },
      {
        name: "filter",
        short: "f",
        value: "KEY=VALUE",
        repeat: true,
        help: "only those of which it holds: container, event, image, label",
      },
      { name: "format", value: "TEMPLATE", help: "a Go template with docker's fields, or json" },
      JSON_FLAG,
      { name: "interval", value: "DURATION", help: "between two looks (5s)" },
      { name: "stats", help: "what it uses now, and no more" },
    ],
    examples: [
      ["paddock events --since 1h --filter event=die", "what has ended, and what will"],
      ["paddock events --stats web", "processor time, memory, disks, processes"],
    ],
    load: () => import("../verbs/events.ts"),
  },
  {
    name: "update",
    summary: "change the limits of a container",
    description: "Where one of them cannot be changed, all stay as they were. With --resources the others are not " +
      "looked at; device rules are never changed.",
    positionals: [{ name: "ID" }],
    options: UPDATE_FLAGS,
    examples: [
      ["paddock update --memory 200m --pids-limit 50 web", "more of this, less of that"],
      ['echo \'{"cpu": {"quota": 50000}}\' | paddock update --resources - web', "as in config.json"],
    ],
    load: () => import("../verbs/update.ts"),
  },
  {
    name: "checkpoint",
    summary: "write a running container as files, by criu",
    description: "The container is over then, and restore goes on with it; with --leave-running it goes on here.",
    positionals: [{ name: "ID" }],
    options: CHECKPOINT_FLAGS,
    examples: [["paddock checkpoint --image-path ./saved web", "it ends here, to go on elsewhere"]],
    load: () => import("../verbs/checkpoint.ts").then(({ checkpoint }) => ({ run: checkpoint })),
  },
  {
    name: "restore",
    summary: "go on with a container that was checkpointed",
    description: "Takes the bundle that it was made from, and the files that checkpoint wrote.",
    positionals: [{ name: "ID" }],
    options: RESTORE_FLAGS,
    examples: [["paddock restore -d --image-path ./saved --bundle ./bundle web", "where it left off"]],
    load: () => import("../verbs/checkpoint.ts").then(({ restore }) => ({ run: restore })),
  },
  {
    name: "list",
    summary: "list containers that were created from bundles",
    positionals: [],
    options: [
      { name: "format", short: "f", value: "FORMAT", choices: ["table", "json"], help: "table or json (table)" },
      { name: "quiet", short: "q", help: "ids only" },
    ],
    examples: [["paddock list --format json", "for programs"]],
    load: () => import("../verbs/bundle.ts").then(({ list }) => ({ run: list })),
  },
  {
    name: "spec",
    summary: "write a config.json to begin with",
    positionals: [],
    options: [
      { name: "bundle", short: "b", value: "DIR", path: true, help: "directory that it is written into (.)" },
      { name: "file", short: "f", value: "FILE", path: true, help: "another name than config.json" },
      { name: "rootless", help: "for an ordinary user, who is root in a user namespace" },
      { name: "to-stdout", help: "print it" },
    ],
    examples: [
      ["paddock spec && paddock create web", "with a root filesystem in ./rootfs"],
      ["paddock spec --rootless --bundle ./web", "for a container of an ordinary user"],
    ],
    load: () => import("../verbs/spec.ts").then(({ spec }) => ({ run: spec })),
  },
  {
    name: "features",
    summary: "print what this build can do as an OCI runtime, as JSON",
    positionals: [],
    options: [],
    examples: [["paddock features", "as the runtime specification has it"]],
    load: () => import("../verbs/spec.ts").then(({ features }) => ({ run: features })),
  },
  {
    name: "pause",
    summary: "stop all processes of a container",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock pause web", "they go on with resume"]],
    load: () => import("../verbs/bundle.ts").then(({ pause }) => ({ run: pause })),
  },
  {
    name: "unpause",
    summary: "let a paused container go on, by docker's word",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock unpause web", "after pause"]],
    load: () => import("../verbs/bundle.ts").then(({ resume }) => ({ run: resume })),
  },
  {
    name: "resume",
    summary: "let a paused container go on",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock resume web", "after pause"]],
    load: () => import("../verbs/bundle.ts").then(({ resume }) => ({ run: resume })),
  },
];
