/**
 * Images from a registry: Debian's docker-registry on this host, filled by skopeo, umoci and podman.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { listNamedImages } from "../lib/image/image_index.ts";
import { ImageStore } from "../lib/image/image_store.ts";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import {
  configOf,
  describe,
  gzip,
  idOf,
  json,
  type LayerLine,
  type MadeImage,
  makeLayer,
  sha256,
  writeLayout,
  zstd,
} from "./support/images.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { Registry } from "./support/registry.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box, registry: Registry) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `registry: ${name}`,
    ...requires("root", "overlay", "tool:busybox", "tool:zstd", "tool:docker-registry", "tool:skopeo", ...needs),
    fn: async () => {
      using box = await Box.make();
      await using registry = await Registry.start(box.path("registry"));
      await expectNoLeaks(box.paddock, () => fn(box, registry));
    },
  });
}

/** An image of busybox with layers over it, that says what it is. */
async function image(...layers: readonly (readonly LayerLine[])[]): Promise<MadeImage> {
  return {
    layers: [Deno.readFileSync((await busybox()).tar), ...layers.map((lines) => makeLayer(...lines))],
    config: { Cmd: ["cat", "/etc/added"], Env: ["PATH=/bin"] },
    names: ["1"],
  };
}

const ADDED: readonly LayerLine[] = [{ path: "etc/added", text: "pulled\n" }];

/** What a paddock prints that must work. */
async function ok(box: Box, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals(code, 0, stderr);
  return stdout;
}

