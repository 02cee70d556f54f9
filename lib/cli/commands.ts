/**
 * The command table: every verb of paddock, as data.
 *
 * Parsing, help, completion and the manual page read it; nothing of a verb's own code is loaded before it is called.
 *
 * @module
 */
import { CREATE_FLAGS, RUN_OF_BUNDLE_FLAGS } from "./bundle_flags.ts";
import { CHECKPOINT_FLAGS, RESTORE_FLAGS } from "./checkpoint_flags.ts";
import { UPDATE_FLAGS } from "./update_flags.ts";
import { REGISTRY_FLAGS } from "./registry_flags.ts";
import { RUN_FLAGS } from "./run_flags.ts";
import type { Command, Option, Positional } from "./types.ts";

const IMAGE: Positional = { name: "IMAGE", path: true };
const COMMAND: Positional = { name: "COMMAND", optional: true, rest: true };
const JSON_FLAG: Option = { name: "json", help: "as JSON, for programs" };

/** Of `attach` and `start --attach`. */
const ATTACH_FLAGS: readonly Option[] = [
  { name: "detach-keys", value: "KEYS", help: "keys that leave it, in a terminal (ctrl-p,ctrl-q)" },
  { name: "sig-proxy", help: "pass signals on, where it has no terminal (true)" },
];

/** Of `stop` and `restart`. */
const STOP_FLAGS: readonly Option[] = [
  {
    name: "time",
    short: "t",
    value: "SECONDS",
    help: "how long it may take (10, or as it was made with); -1 is for ever",
  },
  { name: "signal", short: "s", value: "SIGNAL", help: "in place of the one that it was made with" },
];

