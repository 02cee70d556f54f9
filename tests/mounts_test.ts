/**
 * Mounts of containers: what is seen inside, what is not seen outside, and images that try to turn a mount into a way
 * out.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { assemble } from "../lib/program/assemble.ts";
import { previous, step } from "../lib/program/step.ts";
import { Box, waitFor } from "./support/box.ts";
import { call } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

/** Of these, the guests of scripts/vm run what depends on the kernel or the cgroup layout: they are slow. */
const IN_GUESTS: readonly RegExp[] = [
  /^-v shows/,
  /^ro is recursive/,
  /^nosuid, nodev/,
  /^a later mount/,
  /^a mount inside appears/,
  /^mounts may be nested/,
  /^a mount in the container is never/,
  /^--tmpfs is empty/,
  /^--mount type=overlay/,
];

function test(name: string, fn: (box: Box) => Promise<void>): void {
  const isGuest = Deno.env.get("PADDOCK_GUEST") !== undefined;
  if (isGuest && !IN_GUESTS.some((pattern) => pattern.test(name))) return;
  Deno.test({
    name: `mounts: ${name}`,
    ...requires("root", "tool:busybox"),
    fn: async () => {
      using box = await Box.make();
      const before = readMounts(box.paddock.work);
      try {
        await fn(box);
      } finally {
        await unmountBelow(box.paddock.work);
      }
      assertEquals(readMounts(box.paddock.work), before, "mounts of the host");
    },
  });
}

/** Targets of the host's mounts, without their numbers, and without those of tests that run beside this one. */
function readMounts(own: string): string[] {
  return Deno.readTextFileSync("/proc/self/mountinfo").trimEnd().split("\n").map((line) => line.split(" ")[4]!)
    .filter((target) => !target.startsWith("/var/tmp/paddock-") || target.startsWith(own));
}

async function unmountBelow(directory: string): Promise<void> {
  for (const target of readMounts(directory).filter((path) => path.startsWith(directory)).reverse()) {
    await call(["umount", "-l", target]);
  }
}

async function mount(...words: string[]): Promise<void> {
  const { code, stderr } = await call(["mount", ...words]);
  assertEquals([code, stderr], [0, ""]);
}

/** Options of a mount as the container sees them, with the optional fields (propagation). */
async function readOptions(box: Box, target: string, flags: string[]): Promise<{ options: string[]; fields: string }> {
  const text = await box.out("cat /proc/self/mountinfo", flags);
  const line = text.split("\n").findLast((line) => line.split(" ")[4] === target);
  assert(line !== undefined, `${target} is no mount in\n${text}`);
  const [, , , , , options, ...rest] = line.split(" ");
  return { options: options!.split(","), fields: rest.slice(0, rest.indexOf("-")).join(" ") };
}

// -v

test("-v shows a directory, writes reach the host, and ro refuses them", async (box) => {
  const source = box.directory("source");
  box.file("source/hi.txt", "hello\n");
  assertEquals(await box.out("cat /data/hi.txt; echo new > /data/new", ["-v", `${source}:/data`]), "hello\n");
  assertEquals(Deno.readTextFileSync(`${source}/new`), "new\n");
  for (const word of ["ro", "rro"]) {
    const { code, stdout, stderr } = await box.sh("cat /data/hi.txt; touch /data/no", [
      "-v",
      `${source}:/data:${word}`,
    ]);
    assertEquals([code, stdout], [1, "hello\n"]);
    assertMatch(stderr, /Read-only file system/);
  }
  assertEquals([...Deno.readDirSync(source)].map(({ name }) => name).sort(), ["hi.txt", "new"]);
});

