/**
 * `push`: what goes to a registry is what came from one, others read it, and what comes back is the same.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
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
  writeLayout,
  zstd,
} from "./support/images.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, Paddock } from "./support/paddock.ts";
import { freePort, Registry } from "./support/registry.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box, registry: Registry) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `push: ${name}`,
    ...requires("root", "overlay", "tool:busybox", "tool:docker-registry", "tool:skopeo", ...needs),
    fn: async () => {
      using box = await Box.make();
      await using registry = await Registry.start(box.path("registry"));
      await expectNoLeaks(box.paddock, () => fn(box, registry));
    },
  });
}

async function image(...layers: readonly (readonly LayerLine[])[]): Promise<MadeImage> {
  return {
    layers: [Deno.readFileSync((await busybox()).tar), ...layers.map((lines) => makeLayer(...lines))],
    config: { Cmd: ["cat", "/etc/added"], Env: ["PATH=/bin"] },
    names: ["1"],
  };
}

const ADDED: readonly LayerLine[] = [{ path: "etc/added", text: "pulled\n" }];

async function ok(paddock: Paddock, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await paddock.run(words);
  assertEquals(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

async function must(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await call(command);
  assertEquals(code, 0, `${command.join(" ")}: ${stderr}`);
  return stdout;
}

/** The manifest of a name, to the letter. */
async function readManifest(registry: Registry, name: string): Promise<string> {
  return await must("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${registry.host}/${name}`);
}

const FORMS: readonly (readonly [string, (layer: Uint8Array) => Uint8Array, readonly string[]])[] = [
  ["gzip", gzip, ["--preserve-digests"]],
  ["zstd", zstd, ["--preserve-digests"]],
  ["plain", (layer) => layer, ["--preserve-digests"]],
  ["docker", gzip, ["--format", "v2s2"]],
];

test("what was pulled is there elsewhere what it was, to the letter, whatever it is packed with", async (box, from) => {
  await using to = await Registry.start(box.path("other"));
  const made = await image(ADDED);
  for (const [tag, pack, flags] of FORMS) {
    using paddock = new Paddock();
    await from.fill(`oci:${writeLayout(box.path(tag), [made], { pack })}:1`, `web:${tag}`, ...flags);
    const [name, dest] = [`${from.host}/web:${tag}`, `${to.host}/team/${tag}:1`];
    await ok(paddock, "pull", "-q", name);
    const digest = await ok(paddock, "push", "-q", name, dest);
    assertEquals(await readManifest(to, `team/${tag}:1`), await readManifest(from, `web:${tag}`), tag);
    using other = new Paddock();
    assertEquals(await ok(other, "run", `${to.host}/team/${tag}@${digest.trim()}`), "pulled\n", tag);
  }
}, "tool:zstd");

test("what the registry has is not sent, and what another repository has is taken over", async (box, registry) => {
  const made = await image(ADDED);
  await registry.fill(`oci:${writeLayout(box.path("oci"), [made], { pack: gzip })}:1`, "team/web:1");
  const name = `${registry.host}/team/web:1`;
  await ok(box.paddock, "pull", "-q", name);
  const push = async (...words: string[]): Promise<string> => (await box.paddock.run(["push", ...words])).stderr;
  assertMatch(await push(name), /(: is there\n.*){3}/);
  assertMatch(await push(name, `${registry.host}/second:1`), /(: taken over from team\/web\n.*){3}/);
  await ok(box.paddock, "tag", name, `${registry.host}/third:1`);
  await ok(box.paddock, "tag", name, `${registry.host}/third:2`);
  const digests = await ok(box.paddock, "push", "-q", "--all-tags", `${registry.host}/third`);
  assertMatch(digests, /^(sha256:[0-9a-f]{64}\n)\1$/);
  assertEquals(await readManifest(registry, "third:2"), await readManifest(registry, "team/web:1"));
  assertEquals(
    await ok(box.paddock, "inspect", "-f", "{{index .RepoDigests 0}}", name),
    `${registry.host}/team/web@${digests.slice(0, 71)}\n`,
  );
});

test("an index goes where all of it is here, else the image for this platform, and that is said", async (box, from) => {
  const here = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const made = [
    { ...await image([{ path: "etc/added", text: "there" }]), architecture: "s390x" },
    { ...await image(ADDED), architecture: here },
  ];
  const nested = (value: Record<string, unknown>, entries: readonly Record<string, unknown>[]): unknown => {
    const type = "application/vnd.oci.image.index.v1+json";
    const manifests = entries.map(({ annotations: _, ...entry }) => entry);
    const entry = describe(box.path("oci"), json({ schemaVersion: 2, mediaType: type, manifests }), type);
    const annotations = { "io.containerd.image.name": `${from.host}/loaded:1` };
    return { ...value, manifests: [{ ...entry, annotations }] };
  };
  const layout = writeLayout(box.path("oci"), made, { pack: gzip, index: nested });
  await ok(box.paddock, "load", "-q", "-i", layout);
  const digest = await ok(box.paddock, "push", "-q", `${from.host}/loaded:1`);
  assertEquals(JSON.parse(Deno.readTextFileSync(`${layout}/index.json`)).manifests[0].digest, digest.trim());
  assertEquals(JSON.parse(await readManifest(from, "loaded:1")).manifests.length, 2);
  using other = new Paddock();
  await ok(other, "pull", "-q", `${from.host}/loaded:1`);
  const { code, stderr } = await other.run(["push", `${from.host}/loaded:1`, `${from.host}/one:1`]);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /only the image for this platform is pushed: of the 2 in the index/);
  const { layers } = JSON.parse(await readManifest(from, "one:1"));
  assertEquals(layers.length, 2);
  // With the other one it is all here.
  await ok(other, "pull", "-q", "--platform", "linux/s390x", `${from.host}/loaded:1`);
  assertEquals(await ok(other, "push", "-q", `${from.host}/loaded:1`, `${from.host}/all:1`), digest);
});

