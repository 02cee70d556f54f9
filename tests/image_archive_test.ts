/**
 * Images in files: every layout that tools have written them in, run and imported in one step.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { LayerStore } from "../lib/image/layer_store.ts";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import {
  describe,
  gzip,
  idOf,
  json,
  type LayerLine,
  type MadeImage,
  makeLayer,
  tarUp,
  writeClassic,
  writeLayout,
  writeOld,
  zstd,
} from "./support/images.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, type Outcome } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `image archive: ${name}`,
    ...requires("root", "overlay", "tool:busybox", "tool:zstd", ...needs),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

/** An image of busybox with layers over it. */
async function image(names: readonly string[], ...layers: readonly (readonly LayerLine[])[]): Promise<MadeImage> {
  return {
    layers: [Deno.readFileSync((await busybox()).tar), ...layers.map((lines) => makeLayer(...lines))],
    config: {
      Env: ["FROM=the image", "PATH=/bin"],
      Entrypoint: ["sh", "-c"],
      Cmd: ['echo "$FROM $(id -un) $PWD $(cat /etc/added 2>/dev/null)"'],
      User: "user",
      WorkingDir: "/tmp",
    },
    names,
  };
}

const ADDED: readonly LayerLine[] = [{ path: "etc/added", text: "layered" }];
const SAID = "the image user /tmp layered\n";

async function expectSaid(box: Box, word: string, said = SAID): Promise<void> {
  const { code, stdout, stderr } = await box.paddock.run(["run", word]);
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: said, stderr: "" }, word);
}

function expectRefused({ code, stdout, stderr }: Outcome, message: RegExp): void {
  assertEquals({ code, stdout }, { code: 125, stdout: "" }, stderr);
  assertMatch(stderr, message);
  assert(stderr.trim().split("\n").length <= 2, stderr);
}

function countLayers(box: Box): number {
  return [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)].length;
}

