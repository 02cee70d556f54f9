/**
 * config.md of the OCI runtime specification, all but its process, mounts and hooks: version, root, names, annotations,
 * extensibility and valid values.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Fields, namespacesBut } from "./base_config.ts";
import { conform, type Refused } from "./conform.ts";

/** Values that are of the wrong type or out of range, and the field that an error must name. */
const WRONG: readonly (readonly [field: string, change: Fields])[] = [
  ["hostname", { hostname: 7 }],
  ["process.cwd", { process: { cwd: 7 } }],
  ["process.args", { process: { args: "sh" } }],
  ["process.user.uid", { process: { user: { uid: "root", gid: 0 } } }],
  ["process.user.uid", { process: { user: { uid: -1, gid: 0 } } }],
  ["process.terminal", { process: { terminal: "no" } }],
  ["process.oomScoreAdj", { process: { oomScoreAdj: 1001 } }],
  ["mounts", { mounts: [{ type: "tmpfs" }] }],
  ["linux.namespaces", { linux: { namespaces: [{ type: "mount" }, { type: "nosuch" }] } }],
  ["linux.rootfsPropagation", { linux: { rootfsPropagation: "nosuch" } }],
  ["linux.personality.domain", { linux: { personality: { domain: "NOSUCH" } } }],
  ["linux.resources.memory.limit", { linux: { resources: { memory: { limit: "much" } } } }],
  ["linux.resources.pids.limit", { linux: { resources: { pids: { limit: "many" } } } }],
  ["linux.seccomp.defaultAction", { linux: { seccomp: { defaultAction: "NOSUCH" } } }],
  ["linux.maskedPaths", { linux: { maskedPaths: "/proc/kcore" } }],
  ["linux.devices[0].type", { linux: { devices: [{ type: "x", path: "/dev/x", major: 1, minor: 3 }] } }],
];

