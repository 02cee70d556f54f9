/**
 * The command table: every verb of paddock, as data.
 *
 * Parsing, help, completion and the manual page read it; nothing of a verb's own code is loaded before it is called.
 *
 * @module
 */
import { RUN_FLAGS } from "./run_flags.ts";
import type { Command, Option, Positional } from "./types.ts";

const IMAGE: Positional = { name: "IMAGE", path: true };
const COMMAND: Positional = { name: "COMMAND", optional: true, rest: true };
const JSON_FLAG: Option = { name: "json", help: "as JSON, for programs" };

/** The verbs in the order in which help shows them. */
export const COMMANDS: readonly Command[] = [
  {
    name: "run",
    summary: "run a command in a new container",
    description: "IMAGE is an archive as `docker save` or `docker export` writes it, or one of an OCI image layout " +
      "(told by its content; - is standard input), a directory with a root filesystem or an image layout, the name of " +
      "an image that was loaded, or `host`: a throw-away copy of this host's own root. Where a file holds several " +
      "images, docker-archive:FILE:NAME, oci-archive:FILE:TAG or oci:DIRECTORY:TAG says which. An archive is unpacked " +
      "once into the store and stays as it is; a directory of files is used as it is. Without COMMAND the image's own " +
      "runs, or sh.\n\n" +
      "The exit code is the command's; 125 where paddock failed, 126 where the command cannot be executed, 127 where " +
      "it is not there, 128 + N where signal N ended it. Flags after IMAGE belong to the command.",
    positionals: [IMAGE, COMMAND],
    options: RUN_FLAGS,
    examples: [
      ["paddock run rootfs.tar.gz", "what the image would run, or sh"],
      ["paddock run -it host bash", "a shell in a throw-away copy of this host"],
      [
        "paddock run --memory 100m --swap 0 -v ./data:/data:ro web.tar ls /data",
        "limits, and a read-only mount",
      ],
      ["paddock run --name web --network host ./rootfs httpd -f", "a named container, on the host's network"],
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
    description: "`run` does it by itself on first use; this does it beforehand. - is standard input.",
    positionals: [{ name: "IMAGE", path: true }],
    options: [],
    examples: [["docker export web | sudo paddock import -", "from docker, without a file between"]],
    load: () => import("./verbs/import.ts"),
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
    summary: "list containers",
    positionals: [],
    options: [
      { name: "all", short: "a", help: "those that have ended, too" },
      { name: "quiet", short: "q", help: "names only" },
      JSON_FLAG,
    ],
    examples: [["paddock ps -a", "everything that is kept"]],
    load: () => import("./verbs/ps.ts"),
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
    name: "rm",
    summary: "remove containers that have ended",
    positionals: [{ name: "CONTAINER", repeat: true }],
    options: [{ name: "force", short: "f", help: "kill it first where it runs" }],
    examples: [["paddock rm web", "what it wrote is gone, too"]],
    load: () => import("./verbs/rm.ts"),
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
    options: [{ name: "trace", help: "print each step with its result" }],
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
