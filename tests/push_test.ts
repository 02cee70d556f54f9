/**
 * `push`: what goes to a registry is what came from one, others read it, and what comes back is the same.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { gzip, type LayerLine, type MadeImage, makeLayer, writeLayout, zstd } from "./support/images.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call, Paddock } from "./support/paddock.ts";
import { Registry } from "./support/registry.ts";
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
