/**
 * runtime.md of the OCI runtime specification: state, lifecycle and operations.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { existsSync } from "@std/fs";
import { join } from "@std/path";
import { waitFor } from "../support/box.ts";
import { call } from "../support/paddock.ts";
import { namespacesBut } from "./base_config.ts";
import { conform } from "./conform.ts";
import type { Place } from "./place.ts";

const SLEEP = "exec sleep 4410";

/** A verb fails, and the container's state is what it was. */
async function failsWithoutEffect(place: Place, id: string, ...words: readonly string[]): Promise<void> {
  const before = await place.state(id);
  await place.fails(...words);
  assertEquals(await place.state(id), before);
}

/** A container whose process has ended. */
async function stopped(place: Place): Promise<string> {
  const id = await place.start("exit 3");
  await place.waitForStatus(id, "stopped");
  return id;
}

/** Not so a process that nobody has asked about yet (`man 5 proc_pid_stat`, state Z). */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

conform([
  {
    rule: "runtime.md/state: it has ociVersion, id, status and bundle, each a text",
    tried: async (place) => {
      const id = await place.create();
      const state = await place.state(id);
      for (const name of ["ociVersion", "id", "status", "bundle"]) assertEquals(typeof state[name], "string", name);
      assertEquals(state["id"], id);
    },
  },
  {
    rule: "runtime.md/state: ociVersion is a version in the form of semver",
    tried: async (place) => {
      const { ociVersion } = await place.state(await place.create());
      assertMatch(String(ociVersion), /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/);
    },
  },
  {
    rule: "runtime.md/state: status is created before start, running after it, stopped when the process has ended",
    tried: async (place) => {
      const id = await place.create({ process: { args: ["sleep", "4411"] } });
      assertEquals((await place.state(id))["status"], "created");
      await place.ok("start", id);
      assertEquals((await place.state(id))["status"], "running");
      await place.ok("kill", id, "KILL");
      await place.waitForStatus(id, "stopped");
    },
  },
  {
    rule: "runtime.md/state: pid is that of the container's process, in the host's numbers, while created and running",
    tried: async (place) => {
      const id = await place.create({ process: { args: ["sleep", "4412"] } });
      const pid = await place.pid(id);
      assert(existsSync(`/proc/${pid}`));
      await place.ok("start", id);
      assertEquals(await place.pid(id), pid);
      await waitFor("the command", () => Deno.readTextFileSync(`/proc/${pid}/cmdline`) === "sleep\x004412\0");
    },
  },
  {
    rule: "runtime.md/state: bundle is absolute, though a relative one was named",
    tried: async (place) => {
      await place.write();
      const id = place.newId();
      const words = [...place.runtime.command, "--root", place.stateRoot, "create", "--bundle", "bundle", id];
      const options = { cwd: join(place.bundle, "..") };
      const { code } = await call(["sh", "-c", 'exec "$@" >out.txt 2>&1', "sh", ...words], options);
      assertEquals(code, 0, Deno.readTextFileSync(place.path("out.txt")));
      assertEquals((await place.state(id))["bundle"], place.bundle);
      await place.ok("delete", "--force", id);
    },
  },
  {
    rule: "runtime.md/state: annotations are those of the configuration",
    tried: async (place) => {
      const annotations = { "org.example.key": "value", "org.example.empty": "" };
      const state = await place.state(await place.create({ annotations }));
      const given = Object.entries(state["annotations"] ?? {}).filter(([key]) => key.startsWith("org.example"));
      assertEquals(Object.fromEntries(given), annotations);
    },
  },
  {
    rule: "runtime.md/state: without annotations there is none, or an empty map",
    tried: async (place) => {
      const state = await place.state(await place.create());
      const own = Object.keys(state["annotations"] ?? {}).filter((key) => !key.startsWith("run.oci."));
      assertEquals(own, []);
    },
  },
  {
    rule: "runtime.md/lifecycle: create makes the environment: namespaces, mounts and root are there before start",
    tried: async (place) => {
      const id = await place.create((place) => ({ mounts: [place.outMount], hostname: "conform" }));
      const pid = await place.pid(id);
      for (const name of ["mnt", "pid", "net", "ipc", "uts"]) {
        assertNotEquals(Deno.readLinkSync(`/proc/${pid}/ns/${name}`), Deno.readLinkSync(`/proc/self/ns/${name}`));
      }
      assertMatch(Deno.readTextFileSync(`/proc/${pid}/mountinfo`), / \/out /);
      assert(existsSync(`/proc/${pid}/root/bin/busybox`));
      assertEquals((await call(["nsenter", "-t", String(pid), "-u", "hostname"])).stdout, "conform\n");
    },
  },
  {
    rule: "runtime.md/lifecycle: what cannot be made as configured is an error of create",
    change: { mounts: [{ destination: "/x", type: "no-such-filesystem", source: "x" }] },
    refused: "no-such-filesystem",
  },
  {
    rule: "runtime.md/lifecycle: create does not run the command",
    tried: async (place) => {
      const id = await place.create((place) => ({
        mounts: [place.outMount],
        process: { args: ["sh", "-c", "echo ran; touch /out/ran"] },
      }));
      await new Promise((done) => setTimeout(done, 50));
      assertEquals([place.output(id), existsSync(place.path("out/ran"))], ["", false]);
    },
  },
  {
    rule: "runtime.md/lifecycle: a change of config.json after create has no effect",
    tried: async (place) => {
      const id = await place.create({ process: { args: ["echo", "first"] }, annotations: { "org.example": "first" } });
      await place.write({ process: { args: ["echo", "second"] }, annotations: { "org.example": "second" } });
      await place.ok("start", id);
      assertEquals(await place.waitForOutput(id, /\n/), "first\n");
      assertMatch(JSON.stringify(await place.state(id)), /"org.example":"first"/);
    },
  },
  {
    rule:
      "runtime.md/lifecycle: a config.json that is gone after create is not missed by start, state, kill and delete",
    tried: async (place) => {
      const id = await place.create({ process: { args: ["sleep", "4413"] } });
      Deno.removeSync(join(place.bundle, "config.json"));
      await place.ok("start", id);
      assertEquals((await place.state(id))["status"], "running");
      await place.ok("kill", id, "KILL");
      await place.waitForStatus(id, "stopped");
      await place.ok("delete", id);
    },
  },
  {
    rule: "runtime.md/lifecycle: start runs the command, once",
    tried: async (place) => {
      const id = await place.start("echo ran");
      await place.waitForStatus(id, "stopped");
      assertEquals(place.output(id), "ran\n");
    },
  },
  {
    rule: "runtime.md/lifecycle: a process that crashes is a stopped container",
    tried: async (place) => {
      // Its own signal would not reach the first process of a pid namespace.
      const id = await place.start("kill -SEGV $$; exit", { linux: { namespaces: namespacesBut("pid") } });
      await place.waitForStatus(id, "stopped");
    },
  },
  {
    rule: "runtime.md/lifecycle: delete undoes what create did: state, cgroups and processes are gone",
    tried: async (place) => {
      const name = place.newId();
      const id = await place.start(SLEEP, { linux: { cgroupsPath: `/${name}` } });
      const pid = await place.pid(id);
      assertNotEquals(place.findCgroups(name), []);
      await place.ok("kill", id, "KILL");
      await place.waitForStatus(id, "stopped");
      await place.ok("delete", id);
      assertEquals([place.findCgroups(name), place.knows(id), isAlive(pid)], [[], false, false]);
    },
    needs: ["cgroup"],
  },
  {
    rule: "runtime.md/errors: a create that fails leaves all as if it was never tried",
    tried: async (place) => {
      const name = place.newId();
      await place.write({
        process: { args: ["/no/such/program"] },
        linux: { cgroupsPath: `/${name}`, namespaces: namespacesBut("network", { type: "network" }) },
      });
      const config = Deno.readTextFileSync(join(place.bundle, "config.json"));
      const { id, code } = await place.tryCreate();
      assert(code !== 0);
      assertEquals([place.findCgroups(name), place.knows(id)], [[], false]);
      assertEquals(Deno.readTextFileSync(join(place.bundle, "config.json")), config);
      assert(!Deno.readTextFileSync("/proc/self/mounts").includes(place.bundle));
      await place.create({}, { id });
    },
  },
  {
    rule: "runtime.md/query-state: without an id it is an error",
    tried: async (place) => void await place.fails("state"),
  },
  {
    rule: "runtime.md/query-state: a container that does not exist is an error",
    tried: async (place) => void await place.fails("state", place.newId()),
  },
  {
    rule: "runtime.md/query-state: it gives the state as JSON, and changes nothing",
    tried: async (place) => {
      const id = await place.create();
      assertEquals(await place.state(id), await place.state(id));
    },
  },
  {
    rule: "runtime.md/create: without an id it is an error",
    tried: async (place) => {
      await place.write();
      await place.fails("create", "--bundle", place.bundle);
    },
  },
  {
    rule: "runtime.md/create: a bundle that is not there is an error",
    tried: async (place) => {
      const id = place.newId();
      await place.fails("create", "--bundle", place.path("nowhere"), id);
      assert(!place.knows(id));
    },
  },
  {
    rule: "runtime.md/create: a bundle without a config.json is an error",
    tried: async (place) => {
      const id = place.newId();
      await place.fails("create", "--bundle", place.bundle, id);
      assert(!place.knows(id));
    },
  },
  {
    rule: "runtime.md/create: an id that is taken is an error, and makes no new container of it",
    tried: async (place) => {
      const id = await place.create();
      const before = await place.state(id);
      assert((await place.tryCreate({ id })).code !== 0);
      assertEquals(await place.state(id), before);
    },
  },
  {
    rule: "runtime.md/create: an id is taken while its container runs, and when it has stopped",
    tried: async (place) => {
      const running = await place.start(SLEEP);
      const ended = await stopped(place);
      for (const id of [running, ended]) assert((await place.tryCreate({ id })).code !== 0);
      assertEquals((await place.state(running))["status"], "running");
      assertEquals((await place.state(ended))["status"], "stopped");
    },
  },
  ...["", ".", "..", "../up", "a/b", "a b", "a\n"].map((id) => ({
    rule: `runtime.md/create: an id that is not valid is an error: ${JSON.stringify(id)}` as const,
    tried: async (place: Place) => {
      await place.write();
      assert((await place.tryCreate({ id })).code !== 0);
      assert(!existsSync(place.path("up")));
    },
  })),
  {
    rule: "runtime.md/create: the status afterwards is created",
    tried: async (place) => assertEquals((await place.state(await place.create()))["status"], "created"),
  },
  {
    rule: "runtime.md/create: of many at once with one id exactly one makes a container",
    tried: async (place) => {
      await place.write();
      const id = place.newId();
      const all = await Promise.all(Array.from({ length: 4 }, () => place.tryCreate({ id })));
      assertEquals(all.filter(({ code }) => code === 0).length, 1);
      assertEquals((await place.state(id))["status"], "created");
    },
  },
  {
    rule: "runtime.md/start: without an id it is an error",
    tried: async (place) => void await place.fails("start"),
  },
  {
    rule: "runtime.md/start: a container that does not exist is an error",
    tried: async (place) => void await place.fails("start", place.newId()),
  },
  {
    rule: "runtime.md/start: one that runs is an error, and has no effect",
    tried: async (place) => {
      const id = await place.start(SLEEP);
      await failsWithoutEffect(place, id, "start", id);
    },
  },
  {
    rule: "runtime.md/start: one that has stopped is an error, and has no effect",
    tried: async (place) => {
      const id = await stopped(place);
      await failsWithoutEffect(place, id, "start", id);
    },
  },
  {
    rule: "runtime.md/start: a configuration without a process is an error there at the latest",
    tried: async (place) => {
      await place.write();
      const file = join(place.bundle, "config.json");
      const { process: _, ...config } = JSON.parse(Deno.readTextFileSync(file)) as Record<string, unknown>;
      Deno.writeTextFileSync(file, JSON.stringify(config));
      const { id, code } = await place.tryCreate();
      if (code === 0) await place.fails("start", id);
    },
  },
  {
    rule: "runtime.md/start: the status afterwards is running",
    tried: async (place) => assertEquals((await place.state(await place.start(SLEEP)))["status"], "running"),
  },
  {
    rule: "runtime.md/start: of many at once one starts it, and the command runs once",
    tried: async (place) => {
      const id = await place.create({ process: { args: ["sh", "-c", `echo ran; ${SLEEP}`] } });
      const all = await Promise.all(Array.from({ length: 4 }, () => place.verb(["start", id])));
      assertEquals(all.filter(({ code }) => code === 0).length, 1);
      await place.waitForOutput(id, /\n/);
      assertEquals(place.output(id), "ran\n");
    },
  },
  {
    rule: "runtime.md/kill: without an id it is an error",
    tried: async (place) => void await place.fails("kill"),
  },
  {
    rule: "runtime.md/kill: a container that does not exist is an error",
    tried: async (place) => void await place.fails("kill", place.newId(), "KILL"),
  },
  {
    rule: "runtime.md/kill: one that has stopped is an error, and nothing changes",
    tried: async (place) => {
      const id = await stopped(place);
      await failsWithoutEffect(place, id, "kill", id, "KILL");
    },
  },
  {
    rule: "runtime.md/kill: a signal that there is not is an error, and nothing changes",
    tried: async (place) => {
      const id = await place.start(SLEEP);
      await failsWithoutEffect(place, id, "kill", id, "NOSUCH");
    },
  },
  {
    rule: "runtime.md/kill: it sends the signal that is named to the process, by name, long name or number",
    tried: async (place) => {
      const script = "trap 'echo usr1' USR1; trap 'echo usr2' USR2; trap 'echo hup' HUP; echo ready; " +
        "while true; do sleep 0.02; done";
      const id = await place.start(script);
      await place.waitForOutput(id, /ready/);
      for (const [signal, word] of [["USR1", /usr1/], ["SIGUSR2", /usr2/], ["1", /hup/]] as const) {
        await place.ok("kill", id, signal);
        await place.waitForOutput(id, word);
      }
      await place.ok("kill", id, "9");
      await place.waitForStatus(id, "stopped");
    },
  },
  {
    rule: "runtime.md/kill: it reaches a container that is created and not started, which is stopped then",
    tried: async (place) => {
      const id = await place.create();
      await place.ok("kill", id, "KILL");
      await place.waitForStatus(id, "stopped");
      await place.fails("start", id);
    },
  },
  {
    rule: "runtime.md/delete: without an id it is an error",
    tried: async (place) => void await place.fails("delete"),
  },
  {
    rule: "runtime.md/delete: a container that does not exist is an error",
    tried: async (place) => void await place.fails("delete", place.newId()),
  },
  {
    rule: "runtime.md/delete: one that runs is an error, and has no effect",
    tried: async (place) => {
      const id = await place.start(SLEEP);
      await failsWithoutEffect(place, id, "delete", id);
    },
  },
  {
    rule: "runtime.md/delete: one that is created and not started is an error, and has no effect",
    tried: async (place) => {
      const id = await place.create();
      await failsWithoutEffect(place, id, "delete", id);
    },
  },
  {
    rule: "runtime.md/delete: what create did not make stays: root filesystem, bundle, sources of mounts, namespaces",
    tried: async (place) => {
      const holder = new Deno.Command("unshare", { args: ["-n", "sleep", "4414"], stdin: "null" }).spawn();
      place.defer(async () => {
        holder.kill("SIGKILL");
        await holder.status;
      });
      const path = `/proc/${holder.pid}/ns/net`;
      await waitFor("its namespace", () => Deno.readLinkSync(path) !== Deno.readLinkSync("/proc/self/ns/net"));
      const before = Deno.readLinkSync(path);
      place.file("out/kept", "x");
      const id = await place.start("exit 0", {
        mounts: [place.outMount],
        linux: { namespaces: namespacesBut("network", { type: "network", path }) },
      });
      await place.waitForStatus(id, "stopped");
      await place.ok("delete", id);
      assertEquals(Deno.readLinkSync(path), before);
      for (const kept of ["out/kept", "bundle/config.json", "bundle/rootfs/bin/busybox"]) {
        assert(existsSync(place.path(kept)), kept);
      }
    },
  },
  {
    rule: "runtime.md/delete: afterwards another container may have the id",
    tried: async (place) => {
      const id = await stopped(place);
      await place.ok("delete", id);
      await place.create({}, { id });
      assertEquals((await place.state(id))["status"], "created");
    },
  },
]);
