/**
 * `save`: what is written is what was read, byte for byte, and others read it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { layerPath } from "../lib/image/layer_names.ts";
import { LayerStore } from "../lib/image/layer_store.ts";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { gzip, idOf, type MadeImage, makeLayer, tarUp, writeClassic, writeLayout, zstd } from "./support/images.ts";
import { call, Paddock } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `image save: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Whiteouts, an opaque directory, links, attributes, devices, a long name. */
async function image(names: readonly string[], text = "here"): Promise<MadeImage> {
  const below = makeLayer(
    { path: "d/" },
    { path: "d/gone", text: "gone" },
    { path: "d/stays", text: "stays", mode: 0o4755, uid: 5, gid: 6 },
    { path: "hidden/" },
    { path: "hidden/old", text: "old" },
    { path: `${"long/".repeat(60)}name`, text: "long" },
  );
  const above = makeLayer(
    { path: "d/.wh.gone" },
    { path: "d/first", text: "twice" },
    { path: "d/second", type: "hardlink", linkPath: "d/first" },
    { path: "hidden/", mode: 0o700, mtimeNsec: 5 },
    { path: "hidden/.wh..wh..opq" },
    { path: "hidden/new", xattrs: [{ name: "user.note", value: new Uint8Array([1, 0, 255]) }] },
    { path: "null", type: "character", devMajor: 1, devMinor: 3 },
    { path: "pipe", type: "fifo" },
  );
  return {
    layers: [Deno.readFileSync((await busybox()).tar), below, makeLayer({ path: "etc/said", text }), above],
    config: { Cmd: ["cat", "/etc/said"] },
    names,
  };
}

async function ok(paddock: Paddock, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await paddock.run(words);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout;
}

async function must(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await call(command);
  assertEquals(code, 0, `${command.join(" ")}: ${stderr}`);
  return stdout;
}

/** Loads images, and gives their archive. */
async function load(box: Box, ...made: MadeImage[]): Promise<string> {
  const path = tarUp(writeClassic(box.path("source"), made), box.path("source.tar"));
  await ok(box.paddock, "load", "-q", "-i", path);
  return path;
}

const FORMS: readonly (readonly string[])[] = [
  ["--format", "oci-archive"],
  ["--format", "oci-archive", "--compress", "gzip"],
  ["--format", "oci-archive", "--compress", "zstd"],
  ["--format", "docker-archive"],
];

test("what is saved is loaded elsewhere as the same image, and saved again as the same archive", async (box) => {
  const made = [await image(["web:1"]), await image(["registry.example:5000/team/db:2"], "other")];
  await load(box, ...made);
  for (const [i, form] of FORMS.entries()) {
    const [first, again] = [box.path(`${i}.tar`), box.path(`${i}.again.tar`)];
    await ok(box.paddock, "save", ...form, "-o", first, "web:1", "registry.example:5000/team/db:2");
    using other = new Paddock();
    assertEquals(await ok(other, "load", "-i", first), "web:1\nregistry.example:5000/team/db:2\n");
    const ids = (await ok(other, "images", "-q")).trim().split("\n").sort();
    assertEquals(ids, made.map(idOf).sort(), form.join(" "));
    await ok(other, "save", ...form, "-o", again, "web:1", "registry.example:5000/team/db:2");
    assertEquals(await Deno.readFile(again), await Deno.readFile(first), form.join(" "));
    assertEquals(await ok(other, "run", "registry.example:5000/team/db:2"), "other");
  }
});

test("layers are written as they came, packed or not, whatever they came in", async (box) => {
  // Names twice, a file where a directory was, data in a whiteout, something behind the end.
  const odd = makeLayer(
    { path: "./etc/twice", text: "first" },
    { path: "etc/twice", text: "second, longer" },
    { path: "x/y/z", text: "deep" },
    { path: "x", text: "a file now" },
    { path: "x.wh", text: "no whiteout" },
    { path: "etc/.wh.passwd", text: "with data" },
  );
  const tail = new Uint8Array([...odd, ...new Uint8Array(20_000), ...new TextEncoder().encode("behind the end")]);
  const base = Deno.readFileSync((await busybox()).tar);
  const made = { layers: [base, odd, tail], config: { Cmd: ["cat", "/etc/twice"] }, names: ["web:1"] };
  for (const [i, pack] of [gzip, zstd].entries()) {
    using paddock = new Paddock();
    const source = writeLayout(box.path(`source${i}`), [made], { pack });
    await ok(paddock, "load", "-q", "-i", source);
    const out = box.path(`out${i}`);
    await ok(paddock, "save", "--format", "oci-dir", "-o", out, idOf(made));
    const blobs = [...Deno.readDirSync(`${out}/blobs/sha256`)].map(({ name }) =>
      Deno.readFileSync(`${out}/blobs/sha256/${name}`)
    );
    for (const layer of made.layers) {
      assert(blobs.some((blob) => blob.length === layer.length && blob.every((byte, at) => byte === layer[at])));
    }
  }
});

