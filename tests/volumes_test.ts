/**
 * Volumes without names: those that an image declares, and `-v PATH`.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { makeLayer, tarUp, writeClassic } from "./support/images.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `volumes: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Cgroups of containers are the host's, where other tests have theirs. */
const NAME = `volumes-${Deno.pid}`;

async function ok(box: Box, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout;
}

/** An image with volumes: one with content, one behind a link, one that is nowhere, one of the kernel's. */
async function load(box: Box): Promise<void> {
  const below = makeLayer(
    { path: "data/", mode: 0o1777, uid: 5, gid: 6 },
    {
      path: "data/seed",
      text: "seed",
      mode: 0o640,
      uid: 7,
      gid: 8,
      xattrs: [{ name: "user.x", value: Uint8Array.of(1) }],
    },
    { path: "data/gone", text: "gone" },
    { path: "real/" },
    { path: "real/file", text: "behind a link" },
    { path: "link", type: "symlink", linkPath: "/real" },
  );
  const above = makeLayer({ path: "data/.wh.gone" }, { path: "data/sub/" }, {
    path: "data/sub/hard",
    type: "file",
    text: "hard",
  }, { path: "data/other", type: "hardlink", linkPath: "data/sub/hard" });
  const config = { Cmd: ["true"], Volumes: { "/data/": {}, "/link": {}, "/new/place": {}, "/sys/fs/cgroup": {} } };
  const made = { layers: [Deno.readFileSync((await busybox()).tar), below, above], config, names: ["web:1"] };
  await ok(box, "load", "-q", "-i", tarUp(writeClassic(box.path("source"), [made]), box.path("source.tar")));
}

/** What is left of containers. */
function listContainers(box: Box): string[] {
  return [...Deno.readDirSync(`${box.paddock.dataRoot}/containers`)].map(({ name }) => name);
}

test("a volume of an image is a directory of the container's own, with what the image has there", async (box) => {
  await load(box);
  const look =
    "stat -c '%n %a %u:%g' /data /data/*; stat -c %h /data/other; cat /data/seed /link/file; ls -A /new/place; " +
    "grep -c ' /data \\| /real \\| /new/place ' /proc/self/mountinfo";
  const wanted = "/data 1777 5:6\n/data/other 644 0:0\n/data/seed 640 7:8\n/data/sub 755 0:0\n2\nseedbehind a link3\n";
  assertEquals(await ok(box, "run", "web:1", "sh", "-c", look), wanted);
  // They can be written to where nothing else can.
  assertEquals(
    await ok(box, "run", "--read-only", "web:1", "sh", "-c", "echo x > /new/place/x; cat /new/place/x"),
    "x\n",
  );
  assertEquals(listContainers(box), []);
  assertMatch(await ok(box, "explain", "--name", NAME, "web:1"), new RegExp(`containers/${NAME}/volumes/0`));
});

test("volumes stay with a container that is kept, are no part of its image, and go with it", async (box) => {
  await load(box);
  await ok(box, "run", "--name", NAME, "web:1", "sh", "-c", "echo mine > /data/mine; echo 1 > /outside");
  const [{ Mounts }] = JSON.parse(await ok(box, "inspect", NAME));
  assertEquals(Mounts.map(({ Destination }: { Destination: string }) => Destination), ["/data", "/link", "/new/place"]);
  assertEquals(Deno.readTextFileSync(`${Mounts[0].Source}/mine`), "mine\n");
  assertEquals(Deno.readTextFileSync(`${Mounts[0].Source}/seed`), "seed");
  assertEquals((await ok(box, "diff", NAME)).includes("mine"), false);
  await ok(box, "commit", NAME, "web:2");
  assertEquals(await ok(box, "run", "web:2", "sh", "-c", "ls /data; cat /outside"), "other\nseed\nsub\n1\n");
  await ok(box, "rm", "-v", NAME);
  assertEquals(listContainers(box), []);
});

test("a mount of the user's goes before a volume of the image's, and --rw-save takes everything", async (box) => {
  await load(box);
  const own = box.directory("own");
  await ok(box, "run", "-v", `${own}:/data`, "web:1", "sh", "-c", "echo 1 > /data/one; ls /data");
  assertEquals([...Deno.readDirSync(own)].map(({ name }) => name), ["one"]);
  await ok(box, "run", "--rw-save", box.path("kept"), "web:1", "sh", "-c", "echo 2 > /data/two");
  assertEquals(Deno.readTextFileSync(`${box.path("kept")}/data/two`), "2\n");
});

test("-v PATH is a volume of any container, also of a directory's, and leaves nothing", async (box) => {
  await load(box);
  const script = "grep -c ' /root ' /proc/self/mountinfo; ls /etc/passwd; echo 1 > /root/x";
  assertEquals(await ok(box, "run", "-v", "/root", "web:1", "sh", "-c", script), "1\n/etc/passwd\n");
  assertEquals(await ok(box, "run", "-v", "/root", "-v", "/etc", box.rootfs, "sh", "-c", script), "1\n/etc/passwd\n");
  assertEquals(listContainers(box), []);
  await ok(box, "run", "--name", NAME, "-v", "/root", box.rootfs, "sh", "-c", "echo kept > /root/x");
  const path = `${box.paddock.dataRoot}/containers/${NAME}/volumes/0/x`;
  assertEquals(Deno.readTextFileSync(path), "kept\n");
  await ok(box, "rm", NAME);
  assertEquals(listContainers(box), []);
  const { code, stderr } = await box.paddock.run(["compile", "-o", box.path("x"), "-v", "/a", box.rootfs, "true"]);
  assertEquals(code, 125);
  assertMatch(stderr, /compile cannot take a volume without a directory/);
});

test("in a user namespace the files of volumes belong to its ids", async (box) => {
  await load(box);
  const look = "stat -c '%n %u:%g' /data /data/seed /new/place; echo x > /new/place/x";
  const out = await ok(box, "run", "--userns", "100000:100000:65536", "web:1", "sh", "-c", look);
  assertEquals(out, "/data 5:6\n/data/seed 7:8\n/new/place 0:0\n");
}, "userns");

test("an image whose volume is a file is refused, and nothing of the container stays", async (box) => {
  const made = {
    layers: [Deno.readFileSync((await busybox()).tar)],
    config: { Cmd: ["true"], Volumes: { "/etc/passwd": {} } },
    names: ["bad:1"],
  };
  await ok(box, "load", "-q", "-i", tarUp(writeClassic(box.path("source"), [made]), box.path("source.tar")));
  const { code, stderr } = await box.paddock.run(["run", "bad:1"]);
  assertEquals(code, 125);
  assertMatch(stderr, /the image has a file at \/etc\/passwd/);
  assertEquals(listContainers(box), []);
  assertEquals([...Deno.readDirSync(box.paddock.root)].filter(({ isDirectory }) => isDirectory), []);
});