test("ro is recursive: what is mounted below cannot be written either, and not made writable again", async (box) => {
  const source = box.directory("source");
  box.directory("source/sub");
  await mount("-t", "tmpfs", "none", `${source}/sub`);
  Deno.mkdirSync(`${source}/sub/deeper`);
  await mount("-t", "tmpfs", "none", `${source}/sub/deeper`);
  const script = "for d in /data /data/sub /data/sub/deeper; do touch $d/x 2>/dev/null && echo wrote $d; done; " +
    "mount -o remount,rw,bind /data/sub 2>/dev/null && echo remounted; ls /data/sub";
  assertEquals(await box.out(script, ["-v", `${source}:/data:ro`]), "deeper\n");
  assertEquals(
    await box.out(script, ["-v", `${source}:/data:rw`]),
    "wrote /data\nwrote /data/sub\nwrote /data/sub/deeper\ndeeper\nx\n",
  );
});

test("bind-recursive says what happens to mounts below", async (box) => {
  const source = box.directory("source");
  box.directory("source/sub");
  await mount("-t", "tmpfs", "none", `${source}/sub`);
  Deno.writeTextFileSync(`${source}/sub/there`, "");
  const bind = (more: string): string[] => ["--mount", `type=bind,source=${source},target=/data${more}`];
  const script = "ls /data/sub; touch /data/x 2>/dev/null && echo top; touch /data/sub/y 2>/dev/null && echo sub; :";
  assertEquals(await box.out(script, bind(",readonly")), "there\n");
  assertEquals(await box.out(script, bind(",readonly,bind-recursive=writable")), "there\nsub\n");
  assertEquals(await box.out("ls /data/sub; ls /data", bind(",bind-nonrecursive")), "sub\n");
});

test("nosuid, nodev and noexec are set, and hold", async (box) => {
  const source = box.directory("source");
  // busybox drops what a setuid bit gives; this program does not.
  box.file("source/id", tellEffectiveUser(), 0o4755);
  await call(["mknod", `${source}/null`, "c", "1", "3"]);
  Deno.chmodSync(`${source}/null`, 0o666);
  const flags = (words: string): string[] => ["-v", `${source}:/data${words}`];
  const { options } = await readOptions(box, "/data", flags(":nosuid,nodev,noexec"));
  for (const word of ["nosuid", "nodev", "noexec"]) assert(options.includes(word), options.join(","));
  assertEquals((await box.run(["/data/id"], [...flags(""), "-u", "100"])).code, 0);
  assertEquals((await box.run(["/data/id"], [...flags(":nosuid"), "-u", "100"])).code, 100);
  assertEquals((await box.run(["/data/id"], flags(":noexec"))).code, 126);
  assertEquals((await box.sh("echo > /data/null", flags(""))).code, 0);
  assertEquals((await box.sh("echo > /data/null", flags(":nodev"))).code, 1);
});

test("noexec is not forgotten on mounts below a read-only one", async (box) => {
  const source = box.directory("source");
  await mount("-t", "tmpfs", "-o", "noexec,nosuid,nodev", "none", source);
  const { options } = await readOptions(box, "/data", ["-v", `${source}:/data:ro`]);
  for (const word of ["ro", "noexec", "nosuid", "nodev"]) assert(options.includes(word), options.join(","));
});

test("relative sources and ~ mean what they mean in a shell", async (box) => {
  box.file("here/file", "relative\n");
  box.file("home/file", "home\n");
  const options = { cwd: box.path("here"), env: { HOME: box.path("home") } };
  assertEquals(await box.out("cat /data/file", ["-v", "./:/data"], options), "relative\n");
  assertEquals(await box.out("cat /data/file", ["-v", ".:/data"], options), "relative\n");
  assertEquals(await box.out("cat /data/file", ["-v", "../home:/data"], options), "home\n");
  assertEquals(await box.out("cat /data/file", ["-v", "~:/data"], options), "home\n");
  assertEquals(await box.out("cat /new", ["-v", "~/file:/new"], options), "home\n");
  assertEquals(await box.out("cat /new2", ["--mount", "type=bind,src=./file,dst=/new2,ro"], options), "relative\n");
});

