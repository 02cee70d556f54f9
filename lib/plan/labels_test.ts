import { assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { planContainer } from "./build.ts";
import { actsOf, exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planLabels } from "./labels.ts";

Deno.test("planLabels writes an AppArmor profile to the module's own file, or to the one of older kernels", () => {
  const [act] = planLabels(exampleConfig({ process: { apparmorProfile: "acme" } }));
  assertEquals(writeSteps([act!]), [
    'openat(-100, "/proc/thread-self/attr/apparmor/exec", O_WRONLY|O_CLOEXEC)',
    "dup3(<1 back>, 100, O_CLOEXEC)",
    "close(<2 back>)",
    'openat(-100, "/proc/thread-self/attr/exec", O_WRONLY|O_CLOEXEC)',
    "dup3(<1 back>, 100, O_CLOEXEC)",
    "close(<2 back>)",
    'write(100, "exec acme", 9)',
    "close(100)",
  ]);
  assertEquals(act!.steps[0]?.onNegative, act!.steps[3]?.label);
  assertEquals(act!.steps[2]?.onZero, act!.steps[6]?.label);
});

Deno.test("planLabels writes a SELinux label as it is, and nothing where none is asked for", () => {
  const [act] = planLabels(exampleConfig({ process: { selinuxLabel: "u:r:t:s0" } }));
  assertEquals(writeSteps([act!]).slice(-2), ['write(100, "u:r:t:s0", 8)', "close(100)"]);
  assertEquals(planLabels(exampleConfig({ process: { apparmorProfile: "", selinuxLabel: "" } })), []);
});

Deno.test("labels are told before the pivot and before ids change", () => {
  const config = exampleConfig({ process: { apparmorProfile: "acme" } });
  const acts = actsOf(planContainer(config, exampleFacts(), exampleSetting()), "container").map(({ what }) => what);
  const label = acts.findIndex((what) => what.includes("process.apparmorProfile"));
  assertEquals(label > 0 && label < acts.indexOf("pivot into the rootfs"), true);
  assertEquals(label < acts.findIndex((what) => what.startsWith("become user")), true);
});