/** What is half done or kept for another try: nothing may be. */
function listHalfDone(box: Box): string[] {
  const list = (name: string): string[] =>
    [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/${name}`)].map((e) => e.name);
  return [...list("tmp"), ...list("downloads"), ...list("sources")];
}

test("an image is pulled once, and run, import and explain know it by its name", async (box, registry) => {
  const made = await image(ADDED);
  await registry.fill(`oci:${writeLayout(box.path("oci"), [made], { pack: gzip })}:1`, "team/web:1");
  const name = `${registry.host}/team/web:1`;
  assertMatch(await ok(box, "explain", name), /layers\/sha256\/DIGEST\/rootfs/);
  assertEquals(await ok(box, "pull", name), `${idOf(made)}\n`);
  assertEquals(listHalfDone(box), []);
  assertMatch(await ok(box, "explain", name), /layers\/sha256\/[0-9a-f]{64}\/rootfs/);
  assertEquals(await ok(box, "run", name), "pulled\n");
  assertEquals(await ok(box, "import", name), `${idOf(made)}\n`);
  const again = await box.paddock.run(["pull", name]);
  assertEquals(again.stdout, `${idOf(made)}\n`);
  assertMatch(again.stderr, /: is there\n/);
  assert(!again.stderr.includes("downloaded"), again.stderr);
  const quiet = await box.paddock.run(["pull", "-q", name]);
  assertEquals([quiet.stdout, quiet.stderr], [`${idOf(made)}\n`, ""]);
  assertMatch(await ok(box, "images"), /team\/web:1/);
  assertEquals(await ok(box, "rmi", name), `${name}\n`);
  assertEquals([...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)], []);
});

test("run pulls what is missing, asks again where it is told to, and never where it may not", async (box, registry) => {
  const name = `${registry.host}/web:1`;
  const push = async (text: string): Promise<void> => {
    const made = await image([{ path: "etc/added", text }]);
    await registry.fill(`oci:${writeLayout(box.path(text), [made], { pack: gzip })}:1`, "web:1");
  };
  await push("one");
  const never = await box.paddock.run(["run", "--pull", "never", name]);
  assertEquals(never.code, 125);
  assertMatch(never.stderr, /no image of that name was loaded/);
  assertEquals(await ok(box, "run", name), "one");
  await push("two");
  assertEquals(await ok(box, "run", name), "one");
  assertEquals(await ok(box, "run", "--pull", "always", name), "two");
  assertEquals(await ok(box, "run", "--pull=never", name), "two");
});

test("a digest names one image for ever, with a tag before it or without", async (box, registry) => {
  const made = await image(ADDED);
  const layout = writeLayout(box.path("oci"), [made], { pack: gzip });
  await registry.fill(`oci:${layout}:1`, "web:1");
  const [{ digest }] = JSON.parse(Deno.readTextFileSync(`${layout}/index.json`)).manifests;
  for (const name of [`${registry.host}/web@${digest}`, `${registry.host}/web:other@${digest}`]) {
    assertEquals(await ok(box, "run", name), "pulled\n");
    assertEquals(await ok(box, "run", "--pull", "never", name), "pulled\n");
  }
  const other = sha256(new TextEncoder().encode("other"));
  const { code, stderr } = await box.paddock.run(["pull", `${registry.host}/web@${other}`]);
  assertEquals(code, 125);
  assertMatch(stderr, /there is no such thing \(404/);
});

test("gzip, zstd and plain layers, of OCI's types and of docker's", async (box, registry) => {
  const made = await image(ADDED);
  const forms: readonly (readonly [tag: string, pack: (layer: Uint8Array) => Uint8Array, flags: readonly string[]])[] =
    [
      ["gzip", gzip, ["--preserve-digests"]],
      ["zstd", zstd, ["--preserve-digests"]],
      ["plain", (layer) => layer, ["--preserve-digests"]],
      ["docker", gzip, ["--format", "v2s2"]],
    ];
  for (const [tag, pack, flags] of forms) {
    await registry.fill(`oci:${writeLayout(box.path(tag), [made], { pack })}:1`, `web:${tag}`, ...flags);
    assertEquals(await ok(box, "run", `${registry.host}/web:${tag}`), "pulled\n", tag);
  }
  assertEquals(new Set(listNamedImages(box.paddock.dataRoot).map(({ id }) => id)).size, 1);
});

test("a large layer, which a thread of its own unpacks, is as whole as a small one", async (box, registry) => {
  // Text of random digits: it stays larger than what is unpacked without a thread.
  const digits = Array.from({ length: 300 }, () => crypto.getRandomValues(new Uint8Array(32768)).toHex()).join("");
  const made = await image(ADDED, [{ path: "etc/large", text: digits }]);
  for (const [tag, pack] of Object.entries({ gzip, zstd })) {
    const layout = writeLayout(box.path(tag), [made], { pack });
    await registry.fill(`oci:${layout}:1`, `large:${tag}`, "--preserve-digests");
    const sum = await ok(box, "run", `${registry.host}/large:${tag}`, "sha256sum", "/etc/large");
    assertEquals(`sha256:${sum.slice(0, 64)}`, sha256(new TextEncoder().encode(digits)), tag);
    await ok(box, "rmi", `${registry.host}/large:${tag}`);
  }
});

test("of an index the manifest for this machine is taken, or the one that is asked for", async (box, registry) => {
  const here = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const made = [
    { ...await image([{ path: "etc/added", text: "there" }]), architecture: "s390x" },
    { ...await image(ADDED), architecture: here },
  ];
  const nested = (value: Record<string, unknown>, entries: readonly Record<string, unknown>[]): unknown => {
    const inner = json({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: entries.map(({ annotations: _, ...entry }) => entry),
    });
    const entry = describe(box.path("index"), inner, "application/vnd.oci.image.index.v1+json");
    return { ...value, manifests: [{ ...entry, annotations: { "org.opencontainers.image.ref.name": "1" } }] };
  };
  await registry.fill(`oci:${writeLayout(box.path("index"), made, { pack: gzip, index: nested })}:1`, "web:1", "--all");
  const name = `${registry.host}/web:1`;
  assertEquals(await ok(box, "run", name), "pulled\n");
  assertEquals(await ok(box, "pull", "--platform", "linux/s390x", name), `${idOf(made[0]!)}\n`);
  const { code, stderr } = await box.paddock.run(["pull", "--platform", "linux/riscv64", name]);
  assertEquals(code, 125);
  assertMatch(stderr, /has no image for linux\/riscv64, but for linux\/s390x, linux\/\w+/);
  // What is here is for another platform: the right one is pulled.
  assertEquals(await ok(box, "run", "--platform", `linux/${here}`, name), "pulled\n");
});

test(
  "what is pulled is, entry by entry, what umoci unpacks",
  async (box, registry) => {
    const nasty = async (): Promise<Uint8Array> => {
      const script = new URL("./support/nasty_tree.bash", import.meta.url).pathname;
      const made = await call(["bash", script, box.path("nasty")]);
      assertEquals(made.code, 0, made.stderr);
      const flags = ["--xattrs", "--xattrs-include=*", "--format=pax", "--numeric-owner"];
      const { code, stderr } = await call([
        "tar",
        ...flags,
        "-C",
        box.path("nasty"),
        "-cf",
        box.path("nasty.tar"),
        ".",
      ]);
      assertEquals(code, 0, stderr);
      return Deno.readFileSync(box.path("nasty.tar"));
    };
    const lower: readonly LayerLine[] = [
      { path: "gone/", mode: 0o700 },
      { path: "gone/file", text: "1" },
      { path: "hidden/", mode: 0o755 },
      { path: "hidden/below", text: "2" },
      { path: "kept/", mode: 0o711, uid: 5, gid: 6 },
      { path: "kept/a", text: "3", mode: 0o4755, uid: 7 },
      { path: "kept/b", type: "hardlink", linkPath: "kept/a" },
      { path: "kept/gone", text: "4" },
    ];
    const upper: readonly LayerLine[] = [
      { path: ".wh.gone" },
      { path: "hidden/", mode: 0o750 },
      { path: "hidden/.wh..wh..opq" },
      { path: "hidden/new", text: "5" },
      { path: "kept/", mode: 0o711, uid: 5, gid: 6 },
      { path: "kept/.wh.gone" },
      { path: "kept/link", type: "symlink", linkPath: "../hidden/new" },
      { path: "kept/c", text: "6" },
      { path: "kept/d", type: "hardlink", linkPath: "kept/c" },
    ];
    const made: MadeImage = {
      layers: [await nasty(), makeLayer(...lower), makeLayer(...upper)],
      config: {},
      names: ["1"],
    };
    for (const [tag, pack] of Object.entries({ gzip, zstd })) {
      const layout = writeLayout(box.path(tag), [made], { pack });
      await registry.fill(`oci:${layout}:1`, `nasty:${tag}`, "--preserve-digests");
    }
    const unpack = await call(["umoci", "unpack", "--image", `${box.path("gzip")}:1`, box.path("bundle")]);
    assertEquals(unpack.code, 0, unpack.stderr);
    const theirs = await listEntries(box.path("bundle/rootfs"));
    assert(theirs.split("\n").length > 90, theirs);
    for (const tag of ["gzip", "zstd"]) {
      const id = (await ok(box, "pull", `${registry.host}/nasty:${tag}`)).trim();
      assertEquals(id, sha256(configOf(made)));
      assertEquals(await listPulled(box, id), theirs, tag);
      await ok(box, "rmi", id);
    }
  },
  "tool:umoci",
  "tool:getfattr",
  "tool:setcap",
);

test("processes that pull one image at once download and unpack each layer once", async (box, registry) => {
  const made = await image(ADDED, [{ path: "large", text: "x".repeat(5_000_000) }]);
  await registry.fill(`oci:${writeLayout(box.path("oci"), [made], { pack: gzip })}:1`, "web:1");
  const name = `${registry.host}/web:1`;
  const pulls = await Promise.all([1, 2, 3, 4].map(() => box.paddock.run(["pull", name])));
  for (const { code, stdout, stderr } of pulls) assertEquals([code, stdout], [0, `${idOf(made)}\n`], stderr);
  assertEquals(listHalfDone(box), []);
  assertEquals([...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)].length, 3);
  assertEquals(await ok(box, "run", "--pull=never", name), "pulled\n");
});

/** The files of an image in the store, laid over one another as a container has them. */
async function listPulled(box: Box, id: string): Promise<string> {
  using store = ImageStore.open(box.paddock.dataRoot);
  const found = (await store.findImage(id as `sha256:${string}`))!;
  const lower = found.lower.filter((path) => path !== found.init);
  Deno.mkdirSync(box.path("merged"), { recursive: true });
  const script = `mount -t overlay -o "lowerdir=$1" overlay "$2" && exec bash "$3" "$2"`;
  const list = new URL("./support/list_entries.bash", import.meta.url).pathname;
  const words = ["unshare", "-m", "sh", "-c", script, "sh", lower.join(":"), box.path("merged"), list];
  const { code, stdout, stderr } = await call(words);
  assertEquals(code, 0, stderr);
  return stdout;
}

async function listEntries(directory: string): Promise<string> {
  const list = new URL("./support/list_entries.bash", import.meta.url).pathname;
  const { code, stdout, stderr } = await call(["bash", list, directory]);
  assertEquals(code, 0, stderr);
  return stdout;
}