test("a missing target is made inside the root filesystem, a directory or a file as the source is", async (box) => {
  const directory = box.directory("source");
  const file = box.file("source/file", "text\n");
  assertEquals(
    await box.out("cat /a/b/c/file; cat /d/e/f", ["-v", `${directory}:/a/b/c`, "-v", `${file}:/d/e/f`]),
    "text\ntext\n",
  );
  assert(Deno.statSync(`${box.rootfs}/a/b/c`).isDirectory);
  assert(Deno.statSync(`${box.rootfs}/d/e/f`).isFile);
});

test("a missing source is an error, and is not made", async (box) => {
  const missing = box.path("nowhere");
  const { code, stdout, stderr } = await box.sh("echo ran", ["-v", `${missing}:/data`]);
  assertEquals([code, stdout], [125, ""]);
  assertMatch(stderr, /^paddock: cannot mount \S*nowhere: no such file or directory on the host\n/);
  assert(!(await exists(missing)));
});

test("a file on a directory, and a directory on a file, are errors that name the target", async (box) => {
  const file = box.file("file", "");
  for (const [source, target] of [[file, "/tmp"], [box.directory("dir"), "/etc/passwd"]]) {
    const { code, stderr } = await box.sh("true", ["-v", `${source}:${target}`]);
    assertEquals(code, 125);
    assertStringIncludes(stderr, target!);
  }
});

test("files, pipes and sockets can be mounted", async (box) => {
  const file = box.file("file", "old");
  const fifo = box.path("fifo");
  await call(["mkfifo", fifo]);
  using listener = Deno.listen({ transport: "unix", path: box.path("socket") });
  assertNotEquals(listener, undefined);
  const flags = ["-v", `${file}:/etc/hosts:ro`, "-v", `${fifo}:/pipe`, "-v", `${box.path("socket")}:/socket`];
  assertEquals(await box.out("cat /etc/hosts; [ -p /pipe ] && [ -S /socket ] && echo; ", flags), "old\n");
});

test("paths with spaces, quotes, commas and colons can be mounted", async (box) => {
  const odd = box.directory(`odd "dir", it's`);
  Deno.writeTextFileSync(`${odd}/f`, "odd\n");
  assertEquals(await box.out("cat '/a b/f'", ["-v", `${odd}:/a b`]), "odd\n");
  const colon = box.directory("a:b");
  Deno.writeTextFileSync(`${colon}/f`, "colon\n");
  assertEquals(await box.out("cat /c/f", ["--mount", `type=bind,source=${colon},target=/c`]), "colon\n");
});

// Propagation

test("a later mount of the host appears under rslave, and not under rprivate", async (box) => {
  const source = box.directory("source");
  await mount("-t", "tmpfs", "none", source);
  await mount("--make-shared", source);
  Deno.mkdirSync(`${source}/later`);
  for (const [word, expected] of [["rslave", "seen\n"], ["rprivate", "no\n"]]) {
    const script = "echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /data/later/f ] && break; sleep 0.05; done; " +
      "[ -e /data/later/f ] && echo seen || echo no";
    const child = box.paddock.start(["run", "-v", `${source}:/data:${word}`, box.rootfs, "sh", "-c", script]);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = (await reader.read()).value ?? "";
    assertEquals(said, "ready\n");
    await mount("-t", "tmpfs", "none", `${source}/later`);
    Deno.writeTextFileSync(`${source}/later/f`, "");
    for (let part = await reader.read(); !part.done; part = await reader.read()) said += part.value;
    await call(["umount", `${source}/later`]);
    await child.stdin.close();
    await child.stderr.cancel();
    await child.status;
    assertEquals(said, `ready\n${expected}`, word);
  }
});

test("a mount inside appears on the host under rshared, and only there", async (box) => {
  const source = box.directory("source");
  await mount("-t", "tmpfs", "none", source);
  await mount("--make-shared", source);
  const script = "mkdir -p /data/m && mount -t tmpfs none /data/m && touch /data/m/inside";
  for (const [word, seen] of [["rshared", true], ["rslave", false], ["rprivate", false]] as const) {
    await box.out(script, ["--cap-add", "SYS_ADMIN", "-v", `${source}:/data:${word}`]);
    assertEquals(await exists(`${source}/m/inside`), seen, word);
    if (seen) await call(["umount", `${source}/m`]);
  }
});

