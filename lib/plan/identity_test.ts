import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import type { Act } from "../program/step.ts";
import type { Process } from "../spec/config.ts";
import { exampleConfig, findSteps, writeSteps } from "./config_example.ts";
import { capabilityMask, planIdentity, planLimits } from "./identity.ts";

const facts = exampleFacts();

function identity(process: Partial<Process>): Act[] {
  return planIdentity(exampleConfig({ process }), facts);
}

/** The fields of the struct that an argument points at, by their offsets. */
function fieldsOf(act: Act, call: string, place: number): Record<number, unknown> {
  const arg = findSteps([act], call)[0]?.args[place];
  assert(typeof arg === "object" && "block" in arg, call);
  return Object.fromEntries(arg.block.fields.map((field) => [field.at, "value" in field ? field.value : field.bytes]));
}

Deno.test("capabilityMask sets the bit of each capability, and leaves out what it does not know", () => {
  assertEquals(capabilityMask(["CAP_CHOWN"]), 1n);
  assertEquals(capabilityMask(["CAP_SYS_ADMIN", "CAP_KILL"]), (1n << 21n) | (1n << 5n));
  assertEquals(capabilityMask(["CAP_CHECKPOINT_RESTORE"]), 1n << 40n);
  assertEquals(capabilityMask(["CAP_NO_SUCH"]), 0n);
  assertEquals(capabilityMask(), 0n);
});

Deno.test("planIdentity drops from the bounding set, then becomes the user, then sets capabilities and no_new_privs", () => {
  const acts = identity({ user: { uid: 1000, gid: 1000, umask: 0o027 }, noNewPrivileges: true });
  assertEquals(acts.map(({ what }) => what), [
    "drop capabilities from the bounding set",
    "become user 1000, group 1000",
    "set the capabilities",
    "set no_new_privs",
    "set the umask to 0027",
  ]);
});

Deno.test("planIdentity drops every capability of this kernel that is not kept, known by name or not", () => {
  const [act] = planIdentity(
    exampleConfig({ process: { capabilities: { bounding: ["CAP_CHOWN", "CAP_KILL"] } } }),
    exampleFacts({ lastCapability: 63 }),
  );
  assertEquals(writeSteps([act!]), [
    "@store(&counter, 0)",
    "@shr(33, counter)",
    "@and(<1 back>, 1)",
    "prctl(PR_CAPBSET_DROP, counter, 0, 0, 0)",
    "@add(counter, 1)",
    "@store(&counter, <1 back>)",
    "@sub(counter, 64)",
  ]);
  assertEquals(act!.steps[2]?.onPositive, act!.steps[4]?.label);
  assertEquals(act!.steps[6]?.onNegative, act!.steps[1]?.label);
});

Deno.test("planIdentity drops nothing where the Config says nothing of capabilities", () => {
  const config = exampleConfig();
  const { capabilities: _, ...process } = config.process;
  const acts = planIdentity({ ...config, process }, facts);
  assertEquals(acts.map(({ what }) => what), ["become user 0, group 0", "set the umask to 0022"]);
});

Deno.test("planIdentity sets groups, then the group, then the user: each needs what the next takes away", () => {
  const [, ids] = identity({ user: { uid: 7, gid: 8, additionalGids: [20, 4294967294] } });
  const calls = ids!.steps.map(({ call }) => call).filter((call) => call.startsWith("set"));
  assertEquals(calls, ["setgroups", "setresgid", "setresuid"]);
  assertEquals(findSteps([ids!], "setresuid")[0]?.args, [7, 7, 7]);
  assertEquals(findSteps([ids!], "setresgid")[0]?.args, [8, 8, 8]);
  assertEquals(findSteps([ids!], "setgroups")[0]?.args[0], 2);
  assertEquals(fieldsOf(ids!, "setgroups", 1), { 0: 20, 4: 4294967294 });
  assertEquals(ids!.shell, ["setpriv --reuid=7 --regid=8 --groups=20,4294967294"]);
});

Deno.test("planIdentity takes all groups away where none are asked for: the caller's are not the container's", () => {
  const [, ids] = identity({});
  assertEquals(findSteps([ids!], "setgroups")[0]?.args[0], 0);
});

Deno.test("planIdentity keeps capabilities over the change of user only where the user is to have some", () => {
  const keeps = (process: Partial<Process>) =>
    writeSteps(identity(process)).includes("prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)");
  const some = { permitted: ["CAP_CHOWN"], effective: ["CAP_CHOWN"] };
  assertEquals(keeps({ user: { uid: 1, gid: 1 }, capabilities: some }), true);
  assertEquals(keeps({ user: { uid: 1, gid: 1 }, capabilities: { bounding: ["CAP_CHOWN"] } }), false);
  assertEquals(keeps({ user: { uid: 0, gid: 0 }, capabilities: some }), false);
});

Deno.test("planIdentity writes the three sets in two halves of 32 bits, as version 3 of capset wants", () => {
  const acts = identity({
    capabilities: {
      effective: ["CAP_CHOWN", "CAP_BPF"],
      permitted: ["CAP_CHOWN", "CAP_BPF", "CAP_KILL"],
      inheritable: ["CAP_AUDIT_READ"],
    },
  });
  const set = acts.find(({ what }) => what === "set the capabilities")!;
  assertEquals(fieldsOf(set, "capset", 0), { 0: 0x20080522 });
  assertEquals(fieldsOf(set, "capset", 1), { 0: 1n, 4: 33n, 8: 0n, 12: 128n, 16: 160n - 32n, 20: 32n });
});

Deno.test("planIdentity raises ambient capabilities one by one, after the others", () => {
  const names = ["CAP_NET_BIND_SERVICE", "CAP_CHOWN"];
  const acts = identity({
    user: { uid: 5, gid: 5 },
    capabilities: { permitted: names, inheritable: names, effective: names, ambient: names },
  });
  const set = acts.find(({ what }) => what === "set the capabilities")!;
  assertEquals(writeSteps([set]).slice(1), [
    "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)",
    "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 10, 0, 0)",
    "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0)",
  ]);
});

Deno.test("planLimits gives RLIMIT_NOFILE as paddock was started with, unless another is asked for", () => {
  const limits = (process: Partial<Process>) =>
    planLimits(exampleConfig({ process }), exampleFacts({ nofile: { soft: 1024, hard: -1 } }));
  const [own] = limits({});
  assertEquals(own?.what, "set RLIMIT_NOFILE to 1024:unlimited");
  assertEquals(findSteps([own!], "prlimit64")[0]?.args.slice(0, 2), [0, 7]);
  assertEquals(fieldsOf(own!, "prlimit64", 2), { 0: 1024n, 8: -1n });
  const asked = limits({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 10, hard: 20 }] });
  assertEquals(asked.map(({ what }) => what), ["set RLIMIT_NOFILE to 10:20"]);
  const others = limits({ rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: -1 }] });
  assertEquals(others.map(({ what }) => what), [
    "set RLIMIT_NOFILE to 1024:unlimited",
    "set RLIMIT_CORE to 0:unlimited",
  ]);
  assertEquals(findSteps([others[1]!], "prlimit64")[0]?.args[1], 4);
});
