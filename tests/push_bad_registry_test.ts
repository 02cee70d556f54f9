/**
 * Registries that drop what they are sent, forget who we are, send elsewhere and refuse: what is pushed arrives whole or
 * not at all, what is a matter of time is tried again, and nobody else learns who we are.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Box } from "./support/box.ts";
import { type Asked, type Behaviour, FakeRegistry, type Say } from "./support/fake_registry.ts";
import { gzip, makeLayer, sha256, writeLayout } from "./support/images.ts";
import type { Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `push to bad registry: ${name}`,
    ...requires("root", "overlay", "tool:busybox"),
    fn: async () => {
      using box = await Box.make();
      await load(box);
      await fn(box);
    },
  });
}

/** Loads `web:1`, of one layer of half a megabyte that cannot be packed. */
async function load(box: Box): Promise<void> {
  let state = 2463534242;
  const noise = Array.from({ length: 600_000 }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return String.fromCharCode(33 + (state >>> 0) % 89);
  }).join("");
  const made = {
    layers: [makeLayer({ path: "noise", text: noise })],
    config: { Cmd: ["true"] },
    names: ["docker.io/library/web:1"],
  };
  writeLayout(box.path("oci"), [made], { pack: gzip });
  const { code, stderr } = await box.paddock.run(["load", "-q", "-i", box.path("oci")]);
  assertEquals(code, 0, stderr);
}

/** A registry that takes what it is sent, and has it by digest; `over` says what it does otherwise. */
class Taking {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<string, Uint8Array>();
  readonly uploads = new Map<string, Uint8Array>();
  /** Where uploads go on; on the registry itself unless given. */
  elsewhere = "";

  readonly behave: Behaviour = async (asked, say) => {
    const url = new URL(asked.path, "http://x");
    const [, kind, rest = ""] = /^\/v2\/web\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === "manifests") return await this.#manifest(asked, say, rest);
    if (kind === "blobs" && rest.startsWith("uploads/")) return await this.#upload(asked, say, url, rest.slice(8));
    const blob = this.blobs.get(rest);
    await say.head(blob === undefined ? 404 : 200, blob === undefined ? {} : { "Content-Length": String(blob.length) });
    return true;
  };

  async #manifest(asked: Asked, say: Say, wanted: string): Promise<boolean> {
    const bytes = toBytes(asked.body);
    if (asked.method === "HEAD") await say.head(this.manifests.has(wanted) ? 200 : 404);
    else {
      for (const name of [wanted, sha256(bytes)]) this.manifests.set(name, bytes);
      await say.all(201, { "Docker-Content-Digest": sha256(bytes) });
    }
    return true;
  }

  async #upload(asked: Asked, say: Say, url: URL, id: string): Promise<boolean> {
    if (asked.method === "POST") {
      const made = `u${this.uploads.size}`;
      this.uploads.set(made, new Uint8Array());
      await say.all(202, { Location: `${this.elsewhere}/v2/web/blobs/uploads/${made}?state=a%2Fb` });
      return true;
    }
    const had = this.uploads.get(id);
    if (had === undefined) return await say.all(404, {}, "{}").then(() => true);
    const range = (bytes: Uint8Array): Record<string, string> => ({
      Location: `${this.elsewhere}/v2/web/blobs/uploads/${id}?state=a%2Fb`,
      Range: `0-${Math.max(bytes.length - 1, 0)}`,
    });
    if (asked.method === "GET") return await say.all(204, range(had)).then(() => true);
    const all = new Uint8Array([...had, ...toBytes(asked.body)]);
    const from = /^(\d+)-/.exec(asked.headers.get("content-range") ?? "")?.[1];
    if (from !== undefined && Number(from) !== had.length) return await say.all(416, range(had)).then(() => true);
    this.uploads.set(id, all);
    if (asked.method === "PATCH") return await say.all(202, range(all)).then(() => true);
    const digest = url.searchParams.get("digest")!;
    assertEquals(url.searchParams.get("state"), "a/b");
    if (sha256(all) !== digest) {
      await say.all(400, {}, '{"errors":[{"code":"DIGEST_INVALID","message":"not what it says"}]}');
      return true;
    }
    this.blobs.set(digest, all);
    await say.all(201, { "Docker-Content-Digest": digest });
    return true;
  }
}

function toBytes(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (character) => character.charCodeAt(0));
}

function push(box: Box, host: string, ...flags: readonly string[]): Promise<Outcome> {
  return box.paddock.run(["push", "--timeout", "2", ...flags, "web:1", `${host}/web:1`], {
    env: { HOME: box.path("home"), XDG_RUNTIME_DIR: box.path("home") },
  });
}

