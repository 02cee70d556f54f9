/**
 * config.md of the OCI runtime specification: Process.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Fields, namespacesBut } from "./base_config.ts";
import { conform, type Refused } from "./conform.ts";
import type { Place } from "./place.ts";

/** What there is on a host with a security module. */
function hasModule(name: string): boolean {
  try {
    return Deno.readTextFileSync("/sys/kernel/security/lsm").split(",").includes(name);
  } catch {
    return false;
  }
}

/** A socket that takes a terminal and holds it until the place goes. */
function holdTerminals(place: Place): string {
  const path = place.path("console");
  const listener = Deno.listen({ transport: "unix", path });
  const taken: Deno.Conn[] = [];
  const accept = async (): Promise<void> => {
    for await (const one of listener) taken.push(one);
  };
  accept().catch(() => {});
  place.defer(() => {
    listener.close();
    taken.forEach((one) => one.close());
  });
  return path;
}

/** What a script on a terminal writes to `/out/said`. */
async function onTerminal(place: Place, script: string, process: Fields = {}): Promise<string> {
  const id = await place.create((place) => ({
    mounts: [place.outMount],
    process: { terminal: true, args: ["sh", "-c", `{ ${script}\n} >/out/said 2>&1`], ...process },
  }), { flags: ["--console-socket", holdTerminals(place)] });
  await place.ok("start", id);
  await place.waitForStatus(id, "stopped");
  return Deno.readTextFileSync(place.path("out/said"));
}

const STATUS = "cat /proc/self/status";
const ALL = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW"];

