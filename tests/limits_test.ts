/**
 * Limits of containers, on whatever cgroup layout this host has: v1, v2, or some of both.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Box } from "./support/box.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { type Ability, findDisk, requires } from "./support/requires.ts";

function test(name: string, needs: readonly Ability[], fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `limits: ${name}`,
    ...requires("root", "tool:busybox", "cgroup", ...needs),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

/** Files of a cgroup with what they must say; `v1` where the controller is served by a hierarchy of version 1. */
interface Expected {
  readonly v1: Readonly<Record<string, string>>;
  readonly v2: Readonly<Record<string, string>>;
}

/** The version of the hierarchy that serves a controller here, by `/proc/mounts`. */
function versionOf(controller: string): "v1" | "v2" {
  const mounts = Deno.readTextFileSync("/proc/mounts").trimEnd().split("\n").map((line) => line.split(" "));
  return mounts.some(([, , type, options]) => type === "cgroup" && options!.split(",").includes(controller))
    ? "v1"
    : "v2";
}

/** Compares the container's own cgroup files, as it sees them itself, with what they must say. */
async function expectFiles(box: Box, controller: string, flags: readonly string[], expected: Expected): Promise<void> {
  const files = expected[versionOf(controller)];
  // Controllers that are mounted together may be shown under several names.
  const script = Object.keys(files).map((name) =>
    `for f in /sys/fs/cgroup/${name} /sys/fs/cgroup/*/${name}; do [ -e $f ] && cat $f && break; done; echo --`
  );
  const said = (await box.out(script.join("; "), flags)).split("--\n").slice(0, -1).map((text) => text.trim());
  assertEquals(Object.fromEntries(Object.keys(files).map((name, at) => [name, said[at]])), files, flags.join(" "));
}

// Memory

test("--memory and --swap 0 are set, in the version's own terms", ["memory"], async (box) => {
  const swap = versionOf("memory") === "v1" && !hasV1Swap();
  await expectFiles(box, "memory", ["--memory", "64m", "--swap", "0"], {
    v1: { "memory.limit_in_bytes": "67108864", ...(swap ? {} : { "memory.memsw.limit_in_bytes": "67108864" }) },
    v2: { "memory.max": "67108864", "memory.swap.max": "0" },
  });
});

/** Swap is counted in v1 only where the kernel is built and started for it. */
function hasV1Swap(): boolean {
  return [...Deno.readTextFileSync("/proc/mounts").matchAll(/^\S+ (\S+) cgroup (\S+)/gm)]
    .filter(([, , options]) => options!.split(",").includes("memory"))
    .some(([, target]) => {
      try {
        return Deno.statSync(`${target}/memory.memsw.usage_in_bytes`).isFile;
      } catch {
        return false;
      }
    });
}