test("the default propagation is private, whatever the host's is", async (box) => {
  const source = box.directory("source");
  await mount("-t", "tmpfs", "none", source);
  await mount("--make-shared", source);
  assertEquals((await readOptions(box, "/data", ["-v", `${source}:/data`])).fields, "");
  assertEquals((await readOptions(box, "/", [])).fields, "");
  assertMatch((await readOptions(box, "/data", ["-v", `${source}:/data:rslave`])).fields, /^master:\d+$/);
});

test("a mount in the container is never seen on the host, even with CAP_SYS_ADMIN", async (box) => {
  const before = readMounts(box.paddock.work);
  await box.out("mkdir /m && mount -t tmpfs none /m && mount --bind /m /tmp && grep -q ' /m ' /proc/mounts", [
    "--privileged",
  ]);
  assertEquals(readMounts(box.paddock.work), before);
});

// --tmpfs and --mount

test("--tmpfs is empty, in memory, of the size and mode that it is given", async (box) => {
  Deno.writeTextFileSync(`${box.rootfs}/tmp/image`, "");
  const flags = ["--tmpfs", "/tmp:size=64k,mode=0700,uid=1000"];
  assertEquals(
    await box.out("ls -A /tmp; stat -c '%a %u' /tmp; df -k /tmp | tail -n 1 | tr -s ' ' | cut -d' ' -f2", flags),
    "700 1000\n64\n",
  );
  const { options } = await readOptions(box, "/tmp", flags);
  for (const word of ["rw", "nosuid", "nodev", "noexec"]) assert(options.includes(word));
  const { options: free } = await readOptions(box, "/tmp", ["--tmpfs", "/tmp:exec"]);
  assert(!free.includes("noexec"));
  assertMatch((await box.sh("dd if=/dev/zero of=/tmp/x bs=1k count=100", flags)).stderr, /No space left/);
  assert(!(await exists(`${box.rootfs}/tmp/x`)));
});

test("--mount type=tmpfs takes docker's keys", async (box) => {
  const flags = ["--mount", "type=tmpfs,target=/cache,tmpfs-size=1m,tmpfs-mode=1770"];
  assertEquals(
    await box.out("stat -c %a /cache; df -k /cache | tail -n 1 | tr -s ' ' | cut -d' ' -f2", flags),
    "1770\n1024\n",
  );
});

test("--mount type=overlay shows layers, and writes into the upper one alone", async (box) => {
  box.file("low1/a", "a1\n");
  box.file("low2/a", "a2\n");
  box.file("low2/b", "b2\n");
  for (const name of ["up", "wk"]) box.directory(name);
  // An overlay over an overlay's files is refused by some kernels: a filesystem of its own for the test.
  const words = `type=overlay,target=/ov,lower=${box.path("low1")}:${box.path("low2")}`;
  assertEquals(
    await box.out("cat /ov/a /ov/b; touch /ov/x 2>/dev/null || echo refused", ["--mount", words]),
    "a1\nb2\nrefused\n",
  );
  const writable = `${words},upper=${box.path("up")},work=${box.path("wk")}`;
  assertEquals(await box.out("echo new > /ov/a; rm /ov/b; ls /ov", ["--mount", writable]), "a\n");
  assertEquals(Deno.readTextFileSync(box.path("up/a")), "new\n");
  assertEquals(Deno.readTextFileSync(box.path("low1/a")), "a1\n");
  assert(await exists(box.path("low2/b")));
});

test("mounts may be nested and are made parents first, in whatever order they are given", async (box) => {
  box.file("outer/f", "outer\n");
  box.file("inner/f", "inner\n");
  box.directory("outer/sub");
  const outer = ["-v", `${box.path("outer")}:/data`];
  const inner = ["-v", `${box.path("inner")}:/data/sub`];
  const deep = ["--tmpfs", "/data/sub/tmp"];
  box.directory("inner/tmp");
  const script = "cat /data/f /data/sub/f; touch /data/sub/tmp/x && ls /data/sub/tmp";
  assertEquals(await box.out(script, [...outer, ...inner, ...deep]), "outer\ninner\nx\n");
  assertEquals(await box.out(script, [...deep, ...inner, ...outer]), "outer\ninner\nx\n");
  assertEquals([...Deno.readDirSync(box.path("inner/tmp"))].length, 0);
});