/** What came is what is here. */
function expectWhole(box: Box, { blobs, manifests }: Taking, { code, stderr }: Outcome): void {
  assertEquals(code, 0, stderr);
  const manifest = manifests.get("1")!;
  const [entry] = JSON.parse(Deno.readTextFileSync(box.path("oci/index.json"))).manifests;
  assertEquals(sha256(manifest), entry.digest);
  const { config, layers } = JSON.parse(new TextDecoder().decode(manifest));
  for (const { digest } of [config, ...layers]) assertEquals(sha256(blobs.get(digest)!), digest);
}

/** The first time that something is asked which is meant, this is answered; then all is well. */
function once(meant: (asked: Asked) => boolean, answer: Behaviour, otherwise: Behaviour): Behaviour {
  let isDone = false;
  return async (asked, say) => {
    if (isDone || !meant(asked)) return await otherwise(asked, say);
    isDone = true;
    await answer(asked, say);
    return true;
  };
}

const isLong = ({ body }: Asked): boolean => body.length > 100_000;

const PASSING: Readonly<Record<string, (taking: Taking) => Behaviour>> = {
  "it hangs up in place of an answer": ({ behave }) => once(isLong, () => true, behave),
  "it answers nothing after all of it came": ({ behave }) =>
    once(isLong, async (asked, say) => {
      const nobody: Say = { ...say, all: () => Promise.resolve(), head: () => Promise.resolve() };
      await behave(asked, nobody);
    }, behave),
  "429, and when to come again": ({ behave }) => once(isLong, (_, say) => say.all(429, { "Retry-After": "0" }), behave),
  "500": ({ behave }) => once(({ method }) => method === "POST", (_, say) => say.all(500, {}, "oops"), behave),
  "503 for the manifest": ({ behave }) =>
    once(({ path }) => path.includes("/manifests/"), (_, say) => say.all(503, {}), behave),
  "an upload that it forgets": (taking) =>
    once(isLong, (_, say) => {
      taking.uploads.clear();
      return say.all(404, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}');
    }, taking.behave),
  "one request that is too large": ({ behave }) => (asked, say) =>
    asked.method === "PUT" && isLong(asked) ? say.all(413, {}, "<html>").then(() => true) : behave(asked, say),
  "an upload sent on by 307": ({ behave }) => {
    let moved = false;
    return (asked, say) => {
      if (asked.method !== "POST" || moved) return behave(asked, say);
      moved = true;
      return say.all(307, { Location: "/v2/web/blobs/uploads/?moved=1" }).then(() => true);
    };
  },
};

for (const [name, over] of Object.entries(PASSING)) {
  test(`what passes is tried again: ${name}`, async (box) => {
    const taking = new Taking();
    await using registry = FakeRegistry.start(new Map(), over(taking));
    expectWhole(box, taking, await push(box, registry.host));
  });
}

test("what broke off goes on where the registry has got to", async (box) => {
  const taking = new Taking();
  let half = 0;
  const broken = once(isLong, async (asked, say) => {
    half = Math.floor(asked.body.length / 2);
    const nobody: Say = { ...say, all: () => Promise.resolve(), head: () => Promise.resolve() };
    await taking.behave({ ...asked, method: "PATCH", body: asked.body.slice(0, half) }, nobody);
  }, taking.behave);
  await using registry = FakeRegistry.start(new Map(), broken);
  expectWhole(box, taking, await push(box, registry.host));
  const rest = registry.asked.filter(({ method }) => method === "PATCH");
  assertEquals(rest.map(({ headers }) => headers.get("content-range")?.split("-")[0]), [String(half)]);
});

test("chunks, each behind the one before, and in one where they are refused", async (box) => {
  const taking = new Taking();
  await using registry = FakeRegistry.start(new Map(), taking.behave);
  expectWhole(box, taking, await push(box, registry.host, "--chunk-size", "128k"));
  const ranges = registry.asked.filter(({ method }) => method === "PATCH").map(({ headers }) =>
    headers.get("content-range")!
  );
  assert(ranges.length > 3, String(ranges));
  assertEquals(ranges.slice(0, 2), ["0-131071", "131072-262143"]);
  const other = new Taking();
  const refuses: Behaviour = (asked, say) =>
    asked.method === "PATCH" ? say.all(405, {}, "{}").then(() => true) : other.behave(asked, say);
  await using strict = FakeRegistry.start(new Map(), refuses);
  expectWhole(box, other, await push(box, strict.host, "--chunk-size", "128k"));
});

