/**
 * Whole containers on kernels without the newer calls: the same isolation by the older ways, and nothing left behind.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { step, text } from "../lib/program/step.ts";
import { busybox, copyFixture } from "./support/fixtures.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { callOn, OLD_KERNELS, type OldKernel, stepsOn } from "./support/old_kernel.ts";
import { call, type CallOptions, type Outcome, Paddock } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

const KERNELS = Object.keys(OLD_KERNELS) as OldKernel[];
const needs = requires("root", "overlay");

/** A test on each kernel, with a paddock and a root filesystem of its own. */
function onEach(
  name: string,
  body: (run: (words: readonly string[], options?: CallOptions) => Promise<Outcome>, context: Context) => Promise<void>,
): void {
  for (const kernel of KERNELS) {
    Deno.test({
      name: `${kernel}: ${name}`,
      ...needs,
      fn: async () => {
        using paddock = new Paddock();
        const dir = await copyFixture(await busybox(), `${paddock.work}/busybox-rootfs`);
        await expectNoLeaks(paddock, async () => {
          await body((words, options) => callOn(kernel, paddock.command(words), options), { paddock, dir, kernel });
        });
      },
    });
  }
}

interface Context {
  readonly paddock: Paddock;
  /** A root filesystem of busybox, a copy. */
  readonly dir: string;
  readonly kernel: OldKernel;
}

for (const kernel of KERNELS) {
  Deno.test({
    name: `${kernel}: the filter refuses what that kernel lacks, and nothing else`,
    ...requires("root"),
    fn: async () => {
      const answer = async (name: string) =>
        (await stepsOn(kernel, [
          step(name, [-1, 0, 0, 0], { onNegative: "next" }),
          step("@sub", [0, { previous: 1 }]),
          step("exit_group", [{ previous: 1 }]),
        ])).code;
      const ENOSYS = 38;
      assertEquals(await answer("mount_setattr"), ENOSYS);
      assertEquals(await answer("openat2") === ENOSYS, kernel !== "5.10");
      assertEquals(await answer("close_range") === ENOSYS, kernel !== "5.10");
      assertEquals(await answer("open_tree") === ENOSYS, kernel === "4.18");
      assertEquals(await answer("pidfd_open") === ENOSYS, kernel === "4.18");
      assertNotEquals(await answer("close"), ENOSYS);
      const { stdout } = await callOn(kernel, ["echo", "hello"]);
      assertEquals(stdout, "hello\n");
      const { code } = await stepsOn(kernel, [step("chdir", [text("/")], { onZero: "good" })]);
      assertEquals(code, 0);
    },
  });
}

onEach("a container is alone: its own processes, name, devices and network", async (run, { dir }) => {
  const script = [
    'echo "pid $$"',
    "ps -o pid > /tmp/ps; grep -c . /tmp/ps; rm /tmp/ps",
    "hostname",
    "ls /dev | tr '\\n' ' '; echo",
    "ip -o link | wc -l",
    "mount | grep -c ' on / '",
  ].join("; ");
  const { code, stdout, stderr } = await run(["run", "--hostname", "cell", dir, "sh", "-c", script]);
  assertEquals(code, 0, stderr);
  const [pid, processes, name, devices, links, roots] = stdout.split("\n");
  // A head line, the shell, and ps itself.
  assertEquals([pid, processes, name, roots], ["pid 1", "3", "cell", "1"]);
  assertStringIncludes(devices!, "null ");
  assert(!/\b(sd|vd|nvme|kmsg|mem)\b/.test(devices!), devices);
  assertEquals(links, "1");
});

