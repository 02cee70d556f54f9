/**
 * What a container cannot do to its host: the attacks on container runtimes that became known, as far as an image and
 * a command can try them.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { assemble } from "../lib/program/assemble.ts";
import { MASKED_PATHS } from "../lib/spec/defaults.ts";
import { previous, type Step, step, text } from "../lib/program/step.ts";
import { Box } from "./support/box.ts";
import { call, PADDOCK_COMMAND } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

/** Of these, the guests of scripts/vm run what depends on the kernel or the cgroup layout: they are slow. */
const IN_GUESTS: readonly RegExp[] = [
  /^\/sys is read-only/,
  /^only its own cgroups/,
  /^a node of the host/,
  /^the devices that every/,
  /^--device gives/,
  /^release_agent/,
  /^a mask cannot/,
];

function test(name: string, fn: (box: Box) => Promise<void>): void {
  const isGuest = Deno.env.get("PADDOCK_GUEST") !== undefined;
  if (isGuest && !IN_GUESTS.some((pattern) => pattern.test(name))) return;
  Deno.test({
    name: `isolation: ${name}`,
    ...requires("root", "tool:busybox"),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A program of a few system calls; it exits with 1 where one fails, else with what the steps say. */
function makeProgram(steps: readonly Step[]): Uint8Array {
  const fail = { what: "fail", why: "", shell: [], steps: [step("exit_group", [1], { label: "fail" })] };
  return assemble({
    arch: Deno.build.arch,
    name: "test",
    regions: {},
    cgroupPaths: [],
    sections: [{
      side: "launcher",
      title: "test",
      fault: "fail",
      acts: [{ what: "", why: "", shell: [], steps: [...steps, step("exit_group", [0])] }, fail],
    }],
  });
}

// Files of the kernel

test("what is masked reads as empty, and cannot be unmasked", async (box) => {
  const there = MASKED_PATHS.filter(exists);
  assertNotEquals(there, []);
  for (const path of there) {
    const script =
      `umount ${path} 2>/dev/null && echo unmounted; if [ -d ${path} ]; then ls -A ${path}; else cat ${path}; fi`;
    assertEquals(await box.out(script), "", path);
  }
});

test("a mask cannot be used to change the host's own /dev/null", async (box) => {
  const path = MASKED_PATHS.find((path) => exists(path) && !Deno.statSync(path).isDirectory);
  if (path === undefined) return;
  const look = (): string => {
    const { mode, uid, gid, mtime } = Deno.statSync("/dev/null");
    return JSON.stringify([mode, uid, gid, mtime]);
  };
  const before = look();
  try {
    await box.sh(`chmod 640 ${path}; chown 7:7 ${path}; touch -d 2001-01-01 ${path}`);
    assertEquals(look(), before);
  } finally {
    Deno.chmodSync("/dev/null", 0o666);
    Deno.chownSync("/dev/null", 0, 0);
  }
});

test("/proc/sys and its like cannot be written, and not be remounted", async (box) => {
  const script = [
    "for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/sys/vm/overcommit_memory",
    "do (echo x > $f) 2>/dev/null && echo wrote $f; done",
    "for d in /proc/sys /proc /sys /sys/fs/cgroup; do mount -o remount,rw $d 2>/dev/null && echo remounted $d; done",
    "mount -t proc proc /tmp 2>/dev/null && echo mounted; umount /proc/sys 2>/dev/null && echo unmounted; :",
  ].join("; ").replace("; do (", " ; do (");
  const pattern = Deno.readTextFileSync("/proc/sys/kernel/core_pattern");
  assertEquals(await box.out(script), "");
  assertEquals(Deno.readTextFileSync("/proc/sys/kernel/core_pattern"), pattern);
});

test("/sys is read-only, and so is every cgroup hierarchy in it", async (box) => {
  const script =
    "mkdir /sys/x 2>/dev/null && echo made; for d in /sys/fs/cgroup /sys/fs/cgroup/*; do [ -d $d ] || continue; " +
    "mkdir $d/mine 2>/dev/null && echo made $d/mine; (echo 0 > $d/cgroup.procs) 2>/dev/null && echo joined $d; done; " +
    "(echo 1 > /sys/kernel/profiling) 2>/dev/null && echo wrote; :";
  assertEquals(await box.out(script), "");
});

test("only its own cgroups are shown, as the root", async (box) => {
  const text = await box.out(
    "cat /proc/self/cgroup; cat /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null; :",
  );
  const ids = text.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
  // Its own processes have numbers here; one of another namespace would be 0.
  assert(ids.every((id) => id > 0 && id < 20), text);
  assert(!text.includes("paddock/"), text);
});

// Processes

test("the host's processes are neither seen nor reached", async (box) => {
  const pid = Deno.pid;
  assert(pid > 20);
  assertEquals(await box.out(`[ -e /proc/${pid} ] && echo seen; kill -0 ${pid} 2>/dev/null && echo reached; :`), "");
});

test("with --pid host, what other processes have open stays closed", async (box) => {
  const script = `for f in root cwd fd/0 exe environ mem; do cat /proc/${Deno.pid}/$f/etc/hostname 2>/dev/null; ` +
    `ls /proc/${Deno.pid}/$f/ 2>/dev/null; done; kill -0 $PPID 2>/dev/null; readlink /proc/$PPID/fd/3; ls /proc/$PPID/root/ 2>/dev/null; :`;
  assertEquals(await box.out(script, ["--pid", "host"]), "");
});

test("the roots of its own processes are the container's", async (box) => {
  const inside = await box.out("ls / | tr '\\n' ' '");
  for (const path of ["/proc/1/root/", "/proc/self/root/", "/proc/1/cwd/", "/proc/1/root/../../", "/.."]) {
    assertEquals(await box.out(`ls ${path} | tr '\\n' ' '`), inside, path);
  }
});

test("nothing of the host's mounts is left in its table", async (box) => {
  const sources = (await box.out("cat /proc/self/mountinfo")).trim().split("\n").map((line) => line.split(" "));
  // Field 5 is the target: each at / or below one of these.
  const known = /^\/($|proc(\/|$)|sys(\/|$)|dev(\/|$)|etc\/(hosts|hostname|resolv\.conf)$)/;
  assertEquals(sources.map((fields) => fields[4]!).filter((target) => !known.test(target)), []);
});

test("a chroot that is left again leads to the container's root", async (box) => {
  // The classic escape: a chroot below, with a working directory that stays outside of it, then up and up.
  const up = Array.from({ length: 20 }, () => step("chdir", [text("..")]));
  const steps = [
    step("mkdir", [text("/jail"), 0o755], { onNegative: "next" }),
    step("chroot", [text("/jail")]),
    ...up,
    step("chroot", [text(".")]),
    step("openat", [-100, text(box.path("canary")), 0, 0]),
  ].filter(({ call }) => call !== "mkdir");
  Deno.mkdirSync(`${box.rootfs}/jail`);
  box.file("canary", "");
  box.file("rootfs/escape", makeProgram(steps), 0o755);
  assertEquals((await box.run(["/escape"])).code, 1);
  // The same program finds what is there, so it is the canary that it did not find.
  Deno.mkdirSync(`${box.rootfs}${box.paddock.work}`, { recursive: true });
  Deno.writeTextFileSync(`${box.rootfs}${box.path("canary")}`, "");
  assertEquals((await box.run(["/escape"])).code, 0);
});

// Devices

/** Major and minor number of a disk of this host. */
function findDisk(): readonly [string, string] | undefined {
  const rows = Deno.readTextFileSync("/proc/partitions").trim().split("\n").slice(2).map((row) =>
    row.trim().split(/\s+/)
  );
  const row = rows.find(([, , blocks, name]) => Number(blocks) > 0 && !/^(loop|ram|zram|sr|fd)/.test(name!));
  return row === undefined ? undefined : [row[0]!, row[1]!];
}

test("a node of the host's disk can be made and not be opened", async (box) => {
  const [major, minor] = findDisk() ?? ["7", "0"];
  const script = `mknod /tmp/disk b ${major} ${minor} && dd if=/tmp/disk of=/dev/null bs=512 count=1 2>&1; ` +
    "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem; mknod /tmp/kmsg c 1 11 && echo x > /tmp/kmsg";
  const { stdout, stderr } = await box.sh(script, ["--security-opt", "systempaths=unconfined"]);
  const refusals = `${stdout}${stderr}`.match(/Operation not permitted/g) ?? [];
  assertEquals(refusals.length, 3, stdout + stderr);
});

test("the devices that every container has work, and no others are there", async (box) => {
  assertEquals(
    await box.out(
      "ls /dev | tr '\\n' ' '; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo > /dev/null",
    ),
    "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 3\n3\n",
  );
  assertEquals((await box.sh("echo x > /dev/full")).code, 1);
});

test("--device gives one device, with the access that was asked for", async (box) => {
  if (!exists("/dev/kmsg")) return;
  const script = "(: < /dev/log0) 2>/dev/null && echo read; (: > /dev/log0) 2>/dev/null && echo write; :";
  const flags = ["--cap-add", "SYSLOG"];
  assertEquals(await box.out(script, [...flags, "--device", "/dev/kmsg:/dev/log0"]), "read\nwrite\n");
  assertEquals(await box.out(script, [...flags, "--device", "/dev/kmsg:/dev/log0:r"]), "read\n");
});

// Attacks

test("release_agent of a cgroup v1 cannot be written (CVE-2022-0492)", async (box) => {
  const marker = box.path("pwned");
  const script = "mkdir -p /tmp/cg; for c in rdma memory pids devices; do " +
    "unshare -Urm sh -c 'mount -t cgroup -o '$c' cgroup /tmp/cg && echo /evil > /tmp/cg/release_agent && echo written' 2>/dev/null; " +
    "mount -t cgroup -o $c cgroup /tmp/cg 2>/dev/null && echo mounted; done; :";
  assertEquals((await box.sh(script)).stdout, "");
  assert(!exists(marker));
});

test("a working directory that is a descriptor of the host is refused (CVE-2024-21626)", async (box) => {
  const secret = box.file("secret", "secret of the host\n");
  for (let fd = 3; fd < 14; fd++) {
    const command = box.paddock.command([
      ...["run", "-w", `/proc/self/fd/${fd}`, box.rootfs, "sh", "-c"],
      `cat ../../../../../../../../..${secret}; cat .${secret}; stat -c %d:%i ../../../.. /`,
    ]);
    const { code, stdout } = await call([
      "bash",
      "-c",
      'exec 3</ 4</ 5</ 6</ 7</ 8</ 9</ 10</ 11</ 12</; "$@"',
      "bash",
      ...command,
    ]);
    assert(!stdout.includes("secret of the host"), `descriptor ${fd}`);
    // Refused, or a directory below the container's own root.
    const [above, root] = stdout.trim().split("\n");
    assert(code === 125 || (code === 0 && above === root), `descriptor ${fd}: ${code} ${stdout}`);
  }
});

test("an image whose command is /proc/self/exe does not reach paddock's own file (CVE-2019-5736)", async (box) => {
  const own = [PADDOCK_COMMAND[0]!, ...PADDOCK_COMMAND.filter((word) => word.endsWith("main.ts"))];
  const look = async (): Promise<string> => (await call(["sha256sum", ...own])).stdout;
  const before = await look();
  Deno.symlinkSync("/proc/self/exe", `${box.rootfs}/bin/evil`);
  Deno.writeTextFileSync(`${box.rootfs}/bin/evil-script`, "#!/proc/self/exe\n", { mode: 0o755 });
  for (const command of ["evil", "evil-script", "/proc/self/exe"]) {
    const { code } = await box.run([command], [], { timeout: 20_000 });
    assertNotEquals(code, 0, command);
  }
  const script =
    "for n in 1 2 3 4 5 6 7 8 9 10; do for f in /proc/[0-9]*/exe; do (echo overwritten > $f) 2>/dev/null; done; done; :";
  assertEquals((await box.sh(script)).code, 0);
  assertEquals((await box.sh(script, ["--pid", "host"])).code, 0);
  assertEquals(await look(), before);
});

test("nothing can be typed into the caller's terminal (TIOCSTI)", async (box) => {
  const TIOCSTI = 0x5412;
  const block = { size: 1, fields: [{ at: 0, size: 1, value: "x".charCodeAt(0) }] } as const;
  for (const request of [TIOCSTI, TIOCSTI + 2 ** 32]) {
    box.file("rootfs/type", makeProgram([step("ioctl", [0, request, { block }])]), 0o755);
    // On the caller's terminal it is refused; on one of its own it may type as it likes, for itself.
    for (const [flags, code] of [[["-i", "-t=false"], "1"], [["-i", "-t"], "[01]"]] as const) {
      const command = box.paddock.command(["run", ...flags, box.rootfs, "/type"]).map((word) => `'${word}'`).join(" ");
      const shell = `${command}; echo code $?; timeout 0.2 cat; echo end`;
      const { stdout } = await call(["script", "-qec", shell, "/dev/null"]);
      assertMatch(stdout, new RegExp(`code ${code}\r\nend\r\n$`));
    }
  }
});

test("--security-opt no-new-privileges makes setuid programs harmless", async (box) => {
  box.file("rootfs/suid", makeProgram([step("geteuid", []), step("exit_group", [previous()])]), 0o4755);
  assertEquals((await box.run(["/suid"], ["-u", "100"])).code, 0);
  assertEquals((await box.run(["/suid"], ["-u", "100", "--security-opt", "no-new-privileges"])).code, 100);
});

test("what the container makes in its own /dev and /proc leaves nothing in the image", async (box) => {
  const list = async (): Promise<string> => (await call(["sh", "-c", `cd ${box.rootfs} && find . | sort`])).stdout;
  await box.out("true");
  const before = await list();
  await box.out("mknod /dev/made c 1 3; mkdir /dev/shm/x; echo y > /etc/hosts");
  assertEquals(await list(), before);
});
