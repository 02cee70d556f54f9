import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleFacts } from "../host/facts_example.ts";
import type { Config, Namespace } from "../spec/config.ts";
import { type ConfigOverrides, exampleConfig, writeSteps } from "./config_example.ts";
import {
  cloneFlags,
  isNew,
  planBeforeClone,
  planNames,
  planNamespaces,
  planSysctls,
  unshareOptions,
} from "./namespaces.ts";

const facts = exampleFacts();

function config(namespaces: readonly Namespace[], linux: ConfigOverrides["linux"] = {}): Config {
  return exampleConfig({ linux: { namespaces, ...linux } });
}

Deno.test("cloneFlags asks for what is new; cgroup and time are made otherwise, and what has a path is joined", () => {
  const types = ["mount", "pid", "uts", "ipc", "network", "user", "cgroup", "time"] as const;
  const all = config(types.map((type) => ({ type })));
  assertEquals(cloneFlags(all), [
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUTS",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWUSER",
  ]);
  assertEquals(unshareOptions(all), "--mount --pid --fork --uts --ipc --net --user --cgroup --time");
  const joined = config([{ type: "network", path: "/run/netns/a" }, { type: "mount" }]);
  assertEquals(cloneFlags(joined), ["CLONE_NEWNS"]);
  assertEquals(isNew(joined, "network"), false);
  assertEquals(isNew(joined, "mount"), true);
});

Deno.test("planNamespaces joins the mount namespace last, and leaves the user namespace to who starts the child", () => {
  const acts = planNamespaces(config([
    { type: "mount", path: "/m" },
    { type: "network", path: "/n" },
    { type: "user", path: "/u" },
    { type: "pid", path: "/p" },
  ]));
  assertEquals(acts.map(({ what }) => what), [
    "join the network namespace /n (linux.namespaces[1].path)",
    "join the mount namespace /m (linux.namespaces[0].path)",
  ]);
  assertEquals(writeSteps([acts[0]!]), [
    'openat(-100, "/n", O_RDONLY|O_CLOEXEC)',
    "setns(<1 back>, CLONE_NEWNET)",
    "close(<2 back>)",
  ]);
});

Deno.test("planBeforeClone joins pid and time namespaces, which only children enter", () => {
  const acts = planBeforeClone(config([{ type: "pid", path: "/p" }, { type: "time", path: "/t" }]), facts);
  assertEquals(acts.map(({ what }) => what), [
    "remember the launcher's own pid namespace",
    "join the pid namespace /p (linux.namespaces[0].path)",
    "join the time namespace /t (linux.namespaces[1].path)",
  ]);
  assert(writeSteps(acts).includes("setns(<1 back>, CLONE_NEWPID)"));
  assert(writeSteps(acts).includes("setns(<1 back>, 128)"));
});

Deno.test("planBeforeClone makes a time namespace and writes its offsets, where the kernel can", () => {
  const timed = config([{ type: "time" }], { timeOffsets: { monotonic: { secs: 100 }, boottime: { nanosecs: 5 } } });
  const lines = writeSteps(planBeforeClone(timed, facts));
  assertEquals(lines[0], "unshare(128)");
  assert(lines.includes('write(<1 back>, "monotonic 100 0\\n", 16)'), lines.join("\n"));
  assert(lines.includes('write(<1 back>, "boottime 0 5\\n", 13)'));
  for (const has of [{ time_namespace: false }, { time_namespace_on_exec: false }]) {
    assertThrows(() => planBeforeClone(timed, exampleFacts({ has })), PaddockError, "needs a kernel from 6.1");
  }
});

Deno.test("planNamespaces brings up the loopback device of a new network namespace, and of no other", () => {
  const acts = planNamespaces(config([{ type: "network" }]));
  assertEquals(writeSteps(acts), [
    "socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, 0)",
    "ioctl(<1 back>, 35092, {40 bytes})",
    "close(<2 back>)",
  ]);
  assertEquals(planNamespaces(config([{ type: "mount" }])), []);
});

Deno.test("planNames sets names by their length in bytes", () => {
  const acts = planNames(exampleConfig({ hostname: "böx", domainname: "example" }));
  assertEquals(writeSteps(acts), ['sethostname("böx", 4)', 'setdomainname("example", 7)']);
  const { hostname: _, ...without } = exampleConfig();
  assertEquals(planNames(without), []);
});

Deno.test("planSysctls writes through the container's own /proc, without any symbolic link on the way", () => {
  const [act] = planSysctls(exampleConfig({ linux: { sysctl: { "net.core.somaxconn": "17" } } }), facts);
  const lines = writeSteps([act!]);
  assertEquals(lines[0], 'openat2(<root>, "proc/sys/net/core/somaxconn", {24 bytes}, 24)');
  assert(JSON.stringify(act!.steps[0]?.args).includes("RESOLVE_NO_SYMLINKS"));
  assertEquals(lines.slice(-3), [
    'openat(-100, "/proc/self/fd/100", O_WRONLY|O_CLOEXEC)',
    'write(<1 back>, "17", 2)',
    "close(<2 back>)",
  ]);
});