onEach("a read-only volume is read-only with everything mounted below it", async (run, { dir, paddock }) => {
  const source = `${paddock.work}/source`;
  Deno.mkdirSync(`${source}/below/deep`, { recursive: true });
  Deno.writeTextFileSync(`${source}/hi`, "hello\n");
  await mount("-t", "tmpfs", "-o", "nosuid,noexec", "outer", `${source}/below`);
  try {
    Deno.mkdirSync(`${source}/below/deep`);
    await mount("-t", "tmpfs", "inner", `${source}/below/deep`);
    const script = [
      "cat /data/hi",
      ...["/data/x", "/data/below/x", "/data/below/deep/x"].map((path) => `touch ${path} 2>&1 | grep -c Read-only`),
      "grep -c ' /data/below .*nosuid.*noexec' /proc/mounts",
    ].join("; ");
    const { stdout, stderr } = await run(["run", "-v", `${source}:/data:ro`, dir, "sh", "-c", script]);
    assertEquals(stdout, "hello\n1\n1\n1\n1\n", stderr);
    // The host's own mounts are as they were.
    Deno.writeTextFileSync(`${source}/below/deep/mine`, "");
    const shallow = await run([
      "run",
      "-v",
      `${source}:/data:bind,ro`,
      dir,
      "sh",
      "-c",
      "ls /data/below/deep; touch /data/x 2>&1 | grep -c Read-only",
    ]);
    assertEquals(shallow.stdout, "1\n", shallow.stderr);
  } finally {
    await call(["umount", "-R", `${source}/below`]);
  }
});

onEach("a writable volume, a file, a tmpfs and a nosuid volume are what they say", async (run, { dir, paddock }) => {
  const source = `${paddock.work}/source`;
  Deno.mkdirSync(source);
  Deno.writeTextFileSync(`${source}/conf`, "port 80\n");
  const script = [
    "echo written > /rw/new",
    "cat /etc/box/conf; echo x >> /etc/box/conf || echo refused",
    "echo x > /scratch/x && cat /scratch/x",
    "grep -c ' /scratch tmpfs .*nosuid.*size=1024k' /proc/mounts",
    "grep -c ' /flags .*nosuid.*nodev' /proc/mounts; touch /flags/y && echo ok",
  ].join("; ");
  const { code, stdout, stderr } = await run(
    ["run", "-v", `${source}:/rw`, "-v", `${source}/conf:/etc/box/conf:ro`, "--tmpfs", "/scratch:size=1m"]
      .concat("-v", `${source}:/flags:nosuid,nodev`, dir, "sh", "-c", script),
  );
  assertEquals(code, 0, stderr);
  assertEquals(stdout, "port 80\nrefused\nx\n1\n1\nok\n");
  assertEquals(Deno.readTextFileSync(`${source}/new`), "written\n");
  assertEquals(Deno.statSync(`${source}/y`).isFile, true);
});

onEach("the kernel's files are masked and read-only", async (run, { dir }) => {
  const script = [
    "cat /proc/kcore | wc -c",
    "ls /sys/firmware 2>/dev/null | wc -l",
    "echo 1 2>/dev/null > /proc/sys/kernel/panic || echo refused",
    "echo h 2>/dev/null > /proc/sysrq-trigger || echo refused",
    "touch /sys/x 2>/dev/null || echo refused",
    "cat /proc/sys/kernel/ostype",
  ].join("; ");
  const { stdout, stderr } = await run(["run", dir, "sh", "-c", script]);
  assertEquals(stdout, "0\n0\nrefused\nrefused\nrefused\nLinux\n", stderr);
});

onEach(
  "files of the container's own are laid over those of the image, a dangling link too",
  async (run, { dir, paddock }) => {
    const rootfs = await copyFixture({ dir, tar: "", gz: "", zst: "" }, `${paddock.work}/rootfs`);
    await call(["rm", "-f", `${rootfs}/etc/resolv.conf`]);
    Deno.symlinkSync("../run/nowhere/resolv.conf", `${rootfs}/etc/resolv.conf`);
    const { code, stdout, stderr } = await run(
      ["run", "--hostname", "cell", "--dns", "192.0.2.7", rootfs, "sh", "-c"]
        .concat("cat /etc/hostname; grep -c cell /etc/hosts; grep -c 192.0.2.7 /etc/resolv.conf"),
    );
    assertEquals([code, stdout], [0, "cell\n1\n1\n"], stderr);
    assertEquals(Deno.readLinkSync(`${rootfs}/etc/resolv.conf`), "../run/nowhere/resolv.conf");
  },
);

