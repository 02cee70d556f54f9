/**
 * Verbs about this host and this program.
 *
 * @module
 */
import type { Command } from "../types.ts";
import { JSON_FLAG } from "./shared.ts";

/** In the order in which the manual page has them. */
export const HOST_COMMANDS: readonly Command[] = [
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
    load: () => import("../verbs/network.ts"),
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
    load: () => import("../verbs/gc.ts"),
  },
  {
    name: "doctor",
    summary: "tell what this host can do, and what to do where it cannot",
    positionals: [],
    options: [JSON_FLAG],
    examples: [["paddock doctor", "kernel, cgroups, filesystems, one by one"]],
    load: () => import("../verbs/doctor.ts"),
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
    load: () => import("../verbs/healthcheck.ts"),
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
    load: () => import("../verbs/generate.ts"),
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
    load: () => import("../verbs/completion.ts"),
  },
  {
    name: "version",
    summary: "print the version, and how this file was built",
    positionals: [],
    options: [JSON_FLAG],
    examples: [["paddock version --json", "for programs"]],
    load: () => import("../verbs/version.ts"),
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
    load: () => import("../verbs/help.ts"),
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
    load: () => import("../verbs/finish.ts"),
  },
];
