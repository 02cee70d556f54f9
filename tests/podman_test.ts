/**
 * podman on top of paddock, and the same on top of runc: what is seen is the same.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Box } from "./support/box.ts";
import { type Engine, IMAGE, type Seen, startPodman } from "./support/engines.ts";
import type { Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

/** Flags of every container that is in no pod. */
const PLAIN = ["--network=none"];

/** A case: calls podman, and gives what must be seen, on each runtime alike. */
interface Case {
  readonly name: string;
  readonly expected: unknown;
  readonly look: (podman: Engine, box: Box) => Promise<unknown>;
}

const CASES: readonly Case[] = [
  {
    name: "run gives output and exit code",
    expected: { code: 7, out: "hello" },
    look: (podman) => run(podman, [], "echo hello; exit 7"),
  },
  {
    name: "run -t has a terminal",
    expected: { code: 0, out: "/dev/pts/0" },
    look: (podman) => run(podman, ["-t"], "tty"),
  },
  {
    name: "a command that is not there is 127, one that cannot be executed 126",
    expected: [127, 126],
    look: async (podman) => {
      const of = async (command: string) => (await podman("run", "--rm", ...PLAIN, IMAGE, command)).code;
      return [await of("nosuch"), await of("/etc")];
    },
  },
  {
    name: "exec, exec -t and its exit codes",
    expected: [{ code: 3, out: "in" }, { code: 0, out: "/dev/pts/0" }, 127, { code: 0, out: "5 /tmp x" }],
    look: (podman) =>
      inContainer(podman, [], async (name) => [
        seen(await podman("exec", name, "sh", "-c", "echo in; exit 3")),
        seen(await podman("exec", "-t", name, "tty")),
        (await podman("exec", name, "nosuch")).code,
        seen(await podman("exec", "-u", "5", "-w", "/tmp", "-e", "A=x", name, "sh", "-c", "echo $(id -u) $PWD $A")),
      ]),
  },
  {
    name: "pause, unpause, stop and restart",
    expected: ["paused", "running", "running", "exited 137"],
    look: (podman) =>
      inContainer(podman, [], async (name) => {
        const after = async (...words: string[]) => {
          await podman(...words, name);
          return (await podman("inspect", "--format", "{{.State.Status}}", name)).stdout.trim();
        };
        return [
          await after("pause"),
          await after("unpause"),
          await after("restart", "-t", "0"),
          `${await after("stop", "-t", "0")} ${
            (await podman("inspect", "--format", "{{.State.ExitCode}}", name)).stdout.trim()
          }`,
        ];
      }),
  },
  {
    name: "kill with a signal that the command takes",
    expected: { code: 0, out: "12" },
    look: (podman) =>
      inContainer(podman, [], async (name) => {
        await podman("exec", name, "true");
        await podman("kill", "--signal", "TERM", name);
        return seen(await podman("wait", name));
      }, "trap 'exit 12' TERM; while :; do sleep 0.05; done"),
  },
  {
    name: "logs has both streams",
    expected: ["one", "two"],
    look: (podman) =>
      inContainer(podman, [], async (name) => {
        await podman("wait", name);
        const { stdout, stderr } = await podman("logs", name);
        return [stdout.trim(), stderr.trim()];
      }, "echo one; echo two >&2"),
  },
  {
    name: "a health check that is run by hand",
    expected: [0, 1],
    look: (podman) =>
      inContainer(podman, ["--health-cmd=test ! -e /tmp/bad", "--health-interval=disable"], async (name) => {
        const well = (await podman("healthcheck", "run", name)).code;
        await podman("exec", name, "touch", "/tmp/bad");
        return [well, (await podman("healthcheck", "run", name)).code];
      }),
  },
  {
    name: "--init puts an init before the command",
    expected: { code: 4, out: "podman-init" },
    look: (podman) => run(podman, ["--init"], "cat /proc/1/comm; exit 4"),
  },
  {
    name: "volumes that may and may not be written, and a tmpfs",
    expected: [{ code: 0, out: "given\ntmpfs 1024k" }, "written"],
    look: async (podman, box) => {
      const [read, write] = [box.directory("read"), box.directory("write")];
      Deno.writeTextFileSync(`${read}/file`, "given\n");
      const flags = [`--volume=${read}:/read:ro`, `--volume=${write}:/write`, "--tmpfs=/scratch:size=1m"];
      const script = "cat /read/file; ! touch /read/x 2>/dev/null || echo bad; echo written >/write/file; " +
        "sed -n 's/.* .scratch \\(tmpfs\\) .*size=\\([^, ]*\\).*/\\1 \\2/p' /proc/mounts";
      return [await run(podman, flags, script), Deno.readTextFileSync(`${write}/file`).trim()];
    },
  },
  {
    name: "limits of memory, processes and time",
    expected: { code: 0, out: "67108864\n77\n50000" },
    look: (podman) =>
      run(
        podman,
        ["--memory=64m", "--pids-limit=77", "--cpus=0.5"],
        "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us 2>/dev/null || " +
          "cut -d' ' -f1 memory.max pids.max cpu.max",
      ),
  },
  {
    name: "capabilities as asked for, and none gained",
    expected: { code: 0, out: "CapEff:\t0000000000000400\nNoNewPrivs:\t1" },
    look: (podman) =>
      run(
        podman,
        ["--cap-drop=all", "--cap-add=net_bind_service", "--security-opt=no-new-privileges"],
        "grep -E 'CapEff|NoNewPrivs' /proc/self/status",
      ),
  },
  {
    name: "podman's default seccomp filter is in force, and off where asked",
    expected: [{ code: 0, out: "Seccomp:\t2" }, { code: 0, out: "Seccomp:\t0" }],
    look: async (podman) => [
      await run(podman, [], "grep Seccomp: /proc/self/status"),
      await run(podman, ["--security-opt=seccomp=unconfined"], "grep Seccomp: /proc/self/status"),
    ],
  },
  {
    name: "ids of a user namespace",
    expected: { code: 0, out: "0 200000 1000\n0 300000 1000\n0 0\n1" },
    look: (podman) =>
      run(
        podman,
        ["--uidmap=0:200000:1000", "--gidmap=0:300000:1000"],
        "cd /proc/self; sed 's/  */ /g;s/^ //' uid_map gid_map; stat -c '%u %g' /bin; touch /x && echo 1",
      ),
  },
  {
    name: "a root filesystem that is read-only, with places that are not",
    expected: { code: 0, out: "refused\nwritten" },
    look: (podman) =>
      run(podman, ["--read-only"], "touch /x 2>/dev/null || echo refused; echo written >/tmp/x; cat /tmp/x"),
  },
  {
    name: "hostname, environment, working directory and user",
    expected: { code: 0, out: "host\n/var\nvalue\n7 8" },
    look: (podman) =>
      run(
        podman,
        ["--hostname=host", "--workdir=/var", "--env=A=value", "--user=7:8"],
        "hostname; pwd; echo $A; echo $(id -u) $(id -g)",
      ),
  },
  {
    name: "containers of a pod share network, IPC and host name",
    expected: [true, true, true, false],
    look: async (podman) => {
      await podman(
        "pod",
        "create",
        "--name=pod",
        "--network=none",
        `--infra-image=${IMAGE}`,
        "--infra-command=sleep 4404",
      );
      const start = (name: string) => podman("run", "-d", "--pod=pod", `--name=${name}`, IMAGE, "sleep", "4405");
      await start("a");
      await start("b");
      const of = async (name: string, kind: string) =>
        (await podman("exec", name, "readlink", `/proc/self/ns/${kind}`)).stdout;
      const same = async (kind: string) => {
        const first = await of("a", kind);
        return first !== "" && first === await of("b", kind);
      };
      const answer = [await same("net"), await same("ipc"), await same("uts"), await same("mnt")];
      await podman("pod", "rm", "--force", "--time=0", "pod");
      return answer;
    },
  },
  {
    name: "limits change while it runs, and it is listed with its processes",
    expected: [0, { code: 0, out: "33554432" }, true],
    look: (podman) =>
      inContainer(podman, ["--memory=64m"], async (name) => [
        (await podman("update", "--memory=32m", name)).code,
        seen(
          await podman(
            "exec",
            name,
            "sh",
            "-c",
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true",
          ),
        ),
        (await podman("top", name, "pid", "comm")).stdout.includes("sleep"),
      ]),
  },
  {
    name: "a container that is removed by force leaves nothing behind",
    expected: [0, ""],
    look: async (podman) => {
      await podman("run", "-d", "--name=gone", ...PLAIN, IMAGE, "sleep", "4406");
      return [
        (await podman("rm", "--force", "--time=0", "gone")).code,
        (await podman("ps", "-a", "-q", "--filter=name=gone")).stdout,
      ];
    },
  },
];

