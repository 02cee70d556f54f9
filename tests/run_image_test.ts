/**
 * What `paddock run` takes as an image: tarballs in every packing, standard input, directories, the host itself, and
 * where their configuration comes from.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Box } from "./support/box.ts";
import { busybox, debian } from "./support/fixtures.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `run image: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

/** Layers in the store. */
function countLayers(box: Box): number {
  return [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)].length;
}

async function hash(path: string): Promise<string> {
  return (await call(["sha256sum", path])).stdout;
}

test("a tarball is plain, gzip or zstd, whatever it is called", async (box) => {
  const fixture = await busybox();
  const wrongNames = [[fixture.tar, "plain.tar.gz"], [fixture.gz, "gzip.tar"], [fixture.zst, "zstd"], [
    fixture.zst,
    "x.zip",
  ]];
  for (const [path, name] of wrongNames) {
    Deno.copyFileSync(path!, box.path(name!));
    const { code, stdout, stderr } = await box.paddock.run(["run", box.path(name!), "cat", "/etc/os-release"]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "busybox for tests");
  }
  // The same content has one layer, however it is packed.
  assertEquals(countLayers(box), 1);
});

test("- is standard input, of any packing", async (box) => {
  const fixture = await busybox();
  for (const path of [fixture.tar, fixture.gz, fixture.zst]) {
    const { code, stdout, stderr } = await box.paddock.run(["run", "-", "echo", "hello"], {
      stdin: Deno.readFileSync(path),
    });
    assertEquals([code, stdout], [0, "hello\n"], stderr);
  }
});

test("a run that writes leaves tarball and layer as they were, and the next one sees nothing of it", async (box) => {
  const archive = box.path("rootfs.tar");
  Deno.copyFileSync((await busybox()).tar, archive);
  const before = await hash(archive);
  const script = "echo changed > /etc/passwd; rm -rf /home; echo new > /new; mknod /dev-node c 1 3; ls /new";
  for (let time = 0; time < 2; time++) {
    assertEquals((await box.paddock.run(["run", archive, "sh", "-c", script])).stdout, "/new\n");
    const { stdout } = await box.paddock.run([
      "run",
      archive,
      "sh",
      "-c",
      "head -n 1 /etc/passwd; ls -d /home /new 2>/dev/null",
    ]);
    assertEquals(stdout, "root:x:0:0:root:/root:/bin/sh\n/home\n");
  }
  assertEquals(await hash(archive), before);
});

test("an archive is extracted once, even when two begin at the same time, and again when it has changed", async (box) => {
  const archive = box.path("rootfs.tar");
  Deno.copyFileSync((await busybox()).tar, archive);
  const runs = await Promise.all([1, 2, 3].map((n) => box.paddock.run(["run", archive, "sh", "-c", `exit ${n}`])));
  assertEquals(runs.map(({ code }) => code), [1, 2, 3]);
  assertEquals(countLayers(box), 1);
  box.file("etc/added", "added\n");
  await call(["tar", "-C", box.paddock.work, "-rf", archive, "etc/added"]);
  assertEquals((await box.paddock.run(["run", archive, "cat", "/etc/added"])).stdout, "added\n");
  assertEquals(countLayers(box), 2);
});

test("a sidecar beside the archive says what the image would run, and as whom", async (box) => {
  const archive = box.path("web.tar.gz");
  Deno.copyFileSync((await busybox()).gz, archive);
  const config = {
    Config: {
      Env: ["FROM=the image", "PATH=/bin"],
      Entrypoint: ["sh", "-c"],
      Cmd: ['echo "$FROM $(id -un) $PWD"'],
      User: "user",
      WorkingDir: "/tmp",
    },
  };
  // As `docker inspect` prints it: a list.
  for (const name of ["web.json", "web.tar.json", "web.tar.gz.json"]) {
    box.file(name, JSON.stringify([config]));
    const { code, stdout, stderr } = await box.paddock.run(["run", archive]);
    assertEquals([code, stdout], [0, "the image user /tmp\n"], stderr);
    // It is no guess: nothing is said of it.
    assertEquals(stderr, "", name);
    Deno.removeSync(box.path(name));
  }
  const { stdout } = await box.paddock.run(["run", archive, "echo", "$FROM"]);
  assertEquals(stdout, "$FROM\n");
});

test("--config takes an image's own config, and flags have the last word", async (box) => {
  const config = box.file(
    "config.json",
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {
        Env: ["A=image", "B=image"],
        Cmd: ["sh", "-c", "echo $A $B; pwd; id -u"],
        User: "1000:50",
        WorkingDir: "/etc",
      },
    }),
  );
  const run = (...flags: string[]) => box.paddock.run(["run", "--config", config, ...flags, box.rootfs]);
  assertEquals((await run()).stdout, "image image\n/etc\n1000\n");
  assertEquals((await run("-e", "B=flag", "-w", "/tmp", "-u", "0")).stdout, "image flag\n/tmp\n0\n");
});

