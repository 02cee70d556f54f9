/**
 * Images by name: `load`, `images`, `rmi`, `run NAME`, and what `gc` leaves alone.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { pruneImages } from "../lib/runtime/prune_images.ts";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { idOf, type MadeImage, makeLayer, tarUp, writeClassic, writeLayout } from "./support/images.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `image names: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

async function image(names: readonly string[], text: string): Promise<MadeImage> {
  return {
    layers: [Deno.readFileSync((await busybox()).tar), makeLayer({ path: "etc/added", text })],
    config: { Cmd: ["cat", "/etc/added"] },
    names,
  };
}

/** A `docker save` archive of two images, one with two names. */
async function save(box: Box, name = "saved"): Promise<{ path: string; made: MadeImage[] }> {
  const made = [await image(["web:1"], "one"), await image(["web:2", "registry.example:5000/team/web:2"], "two")];
  return { path: tarUp(writeClassic(box.path(name), made), box.path(`${name}.tar`)), made };
}

async function ok(box: Box, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout;
}

test("load keeps the names of an archive, by docker's rules, and run knows them", async (box) => {
  const { path, made } = await save(box);
  assertEquals(await ok(box, "load", "-i", path), "web:1\nweb:2\nregistry.example:5000/team/web:2\n");
  Deno.removeSync(path);
  assertEquals(await ok(box, "run", "web:1"), "one");
  for (const name of ["web:2", "docker.io/library/web:2", "library/web:2", "registry.example:5000/team/web:2"]) {
    assertEquals(await ok(box, "run", name), "two", name);
  }
  const id = idOf(made[0]!);
  for (const word of [id, id.slice("sha256:".length), id.slice("sha256:".length, 20)]) {
    assertEquals(await ok(box, "run", word), "one", word);
  }
  assertMatch(await ok(box, "explain", "web:1"), /layers\/sha256\/[0-9a-f]{64}\/rootfs/);
  const { code, stderr } = await box.paddock.run(["run", "--pull", "never", "web"]);
  assertEquals(code, 125);
  assertMatch(stderr, /"web": no such file or directory, and no image of that name was loaded\n.*paddock images/);
});

test("images lists them, for people and for programs", async (box) => {
  assertEquals(await ok(box, "images"), "NAME  ID  SIZE  LOADED\n");
  const { path, made } = await save(box);
  await ok(box, "load", "-i", path);
  const table = await ok(box, "images");
  for (const text of ["web:1 ", "web:2 ", "registry.example:5000/team/web:2 ", idOf(made[0]!).slice(7, 19), " MiB "]) {
    assertStringIncludes(table, text);
  }
  assertEquals((await ok(box, "images", "-q")).split("\n").sort(), ["", ...made.map(idOf)].sort());
  const json = JSON.parse(await ok(box, "images", "--json"));
  assertEquals(json.map(({ name }: { name: string }) => name).sort(), [
    "docker.io/library/web:1",
    "docker.io/library/web:2",
    "registry.example:5000/team/web:2",
  ]);
});

test("the data root is an image layout", async (box) => {
  const { path } = await save(box);
  await ok(box, "load", "-i", path);
  const layout = JSON.parse(Deno.readTextFileSync(`${box.paddock.dataRoot}/oci-layout`));
  assertEquals(layout, { imageLayoutVersion: "1.0.0" });
  const index = JSON.parse(Deno.readTextFileSync(`${box.paddock.dataRoot}/index.json`));
  assertEquals([index.schemaVersion, index.manifests.length], [2, 3]);
  for (const { digest, size } of index.manifests) {
    assertEquals(Deno.statSync(`${box.paddock.dataRoot}/blobs/${digest.replace(":", "/")}`).size, size);
  }
});

