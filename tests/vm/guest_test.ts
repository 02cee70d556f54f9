/**
 * The virtual machine is what `scripts/vm` says: the cgroup layout with every controller, swap, and filesystems
 * that containers can be made on. If these fail, what the other tests say about that layout means nothing.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { requires } from "../support/requires.ts";

const guest = Deno.env.get("PADDOCK_GUEST");
const inGuest = requires("guest");
const inV2 = requires("guest:v2");
const inV1 = requires("guest:v1");
const inHybrid = requires("guest:hybrid");

interface Mount {
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

function readMounts(): Mount[] {
  return Deno.readTextFileSync("/proc/mounts").trimEnd().split("\n").map((line) => {
    const [, target = "", type = "", options = ""] = line.split(" ");
    return { target, type, options: options.split(",") };
  });
}

function readWords(path: string): string[] {
  return Deno.readTextFileSync(path).trim().split(/\s+/);
}

async function runShell(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = await new Deno.Command("/bin/sh", { args: ["-c", script] }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  return { code: output.code, stdout: stdout ?? "", stderr: stderr ?? "" };
}

Deno.test({ name: "a v2 guest has the unified hierarchy and no other", ...inV2 }, async () => {
  const cgroups = readMounts().filter(({ type }) => type.startsWith("cgroup"));
  assertEquals(cgroups.map(({ target, type }) => [target, type]), [["/sys/fs/cgroup", "cgroup2"]]);
  // CGROUP2_SUPER_MAGIC, `man 2 statfs`.
  assertEquals((await runShell("stat -f -c %t /sys/fs/cgroup")).stdout, "63677270");
  assertEquals(Deno.readTextFileSync("/proc/self/cgroup"), "0::/\n");
});

Deno.test({ name: "a v2 guest has every controller, enabled for children", ...inV2 }, () => {
  for (const file of ["cgroup.controllers", "cgroup.subtree_control"]) {
    const found = readWords(`/sys/fs/cgroup/${file}`);
    for (const controller of ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"]) {
      assert(found.includes(controller), `${controller} is not in ${file}: ${found}`);
    }
  }
});

Deno.test({ name: "a v1 guest has a hierarchy for each controller and no unified one", ...inV1 }, async () => {
  const cgroups = readMounts().filter(({ type }) => type.startsWith("cgroup"));
  assertEquals(cgroups.filter(({ type }) => type === "cgroup2"), []);
  // TMPFS_MAGIC: the hierarchies are mounted on directories in it.
  assertEquals((await runShell("stat -f -c %t /sys/fs/cgroup")).stdout, "1021994");
  const enabled = Deno.readTextFileSync("/proc/cgroups").split("\n")
    .map((line) => line.split("\t")).filter(([, , , isEnabled]) => isEnabled === "1").map(([name]) => name ?? "");
  for (const controller of ["cpuset", "cpu", "blkio", "memory", "devices", "freezer", "hugetlb", "pids"]) {
    assert(enabled.includes(controller), `the kernel has no ${controller}`);
  }
  for (const controller of enabled) {
    const mount = cgroups.find(({ options }) => options.includes(controller));
    assert(mount !== undefined, `${controller} is not mounted`);
    assert(Deno.statSync(`/sys/fs/cgroup/${controller}/cgroup.procs`).isFile);
  }
});

Deno.test(
  { name: "a hybrid guest has memory and pids in the unified hierarchy, the others in v1", ...inHybrid },
  () => {
    const cgroups = readMounts().filter(({ type }) => type.startsWith("cgroup"));
    const unified = cgroups.filter(({ type }) => type === "cgroup2");
    assertEquals(unified.map(({ target }) => target), ["/sys/fs/cgroup/unified"]);
    assertEquals(readWords("/sys/fs/cgroup/unified/cgroup.subtree_control").sort(), ["memory", "pids"]);
    for (const controller of ["cpuset", "cpu", "blkio", "devices", "freezer"]) {
      assert(cgroups.some(({ options }) => options.includes(controller)), `${controller} is not mounted`);
    }
  },
);

Deno.test({ name: "the guest has swap", ...inGuest }, () => {
  const total = /^SwapTotal:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/meminfo"))?.[1];
  assert(Number(total) > 200_000, `SwapTotal is ${total} kB`);
});

Deno.test({ name: "an overlay can be made where containers keep their files", ...inGuest }, async () => {
  for (const directory of ["/tmp", "/var/lib/paddock"]) {
    const outcome = await runShell(`
      set -e
      top=$(mktemp -d ${directory}/overlay.XXXXXX); cd "$top"
      mkdir lower upper work merged; echo old >lower/file
      mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged
      echo new >merged/file
      cat lower/file merged/file upper/file
      umount merged; rm -rf "$top"`);
    assertEquals(outcome, { code: 0, stdout: "old\nnew\nnew", stderr: "" });
  }
});

Deno.test({ name: "the guest kills what exceeds its memory limit", ...inGuest }, async () => {
  const root = { v2: "/sys/fs/cgroup", hybrid: "/sys/fs/cgroup/unified" }[guest ?? ""];
  const [directory, limit, swap] = root !== undefined
    ? [`${root}/guest_test`, "memory.max", "memory.swap.max"]
    : ["/sys/fs/cgroup/memory/guest_test", "memory.limit_in_bytes", "memory.swappiness"];
  const outcome = await runShell(`
    mkdir ${directory} && echo 16M >${directory}/${limit} && echo 0 >${directory}/${swap} || exit 1
    sh -c 'echo $$ >${directory}/cgroup.procs && exec tail /dev/zero'
    echo $?
    rmdir ${directory}`);
  assertEquals([outcome.code, outcome.stdout], [0, "137"]);
});

Deno.test({ name: "the spare disk takes an io limit", ...inGuest }, async () => {
  const disk = Deno.env.get("PADDOCK_GUEST_DISK") ?? "";
  const name = disk.replace("/dev/", "");
  assertEquals(Deno.readTextFileSync(`/sys/block/${name}/size`).trim(), String(64 * 2048));
  const number = Deno.readTextFileSync(`/sys/block/${name}/dev`).trim();
  const [directory, file, value] = guest === "v2"
    ? ["/sys/fs/cgroup/guest_test", "io.max", `${number} rbps=1048576 wbps=max riops=max wiops=max`]
    : ["/sys/fs/cgroup/blkio/guest_test", "blkio.throttle.read_bps_device", `${number} 1048576`];
  const outcome = await runShell(`
    mkdir ${directory} && echo '${value}' >${directory}/${file} && cat ${directory}/${file}
    rmdir ${directory}`);
  assertEquals(outcome, { code: 0, stdout: value, stderr: "" });
});
