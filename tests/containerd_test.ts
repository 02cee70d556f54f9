/**
 * containerd on top of paddock, and the same on top of runc: what is seen is the same.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Box, waitFor } from "./support/box.ts";
import { type Engine, IMAGE, runtimeFile, type Seen, startContainerd } from "./support/engines.ts";
import { call, type Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

/** `ctr` and the flags that choose the runtime. */
interface Client {
  readonly ctr: Engine;
  readonly flags: readonly string[];
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
    expected: { code: 7, out: "hello" },
    look: (client) => run(client, [], "echo hello; exit 7"),
  },
  {
    name: "run -t and exec -t have a terminal",
    expected: ["/dev/pts/0", "/dev/pts/0"],
    look: async (client) => {
      const { ctr, flags, box } = client;
      const inTerminal = async (...words: string[]) => {
        const command = ctr.command(words).map((word) => `'${word}'`).join(" ");
        return (await call(["script", "-qec", command, box.path("typescript")])).stdout.replaceAll("^@", "").split(
          /\r*\n/,
        )[0];
      };
      const first = await inTerminal("run", "--rm", "-t", ...flags, IMAGE, "terminal", "tty");
      await ctr("run", "-d", ...flags, IMAGE, "one", "sleep", "4410");
      const second = await inTerminal("tasks", "exec", "-t", "--exec-id", "e", "one", "tty");
      await remove(client, "one");
      return [first, second];
    },
  },
  {
    name: "a command that is not there is told in the words that containerd looks for",
    expected: [1, true],
    look: async ({ ctr, flags }) => {
      const { code, stderr } = await ctr("run", "--rm", ...flags, IMAGE, "missing", "nosuch");
      return [code, stderr.includes("executable file not found in $PATH")];
    },
  },
  {
    name: "environment, working directory and mounts of the command line",
    expected: { code: 0, out: "value\n/var\ngiven" },
    look: async (client) => {
      const file = client.box.file("given", "given\n");
      const flags = [
        "--env=A=value",
        "--cwd=/var",
        `--mount=type=bind,src=${file},dst=/given,options=rbind:ro`,
      ];
      return await run(client, flags, "echo $A; pwd; cat /given; ! touch /given 2>/dev/null || echo bad");
    },
  },
  {
    name: "a read-only root, the default seccomp filter, and no new privileges",
    expected: { code: 0, out: "refused\nNoNewPrivs:\t1\nSeccomp:\t2" },
    look: (client) =>
      run(
        client,
        ["--read-only", "--seccomp"],
        "touch /x 2>/dev/null || echo refused; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status",
      ),
  },
  {
    name: "exec and its exit code, in the container's namespaces",
    expected: [{ code: 5, out: "1" }, true],
    look: (client) =>
      inContainer(client, [], async ({ ctr }) => [
        seen(await ctr("tasks", "exec", "--exec-id=a", "one", "sh", "-c", "ls /proc | grep -cx 1; exit 5")),
        (await ctr("tasks", "exec", "--exec-id=b", "one", "nosuch")).stderr.includes(
          "executable file not found in $PATH",
        ),
      ]),
  },
  {
    name: "pause, resume, metrics, processes, kill and delete",
    expected: ["RUNNING", "PAUSED", "RUNNING", true, 1, "STOPPED", 137],
    look: (client) =>
      inContainer(client, [`--memory-limit=${64 * 1024 * 1024}`], async ({ ctr }) => {
        const status = () => statusOf(ctr);
        const first = await status();
        await ctr("tasks", "pause", "one");
        const paused = await status();
        await ctr("tasks", "resume", "one");
        const resumed = await status();
        const metrics = (await ctr("tasks", "metrics", "one")).stdout;
        const processes = (await ctr("tasks", "ps", "one")).stdout.trim().split("\n").slice(1);
        await ctr("tasks", "kill", "--signal=SIGKILL", "one");
        await waitForStop(ctr);
        return [
          first,
          paused,
          resumed,
          /^memory\.limit_in_bytes +67108864 *$|^memory\.usage_limit +67108864 *$/m.test(metrics),
          processes.length,
          await status(),
          exitOf(await ctr("tasks", "delete", "one")),
        ];
      }),
  },
  {
    name: "a signal that the command takes, and its exit code",
    expected: 12,
    look: (client) =>
      inContainer(client, [], async ({ ctr, box }) => {
        await waitFor("its trap", () => Deno.readTextFileSync(box.path("ready")) !== "");
        await ctr("tasks", "kill", "--signal=SIGTERM", "one");
        await waitForStop(ctr);
        return exitOf(await ctr("tasks", "delete", "one"));
      }, "trap 'exit 12' TERM; echo >/ready; while :; do sleep 0.05; done"),
  },
];

for (const runtime of ["paddock", "runc"]) {
  Deno.test({
    name: `containerd on ${runtime}`,
    ...requires(
      "root",
      "overlay",
      "tool:containerd",
      "tool:skopeo",
      "tool:umoci",
      `peer:${runtime === "runc" ? "runc" : "ctr"}`,
    ),
    fn: async (context) => {
      using box = await Box.make();
      await using ctr = await startContainerd(box);
      const roots = box.directory("roots");
      const flags = ["--runc-binary", runtimeFile(box, runtime), "--runc-root", roots];
      for (const { name, expected, look } of CASES) {
        await context.step(name, async () => assertEquals(await look({ ctr, flags, box }), expected));
      }
      assertEquals(listFiles(roots), [], "states of containers are left");
      assertMatch(Deno.readTextFileSync(box.path("containerd.log")), /successfully booted/);
    },
  });
}

/** What a script says in a container that goes with it. */
async function run({ ctr, flags }: Client, more: readonly string[], script: string): Promise<Seen> {
  return seen(await ctr("run", "--rm", ...flags, ...more, IMAGE, "short", "sh", "-c", script));
}

/** Looks at a container in the background, and removes it. It may write to the file `ready` of the box. */
async function inContainer<T>(
  client: Client,
  more: readonly string[],
  look: (client: Client) => Promise<T>,
  script = "exec sleep 4411",
): Promise<T> {
  const { ctr, flags, box } = client;
  const mount = `--mount=type=bind,src=${box.file("ready", "")},dst=/ready,options=rbind:rw`;
  const started = await ctr("run", "-d", ...flags, mount, ...more, IMAGE, "one", "sh", "-c", script);
  try {
    assertEquals(started.code, 0, started.stderr);
    return await look(client);
  } finally {
    await remove(client, "one");
  }
}

async function remove({ ctr }: Client, name: string): Promise<void> {
  await ctr("tasks", "delete", "--force", name);
  await ctr("containers", "delete", name);
}

async function statusOf(ctr: Engine): Promise<string | undefined> {
  return /^one +\d+ +(\w+)/m.exec((await ctr("tasks", "ls")).stdout)?.[1];
}

async function waitForStop(ctr: Engine): Promise<void> {
  for (let tries = 0; tries < 100 && await statusOf(ctr) !== "STOPPED"; tries++) { /* It asks a process each time. */ }
}

/** `ctr tasks delete` succeeds, and tells the exit code of the task where it is not 0. */
function exitOf({ stderr }: Outcome): number {
  return Number(/non-zero exit code (\d+)/.exec(stderr)?.[1] ?? 0);
}

function listFiles(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) =>
    isDirectory ? listFiles(`${directory}/${name}`) : [`${directory}/${name}`]
  );
}

function seen({ code, stdout, stderr }: Outcome): Seen {
  return { code, out: `${stdout}${code === 0 ? "" : stderr}`.trim().replaceAll("\r", "") };
}