test("a name that is loaded again goes to the new image", async (box) => {
  await ok(box, "load", "-i", tarUp(writeClassic(box.path("a"), [await image(["web:1"], "old")]), box.path("a.tar")));
  const second = tarUp(
    writeLayout(box.path("b"), [await image(["docker.io/library/web:1"], "new")]),
    box.path("b.tar"),
  );
  const { stdout } = await box.paddock.run(["load"], { stdin: Deno.readFileSync(second) });
  assertEquals(stdout, "web:1\n");
  assertEquals(await ok(box, "run", "web:1"), "new");
  assertEquals((await ok(box, "images", "-q")).trim().split("\n").length, 1);
});

test("an image without a name is loaded under its id", async (box) => {
  const made = await image(["latest"], "nameless");
  assertEquals(await ok(box, "load", "-i", writeLayout(box.path("oci"), [made])), `${idOf(made)}\n`);
  assertEquals(await ok(box, "load", "-i", box.path("oci")), `${idOf(made)}\n`);
  assertEquals((await ok(box, "images")).trim().split("\n").length, 2);
  assertEquals(await ok(box, "run", idOf(made).slice(7, 15)), "nameless");
  assertEquals(await ok(box, "rmi", idOf(made)), `${idOf(made)}\n`);
});

test("rmi takes names, and with the last one the layers that nobody else needs", async (box) => {
  const { path } = await save(box);
  await ok(box, "load", "-i", path);
  const count = () => [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)].length;
  assertEquals(count(), 3);
  assertEquals(await ok(box, "rmi", "web:2"), "web:2\n");
  assertEquals(count(), 3);
  assertEquals(await ok(box, "rmi", "registry.example:5000/team/web:2"), "registry.example:5000/team/web:2\n");
  assertEquals(count(), 2);
  assertEquals(await ok(box, "run", "web:1"), "one");
  const { code, stdout, stderr } = await box.paddock.run(["rmi", "web:9", "web:1"]);
  assertEquals([code, stdout], [125, "web:1\n"]);
  assertMatch(stderr, /no image here is called "web:9"/);
  assertEquals(count(), 0);
  assertEquals([...Deno.readDirSync(`${box.paddock.dataRoot}/layers/tmp`)], []);
});

// By what `gc --images` calls, and not by `gc`, which looks at every cgroup of this host.
test("a tag alone is the name of an image that has no other", async (box) => {
  await ok(box, "load", "-q", "-i", writeLayout(box.path("oci"), [await image(["v2"], "bare")]));
  assertEquals(await ok(box, "run", "v2"), "bare");
  assertStringIncludes(await ok(box, "images"), "v2:latest ");
});

test("pruning removes the layers that no image with a name and no container needs", async (box) => {
  const { path } = await save(box);
  await ok(box, "load", "-i", path);
  await ok(box, "run", "--name", "kept", `docker-archive:${path}:web:2`);
  await ok(box, "rmi", "web:2", "registry.example:5000/team/web:2");
  const count = () => [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)].length;
  assertEquals(count(), 3);
  assertEquals(await pruneImages(box.paddock), []);
  await ok(box, "rm", "kept");
  assertEquals((await pruneImages(box.paddock, { dryRun: true })).length, 1);
  assertEquals(count(), 3);
  const [gone, ...others] = await pruneImages(box.paddock);
  assertEquals([gone?.kind, others, count()], ["layer", [], 2]);
  assertEquals(await ok(box, "run", "web:1"), "one");
  // What is gone is made again.
  assertEquals(await ok(box, "run", `docker-archive:${path}:web:2`), "two");
});

test("loads at the same time lose no name", async (box) => {
  const paths = await Promise.all([1, 2, 3, 4].map(async (n) => {
    const made = [await image([`web:${n}`], String(n))];
    return tarUp(writeClassic(box.path(`d${n}`), made), box.path(`${n}.tar`));
  }));
  await Promise.all(paths.map((path) => ok(box, "load", "-i", path)));
  assertEquals((await ok(box, "images")).match(/web:\d/g)?.sort(), ["web:1", "web:2", "web:3", "web:4"]);
});

test("a root filesystem is no image to be loaded", async (box) => {
  const { code, stderr } = await box.paddock.run(["load", "-i", (await busybox()).gz]);
  assertEquals(code, 125);
  assertMatch(stderr, /holds a root filesystem, which is no image and has no name/);
});