conform([
  {
    rule: "config.md/process/terminal: with it a new terminal is on all standard streams",
    tried: async (place) => {
      const id = await place.create((place) => ({
        mounts: [place.outMount],
        process: { terminal: true, args: ["sh", "-c", "for n in 0 1 2; do test -t $n && echo $n >>/out/said; done"] },
      }), { flags: ["--console-socket", holdTerminals(place)] });
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      assertEquals(Deno.readTextFileSync(place.path("out/said")), "0\n1\n2\n");
    },
  },
  {
    rule: "config.md/process/terminal: it is the process's controlling terminal",
    tried: async (place) => assertMatch(await onTerminal(place, ": </dev/tty && echo it"), /it/),
  },
  {
    rule: "config.md/process/terminal: without it standard streams are those that create had",
    script: "for n in 0 1 2; do test -t $n && echo $n; done; echo none",
    shows: "none",
  },
  {
    rule: "config.md/process/consoleSize: it is the size of the terminal",
    tried: async (place) => {
      const size = { consoleSize: { height: 31, width: 97 } };
      assertEquals(await onTerminal(place, "stty size </dev/tty", size), "31 97\n");
    },
  },
  {
    rule: "config.md/process/consoleSize: it is ignored without a terminal",
    change: { process: { consoleSize: { height: 31, width: 97 } } },
    taken: true,
  },
  {
    rule: "config.md/process/cwd: a relative path is an error",
    change: { process: { cwd: "tmp" } },
    refused: "process.cwd",
  },
  { rule: "config.md/process/cwd: it is required", change: { process: { cwd: undefined } }, refused: "process.cwd" },
  {
    rule: "config.md/process/args: one entry at least is required: none is",
    change: { process: { args: [] } },
    refused: "process.args",
  },
  {
    rule: "config.md/process/args: one entry at least is required: the field is not there",
    change: { process: { args: undefined } },
    refused: "process.args",
  },
  {
    rule: "config.md/process/args: they are the command's words, each as it is",
    tried: async (place) => {
      const args = ["printf", "<%s>", "a b", "", "$HOME", "ü\n"];
      const id = await place.create({ process: { args } });
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      assertEquals(place.output(id), "<a b><><$HOME><ü\n>");
    },
  },
  {
    rule: "config.md/process/args: a program without a slash is searched for in PATH of env",
    tried: async (place) => {
      Deno.mkdirSync(`${place.rootfs}/own`);
      Deno.writeTextFileSync(`${place.rootfs}/own/tool`, "#!/bin/sh\necho own\n", { mode: 0o755 });
      const id = await place.create({ process: { args: ["tool"], env: ["PATH=/nowhere:/own:/bin"] } });
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      assertEquals(place.output(id), "own\n");
    },
  },
  {
    rule: "config.md/process/args: a program with a slash is not searched for, and is relative to cwd",
    tried: async (place) => {
      const id = await place.create({ process: { args: ["./busybox", "echo", "here"], cwd: "/bin" } });
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      assertEquals(place.output(id), "here\n");
    },
  },
  {
    together: {
      process: { cwd: "/usr/bin", env: ["PATH=/bin", "A=b=c", "EMPTY=", "SPACE= x y "], noNewPrivileges: true },
    },
    all: [
      { rule: "config.md/process/cwd: it is the directory of the command", script: "pwd", shows: "/usr/bin" },
      {
        rule: "config.md/process/env: it is the environment, as it is",
        script: "/bin/tr '\\0' '\\n' </proc/1/environ",
        shows: (text) => {
          for (const entry of ["PATH=/bin", "A=b=c", "EMPTY=", "SPACE= x y "]) {
            assert(text.split("\n").includes(entry), text);
          }
        },
      },
      {
        rule: "config.md/process/env: nothing of the runtime's own environment is in it",
        script: "/bin/tr '\\0' '\\n' </proc/1/environ",
        shows: (text) => {
          const names = text.trim().split("\n").map((line) => line.split("=", 1)[0]);
          // Engines count on a home directory.
          assertEquals(names.filter((name) => name !== "HOME"), ["PATH", "A", "EMPTY", "SPACE"]);
        },
      },
      {
        rule: "config.md/process/noNewPrivileges: with it no_new_privs is set",
        script: STATUS,
        shows: /^NoNewPrivs:\t1$/m,
      },
    ],
  },
  {
    together: {
      process: {
        rlimits: [
          { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
          { type: "RLIMIT_CORE", soft: 0, hard: 0 },
          { type: "RLIMIT_NPROC", soft: 1000, hard: 2000 },
          { type: "RLIMIT_STACK", soft: 1048576, hard: 4194304 },
        ],
        oomScoreAdj: 500,
      },
    },
    all: [
      {
        rule: "config.md/process/rlimits: soft is the limit that getrlimit gives",
        script: "ulimit -Sn; ulimit -Sc; ulimit -Ss",
        shows: "100\n0\n1024",
      },
      {
        rule: "config.md/process/rlimits: hard is the ceiling that getrlimit gives",
        script: "ulimit -Hn; ulimit -Hc; ulimit -Hs",
        shows: "200\n0\n4096",
      },
      {
        rule: "config.md/process/rlimits: each that is listed is set",
        script: "cat /proc/1/limits",
        shows: /^Max processes +1000 +2000/m,
      },
      {
        rule: "config.md/process/oomScoreAdj: given, it is that of the process",
        script: "cat /proc/1/oom_score_adj",
        shows: "500",
      },
      {
        rule: "config.md/process/noNewPrivileges: without it no_new_privs is not set",
        script: STATUS,
        shows: /^NoNewPrivs:\t0$/m,
      },
    ],
  },
  {
    rule: "config.md/process/rlimits: a type twice is an error",
    change: {
      process: {
        rlimits: [
          { type: "RLIMIT_NOFILE", soft: 100, hard: 100 },
          { type: "RLIMIT_NOFILE", soft: 101, hard: 101 },
        ],
      },
    },
    refused: "process.rlimits[1].type",
  },
  {
    rule: "config.md/process/rlimits: a type that the kernel has not is an error",
    change: { process: { rlimits: [{ type: "RLIMIT_NOSUCH", soft: 1, hard: 1 }] } },
    refused: "process.rlimits[0].type",
  },
  ...["type", "soft", "hard"].map((name): Refused => ({
    rule: `config.md/process/rlimits: ${name} is required`,
    change: { process: { rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 0, [name]: undefined }] } },
    refused: `process.rlimits[0].${name}`,
  })),
  {
    rule: "config.md/process/rlimits: a soft limit above the hard one is an error",
    change: { process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 101, hard: 100 }] } },
    refused: "process.rlimits[0].soft",
  },
  {
    rule: "config.md/process/oomScoreAdj: not given, it is that of the runtime's caller",
    tried: async (place) => {
      const before = Deno.readTextFileSync("/proc/self/oom_score_adj");
      assertEquals(await place.outputOf("cat /proc/1/oom_score_adj"), before);
    },
  },
  {
    together: {
      process: {
        user: { uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 0o027 },
        cwd: "/",
        capabilities: {
          bounding: ALL,
          permitted: ["CAP_CHOWN", "CAP_KILL"],
          effective: ["CAP_CHOWN"],
          inheritable: ["CAP_CHOWN", "CAP_KILL"],
          ambient: ["CAP_CHOWN"],
        },
      },
    },
    all: [
      { rule: "config.md/process/user: uid is the user of the process", script: "id -u", shows: "1000" },
      { rule: "config.md/process/user: gid is the group of the process", script: "id -g", shows: "1001" },
      {
        rule: "config.md/process/user: additionalGids are its other groups, and there are no more",
        script: STATUS,
        shows: /^Groups:\t7 8 ?$/m,
      },
      { rule: "config.md/process/user: umask is that of the process", script: "umask", shows: "0027" },
      {
        rule: "config.md/process/capabilities: bounding is the bounding set",
        script: STATUS,
        shows: /^CapBnd:\t00000000000020a1$/m,
      },
      {
        rule: "config.md/process/capabilities: inheritable is the inheritable set",
        script: STATUS,
        shows: /^CapInh:\t0000000000000021$/m,
      },
      {
        rule: "config.md/process/capabilities: ambient is the ambient set, which an exec leaves an ordinary user",
        script: STATUS,
        shows: /^CapPrm:\t0000000000000001\nCapEff:\t0000000000000001\n(.*\n)?CapAmb:\t0000000000000001$/m,
      },
    ],
  },
  {
    together: { process: { capabilities: { bounding: ALL, permitted: ALL, effective: ALL } } },
    all: [
      {
        rule: "config.md/process/capabilities: root has permitted and effective",
        script: STATUS,
        shows: /^CapPrm:\t00000000000020a1\nCapEff:\t00000000000020a1$/m,
      },
      {
        rule: "config.md/process/capabilities: a set that is not given is empty",
        script: STATUS,
        shows: /^CapInh:\t0+\n(.*\n){3}CapAmb:\t0+$/m,
      },
    ],
  },
  {
    rule: "config.md/process/capabilities: without any field the process has none",
    change: { process: { capabilities: undefined } },
    script: STATUS,
    shows: /^CapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0+$/m,
  },
  {
    rule: "config.md/process/capabilities: a name that the kernel has not is a warning and no error",
    since: "1.1",
    tried: async (place) => {
      const bounding = ["CAP_NOSUCH", "CAP_KILL"];
      await place.write({ process: { args: ["sleep", "4415"], capabilities: { bounding } } });
      const { id, code, stderr } = await place.tryCreate();
      assertEquals(code, 0, stderr);
      assertMatch(stderr, /CAP_NOSUCH/);
      const pid = await place.pid(id);
      await place.ok("start", id);
      assertMatch(Deno.readTextFileSync(`/proc/${pid}/status`), /^CapBnd:\t0000000000000020$/m);
    },
  },
  {
    rule: "config.md/process/scheduler: policy and nice are those of the process",
    since: "1.1",
    change: { process: { scheduler: { policy: "SCHED_BATCH", nice: 5 } } },
    script: "cut -d' ' -f19,41 /proc/1/stat",
    shows: "5 3",
  },
  {
    rule: "config.md/process/scheduler: policy is required",
    since: "1.1",
    change: { process: { scheduler: { nice: 5 } } },
    refused: "process.scheduler.policy",
  },
  {
    rule: "config.md/process/scheduler: a policy that the kernel has not is an error",
    since: "1.1",
    change: { process: { scheduler: { policy: "SCHED_NOSUCH" } } },
    refused: "process.scheduler.policy",
  },
  {
    rule: "config.md/process/ioPriority: class and priority are those of the process",
    since: "1.1",
    change: { process: { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 } } },
    script: "ionice -p 1",
    shows: "best-effort: prio 6",
  },
  {
    rule: "config.md/process/ioPriority: not given, the runtime sets none",
    tried: async (place) => {
      const own = new TextDecoder().decode(
        new Deno.Command("ionice", { args: ["-p", `${Deno.pid}`] }).outputSync().stdout,
      );
      assertEquals(await place.outputOf("ionice -p 1"), own);
    },
  },
  {
    rule: "config.md/process/ioPriority: class is required",
    since: "1.1",
    change: { process: { ioPriority: { priority: 6 } } },
    refused: "process.ioPriority.class",
  },
  {
    rule: "config.md/process/ioPriority: a class that the kernel has not is an error",
    since: "1.1",
    change: { process: { ioPriority: { class: "IOPRIO_CLASS_NOSUCH", priority: 1 } } },
    refused: "process.ioPriority.class",
  },
  {
    rule: "config.md/process/execCPUAffinity: final is where a process of exec runs",
    since: "1.2",
    tried: async (place) => {
      const change = { process: { execCPUAffinity: { initial: "0", final: "0" } } };
      const id = await place.start("exec sleep 4416", change);
      assertMatch(await place.ok("exec", id, "cat", "/proc/self/status"), /^Cpus_allowed_list:\t0$/m);
    },
  },
  {
    rule: "config.md/process/execCPUAffinity: a list that is none is an error",
    since: "1.2",
    change: { process: { execCPUAffinity: { initial: "zero" } } },
    refused: "process.execCPUAffinity.initial",
  },
  ...(hasModule("apparmor") ? [] : [
    {
      rule: "config.md/process/apparmorProfile: without AppArmor it is an error",
      change: { process: { apparmorProfile: "acme" } },
      refused: "process.apparmorProfile",
    } as const,
  ]),
  ...(hasModule("selinux") ? [] : [
    {
      rule: "config.md/process/selinuxLabel: without SELinux it is an error",
      change: { process: { selinuxLabel: "system_u:system_r:svirt_lxc_net_t:s0:c124,c675" } },
      refused: "process.selinuxLabel",
    } as const,
  ]),
  {
    rule: "config.md/process/user: ids are those of the container's user namespace",
    change: {
      process: { user: { uid: 5, gid: 6 } },
      linux: {
        namespaces: namespacesBut("user", { type: "user" }),
        uidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
        gidMappings: [{ containerID: 0, hostID: 200000, size: 1000 }],
      },
      root: { readonly: true },
    },
    needs: ["userns"],
    script: "id -u; id -g; cat /proc/1/uid_map",
    shows: /^5\n6\n +0 +100000 +1000$/m,
  },
]);
