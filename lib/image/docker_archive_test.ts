/**
 * The documents of docker save, old and new.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { parseOldLayer, parseRepositories, parseSavedManifest } from "./docker_archive.ts";

const ID = "0123456789abcdef".repeat(4);

Deno.test("parseSavedManifest reads images with names and without", () => {
  const text = JSON.stringify([
    { Config: "c.json", RepoTags: ["web:1"], Layers: ["a/layer.tar"] },
    { Config: "d.json", RepoTags: null, Layers: [] },
  ]);
  assertEquals(parseSavedManifest(text, "m"), [
    { config: "c.json", names: ["web:1"], layers: ["a/layer.tar"] },
    { config: "d.json", names: [], layers: [] },
  ]);
  for (const bad of ["{}", '[{"Config":1}]', '[{"Config":"c","Layers":"x"}]', '[{"Config":"c","RepoTags":{}}]']) {
    assertThrows(() => parseSavedManifest(bad, "m"), PaddockError, "m: $");
  }
});

Deno.test("parseRepositories gives the topmost layer of each name", () => {
  const found = parseRepositories(JSON.stringify({ "r.example:5000/web": { "1": ID, "2": ID } }), "m");
  assertEquals([...found], [["r.example:5000/web:1", ID], ["r.example:5000/web:2", ID]]);
  assertThrows(() => parseRepositories('{"web":{"1":"../../etc"}}', "m"), PaddockError, "is no id of a layer");
});

Deno.test("parseOldLayer gives the layer below, and an image configuration", () => {
  const { parent, config } = parseOldLayer(JSON.stringify({ id: ID, parent: ID, config: { Cmd: ["x"] } }), "m");
  assertEquals([parent, config.config, config.os], [ID, { Cmd: ["x"] }, "linux"]);
  assertEquals(parseOldLayer("{}", "m").parent, undefined);
  assertThrows(() => parseOldLayer('{"parent":"../x"}', "m"), PaddockError, "m: $.parent: ");
});
