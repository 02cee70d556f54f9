/**
 * Every verb and flag of runc and crun is one of paddock's, under their names; and what `spec`, `exec` and `create` do
 * with the rarer ones.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ENGINE_COMMANDS } from "../lib/cli/engine_commands.ts";
import { ENGINE_OPTIONS, GLOBAL_OPTIONS } from "../lib/cli/words.ts";
import { Box } from "./support/box.ts";
import { callAs, makeBundle, ok, quietly, runDetached } from "./support/bundles.ts";
import { call } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

/** Other tests may run at the same time, and cgroups are the host's. */
const ID = `flags-${Deno.pid}`;

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Names after two dashes, and letters after one, at the beginning of lines of a help. */
function listFlags(help: string): string[] {
  return help.split("\n").flatMap((line) => {
    const [, flags = ""] = /^\s+((?:-{1,2}[\w?-]+(?:[= ][\w[\]=]+)?,?\s*)+)/.exec(line) ?? [];
    return [...flags.matchAll(/--([\w-]+)|(?<=^|\s)-(\w)(?=[ ,=]|$)/g)].map(([, name, letter]) => name ?? letter!);
  });
}

/** What paddock lacks: crun takes a pattern in place of an id, which no engine gives; `--usage` is a shorter help. */
const WITHOUT = new Set(["regex", "r", "usage", "help", "h", "version", "v", "V"]);

function lacking(verb: string, flags: readonly string[]): string[] {
  const command = ENGINE_COMMANDS.find(({ name }) => name === verb);
  assert(command !== undefined, `no verb ${verb}`);
  const known = new Set(
    [...command.options, ...GLOBAL_OPTIONS, ...ENGINE_OPTIONS].flatMap(({ name, short }) => [name, short]),
  );
  return flags.filter((flag) => !known.has(flag) && !WITHOUT.has(flag)).map((flag) => `${verb}: ${flag}`);
}

for (const peer of ["runc", "crun"] as const) {
  Deno.test({
    name: `every verb and flag of ${peer} is one here`,
    ...requires(`peer:${peer}`),
    fn: async () => {
      const { stdout } = await call([peer, "--help"]);
      const part = stdout.slice(stdout.indexOf("COMMANDS:"));
      const verbs = [...part.matchAll(/^\s+([a-z]+)\s+(?:- )?\w/gm)].map(([, name]) => name!)
        .filter((name) => name !== "help");
      assert(verbs.length >= 13, verbs.join());
      const lacks: string[] = [];
      for (const verb of verbs) {
        const help = await call([peer, verb, "--help"]);
        lacks.push(...lacking(verb, listFlags(help.stdout)));
      }
      assertEquals(lacks, []);
    },
  });
}

test("spec --rootless writes what runc's does, but for names", async (box) => {
  const plain = (text: string) => {
    const config = JSON.parse(text) as { linux: Record<string, unknown>; mounts: unknown[] };
    const { namespaces, uidMappings, gidMappings, resources } = config.linux;
    const sorted = (values: unknown) => (values as unknown[]).map((value) => JSON.stringify(value)).sort();
    // runc leaves the cgroup namespace out where v1 serves the controllers.
    const types = (namespaces as { type: string }[]).filter(({ type }) => type !== "cgroup");
    return [sorted(types), uidMappings, gidMappings, resources, sorted(config.mounts)];
  };
  const ours = box.directory("ours");
  const theirs = box.directory("theirs");
  await ok(box, "spec", "--rootless", "--bundle", ours);
  assertEquals((await call(["runc", "spec", "--rootless", "--bundle", theirs])).code, 0);
  const [own, other] = [ours, theirs].map((bundle) => plain(Deno.readTextFileSync(join(bundle, "config.json"))));
  assertEquals(own, other);
}, ["peer:runc"]);

test("exec --cgroup puts the process below the container's cgroup, and says what is not there", async (box) => {
  const pid = await runDetached(box, ID);
  const memory = Deno.readTextFileSync(`/proc/${pid}/cgroup`).split("\n").find((line) => /\bmemory\b|^0::/.test(line))!;
  const mount = memory.startsWith("0::") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
  const sub = `${mount}${memory.slice(memory.lastIndexOf(":") + 1)}/sub`;
  Deno.mkdirSync(sub);
  const word = memory.startsWith("0::") ? "sub" : "memory:/sub";
  const out = await quietly(box, "exec", ["exec", "-d", "--cgroup", word, ID, "sleep", "4420"]);
  assertEquals(Deno.readTextFileSync(out), "");
  assertMatch(Deno.readTextFileSync(`${sub}/cgroup.procs`), /^\d+\n$/);
  for (const [bad, words] of [["nosuch", "is not there"], ["../x", "not a sub cgroup path"], ["a:b:c", "invalid"]]) {
    const { code, stderr } = await box.paddock.run(["exec", "--cgroup", bad!, ID, "true"]);
    assertEquals(code, 125);
    assertStringIncludes(stderr, words!);
  }
  await ok(box, "delete", "--force", ID);
}, ["memory"]);

test("exec takes labels, which fail where no module knows them, and rights that the container lacks", async (box) => {
  await runDetached(box, ID, { process: { noNewPrivileges: true } });
  const look = ["grep", "-E", "NoNewPrivs|CapEff", "/proc/self/status"];
  assertStringIncludes(await ok(box, "exec", "--no-new-privs=false", ID, ...look), "NoNewPrivs:\t0");
  assertStringIncludes(await ok(box, "exec", "--cap", "CAP_KILL", ID, ...look), "CapEff:\t0000000000000020");
  if (!(await Deno.readTextFile("/sys/kernel/security/lsm").catch(() => "")).includes("apparmor")) {
    assert((await box.paddock.run(["exec", "--apparmor", "nosuch", ID, "true"])).code !== 0);
  }
  await ok(box, "delete", "--force", ID);
});

test("another file may stand in for config.json, as with crun", async (box) => {
  const bundle = makeBundle(box, { args: ["echo", "one"] });
  Deno.renameSync(join(bundle, "config.json"), join(bundle, "other.json"));
  const config = join(bundle, "other.json");
  const ran = await callAs(box, "crun", ["run", "--bundle", bundle, "--config", config, ID]);
  assertEquals([ran.code, ran.stdout], [0, "one\n"], ran.stderr);
}, ["tool:bash"]);