onEach("a target behind a symbolic link of the image never leads to the host", async (run, { dir, paddock }) => {
  const rootfs = await copyFixture({ dir, tar: "", gz: "", zst: "" }, `${paddock.work}/rootfs`);
  const outside = `${paddock.work}/outside`;
  Deno.mkdirSync(outside);
  Deno.symlinkSync(outside, `${rootfs}/link`);
  Deno.symlinkSync(`../../../../../../../..${outside}`, `${rootfs}/up`);
  Deno.mkdirSync(`${paddock.work}/source`);
  for (const target of ["/link/made", "/up/made", "/link", "/up"]) {
    await run(["run", "-v", `${paddock.work}/source:${target}`, rootfs, "sh", "-c", "touch /link/inside /up/inside"]);
    assertEquals([...Deno.readDirSync(outside)], [], target);
  }
});

onEach("an image whose /proc is a symbolic link is refused", async (run, { dir, paddock }) => {
  const rootfs = await copyFixture({ dir, tar: "", gz: "", zst: "" }, `${paddock.work}/rootfs`);
  Deno.removeSync(`${rootfs}/proc`);
  Deno.symlinkSync("/tmp", `${rootfs}/proc`);
  const { code, stderr } = await run(["run", rootfs, "true"]);
  assertEquals(code, 125);
  assertStringIncludes(stderr, "mount proc on /proc");
});

onEach("exit codes, users, limits and init are as everywhere", async (run, { dir }) => {
  const codeOf = async (...words: string[]) => (await run(["run", ...words])).code;
  assertEquals(await codeOf(dir, "sh", "-c", "exit 42"), 42);
  assertEquals(await codeOf(dir, "no-such-command"), 127);
  assertEquals(await codeOf(dir, "/etc/passwd"), 126);
  assertEquals(await codeOf("--init", dir, "sh", "-c", "exit 43"), 43);
  const { stdout, stderr } = await run(
    ["run", "--user", "1000:1000", "--ulimit", "nofile=64:64", "--read-only", dir, "sh", "-c"]
      .concat("id -u; id -G; ulimit -n; touch /x 2>/dev/null || echo refused; grep CapEff /proc/self/status"),
  );
  assertEquals(stdout, "1000\n1000\n64\nrefused\nCapEff:\t0000000000000000\n", stderr);
});

onEach("no descriptor of the caller's reaches the container", async (run, { dir, paddock, kernel }) => {
  const words = [dir, "sh", "-c", "ls -l /proc/self/fd"];
  const compiled = `${paddock.work}/box`;
  assertEquals((await run(["compile", "-o", compiled, ...words])).code, 0);
  for (const command of [paddock.command(["run", ...words]), [compiled]]) {
    const leaky = ["sh", "-c", 'exec 9</ 8</etc/passwd; exec "$@"', "sh", ...command];
    const { stdout, stderr } = await callOn(kernel, leaky);
    // The three streams; the directory that `ls` itself reads is gone when it looks.
    assertEquals(stdout.match(/ -> /g)?.length, 3, stdout + stderr);
    assertEquals(/ -> \/(etc\/passwd)?\n/.test(stdout), false, stdout);
  }
});

onEach("a terminal works", async (_run, { dir, paddock, kernel }) => {
  const inner = paddock.command(["run", "-t", dir, "sh", "-c", "tty; exit 5"]);
  const quoted = inner.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const { code, stdout } = await callOn(kernel, ["script", "-qec", quoted, "/dev/null"], { env: { SHELL: "/bin/sh" } });
  assertEquals([code, stdout.includes("/dev/pts/0")], [5, true], stdout);
});

async function mount(...words: string[]): Promise<void> {
  const { code, stderr } = await call(["mount", ...words]);
  assertEquals(code, 0, stderr);
}
