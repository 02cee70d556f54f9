/**
 * Formats are told by content, and images from root filesystems.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { type Format, ImageArchiveDetector, isImagePath, requireReadable, tellFormat } from "./magic.ts";
import { TarWriter } from "./tar_writer.ts";

const HEX = "0123456789abcdef".repeat(4);

function conclude(...paths: readonly string[]): string | undefined {
  const detector = new ImageArchiveDetector();
  for (const path of paths) detector.observe({ path, type: path.endsWith("/") ? "directory" : "file" });
  return detector.conclude();
}

Deno.test("tellFormat knows the formats by their first bytes", () => {
  const cases: readonly [Format, number[]][] = [
    ["empty", []],
    ["gzip", [0x1f, 0x8b, 8]],
    ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
    ["zstd", [0x50, 0x2a, 0x4d, 0x18]],
    ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
    ["bzip2", [0x42, 0x5a, 0x68, 0x39]],
    ["zip", [0x50, 0x4b, 3, 4]],
    ["unknown", [0x68, 0x69, 10]],
  ];
  for (const [format, bytes] of cases) assertEquals(tellFormat(Uint8Array.from(bytes)), format);
});

Deno.test("tellFormat knows a tar by the checksum of its first header, even one named like another format", () => {
  const parts: Uint8Array[] = [];
  new TarWriter((bytes) => parts.push(bytes.slice())).entry({
    path: "BZh9",
    linkPath: "",
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
  });
  assertEquals(tellFormat(parts[0]!), "tar");
  assertEquals(tellFormat(new Uint8Array(1024)), "tar");
});

Deno.test("requireReadable names the tool that converts, and what an empty file needs", () => {
  const hintOf = (format: Format): string => {
    const error = assertThrows(() => requireReadable(format, "x.tar"), PaddockError);
    return `${error.message}; ${error.hint}`;
  };
  assertEquals(requireReadable("zstd", "x"), "zstd");
  assertEquals(hintOf("xz"), '"x.tar" is a xz file, not a tar archive, gzip or zstd; unpack it first with: xz -d FILE');
  assertEquals(hintOf("empty"), '"x.tar" is empty; make it again with: docker export CONTAINER > FILE');
});

Deno.test("ImageArchiveDetector knows docker save archives of all ages by the whole listing", () => {
  assertEquals(conclude("repositories", `${HEX}/`, `${HEX}/layer.tar`, "manifest.json"), "docker save");
  assertEquals(conclude("repositories", `${HEX}/json`, `./${HEX}/layer.tar`), "docker save");
  assertEquals(conclude("oci-layout", "index.json", "manifest.json"), "docker save");
  assertEquals(conclude("oci-layout", "index.json", "blobs/", `blobs/sha256/${HEX}`), "OCI image layout");
});

Deno.test("isImagePath is true of what an image archive begins with", () => {
  const all = [`blobs/sha256/${HEX}`, `./${HEX}/VERSION`, `${HEX}.tar`, `${HEX}.json`, "manifest.json", "oci-layout"];
  assertEquals(all.filter((path) => !isImagePath(path)), []);
  assertEquals(["bin/sh", "etc/manifest.json", "0abc.json", "blobs/x"].filter(isImagePath), []);
});

Deno.test("ImageArchiveDetector leaves root filesystems alone that have such files", () => {
  assertEquals(
    conclude("bin/", "bin/sh", "manifest.json", `blobs/sha256/${HEX}`, "oci-layout", "index.json"),
    undefined,
  );
  assertEquals(conclude("manifest.json", "app"), undefined);
});
