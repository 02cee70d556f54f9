/**
 * config-linux.md of the OCI runtime specification: devices, propagation, masked and read-only paths, labels, the
 * personality, the policy of memory, resource director technology.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { namespacesBut } from "./base_config.ts";
import { conform, type Refused, type Seen } from "./conform.ts";

/** Nodes that every container has, with their numbers in hexadecimal as `stat` prints them. */
const DEFAULT_NODES: readonly (readonly [path: string, numbers: string])[] = [
  ["/dev/null", "1:3"],
  ["/dev/zero", "1:5"],
  ["/dev/full", "1:7"],
  ["/dev/random", "1:8"],
  ["/dev/urandom", "1:9"],
  ["/dev/tty", "5:0"],
];

/** How the root is shared, as mountinfo tells. */
const PROPAGATION: readonly (readonly [word: string, fields: RegExp])[] = [
  ["shared", /shared:\d+/],
  ["slave", /^(master:\d+)?$/],
  ["private", /^$/],
  ["unbindable", /unbindable/],
];

const hasFile = (path: string): boolean => {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
};

const IS_SELINUX = hasFile("/sys/fs/selinux/enforce");
const IS_RESCTRL = Deno.readTextFileSync("/proc/mounts").includes(" resctrl ");

conform([
  {
    together: {
      linux: {
        devices: [
          { type: "c", path: "/dev/full2", major: 1, minor: 7, fileMode: 0o620, uid: 5, gid: 6 },
          { type: "c", path: "/dev/deep/er/zero", major: 1, minor: 5 },
          { type: "u", path: "/dev/unbuffered", major: 1, minor: 3 },
          { type: "b", path: "/dev/block", major: 7, minor: 9, fileMode: 0o600 },
          { type: "p", path: "/dev/pipe", fileMode: 0o640 },
          { type: "c", path: "/srv/elsewhere", major: 1, minor: 3 },
        ],
      },
    },
    all: [
      ...DEFAULT_NODES.map(([path, numbers]): Omit<Seen, "change"> => ({
        rule: `config-linux.md/default-devices: ${path} is there, and anybody may use it`,
        script: `stat -c '%F %t:%T %a' ${path}`,
        shows: `character special file ${numbers} 666`,
      })),
      {
        rule: "config-linux.md/default-devices: /dev/ptmx is that of the container's /dev/pts",
        script: "stat -L -c '%t:%T' /dev/ptmx; stat -L -c '%d %i' /dev/ptmx /dev/pts/ptmx | uniq | wc -l",
        shows: "5:2\n1",
      },
      {
        rule: "config-linux.md/default-devices: they work",
        script: "echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 5 /dev/urandom | wc -c; echo x >/dev/full",
        shows: /^3\n5\n.*No space left/,
      },
      {
        rule: "config-linux.md/devices: each that is listed is there: c",
        script: "stat -c '%F %t:%T' /dev/full2",
        shows: "character special file 1:7",
      },
      {
        rule: "config-linux.md/devices: each that is listed is there: u",
        script: "stat -c '%F %t:%T' /dev/unbuffered",
        shows: "character special file 1:3",
      },
      {
        rule: "config-linux.md/devices: each that is listed is there: b",
        script: "stat -c '%F %t:%T' /dev/block",
        shows: "block special file 7:9",
      },
      {
        rule: "config-linux.md/devices: each that is listed is there: p, which needs no numbers",
        script: "stat -c '%F %a' /dev/pipe",
        shows: "fifo 640",
      },
      {
        rule: "config-linux.md/devices: path may be in directories that are not there",
        script: "stat -c '%t:%T' /dev/deep/er/zero",
        shows: "1:5",
      },
      {
        rule: "config-linux.md/devices: path may be outside of /dev",
        script: "stat -c '%t:%T' /srv/elsewhere",
        shows: "1:3",
      },
      {
        rule: "config-linux.md/devices: fileMode is its mode, whatever the umask",
        script: "stat -c %a /dev/full2",
        shows: "620",
      },
      {
        rule: "config-linux.md/devices: uid and gid are its owner",
        script: "stat -c '%u %g' /dev/full2",
        shows: "5 6",
      },
    ],
  },
  {
    rule: "config-linux.md/default-devices: without a mount on /dev they are in the root filesystem's, each time",
    tried: async (place) => {
      for (const _ of ["first", "second"]) {
        await place.write({ process: { args: ["stat", "-c", "%t:%T", "/dev/null", "/dev/full"] } });
        const file = join(place.bundle, "config.json");
        const config = JSON.parse(Deno.readTextFileSync(file)) as { mounts: { destination: string }[] };
        config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
        Deno.writeTextFileSync(file, JSON.stringify(config));
        const { id, code, stderr } = await place.tryCreate();
        assertEquals(code, 0, stderr);
        await place.ok("start", id);
        await place.waitForStatus(id, "stopped");
        assertEquals(place.output(id), "1:3\n1:7\n");
        await place.ok("delete", id);
      }
    },
  },
  {
    rule: "config-linux.md/devices: another file at path is an error",
    change: { linux: { devices: [{ type: "c", path: "/etc/passwd", major: 1, minor: 3 }] } },
    refused: "/etc/passwd",
  },
  {
    rule: "config-linux.md/devices: another device at path is an error",
    change: (place) => {
      const made = new Deno.Command("mknod", { args: [join(place.rootfs, "srv-null"), "c", "1", "3"] }).outputSync();
      assertEquals(made.code, 0);
      return { linux: { devices: [{ type: "c", path: "/srv-null", major: 1, minor: 5 }] } };
    },
    refused: "/srv-null",
  },
  {
    rule: "config-linux.md/devices: the same device at path is taken",
    change: (place) => {
      const made = new Deno.Command("mknod", { args: [join(place.rootfs, "srv-null"), "c", "1", "3"] }).outputSync();
      assertEquals(made.code, 0);
      return { linux: { devices: [{ type: "c", path: "/srv-null", major: 1, minor: 3 }] } };
    },
    taken: true,
  },
  {
    rule: "config-linux.md/devices: one of the default devices has the mode and the owner that are asked for",
    change: {
      linux: { devices: [{ type: "c", path: "/dev/null", major: 1, minor: 3, fileMode: 0o640, uid: 3, gid: 4 }] },
    },
    script: "stat -c '%t:%T %a %u %g' /dev/null",
    shows: "1:3 640 3 4",
  },
  ...["type", "path", "major", "minor"].map((name): Refused => ({
    rule: `config-linux.md/devices: ${name} is required`,
    change: { linux: { devices: [{ type: "c", path: "/dev/x", major: 1, minor: 3, [name]: undefined }] } },
    refused: `linux.devices[0]`,
  })),
  {
    rule: "config-linux.md/devices: a type that there is not is an error",
    change: { linux: { devices: [{ type: "z", path: "/dev/x", major: 1, minor: 3 }] } },
    refused: "linux.devices[0].type",
  },
  ...PROPAGATION.map(([rootfsPropagation, fields]): Seen => ({
    rule: `config-linux.md/rootfs-mount-propagation: the root is ${rootfsPropagation}`,
    change: { linux: { rootfsPropagation } },
    script: "grep ' / / \\| [^ ]*/rootfs / ' /proc/self/mountinfo | head -1",
    shows: (text) => assertMatch(text.split(" - ")[0]!.split(" ").slice(6).join(" "), fields),
  })),
  {
    rule: "config-linux.md/rootfs-mount-propagation: another word is an error",
    change: { linux: { rootfsPropagation: "public" } },
    refused: "linux.rootfsPropagation",
  },
  {
    together: (place) => {
      Deno.mkdirSync(join(place.rootfs, "secret"));
      Deno.writeTextFileSync(join(place.rootfs, "secret/file"), "secret\n");
      Deno.writeTextFileSync(join(place.rootfs, "one"), "secret\n");
      return {
        linux: {
          maskedPaths: ["/secret", "/one", "/no/such/path", "/proc/keys"],
          readonlyPaths: ["/etc", "/bin/busybox", "/no/such/path", "/proc/sys"],
        },
      };
    },
    all: [
      {
        rule: "config-linux.md/masked-paths: nothing can be read of a file",
        script: "cat /one; wc -c </one",
        shows: "0",
      },
      {
        rule: "config-linux.md/masked-paths: nothing can be read of a directory",
        script: "ls -A /secret; cat /secret/file",
        shows: /^cat: .*No such file/,
      },
      {
        rule: "config-linux.md/masked-paths: nor of what proc has",
        script: "cat /proc/keys",
        shows: "",
      },
      {
        rule: "config-linux.md/masked-paths: a path that is not there is passed over",
        script: "ls /no 2>&1",
        shows: /No such file/,
      },
      {
        rule: "config-linux.md/readonly-paths: nothing can be written into a directory",
        script: "echo x >/etc/new; cat /etc/passwd | head -1",
        shows: /Read-only file system\nroot:/,
      },
      {
        rule: "config-linux.md/readonly-paths: nothing can be written to a file",
        script: "echo x >>/bin/busybox",
        shows: /Read-only file system|Text file busy/,
      },
      {
        rule: "config-linux.md/readonly-paths: nor to what proc has",
        script: "echo 1 >/proc/sys/kernel/panic",
        shows: /Read-only file system/,
      },
    ],
  },
  ...["maskedPaths", "readonlyPaths"].map((name): Refused => ({
    rule: `config-linux.md/${
      name === "maskedPaths" ? "masked" : "readonly"
    }-paths: a path that is not absolute is an error`,
    change: { linux: { [name]: ["proc/kcore"] } },
    refused: `linux.${name}[0]`,
  })),
  ...(IS_SELINUX ? [] : [
    {
      rule: "config-linux.md/mount-label: without SELinux it is an error",
      change: { linux: { mountLabel: "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811" } },
      refused: "linux.mountLabel",
    } as const,
  ]),
  ...(IS_RESCTRL ? [] : [{ closID: "group" }, { l3CacheSchema: "L3:0=f" }, { memBwSchema: "MB:0=20" }].map((
    intelRdt,
  ): Refused => ({
    rule: `config-linux.md/intel-rdt: without a resctrl filesystem it is an error: ${Object.keys(intelRdt)[0]!}`,
    change: { linux: { intelRdt } },
    refused: "linux.intelRdt",
  }))),
  {
    rule: "config-linux.md/intel-rdt: memBwSchema begins with MB:",
    change: { linux: { intelRdt: { memBwSchema: "L3:0=f" } } },
    refused: "linux.intelRdt",
  },
  {
    rule: "config-linux.md/personality: LINUX32 is what uname tells of",
    change: { linux: { personality: { domain: "LINUX32", flags: [] } } },
    script: "uname -m",
    shows: Deno.build.arch === "x86_64" ? "i686" : "armv8l",
  },
  {
    rule: "config-linux.md/personality: LINUX is the machine as it is",
    change: { linux: { personality: { domain: "LINUX" } } },
    script: "uname -m",
    shows: Deno.build.arch,
  },
  {
    rule: "config-linux.md/personality: domain is required",
    change: { linux: { personality: { flags: [] } } },
    refused: "linux.personality.domain",
  },
  {
    rule: "config-linux.md/personality: there are no flags",
    change: { linux: { personality: { domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] } } },
    refused: "linux.personality.flags",
  },
  ...(hasFile("/proc/self/numa_maps")
    ? [{
      rule: "config-linux.md/memory-policy: mode and nodes are those of the process" as const,
      since: "1.3" as const,
      change: { linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0" } } },
      script: "cat /proc/self/numa_maps",
      shows: /bind:0/,
    }]
    : []),
  {
    rule: "config-linux.md/memory-policy: mode is required",
    since: "1.3",
    change: { linux: { memoryPolicy: { nodes: "0" } } },
    refused: "linux.memoryPolicy.mode",
  },
  {
    rule: "config-linux.md/memory-policy: a mode that there is not is an error",
    since: "1.3",
    change: { linux: { memoryPolicy: { mode: "MPOL_NOSUCH", nodes: "0" } } },
    refused: "linux.memoryPolicy.mode",
  },
  {
    rule: "config-linux.md/memory-policy: a flag that there is not is an error",
    since: "1.3",
    change: { linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_NOSUCH"] } } },
    refused: "linux.memoryPolicy.flags",
  },
  {
    rule: "config-linux.md/devices: they are there in a user namespace as well",
    needs: ["userns"],
    change: {
      linux: {
        namespaces: namespacesBut("user", { type: "user" }),
        uidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
        gidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
      },
    },
    script:
      "for n in null zero full random urandom tty; do stat -c '%t:%T' /dev/$n; done; echo x >/dev/null && echo ok",
    shows: "1:3\n1:5\n1:7\n1:8\n1:9\n5:0\nok",
  },
]);
