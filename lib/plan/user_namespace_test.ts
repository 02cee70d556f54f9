import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import { decodeProgram } from "../program/decode.ts";
import { DEFAULT_NAMESPACES } from "../spec/defaults.ts";
import { planContainer } from "./build.ts";
import { actsOf, exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { checkUserNamespace } from "./user_namespace.ts";

const CONFIG = exampleConfig({
  linux: {
    namespaces: [...DEFAULT_NAMESPACES, "user" as const].map((type) => ({ type })),
    uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    gidMappings: [{ containerID: 0, hostID: 200000, size: 65536 }],
  },
});

Deno.test("a container in a user namespace assembles for both architectures, on an overlay and on a directory", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    for (const rootfs of [exampleSetting().rootfs, { kind: "directory", path: "/srv/rootfs" } as const]) {
      const plan = planContainer(CONFIG, exampleFacts({ arch }), exampleSetting({ rootfs }));
      assert(decodeProgram(assemble(plan)).steps.length > 100);
    }
  }
});

Deno.test("the launcher writes the maps while the child waits, and the child makes no mount before", () => {
  const plan = planContainer(CONFIG, exampleFacts(), exampleSetting());
  const launcher = writeSteps(actsOf(plan, "launcher"));
  assert(launcher.includes('write(<1 back>, "0 100000 65536\\n", 15)'));
  assert(launcher.includes('write(<1 back>, "0 200000 65536\\n", 15)'));
  const child = actsOf(plan, "container").map(({ what }) => what);
  const wait = child.indexOf("wait for the id maps");
  assert(wait >= 0 && wait < child.findIndex((what) => what.startsWith("make the mount namespace")));
  assert(wait < child.indexOf("become root of the user namespace"));
});

Deno.test("the container's root owns what it writes: the upper directory belongs to who it is on the host", () => {
  const plan = planContainer(CONFIG, exampleFacts(), exampleSetting());
  const lines = writeSteps(actsOf(plan, "launcher"));
  const directory = "/var/lib/paddock/containers/web/upper";
  assert(lines.some((line) => line.startsWith(`fchownat(-100, "${directory}", 0x186a0, 0x30d40`)), lines.join("\n"));
});

Deno.test("the child takes its mount namespace after the clone, so that its user namespace owns it", () => {
  const plan = planContainer(CONFIG, exampleFacts(), exampleSetting());
  const clone = writeSteps(actsOf(plan, "launcher")).find((line) => line.startsWith("clone("));
  assert(clone?.includes("CLONE_NEWUSER") && !clone.includes("CLONE_NEWNS"), clone);
  assert(writeSteps(actsOf(plan, "container")).includes("unshare(CLONE_NEWNS)"));
});

Deno.test("a step that fails while the child waits ends the child", () => {
  const plan = planContainer(CONFIG, exampleFacts(), exampleSetting());
  const section = plan.sections.find(({ fault }) => fault === "mapping.fault");
  assert(section !== undefined);
  const lines = writeSteps(section.acts);
  assert(lines.includes("kill(child, 9)"), lines.join("\n"));
});

Deno.test("checkUserNamespace says what this kernel lacks", () => {
  const refuse = (has: Parameters<typeof exampleFacts>[0], words: string) =>
    assertThrows(() => checkUserNamespace(exampleFacts(has)), PaddockError, words);
  refuse({ has: { user_namespace: false } }, "no user namespaces");
  refuse({ has: { mount_setattr: false } }, "shifted owners");
  assertEquals(checkUserNamespace(exampleFacts()), undefined);
});