/** The verbs in the order in which help shows them. */
export const COMMANDS: readonly Command[] = [
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
    load: () => import("./verbs/run.ts"),
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
    load: () => import("./verbs/explain.ts"),
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
    load: () => import("./verbs/compile.ts"),
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
    load: () => import("./verbs/inspect_program.ts"),
  },
  {
    name: "import",
    summary: "unpack an image into the store, and print its digest",
    description: "`run` does it by itself on first use; this does it beforehand. - is standard input. The name of an " +
      "image that is no file is pulled from its registry. With NAME, --change or --message a tarball becomes an image " +
      "that is kept, as docker import makes it.",
    positionals: [{ name: "IMAGE", path: true }, { name: "NAME", optional: true }],
    options: [
      {
        name: "change",
        short: "c",
        value: "INSTRUCTION",
        repeat: true,
        help: 'change the configuration as a Dockerfile would: CMD ["sh"], ENV A=1, USER web, …',
      },
      { name: "message", short: "m", value: "TEXT", help: "what history says of it" },
      { name: "platform", value: "OS/ARCH[/VARIANT]", help: "an image for another platform (this machine's)" },
      ...REGISTRY_FLAGS,
    ],
    examples: [
      ["docker export web | sudo paddock import -", "from docker, without a file between"],
      ["paddock import -m first rootfs.tar web:1", "a tarball as an image with a name"],
    ],
    load: () => import("./verbs/import.ts"),
  },
  {
    name: "pull",
    summary: "get an image from a registry",
    description: "NAME is as docker has it: alpine is docker.io/library/alpine:latest; a tag, a digest or both may " +
      "follow. The image is unpacked into the store and kept under its name; layers that are there are not asked for. " +
      "What is read on the way: registries.conf (mirrors, insecure and blocked registries), certs.d, and credentials " +
      "of `paddock login`, docker and podman. A download that was cut off goes on where it ended.",
    positionals: [{ name: "NAME" }],
    options: [
      { name: "quiet", short: "q", help: "nothing but the id" },
      { name: "platform", value: "OS/ARCH[/VARIANT]", help: "an image for another platform (this machine's)" },
      { name: "creds", value: "USER[:PASSWORD]", help: "who asks, this once" },
      ...REGISTRY_FLAGS,
    ],
    examples: [
      ["paddock pull alpine", "from docker.io"],
      ["paddock pull --insecure registry.lan:5000/team/web:1", "from a registry without TLS"],
    ],
    load: () => import("./verbs/pull.ts"),
  },
  {
    name: "push",
    summary: "send an image to a registry",
    description:
      "To the registry that its NAME says, or under the name DEST. What was pulled or loaded is sent as it " +
      "came, byte for byte, and keeps its digest; layers of commit and import are packed. What the registry has is not " +
      "sent, and what another of its repositories has is taken over from there. Printed is the digest.",
    positionals: [{ name: "NAME" }, { name: "DEST", optional: true }],
    options: [
      { name: "quiet", short: "q", help: "nothing but the digest" },
      { name: "all-tags", short: "a", help: "all images of that NAME, which has no tag then" },
      {
        name: "compression",
        value: "HOW",
        choices: ["gzip", "zstd", "none"],
        help: "how layers are packed that did not come packed: gzip, zstd or none (gzip)",
      },
      { name: "compression-format", value: "HOW", aliasOf: "compression", help: "podman's word for --compression" },
      { name: "force-compression", help: "pack all layers anew, those that came packed as well" },
      {
        name: "chunk-size",
        value: "SIZE",
        help: "send layers in pieces (each in one, unless that is too large there)",
      },
      { name: "digestfile", value: "FILE", path: true, help: "write the digest to this file, too" },
      { name: "creds", value: "USER[:PASSWORD]", help: "who asks, this once" },
      ...REGISTRY_FLAGS,
    ],
    examples: [
      ["paddock push registry.example/team/web:1", "an image that has this name"],
      ["paddock push web:1 registry.example/team/web:1", "an image under another name, and the registry's own"],
    ],
    load: () => import("./verbs/push.ts"),
  },
  {
    name: "login",
    summary: "log in to a registry",
    description:
      "The name and the password are shown to the registry and, where it takes them, kept: in the file that " +
      "has the registry already, else in docker's ~/.docker/config.json, or by the helper that is named there. Without " +
      "REGISTRY it is docker.io.",
    positionals: [{ name: "REGISTRY", optional: true }],
    options: [
      { name: "username", short: "u", value: "NAME", help: "who logs in (asked for)" },
      { name: "password", short: "p", value: "PASSWORD", help: "seen by others on this host: better not" },
      { name: "password-stdin", help: "read the password from standard input" },
      { name: "get-login", help: "only say who is logged in" },
      ...REGISTRY_FLAGS,
    ],
    examples: [["paddock login -u me quay.io", "for pull and run, and for podman and docker"]],
    load: () => import("./verbs/login.ts").then(({ login }) => ({ run: login })),
  },
  {
    name: "logout",
    summary: "forget a login",
    positionals: [{ name: "REGISTRY", optional: true }],
    options: [
      { name: "all", short: "a", help: "all of them" },
      ...REGISTRY_FLAGS.filter(({ name }) => name === "authfile"),
    ],
    examples: [["paddock logout quay.io", "its credentials are gone from this host"]],
    load: () => import("./verbs/login.ts").then(({ logout }) => ({ run: logout })),
  },
  {
    name: "load",
    summary: "keep the images of an archive under their names",
    description:
      "Takes what `docker save` or `podman save` writes, and archives and directories of OCI image layouts. " +
      "Then `run` knows the images by name, and the file may go.",
    positionals: [],
    options: [
      { name: "input", short: "i", value: "FILE", path: true, help: "archive or directory to read (standard input)" },
      { name: "quiet", short: "q", help: "print ids only" },
    ],
    examples: [
      ["paddock load -i saved.tar", "all images of an archive"],
      ["docker save alpine:3 | sudo paddock load", "from docker, without a file between"],
    ],
    load: () => import("./verbs/load.ts"),
  },
  {
    name: "save",
    summary: "write images to an archive that others can load",
    description:
      "An OCI archive unless told otherwise, which podman, skopeo and docker read. Layers are written as they " +
      "came, byte for byte, so images keep their ids; the same images make the same archive.",
    positionals: [{ name: "IMAGE", repeat: true }],
    options: [
      { name: "output", short: "o", value: "FILE", path: true, help: "file or directory to write (standard output)" },
      {
        name: "format",
        value: "FORMAT",
        choices: ["oci-archive", "docker-archive", "oci-dir"],
        help: "oci-archive, docker-archive or oci-dir (oci-archive)",
      },
      { name: "compress", value: "HOW", choices: ["none", "gzip", "zstd"], help: "none, gzip or zstd (none)" },
    ],
    examples: [
      ["paddock save -o web.tar web:1 db:2", "two images in one archive"],
      ["paddock save alpine:3 | ssh host paddock load", "to another host, without a file between"],
      ["paddock save --format oci-dir -o ./web web:1", "an image layout, as skopeo's oci:./web:1"],
    ],
    load: () => import("./verbs/save.ts"),
  },
  {
    name: "tag",
    summary: "give an image one more name",
    positionals: [{ name: "IMAGE" }, { name: "NAME" }],
    options: [],
    examples: [["paddock tag web:1 registry.example/team/web:1", "a name to push it by; rmi takes names away"]],
    load: () => import("./verbs/tag.ts"),
  },
  {
    name: "history",
    summary: "show how an image came about, layer by layer",
    positionals: [{ name: "IMAGE" }],
    options: [
      { name: "no-trunc", help: "whole lines and ids" },
      { name: "quiet", short: "q", help: "ids only" },
      { name: "format", value: "TEMPLATE", help: "a Go template for each line, with docker's fields" },
      JSON_FLAG,
    ],
    examples: [["paddock history web:1", "the last step first"]],
    load: () => import("./verbs/history.ts"),
  },
  {
    name: "inspect",
    summary: "print what is known of images and containers",
    positionals: [{ name: "NAME", repeat: true }],
    options: [
      { name: "format", short: "f", value: "TEMPLATE", help: "a Go template, as docker's; json: on one line" },
      { name: "type", value: "TYPE", choices: ["image", "container"], help: "image or container (what is found)" },
    ],
    examples: [
      ["paddock inspect web:1", "everything"],
      ["paddock inspect --format {{.Config.Cmd}} web:1", "what it runs"],
    ],
    load: () => import("./verbs/inspect.ts"),
  },
  {
    name: "verify",
    summary: "compare images with what they were when they came",
    description: "Hashes every document and writes every layer's archive again from its files: each must be what its " +
      "digest says, and its files those of the archive, with their owners, modes and times. Without NAME the whole " +
      "store. The exit code is 1 where something is damaged.",
    positionals: [{ name: "NAME", optional: true, repeat: true }],
    options: [{ name: "quiet", short: "q", help: "only what is damaged" }, JSON_FLAG],
    examples: [["paddock verify", "the whole store"]],
    load: () => import("./verbs/verify.ts"),
  },
  {
    name: "prune",
    summary: "remove images that nobody needs",
    description:
      "Those that have no name, where no container is made of them. Layers go with the last image that has them.",
    positionals: [],
    options: [
      { name: "all", short: "a", help: "those with names as well" },
      { name: "force", short: "f", help: "taken for docker's sake: nothing is asked" },
      JSON_FLAG,
    ],
    examples: [["paddock prune -a", "all but what containers are made of; docker's image prune"]],
    load: () => import("./verbs/prune.ts"),
  },
  {
    name: "images",
    summary: "list images that were loaded",
    positionals: [],
    options: [{ name: "quiet", short: "q", help: "ids only" }, JSON_FLAG],
    examples: [["paddock images", "what run knows by name"]],
    load: () => import("./verbs/images.ts"),
  },
  {
    name: "rmi",
    summary: "remove images that were loaded",
    description:
      "Takes a name from an image, or all of them where its id is given. With its last name its layers go, " +
      "but those that other images or containers need.",
    positionals: [{ name: "NAME", repeat: true }],
    options: [],
    examples: [["paddock rmi alpine:3", "what containers are made of stays"]],
    load: () => import("./verbs/rmi.ts"),
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
    load: () => import("./verbs/ps.ts"),
  },
  {
    name: "top",
    summary: "show the processes of a container",
    description: "By the host's ps, with its options; process ids are the host's.",
    positionals: [{ name: "CONTAINER" }, { name: "PS-OPTION", optional: true, rest: true }],
    options: [],
    examples: [["paddock top web -o pid,rss,args", "what each of them needs"]],
    load: () => import("./verbs/ps_container.ts"),
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
    load: () => import("./verbs/stats.ts"),
  },
  {
    name: "port",
    summary: "list the ports of the host that lead to a container",
    positionals: [{ name: "CONTAINER" }, { name: "PORT", optional: true }],
    options: [JSON_FLAG],
    examples: [["paddock port web 80/tcp", "where that port of the container is reached"]],
    load: () => import("./verbs/port.ts"),
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
    load: () => import("./verbs/logs.ts"),
  },
  {
    name: "wait",
    summary: "wait until containers have ended, and print their exit codes",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: [],
    examples: [["paddock wait web", "one line for each"]],
    load: () => import("./verbs/wait.ts"),
  },
  {
    name: "rename",
    summary: "give a container another name",
    description: "It may run. On networks it is known by its new name when it is started the next time.",
    positionals: [{ name: "CONTAINER" }, { name: "NAME" }],
    options: [],
    examples: [["paddock rename web web-old", "the first name is free again"]],
    load: () => import("./verbs/rename.ts"),
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
    load: () => import("./verbs/attach.ts"),
  },
  {
    name: "stop",
    summary: "ask containers to end, and kill those that do not",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: STOP_FLAGS,
    examples: [["paddock stop -t 2 web", "its stop signal, and KILL after two seconds"]],
    load: () => import("./verbs/stop.ts"),
  },
  {
    name: "export",
    summary: "write a container's files as a tarball",
    positionals: [{ name: "CONTAINER" }],
    options: [{ name: "output", short: "o", value: "FILE", path: true, help: "file to write (standard output)" }],
    examples: [["paddock export web -o web.tar", "keep what a named container has written"]],
    load: () => import("./verbs/export.ts"),
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
    load: () => import("./verbs/cp.ts"),
  },
  {
    name: "diff",
    summary: "list what a container has changed of its image",
    description: "A line for each path: A for added, C for changed, D for deleted.",
    positionals: [{ name: "CONTAINER" }],
    options: [JSON_FLAG],
    examples: [["paddock diff box", "what commit would make a layer of"]],
    load: () => import("./verbs/diff.ts"),
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
    load: () => import("./verbs/commit.ts"),
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
    load: () => import("./verbs/rm.ts"),
  },
  {
    name: "network",
    summary: "make, list and remove networks that containers share",
    description:
      "ACTION is create, ls, inspect, rm or prune. A network is a bridge of the host: its containers reach " +
      "each other, the host, and by its address everything outside; from outside only published ports are reached, and " +
      "from other networks nothing else. `bridge` is there when it is first used.\n\n" +
      "Everything that is translated is in tables of nf_tables that are paddock's own.",
    positionals: [{ name: "ACTION" }, { name: "NAME", optional: true, repeat: true }],
    options: [
      { name: "subnet", value: "SUBNET", repeat: true, help: "create: its addresses, as in 10.20.0.0/24 (a free one)" },
      { name: "gateway", value: "ADDRESS", repeat: true, help: "create: the host's own address (the first)" },
      { name: "ipv6", help: "create: addresses of IPv6 as well" },
      { name: "internal", help: "create: nothing outside is reached" },
      { name: "mtu", value: "BYTES", help: "create: largest packet (that of the host's way out)" },
      { name: "label", value: "KEY=VALUE", repeat: true, help: "create: note about it" },
      { name: "driver", short: "d", value: "DRIVER", choices: ["bridge"], help: "create: bridge" },
      { name: "quiet", short: "q", help: "ls: names only" },
      { name: "force", short: "f", help: "prune: taken for docker's sake; nobody is asked" },
      JSON_FLAG,
    ],
    examples: [
      [
        "paddock network create --ipv6 back",
        "then: paddock run --network back",
      ],
      ["paddock network inspect back", "its addresses, and who has them"],
    ],
    load: () => import("./verbs/network.ts"),
  },
  {
    name: "gc",
    summary: "remove what crashes have left behind",
    positionals: [],
    options: [
      { name: "dry-run", help: "only say what would be removed" },
      { name: "images", help: "unpacked layers as well that no loaded image and no container needs" },
      JSON_FLAG,
    ],
    examples: [
      ["paddock gc", "cgroups, directories and locks of containers that are gone"],
      ["paddock gc --images", "and what tarballs and images were unpacked to: the next run does it again"],
    ],
    load: () => import("./verbs/gc.ts"),
  },
  {
    name: "doctor",
    summary: "tell what this host can do, and what to do where it cannot",
    positionals: [],
    options: [JSON_FLAG],
    examples: [["paddock doctor", "kernel, cgroups, filesystems, one by one"]],
    load: () => import("./verbs/doctor.ts"),
  },
  {
    name: "create",
    summary: "create a container from a bundle, to be started later",
    description: "As an OCI runtime: the bundle is a directory with config.json and the root filesystem that it " +
      "names. Engines call this (podman, containerd, CRI-O); everything is set up, and the first process waits for " +
      "`start`.",
    positionals: [{ name: "ID" }],
    options: CREATE_FLAGS,
    examples: [["paddock create --bundle ./web web && paddock start web", "created, then started"]],
    load: () => import("./verbs/create.ts"),
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
    load: () => import("./verbs/start.ts"),
  },
  {
    name: "restart",
    summary: "stop containers and start them again",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: STOP_FLAGS,
    examples: [["paddock restart -t 2 web", "what it wrote stays"]],
    load: () => import("./verbs/start.ts").then(({ restart }) => ({ run: restart })),
  },
  {
    name: "healthcheck",
    summary: "ask a container whether it is well",
    description:
      "ACTION is run: its check (--health-cmd, or its image's) is run once, and what follows from it is shown by ps, " +
      "inspect and events. Nobody does so by itself: paddock generate systemd --health prints a unit that does. The " +
      "exit code is 0 where the check succeeded, 1 where it failed, 125 where there is none or it does not run.",
    positionals: [{ name: "ACTION" }, { name: "CONTAINER" }],
    options: [JSON_FLAG],
    examples: [["paddock healthcheck run web", "healthy, unhealthy or starting"]],
    load: () => import("./verbs/healthcheck.ts"),
  },
  {
    name: "generate",
    summary: "print a unit for systemd that starts containers",
    description:
      "KIND is systemd. With CONTAINER the unit starts and stops that one; without, it starts at boot whatever " +
      "should run by its restart policy (`run --restart`).",
    positionals: [{ name: "KIND" }, { name: "CONTAINER", optional: true }],
    options: [{ name: "health", help: "a unit that runs the health check of CONTAINER, again and again" }],
    examples: [
      ["paddock generate systemd > /etc/systemd/system/paddock.service", "then: systemctl enable --now paddock"],
      ["paddock generate systemd web > /etc/systemd/system/paddock-web.service", "one container as a service"],
    ],
    load: () => import("./verbs/generate.ts"),
  },
  {
    name: "state",
    summary: "print the state of a created container as JSON",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock state web", "as the OCI runtime specification has it"]],
    load: () => import("./verbs/bundle.ts").then(({ state }) => ({ run: state })),
  },
  {
    name: "kill",
    summary: "send a signal to a container",
    positionals: [{ name: "ID" }, { name: "SIGNAL", optional: true }],
    options: [{ name: "all", short: "a", help: "to all its processes" }],
    examples: [["paddock kill web KILL", "TERM unless given; SIGKILL or 9 will do"]],
    load: () => import("./verbs/bundle.ts").then(({ kill }) => ({ run: kill })),
  },
  {
    name: "delete",
    summary: "remove a created container that has stopped",
    positionals: [{ name: "ID" }],
    options: [{ name: "force", short: "f", help: "kill it first where it lives; one that is not there is fine" }],
    examples: [["paddock delete web", "what create made is gone"]],
    load: () => import("./verbs/bundle.ts").then(({ remove }) => ({ run: remove })),
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
    load: () => import("./verbs/exec.ts"),
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
    load: () => import("./verbs/events.ts"),
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
    load: () => import("./verbs/update.ts"),
  },
  {
    name: "checkpoint",
    summary: "write a running container as files, by criu",
    description: "The container is over then, and restore goes on with it; with --leave-running it goes on here.",
    positionals: [{ name: "ID" }],
    options: CHECKPOINT_FLAGS,
    examples: [["paddock checkpoint --image-path ./saved web", "it ends here, to go on elsewhere"]],
    load: () => import("./verbs/checkpoint.ts").then(({ checkpoint }) => ({ run: checkpoint })),
  },
  {
    name: "restore",
    summary: "go on with a container that was checkpointed",
    description: "Takes the bundle that it was made from, and the files that checkpoint wrote.",
    positionals: [{ name: "ID" }],
    options: RESTORE_FLAGS,
    examples: [["paddock restore -d --image-path ./saved --bundle ./bundle web", "where it left off"]],
    load: () => import("./verbs/checkpoint.ts").then(({ restore }) => ({ run: restore })),
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
    load: () => import("./verbs/bundle.ts").then(({ list }) => ({ run: list })),
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
    load: () => import("./verbs/spec.ts").then(({ spec }) => ({ run: spec })),
  },
  {
    name: "features",
    summary: "print what this build can do as an OCI runtime, as JSON",
    positionals: [],
    options: [],
    examples: [["paddock features", "as the runtime specification has it"]],
    load: () => import("./verbs/spec.ts").then(({ features }) => ({ run: features })),
  },
  {
    name: "pause",
    summary: "stop all processes of a container",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock pause web", "they go on with resume"]],
    load: () => import("./verbs/bundle.ts").then(({ pause }) => ({ run: pause })),
  },
  {
    name: "unpause",
    summary: "let a paused container go on, by docker's word",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock unpause web", "after pause"]],
    load: () => import("./verbs/bundle.ts").then(({ resume }) => ({ run: resume })),
  },
  {
    name: "resume",
    summary: "let a paused container go on",
    positionals: [{ name: "ID" }],
    options: [],
    examples: [["paddock resume web", "after pause"]],
    load: () => import("./verbs/bundle.ts").then(({ resume }) => ({ run: resume })),
  },
  {
    name: "completion",
    summary: "print a completion script for a shell",
    positionals: [{ name: "SHELL" }],
    options: [],
    examples: [
      ["paddock completion bash > /etc/bash_completion.d/paddock", "bash"],
      ["paddock completion zsh > /usr/local/share/zsh/site-functions/_paddock", "zsh"],
      ["paddock completion fish > ~/.config/fish/completions/paddock.fish", "fish"],
    ],
    load: () => import("./verbs/completion.ts"),
  },
  {
    name: "version",
    summary: "print the version, and how this file was built",
    positionals: [],
    options: [JSON_FLAG],
    examples: [["paddock version --json", "for programs"]],
    load: () => import("./verbs/version.ts"),
  },
  {
    name: "help",
    summary: "show help on a verb",
    positionals: [{ name: "VERB", optional: true }],
    options: [{ name: "man", help: "everything, as a manual page" }],
    examples: [
      ["paddock help run", "all flags of run"],
      ["paddock help --man | man -l -", "the manual page"],
    ],
    load: () => import("./verbs/help.ts"),
  },
  {
    name: "finish",
    summary: "explain and clean up the end of a container",
    positionals: [{ name: "ID" }],
    options: [
      { name: "trace", help: "print each step with its result" },
      { name: "created", help: "it was to be created, not to be run" },
      { name: "delete", help: "it was run from a bundle, and is removed" },
      { name: "session", value: "DIR", path: true, help: "it was a further process: its directory" },
    ],
    examples: [],
    hidden: true,
    load: () => import("./verbs/finish.ts"),
  },
];

/** The command of that name; undefined where there is none. */
export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}

/** The verbs that are shown. */
export function listShown(): readonly Command[] {
  return COMMANDS.filter((command) => !command.hidden);
}