test("a layer without its archive is written anew, and the image gets another id", async (box) => {
  const made = await image(["web:1"]);
  await load(box, made);
  const { dataRoot } = box.paddock;
  {
    using store = LayerStore.open(dataRoot);
    for (const chainId of store.list()) Deno.removeSync(`${layerPath(dataRoot, chainId)}/tar-split`);
  }
  const { code, stderr } = await box.paddock.run(["save", "-o", box.path("out.tar"), "web:1"]);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /sha256:[0-9a-f]{64} gets another id/);
  using other = new Paddock();
  await ok(other, "load", "-q", "-i", box.path("out.tar"));
  const list = "cat /d/* /hidden/*; ls -la /d /hidden | sed 's/total.*//'; stat -c '%t:%T %F' /null /pipe";
  assertEquals(
    await ok(other, "run", "web:1", "sh", "-c", list),
    await ok(box.paddock, "run", "web:1", "sh", "-c", list),
  );
});

test("a file of the store that was written to is told, and nothing is left of what was begun", async (box) => {
  await load(box, await image(["web:1"]));
  const files = await must("find", `${box.paddock.dataRoot}/layers/sha256`, "-path", "*/rootfs/etc/said");
  Deno.writeTextFileSync(files.trim(), "evil");
  const { code, stderr } = await box.paddock.run(["save", "-o", box.path("out.tar"), "web:1"]);
  assertEquals(code, 125);
  assertMatch(stderr, /layer sha256:[0-9a-f]{64} of the store is not what its digest says/);
  assertEquals([...Deno.readDirSync(box.path("."))].filter(({ name }) => name.startsWith("out.tar")), []);
});

test("what cannot be saved is refused", async (box) => {
  await load(box, await image(["web:1"]));
  const refused: readonly (readonly [string[], RegExp])[] = [
    [[], /save needs IMAGE/],
    [["nothere:1", "-o", box.path("x")], /no image here is called/],
    [["--format", "oci-dir", "web:1"], /give -o DIRECTORY/],
    [["--format", "oci-dir", "-o", box.rootfs, "web:1"], /is no empty directory/],
    [["--format", "docker-archive", "--compress", "gzip", "-o", box.path("x"), "web:1"], /are not packed/],
    [["-o", "/nowhere/x.tar", "web:1"], /cannot write \/nowhere\/x.tar/],
  ];
  for (const [words, message] of refused) {
    const { code, stderr } = await box.paddock.run(["save", ...words]);
    assertEquals(code, 125, words.join(" "));
    assertMatch(stderr, message);
  }
});

test(
  "skopeo reads every form, and umoci unpacks the same files from it",
  async (box) => {
    const made = await image(["web:1"]);
    await load(box, made);
    await ok(box.paddock, "save", "--format", "oci-dir", "-o", box.path("dir"), "web:1");
    const words = [`oci:${box.path("dir")}:1`];
    for (const [i, form] of FORMS.entries()) {
      await ok(box.paddock, "save", ...form, "-o", box.path(`${i}.tar`), "web:1");
      words.push(`${form[1]}:${box.path(`${i}.tar`)}`);
    }
    // The archive of a layout is one of docker's as well.
    words.push(`docker-archive:${box.path("0.tar")}:web:1`);
    for (const [i, word] of words.entries()) {
      assertMatch(await must("skopeo", "inspect", "--config", word), /"\/etc\/said"/);
      // umoci knows no zstd: skopeo packs it anew.
      const packed = ["--dest-compress", "--dest-compress-format", "gzip"];
      await must("skopeo", "--insecure-policy", "copy", "-q", ...packed, word, `oci:${box.path(`copy${i}`)}:1`);
      await must("umoci", "unpack", "--image", `${box.path(`copy${i}`)}:1`, box.path(`bundle${i}`));
    }
    await must("umoci", "unpack", "--image", `${writeLayout(box.path("made"), [made])}:1`, box.path("wanted"));
    const script = new URL("./support/list_tree.bash", import.meta.url).pathname;
    // Directories that no layer mentions, or that change after they were made, have the time of the unpacking.
    const times = /^(.*\|d\|\d+\|\d+\|\d+\|\d+\|)[0-9.]+\|/gm;
    const list = async (bundle: string): Promise<string> =>
      (await must("bash", script, `${box.path(bundle)}/rootfs`)).replaceAll(times, "$1|");
    const wanted = await list("wanted");
    assertMatch(wanted, /user.note/);
    for (const [i] of words.entries()) assertEquals(await list(`bundle${i}`), wanted, words[i]!);
  },
  "tool:skopeo",
  "tool:umoci",
  "tool:getfattr",
);

test("podman loads what is saved, and what podman saves is loaded", async (box) => {
  const made = await image(["example.test/web:1"]);
  await load(box, made);
  const podman = (...args: string[]): Promise<string> =>
    must("podman", "--root", box.path("pod"), "--runroot", box.path("podrun"), "--storage-driver", "vfs", ...args);
  for (const [i, form] of FORMS.entries()) {
    const archive = box.path(`${i}.tar`);
    await ok(box.paddock, "save", ...form, "-o", archive, "example.test/web:1");
    await podman("load", "-q", "-i", archive);
    assertMatch(await podman("images", "--no-trunc"), new RegExp(`example.test/web +1 +${idOf(made)}`));
    // Podman converts no zstd for docker's format.
    for (const format of form.includes("zstd") ? ["oci-archive"] : ["docker-archive", "oci-archive"]) {
      await podman("save", "-q", "--format", format, "-o", box.path(`${i}.${format}`), "example.test/web:1");
      using other = new Paddock();
      assertEquals(await ok(other, "load", "-i", box.path(`${i}.${format}`)), "example.test/web:1\n");
      assertEquals(await ok(other, "run", "example.test/web:1"), "here");
    }
    await podman("rmi", "-af");
  }
}, "tool:podman");
