import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import { planContainer } from "./build.ts";
import { actsOf, exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { joinedUser } from "./joined_user.ts";

const CONFIG = exampleConfig({
  linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "uts" }, { type: "user", path: "/u" }] },
});

Deno.test("joinedUser is the path of the user namespace that is joined, if one is", () => {
  assertEquals(joinedUser(CONFIG), "/u");
  assertEquals(joinedUser(exampleConfig()), undefined);
});

Deno.test("a container in a joined user namespace is made by a process that has joined it, as the launcher's child", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const rootfs = { kind: "directory", path: "/srv/rootfs", owned: true } as const;
    const plan = planContainer(CONFIG, exampleFacts({ arch }), exampleSetting({ rootfs }));
    assert(assemble(plan).length > 0);
    const launcher = writeSteps(actsOf(plan, "launcher")).filter((line) => line.startsWith("clone("));
    assertEquals(launcher, ["clone(CLONE_VM|CLONE_VFORK|SIGCHLD, 0, 0, 0, 0)"]);
    const child = writeSteps(actsOf(plan, "container"));
    const clone = child.findIndex((line) => line.startsWith("clone("));
    assertEquals(child.slice(clone - 3, clone + 2), [
      'openat(-100, "/u", O_RDONLY|O_CLOEXEC)',
      "setns(<join>, CLONE_NEWUSER)",
      "close(<join>)",
      "clone(CLONE_VM|CLONE_PARENT|CLONE_PARENT_SETTID|CLONE_VFORK|CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWUTS|SIGCHLD, " +
      "0, &child, 0, 0)",
      "exit_group(0)",
    ]);
    const whats = actsOf(plan, "container").map(({ what }) => what);
    assert(whats.includes("become root of the user namespace"));
  }
});

Deno.test("what is created there is made at once, and the joiner's own failure is seen", () => {
  const setting = exampleSetting({ keep: true, creation: { fifo: "/fifo", pidFiles: [] } });
  const plan = planContainer(CONFIG, exampleFacts(), setting);
  const lines = writeSteps(actsOf(plan));
  assert(lines.some((line) => line.startsWith("clone(") && line.includes("CLONE_CHILD_CLEARTID|CLONE_NEWNS")));
  const wait = actsOf(plan, "launcher").find(({ what }) => what === "start a process that joins the user namespace");
  assertEquals([wait?.steps.at(-1)?.onZero, wait?.steps.at(-1)?.onPositive], ["created", "unready"]);
});

Deno.test("the joiner joins all others with the host's root, before the user namespace", () => {
  const namespaces = [...CONFIG.linux.namespaces, { type: "network", path: "/n" } as const];
  const config = { ...CONFIG, linux: { ...CONFIG.linux, namespaces } };
  const lines = writeSteps(actsOf(planContainer(config, exampleFacts(), exampleSetting())));
  assertEquals(lines.filter((line) => line.startsWith("setns(")).map((line) => line.split(", ")[1]), [
    "CLONE_NEWNET)",
    "CLONE_NEWUSER)",
  ]);
});
