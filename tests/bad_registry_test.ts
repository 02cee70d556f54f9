/**
 * Registries that stall, lie, break off, send elsewhere and refuse: no image and no half layer comes of it, and what is a
 * matter of time is tried again.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Box } from "./support/box.ts";
import { type Behaviour, type Documents, documentsOf, FakeRegistry } from "./support/fake_registry.ts";
import { busybox } from "./support/fixtures.ts";
import { gzip, idOf, json, type MadeImage, makeLayer, sha256 } from "./support/images.ts";
import type { Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `bad registry: ${name}`,
    ...requires("root", "overlay", "tool:busybox"),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

async function image(): Promise<MadeImage> {
  const random = randomNumbers();
  const noise = Array.from({ length: 40_000 }, () => String.fromCharCode(33 + random() % 89)).join("");
  return {
    layers: [
      Deno.readFileSync((await busybox()).tar),
      makeLayer({ path: "etc/added", text: "pulled\n" }, { path: "noise", text: noise }),
    ],
    config: { Cmd: ["cat", "/etc/added"], Env: ["PATH=/bin"] },
    names: ["1"],
  };
}

/** xorshift32, the same each time: what cannot be packed. */
function randomNumbers(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Bytes and path of a layer. */
function layerOf(
  documents: Documents,
  image: MadeImage,
  at: number,
): { readonly path: string; readonly bytes: Uint8Array } {
  const bytes = gzip(image.layers[at]!);
  return { path: `/v2/web/blobs/${sha256(bytes)}`, bytes: documents.get(`/v2/web/blobs/${sha256(bytes)}`)!.bytes };
}

function pull(box: Box, registry: FakeRegistry, ...flags: readonly string[]): Promise<Outcome> {
  return box.paddock.run(["pull", "--timeout", "1", ...flags, `${registry.host}/web:1`], {
    env: { HOME: box.path("home"), XDG_RUNTIME_DIR: box.path("home") },
  });
}

/** All files of the store but what is kept of downloads for another try. */
function listStore(box: Box): string[] {
  const list = (path: string): string[] => {
    try {
      return [...Deno.readDirSync(`${box.paddock.dataRoot}/${path}`)].map(({ name }) => `${path}/${name}`);
    } catch {
      return [];
    }
  };
  return ["layers/sha256", "layers/tmp", "layers/sources", "blobs/sha256", "."].flatMap(list).filter((path) =>
    !["./layers", "./blobs"].includes(path)
  );
}

function listDownloads(box: Box): string[] {
  return [...Deno.readDirSync(`${box.paddock.dataRoot}/layers/downloads`)].map(({ name }) => name);
}

interface Case {
  /** What is wrong with the documents. */
  readonly documents?: (documents: Documents, image: MadeImage) => void;
  readonly manifest?: (manifest: Record<string, unknown>) => unknown;
  readonly behave?: (documents: Documents, image: MadeImage) => Behaviour;
  readonly message: RegExp;
  readonly flags?: readonly string[];
}

/** Answers one path, and only that. */
function at(path: string, answer: Behaviour): Behaviour {
  return async (asked, say) => {
    if (asked.path !== path) return false;
    await answer(asked, say);
    return true;
  };
}

const MANIFEST = "/v2/web/manifests/1";

const BAD: Readonly<Record<string, Case>> = {
  "a manifest with layers and manifests": {
    manifest: (manifest) => ({ ...manifest, manifests: [] }),
    message: /it has manifests and layers, and could be read as either/,
  },
  "a manifest called an index": {
    documents: (documents) => {
      const { bytes } = documents.get(MANIFEST)!;
      documents.set(MANIFEST, { type: "application/vnd.oci.image.index.v1+json", bytes });
    },
    message: /manifest\.v1\+json, but what led here says application\/vnd\.oci\.image\.index/,
  },
  "a page in place of a manifest": {
    documents: (documents) => void documents.set(MANIFEST, { type: "text/html", bytes: json("<html>") }),
    message: /what is answered is "text\/html", and no manifest/,
  },
  "a manifest without end": {
    behave: () =>
      at(MANIFEST, async (_, say) => {
        await say.head(200, { "Content-Type": "application/vnd.oci.image.manifest.v1+json" });
        for (;;) await say.bytes(new Uint8Array(1 << 20).fill(32));
      }),
    message: /a document of the image is larger than 4194304 bytes/,
  },
  "a digest that leads out": {
    manifest: (manifest) => ({
      ...manifest,
      layers: [{ ...(manifest.layers as object[])[0], digest: "sha256:../../../etc/passwd" }],
    }),
    message: /"sha256:\.\.\/\.\.\/\.\.\/etc\/passwd" is no digest/,
  },
  "a digest that is too short": {
    manifest: (manifest) => ({ ...manifest, config: { ...manifest.config as object, digest: "sha256:abc" } }),
    message: /\.config\.digest: "sha256:abc" is no digest/,
  },
  "a manifest that the registry calls otherwise": {
    behave: (documents) =>
      at(MANIFEST, (_, say) => {
        const { type, bytes } = documents.get(MANIFEST)!;
        return say.all(200, { "Content-Type": type, "Docker-Content-Digest": `sha256:${"0".repeat(64)}` }, bytes);
      }),
    message: /the registry calls a manifest sha256:0+, and it is sha256:/,
  },
  "a configuration that is another": {
    behave: (_, image) =>
      at(`/v2/web/blobs/${idOf(image)}`, (_, say) => {
        const other = new Uint8Array(json(JSON.parse("{}")));
        return say.all(200, {}, other);
      }),
    message: /the image's configuration is not what its digest says/,
  },
  "a layer that is another of the same length": {
    behave: (documents, image) => {
      const { path, bytes } = layerOf(documents, image, 1);
      return at(path, (_, say) => say.all(200, {}, bytes.map((byte, i) => i === bytes.length - 1 ? byte ^ 1 : byte)));
    },
    message: /layer 2 of 2: 127\S+ sends something else than sha256:/,
  },
  "a layer that unpacks to something else": {
    documents: (documents, image) => {
      const manifest = JSON.parse(new TextDecoder().decode(documents.get(MANIFEST)!.bytes));
      const other = gzip(makeLayer({ path: "other" }));
      documents.set(`/v2/web/blobs/${sha256(other)}`, { type: "", bytes: other });
      manifest.layers[1] = { ...manifest.layers[1], digest: sha256(other), size: other.length };
      documents.set(MANIFEST, { type: manifest.mediaType, bytes: json(manifest) });
      assert(image.layers.length === 2);
    },
    message: /layer 2 of 2" unpacks to sha256:\w+, but the image says sha256:/,
  },
  "a layer longer than the image says": {
    behave: (documents, image) => {
      const { path, bytes } = layerOf(documents, image, 1);
      return at(path, async (_, say) => {
        await say.head(200);
        await say.bytes(bytes);
        await say.bytes(bytes);
      });
    },
    message: /sends more than the \d+ bytes that the image says/,
  },
  "a layer whose length is said to be another": {
    behave: (documents, image) => {
      const { path, bytes } = layerOf(documents, image, 1);
      return at(path, (_, say) => say.all(200, {}, bytes.subarray(0, 1000)));
    },
    message: /offers 1000 bytes where the image says \d+/,
  },
  "another part of a layer than was asked for": {
    behave: (documents, image) => {
      const { path, bytes } = layerOf(documents, image, 1);
      return at(path, async ({ headers }, say) => {
        if (headers.has("range")) {
          return await say.all(206, { "Content-Range": `bytes 0-${bytes.length - 1}/${bytes.length}` }, bytes);
        }
        await say.head(200, { "Content-Length": String(bytes.length) });
        await say.bytes(bytes.subarray(0, 1000));
      });
    },
    message: /sends another part than it was asked for/,
  },
  "a layer that is always cut short": {
    behave: (documents, image) => {
      const { path, bytes } = layerOf(documents, image, 1);
      return at(path, async (_, say) => {
        await say.head(200, { "Content-Length": String(bytes.length) });
        await say.bytes(bytes.subarray(0, 1000));
      });
    },
    message: /layer 2 of 2: 127\S+: the connection broke/,
    flags: ["--retry", "1"],
  },
  "a layer that stalls": {
    behave: (documents, image) => {
      const { path, bytes } = layerOf(documents, image, 1);
      return at(path, async (_, say) => {
        await say.head(200, { "Content-Length": String(bytes.length) });
        await say.bytes(bytes.subarray(0, 1000));
        await say.silence();
      });
    },
    message: /layer 2 of 2: 127\S+: silent for 1 s/,
    flags: ["--retry", "0"],
  },
  "a registry that never answers": {
    behave: () => at(MANIFEST, (_, say) => say.silence()),
    message: /silent for 1 s/,
    flags: ["--retry", "0"],
  },
  "a registry that fails": {
    behave: () =>
      at(MANIFEST, (_, say) => say.all(500, {}, '{"errors":[{"code":"UNKNOWN","message":"\\u001b[31mred"}]}')),
    message: /it fails \(500, UNKNOWN: \\x1b\[31mred\)/,
    flags: ["--retry", "1"],
  },
  "too many requests, for longer than anybody waits": {
    behave: () => at(MANIFEST, (_, say) => say.all(429, { "Retry-After": "86400" })),
    message: /too many requests \(429\)/,
  },
  "redirects in a circle": {
    behave: () => at(MANIFEST, (_, say) => say.all(307, { Location: MANIFEST })),
    message: /sends from one address to the next without end/,
  },
  "a redirect to what is no address": {
    behave: () => at(MANIFEST, (_, say) => say.all(307, { Location: "http://[" })),
    message: /sends to an address that is none/,
  },
  "a redirect to another kind of address": {
    behave: () => at(MANIFEST, (_, say) => say.all(307, { Location: "file:///etc/passwd" })),
    message: /sends from http:\/\/127\S+ to file:.*less safe/,
  },
  "a token from an address that is none": {
    behave: () => at(MANIFEST, (_, say) => say.all(401, { "WWW-Authenticate": 'Bearer realm="file:///x"' })),
    message: /wants a token from "file:\/\/\/x", which is less safe than the registry: refused/,
  },
  "a config of more layers than there are": {
    manifest: (manifest) => ({ ...manifest, layers: (manifest.layers as object[]).slice(0, 1) }),
    message: /has 2 digests for 1 layers/,
  },
  "an artifact that is no image": {
    manifest: (manifest) => ({
      ...manifest,
      config: { ...manifest.config as object, mediaType: "application/vnd.cncf.helm.config.v1+json" },
    }),
    message: /helm\.config\.v1\+json: not an image/,
  },
};

for (const [name, { documents: edit, manifest, behave, message, flags = [] }] of Object.entries(BAD)) {
  test(`${name} is refused, and nothing of it stays`, async (box) => {
    const made = await image();
    const documents = documentsOf(made, gzip, manifest);
    edit?.(documents, made);
    await using registry = FakeRegistry.start(documents, behave?.(documents, made));
    const { code, stdout, stderr } = await pull(box, registry, ...flags);
    assertEquals([code, stdout], [125, ""], stderr);
    assertMatch(stderr, message);
    // A layer below the bad one is whole, and may stay.
    const whole = `layers/sha256/${sha256(made.layers[0]!).slice("sha256:".length)}`;
    assertEquals(listStore(box).filter((path) => path !== whole), []);
    assertEquals((await box.paddock.run(["images", "-q"])).stdout, "");
  });
}

test("a large layer that is packed badly is refused, and nothing of it stays", async (box) => {
  const digits = Array.from({ length: 300 }, () => crypto.getRandomValues(new Uint8Array(32768)).toHex()).join("");
  const made = { ...await image(), layers: [makeLayer({ path: "large", text: digits })] };
  const cut = (layer: Uint8Array): Uint8Array => gzip(layer).slice(0, -1000);
  const changed = (layer: Uint8Array): Uint8Array => gzip(layer).map((byte, i) => i === 3_000_000 ? byte ^ 1 : byte);
  const other = (_: Uint8Array): Uint8Array => gzip(new TextEncoder().encode(digits));
  const cases = [[cut, /damaged gzip data: it ends too early/], [changed, /damaged/], [
    other,
    /is not a tar archive/,
  ]] as const;
  for (const [pack, message] of cases) {
    await using registry = FakeRegistry.start(documentsOf(made, pack));
    const { code, stderr } = await pull(box, registry);
    assertEquals(code, 125);
    assertMatch(stderr, message);
    assertEquals([listStore(box), listDownloads(box)], [[], []]);
  }
});

test("what is a matter of time is waited for: 429, 500, a connection that ends, a stall", async (box) => {
  const made = await image();
  const documents = documentsOf(made, gzip);
  const { path, bytes } = layerOf(documents, made, 1);
  let asks = 0;
  const ranges: (string | null)[] = [];
  await using registry = FakeRegistry.start(documents, async ({ path: asked, headers }, say) => {
    if (asked === MANIFEST && asks++ < 2) {
      await say.all(asks === 1 ? 429 : 503, asks === 1 ? { "Retry-After": "1" } : {});
      return true;
    }
    if (asked !== path) return false;
    ranges.push(headers.get("range"));
    const from = Number(/\d+/.exec(headers.get("range") ?? "0")![0]);
    if (ranges.length === 4) {
      await say.all(
        206,
        { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
        bytes.subarray(from),
      );
      return true;
    }
    const status = from === 0 ? 200 : 206;
    const range = from === 0 ? {} : { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    await say.head(status, { ...range, "Content-Length": String(bytes.length - from) });
    await say.bytes(bytes.subarray(from, from + 5000));
    if (ranges.length === 2) await say.silence();
    return true;
  });
  const before = performance.now();
  const { code, stdout, stderr } = await pull(box, registry);
  assertEquals([code, stdout], [0, `${idOf(made)}\n`], stderr);
  assert(performance.now() - before > 1000, "Retry-After was not waited for");
  assertEquals(ranges, [null, "bytes=5000-", "bytes=10000-", "bytes=15000-"]);
  assertEquals((await box.paddock.run(["run", "--pull=never", `${registry.host}/web:1`])).stdout, "pulled\n");
});

test("a download goes on where the last one ended, unless what is there is damaged", async (box) => {
  const made = await image();
  const documents = documentsOf(made, gzip);
  const { path, bytes } = layerOf(documents, made, 1);
  const ranges: (string | null)[] = [];
  let isCut = true;
  await using registry = FakeRegistry.start(documents, async ({ path: asked, headers }, say) => {
    if (asked !== path) return false;
    ranges.push(headers.get("range"));
    const from = Number(/\d+/.exec(headers.get("range") ?? "0")![0]);
    const range = from === 0 ? {} : { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    await say.head(from === 0 ? 200 : 206, { ...range, "Content-Length": String(bytes.length - from) });
    await say.bytes(bytes.subarray(from, isCut ? from + 7000 : undefined));
    return true;
  });
  const part = `${path.slice("/v2/web/blobs/".length).replace(":", "-")}.part`;
  assertEquals((await pull(box, registry, "--retry", "0")).code, 125);
  assertEquals(listDownloads(box), [part]);
  // Somebody has overwritten a byte: it is seen at the end, and all of it comes again.
  const file = `${box.paddock.dataRoot}/layers/downloads/${part}`;
  Deno.writeFileSync(file, Deno.readFileSync(file).map((byte, i) => i === 3 ? byte ^ 1 : byte));
  isCut = false;
  const { code, stderr } = await pull(box, registry);
  assertEquals(code, 0, stderr);
  assertEquals(ranges, [null, "bytes=7000-", null]);
  assertEquals(listDownloads(box), []);
});

test("gc removes what a download has left, when it is told to remove images", async (box) => {
  const made = await image();
  const documents = documentsOf(made, gzip);
  const { path, bytes } = layerOf(documents, made, 1);
  await using registry = FakeRegistry.start(
    documents,
    at(path, async (_, say) => {
      await say.head(200, { "Content-Length": String(bytes.length) });
      await say.bytes(bytes.subarray(0, 1000));
    }),
  );
  assertEquals((await pull(box, registry, "--retry", "0")).code, 125);
  assertEquals(listDownloads(box).length, 1);
  const { code, stdout } = await box.paddock.run(["gc", "--images"]);
  assertEquals(code, 0);
  assertMatch(stdout, /downloads\/sha256-\w+\.part/);
  assertEquals(listDownloads(box), []);
});

test("where a registry sends elsewhere, nothing says there who asks; foreign addresses are not asked at all", async (box) => {
  const made = await image();
  const foreign: string[] = [];
  await using elsewhere = FakeRegistry.start(documentsOf(made, gzip));
  const documents = documentsOf(made, gzip, (manifest) => ({
    ...manifest,
    layers: (manifest.layers as object[]).map((layer) => ({ ...layer, urls: [`http://${elsewhere.host}/foreign`] })),
  }));
  await using registry = FakeRegistry.start(documents, async ({ path, headers }, say) => {
    if (headers.get("authorization") === null) {
      await say.all(401, { "WWW-Authenticate": 'Basic realm="x"' });
      return true;
    }
    if (!path.includes("/blobs/")) return false;
    await say.all(307, { Location: `http://${elsewhere.host}${path}?signature=1` });
    return true;
  });
  const { code, stderr } = await pull(box, registry, "--creds", "me:secret", "--retry", "0");
  assertEquals(code, 125);
  // What is elsewhere answers by the whole path, which has a query: the redirect was followed.
  assertMatch(stderr, /there is no such thing \(404\)/);
  assert(elsewhere.asked.length > 0);
  for (const { headers, path } of elsewhere.asked) {
    assertEquals(headers.get("authorization"), null);
    if (path.includes("foreign")) foreign.push(path);
  }
  assertEquals(foreign, []);
});

test("a pull that is killed leaves a store that the next one completes", async (box) => {
  const made = await image();
  const documents = documentsOf(made, gzip);
  const { path, bytes } = layerOf(documents, made, 1);
  const reached = Promise.withResolvers<void>();
  let isFirst = true;
  await using registry = FakeRegistry.start(documents, async ({ path: asked }, say) => {
    if (asked !== path || !isFirst) return false;
    isFirst = false;
    await say.head(200, { "Content-Length": String(bytes.length) });
    await say.bytes(bytes.subarray(0, 20_000));
    reached.resolve();
    await say.silence();
    return true;
  });
  const child = box.paddock.start(["pull", `${registry.host}/web:1`]);
  await reached.promise;
  child.kill("SIGKILL");
  await Promise.all([child.stdin.close(), child.output()]);
  assertEquals((await box.paddock.run(["images", "-q"])).stdout, "");
  const { code, stdout, stderr } = await pull(box, registry);
  assertEquals([code, stdout], [0, `${idOf(made)}\n`], stderr);
  assertEquals(listDownloads(box), []);
  assertEquals((await box.paddock.run(["run", "--pull=never", `${registry.host}/web:1`])).stdout, "pulled\n");
});