test("--swap is swap alone, --memory-swap is both together", ["memory", "swap"], async (box) => {
  for (const flags of [["--swap", "32m"], ["--memory-swap", "96m"]]) {
    await expectFiles(box, "memory", ["--memory", "64m", ...flags], {
      v1: { "memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "100663296" },
      v2: { "memory.max": "67108864", "memory.swap.max": "33554432" },
    });
  }
});

test(
  "a container that takes more memory than it may is killed, and limit and peak are said",
  ["memory"],
  async (box) => {
    const { code, stdout, stderr } = await box.sh("exec dd if=/dev/zero of=/dev/null bs=200M count=1", [
      "--memory",
      "32m",
      "--swap",
      "0",
    ]);
    assertEquals([code, stdout], [137, ""]);
    const said =
      /^paddock: out of memory: the kernel killed the command \(limit 32(\.0)? ?M\S*, peak ([\d.]+) ?(\S+?)[,)]/m.exec(
        stderr,
      );
    assert(said !== null, stderr);
    const peak = Number(said[2]) * (said[3]!.startsWith("k") || said[3]!.startsWith("K") ? 1 / 1024 : 1);
    assert(peak > 16 && peak <= 33, stderr);
  },
);

test("a child that is killed for want of memory is said, too", ["memory"], async (box) => {
  const { code, stderr } = await box.sh("dd if=/dev/zero of=/dev/null bs=200M count=1", [
    "--memory",
    "32m",
    "--swap",
    "0",
  ]);
  assertEquals(code, 137);
  assertMatch(stderr, /out of memory/);
});

test("files in a tmpfs count as memory", ["memory"], async (box) => {
  const flags = ["--memory", "32m", "--swap", "0", "--tmpfs", "/t"];
  const { code, stderr } = await box.sh("dd if=/dev/zero of=/t/file bs=1M count=100 2>/dev/null", flags);
  assertEquals(code, 137, stderr);
});

test("the host and other containers survive it", ["memory"], async (box) => {
  const other = box.paddock.start(["run", box.rootfs, "sh", "-c", "echo ready; read line; echo $line"]);
  const reader = other.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "ready\n");
  const { code } = await box.sh("exec dd if=/dev/zero of=/dev/null bs=200M count=1", [
    "--memory",
    "16m",
    "--swap",
    "0",
  ]);
  assertEquals(code, 137);
  const writer = other.stdin.getWriter();
  await writer.write(new TextEncoder().encode("alive\n"));
  await writer.close();
  assertEquals((await reader.read()).value, "alive\n");
  await reader.cancel();
  await other.stderr.cancel();
  assertEquals((await other.status).code, 0);
});

test("--memory-reservation is set", ["memory"], async (box) => {
  await expectFiles(box, "memory", ["--memory-reservation", "16m"], {
    v1: { "memory.soft_limit_in_bytes": "16777216" },
    v2: { "memory.low": "16777216" },
  });
});

test("--memory -1 is no limit", ["memory"], async (box) => {
  assertEquals((await box.sh("true", ["--memory", "-1"])).code, 0);
});

// Processes

