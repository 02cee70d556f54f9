/**
 * features.md and features-linux.md of the OCI runtime specification.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { type Fields, NAMESPACES } from "./base_config.ts";
import { conform, type Rule, type Tried } from "./conform.ts";
import type { Place } from "./place.ts";

interface Document extends Fields {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly mountOptions: readonly string[];
  readonly hooks: readonly string[];
  readonly annotations?: Fields;
  readonly linux: Record<string, unknown> & {
    readonly namespaces: readonly string[];
    readonly capabilities: readonly string[];
    readonly seccomp: Readonly<Record<"actions" | "operators" | "archs" | "knownFlags" | "supportedFlags", string[]>>;
  };
}

async function read(place: Place): Promise<Document> {
  return JSON.parse(await place.ok("features")) as Document;
}

/** What the documents name, of version 1.3. */
const KNOWN = ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations"]
  .concat("potentiallyUnsafeConfigAnnotations");
const KNOWN_LINUX = ["namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt"]
  .concat("memoryPolicy", "mountExtensions", "netDevices");

/** Mount options that need something to be there, or a source. */
const NOT_ALONE = ["remount", "bind", "rbind", "idmap", "ridmap"];

const rule = (text: Rule["rule"], tried: Tried["tried"]): Tried => ({ rule: text, only: ["paddock"], tried });

const seccomp = (change: Fields): Fields => ({ linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", ...change } } });

conform([
  rule(
    "features.md/specification-version: ociVersionMin and ociVersionMax are versions, and Max is not below Min",
    async (place) => {
      const { ociVersionMin, ociVersionMax } = await read(place);
      const numbers = [ociVersionMin, ociVersionMax].map((version) => {
        assertMatch(version, /^\d+\.\d+\.\d+/);
        const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
        return (major * 1000 + minor) * 1000 + patch;
      });
      assert(numbers[1]! >= numbers[0]!);
    },
  ),
  ...(["ociVersionMin", "ociVersionMax"] as const).map((name) =>
    rule(`features.md/specification-version: a config.json of ${name} is taken`, async (place) => {
      await place.create({ ociVersion: (await read(place))[name] });
    })
  ),
  rule("features.md/specification-version: there is no property that the version does not define", async (place) => {
    const document = await read(place);
    assertEquals(Object.keys(document).filter((name) => !KNOWN.includes(name)), []);
    assertEquals(Object.keys(document.linux).filter((name) => !KNOWN_LINUX.includes(name)), []);
  }),
  rule("features.md/hooks: each is one of config.md", async (place) => {
    const all = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    assertEquals((await read(place)).hooks.filter((name) => !all.includes(name)), []);
  }),
  rule("features.md/hooks: each is called", async (place) => {
    const { hooks } = await read(place);
    const log = place.path("out/log");
    const id = await place.create((place) => ({
      mounts: [place.outMount],
      process: { args: ["true"] },
      hooks: Object.fromEntries(hooks.map((name) => [name, [{
        path: "/bin/sh",
        args: ["sh", "-c", `echo ${name} >>${name === "startContainer" ? "/out/log" : log}`],
      }]])),
    }));
    await place.ok("start", id);
    await place.waitForStatus(id, "stopped");
    await place.ok("delete", id);
    assertEquals(Deno.readTextFileSync(log).trim().split("\n").sort(), [...hooks].sort());
  }),
  rule("features.md/mount-options: each is recognized, and none goes to the filesystem", async (place) => {
    const options = (await read(place)).mountOptions.filter((word) => !NOT_ALONE.includes(word));
    assert(options.length > 50);
    await place.create({
      mounts: options.map((word, n) => ({ destination: `/m/${n}`, type: "tmpfs", source: "t", options: [word] })),
    });
  }),
  rule("features.md/annotations: it is a map of texts", async (place) => {
    const { annotations = {} } = await read(place);
    assert(Object.values(annotations).every((value) => typeof value === "string"));
    assert(!Object.hasOwn(annotations, ""));
  }),
  rule("features-linux.md/namespaces: each is recognized as a type", async (place) => {
    const { namespaces } = (await read(place)).linux;
    const all = namespaces.filter((type) => type !== "user").map((type) => ({ type }));
    assert(all.length >= NAMESPACES.length);
    await place.create({ linux: { namespaces: all } });
  }),
  rule("features-linux.md/capabilities: each is recognized, without a warning that it is none", async (place) => {
    const { capabilities } = (await read(place)).linux;
    await place.write({ process: { args: ["true"], capabilities: { bounding: capabilities } } });
    const { code, stderr } = await place.tryCreate();
    assertEquals(code, 0, stderr);
    assertNotMatch(stderr, /no capability/);
  }),
  rule("features-linux.md/seccomp: each action is recognized", async (place) => {
    const { actions } = (await read(place)).linux.seccomp;
    const plain = actions.filter((action) => action !== "SCMP_ACT_NOTIFY");
    assert(plain.length >= 8);
    const names = ["swapoff", "swapon", "reboot", "acct", "settimeofday", "quotactl", "vhangup", "sethostname"];
    await place.create(seccomp({ syscalls: plain.map((action, n) => ({ names: [names[n % names.length]], action })) }));
  }),
  rule("features-linux.md/seccomp: each operator is recognized", async (place) => {
    const { operators } = (await read(place)).linux.seccomp;
    const second = (op: string) => op === "SCMP_CMP_MASKED_EQ" ? { valueTwo: 1 } : {};
    const args = (op: string) => [{ index: 0, value: 1, ...second(op), op }];
    const syscalls = operators.map((op) => ({ names: ["swapoff"], action: "SCMP_ACT_ERRNO", args: args(op) }));
    await place.create(seccomp({ syscalls }));
  }),
  rule("features-linux.md/seccomp: each architecture is recognized", async (place) => {
    const { archs } = (await read(place)).linux.seccomp;
    await place.create(seccomp({ architectures: archs, syscalls: [{ names: ["swapoff"], action: "SCMP_ACT_ERRNO" }] }));
  }),
  rule("features-linux.md/seccomp: each supported flag is recognized and can be had", async (place) => {
    const { knownFlags, supportedFlags } = (await read(place)).linux.seccomp;
    assertEquals(supportedFlags.filter((flag) => !knownFlags.includes(flag)), []);
    // Asked for by an agent alone: the kernel takes it with a listener only.
    const flags = supportedFlags.filter((flag) => !flag.endsWith("WAIT_KILLABLE_RECV"));
    await place.create(seccomp({ flags, syscalls: [{ names: ["swapoff"], action: "SCMP_ACT_ERRNO" }] }));
  }),
]);