test("a target may lie below one of the default mounts, and may replace one", async (box) => {
  const file = box.file("file", "mine\n");
  assertEquals(
    await box.out("cat /dev/shm/f /dev/mine", ["-v", `${file}:/dev/shm/f`, "-v", `${file}:/dev/mine`]),
    "mine\nmine\n",
  );
  assertEquals(
    await box.out("df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2", ["--tmpfs", "/dev/shm:size=1m"]),
    "1024\n",
  );
});

test("two mounts on one target are refused", async (box) => {
  const source = box.directory("source");
  const { code, stderr } = await box.sh("true", ["-v", `${source}:/data`, "--tmpfs", "/data/"]);
  assertEquals(code, 125);
  assertMatch(stderr, /two mounts on \/data/);
});

// Images that turn mounts into a way out. Nothing may change in the canary, and nothing be seen of it.

/** A directory of the host that an image has no business with. */
function makeCanary(box: Box): { path: string; check(): void } {
  const path = box.directory("canary");
  Deno.writeTextFileSync(`${path}/secret`, "canary\n");
  const look = (): string =>
    [...Deno.readDirSync(path)].map(({ name }) => `${name} ${Deno.readTextFileSync(`${path}/${name}`)}`).sort().join();
  const before = look();
  return { path, check: () => assertEquals(look(), before, "the canary") };
}

test("a target through links of the image stays in the image", async (box) => {
  const canary = makeCanary(box);
  const source = box.directory("source");
  Deno.writeTextFileSync(`${source}/f`, "mounted\n");
  const links: Record<string, string> = {
    absolute: canary.path,
    relative: "../../../../../../../../" + canary.path,
    dangling: `${canary.path}/missing`,
    up: "../../../../..",
    chain: "/absolute",
    inside: "/tmp",
  };
  for (const [name, target] of Object.entries(links)) Deno.symlinkSync(target, `${box.rootfs}/${name}`);
  for (const name of Object.keys(links)) {
    for (const below of [`/${name}`, `/${name}/new`]) {
      const { code, stdout, stderr } = await box.sh(`cat ${below}/f`, ["-v", `${source}:${below}`]);
      canary.check();
      // Either it is made at the same place inside, or it is refused with words.
      if (code === 0) assertEquals(stdout, "mounted\n", below);
      else {
        assertEquals(code, 125, `${below}: ${stderr}`);
        assertMatch(stderr, /^paddock: /);
      }
    }
  }
  assertEquals(await box.out("cat /inside/f /tmp/f", ["-v", `${source}:/inside`]), "mounted\nmounted\n");
});

test("a target with .. cannot leave the root filesystem", async (box) => {
  const canary = makeCanary(box);
  const source = box.directory("source");
  const { code } = await box.sh("true", ["-v", `${source}:/tmp/../../../../../..${canary.path}/made`]);
  canary.check();
  assert(code === 0 || code === 125);
});

for (const name of ["proc", "sys", "dev", "etc", "dev/shm", "dev/pts"]) {
  test(`/${name} of the image as a link leads nowhere outside`, async (box) => {
    const canary = makeCanary(box);
    for (const target of [canary.path, "../../../../../../.." + canary.path, "/elsewhere", "."]) {
      Deno.mkdirSync(`${box.rootfs}/elsewhere`, { recursive: true });
      await call(["rm", "-rf", `${box.rootfs}/${name}`]);
      Deno.symlinkSync(target, `${box.rootfs}/${name}`);
      const before = readMounts(box.paddock.work);
      const { code, stderr } = await box.sh("test -e /proc/self/status && test -c /dev/null && echo fine");
      canary.check();
      assertEquals(readMounts(box.paddock.work), before);
      assert(code === 0 || code === 125, `${target}: ${code} ${stderr}`);
      // The /dev of an image is never used: it is the container's own.
      if (code === 125) assertMatch(stderr, /^paddock: cannot [^\n]*\n/);
    }
  });
}