test("--pids-limit stops a fork bomb", ["controller:pids"], async (box) => {
  await expectFiles(box, "pids", ["--pids-limit", "32"], { v1: { "pids.max": "32" }, v2: { "pids.max": "32" } });
  const script =
    "n=0; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 5 & n=$((n+1)); done; echo all";
  const { code, stdout, stderr } = await box.sh(script, ["--pids-limit", "12"]);
  assert(code !== 0 && !stdout.includes("all"), stdout);
  assertMatch(stderr, /can't fork|Resource temporarily unavailable/);
  const bomb = box.sh("b() { b | b & }; b; sleep 0.5; ls -d /proc/[0-9]* | wc -l", ["--pids-limit", "40", "--init"], {
    timeout: 20_000,
  });
  const outcome = await bomb;
  assert(!outcome.stdout || Number(outcome.stdout) <= 40, outcome.stdout);
});

// Processors

test("--cpus is the quota, and it throttles", ["controller:cpu"], async (box) => {
  await expectFiles(box, "cpu", ["--cpus", "0.5"], {
    v1: { "cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000" },
    v2: { "cpu.max": "50000 100000" },
  });
  const script =
    "timeout 0.6 sh -c 'while :; do :; done'; cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/*/cpu.stat 2>/dev/null";
  const { stdout } = await box.sh(script, ["--cpus", "0.1"]);
  assert(Number(/nr_throttled (\d+)/.exec(stdout)?.[1]) > 0, stdout);
});

test("--cpu-period and --cpu-quota are set as they are", ["controller:cpu"], async (box) => {
  await expectFiles(box, "cpu", ["--cpu-period", "50000", "--cpu-quota", "20000"], {
    v1: { "cpu.cfs_quota_us": "20000", "cpu.cfs_period_us": "50000" },
    v2: { "cpu.max": "20000 50000" },
  });
});

test("--cpu-shares is a weight: 1024 is the ordinary one", ["controller:cpu"], async (box) => {
  await expectFiles(box, "cpu", ["--cpu-shares", "1024"], {
    v1: { "cpu.shares": "1024" },
    v2: { "cpu.weight": "100" },
  });
  await expectFiles(box, "cpu", ["--cpu-shares", "2"], { v1: { "cpu.shares": "2" }, v2: { "cpu.weight": "1" } });
});

test("--cpuset-cpus confines it to those processors", ["controller:cpuset"], async (box) => {
  await expectFiles(box, "cpuset", ["--cpuset-cpus", "0", "--cpuset-mems", "0"], {
    v1: { "cpuset.cpus": "0", "cpuset.mems": "0" },
    v2: { "cpuset.cpus": "0", "cpuset.mems": "0" },
  });
  assertEquals(
    await box.out("nproc; grep Cpus_allowed_list /proc/self/status", ["--cpuset-cpus", "0"]),
    "1\nCpus_allowed_list:\t0\n",
  );
});

test("processors that the host has not are refused", ["controller:cpuset"], async (box) => {
  const { code, stderr } = await box.sh("echo ran", ["--cpuset-cpus", "4000"]);
  assertEquals(code, 125);
  assertMatch(stderr, /^paddock: .*(4000|cpuset)/);
});

// Disks

const disk = findDisk();
const IO: Ability = versionOf("blkio") === "v1" ? "controller:blkio" : "controller:io";

Deno.test({
  name: "limits: --device-read-bps and its like are set, and hold",
  ...requires("root", "tool:busybox", "cgroup", "disk", IO),
  fn: async () => {
    using box = await Box.make();
    const { path, numbers } = disk!;
    const flags = [
      ...["--device-read-bps", `${path}:1m`, "--device-write-bps", `${path}:2m`],
      ...["--device-read-iops", `${path}:100`, "--device-write-iops", `${path}:200`],
    ];
    await expectNoLeaks(box.paddock, () =>
      expectFiles(box, "blkio", flags, {
        v1: {
          "blkio.throttle.read_bps_device": `${numbers} 1048576`,
          "blkio.throttle.write_bps_device": `${numbers} 2097152`,
          "blkio.throttle.read_iops_device": `${numbers} 100`,
          "blkio.throttle.write_iops_device": `${numbers} 200`,
        },
        v2: { "io.max": `${numbers} rbps=1048576 wbps=2097152 riops=100 wiops=200` },
      }));
    // Some hosts let nobody open their disk; the guests of scripts/vm have a spare one.
    if ((await call(["head", "-c", "1", path])).code !== 0) return;
    const started = performance.now();
    const read = "dd if=/dev/disk of=/dev/null bs=64k count=32 iflag=direct 2>&1";
    const { code, stdout } = await box.sh(read, ["--device", `${path}:/dev/disk:r`, "--device-read-bps", `${path}:1m`]);
    assertEquals(code, 0, stdout);
    assert(performance.now() - started > 1000, "two megabytes at one a second");
  },
});

test("--blkio-weight is set, or refused with words where no scheduler heeds it", [IO], async (box) => {
  const { code, stdout, stderr } = await box.sh(
    "cat /sys/fs/cgroup/*/blkio*weight /sys/fs/cgroup/io*weight 2>/dev/null; :",
    ["--blkio-weight", "300"],
  );
  // v2 has another scale: 10 to 1000 become 1 to 10000.
  if (code === 0) assertMatch(stdout, /^(300|default (300|2930))$/m);
  else {
    assertEquals(code, 125);
    assertMatch(stderr, /^paddock: [^\n]*weight/);
  }
});

// Where things are

test("the command is in its cgroup before its first instruction", ["controller:pids"], async (box) => {
  // A shell that is alone in its cgroup can do anything but fork.
  const { code, stderr } = await box.sh("ls | cat", ["--pids-limit", "1"]);
  assert(code !== 0);
  assertMatch(stderr, /can't fork|temporarily/);
  assertEquals((await box.run(["true"], ["--pids-limit", "1"])).code, 0);
});

test("its cgroups are named after it, below the parent that was asked for", ["controller:pids"], async (box) => {
  const show = ["--cgroupns", "host", "--name", "limited", "--rm"];
  assertMatch(
    await box.out("grep -E '^0::|pids' /proc/self/cgroup", [...show, "--pids-limit", "9"]),
    /:\/paddock\/limited$/m,
  );
  const parent = `/paddock-test-${Deno.pid}`;
  assertMatch(
    await box.out("grep -E '^0::|pids' /proc/self/cgroup", [...show, "--pids-limit", "9", "--cgroup-parent", parent]),
    new RegExp(`:${parent}/paddock/limited$`, "m"),
  );
  for (const line of Deno.readTextFileSync("/proc/mounts").split("\n")) {
    const [, target, type] = line.split(" ");
    if (type?.startsWith("cgroup")) await call(["sh", "-c", `rmdir ${target}${parent}/paddock ${target}${parent}`]);
  }
});

test("a parent with .. is refused", [], async (box) => {
  const { code, stderr } = await box.sh("true", ["--cgroup-parent", "../../x"]);
  assertEquals(code, 125);
  assertMatch(stderr, /leads out/);
});

test(
  "a limit whose controller is not there is refused, and named with a way out",
  ["cgroup:v1", "controller:pids"],
  async (box) => {
    if (versionOf("pids") !== "v1") return;
    const under = [
      "unshare",
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      'umount "$(dirname $(ls -d /sys/fs/cgroup/*/pids.max /sys/fs/cgroup/pids/tasks 2>/dev/null | head -n 1))" && exec "$@"',
      "sh",
    ];
    const { code, stdout, stderr } = await box.sh("echo ran", ["--pids-limit", "5"], { under });
    assertEquals([code, stdout], [125, ""], stderr);
    assertMatch(stderr, /^paddock: [^\n]*pids/);
    assertMatch(stderr, /\n {2}\S/);
    // Nobody asked for it: it runs.
    assertEquals((await box.sh("echo ran", [], { under })).stdout, "ran\n");
  },
);

test("a limit without any cgroups is refused, and named", [], async (box) => {
  const under = [
    "unshare",
    "-m",
    "--propagation",
    "private",
    "sh",
    "-c",
    'umount -R -l /sys/fs/cgroup && exec "$@"',
    "sh",
  ];
  const { code, stdout, stderr } = await box.sh("echo ran", ["--memory", "64m"], { under });
  assertEquals([code, stdout], [125, ""], stderr);
  assertMatch(stderr, /^paddock: [^\n]*(memory|cgroup)/);
});

test("a cgroup below the container's own does not keep it from being removed", ["cgroup"], async (box) => {
  // With a writable view it may make some; whoever removes must begin there.
  const script = "mount -o remount,rw,bind /sys/fs/cgroup 2>/dev/null; for d in /sys/fs/cgroup /sys/fs/cgroup/*; do " +
    "[ -e $d/cgroup.procs ] && mount -o remount,rw,bind $d 2>/dev/null; mkdir -p $d/a/b 2>/dev/null && echo made; done; :";
  const text = await box.out(script, ["--privileged", "--pids-limit", "100"]);
  assertStringIncludes(text, "made");
});

test("several limits hold together", ["memory", "controller:pids", "controller:cpu"], async (box) => {
  const flags = ["--memory", "64m", "--cpus", "1.5", "--pids-limit", "50", "--cpu-shares", "512"];
  await expectFiles(box, "memory", flags, {
    v1: { "memory.limit_in_bytes": "67108864" },
    v2: { "memory.max": "67108864" },
  });
  await expectFiles(box, "pids", flags, { v1: { "pids.max": "50" }, v2: { "pids.max": "50" } });
  await expectFiles(box, "cpu", flags, {
    v1: { "cpu.cfs_quota_us": "150000", "cpu.shares": "512" },
    v2: { "cpu.max": "150000 100000" },
  });
});

test("those of one that runs in the background are changed", ["memory"], async (box) => {
  const ok = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await box.paddock.run(words);
    assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
    return stdout;
  };
  await ok("run", "-d", "--name", "limits-web", "--memory", "64m", box.rootfs, "sleep", "4517");
  try {
    await ok("update", "--memory", "32m", "limits-web");
    const files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max";
    assertEquals(await ok("exec", "limits-web", "sh", "-c", `cat ${files} 2>/dev/null || true`), "33554432\n");
  } finally {
    await ok("rm", "-f", "limits-web");
  }
});
