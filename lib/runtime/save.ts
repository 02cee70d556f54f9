/**
 * `paddock save`: images of the store as an archive or a directory that others read.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { writeWhole } from "../image/blobs.ts";
import { ImageStore } from "../image/image_store.ts";
import { type ImageToSave, type SaveFormat, saveImages, saveIntoTar, type SaveTarget } from "../image/save_images.ts";
import type { Compression } from "../image/packed_layer.ts";
import { isThere } from "../kernel/syscall.ts";
import type { Roots } from "../state/root.ts";
import { requireImage } from "./named_images.ts";
import type { Voice } from "./voice.ts";
import { writeOutput } from "./write_output.ts";

/** What `save` is told. */
export interface SaveRequest {
  readonly format: SaveFormat;
  readonly compression: Compression;
  /** A file, for `oci-dir` a directory, absolute; undefined: standard output. */
  readonly output: string | undefined;
}

/**
 * Saves images. What is named keeps that name; what is asked for by its id has none.
 *
 * @throws PaddockError where there is no such image, or the file cannot be written.
 */
export async function saveNamed(
  words: readonly string[],
  { dataRoot }: Roots,
  { format, compression, output }: SaveRequest,
  voice: Voice,
): Promise<void> {
  const images = mergeNames(words.map((word) => requireImage(word, dataRoot)));
  using store = ImageStore.open(dataRoot);
  const bar = voice.progress("saving");
  const options = {
    format,
    compression,
    note: (line: string) => voice.note(line),
    onProgress: (bytes: number) => bar.update(bytes, undefined),
  };
  try {
    await store.layers.withDirectory(async (directory) => {
      const save = (target: SaveTarget): Promise<void> => saveImages(store, images, target, directory, options);
      if (format === "oci-dir") await save(saveIntoDirectory(output!));
      else await writeOutput(output, (write) => save(saveIntoTar(write)));
    });
  } finally {
    bar.done();
  }
}

/** An image that is named twice is one image of two names. */
function mergeNames(found: readonly { readonly id: ImageToSave["id"]; readonly asked?: string }[]): ImageToSave[] {
  const names = new Map<ImageToSave["id"], Set<string>>();
  for (const { id, asked } of found) {
    const known = names.get(id) ?? new Set();
    names.set(id, asked === undefined ? known : known.add(asked));
  }
  return [...names].map(([id, all]) => ({ id, names: [...all] }));
}

/** Files in a directory that is new or empty. The documents that make it a layout come last. */
function saveIntoDirectory(path: string): SaveTarget {
  requireEmpty(path);
  const documents: (() => void)[] = [];
  return {
    file: async (name, _size, content) => {
      const parts: Uint8Array[] = [];
      if (!name.startsWith("blobs/")) {
        await content((bytes) => void parts.push(bytes.slice()));
        const whole = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
        documents.push(() => writeWhole(`${path}/${name}`, whole, 0o644));
        return;
      }
      Deno.mkdirSync(`${path}/${name.slice(0, name.lastIndexOf("/"))}`, { recursive: true });
      await writeOutput(`${path}/${name}`, (write) => content(write));
      Deno.chmodSync(`${path}/${name}`, 0o644);
    },
    end: () => Promise.resolve(documents.forEach((write) => write())),
  };
}

function requireEmpty(path: string): void {
  if (!isThere(path)) return;
  const isEmpty = Deno.statSync(path).isDirectory && [...Deno.readDirSync(path)].length === 0;
  if (isEmpty) return;
  throw new PaddockError(`"${path}" is there already, and is no empty directory`, { hint: "choose another name" });
}
