/**
 * config-linux.md of the OCI runtime specification: default filesystems, namespaces, maps of ids, clocks, devices of
 * the network, sysctls.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { waitFor } from "../support/box.ts";
import { call } from "../support/paddock.ts";
import { type Fields, NAMESPACES, namespacesBut } from "./base_config.ts";
import { conform, type Refused, type Seen, type Tried } from "./conform.ts";
import type { Place } from "./place.ts";

/** Types of the specification, each with the name of its file in `/proc/PID/ns`. */
const FILES: readonly (readonly [type: string, file: string])[] = [
  ["pid", "pid"],
  ["network", "net"],
  ["ipc", "ipc"],
  ["uts", "uts"],
  ["mount", "mnt"],
  ["cgroup", "cgroup"],
];

const nsOf = (file: string, pid: number | "self" = "self") => Deno.readLinkSync(`/proc/${pid}/ns/${file}`);

/** A process in new namespaces; its id. */
async function hold(place: Place, flag: string, file: string): Promise<number> {
  const holder = new Deno.Command("unshare", { args: [flag, "--fork", "sleep", "4420"], stdin: "null", stderr: "null" })
    .spawn();
  const child = await waitFor("a process in its namespace", () => {
    const pids = Deno.readTextFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`).trim().split(" ");
    const pid = Number(pids[0]);
    return pid > 0 && nsOf(file, pid) !== nsOf(file) && pid;
  });
  place.defer(async () => {
    Deno.kill(child, "SIGKILL");
    await holder.status;
  });
  return child;
}

/** A container that sleeps has these namespaces; compares one with another process's. */
async function namespaceOf(place: Place, file: string, linux: Fields): Promise<string> {
  const id = await place.create({ linux });
  return nsOf(file, await place.pid(id));
}

const MAPS = {
  namespaces: namespacesBut("user", { type: "user" }),
  uidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
  gidMappings: [{ containerID: 0, hostID: 200000, size: 2000 }],
};

/** An interface of the host's with an address, gone with the place. */
async function makeInterface(place: Place): Promise<string> {
  const name = `pc${crypto.randomUUID().slice(0, 8)}`;
  const { code, stderr } = await call(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
  assertEquals(code, 0, stderr);
  place.defer(() => call(["ip", "link", "del", `${name}p`]));
  assertEquals((await call(["ip", "address", "add", "192.0.2.7/24", "dev", name])).code, 0);
  return name;
}

conform([
  {
    together: {},
    all: [["/proc", "proc"], ["/sys", "sysfs"], ["/dev/pts", "devpts"], ["/dev/shm", "tmpfs"]].map((
      [path, type],
    ): Omit<Seen, "change"> => ({
      rule: `config-linux.md/default-filesystems: ${path} is a ${type}`,
      script: `grep " ${path} " /proc/mounts`,
      shows: new RegExp(` ${path} ${type} `),
    })),
  },
  ...FILES.map(([type, file]): Tried => ({
    rule: `config-linux.md/namespaces: without a path a new one is made: ${type}`,
    tried: async (place) => {
      const namespaces = namespacesBut(type, { type });
      assertNotEquals(await namespaceOf(place, file, { namespaces }), nsOf(file));
    },
  })),
  ...FILES.filter(([type]) => type !== "mount").map(([type, file]): Tried => ({
    rule: `config-linux.md/namespaces: a type that is not listed is the runtime's own: ${type}`,
    tried: async (place) => {
      // A sysfs needs the network namespace to be the container's.
      const change = { linux: { namespaces: namespacesBut(type) }, process: { args: ["sleep", "4421"] } };
      const id = await place.create(change);
      assertEquals(nsOf(file, await place.pid(id)), nsOf(file));
      await place.ok("delete", "--force", id);
    },
  })),
  {
    rule: "config-linux.md/namespaces: a type that is not listed is the runtime's own: user",
    tried: async (place) => assertEquals(await namespaceOf(place, "user", {}), nsOf("user")),
  },
  {
    rule: "config-linux.md/namespaces: without a path a new one is made: user",
    needs: ["userns"],
    tried: async (place) => assertNotEquals(await namespaceOf(place, "user", MAPS), nsOf("user")),
  },
  {
    rule: "config-linux.md/namespaces: without a path a new one is made: time",
    since: "1.1",
    // The kernel puts a process into it when it executes something.
    change: { linux: { namespaces: [...NAMESPACES, { type: "time" }] } },
    script: "readlink /proc/self/ns/time",
    shows: (text) => assertNotEquals(text.trim(), nsOf("time")),
  },
  ...([["network", "net", "-n"], ["ipc", "ipc", "-i"], ["uts", "uts", "-u"], ["pid", "pid", "-p"], [
    "cgroup",
    "cgroup",
    "-C",
  ]] as const).map(([type, file, flag]): Tried => ({
    rule: `config-linux.md/namespaces: with a path it is the one at that path: ${type}`,
    tried: async (place) => {
      const holder = await hold(place, flag, file);
      const namespaces = namespacesBut(type, { type, path: `/proc/${holder}/ns/${file}` });
      const id = await place.create({ linux: { namespaces } });
      assertEquals(nsOf(file, await place.pid(id)), nsOf(file, holder));
      await place.ok("delete", "--force", id);
    },
  })),
  {
    rule: "config-linux.md/namespaces: with a path it is the one at that path: user",
    needs: ["userns"],
    tried: async (place) => {
      const holder = await hold(place, "-U", "user");
      for (const kind of ["uid", "gid"]) Deno.writeTextFileSync(`/proc/${holder}/${kind}_map`, "0 100000 1000");
      const namespaces = namespacesBut("user", { type: "user", path: `/proc/${holder}/ns/user` });
      const id = await place.create({ linux: { namespaces } });
      assertEquals(nsOf("user", await place.pid(id)), nsOf("user", holder));
      await place.ok("delete", "--force", id);
    },
  },
  {
    rule: "config-linux.md/namespaces: a path that is not absolute is an error",
    change: { linux: { namespaces: namespacesBut("network", { type: "network", path: "proc/self/ns/net" }) } },
    refused: "linux.namespaces[4].path",
  },
  {
    rule: "config-linux.md/namespaces: a path that is no namespace of the type is an error: another type's",
    change: { linux: { namespaces: namespacesBut("network", { type: "network", path: "/proc/self/ns/uts" }) } },
    refused: "network",
  },
  {
    rule: "config-linux.md/namespaces: a path that is no namespace of the type is an error: an ordinary file",
    change: { linux: { namespaces: namespacesBut("network", { type: "network", path: "/etc/passwd" }) } },
    refused: "/etc/passwd",
  },
  {
    rule: "config-linux.md/namespaces: a path that is no namespace of the type is an error: nothing",
    change: { linux: { namespaces: namespacesBut("network", { type: "network", path: "/no/such" }) } },
    refused: "/no/such",
  },
  ...["pid", "network", "mount", "ipc", "uts"].map((type): Refused => ({
    rule: `config-linux.md/namespaces: a type twice is an error: ${type}`,
    change: { linux: { namespaces: [...NAMESPACES, { type }] } },
    refused: "linux.namespaces[5]",
  })),
  {
    rule: "config-linux.md/namespaces: type is required",
    change: { linux: { namespaces: [...NAMESPACES, {}] } },
    refused: "linux.namespaces[5].type",
  },
  {
    rule: "config-linux.md/namespaces: a type that there is not is an error",
    change: { linux: { namespaces: [...NAMESPACES, { type: "nosuch" }] } },
    refused: "linux.namespaces[5].type",
  },
  {
    rule: "config-linux.md/user-namespace-mappings: they are the maps of the user namespace",
    needs: ["userns"],
    change: { linux: MAPS },
    script: "cat /proc/self/uid_map /proc/self/gid_map",
    shows: /^ +0 +100000 +1000\n +0 +200000 +2000$/m,
  },
  {
    rule: "config-linux.md/user-namespace-mappings: there may be several lines",
    needs: ["userns"],
    change: {
      linux: {
        ...MAPS,
        uidMappings: [{ containerID: 0, hostID: 100000, size: 10 }, { containerID: 10, hostID: 300000, size: 5 }],
      },
    },
    script: "cat /proc/self/uid_map",
    shows: /^ +0 +100000 +10\n +10 +300000 +5$/m,
  },
  {
    rule: "config-linux.md/user-namespace-mappings: owners in the root filesystem are not changed for them",
    needs: ["userns"],
    tried: async (place) => {
      await place.outputOf("true", { linux: MAPS });
      assertEquals(Deno.statSync(`${place.rootfs}/bin/busybox`).uid, 0);
    },
  },
  ...["containerID", "hostID", "size"].map((name): Refused => ({
    rule: `config-linux.md/user-namespace-mappings: ${name} is required`,
    change: {
      linux: { ...MAPS, uidMappings: [{ containerID: 0, hostID: 100000, size: 1000, [name]: undefined }] },
    },
    refused: `linux.uidMappings[0].${name}`,
  })),
  {
    rule: "config-linux.md/offset-for-time-namespace: clocks of the container are that far away",
    since: "1.1",
    change: {
      linux: {
        namespaces: [...NAMESPACES, { type: "time" }],
        timeOffsets: { monotonic: { secs: 172800 }, boottime: { secs: 864000, nanosecs: 5 } },
      },
    },
    script: "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime",
    shows: (text) => {
      assertMatch(text, /^monotonic +172800 +0\nboottime +864000 +5$/m);
      assert(Number(text.trim().split("\n").at(-1)) > 864000, text);
    },
  },
  {
    rule: "config-linux.md/offset-for-time-namespace: a clock that there is not is an error",
    since: "1.1",
    change: { linux: { namespaces: [...NAMESPACES, { type: "time" }], timeOffsets: { wall: { secs: 1 } } } },
    refused: 'linux.timeOffsets["wall"]',
  },
  {
    rule: "config-linux.md/offset-for-time-namespace: without a time namespace of its own it is an error",
    since: "1.1",
    change: { linux: { timeOffsets: { boottime: { secs: 1 } } } },
    refused: "linux.timeOffsets",
  },
  {
    rule: "config-linux.md/network-devices: one is moved into the container, by another name, up, with its addresses",
    since: "1.3",
    needs: ["tool:ip"],
    tried: async (place) => {
      const name = await makeInterface(place);
      const id = await place.create({ linux: { netDevices: { [name]: { name: "eth0" } } } });
      const { stdout } = await call(["nsenter", "-t", `${await place.pid(id)}`, "-n", "ip", "address", "show", "eth0"]);
      assertMatch(stdout, /<.*UP.*>/);
      assertMatch(stdout, /inet 192\.0\.2\.7\/24/);
      assertNotEquals((await call(["ip", "link", "show", name])).code, 0);
    },
  },
  {
    rule: "config-linux.md/network-devices: without a name it keeps that of the host",
    since: "1.3",
    needs: ["tool:ip"],
    tried: async (place) => {
      const name = await makeInterface(place);
      const id = await place.create({ linux: { netDevices: { [name]: {} } } });
      const inside = ["nsenter", "-t", `${await place.pid(id)}`, "-n", "ip", "link", "show", name];
      assertEquals((await call(inside)).code, 0);
    },
  },
  {
    rule: "config-linux.md/network-devices: one that there is not is an error",
    since: "1.3",
    change: { linux: { netDevices: { nosuchdev: {} } } },
    refused: "nosuchdev",
  },
  {
    rule: "config-linux.md/network-devices: two with one name are an error",
    since: "1.3",
    change: { linux: { netDevices: { one: { name: "eth0" }, two: { name: "eth0" } } } },
    refused: "linux.netDevices",
  },
  {
    rule: "config-linux.md/network-devices: without a network namespace it is an error",
    since: "1.3",
    change: { linux: { namespaces: namespacesBut("network"), netDevices: { one: {} } } },
    refused: "linux.netDevices",
  },
  {
    rule: "config-linux.md/network-devices: an empty name is an error",
    since: "1.3",
    change: { linux: { netDevices: { one: { name: "" } } } },
    refused: "linux.netDevices",
  },
  {
    together: {
      linux: { sysctl: { "net.ipv4.ip_forward": "1", "net.core.somaxconn": "256", "kernel.msgmax": "10000" } },
    },
    all: [
      {
        rule: "config-linux.md/sysctl: those of the network are set in the container",
        script: "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/core/somaxconn",
        shows: "1\n256",
      },
      {
        rule: "config-linux.md/sysctl: those of ipc are set in the container",
        script: "cat /proc/sys/kernel/msgmax",
        shows: "10000",
      },
    ],
  },
  {
    rule: "config-linux.md/sysctl: one that would change the host is an error",
    change: { linux: { sysctl: { "kernel.panic": "1" } } },
    refused: 'linux.sysctl["kernel.panic"]',
  },
  {
    rule: "config-linux.md/sysctl: one of a namespace that is the host's is an error",
    change: { linux: { namespaces: namespacesBut("network"), sysctl: { "net.ipv4.ip_forward": "1" } } },
    refused: 'linux.sysctl["net.ipv4.ip_forward"]',
  },
  {
    rule: "config-linux.md/sysctl: one that there is not is an error",
    change: { linux: { sysctl: { "net.ipv4.nosuch": "1" } } },
    refused: "net.ipv4.nosuch",
  },
]);
