/**
 * Bad input: each gets one line that says what, on what and why, a second one that says what to do, the right exit
 * code, and leaves nothing half-done.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, type Outcome } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `bad input: ${name}`,
    ...requires("root", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

/** One line beginning with paddock's name, perhaps a second one with the way out; nothing on standard output. */
function expectError(outcome: Outcome, pattern: RegExp, code = 125): void {
  assertEquals([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
  assertMatch(outcome.stderr, /^paddock: [^\n]+\n( {2}[^\n]+\n)?$/);
  assertMatch(outcome.stderr, pattern);
  assert(!/unexpected|fault of paddock/.test(outcome.stderr), outcome.stderr);
}

/** Layers in the store, finished or not. */
function listLayers(box: Box): string[] {
  return ["sha256", "tmp"].flatMap((name) => {
    try {
      return [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/${name}`)].map((entry) => `${name}/${entry.name}`);
    } catch {
      return [];
    }
  });
}

async function expectBadArchive(box: Box, archive: string, pattern: RegExp): Promise<void> {
  expectError(await box.paddock.run(["run", archive, "true"]), pattern);
  assertEquals(listLayers(box), []);
}

// Archives

test("a file that is no archive, and an empty one", async (box) => {
  await expectBadArchive(
    box,
    box.file("junk", crypto.getRandomValues(new Uint8Array(5000))),
    /junk" is not a tar archive/,
  );
  await expectBadArchive(
    box,
    box.file("text.tar", "hello, I am a text\n".repeat(100)),
    /text\.tar" is not a tar archive/,
  );
  await expectBadArchive(box, box.file("short", "x"), /short" is not a tar archive/);
  await expectBadArchive(box, box.file("empty.tar", ""), /empty\.tar" is empty/);
  const nothing = box.path("nothing.gz");
  await call(["sh", "-c", `gzip < /dev/null > ${nothing}`]);
  await expectBadArchive(box, nothing, /nothing/);
});

test("archives that are cut off, plain and packed", async (box) => {
  const fixture = await busybox();
  for (const [name, path] of [["tar", fixture.tar], ["gz", fixture.gz], ["zst", fixture.zst]]) {
    const bytes = Deno.readFileSync(path!);
    await expectBadArchive(box, box.file(`cut.${name}`, bytes.subarray(0, bytes.length >> 1)), /cut\.\S+".*ends/);
    expectError(
      await box.paddock.run(["run", "-i", "-", "true"], { stdin: bytes.subarray(0, bytes.length >> 1) }),
      /standard input.*ends/,
    );
  }
});

test("a gzip file with a wrong sum, and damaged data", async (box) => {
  const bytes = Deno.readFileSync((await busybox()).gz);
  const flip = (at: number): Uint8Array => bytes.map((byte, index) => index === at ? byte ^ 0xff : byte);
  await expectBadArchive(box, box.file("crc.gz", flip(bytes.length - 6)), /crc\.gz": damaged gzip data/);
  await expectBadArchive(box, box.file("middle.gz", flip(bytes.length >> 1)), /middle\.gz".*(damaged|sum|header)/);
});

test("a tar header with a wrong sum in the middle", async (box) => {
  const bytes = Deno.readFileSync((await busybox()).tar);
  const name = new TextEncoder().encode("etc/passwd\0");
  let at = 0;
  while (!name.every((byte, index) => bytes[at + index] === byte)) at += 512;
  bytes[at + 1] = 0x78;
  await expectBadArchive(box, box.file("header.tar", bytes), /header\.tar".*(sum|damaged)/);
});

test("an entry that climbs out with ..", async (box) => {
  box.file("d/f", "evil");
  const archive = box.path("dotdot.tar");
  await call(["tar", "-cPf", archive, "--transform", "s,^d/f,../../../evil,", "-C", box.paddock.work, "d/f"]);
  await expectBadArchive(box, archive, /dotdot\.tar": entry "\.\.\/\.\.\/\.\.\/evil" leads out/);
});

test("absolute names and links that lead out are refused, and touch nothing outside", async (box) => {
  const canary = box.directory("canary");
  const file = box.file("canary/f", "untouched");
  box.file("d/f", "evil");
  box.directory("link");
  Deno.symlinkSync(canary, box.path("link/x"));
  box.file("through/x/f", "evil");
  box.file("hard/a", "evil");
  Deno.linkSync(box.path("hard/a"), box.path("hard/b"));
  const tar = (...words: string[]) => call(["tar", ...words]);
  const at = (name: string): string => box.path(name);
  await tar("-cPf", at("absolute.tar"), "--transform", `s,^d/f,${canary}/new,`, "-C", box.paddock.work, "d/f");
  await tar("-C", at("link"), "-cf", at("symlink.tar"), "x");
  await tar("-C", at("through"), "-rf", at("symlink.tar"), "x/f");
  await tar("-cPf", at("hardlink.tar"), "--transform", `s,^a$,${file},H`, "-C", at("hard"), "a", "b");
  // A hard link to the file of the host, and then that link written to.
  await tar("-C", at("hard"), "-rf", at("hardlink.tar"), "b");
  for (const name of ["absolute", "symlink", "hardlink"]) {
    await expectBadArchive(box, at(`${name}.tar`), /has an absolute name|leads out/);
    assertEquals([...Deno.readDirSync(canary)].map((entry) => entry.name), ["f"], name);
    assertEquals(Deno.readTextFileSync(file), "untouched", name);
  }
});

test("archives that begin as an image and hold none say what is wrong", async (box) => {
  const hex = "0123456789abcdef".repeat(4);
  box.file(`saved/${hex}/layer.tar`, "layer");
  box.file("saved/manifest.json", "[]");
  box.file("oci/oci-layout", '{"imageLayoutVersion":"1.0.0"}');
  box.file("oci/index.json", "{}");
  box.file(`oci/blobs/sha256/${hex}`, "blob");
  for (const [name, pattern] of [["saved", /holds no image/], ["oci", /schemaVersion: 2 is wanted/]] as const) {
    await call(["tar", "-C", box.path(name), "-cf", box.path(`${name}.tar`), "."]);
    await expectBadArchive(box, box.path(`${name}.tar`), pattern);
  }
  expectError(await box.paddock.run(["run", box.path("oci"), "true"]), /schemaVersion: 2 is wanted/);
});

test("a path that is not there, a device, a socket and a directory that cannot be one", async (box) => {
  expectError(await box.paddock.run(["run", box.path("missing.tar"), "true"]), /missing\.tar": no such file/);
  expectError(await box.paddock.run(["run", "/dev/null", "true"]), /\/dev\/null" is a device/);
  using _listener = Deno.listen({ transport: "unix", path: box.path("socket") });
  expectError(await box.paddock.run(["run", box.path("socket"), "true"]), /socket/);
  expectError(await box.paddock.run(["run", "", "true"]), /name is empty/);
  expectError(await box.paddock.run(["run", box.directory("void"), "true"]), /true/, 127);
});

test("an archive that changes or vanishes while it is read leaves nothing half-done", async (box) => {
  const archive = box.path("growing.tar");
  await call(["sh", "-c", `mkfifo ${archive}`]);
  const writer = call(["sh", "-c", `head -c 300000 ${(await busybox()).tar} > ${archive}`]);
  expectError(await box.paddock.run(["run", archive, "true"]), /growing\.tar".*ends/);
  await writer;
  assertEquals(listLayers(box), []);
});

// Configurations

test("a --config that is missing, no JSON, or not what it should be", async (box) => {
  const run = (config: string) => box.run(["true"], ["--config", config]);
  expectError(await run(box.path("none.json")), /none\.json": no such file/);
  expectError(await run(box.file("bad.json", "{ not json")), /bad\.json"/);
  expectError(await run(box.file("list.json", "[]")), /list\.json"/);
  expectError(await run(box.file("types.json", '{"config":{"Cmd":5}}')), /types\.json".*Cmd/i);
  expectError(await run(box.directory("dir.json")), /dir\.json"/);
});

test("an --env-file that is missing or broken", async (box) => {
  expectError(await box.run(["true"], ["--env-file", box.path("none")]), /none/);
  expectError(await box.run(["true"], ["--env-file", box.file("env", "=value\n")]), /env/);
});

// Words

const WORDS: readonly (readonly [string[], RegExp])[] = [
  [["--nosuch"], /unknown flag --nosuch/],
  [["--memroy", "1g"], /--memory/],
  [["--memory", "10x"], /--memory: '10x' is no size/],
  [["--memory", "-5"], /--memory: '-5'/],
  [["--memory", "1k"], /too little/],
  [["--memory", "99999999999t"], /more than can be counted/],
  [["--memory", "0"], /--memory: '0'/],
  [["--memory", ""], /--memory/],
  [["--memory", "NaN"], /--memory/],
  [["--swap", "5m"], /--swap needs --memory/],
  [["--memory", "10m", "--memory-swap", "5m"], /less than --memory/],
  [["--memory", "1m", "--memory-reservation", "2m"], /more than --memory/],
  [["--cpus", "0"], /--cpus: '0'/],
  [["--cpus", "-1"], /--cpus: '-1'/],
  [["--cpus", "two"], /--cpus: 'two'/],
  [["--cpu-shares", "1"], /--cpu-shares/],
  [["--cpuset-cpus", "3-1"], /--cpuset-cpus/],
  [["--cpuset-cpus", "a"], /--cpuset-cpus/],
  [["--pids-limit", "abc"], /--pids-limit: 'abc'/],
  [["--pids-limit", "-7"], /--pids-limit/],
  [["--blkio-weight", "5"], /--blkio-weight/],
  [["--device-read-bps", "/dev/nosuch:1m"], /\/dev\/nosuch/],
  [["--device-read-bps", "1m"], /DEVICE:VALUE/],
  [["--ulimit", "nofile"], /NAME=SOFT/],
  [["--ulimit", "nofiles=5"], /'nofiles' is no resource limit/],
  [["--ulimit", "nofile=9:5"], /above the hard/],
  [["--user", "a b"], /--user/],
  [["--umask", "999"], /--umask/],
  [["--workdir", "relative"], /--workdir/],
  [["--hostname", "-x-"], /--hostname/],
  [["--cap-add", "NOSUCH"], /--cap-add: 'NOSUCH' is no capability/],
  [["--sysctl", "novalue"], /--sysctl/],
  [["--security-opt", "nosuch"], /--security-opt/],
  [["--network", "a/b"], /--network: 'a\/b' is no network/],
  [["--network", "nosuch"], /no network 'nosuch'/],
  [["--network", "container:nosuch"], /no container 'nosuch'/],
  [["--network", "ns:/nosuch"], /ns:\/nosuch: there is nothing/],
  [["-p", "80:80", "--network", "host"], /--publish and --network host contradict/],
  [["-p", "80:80:80:80"], /--publish: '80:80:80:80'/],
  [["-p", "0"], /ports are from 1/],
  [["-p", "70000"], /ports are from 1/],
  [["-p", "80-90:80-81"], /ranges are not of the same length/],
  [["-p", "80/sctp"], /'sctp' is no protocol/],
  [["-p", "[::1]:80:80"], /loopback of IPv6/],
  [["--ip", "fd00::1"], /--ip: 'fd00::1' is no address of IPv4/],
  [["--mac-address", "01:00:00:00:00:00"], /address of a group/],
  [["--pid", "container:x"], /--pid does not take/],
  [["--name", "../../x"], /--name: '\.\.\/\.\.\/x'/],
  [["--name", ""], /--name/],
  [["--name", "a/b"], /--name/],
  [["--name", "x".repeat(200)], /--name/],
  [["-v", "tmp"], /-v.*'tmp'[^]*begins with a slash/],
  [["-v", "/tmp:"], /-v.*'\/tmp:'/],
  [["-v", "/tmp:relative"], /relative/],
  [["-v", "/tmp:/x:nosuch"], /'nosuch' is no option/],
  [["-v", "/tmp:/x:ro,rw"], /contradict/],
  [["-v", "/tmp:/"], /cannot be \//],
  [["--mount", "type=nfs,target=/x"], /type=nfs/],
  [["--mount", "type=bind,target=/x"], /source=/],
  [["--mount", "type=tmpfs"], /target=/],
  [["--mount", "type=bind,source=/tmp,target=/x,nosuch=1"], /nosuch/],
  [["--tmpfs", "/x:size=lots"], /lots|size/],
  [["--device", "/dev/nosuch"], /\/dev\/nosuch/],
  [["--device", "/dev/null:/dev/x:q"], /--device/],
  [["--dns", "not.an.address"], /--dns/],
  [["--add-host", "x"], /--add-host/],
  [["--userns", "1:2"], /--userns/],
  [["--time-offset", "wallclock=5"], /--time-offset/],
  [["--oom-score-adj", "5000"], /--oom-score-adj/],
  [["--stop-signal", "NOSUCH"], /--stop-signal/],
  [["--rm=perhaps"], /--rm/],
];

test("words that do not fit are refused before anything is touched, each naming the flag and the value", async (box) => {
  for (const [words, pattern] of WORDS) {
    const outcome = await box.sh("echo ran", words);
    try {
      expectError(outcome, pattern);
    } catch (error) {
      throw new Error(`run ${words.join(" ")}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  assertEquals([...Deno.readDirSync(box.paddock.work)].map(({ name }) => name), ["rootfs"]);
});

test("an unknown verb, a flag before it, and no words at all", async (box) => {
  expectError(await box.paddock.run(["rnu", "x"]), /run/);
  expectError(await box.paddock.run(["run"]), /IMAGE/);
  expectError(await box.paddock.run(["rm"]), /CONTAINER/);
  expectError(await box.paddock.run(["rm", "nosuch"]), /nosuch/);
  expectError(await box.paddock.run(["export", "nosuch"]), /nosuch/);
  expectError(await box.paddock.run(["compile", box.rootfs, "true"]), /--output/);
  expectError(await box.paddock.run(["inspect-program", box.file("no-program", "text")]), /no-program/);
});

// Users and filesystems

test("who is not root is told so, and nothing is made", async (box) => {
  await call(["chmod", "-R", "a+rX", box.paddock.work, `${box.paddock.work}/..`]);
  const under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const env = { HOME: "/tmp", DENO_DIR: box.directory("deno") };
  Deno.chmodSync(box.path("deno"), 0o777);
  for (const image of [box.rootfs, "host", (await busybox()).tar]) {
    const outcome = await box.paddock.run(["run", image, "true"], { under, env });
    expectError(outcome, /root/);
    assertMatch(outcome.stderr, /sudo/);
  }
});

async function withSmallDisk(box: Box, size: string, action: (path: string) => Promise<void>): Promise<void> {
  const path = box.directory("disk");
  await call(["mount", "-t", "tmpfs", "-o", `size=${size}`, "none", path]);
  try {
    await action(path);
  } finally {
    await call(["umount", "-l", path]);
  }
}

test("a full store is said, and nothing of the archive stays in it", async (box) => {
  const { tar, gz } = await busybox();
  await withSmallDisk(box, "1m", async (disk) => {
    for (const archive of [tar, gz]) {
      const outcome = await call([...box.paddock.command(["run", "--data-root", disk, archive, "true"])]);
      expectError(outcome, /no space left/i);
      assertEquals((await call(["find", disk, "-type", "f"])).stdout, "");
    }
  });
});

test("a store and a state directory that cannot be written are said", async (box) => {
  const { tar } = await busybox();
  await withSmallDisk(box, "1m", async (disk) => {
    await call(["mount", "-o", "remount,ro", disk]);
    expectError(await call(box.paddock.command(["run", "--data-root", disk, tar, "true"])), /read-only file system/i);
    expectError(
      await call(box.paddock.command(["run", "--root", `${disk}/run`, box.rootfs, "true"])),
      /read-only file system/i,
    );
  });
});

test("a file in the place of a directory of paddock's is said", async (box) => {
  const file = box.file("file", "");
  expectError(await call(box.paddock.command(["run", "--root", file, box.rootfs, "true"])), /file/);
  expectError(await call(box.paddock.command(["run", "--data-root", file, (await busybox()).tar, "true"])), /file/);
  expectError(await box.run(["true"], ["--rw-save", file]), /file/);
});

test("a read-only root filesystem in which a mount point is missing says which", async (box) => {
  await withSmallDisk(box, "10m", async (disk) => {
    await call(["cp", "-a", `${box.rootfs}/.`, disk]);
    await call(["rm", "-rf", `${disk}/proc`]);
    await call(["mount", "-o", "remount,ro", disk]);
    expectError(await box.paddock.run(["run", disk, "true"]), /\/proc/);
    expectError(await box.paddock.run(["run", "-v", `${box.paddock.work}:/newdir`, disk, "true"]), /\/proc|\/newdir/);
  });
});

test("a root filesystem whose /proc is a file, and one that is a file system's own directory", async (box) => {
  await call(["rm", "-rf", `${box.rootfs}/proc`]);
  Deno.writeTextFileSync(`${box.rootfs}/proc`, "");
  expectError(await box.run(["true"]), /\/proc/);
});