test("without any configuration a guess is made, and said on standard error", async (box) => {
  const archive = box.path("rootfs.tar");
  Deno.copyFileSync((await busybox()).tar, archive);
  const { code, stdout, stderr } = await box.paddock.run(["run", "-i", archive], { stdin: "echo $PATH; exit 4\n" });
  assertEquals([code, stdout], [4, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"]);
  assertMatch(stderr, /^paddock: no image config for \S+rootfs\.tar: running \/bin\/sh as root in \//m);
});

test("a command that the user gives is not said to be something else", async (box) => {
  const { stderr } = await box.paddock.run(["run", (await busybox()).tar, "true"]);
  assert(!stderr.includes("/bin/sh"), stderr);
});

test("a directory is used as it is: what the command writes stays in it", async (box) => {
  assertEquals(await box.out("echo kept > /kept; id -u"), "0\n");
  assertEquals(Deno.readTextFileSync(`${box.rootfs}/kept`), "kept\n");
  // A path with a slash or without, and one relative to here.
  const { stdout } = await box.paddock.run(["run", "./rootfs/", "cat", "/kept"], { cwd: box.paddock.work });
  assertEquals(stdout, "kept\n");
});

test("--rw-save keeps what is written in a directory, of an archive and of a directory, and goes on from there", async (box) => {
  for (const image of [(await busybox()).tar, box.rootfs]) {
    const save = box.path(`save-${image.length}`);
    const run = async (script: string): Promise<string> =>
      (await box.paddock.run(["run", "--rw-save", save, image, "sh", "-c", script])).stdout;
    assertEquals(await run("echo one > /new; rm /etc/group; cat /new"), "one\n");
    assertEquals(Deno.readTextFileSync(`${save}/new`), "one\n");
    assertEquals(await run("cat /new; ls /etc/group 2>/dev/null; echo two >> /new"), "one\n");
    assertEquals(Deno.readTextFileSync(`${save}/new`), "one\ntwo\n");
    // Beside it nothing stays.
    assertEquals([...Deno.readDirSync(box.paddock.work)].filter(({ name }) => name.startsWith(".")), []);
  }
  assert(Deno.statSync(`${box.rootfs}/etc/group`).isFile);
});

test("host is the host's own root, thrown away afterwards", async (box) => {
  const marker = `/etc/paddock-test-${Deno.pid}`;
  const script = `[ -e ${import.meta
    .filename!} ] && echo seen; echo x > ${marker} && cat ${marker}; rm -rf /usr/share; ls /run /tmp | wc -l; echo $$`;
  const { code, stdout, stderr } = await box.paddock.run(["run", "host", "sh", "-c", script]);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^seen\nx\n\d+\n1\n$/);
  assertEquals((await call(["ls", "-d", marker, "/usr/share"])).stdout, "/usr/share\n");
});

test("a container of the host has its programs, its libraries and its own processes only", async (box) => {
  const { code, stdout, stderr } = await box.paddock.run([
    "run",
    "host",
    "bash",
    "-c",
    "ls /proc | grep -c '^[0-9]'; cat /etc/os-release | head -n 1",
  ]);
  assertEquals(code, 0, stderr);
  assert(Number(stdout.split("\n")[0]) < 6);
  assertStringIncludes(Deno.readTextFileSync("/etc/os-release"), stdout.split("\n")[1]!);
});

test(
  "a Debian made by debootstrap runs from each of its packings, with users, setuid programs and capabilities",
  async (box) => {
    const fixture = await debian();
    const script =
      "cat /etc/debian_version; stat -c '%a %U' /usr/bin/su; su nobody -s /bin/sh -c 'id -un'; perl -e 'print \"perl\\n\"'; dpkg -l | wc -l";
    const expected = (await call(["chroot", fixture.dir, "sh", "-c", script])).stdout;
    assertMatch(expected, /nobody\nperl\n/);
    for (const path of [fixture.tar, fixture.gz, fixture.zst]) {
      const { code, stdout, stderr } = await box.paddock.run(["run", path, "sh", "-c", script]);
      assertEquals([code, stdout], [0, expected], stderr);
    }
    assertEquals(countLayers(box), 1);
  },
  "tool:debootstrap",
);

test("import prints the digest, and run finds it there", async (box) => {
  const { tar } = await busybox();
  const { code, stdout } = await box.paddock.run(["import", tar]);
  assertEquals(code, 0);
  assertMatch(stdout, /^sha256:[0-9a-f]{64}\n$/);
  assertEquals(stdout.trim().slice(7), [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)][0]!.name);
  assertEquals((await box.paddock.run(["run", tar, "true"])).code, 0);
  assertEquals(countLayers(box), 1);
});
