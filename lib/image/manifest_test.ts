/**
 * Manifests and indexes are what they are called, or refused.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { MEDIA_TYPES, parseManifest } from "./manifest.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;
const [INDEX] = MEDIA_TYPES.index;
const [MANIFEST, DOCKER_MANIFEST] = MEDIA_TYPES.manifest;
const LAYER = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: DIGEST, size: 3 };
const GOOD = {
  schemaVersion: 2,
  config: { mediaType: MEDIA_TYPES.config[0], digest: DIGEST, size: 2 },
  layers: [LAYER],
};

const parse = (value: unknown, mediaType?: string) => parseManifest(JSON.stringify(value), "m", mediaType);

Deno.test("parseManifest reads manifests and indexes of OCI and of docker", () => {
  for (const type of [undefined, MANIFEST, DOCKER_MANIFEST]) {
    const manifest = parse({ ...GOOD, ...(type === undefined ? {} : { mediaType: type }) }, type);
    assertEquals(manifest.kind === "manifest" && manifest.layers[0]?.size, 3);
  }
  const entry = { mediaType: MANIFEST, digest: DIGEST, size: 1, platform: { os: "linux", architecture: "arm64" } };
  const index = parse({ schemaVersion: 2, manifests: [entry] });
  assertEquals(index, {
    kind: "index",
    manifests: [{ ...entry, digest: `sha256:${"0".repeat(64)}`, annotations: {} }],
  });
});

Deno.test("parseManifest refuses what could be read in two ways, and what is no image", () => {
  const bad: readonly [value: unknown, type: string | undefined, message: string][] = [
    [{ ...GOOD, manifests: [] }, undefined, "could be read as either"],
    [{ schemaVersion: 2, manifests: [], config: {} }, undefined, "could be read as either"],
    [{ ...GOOD, mediaType: INDEX }, undefined, "is a manifest"],
    [GOOD, INDEX, "is a manifest"],
    [{ schemaVersion: 2, manifests: [] }, MANIFEST, "is an index"],
    [{ ...GOOD, mediaType: DOCKER_MANIFEST }, MANIFEST, "but what led here says"],
    [{ ...GOOD, mediaType: "text/plain" }, "text/plain", "it is called text/plain"],
    [{ ...GOOD, schemaVersion: 1 }, undefined, "schema 1"],
    [{ ...GOOD, fsLayers: [] }, undefined, "schema 1"],
    [{ ...GOOD, schemaVersion: "2" }, undefined, ".schemaVersion: 2 is wanted"],
    [{ schemaVersion: 2 }, undefined, "neither manifests nor layers"],
    [{ ...GOOD, layers: [] }, undefined, "an image of no layers"],
    [{ ...GOOD, layers: Array(501).fill(LAYER) }, undefined, "501 layers"],
    [{ ...GOOD, layers: [{ ...LAYER, size: -1 }] }, undefined, "$.layers[0].size: no number of bytes"],
    [{ ...GOOD, layers: [{ ...LAYER, size: 1.5 }] }, undefined, "no number of bytes"],
    [{ ...GOOD, layers: [{ ...LAYER, mediaType: `${LAYER.mediaType}+encrypted` }] }, undefined, "is no layer of files"],
    [{ ...GOOD, config: { ...GOOD.config, mediaType: "application/x" } }, undefined, "application/x: not an image"],
    [{ schemaVersion: 2, manifests: Array(10_001).fill({}) }, undefined, "10001 manifests"],
    ["", undefined, "an object is wanted"],
  ];
  for (const [value, type, message] of bad) assertThrows(() => parse(value, type), PaddockError, message);
  assertThrows(() => parseManifest("{", "m"), PaddockError, "m: $: no valid JSON");
});
