/**
 * Verbs about containers.
 *
 * @module
 */
import { RUN_OF_BUNDLE_FLAGS } from "../bundle_flags.ts";
import { RUN_FLAGS } from "../run_flags.ts";
import type { Command } from "../types.ts";
import { ATTACH_FLAGS, COMMAND, IMAGE, JSON_FLAG, STOP_FLAGS } from "./shared.ts";

/** In the order in which the manual page has them. */
export const CONTAINER_COMMANDS: readonly Command[] = [
  {
    name: "run",
    summary: "run a command in a new container",
    description: "IMAGE is an archive as `docker save` or `docker export` writes it, or one of an OCI image layout " +
      "(told by its content; - is standard input), a directory with a root filesystem or an image layout, the name of " +
      "an image that was loaded or that a registry has, or `host`: a throw-away copy of this host's own root. Where a file holds several " +
      "images, docker-archive:FILE:NAME, oci-archive:FILE:TAG or oci:DIRECTORY:TAG says which. An archive is unpacked " +
      "once into the store and stays as it is; a directory of files is used as it is. Without COMMAND the image's own " +
      "runs, or sh.\n\n" +
      "The exit code is the command's; 125 where paddock failed, 126 where the command cannot be executed, 127 where " +
      "it is not there, 128 + N where signal N ended it. Flags after IMAGE belong to the command.\n\n" +
      "With --bundle, or where the only word is an id and the working directory holds a config.json (and no file of " +
      "that name), it runs an OCI bundle as runc does: created, started, and deleted at its end.",
    positionals: [IMAGE, COMMAND],
    options: [...RUN_FLAGS, ...RUN_OF_BUNDLE_FLAGS],
    examples: [
      ["paddock run rootfs.tar.gz", "what the image would run, or sh"],
      ["paddock run -it host bash", "a shell in a throw-away copy of this host"],
      [
        "paddock run --memory 100m --swap 0 -v ./data:/data:ro web.tar ls /data",
        "limits, and a read-only mount",
      ],
      ["paddock run --name web --network host ./rootfs httpd -f", "a named container, on the host's network"],
      ["paddock run --bundle ./bundle web", "an OCI bundle, as runc runs it"],
    ],
    load: () => import("../verbs/run.ts"),
  },
  {
    name: "explain",
    summary: "show what run would do, step by step, with the reasons",
    description: "Takes the words of `run` and does nothing but print: the shell commands that would do the same, or " +
      "the system calls. Needs no root.",
    positionals: [IMAGE, COMMAND],
    options: [
      { name: "syscalls", help: "the exact system calls" },
      JSON_FLAG,
      ...RUN_FLAGS,
    ],
    examples: [
      ["paddock explain --memory 100m rootfs.tar.gz sh", "a container as shell commands"],
      ["paddock explain --syscalls ./rootfs sh", "the same as system calls"],
    ],
    load: () => import("../verbs/explain.ts"),
  },
  {
    name: "compile",
    summary: "make a small program that starts the container",
    description: "Takes the words of `run` and writes a static executable that needs neither paddock nor anything " +
      "else, on a host like this one.",
    positionals: [IMAGE, COMMAND],
    options: [
      { name: "output", short: "o", value: "FILE", path: true, help: "where the program is written (required)" },
      ...RUN_FLAGS,
    ],
    examples: [["paddock compile -o web --memory 100m ./rootfs httpd -f && sudo ./web", "an executable container"]],
    load: () => import("../verbs/compile.ts"),
  },
  {
    name: "inspect-program",
    summary: "list the steps of a compiled program",
    positionals: [{ name: "FILE", path: true }],
    options: [{ name: "code", help: "the machine code that walks the steps, in place of them" }, JSON_FLAG],
    examples: [
      ["paddock inspect-program ./web", "what the program will do"],
      ["paddock inspect-program --code ./web", "all of its machine code, with its listing"],
    ],
    load: () => import("../verbs/inspect_program.ts"),
  },
  {
    name: "ps",
    summary: "list containers, or the processes of one",
    description:
      "The newest first. With ID it shows the processes of that container, by the host's ps and its options; a " +
      "container from an OCI bundle will do as well.\n\n" +
      "Filters are name, id, status, exited, label, ancestor, network, volume, publish, expose, before and since. " +
      "Fields of a TEMPLATE are docker's: .ID, .Names, .Image, .Command, .CreatedAt, .RunningFor, .Status, .State, " +
      '.Ports, .Labels, {{.Label "key"}}, .Mounts, .Networks, and .Pid.',
    positionals: [
      { name: "ID", optional: true },
      { name: "PS-OPTION", optional: true, rest: true },
    ],
    options: [
      { name: "all", short: "a", help: "those that have ended, too" },
      { name: "filter", short: "f", value: "KEY=VALUE", repeat: true, help: "only those of which it holds" },
      { name: "format", value: "TEMPLATE", help: "a Go template, table TEMPLATE, table or json, as docker's (table)" },
      { name: "last", short: "n", value: "N", help: "the newest N, those that have ended, too" },
      { name: "latest", short: "l", help: "the newest one" },
      { name: "no-trunc", help: "whole commands" },
      { name: "quiet", short: "q", help: "ids only" },
      { name: "watch", help: "go on showing it" },
      JSON_FLAG,
    ],
    examples: [
      ["paddock ps -a", "everything that is kept"],
      ["paddock ps -a -f status=exited --format '{{.Names}}: {{.Status}}'", "how they ended"],
      ["paddock ps web -o pid,args", "the processes of one container"],
    ],
    load: () => import("../verbs/ps.ts"),
  },
  {
    name: "top",
    summary: "show the processes of a container",
    description: "By the host's ps, with its options; process ids are the host's.",
    positionals: [{ name: "CONTAINER" }, { name: "PS-OPTION", optional: true, rest: true }],
    options: [],
    examples: [["paddock top web -o pid,rss,args", "what each of them needs"]],
    load: () => import("../verbs/ps_container.ts"),
  },
  {
    name: "stats",
    summary: "show what containers use",
    description: "Of those that are named, or of all that run; once a second, in place on a terminal. CPU is of one " +
      "processor; memory is without cached files that nobody needs, as docker counts it. PSI is the time that " +
      "processes waited of the last ten seconds, where cgroup v2 tells it.\n\n" +
      "Fields of a TEMPLATE are .ID, .Name, .CPUPerc, .MemUsage, .MemPerc, .Swap, .NetIO, .BlockIO, .PIDs and .PSI.",
    positionals: [{ name: "CONTAINER", optional: true, repeat: true }],
    options: [
      { name: "all", short: "a", help: "those that do not run, too" },
      { name: "format", value: "TEMPLATE", help: "a Go template, table TEMPLATE, table or json, as docker's (table)" },
      { name: "no-stream", help: "once" },
      JSON_FLAG,
    ],
    examples: [["paddock stats --no-stream --json", "bytes, nanoseconds and percents, for programs"]],
    load: () => import("../verbs/stats.ts"),
  },
  {
    name: "port",
    summary: "list the ports of the host that lead to a container",
    positionals: [{ name: "CONTAINER" }, { name: "PORT", optional: true }],
    options: [JSON_FLAG],
    examples: [["paddock port web 80/tcp", "where that port of the container is reached"]],
    load: () => import("../verbs/port.ts"),
  },
  {
    name: "logs",
    summary: "print what a container in the background has printed",
    description: "With --log-driver local what it printed to standard error goes there again, and times are known.",
    positionals: [{ name: "CONTAINER" }],
    options: [
      { name: "follow", short: "f", help: "go on with what it prints, until it has ended" },
      { name: "tail", short: "n", value: "LINES", help: "the last lines only, or all" },
      { name: "timestamps", short: "t", help: "the time before each line (with --log-driver local)" },
      { name: "since", value: "TIME", help: "from then on: 10m ago, 2026-11-24T14:00:00Z, … (the same)" },
      { name: "until", value: "TIME", help: "until then (the same)" },
    ],
    examples: [["paddock logs -f --tail 20 web", "the end of it, and what comes"]],
    load: () => import("../verbs/logs.ts"),
  },
  {
    name: "wait",
    summary: "wait until containers have ended, and print their exit codes",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: [],
    examples: [["paddock wait web", "one line for each"]],
    load: () => import("../verbs/wait.ts"),
  },
  {
    name: "rename",
    summary: "give a container another name",
    description: "It may run. On networks it is known by its new name when it is started the next time.",
    positionals: [{ name: "CONTAINER" }, { name: "NAME" }],
    options: [],
    examples: [["paddock rename web web-old", "the first name is free again"]],
    load: () => import("../verbs/rename.ts"),
  },
  {
    name: "attach",
    summary: "see what a container prints, and type into it",
    description:
      "What it prints from now on is shown. What is typed goes to it where it was run with -i; with -t as well it is " +
      "at a terminal, and Ctrl-P Ctrl-Q leaves it as it is. The exit code is its own, or 0 for one that was left.",
    positionals: [{ name: "CONTAINER" }],
    options: [{ name: "no-stdin", help: "only look" }, ...ATTACH_FLAGS],
    examples: [
      ["paddock attach box", "a shell that was begun by: paddock run -dit --name box alpine sh"],
    ],
    load: () => import("../verbs/attach.ts"),
  },
  {
    name: "stop",
    summary: "ask containers to end, and kill those that do not",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: STOP_FLAGS,
    examples: [["paddock stop -t 2 web", "its stop signal, and KILL after two seconds"]],
    load: () => import("../verbs/stop.ts"),
  },
  {
    name: "export",
    summary: "write a container's files as a tarball",
    positionals: [{ name: "CONTAINER" }],
    options: [{ name: "output", short: "o", value: "FILE", path: true, help: "file to write (standard output)" }],
    examples: [["paddock export web -o web.tar", "keep what a named container has written"]],
    load: () => import("../verbs/export.ts"),
  },
  {
    name: "cp",
    summary: "copy files into a container, or out of it",
    description: "SOURCE and TARGET are CONTAINER:PATH, a path of the host, or - for a tar archive on standard input " +
      "or output; a path of the host with a colon begins with . or /. Into a directory that is there things are " +
      "copied by their own name, DIR/. is all that is in it. What is mounted below a directory is no part of it.\n\n" +
      "A container that does not run is copied from and into as well. Paths of a container are looked up in it by " +
      "the kernel: no link in there leads out.",
    positionals: [{ name: "SOURCE", path: true }, { name: "TARGET", path: true }],
    options: [
      {
        name: "archive",
        short: "a",
        help: "keep owners, set-user-id and all attributes, and devices (everything is root's)",
      },
      { name: "follow-link", short: "L", help: "where SOURCE is a symbolic link, copy what it leads to" },
      { name: "quiet", short: "q", help: "taken for docker's sake: nothing is said" },
    ],
    examples: [
      ["paddock cp ./site web:/srv", "a directory, into one that is there"],
      ["paddock cp web:/var/log/. - | tar -t", "what is in a directory, as an archive"],
    ],
    load: () => import("../verbs/cp.ts"),
  },
  {
    name: "diff",
    summary: "list what a container has changed of its image",
    description: "A line for each path: A for added, C for changed, D for deleted.",
    positionals: [{ name: "CONTAINER" }],
    options: [JSON_FLAG],
    examples: [["paddock diff box", "what commit would make a layer of"]],
    load: () => import("../verbs/diff.ts"),
  },
  {
    name: "commit",
    summary: "make an image of what a container has changed",
    description:
      "The container keeps its changes; they become a layer over its image, and what it was run with (command, " +
      "environment, user) the image's configuration. A container of a directory becomes an image of one layer. Mounts are " +
      "no part of it.",
    positionals: [{ name: "CONTAINER" }, { name: "IMAGE", optional: true }],
    options: [
      {
        name: "change",
        short: "c",
        value: "INSTRUCTION",
        repeat: true,
        help: 'change the configuration as a Dockerfile would: CMD ["sh"], ENV A=1, USER web, …',
      },
      { name: "message", short: "m", value: "TEXT", help: "what history says of it" },
      { name: "author", short: "a", value: "TEXT", help: "who made it" },
      { name: "pause", short: "p", help: "hold a running container still meanwhile (true)" },
    ],
    examples: [["paddock commit -m tuned box web:2", "a container that was set up by hand, as an image"]],
    load: () => import("../verbs/commit.ts"),
  },
  {
    name: "rm",
    summary: "remove containers that have ended",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: [
      { name: "force", short: "f", help: "kill it first where it runs" },
      { name: "volumes", short: "v", help: "and its volumes, which go in any case" },
    ],
    examples: [["paddock rm web", "what it wrote is gone, too"]],
    load: () => import("../verbs/rm.ts"),
  },
];