/** All that an upper directory can come to hold. */
const CHANGES = `
  rm /d/gone; echo more >> /d/stays; chmod 4711 /d/stays; chown 5:6 /d/stays
  rm -r /whole; mkdir -m 700 /whole; echo new > /whole/new
  rm /was-file; mkdir /was-file; echo x > /was-file/x
  rm -r /was-dir; echo file > /was-dir
  mkdir -p /fresh/deep; echo 1 > /fresh/one; ln /fresh/one /fresh/deep/two; ln -s ../d /fresh/link
  mknod /fresh/null c 1 3; mknod /fresh/pipe p; touch -d 2001-02-03 /fresh/old`;

test(
  "pulled, run, changed, committed, pushed and pulled elsewhere it is the same, entry by entry, and for others too",
  async (box, registry) => {
    const below: readonly LayerLine[] = [
      { path: "d/" },
      { path: "d/gone", text: "gone" },
      { path: "d/stays", text: "stays", xattrs: [{ name: "user.kept", value: new Uint8Array([1, 0, 255]) }] },
      { path: "whole/" },
      { path: "whole/old", text: "old" },
      { path: "was-file", text: "file" },
      { path: "was-dir/" },
      { path: "was-dir/in", text: "in" },
    ];
    const made = await image(below);
    await registry.fill(`oci:${writeLayout(box.path("oci"), [made], { pack: gzip })}:1`, "base:1");
    const [base, name, container] = [`${registry.host}/base:1`, `${registry.host}/team/mine:1`, `push-${Deno.pid}`];
    await ok(box.paddock, "pull", "-q", base);
    await ok(box.paddock, "run", "--cap-add", "mknod", "--name", container, base, "sh", "-c", CHANGES);
    const upper = `${box.paddock.dataRoot}/containers/${container}/upper`;
    await must("setfattr", "-n", "user.note", "-v", "0x0100ff", `${upper}/fresh/one`);
    await must("setcap", "cap_net_raw+ep", `${upper}/fresh/old`);
    await ok(box.paddock, "commit", container, name);
    let wanted: readonly string[] = [];
    for (const [n, compression] of ["gzip", "zstd", "none"].entries()) {
      const digest = (await ok(box.paddock, "push", "-q", "--compression", compression, name, `${name}${n}`)).trim();
      const manifest = JSON.parse(await readManifest(registry, `team/mine:1${n}`));
      const [was] = JSON.parse(Deno.readTextFileSync(box.path("oci/index.json"))).manifests;
      const blob = Deno.readTextFileSync(box.path(`oci/blobs/${was.digest.replace(":", "/")}`));
      // The layers of the base as they came, and one of ours.
      assertEquals(manifest.layers.slice(0, 2), JSON.parse(blob).layers);
      assertMatch(manifest.layers[2].mediaType, compression === "none" ? /tar$/ : new RegExp(`\\+${compression}$`));
      using other = new Paddock();
      await ok(other, "pull", "-q", `${registry.host}/team/mine@${digest}`);
      // The umoci of today reads no zstd.
      if (compression !== "zstd") wanted = await unpackPushed(registry.host, `team/mine:1${n}`, box.path(`copy${n}`));
      assert(wanted.some((line) => line.includes("security.capability=")), "no capability");
      assert(wanted.some((line) => line.includes("user.note=0x0100ff")), "no attribute");
      assert(wanted.some((line) => line.includes("user.kept=0x0100ff")), "no attribute of the base");
      for (const [where, paddock] of [["here", box.paddock], ["elsewhere", other]] as const) {
        const image = where === "here" ? name : `${registry.host}/team/mine@${digest}`;
        const dir = box.path(`${where}${n}`);
        await ok(paddock, "save", "--format", "oci-dir", "-o", dir, image);
        const [entry] = JSON.parse(Deno.readTextFileSync(`${dir}/index.json`)).manifests;
        const tag = entry.annotations["org.opencontainers.image.ref.name"];
        await must("umoci", "unpack", "--image", `${dir}:${tag}`, `${dir}.bundle`);
        assertEquals(await listTree(`${dir}.bundle/rootfs`), wanted, where);
      }
      assertEquals((await other.run(["verify", "-q"])).stdout, "");
    }
    await ok(box.paddock, "rm", container);
  },
  "tool:umoci",
  "tool:getfattr",
  "tool:setcap",
);

