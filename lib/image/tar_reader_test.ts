/**
 * The reader against archives made by the writer, by hand, and by chance.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeText, fromByteString, toByteString } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { BLOCK } from "./tar_header.ts";
import { DEFAULT_BOUNDS, type TarBounds, type TarEntry } from "./tar_entry.ts";
import { TarReader } from "./tar_reader.ts";
import { type NewEntry, TarWriter } from "./tar_writer.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Read = TarEntry & { readonly content: string };

const PLAIN: NewEntry = {
  path: "file",
  linkPath: "",
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeSec: 1,
  mtimeNsec: 0,
  devMajor: 0,
  devMinor: 0,
  xattrs: [],
};

function writeTar(...entries: readonly (Partial<NewEntry> & { content?: string })[]): Bytes {
  const parts: Bytes[] = [];
  const writer = new TarWriter((bytes) => parts.push(bytes.slice()));
  for (const { content = "", ...entry } of entries) {
    writer.entry({ ...PLAIN, size: content.length, ...entry });
    if (content !== "") writer.data(fromByteString(content));
  }
  writer.finish();
  return join(parts);
}

function join(parts: readonly Bytes[]): Bytes {
  return fromByteString(parts.map(toByteString).join(""));
}

/** Reads an archive in chunks of some size; holes read as NUL. */
function readTar(bytes: Bytes, chunk = bytes.length, bounds?: TarBounds): Read[] {
  const read: Read[] = [];
  const content: Bytes[] = [];
  const reader = new TarReader({
    entry: (entry) => {
      read.push({ ...entry, content: "" });
      content.push(new Uint8Array(entry.size));
    },
    data: (data, offset) => content.at(-1)!.set(data, offset),
    end: () => {
      const last = read.pop()!;
      read.push({ ...last, content: toByteString(content.at(-1)!) });
    },
  }, bounds);
  for (let at = 0; at < bytes.length; at += chunk) reader.push(bytes.slice(at, at + chunk));
  reader.end();
  return read;
}

/** A header by hand, its checksum right. */
function makeHeader(name: string, type: string, size: number, change: (block: Bytes) => void = () => {}): Bytes {
  const block = writeTar({ path: name }).slice(0, BLOCK);
  put(block, 124, size.toString(8).padStart(11, "0"));
  put(block, 156, type);
  change(block);
  put(block, 148, "        ");
  put(block, 148, `${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0`);
  return block;
}

function put(block: Bytes, at: number, text: string): void {
  block.set(fromByteString(text), at);
}

function padded(text: string): Bytes {
  const bytes = new Uint8Array(Math.ceil(text.length / BLOCK) * BLOCK);
  put(bytes, 0, text);
  return bytes;
}

const END = new Uint8Array(2 * BLOCK);

Deno.test("TarReader reads back what TarWriter writes, in chunks of any size", () => {
  const entries = [
    { path: "dir/", type: "directory" as const, mode: 0o1777 },
    { path: "dir/plain", content: "hello", uid: 1234, gid: 5678, mtimeSec: 1700000000, mtimeNsec: 123456789 },
    { path: `dir/${"n".repeat(200)}`, content: "x".repeat(3000), uid: 4_000_000_000, gid: 4_294_967_294 },
    { path: "old", mtimeSec: -2, mtimeNsec: 250_000_000 },
    { path: "bad\xff\xfename", type: "symlink" as const, linkPath: "t".repeat(300) },
    { path: "hard", type: "hardlink" as const, linkPath: "dir/plain" },
    { path: "null", type: "character" as const, devMajor: 1, devMinor: 3, mode: 0o666 },
    { path: "pipe", type: "fifo" as const },
    {
      path: "caps",
      content: "elf",
      mode: 0o4755,
      xattrs: [{ name: "security.capability", value: fromByteString("\x01\0\0\x02\n=\xff\x80\0") }, {
        name: "user.a=b%",
        value: fromByteString(""),
      }],
    },
    {
      path: "sparse",
      size: 1000,
      content: "abcdef",
      segments: [{ offset: 10, length: 4 }, { offset: 900, length: 2 }, { offset: 1000, length: 0 }],
    },
  ];
  const archive = writeTar(...entries);
  const whole = readTar(archive);
  assertEquals(whole.map(({ path }) => path), entries.map(({ path }) => path));
  for (const [i, { content, ...entry }] of entries.entries()) {
    const { segments, size, ...fields } = { segments: undefined, size: undefined, ...entry };
    const { content: got, ...read } = whole[i]!;
    assertEquals({ ...read, ...fields }, read, entry.path);
    if (segments === undefined) assertEquals(got, content ?? "");
    else assertEquals(got, `${"\0".repeat(10)}abcd${"\0".repeat(886)}ef${"\0".repeat((size ?? 0) - 902)}`);
  }
  for (const chunk of [1, 7, 512, 513, 4096]) assertEquals(readTar(archive, chunk), whole, `chunks of ${chunk}`);
});

