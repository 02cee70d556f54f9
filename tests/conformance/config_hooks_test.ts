/**
 * config.md of the OCI runtime specification: POSIX-platform Hooks; and what runtime.md's lifecycle says of them.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { existsSync } from "@std/fs";
import { waitFor } from "../support/box.ts";
import type { Change, Fields } from "./base_config.ts";
import { conform, type Refused, type Tried } from "./conform.ts";
import type { Place } from "./place.ts";

/** In the order in which they are called; the last three are called by start and delete. */
const NAMES = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;

type Name = typeof NAMES[number];

/**
 * A hook that runs a script; those that are resolved in the container find the shell there as well. It reads the state
 * to its end: not every runtime goes on when a hook does not.
 */
function shell(script: string, more: Fields = {}): Fields {
  return { path: "/bin/sh", args: ["sh", "-c", `state=$(cat); ${script}`], ...more };
}

/** A hook that appends a word to the place's log, by its path on the host or in the container. */
function note(place: Place, name: Name, word: string = name): Fields {
  return shell(`echo ${word} >>${name === "startContainer" ? "/out" : place.path("out")}/log`);
}

function readLog(place: Place): string[] {
  return existsSync(place.path("out/log")) ? Deno.readTextFileSync(place.path("out/log")).trim().split("\n") : [];
}

const withHooks =
  (make: (place: Place) => Fields, args: readonly string[] = ["sleep", "4430"]) => (place: Place): Change => ({
    mounts: [place.outMount],
    process: { args },
    hooks: make(place),
  });

/** A hook of each kind saves what it reads. */
function saveStates(place: Place): Fields {
  return Object.fromEntries(NAMES.map((name) => {
    const directory = name === "startContainer" ? "/out" : place.path("out");
    return [name, [shell(`echo "$state" >${directory}/${name}.json`)]];
  }));
}

/** The whole life of a container whose hooks save their states; its id. */
async function live(place: Place, hooks: (place: Place) => Fields): Promise<string> {
  const id = await place.create(withHooks(hooks));
  await place.ok("start", id);
  await place.ok("kill", id, "KILL");
  await place.waitForStatus(id, "stopped");
  await place.ok("delete", id);
  return id;
}

const STATUSES: Readonly<Record<Name, RegExp>> = {
  prestart: /^(creating|created)$/,
  createRuntime: /^(creating|created)$/,
  createContainer: /^(creating|created)$/,
  startContainer: /^(created|running)$/,
  poststart: /^running$/,
  poststop: /^stopped$/,
};