/** What others make of an image of the registry. @param copy a path for it */
async function unpackPushed(host: string, name: string, copy: string): Promise<string[]> {
  await must(
    ...["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false"],
    `docker://${host}/${name}`,
    `oci:${copy}:1`,
  );
  await must("umoci", "unpack", "--image", `${copy}:1`, `${copy}.bundle`);
  return await listTree(`${copy}.bundle/rootfs`);
}

/** Lines of a tree; directories that change after they were made have the time of the unpacking. */
async function listTree(tree: string): Promise<string[]> {
  const script = new URL("./support/list_tree.bash", import.meta.url).pathname;
  const text = await must("bash", script, tree);
  return text.replaceAll(/^(.*\|d\|\d+\|\d+\|\d+\|)\d+\|[0-9.]+\|(.*\|)\d+$/gm, "$1$2").split("\n");
}

test("podman reads what was pushed", async (box, registry) => {
  const made = await image(ADDED);
  const layout = writeLayout(box.path("oci"), [{ ...made, names: ["docker.io/library/web:1"] }]);
  await ok(box.paddock, "load", "-q", "-i", layout);
  // Plain layers of a file are packed.
  const digest = await ok(box.paddock, "push", "-q", "web:1", `${registry.host}/web:1`);
  const { layers } = JSON.parse(await readManifest(registry, "web:1"));
  for (const { mediaType } of layers) assertMatch(mediaType, /\+gzip$/);
  assertEquals(await ok(box.paddock, "push", "-q", "web:1", `${registry.host}/web:2`), digest);
  const storage = ["--root", box.path("p"), "--runroot", box.path("r"), "--storage-driver", "vfs"];
  const name = `${registry.host}/web:1`;
  await must("podman", ...storage, "pull", "-q", "--tls-verify=false", name);
  const id = await must("podman", ...storage, "image", "inspect", "-f", "{{.Id}} {{.Digest}}", name);
  assertEquals(id, `${idOf(made).slice("sha256:".length)} ${digest}`);
}, "tool:podman");

test("removed images take what was kept of them along", async (box, registry) => {
  const made = await image(ADDED);
  await registry.fill(`oci:${writeLayout(box.path("oci"), [made], { pack: gzip })}:1`, "web:1");
  const name = `${registry.host}/web:1`;
  await ok(box.paddock, "pull", "-q", name);
  const count = (): number => [...Deno.readDirSync(`${box.paddock.dataRoot}/blobs/sha256`)].length;
  assertEquals(count(), 4);
  await ok(box.paddock, "tag", name, "mine:1");
  await ok(box.paddock, "rmi", name);
  assertEquals(count(), 4);
  assertEquals((await ok(box.paddock, "push", "-q", "mine:1", `${registry.host}/again:1`)).length, 72);
  assertEquals(await ok(box.paddock, "rmi", "mine:1"), "mine:1\n");
  assertEquals(count(), 0);
});

test("what cannot be pushed is told before anything is sent", async (box, registry) => {
  const made = { ...await image(ADDED), names: ["docker.io/library/web:1"] };
  await ok(box.paddock, "load", "-q", "-i", writeLayout(box.path("oci"), [made]));
  const cases: readonly (readonly [words: readonly string[], message: RegExp])[] = [
    [["nothere:1"], /no image here is called "nothere:1"\n.*paddock images/],
    [
      [idOf(made).slice(7, 19)],
      /says which image, and not where it is pushed to\n.*paddock push [0-9a-f]{12} REGISTRY/,
    ],
    [["web:1", "Registry/UPPER"], /no name that an image can be pushed to/],
    [["web:1", "oci:/tmp/x"], /no name that an image can be pushed to\n.*paddock save/],
    [["-a", "web:1"], /--all-tags needs a name without a tag/],
    [["--chunk-size", "1k", "web:1"], /--chunk-size '1k': at least 64k/],
    [
      ["web:1", `${registry.host}/web@sha256:${"0".repeat(64)}`],
      /is to have the digest sha256:0{64}, and the image's is/,
    ],
    [["web:1", `127.0.0.1:${freePort()}/web:1`], /127.0.0.1:[0-9]+: connection refused/],
  ];
  for (const [words, message] of cases) {
    const { code, stdout, stderr } = await box.paddock.run(["push", "--retry", "0", ...words]);
    assertEquals([code, stdout], [125, ""], stderr);
    assertMatch(stderr, message);
  }
});