for (const runtime of ["paddock", "runc"]) {
  Deno.test({
    name: `podman on ${runtime}`,
    ...requires(
      "root",
      "tool:podman",
      "tool:busybox",
      "tool:catatonit",
      ...runtime === "runc" ? ["peer:runc" as const] : [],
    ),
    fn: async (context) => {
      using box = await Box.make();
      await using podman = await startPodman(box, runtime);
      for (const { name, expected, look } of CASES) {
        await context.step(name, async () => assertEquals(await look(podman, box), expected));
      }
    },
  });
}

/** What a script says in a container that goes with it. */
async function run(podman: Engine, flags: readonly string[], script: string): Promise<Seen> {
  return seen(await podman("run", "--rm", ...PLAIN, ...flags, IMAGE, "sh", "-c", script));
}

/** Looks at a container in the background, and removes it. */
async function inContainer<T>(
  podman: Engine,
  flags: readonly string[],
  look: (name: string) => Promise<T>,
  script = "exec sleep 4403",
): Promise<T> {
  const started = await podman("run", "-d", "--name=one", ...PLAIN, ...flags, IMAGE, "sh", "-c", script);
  try {
    assertEquals(started.code, 0, started.stderr);
    return await look("one");
  } finally {
    await podman("rm", "--force", "--time=0", "one");
  }
}

function seen({ code, stdout, stderr }: Outcome): Seen {
  return { code, out: `${stdout}${code === 0 ? "" : stderr}`.trim().replaceAll("\r", "") };
}