/** What is half done: nothing may be. */
function listHalfDone(box: Box): string[] {
  const list = (name: string) => [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/${name}`)].map((e) => e.name);
  return [...list("tmp"), ...list("sources").filter((name) => name.startsWith("chain-"))];
}

test("every layout of docker save and of OCI runs, with the image's own command, user and directory", async (box) => {
  const made = [await image(["registry.example/app/web:1"], ADDED)];
  const words = [
    tarUp(writeOld(box.path("old"), made), box.path("old.tar")),
    tarUp(writeClassic(box.path("classic"), made), box.path("classic.tar")),
    tarUp(writeLayout(box.path("modern"), made, { saved: true }), box.path("modern.tar")),
    tarUp(writeLayout(box.path("oci"), made, { pack: gzip }), box.path("oci.tar")),
    `oci:${writeLayout(box.path("layout"), made, { pack: zstd })}`,
    writeLayout(box.path("docker-layout"), made, { pack: gzip, docker: true }),
    box.path("classic"),
  ];
  for (const word of words) await expectSaid(box, word);
  // The same content is the same two layers, however it is packed.
  assertEquals(countLayers(box), 2);
  assertEquals(listHalfDone(box), []);
});

test("an archive may be packed as a whole, or come through standard input", async (box) => {
  const made = [await image(["web:1"], ADDED)];
  for (
    const dir of [writeOld(box.path("a"), made), writeClassic(box.path("b"), made), writeLayout(box.path("c"), made)]
  ) {
    const tar = Deno.readFileSync(tarUp(dir, box.path("plain.tar")));
    await expectSaid(box, box.file("packed.tar.gz", gzip(tar)));
    await expectSaid(box, box.file("packed.zst", zstd(tar)));
    const { stdout, stderr } = await box.paddock.run(["run", "-"], { stdin: gzip(tar) });
    assertEquals([stdout, stderr], [SAID, ""]);
  }
  assertEquals(countLayers(box), 2);
  assertEquals(listHalfDone(box), []);
});

test("of several images one is chosen by tag or name, and an ambiguous word lists them", async (box) => {
  const made = [
    await image(["web:1"], [{ path: "etc/added", text: "first" }]),
    await image(["web:2", "web:latest"], [{ path: "etc/added", text: "second" }]),
  ];
  const classic = tarUp(writeClassic(box.path("classic"), made), box.path("classic.tar"));
  const oci = tarUp(writeLayout(box.path("oci"), made), box.path("oci.tar"));
  const layout = box.path("oci");
  const full = writeLayout(box.path("full"), [
    { ...made[0]!, names: ["docker.io/library/a:3"] },
    { ...made[1]!, names: ["docker.io/library/b:3"] },
  ]);
  for (
    const word of [`docker-archive:${classic}:web:1`, `oci-archive:${oci}:1`, `oci:${layout}:1`, `oci:${full}:a:3`]
  ) {
    await expectSaid(box, word, "the image user /tmp first\n");
  }
  for (
    const word of [`docker-archive:${classic}:web`, `oci-archive:${oci}:latest`, `oci:${layout}:2`, `oci:${full}:b:3`]
  ) {
    await expectSaid(box, word, "the image user /tmp second\n");
  }
  expectRefused(await box.paddock.run(["run", classic]), /holds 2 images: web:1, web:2/);
  expectRefused(await box.paddock.run(["run", layout]), /holds 2 images: 1, 2\n.*oci:DIRECTORY:TAG/);
  expectRefused(await box.paddock.run(["run", `oci:${layout}:9`]), /holds no image "9", but 1, 2/);
  expectRefused(await box.paddock.run(["run", `oci:${full}:3`]), /holds 2 images "3": docker\.io\/library\/a:3/);
});

test("import prints the id that docker gives the image", async (box) => {
  const made = await image(["web:1"], ADDED);
  const layout = writeLayout(box.path("oci"), [made], { pack: gzip });
  for (const word of [`oci:${layout}`, layout, tarUp(layout, box.path("oci.tar"))]) {
    assertEquals((await box.paddock.run(["import", word])).stdout, `${idOf(made)}\n`);
  }
  await expectSaid(box, layout);
});

test("the manifest for this machine is chosen, and statements about it are passed over", async (box) => {
  const here = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const made = [
    { ...await image(["1"], [{ path: "etc/added", text: "there" }]), architecture: "s390x" },
    { ...await image(["1"], ADDED), architecture: here },
  ];
  const index = (value: Record<string, unknown>, entries: readonly Record<string, unknown>[]): unknown => ({
    ...value,
    manifests: [{
      ...entries[0],
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    }, ...entries],
  });
  await expectSaid(box, writeLayout(box.path("two"), made, { index }));
  // As buildkit writes it: an index in the index.
  const nested = (value: Record<string, unknown>, entries: readonly Record<string, unknown>[]): unknown => {
    const inner = json({ schemaVersion: 2, manifests: entries.map(({ annotations: _, ...entry }) => entry) });
    const entry = describe(box.path("nested"), inner, "application/vnd.oci.image.index.v1+json");
    return { ...value, manifests: [{ ...entry, annotations: { "org.opencontainers.image.ref.name": "1" } }] };
  };
  await expectSaid(box, `oci:${writeLayout(box.path("nested"), made, { index: nested })}:1`);
  const other = writeLayout(box.path("one"), made.slice(0, 1));
  expectRefused(await box.paddock.run(["run", other]), /has no image for linux\/\w+, but for linux\/s390x/);
});

test("two runs of one archive at once unpack each layer once, and so do two archives of the same layers", async (box) => {
  const made = [await image(["web:1"], ADDED, [{ path: "etc/more", text: "x".repeat(3_000_000) }])];
  const first = tarUp(writeClassic(box.path("classic"), made), box.path("classic.tar"));
  const second = tarUp(writeLayout(box.path("oci"), made), box.path("oci.tar"));
  const runs = await Promise.all([first, first, second, second].map((word) => box.paddock.run(["run", word])));
  for (const { stdout, stderr } of runs) assertEquals([stdout, stderr], [SAID, ""]);
  assertEquals(countLayers(box), 3);
  assertEquals(listHalfDone(box), []);
});

test("of processes that import one image at once a single one unpacks it", async (box) => {
  const made = [await image(["web:1"])];
  const archives = [
    tarUp(writeClassic(box.path("classic"), made), box.path("classic.tar")),
    tarUp(writeLayout(box.path("oci"), made), box.path("oci.tar")),
  ];
  const worker = new URL("./support/import_worker.ts", import.meta.url).pathname;
  const imports = await Promise.all([...archives, ...archives].map(async (archive) => {
    const command = [Deno.execPath(), "run", "-A", "--no-config", worker, box.paddock.dataRoot, archive];
    const { stdout, stderr } = await call(command);
    assertEquals(stderr, "");
    return JSON.parse(stdout) as { isNew: boolean; image: { id: string } };
  }));
  assertEquals(imports.filter(({ isNew }) => isNew).length, 1);
  assertEquals(new Set(imports.map(({ image }) => image.id)).size, 1);
  assertEquals([countLayers(box), listHalfDone(box)], [1, []]);
});

test("an archive that was rewritten is read again", async (box) => {
  const path = box.path("web.tar");
  tarUp(writeClassic(box.path("one"), [await image(["web:1"], ADDED)]), path);
  await expectSaid(box, path);
  tarUp(writeClassic(box.path("two"), [await image(["web:1"], [{ path: "etc/added", text: "new" }])]), path);
  await expectSaid(box, path, "the image user /tmp new\n");
});

/** Layers, and what a shell in the container prints of them. */
const LAYERS: Readonly<
  Record<string, readonly [layers: readonly (readonly LayerLine[])[], script: string, said: string]>
> = {
  "a whiteout hides a file of the layer below": [
    [[{ path: "d/gone", text: "" }, { path: "d/kept", text: "" }], [{ path: "d/.wh.gone" }]],
    "ls -a /d",
    ".\n..\nkept\n",
  ],
  "a whiteout hides a directory": [
    [[{ path: "d/in/file" }, { path: "d/kept" }], [{ path: "d/.wh.in" }]],
    "ls /d",
    "kept\n",
  ],
  "an opaque directory hides all below and shows its own, the mark coming last": [
    [[{ path: "d/low" }, { path: "d/sub/low" }], [{ path: "d/" }, { path: "d/high" }, { path: "d/.wh..wh..opq" }]],
    "ls /d",
    "high\n",
  ],
  "the mark coming first": [
    [[{ path: "d/low" }], [{ path: "d/.wh..wh..opq" }, { path: "d/high" }]],
    "ls /d",
    "high\n",
  ],
  "a directory that was hidden and made again in one layer is a new one": [
    [[{ path: "d/in/low" }], [{ path: "d/.wh.in" }, { path: "d/in/" }, { path: "d/in/high" }]],
    "ls /d/in",
    "high\n",
  ],
  "the whiteout coming after": [
    [[{ path: "d/in/low" }], [{ path: "d/in/" }, { path: "d/in/high" }, { path: "d/.wh.in" }]],
    "ls /d/in",
    "high\n",
  ],
  "made again without an entry of its own": [
    [[{ path: "d/in/low" }], [{ path: "d/.wh.in" }, { path: "d/in/high" }]],
    "ls /d/in",
    "high\n",
  ],
  "a whiteout leaves the same layer's file": [
    [[{ path: "d/f", text: "low\n" }], [{ path: "d/f", text: "high\n" }, { path: "d/.wh.f" }]],
    "cat /d/f",
    "high\n",
  ],
  "a file takes the place of a whiteout": [
    [[{ path: "d/f", text: "low\n" }], [{ path: "d/.wh.f" }, { path: "d/f", text: "high\n" }]],
    "cat /d/f",
    "high\n",
  ],
  "a file in place of a directory, and a directory in place of that": [
    [[{ path: "d/x/low" }], [{ path: "d/x", text: "file" }], [{ path: "d/x/" }, { path: "d/x/high" }]],
    "ls /d/x",
    "high\n",
  ],
  "the same within one layer": [
    [[{ path: "d/x/low" }], [{ path: "d/x/mid" }, { path: "d/x", text: "file" }, { path: "d/x/" }]],
    "ls -A /d/x; echo end",
    "end\n",
  ],
  "a directory that is not mentioned keeps owner and mode": [
    [[{ path: "d/", mode: 0o1770, uid: 7, gid: 8 }, { path: "d/s/", mode: 0o2700, uid: 9, gid: 10 }], [{
      path: "d/s/new",
    }]],
    "stat -c '%a %u %g' /d /d/s",
    "1770 7 8\n2700 9 10\n",
  ],
  "a whiteout goes through a symlink of its own layer and stays inside": [
    [[{ path: "d/f" }, { path: "d/kept" }], [{ path: "link", type: "symlink", linkPath: "d" }, { path: "link/.wh.f" }]],
    "ls /d",
    "kept\n",
  ],
  "a directory made by the way hides a symlink below, as with docker": [
    [[{ path: "usr/l/x" }, { path: "l", type: "symlink", linkPath: "usr/l" }], [{ path: "l/y" }]],
    "ls /l /usr/l",
    "/l:\ny\n\n/usr/l:\nx\n",
  ],
  "absolute names, links and hard links begin at the image's root": [
    [[
      { path: "/d/one", text: "1" },
      { path: "/two", type: "hardlink", linkPath: "/d/one" },
      { path: "l", type: "symlink", linkPath: "/d" },
      { path: "l/three" },
    ]],
    "ls /d; cat /two",
    "one\nthree\n1",
  ],
  "what an old union filesystem kept for itself is left out": [
    [[{ path: ".wh..wh.plnk/1.2" }, { path: ".wh..wh.aufs" }, { path: "d/f" }]],
    "ls -A /d; ls -A / | grep wh || echo none",
    "f\nnone\n",
  ],
  "users of a lower layer are known": [
    [[{ path: "etc/passwd", text: "root:x:0:0::/:\nuser:x:77:88::/home:\n" }], [{ path: "d/f" }]],
    "id -u user; id -g user",
    "77\n88\n",
  ],
};

test("layers are laid over one another as docker does it", async (box) => {
  for (const [name, [layers, script, said]] of Object.entries(LAYERS)) {
    const layout = writeLayout(box.path(name), [await image(["1"], ...layers)]);
    const { stdout, stderr } = await box.paddock.run(["run", "-u", "0", `oci:${layout}`, script]);
    assertEquals([stdout, stderr], [said, ""], name);
  }
});

test("an opaque root hides every layer below", async (box) => {
  const made = await image(["1"]);
  const low = makeLayer({ path: "low" });
  const mark = makeLayer({ path: ".wh..wh..opq" }, { path: "own" });
  const layout = writeLayout(box.path("oci"), [{ ...made, layers: [low, mark, ...made.layers] }]);
  assertEquals((await box.paddock.run(["run", layout, "ls / | grep -E '^(low|own)$'"])).stdout, "own\n");
});

test("an image of a hundred layers runs, and what a container of it wrote is exported with the rest", async (box) => {
  const layers = Array.from({ length: 100 }, (_, i): LayerLine[] => [{ path: `layers/${i}` }]);
  const layout = writeLayout(box.path("oci"), [await image(["1"], ...layers)]);
  for (const flags of [[], ["--userns", "0:100000:65536"]]) {
    const { stdout, stderr } = await box.paddock.run(["run", ...flags, layout, "ls /layers | wc -l"]);
    assertEquals([stdout.trim(), stderr], ["100", ""]);
  }
  assertEquals(
    (await box.paddock.run(["run", "-u", "0", "--name", "kept", layout, "echo x > /layers/own"])).stderr,
    "",
  );
  const { code, stderr } = await box.paddock.run(["export", "-o", box.path("out.tar"), "kept"]);
  assertEquals([code, stderr], [0, ""]);
  const { stdout } = await call(["tar", "-tf", box.path("out.tar")]);
  assertEquals(stdout.split("\n").filter((name) => /^layers\/(\d+|own)$/.test(name)).length, 101);
  assertEquals((await box.paddock.run(["rm", "kept"])).code, 0);
});

/** Layers that are refused, and what is said. */
const BAD_LAYERS: Readonly<Record<string, readonly [lines: readonly LayerLine[], message: RegExp]>> = {
  "a whiteout of nothing": [[{ path: "etc/.wh." }], /"etc\/\.wh\." is a whiteout that names no file/],
  "a whiteout of the directory itself": [[{ path: "etc/.wh.." }], /names no file/],
  "a whiteout of the directory above": [[{ path: "etc/.wh..." }], /names no file/],
  "a file below a whiteout": [[{ path: ".wh.etc/passwd" }], /in a directory with the name of a whiteout/],
  "a whiteout that leads out": [[{ path: "../.wh.etc" }], /leads out through "\.\."/],
  "a whiteout through a link that leads out": [
    [{ path: "l", type: "symlink", linkPath: "../etc" }, { path: "l/.wh.passwd" }],
    /goes through the link "l", which leads out/,
  ],
  "a hard link to a file of a lower layer": [
    [{ path: "link", type: "hardlink", linkPath: "bin/busybox" }],
    /"link" is a hard link to "bin\/busybox", which is not in the same layer before it/,
  ],
};

test("layers that would reach elsewhere are refused, and nothing of them stays", async (box) => {
  const sizes = new Set<number>();
  for (const [name, [lines, message]] of Object.entries(BAD_LAYERS)) {
    const layout = writeLayout(box.path(name), [await image(["1"], lines)]);
    expectRefused(await box.paddock.run(["run", layout]), message);
    assertEquals(listHalfDone(box), [], name);
    sizes.add(countLayers(box));
  }
  // The layer of busybox is whole and stays; no other does.
  assertEquals([...sizes], [1]);
});

/** A document that is going to be changed; what is there is known, for it was written by the test. */
// deno-lint-ignore no-explicit-any
type Edited = Record<string, any>;

interface Bad {
  readonly make: (dir: string, made: MadeImage) => void;
  readonly message: RegExp;
}

const edit = (part: "manifest" | "index", change: (value: Edited) => unknown): Bad["make"] => (dir, made) => {
  writeLayout(dir, [made], { [part]: change });
};

/** Layouts that are refused, and what is said. */
const BAD_LAYOUTS: Readonly<Record<string, Bad>> = {
  "a manifest that could be read as an index": {
    make: edit("manifest", (value) => ({ ...value, manifests: [] })),
    message: /it has manifests and layers, and could be read as either/,
  },
  "an index that could be read as a manifest": {
    make: edit("index", (value) => ({ ...value, layers: [] })),
    message: /index\.json: \$: it has manifests and layers/,
  },
  "a manifest that is called something else": {
    make: edit("manifest", (value) => ({ ...value, mediaType: "application/vnd.oci.image.index.v1+json" })),
    message: /\.mediaType: application\/vnd\.oci\.image\.index\.v1\+json, but what led here says .*manifest\.v1/,
  },
  "a digest that is a path": {
    make: edit("index", (value) => ({
      ...value,
      manifests: [{ ...value.manifests[0], digest: "sha256:../../../../etc/passwd" }],
    })),
    message: /\.digest: "sha256:\.\.\/\.\.\/\.\.\/\.\.\/etc\/passwd" is no digest/,
  },
  "a digest that is too short": {
    make: edit("manifest", (value) => ({ ...value, layers: [{ ...value.layers[0], digest: "sha256:0123" }] })),
    message: /layers\[0\]\.digest: .* sha256 has 64 digits/,
  },
  "a digest of an unknown algorithm": {
    make: edit("manifest", (value) => ({ ...value, config: { ...value.config, digest: `md5:${"0".repeat(32)}` } })),
    message: /config\.digest: digests of md5 are not known here/,
  },
  "a size that is not the blob's": {
    make: edit("manifest", (value) => ({ ...value, layers: [{ ...value.layers[0], size: 5 }, value.layers[1]] })),
    message: /has \d+ bytes, not 5/,
  },
  "a layer that is not there": {
    make: edit("manifest", (value) => ({
      ...value,
      layers: [value.layers[0], { ...value.layers[1], digest: `sha256:${"0".repeat(64)}` }],
    })),
    message: /blobs\/sha256\/0+ is not in it, though the image names it/,
  },
  "an artifact that is no image": {
    make: edit("manifest", (value) => ({
      ...value,
      config: { ...value.config, mediaType: "application/vnd.cncf.helm.config.v1+json" },
    })),
    message: /helm\.config\.v1\+json: not an image/,
  },
  "more digests than layers": {
    make: edit("manifest", (value) => ({ ...value, layers: [value.layers[0]] })),
    message: /has 2 digests for 1 layers/,
  },
  "a manifest of schema 1": {
    make: edit("manifest", () => ({ schemaVersion: 1, fsLayers: [] })),
    message: /docker's schema 1/,
  },
  "a layer that was changed": {
    make: (dir, made) => {
      const other = makeLayer({ path: "etc/added", text: "changed" });
      writeLayout(dir, [made]);
      for (const { name } of Deno.readDirSync(`${dir}/blobs/sha256`)) {
        const path = `${dir}/blobs/sha256/${name}`;
        if (Deno.statSync(path).size === made.layers[1]!.length) Deno.writeFileSync(path, other);
      }
    },
    message: /layer 2 of 2" is not what its digest says: it is sha256:/,
  },
  "a layer that unpacks to something else": {
    make: (dir, made) => {
      const { layers } = made;
      writeLayout(dir, [{ ...made, layers: [layers[0]!, makeLayer({ path: "x" })] }], {
        manifest: (value) => value,
        pack: (layer) => layer.length < 10_000 ? gzip(makeLayer({ path: "y" })) : layer,
      });
    },
    message: /layer 2 of 2" unpacks to sha256:\w+, but the image says sha256:/,
  },
};

test("layouts that make no sense or could be misread are refused in one line", async (box) => {
  for (const [name, { make, message }] of Object.entries(BAD_LAYOUTS)) {
    make(box.path(name), await image(["1"], ADDED));
    expectRefused(await box.paddock.run(["run", box.path(name)]), message);
    expectRefused(await box.paddock.run(["run", tarUp(box.path(name), box.path("bad.tar"))]), message);
    assertEquals(listHalfDone(box), [], name);
  }
});

test("a config that is not what it is called is refused, and a link that leads out is found nowhere", async (box) => {
  const dir = writeClassic(box.path("a"), [await image(["web:1"], ADDED)]);
  const [config] = [...Deno.readDirSync(dir)].filter(({ name }) => name.length === 69);
  const text = Deno.readTextFileSync(`${dir}/${config!.name}`);
  Deno.writeTextFileSync(`${dir}/${config!.name}`, text.replace("the image", "elsewhere"));
  expectRefused(
    await box.paddock.run(["run", tarUp(dir, box.path("a.tar"))]),
    /configuration is not what its digest says/,
  );
  Deno.writeTextFileSync(`${dir}/${config!.name}`, text);
  const layer = [...Deno.readDirSync(dir)].find(({ name }) => name.length === 64)!.name;
  Deno.removeSync(`${dir}/${layer}/layer.tar`);
  Deno.symlinkSync("../../../../../etc/passwd", `${dir}/${layer}/layer.tar`);
  for (const word of [dir, tarUp(dir, box.path("b.tar"))]) {
    expectRefused(await box.paddock.run(["run", word]), /is not in it, though the image names it/);
  }
});

test(
  "skopeo and umoci write what is read, and umoci unpacks to the same files",
  async (box) => {
    const made = await image(
      ["1"],
      [{ path: "d/one", text: "1" }, { path: "d/two", mode: 0o4755, uid: 5, gid: 6 }, { path: "e/", mode: 0o700 }],
      [{ path: "d/.wh.one" }, { path: "e/.wh..wh..opq" }, { path: "e/new" }, {
        path: "s",
        type: "symlink",
        linkPath: "d/two",
      }],
    );
    const layout = writeLayout(box.path("oci"), [made], { pack: gzip });
    const copy = async (from: string, to: string): Promise<void> => {
      const { code, stderr } = await call(["skopeo", "--insecure-policy", "copy", "-q", from, to]);
      assertEquals(code, 0, stderr);
    };
    await copy(`oci:${layout}:1`, `docker-archive:${box.path("docker.tar")}:web:1`);
    await copy(`oci:${layout}:1`, `oci-archive:${box.path("oci.tar")}:latest`);
    for (const word of [box.path("docker.tar"), box.path("oci.tar"), `oci:${layout}:1`]) {
      const { stdout, stderr } = await box.paddock.run(["run", "-u", "0", word, "ls /d /e; readlink /s"]);
      assertEquals([stdout, stderr], ["/d:\ntwo\n\n/e:\nnew\nd/two\n", ""], word);
    }
    const { code, stderr } = await call(["umoci", "unpack", "--image", `${layout}:1`, box.path("bundle")]);
    assertEquals(code, 0, stderr);
    const list =
      "cd /; find . -xdev ! -path './proc*' ! -path './sys*' ! -path './dev*' -exec stat -c '%n %f %u %g %s' {} + | " +
      "grep -vE '^[.]/(etc/(hosts|hostname|resolv.conf)|etc|tmp) |^[.] ' | sed 's/^\\(.* 4[0-9a-f]* .* .*\\) .*/\\1/' | sort";
    const ours = await box.paddock.run(["run", "-u", "0", layout, list]);
    const theirs = await box.paddock.run(["run", "-u", "0", box.path("bundle/rootfs"), "sh", "-c", list]);
    assert(ours.stdout.split("\n").length > 100, ours.stderr);
    assertEquals(ours.stdout, theirs.stdout);
  },
  "tool:skopeo",
  "tool:umoci",
);

test("layers that an import has put in the store are found by who asks for them", async (box) => {
  const layout = writeLayout(box.path("oci"), [await image(["1"], ADDED)]);
  await expectSaid(box, layout);
  using store = LayerStore.open(box.paddock.dataRoot);
  assertEquals(store.listLeftovers(), []);
  for (const { name } of Deno.readDirSync(`${box.paddock.dataRoot}/layers/sha256`)) {
    assertEquals(store.find(`sha256:${name}`)?.chainId, `sha256:${name}`);
  }
});

test("an import that is killed leaves what gc finds, and the next one is whole", async (box) => {
  const saved = tarUp(writeClassic(box.path("saved"), [await image(["web:1"], ADDED)]), box.path("saved.tar"));
  assertEquals((await call(["mkfifo", box.path("pipe")])).code, 0);
  const worker = box.paddock.start(["import", box.path("pipe")]);
  {
    using pipe = Deno.openSync(box.path("pipe"), { write: true });
    pipe.writeSync(Deno.readFileSync(saved).subarray(0, 1_000_000));
    const isAtWork = () => {
      try {
        return listHalfDone(box).length > 0;
      } catch {
        return false;
      }
    };
    while (!isAtWork()) await new Promise((resolve) => setTimeout(resolve, 20));
    worker.kill("SIGKILL");
    await Promise.all([worker.stdin.close(), worker.output()]);
  }
  using store = LayerStore.open(box.paddock.dataRoot);
  assertEquals(store.removeLeftovers(), 1);
  assertEquals([listHalfDone(box), countLayers(box)], [[], 0]);
  await expectSaid(box, saved);
});

test("explain reads the configuration where the image lies, without root's store", async (box) => {
  const named = await image(["web:1"], ADDED);
  const made = [{ ...named, config: { ...named.config, User: "1000:50" } }];
  const layout = writeLayout(box.path("oci"), made);
  for (const word of [layout, `oci:${layout}:1`, tarUp(layout, box.path("oci.tar"))]) {
    const { code, stdout, stderr } = await box.paddock.run(["explain", word]);
    assertEquals([code, stderr], [0, ""], word);
    assertMatch(stdout, /the image/);
    assertMatch(stdout, /layers\/sha256\/DIGEST\/rootfs/);
  }
  const { stderr } = await box.paddock.run(["explain", writeLayout(box.path("named"), [named])]);
  assertMatch(stderr, /who 'user' is stands in the image, which is not in the store yet\n.*paddock import/);
});

test("an image's volume over the kernel's files is refused, and another is a directory like any", async (box) => {
  const made = await image(["1"], [{ path: "data/file", text: "initial" }]);
  const withVolume = (path: string) => ({ ...made, config: { Cmd: ["cat", "/data/file"], Volumes: { [path]: {} } } });
  expectRefused(
    await box.paddock.run(["run", writeLayout(box.path("a"), [withVolume("/proc")])]),
    /the image declares a volume at '\/proc'/,
  );
  assertEquals((await box.paddock.run(["run", writeLayout(box.path("b"), [withVolume("/data")])])).stdout, "initial");
});