test("a token that has run out is got anew, and who we are goes to the registry alone", async (box) => {
  const [taking, foreign] = [new Taking(), new Taking()];
  foreign.uploads.set("u0", new Uint8Array());
  foreign.uploads.set("u1", new Uint8Array());
  await using stranger = FakeRegistry.start(new Map(), async (asked, say) => {
    const answer = await foreign.behave(asked, say);
    for (const [digest, bytes] of foreign.blobs) taking.blobs.set(digest, bytes);
    return answer;
  });
  taking.elsewhere = `http://${stranger.host}`;
  foreign.elsewhere = taking.elsewhere;
  let tokens = 0;
  const asks: Behaviour = async (asked, say) => {
    if (asked.path.startsWith("/token")) {
      const scopes = new URL(asked.path, "http://x").searchParams.getAll("scope");
      assertEquals(scopes, ["repository:web:pull,push"]);
      assertEquals(asked.headers.get("authorization"), `Basic ${btoa("me:canary")}`);
      await say.all(200, { "Content-Type": "application/json" }, `{"token":"canary${++tokens}"}`);
      return true;
    }
    // The first token is good for two requests.
    const good = asked.headers.get("authorization") === `Bearer canary${Math.max(tokens, 1)}`;
    const old = registry.asked.filter(({ headers }) => headers.get("authorization") === "Bearer canary1").length > 2;
    if (good && (tokens > 1 || !old)) return await taking.behave(asked, say);
    const realm = `Bearer realm="http://${registry.host}/token",service="x",scope="repository:other:pull"`;
    await say.all(401, { "WWW-Authenticate": realm }, "{}");
    return true;
  };
  await using registry: FakeRegistry = FakeRegistry.start(new Map(), asks);
  expectWhole(box, taking, await push(box, registry.host, "--creds", "me:canary"));
  assertEquals(tokens, 2);
  assert(stranger.asked.length >= 2, "nothing went elsewhere");
  const told = stranger.asked.filter(({ path, headers, body }) =>
    `${path}${[...headers].join("\n")}${body}`.includes("canary")
  );
  assertEquals(told.map(({ method, path }) => `${method} ${path}`), []);
});

interface Case {
  readonly behave: (taking: Taking) => Behaviour;
  readonly message: RegExp;
  readonly flags?: readonly string[];
}

const FAILING: Readonly<Record<string, Case>> = {
  "what the registry says is said to the user": {
    behave: ({ behave }) => (asked, say) =>
      asked.method !== "POST"
        ? behave(asked, say)
        : say.all(403, {}, '{"errors":[{"code":"DENIED","message":"the project is full"}]}').then(() => true),
    message: /layer 1 of 1: 127.*it does not let you \(403, DENIED: the project is full\)/,
  },
  "another digest than was sent": {
    behave: ({ behave }) => (asked, say) =>
      !isLong(asked)
        ? behave(asked, say)
        : say.all(201, { "Docker-Content-Digest": `sha256:${"0".repeat(64)}` }).then(() => true),
    message: /says that it has got sha256:0{64}, and sent was sha256:/,
  },
  "another digest than the manifest has": {
    behave: ({ behave }) => (asked, say) =>
      !asked.path.includes("/manifests/")
        ? behave(asked, say)
        : say.all(201, { "Docker-Content-Digest": `sha256:${"1".repeat(64)}` }).then(() => true),
    message: /the manifest: 127.*says that it has got sha256:1{64}/,
  },
  "a manifest that is not there afterwards": {
    behave: ({ behave }) => (asked, say) =>
      !asked.path.includes("/manifests/")
        ? behave(asked, say)
        : say.all(asked.method === "HEAD" ? 404 : 201, {}).then(() => true),
    message: /the manifest: .*there is no such thing \(404/,
  },
  "an upload without a place": {
    behave: ({ behave }) => (asked, say) =>
      asked.method === "POST" ? say.all(202, {}).then(() => true) : behave(asked, say),
    message: /does not say where it goes/,
  },
  "a place with a password in it": {
    behave: (taking) => {
      taking.elsewhere = "http://me:secret@127.0.0.1:1";
      return taking.behave;
    },
    message: /sends to an address with a password in it: refused/,
  },
  "an index of errors without end": {
    behave: ({ behave }) => (asked, say) =>
      isLong(asked) ? say.all(500, {}, "x".repeat(1_000_000)).then(() => true) : behave(asked, say),
    message: /it fails \(500/,
    flags: ["--retry", "1"],
  },
  "nothing but silence": {
    behave: ({ behave }) => async (asked, say) => {
      if (!isLong(asked)) return await behave(asked, say);
      await say.silence();
      return true;
    },
    message: /silent for 2 s/,
    flags: ["--retry", "0"],
  },
};

for (const [name, { behave, message, flags = [] }] of Object.entries(FAILING)) {
  test(`what does not pass: ${name}`, async (box) => {
    const taking = new Taking();
    await using registry = FakeRegistry.start(new Map(), behave(taking));
    const { code, stdout, stderr } = await push(box, registry.host, ...flags);
    assertEquals([code, stdout], [125, ""], stderr);
    assertMatch(stderr, message);
    assertEquals(taking.manifests.size, 0);
    assertEquals([...Deno.readDirSync(`${box.paddock.dataRoot}/layers/tmp`)], []);
  });
}