Deno.test("TarReader reads GNU long names and links", () => {
  const name = `long/${"ñ".repeat(300)}`;
  const link = "l".repeat(700);
  const archive = join([
    makeHeader("././@LongLink", "L", encodeText(name).length + 1),
    padded(`${encodeText(name)}\0`),
    makeHeader("././@LongLink", "K", link.length + 1),
    padded(`${link}\0`),
    makeHeader("cut", "2", 0),
    END,
  ]);
  const [entry] = readTar(archive);
  assertEquals([entry!.path, entry!.linkPath, entry!.type], [encodeText(name), link, "symlink"]);
});

Deno.test("TarReader reads base-256 numbers, negative ones too", () => {
  const archive = join([
    makeHeader("big", "5", 0, (block) => {
      block.set([0x80, 0, 0, 0, 0xee, 0x6b, 0x28, 0], 108);
      block.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], 136);
    }),
    END,
  ]);
  const [entry] = readTar(archive);
  assertEquals([entry!.uid, entry!.mtimeSec], [4_000_000_000, -2]);
});

Deno.test("TarReader applies global pax records until a local one overrides or deletes them", () => {
  const archive = join([
    makeHeader("g", "g", 16),
    padded("16 mtime=123.500"),
  ]);
  assertThrows(() => readTar(archive), PaddockError, "malformed record");
  const good = join([
    makeHeader("g", "g", 17),
    padded("17 mtime=123.500\n"),
    makeHeader("one", "0", 0),
    makeHeader("x", "x", 10),
    padded("10 mtime=\n"),
    makeHeader("two", "0", 0),
    END,
  ]);
  const [one, two] = readTar(good);
  assertEquals([one!.mtimeSec, one!.mtimeNsec], [123, 500_000_000]);
  assertEquals([two!.mtimeSec, two!.mtimeNsec], [1, 0]);
});

Deno.test("TarReader takes a name with a slash at its end for a directory, and an unknown type for a file", () => {
  const read = readTar(join([makeHeader("old/", "0", 0), makeHeader("odd", "Q", 3), padded("abc"), END]));
  assertEquals(read.map(({ type, content }) => [type, content]), [["directory", ""], ["file", "abc"]]);
});

Deno.test("TarReader gives a hard link no data, whatever its size says", () => {
  const read = readTar(join([makeHeader("link", "1", 700), makeHeader("next", "0", 0), END]));
  assertEquals(read.map(({ path }) => path), ["link", "next"]);
});

Deno.test("TarReader accepts signed checksums", () => {
  const block = makeHeader("sum\xff", "0", 0);
  put(block, 148, "        ");
  const signed = block.reduce((sum, byte) => sum + (byte < 128 ? byte : byte - 256), 0);
  put(block, 148, `${signed.toString(8).padStart(6, "0")}\0`);
  assertEquals(readTar(join([block, END])).length, 1);
});

Deno.test("TarReader ignores what follows the end mark, and needs none between two entries", () => {
  const archive = writeTar({ path: "a", content: "1" });
  assertEquals(readTar(join([archive, padded("garbage")])).length, 1);
  assertEquals(readTar(archive.slice(0, 2 * BLOCK)).length, 1);
});

Deno.test("TarReader does without the padding behind the last file, but not without a part of it", () => {
  const archive = writeTar({ path: "a", content: "1" });
  assertEquals(readTar(archive.slice(0, BLOCK + 1)).length, 1);
  assertThrows(() => readTar(archive.slice(0, BLOCK + 9)), PaddockError, 'it ends inside "a"');
});

