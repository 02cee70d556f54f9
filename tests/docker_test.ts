/**
 * Docker on top of paddock, and the same on top of runc: what is seen is the same.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Box } from "./support/box.ts";
import { type Engine, IMAGE, type Seen, startDocker } from "./support/engines.ts";
import { call, type Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

/** `docker` and the runtime that containers are to have. */
interface Client {
  readonly docker: Engine;
  readonly runtime: string;
  readonly box: Box;
}

/** A case, and what must be seen on each runtime alike. */
interface Case {
  readonly name: string;
  readonly expected: unknown;
  readonly look: (client: Client) => Promise<unknown>;
}

const CASES: readonly Case[] = [
  {
    name: "run gives output and exit code",
    expected: { code: 4, out: "hello" },
    look: (client) => run(client, [], "echo hello; exit 4"),
  },
  {
    name: "run -t has a terminal",
    expected: "/dev/pts/0",
    look: async ({ docker, runtime, box }) => {
      const words = docker.command(["run", "--rm", "-t", "--network=none", `--runtime=${runtime}`, IMAGE, "tty"]);
      const command = words.map((word) => `'${word}'`).join(" ");
      const { stdout } = await call(["script", "-qec", command, box.path("typescript")]);
      return stdout.replaceAll("^@", "").trim();
    },
  },
  {
    name: "a command that is not there is 127, one that cannot be executed 126",
    expected: [127, 126],
    look: async (client) => [(await start(client, [], "nosuch")).code, (await start(client, [], "/etc")).code],
  },
  {
    name: "exec, its user, directory, variables and exit codes",
    expected: [{ code: 3, out: "5 /tmp x" }, 126],
    look: (client) =>
      inContainer(client, [], async ({ docker }) => [
        seen(
          await docker("exec", "-u5", "-w/tmp", "-eA=x", "one", "sh", "-c", "echo $(id -u) $PWD $A; exit 3"),
        ),
        (await docker("exec", "one", "nosuch")).code,
      ]),
  },
  {
    name: "pause, unpause, update, top, stats, restart and stop",
    expected: ["paused", "running", { code: 0, out: "33554432" }, "sleep 4421", true, "running", "exited 137"],
    look: (client) =>
      inContainer(client, ["--memory=64m"], async ({ docker }) => {
        const after = async (...words: string[]) => {
          await docker(...words, "one");
          return (await docker("inspect", "--format={{.State.Status}}", "one")).stdout.trim();
        };
        const paused = await after("pause");
        const running = await after("unpause");
        await docker("update", "--memory=32m", "--memory-swap=-1", "one");
        const files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max";
        return [
          paused,
          running,
          seen(await docker("exec", "one", "sh", "-c", `cat ${files} 2>/dev/null || true`)),
          /^\d+ +(.*)$/m.exec((await docker("top", "one", "-o", "pid,args")).stdout)?.[1],
          (await docker("stats", "--no-stream", "--format={{.MemUsage}}", "one")).stdout.includes("/ 32MiB"),
          await after("restart", "--time=0"),
          `${await after("stop", "--time=0")} ${
            (await docker("inspect", "--format={{.State.ExitCode}}", "one")).stdout.trim()
          }`,
        ];
      }),
  },
  {
    name: "--init, a read-only root, volumes, capabilities and the default seccomp filter",
    expected: { code: 0, out: "docker-init\nrefused\ngiven\nCapEff:\t0000000000000400\nSeccomp:\t2" },
    look: (client) => {
      const file = client.box.file("given", "given\n");
      return run(
        client,
        ["--init", "--read-only", `--volume=${file}:/given:ro`, "--cap-drop=all", "--cap-add=net_bind_service"],
        "cat /proc/1/comm; touch /x 2>/dev/null || echo refused; cat /given; grep -E 'CapEff|Seccomp:' /proc/self/status",
      );
    },
  },
  {
    name: "logs of both streams",
    expected: ["one", "two"],
    look: (client) =>
      inContainer(client, [], async ({ docker }) => {
        await docker("wait", "one");
        const { stdout, stderr } = await docker("logs", "one");
        return [stdout.trim(), stderr.trim()];
      }, "echo one; echo two >&2"),
  },
];

for (const runtime of ["paddock", "runc"]) {
  Deno.test({
    name: `docker on ${runtime}`,
    ...requires("root", "cgroup", "tool:dockerd", "tool:busybox", "peer:runc"),
    fn: async (context) => {
      using box = await Box.make();
      await using docker = await startDocker(box);
      for (const { name, expected, look } of CASES) {
        await context.step(name, async () => assertEquals(await look({ docker, runtime, box }), expected));
      }
    },
  });
}

function start({ docker, runtime }: Client, flags: readonly string[], ...words: readonly string[]): Promise<Outcome> {
  return docker("run", "--rm", "--network=none", `--runtime=${runtime}`, ...flags, IMAGE, ...words);
}

/** What a script says in a container that goes with it. */
async function run(client: Client, flags: readonly string[], script: string): Promise<Seen> {
  return seen(await start(client, flags, "sh", "-c", script));
}

/** Looks at a container in the background, and removes it. */
async function inContainer<T>(
  client: Client,
  flags: readonly string[],
  look: (client: Client) => Promise<T>,
  script = "exec sleep 4421",
): Promise<T> {
  const { docker, runtime } = client;
  const words = ["--name=one", "--network=none", `--runtime=${runtime}`, ...flags, IMAGE, "sh", "-c", script];
  const started = await docker("run", "-d", ...words);
  try {
    assertEquals(started.code, 0, started.stderr);
    return await look(client);
  } finally {
    await docker("rm", "--force", "one");
  }
}

function seen({ code, stdout, stderr }: Outcome): Seen {
  return { code, out: `${stdout}${code === 0 ? "" : stderr}`.trim().replaceAll("\r", "") };
}
