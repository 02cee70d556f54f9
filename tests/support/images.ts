/**
 * Images made by hand, in each of the forms that tools have written them in.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import type { TarEntry } from "../../lib/image/tar_entry.ts";
import { TarWriter } from "../../lib/image/tar_writer.ts";

/** An entry of a layer: a file with its text unless said otherwise. A path that ends in `/` is a directory. */
export interface LayerLine extends Partial<TarEntry> {
  readonly path: string;
  readonly text?: string;
}

/** An image before it is written. */
export interface MadeImage {
  /** Unpacked layers, the lowest first. */
  readonly layers: readonly Uint8Array[];
  /** `config` of the image configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly names: readonly string[];
  readonly architecture?: string;
}

/** A blob by its digest. */
export interface Blob {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** The tar of a layer. */
export function makeLayer(...lines: readonly LayerLine[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = new TarWriter((bytes) => parts.push(bytes.slice()));
  for (const { text = "", ...line } of lines) {
    const bytes = new TextEncoder().encode(text);
    const type = line.type ?? (line.path.endsWith("/") ? "directory" : "file");
    writer.entry({
      linkPath: "",
      type,
      mode: type === "directory" ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      size: bytes.length,
      mtimeSec: 1_600_000_000,
      mtimeNsec: 0,
      devMajor: 0,
      devMinor: 0,
      xattrs: [],
      ...line,
    });
    if (bytes.length > 0) writer.data(bytes);
  }
  writer.finish();
  return concatenate(parts);
}

export function hex(bytes: Uint8Array): string {
  return sha256(bytes).slice("sha256:".length);
}

export function sha256(bytes: Uint8Array): string {
  const { stdout } = pipe("sha256sum", [], bytes);
  return `sha256:${new TextDecoder().decode(stdout).slice(0, 64)}`;
}

export function gzip(bytes: Uint8Array): Uint8Array {
  return pipe("gzip", ["-nc1"], bytes).stdout;
}

export function zstd(bytes: Uint8Array): Uint8Array {
  return pipe("zstd", ["-qc1"], bytes).stdout;
}

/** The text of the image's configuration. */
export function configOf({ layers, config, architecture }: MadeImage): Uint8Array {
  return json({
    architecture: architecture ?? (Deno.build.arch === "aarch64" ? "arm64" : "amd64"),
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: layers.map(sha256) },
  });
}

/** The id that docker gives it. */
export function idOf(image: MadeImage): string {
  return sha256(configOf(image));
}

/** How an image layout is written. */
export interface LayoutOptions {
  /** How layers are packed. */
  readonly pack?: (layer: Uint8Array) => Uint8Array;
  /** Docker's media types in place of OCI's. */
  readonly docker?: boolean;
  /** Changes what `index.json` says. */
  readonly index?: (index: Record<string, unknown>, entries: readonly Record<string, unknown>[]) => unknown;
  /** Changes what each manifest says. */
  readonly manifest?: (manifest: Record<string, unknown>) => unknown;
  /** With docker's own `manifest.json` beside it. */
  readonly saved?: boolean;
}

/** Writes an image layout of OCI; names with a slash are docker's, others tags. */
export function writeLayout(dir: string, images: readonly MadeImage[], options: LayoutOptions = {}): string {
  const { pack = (layer) => layer, docker = false } = options;
  const vnd = docker ? "application/vnd.docker" : "application/vnd.oci.image";
  const entries: Record<string, unknown>[] = [];
  for (const image of images) {
    const layers = image.layers.map((layer) => {
      const packed = pack(layer);
      const suffix = packed[0] === 0x1f
        ? (docker ? ".gzip" : "+gzip")
        : packed[0] === 0x28
        ? (docker ? ".zstd" : "+zstd")
        : "";
      const mediaType = docker ? `${vnd}.image.rootfs.diff.tar${suffix}` : `${vnd}.layer.v1.tar${suffix}`;
      return describe(dir, packed, mediaType);
    });
    const config = describe(dir, configOf(image), docker ? `${vnd}.container.image.v1+json` : `${vnd}.config.v1+json`);
    const mediaType = docker ? `${vnd}.distribution.manifest.v2+json` : `${vnd}.manifest.v1+json`;
    const manifest = { schemaVersion: 2, mediaType, config, layers };
    const entry = describe(dir, json(options.manifest?.(manifest) ?? manifest), mediaType);
    for (const name of image.names.length === 0 ? [undefined] : image.names) {
      const tag = name?.replace(/^.*[/:]/, "");
      const annotations = name === undefined ? {} : {
        "org.opencontainers.image.ref.name": tag,
        ...(name.includes("/") ? { "io.containerd.image.name": name } : {}),
      };
      entries.push({
        ...entry,
        annotations,
        ...(image.architecture === undefined ? {} : {
          platform: { os: "linux", architecture: image.architecture },
        }),
      });
    }
  }
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: entries };
  write(dir, "index.json", json(options.index?.(index, entries) ?? index));
  write(dir, "oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  if (options.saved) {
    write(
      dir,
      "manifest.json",
      json(images.map((image) => ({
        Config: `blobs/sha256/${hex(configOf(image))}`,
        RepoTags: image.names,
        Layers: image.layers.map((layer) => `blobs/sha256/${hex(layer)}`),
      }))),
    );
  }
  return dir;
}

/** Writes what docker saved from 1.10 to 24: `manifest.json`, `HEX.json`, `HEX/layer.tar`; a layer that comes again is a symlink. */
export function writeClassic(dir: string, images: readonly MadeImage[]): string {
  const seen = new Map<string, string>();
  const manifest = images.map((image, n) => {
    const config = configOf(image);
    write(dir, `${hex(config)}.json`, config);
    const Layers = image.layers.map((layer, i) => {
      const id = hex(new TextEncoder().encode(`${n} ${i} ${hex(layer)}`));
      const first = seen.get(hex(layer));
      write(dir, `${id}/VERSION`, new TextEncoder().encode("1.0"));
      write(dir, `${id}/json`, json({ id }));
      if (first === undefined) write(dir, `${id}/layer.tar`, layer);
      else Deno.symlinkSync(`../${first}/layer.tar`, join(dir, `${id}/layer.tar`));
      seen.set(hex(layer), first ?? id);
      return `${id}/layer.tar`;
    });
    return { Config: `${hex(config)}.json`, RepoTags: image.names.length === 0 ? null : image.names, Layers };
  });
  write(dir, "manifest.json", json(manifest));
  write(dir, "repositories", json(repositories(images, manifest.map(({ Layers }) => Layers.at(-1)!.slice(0, 64)))));
  return dir;
}

/** Writes what docker saved before 1.10: `repositories`, and layers that name the one below. */
export function writeOld(dir: string, images: readonly MadeImage[]): string {
  const tops = images.map((image, n) => {
    let parent: string | undefined;
    for (const [i, layer] of image.layers.entries()) {
      const id = hex(new TextEncoder().encode(`old ${n} ${i} ${hex(layer)}`));
      const isTop = i === image.layers.length - 1;
      write(dir, `${id}/VERSION`, new TextEncoder().encode("1.0"));
      write(dir, `${id}/json`, json({ id, parent, os: "linux", ...(isTop ? { config: image.config } : {}) }));
      write(dir, `${id}/layer.tar`, layer);
      parent = id;
    }
    return parent!;
  });
  write(dir, "repositories", json(repositories(images, tops)));
  return dir;
}

/** A directory as an archive, sorted by name as docker does it, `index.json` and its like behind the blobs. */
export function tarUp(dir: string, path: string): string {
  const { success, stderr } = new Deno.Command("tar", {
    args: ["-C", dir, "--sort=name", "-cf", path, ...[...Deno.readDirSync(dir)].map(({ name }) => name).sort()],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return path;
}

export function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Writes a blob and gives its descriptor. */
export function describe(dir: string, bytes: Uint8Array, mediaType: string): Record<string, unknown> {
  write(dir, `blobs/sha256/${hex(bytes)}`, bytes);
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

function repositories(images: readonly MadeImage[], tops: readonly string[]): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {};
  for (const [i, { names }] of images.entries()) {
    for (const name of names) {
      const colon = name.lastIndexOf(":");
      (found[name.slice(0, colon)] ??= {})[name.slice(colon + 1)] = tops[i]!;
    }
  }
  return found;
}

function write(dir: string, path: string, bytes: Uint8Array): void {
  Deno.mkdirSync(dirname(join(dir, path)), { recursive: true });
  Deno.writeFileSync(join(dir, path), bytes);
}

function pipe(command: string, args: string[], bytes: Uint8Array): Deno.CommandOutput {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, bytes);
    const output = new Deno.Command("sh", { args: ["-c", '"$@" < "$0"', file, command, ...args] }).outputSync();
    if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
    return output;
  } finally {
    Deno.removeSync(file);
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
