import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { Plan } from "../program/step.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planCreated, planWaitForStart } from "./created.ts";
import { planExecInto } from "./exec.ts";

const CREATION = { fifo: "/run/paddock/web/exec.fifo", pidFiles: ["/tmp/pid"] };

function planCreation(): Plan {
  return planContainer(exampleConfig(), exampleFacts(), { ...exampleSetting(), keep: true, creation: CREATION });
}

function callsOf(plan: Plan, side: "launcher" | "container"): string[] {
  return plan.sections.filter((section) => section.side === side)
    .flatMap(({ acts }) => acts.flatMap(({ steps }) => steps.map(({ call }) => call)));
}

Deno.test("a container that is created does not die with its launcher, and waits before its exec", () => {
  const plan = planCreation();
  const container = callsOf(plan, "container");
  const steps = plan.sections.flatMap(({ acts }) => writeSteps(acts));
  assertEquals(steps.filter((line) => line.includes("PR_SET_PDEATHSIG")), []);
  assert(container.lastIndexOf("read") < container.indexOf("execve"), "it reads the fifo first");
  assert(container.lastIndexOf("capset") < container.lastIndexOf("read"), "everything else is done by then");
  assert(assemble(plan).length > 10_000);
});

Deno.test("the launcher of a container that is created ends when the child is ready", () => {
  const launcher = planCreation().sections.filter(({ side }) => side === "launcher");
  const whats = launcher.flatMap(({ acts }) => acts.map(({ what }) => what));
  assert(whats.includes("wait until the container is set up"));
  assert(!whats.includes("wait for signals"));
});

Deno.test("a command that is not there, or is a directory, is said before the wait", () => {
  const config = exampleConfig();
  const [look, , wait] = planWaitForStart({ ...config, process: { ...config.process, args: ["/bin/x"] } });
  assertEquals(writeSteps([look!]).slice(0, 2), ['faccessat(-100, "/bin/x", 1)', 'faccessat(-100, "/bin/x/.", 0)']);
  assertEquals(look!.steps.at(-1)?.onNegative, "container.fault");
  assertEquals(wait!.steps[0]?.onNegative, "start", "an interrupted read is made again");
});

Deno.test("the process id is written without leading zeros, beside and renamed", () => {
  const lines = writeSteps(planCreated(exampleSetting(), CREATION));
  assert(lines.includes('openat(-100, "/tmp/pid.new", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644)'), lines.join("\n"));
  assert(lines.some((line) => line.startsWith('write(<1 back>, "000#pid", 3)')));
});

Deno.test("a further process enters the cgroups, then the namespaces, and executes last; its policies and labels are set", () => {
  const config = exampleConfig();
  const namespaces = (["pid", "mount"] as const).map((type) => ({ type, path: `/proc/7/ns/${type}` }));
  const process = { ...config.process, execCPUAffinity: { initial: "0", final: "0" }, apparmorProfile: "web" };
  const joined = { ...config, process, linux: { ...config.linux, namespaces } };
  const setting = {
    ...exampleSetting(),
    prepared: false,
    joins: ["/sys/fs/cgroup/pids/paddock/web"],
    detached: false,
    pidFiles: [],
  };
  const plan = planExecInto(joined, exampleFacts(), setting);
  const whats = plan.sections.find(({ side }) => side === "container")!.acts.map(({ what }) => what);
  // On processors of its own before the cgroup, and after it, which may have others.
  assertEquals(whats[1], "enter the cgroup /sys/fs/cgroup/pids/paddock/web");
  assertEquals(whats.filter((what) => what.includes("execCPUAffinity")).length, 2, whats.join("\n"));
  assert(whats.some((what) => what.includes("process.apparmorProfile")), "what --process asks for is not passed over");
  const mount = whats.findIndex((what) => what.startsWith("join the mount namespace"));
  const execute = whats.findIndex((what) => what.startsWith("execute "));
  assert(mount > 0 && mount < execute, whats.join("\n"));
  assert(assemble(plan).length > 5_000);
});