conform([
  ...["1.0.0", "1.0.2-dev", "1.0.2"].map((ociVersion) => ({
    rule: `config.md/specification-version: one of the same major version is understood: ${ociVersion}` as const,
    change: { ociVersion },
    taken: true as const,
  })),
  ...["1.1.0", "1.2.1", "1.3.0"].map((ociVersion) => ({
    rule: `config.md/specification-version: one of the same major version is understood: ${ociVersion}` as const,
    since: ociVersion.slice(0, 3) as `${number}.${number}`,
    change: { ociVersion },
    taken: true as const,
  })),
  ...["", "1", "1.0", "v1.0.0", "one"].map((ociVersion): Refused => ({
    rule: `config.md/specification-version: it is in the form of semver, and '${ociVersion}' is not`,
    change: { ociVersion },
    refused: "ociVersion",
  })),
  {
    rule: "config.md/specification-version: it is required",
    change: { ociVersion: undefined },
    refused: "ociVersion",
  },
  {
    rule: "config.md/specification-version: a major version that is not understood is an error",
    change: { ociVersion: "2.0.0" },
    refused: "ociVersion",
  },
  {
    rule: "config.md/root: it is required",
    tried: async (place) => {
      await place.write();
      const file = join(place.bundle, "config.json");
      const { root: _, ...config } = JSON.parse(Deno.readTextFileSync(file)) as Fields;
      Deno.writeTextFileSync(file, JSON.stringify(config));
      assertEquals((await place.tryCreate()).code === 0, false);
    },
  },
  { rule: "config.md/root: its path is required", change: { root: { path: undefined } }, refused: "root.path" },
  {
    rule: "config.md/root: a relative path begins at the bundle",
    change: (place) => {
      Deno.renameSync(place.rootfs, join(place.bundle, "other"));
      return { root: { path: "other" } };
    },
    taken: true,
  },
  {
    rule: "config.md/root: an absolute path is one of the host",
    change: (place) => {
      Deno.renameSync(place.rootfs, place.path("elsewhere"));
      return { root: { path: place.path("elsewhere") } };
    },
    taken: true,
  },
  {
    rule: "config.md/root: a directory must be at its path: nothing is",
    change: { root: { path: "nosuch" } },
    refused: "root.path",
  },
  {
    rule: "config.md/root: a directory must be at its path: a file is",
    change: (place) => ({ root: { path: place.file("file", "") } }),
    refused: "root.path",
  },
  {
    rule: "config.md/root: with readonly nothing can be written there",
    change: { root: { readonly: true } },
    script: "echo x >/x; mkdir /tmp/x; rm /bin/ls; grep ' / ' /proc/self/mountinfo",
    shows: /^(.*Read-only file system\n){3}.* \/ ro/s,
  },
  {
    rule: "config.md/root: without readonly it can be written to, and the host sees it",
    tried: async (place) => {
      assertEquals(await place.outputOf("echo x >/written; cat /written", { root: { readonly: undefined } }), "x\n");
      assertEquals(Deno.readTextFileSync(join(place.rootfs, "written")), "x\n");
    },
  },
  {
    together: { hostname: "conform", linux: { namespaces: namespacesBut("") } },
    all: [
      { rule: "config.md/hostname: it is what processes inside see", script: "hostname", shows: "conform" },
      {
        rule: "config.md/hostname: it is that of the container's UTS namespace",
        script: "cat /proc/sys/kernel/hostname",
        shows: "conform",
      },
    ],
  },
  {
    rule: "config.md/hostname: the host's own does not change",
    tried: async (place) => {
      const before = Deno.hostname();
      await place.outputOf("hostname", { hostname: "conform" });
      assertEquals(Deno.hostname(), before);
    },
  },
  {
    rule: "config.md/hostname: it would be the host's without a UTS namespace, which is an error",
    change: { hostname: "conform", linux: { namespaces: namespacesBut("uts") } },
    refused: "hostname",
  },
  {
    rule: "config.md/domainname: it is what processes inside see",
    since: "1.1",
    change: { domainname: "conform.example" },
    script: "cat /proc/sys/kernel/domainname",
    shows: "conform.example",
  },
  {
    rule: "config.md/annotations: keys that nobody knows are no error, nor empty values",
    change: { annotations: { "org.example.nobody.knows": "x", "com.example.empty": "", plain: "y" } },
    taken: true,
  },
  { rule: "config.md/annotations: an empty map is none", change: { annotations: {} }, taken: true },
  {
    rule: "config.md/annotations: keys are not empty",
    change: { annotations: { "": "x" } },
    refused: "annotations",
  },
  ...[7, true, null, {}, ["x"]].map((value): Refused => ({
    rule: `config.md/annotations: values are texts, and ${JSON.stringify(value)} is none`,
    change: { annotations: { "org.example": value } },
    refused: "annotations",
  })),
  {
    rule: "config.md/annotations: it is a map",
    change: { annotations: ["org.example"] },
    refused: "annotations",
  },
  {
    rule: "config.md/extensibility: unknown properties are ignored, in every object",
    change: {
      unknown: { deep: [1] },
      root: { unknown: 1 },
      process: { unknown: "x", user: { uid: 0, gid: 0, unknown: 1 } },
      mounts: [{ destination: "/x", type: "tmpfs", source: "x", unknown: true }],
      linux: {
        unknown: 1,
        namespaces: namespacesBut("pid", { type: "pid", unknown: 2 }),
        resources: { unknown: 1, memory: { unknown: 1 }, cpu: { unknown: 1 } },
        seccomp: { defaultAction: "SCMP_ACT_ALLOW", unknown: 1 },
      },
    },
    taken: true,
  },
  {
    rule: "config.md/extensibility: parts for other platforms are ignored",
    change: { windows: { layerFolders: ["x"] }, solaris: { milestone: "x" }, zos: {} },
    taken: true,
  },
  ...WRONG.map(([field, change]): Refused => ({
    rule: `config.md/valid-values: one that cannot be is an error: ${field} in ${JSON.stringify(change)}`,
    change,
    refused: field,
  })),
  {
    rule: "config.md/valid-values: a text that is no JSON is an error",
    tried: async (place) => {
      Deno.writeTextFileSync(join(place.bundle, "config.json"), '{"ociVersion": "1.0.2",');
      assertEquals((await place.tryCreate()).code === 0, false);
    },
  },
  {
    rule: "config.md/valid-values: all that is wrong is named at once",
    only: ["paddock"],
    change: { ociVersion: "x", process: { cwd: "x", rlimits: [{ type: "X", soft: 1, hard: 1 }] } },
    refused: "ociVersion: 'x' is no version of the specification that is known here; 1.3.0 would be; process.cwd: " +
      "'x' is not absolute; process.rlimits[0].type",
  },
]);
