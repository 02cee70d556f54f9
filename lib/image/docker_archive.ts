/**
 * The documents of a `docker save` archive, by its three historical layouts: `manifest.json` (since docker 1.10; now
 * beside an OCI layout), and before that `repositories` with a directory for each layer (docker's image spec v1). Pure.
 *
 * @module
 */
import { JsonPlace, parseJson, readList, readObject, readText, readTextMap, readTexts } from "./json_place.ts";

/** An image of `manifest.json`; paths are from the archive's root. */
export interface SavedImage {
  readonly config: string;
  readonly names: readonly string[];
  /** The lowest first. */
  readonly layers: readonly string[];
}

/** Reads `manifest.json`. @throws PaddockError */
export function parseSavedManifest(text: string, subject: string): SavedImage[] {
  const at = placeOf(subject);
  return readList(parseJson(text, at), at).map((entry, i) => {
    const here = at.child(`[${i}]`);
    const { Config, RepoTags, Layers } = readObject(entry, here);
    return {
      config: readText(Config, here.child(".Config")),
      names: RepoTags === null || RepoTags === undefined ? [] : readTexts(RepoTags, here.child(".RepoTags")),
      layers: readTexts(Layers, here.child(".Layers")),
    };
  });
}

/** Reads `repositories`: the id of the topmost layer by the image's name and tag. @throws PaddockError */
export function parseRepositories(text: string, subject: string): Map<string, string> {
  const at = placeOf(subject);
  const found = new Map<string, string>();
  for (const [name, tags] of Object.entries(readObject(parseJson(text, at), at))) {
    const here = at.child(`[${JSON.stringify(name)}]`);
    for (const [tag, id] of Object.entries(readTextMap(tags, here))) found.set(`${name}:${tag}`, readLayerId(id, here));
  }
  return found;
}

/** A layer of the oldest layout: its own `json`. */
export interface OldLayer {
  /** Id of the layer below. */
  readonly parent?: string;
  /** The JSON as an image configuration, but for the digests of its layers. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Reads a layer's `json`. @throws PaddockError */
export function parseOldLayer(text: string, subject: string): OldLayer {
  const at = placeOf(subject);
  const value = readObject(parseJson(text, at), at);
  const { architecture, os, config, container_config: made, created, author } = value;
  return {
    ...(value.parent === undefined || value.parent === ""
      ? {}
      : { parent: readLayerId(readText(value.parent, at.child(".parent")), at.child(".parent")) }),
    config: { architecture: architecture ?? "amd64", os: os ?? "linux", config: config ?? made ?? {}, created, author },
  };
}

function readLayerId(id: string, at: JsonPlace): string {
  if (!/^[0-9a-f]{64}$/.test(id)) {
    at.fail(`${JSON.stringify(id)} is no id of a layer: 64 hexadecimal digits are wanted`);
  }
  return id;
}

function placeOf(subject: string): JsonPlace {
  return new JsonPlace(subject, "the archive is damaged: make it again with docker save");
}