Deno.test("TarReader refuses an archive that stops inside an entry or a header, naming it", () => {
  const archive = writeTar({ path: "victim", content: "x".repeat(1000) });
  assertThrows(() => readTar(archive.slice(0, 700)), PaddockError, 'it ends inside "victim"');
  assertThrows(() => readTar(archive.slice(0, 100)), PaddockError, "it ends inside a header");
  const long = writeTar({ path: "n".repeat(200) });
  assertThrows(() => readTar(long.slice(0, 2 * BLOCK)), PaddockError, "it ends inside a header");
});

Deno.test("TarReader refuses a header whose checksum does not hold", () => {
  const archive = writeTar({ path: "a" });
  archive[0] = 98;
  assertThrows(() => readTar(archive), PaddockError, "wrong checksum");
});

Deno.test("TarReader bounds extended headers, names, sparse maps and the number of headers", () => {
  const huge = makeHeader("x", "x", DEFAULT_BOUNDS.paxBytes + 1);
  assertThrows(() => readTar(huge), PaddockError, "the limit is");
  assertThrows(() => readTar(makeHeader("L", "L", 1 << 30)), PaddockError, "the limit is");
  const many = writeTar({ path: "a" }, { path: "b" }, { path: "c" });
  assertThrows(
    () => readTar(many, many.length, { ...DEFAULT_BOUNDS, headers: 2 }),
    PaddockError,
    "more than 2 headers",
  );
  const sparse = writeTar({
    path: "s",
    size: 100,
    content: "ab",
    segments: [{ offset: 0, length: 1 }, { offset: 50, length: 1 }],
  });
  assertThrows(() => readTar(sparse, 512, { ...DEFAULT_BOUNDS, segments: 1 }), PaddockError, "sparse segments");
});

Deno.test("TarReader refuses sparse maps that overlap, reach beyond the size or do not fit the data", () => {
  const bad = [
    [{ offset: 10, length: 1 }, { offset: 5, length: 1 }],
    [{ offset: 0, length: 1 }, { offset: 100, length: 1 }],
  ];
  for (const segments of bad) {
    assertThrows(
      () => readTar(writeTar({ path: "s", size: 100, content: "ab", segments })),
      PaddockError,
      "sparse map",
    );
  }
});

Deno.test("TarReader refuses owners and numbers out of range", () => {
  const header = makeHeader("x", "x", 17);
  assertThrows(
    () => readTar(join([header, padded("17 uid=4294967295\n".slice(0, 17)), makeHeader("f", "0", 0)])),
    PaddockError,
  );
  const record = "18 uid=4294967295\n";
  const archive = join([makeHeader("x", "x", 18), padded(record), makeHeader("f", "0", 0), END]);
  assertThrows(() => readTar(archive), PaddockError, "owner out of range");
});

Deno.test("TarReader ends damaged archives with an error or an end, never otherwise", () => {
  const archive = writeTar(
    { path: "dir/", type: "directory" },
    { path: `dir/${"n".repeat(150)}`, content: "hello", xattrs: [{ name: "user.x", value: fromByteString("\0\n") }] },
    { path: "sparse", size: 1000, content: "abcd", segments: [{ offset: 4, length: 4 }, { offset: 1000, length: 0 }] },
    { path: "link", type: "symlink", linkPath: "l".repeat(150) },
  );
  // A fixed sequence, so that a failure can be had again (Numerical Recipes' generator).
  let state = 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const damaged = archive.slice();
    const block = next(archive.length / BLOCK) * BLOCK;
    for (let i = 0; i < 1 + next(4); i++) damaged[block + next(BLOCK)] = next(256);
    // Half of the time the checksum is made right again, so that damage gets past it.
    if (next(2) === 0) {
      put(damaged, block + 148, "        ");
      const sum = damaged.subarray(block, block + BLOCK).reduce((total, byte) => total + byte, 0);
      put(damaged, block + 148, `${sum.toString(8).padStart(6, "0")}\0`);
    }
    try {
      const reader = new TarReader({ entry: () => {}, data: () => {}, end: () => {} });
      reader.push(damaged);
      reader.end();
    } catch (error) {
      assert(error instanceof PaddockError, `round ${round}: ${error instanceof Error ? error.stack : error}`);
      refused++;
    }
  }
  assert(refused > 300);
});