test("a device node of the image in the place of /dev/null is not what paths are masked with", async (box) => {
  const canary = makeCanary(box);
  await call(["rm", "-rf", `${box.rootfs}/dev`]);
  Deno.mkdirSync(`${box.rootfs}/dev`);
  Deno.symlinkSync(`${canary.path}/secret`, `${box.rootfs}/dev/null`);
  assertEquals(await box.out("cat /proc/interrupts; [ -c /dev/null ] && cat /dev/null; echo > /dev/null"), "");
  canary.check();
});

for (const name of ["resolv.conf", "hosts", "hostname"]) {
  test(`/etc/${name} of the image as a link does not reach the host`, async (box) => {
    const canary = makeCanary(box);
    for (const target of [`${canary.path}/secret`, `../../../../../../../..${canary.path}/secret`, "/proc/self/comm"]) {
      await call(["rm", "-f", `${box.rootfs}/etc/${name}`]);
      Deno.symlinkSync(target, `${box.rootfs}/etc/${name}`);
      const { code, stdout, stderr } = await box.sh(`cat /etc/${name}; echo changed > /etc/${name}`);
      canary.check();
      assert(!stdout.includes("canary"), stdout);
      assert(code !== 125 || stderr.startsWith("paddock: "), stderr);
    }
  });
}

test("a mount on /proc or below it is refused, where it would stand for the kernel's own", async (box) => {
  const source = box.directory("source");
  for (const target of ["/proc", "/proc/self", "/proc/sys", "/proc/1/status"]) {
    const { code, stdout } = await box.sh("echo ran", ["-v", `${source}:${target}`]);
    assertEquals([code, stdout], [125, ""], target);
  }
});

test("a root filesystem that is itself full of mounts comes with them", async (box) => {
  const tree = box.directory("tree");
  await mount("-t", "tmpfs", "none", tree);
  await call(["cp", "-a", `${box.rootfs}/.`, tree]);
  Deno.mkdirSync(`${tree}/extra`);
  await mount("-t", "tmpfs", "none", `${tree}/extra`);
  Deno.writeTextFileSync(`${tree}/extra/f`, "below\n");
  const { code, stdout, stderr } = await box.paddock.run(["run", tree, "cat", "/extra/f"]);
  assertEquals([code, stdout, stderr], [0, "below\n", ""]);
});

test("a source that goes away between look and mount is said, and nothing stays", async (box) => {
  // A file below a directory that a loop makes and removes: sometimes paddock sees it and the launcher does not.
  const source = box.path("flicker");
  let running = true;
  const flicker = (async () => {
    while (running) {
      Deno.mkdirSync(source, { recursive: true });
      await new Promise((done) => setTimeout(done, 3));
      await Deno.remove(source).catch(() => {});
      await new Promise((done) => setTimeout(done, 3));
    }
  })();
  for (let tries = 0; tries < 8; tries++) {
    const { code, stderr } = await box.sh("true", ["-v", `${source}:/data`]);
    assert(code === 0 || code === 125);
    if (code === 125) assertMatch(stderr, /^paddock: [^\n]*flicker|mount/);
  }
  running = false;
  await flicker;
  const isLeft = ({ name }: Deno.DirEntry): boolean => !name.startsWith(".");
  await waitFor("an empty state directory", () => ![...Deno.readDirSync(box.paddock.root)].some(isLeft));
});

/** A program that exits with the number of its effective user. */
function tellEffectiveUser(): Uint8Array {
  return assemble({
    arch: Deno.build.arch,
    name: "id",
    regions: {},
    cgroupPaths: [],
    sections: [{
      side: "launcher",
      title: "id",
      fault: "end",
      acts: [{ what: "", why: "", shell: [], steps: [step("geteuid", []), step("exit_group", [previous()])] }],
    }],
  });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
