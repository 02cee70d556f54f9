/**
 * Verbs about images and registries.
 *
 * @module
 */
import { REGISTRY_FLAGS } from "../registry_flags.ts";
import type { Command } from "../types.ts";
import { JSON_FLAG } from "./shared.ts";

/** In the order in which the manual page has them. */
export const IMAGE_COMMANDS: readonly Command[] = [
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
    load: () => import("../verbs/import.ts"),
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
    load: () => import("../verbs/pull.ts"),
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
    load: () => import("../verbs/push.ts"),
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
    load: () => import("../verbs/login.ts").then(({ login }) => ({ run: login })),
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
    load: () => import("../verbs/login.ts").then(({ logout }) => ({ run: logout })),
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
    load: () => import("../verbs/load.ts"),
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
    load: () => import("../verbs/save.ts"),
  },
  {
    name: "tag",
    summary: "give an image one more name",
    positionals: [{ name: "IMAGE" }, { name: "NAME" }],
    options: [],
    examples: [["paddock tag web:1 registry.example/team/web:1", "a name to push it by; rmi takes names away"]],
    load: () => import("../verbs/tag.ts"),
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
    load: () => import("../verbs/history.ts"),
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
    load: () => import("../verbs/inspect.ts"),
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
    load: () => import("../verbs/verify.ts"),
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
    load: () => import("../verbs/prune.ts"),
  },
  {
    name: "images",
    summary: "list images that were loaded",
    positionals: [],
    options: [{ name: "quiet", short: "q", help: "ids only" }, JSON_FLAG],
    examples: [["paddock images", "what run knows by name"]],
    load: () => import("../verbs/images.ts"),
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
    load: () => import("../verbs/rmi.ts"),
  },
];