conform([
  {
    rule: "config.md/hooks: prestart, createRuntime and createContainer are called by create, in that order",
    hooks: true,
    tried: async (place) => {
      await place.create(withHooks((place) => Object.fromEntries(NAMES.map((name) => [name, [note(place, name)]]))));
      assertEquals(readLog(place), NAMES.slice(0, 3));
    },
  },
  {
    rule: "config.md/hooks: startContainer and poststart are called by start, around the command's beginning",
    hooks: true,
    tried: async (place) => {
      const hooks = (place: Place) => Object.fromEntries(NAMES.map((name) => [name, [note(place, name)]]));
      const id = await place.create(withHooks(hooks));
      await place.ok("start", id);
      assertEquals(readLog(place), NAMES.slice(0, 5));
    },
  },
  {
    rule: "config.md/hooks: poststop is called by delete, before it returns",
    hooks: true,
    tried: async (place) => {
      await live(place, (place) => Object.fromEntries(NAMES.map((name) => [name, [note(place, name)]])));
      assertEquals(readLog(place), [...NAMES]);
    },
  },
  ...NAMES.map((name): Tried => ({
    rule: `config.md/hooks: several are called in the listed order: ${name}`,
    hooks: true,
    tried: async (place) => {
      await live(place, (place) => ({ [name]: ["1", "2", "3"].map((word) => note(place, name, word)) }));
      assertEquals(readLog(place), ["1", "2", "3"]);
    },
  })),
  ...NAMES.map((name): Tried => ({
    rule: `config.md/hooks: the state is on standard input: ${name}`,
    hooks: true,
    tried: async (place) => {
      const id = await live(place, (place) => ({ [name]: saveStates(place)[name] }));
      const state = JSON.parse(Deno.readTextFileSync(place.path(`out/${name}.json`))) as Fields;
      assertEquals([state["id"], state["bundle"]], [id, place.bundle]);
      assertMatch(String(state["status"]), STATUSES[name]);
      if (name !== "poststop") assert(Number(state["pid"]) > 0);
    },
  })),
  ...(["prestart", "createRuntime", "poststart", "poststop"] as const).map((name): Tried => ({
    rule: `config.md/hooks: it is called in the runtime's namespaces: ${name}`,
    hooks: true,
    tried: async (place) => {
      await live(
        place,
        (place) => ({ [name]: [shell(`readlink /proc/self/ns/uts /proc/self/ns/mnt >${place.path("out/ns")}`)] }),
      );
      const uts = Deno.readTextFileSync(place.path("out/ns")).split("\n")[0];
      assertEquals(uts, Deno.readLinkSync("/proc/self/ns/uts"));
    },
  })),
  {
    rule: "config.md/hooks: createContainer is called in the container's namespaces, before the root is changed",
    hooks: true,
    tried: async (place) => {
      const id = await place.create(withHooks((place) => ({
        createContainer: [shell(`readlink /proc/self/ns/uts /proc/self/ns/mnt >${place.path("out/ns")}`)],
      })));
      const pid = await place.pid(id);
      const own = ["uts", "mnt"].map((file) => `${Deno.readLinkSync(`/proc/${pid}/ns/${file}`)}\n`).join("");
      assertEquals(Deno.readTextFileSync(place.path("out/ns")), own);
    },
  },
  {
    rule: "config.md/hooks: startContainer is called in the container, before its command",
    hooks: true,
    tried: async (place) => {
      const hooks = () => ({ startContainer: [shell("ls /bin/busybox >/out/log; hostname >>/out/log")] });
      const change = withHooks(hooks, ["sh", "-c", "echo command >>/out/log"]);
      const id = await place.create((place) => ({ ...change(place), hostname: "conform" }));
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      assertEquals(readLog(place), ["/bin/busybox", "conform", "command"]);
    },
  },
  {
    rule: "config.md/hooks: poststart is called when the command runs, before start returns",
    hooks: true,
    tried: async (place) => {
      const id = await place.create(withHooks((place) => ({
        poststart: [
          shell(
            `pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/' | tr -d '\\n ' ); sleep 0.1; echo called >>${
              place.path("out/log")
            }`,
          ),
        ],
      })));
      await place.ok("start", id);
      assertEquals(readLog(place), ["called"]);
    },
  },
  {
    rule: "config.md/hooks: args are the words, the first the name; env is the environment, and no more",
    hooks: true,
    tried: async (place) => {
      const file = place.path("out/said");
      const env = ["A=b c", "D="];
      await place.create(withHooks(() => ({
        createRuntime: [{
          path: "/bin/sh",
          args: ["named", "-c", `cat >/dev/null; echo $0 $1 >${file}; /usr/bin/env >>${file}`, "x", "y"],
          env,
        }],
      })));
      const lines = Deno.readTextFileSync(file).trim().split("\n");
      assertEquals(lines[0], "x y");
      assertEquals(lines.slice(1).filter((line) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(line)).sort(), ["A=b c", "D="]);
    },
  },
  {
    rule: "config.md/hooks: a path that is not absolute is an error",
    hooks: true,
    change: { hooks: { createRuntime: [{ path: "bin/true" }] } },
    refused: "hooks.createRuntime[0].path",
  },
  {
    rule: "config.md/hooks: path is required",
    hooks: true,
    change: { hooks: { prestart: [{}] } },
    refused: "hooks.prestart[0].path",
  },
  ...[0, -1].map((timeout): Refused => ({
    rule: `config.md/hooks: timeout is greater than zero, and ${timeout} is an error`,
    hooks: true,
    change: { hooks: { createRuntime: [{ path: "/bin/true", timeout }] } },
    refused: "hooks.createRuntime[0].timeout",
  })),
  {
    rule: "config.md/hooks: one that takes longer than its timeout is ended, and has failed",
    hooks: true,
    change: { hooks: { createRuntime: [shell("exec sleep 4431", { timeout: 1 })] } },
    refused: "hooks.createRuntime[0]",
  },
  ...(["prestart", "createRuntime", "createContainer"] as const).map((name): Refused => ({
    rule: `runtime.md/lifecycle: a ${name} hook that fails is an error of create, and the container goes`,
    hooks: true,
    change: { hooks: { [name]: [shell("exit 3")] } },
    refused: `hooks.${name}[0]`,
  })),
  {
    rule: "runtime.md/lifecycle: when a hook of create fails poststop is called",
    hooks: true,
    tried: async (place) => {
      await place.write(withHooks((place) => ({
        createRuntime: [shell("exit 3")],
        poststop: [note(place, "poststop")],
      })));
      assert((await place.tryCreate()).code !== 0);
      assertEquals(readLog(place), ["poststop"]);
    },
  },
  {
    rule: "runtime.md/lifecycle: a startContainer hook that fails is an error of start, and the command does not run",
    hooks: true,
    tried: async (place) => {
      const change = withHooks(() => ({ startContainer: [shell("exit 3")] }), ["sh", "-c", "echo ran >>/out/log"]);
      const id = await place.create(change);
      await place.fails("start", id);
      assertEquals(readLog(place), []);
      if (place.knows(id)) await place.waitForStatus(id, "stopped");
    },
  },
  {
    rule: "runtime.md/lifecycle: a poststart hook that fails is an error of start, and the container is stopped",
    since: "1.3",
    hooks: true,
    tried: async (place) => {
      const id = await place.create(withHooks(() => ({ poststart: [shell("exit 3")] })));
      const pid = await place.pid(id);
      await place.fails("start", id);
      await waitFor("its end", () => !isAlive(pid));
    },
  },
  {
    rule: "runtime.md/lifecycle: a poststop hook that fails is a warning, and the others are called",
    hooks: true,
    tried: async (place) => {
      const id = await live(place, (place) => ({ poststop: [shell("exit 3"), note(place, "poststop", "second")] }));
      assertEquals(readLog(place), ["second"]);
      assert(!place.knows(id));
    },
  },
]);

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
