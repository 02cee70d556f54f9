/**
 * User namespaces of containers from bundles: new ones, joined ones, and what is executed in them.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Box } from "./support/box.ts";
import { makeBundle } from "./support/bundles.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { requires } from "./support/requires.ts";
import { Runtime } from "./support/runtime.ts";

/** Nobody else's: cgroups go by it. */
const ID = `users-${Deno.pid}`;
const MAPPINGS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const MAP = /^ *0 +100000 +65536\n/;
const NEW = ["mount", "pid", "ipc", "uts", "network"].map((type) => ({ type }));
const LOOK = "cat /proc/self/uid_map; for n in user net pid; do readlink /proc/self/ns/$n; done; id -u; " +
  "grep Cap /proc/self/status; echo $$";

function test(name: string, fn: (runtime: Runtime, box: Box) => Promise<void>, runtimes = ["paddock", "runc"]): void {
  for (const runtime of runtimes) {
    Deno.test({
      name: `oci users: ${name}${runtime === "paddock" ? "" : ` (${runtime})`}`,
      ...requires("root", "userns", "tool:busybox", ...(runtime === "paddock" ? [] : [`peer:${runtime}` as const])),
      fn: async () => {
        using box = await Box.make();
        // Its root has to reach it, and the files are its own.
        for (let path = box.rootfs; path !== "/var/tmp"; path = path.slice(0, path.lastIndexOf("/"))) {
          Deno.chmodSync(path, 0o755);
        }
        await fn(new Runtime(box, runtime), box);
      },
    });
  }
}

/** A container with a user namespace of its own, started; gives its process. */
async function startMapped(runtime: Runtime, box: Box, id: string): Promise<number> {
  const linux = { namespaces: [...NEW, { type: "user" }], uidMappings: MAPPINGS, gidMappings: MAPPINGS };
  await runtime.toFile(["create", "--bundle", makeBundle(box, { linux }, `bundle-${id}`), id]);
  await runtime.ok("start", id);
  return (await runtime.state(id))["pid"] as number;
}

function namespacesOf(pid: unknown, names: readonly string[]): string[] {
  return names.map((name) => Deno.readLinkSync(`/proc/${pid}/ns/${name}`));
}

test(
  "a further process enters the container's user namespace, and has no rights of the host's",
  async (runtime, box) => {
    const pid = await startMapped(runtime, box, ID);
    const seen = await runtime.ok("exec", ID, "sh", "-c", LOOK);
    assertMatch(seen, MAP);
    assertStringIncludes(seen, `${namespacesOf(pid, ["user", "net", "pid"]).join("\n")}\n0\n`);
    const owner = await runtime.ok("exec", "--user", "5:6", ID, "sh", "-c", "id; cat /proc/self/uid_map");
    assertMatch(owner, /^uid=5\D.*gid=6[^]*\n *0 +100000 /);
    await runtime.ok("delete", "--force", ID);
  },
);

test("a further process has a terminal there", async (runtime, box) => {
  await startMapped(runtime, box, ID);
  const { code, stdout } = await runtime.run(["exec", "--tty", ID, "sh", "-c", "tty; cat /proc/self/uid_map"]);
  assertEquals(code, 0);
  assertMatch(stdout.replaceAll("\r", ""), /^\/dev\/pts\/0\n *0 +100000 /);
  await runtime.ok("delete", "--force", ID);
}, ["paddock"]);

test("a user namespace is joined by its path, with and without others of its container's", async (runtime, box) => {
  const [first, second] = [`${ID}-a`, `${ID}-b`];
  await expectNoLeaks(box.paddock, async () => {
    const pid = await startMapped(runtime, box, first);
    const shared = (type: string, file: string) => ({ type, path: `/proc/${pid}/ns/${file}` });
    const network = shared("network", "net");
    for (const joined of [[], [network], [network, shared("pid", "pid"), shared("ipc", "ipc")]]) {
      const types = joined.map(({ type }) => type);
      const namespaces = [...NEW.filter(({ type }) => !types.includes(type)), ...joined, shared("user", "user")];
      const bundle = makeBundle(box, {
        args: ["sh", "-c", `${LOOK}; mkdir /tmp/x 2>&1; exec sleep 4400`],
        linux: { namespaces, ...(runtime.name === "runc" ? { uidMappings: MAPPINGS, gidMappings: MAPPINGS } : {}) },
      });
      const file = await runtime.toFile(["create", "--bundle", bundle, second]);
      await runtime.ok("start", second);
      const { pid: own, status } = await runtime.state(second);
      assertEquals(status, "running");
      const further = await runtime.ok("exec", second, "sh", "-c", LOOK);
      const seen = Deno.readTextFileSync(file);
      for (const text of [seen, further]) {
        assertMatch(text, MAP);
        assertStringIncludes(text, namespacesOf(own, ["user", "net", "pid"]).join("\n"));
      }
      assertEquals(namespacesOf(own, ["user"]), namespacesOf(pid, ["user"]));
      const same = (name: string): boolean => namespacesOf(own, [name])[0] === namespacesOf(pid, [name])[0];
      assertEquals([same("net"), same("pid"), same("ipc")], [
        types.includes("network"),
        types.includes("pid"),
        types.includes("ipc"),
      ]);
      await runtime.ok("delete", "--force", second);
    }
    await runtime.ok("delete", "--force", first);
  });
}, ["paddock"]);

test("what is no user namespace, and what is not there, is told, and leaves nothing", async (runtime, box) => {
  await expectNoLeaks(box.paddock, async () => {
    const pid = await startMapped(runtime, box, ID);
    const user = { type: "user", path: `/proc/${pid}/ns/user` };
    const bad: readonly (readonly [readonly Record<string, unknown>[], string])[] = [
      [[...NEW, { ...user, path: `/proc/${pid}/ns/net` }], "cannot join the user namespace"],
      [[...NEW, { ...user, path: "/nosuch" }], "cannot open the user namespace /nosuch"],
      [
        [...NEW.filter(({ type }) => type !== "network"), { type: "network", path: "/nosuch" }, user],
        "cannot join the network namespace /nosuch",
      ],
    ];
    for (const [namespaces, text] of bad) {
      const bundle = makeBundle(box, { linux: { namespaces } });
      await runtime.refused(text, "create", "--bundle", bundle, `${ID}-b`);
      await runtime.refused("does not exist", "state", `${ID}-b`);
    }
    await runtime.ok("delete", "--force", ID);
  });
}, ["paddock"]);
