import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { existsSync, walkSync } from "@std/fs";
import { join } from "@std/path";
import * as standInAssert from "./assert.ts";
import { parseArgs } from "./cli.ts";
import * as standInCli from "./cli.ts";
import * as standInFs from "./fs.ts";
import * as standInPath from "./path.ts";
import { TarStream, type TarStreamInput } from "./tar.ts";
import * as standInTar from "./tar.ts";

const STAND_INS: Readonly<Record<string, object>> = {
  "@std/assert": standInAssert,
  "@std/cli": standInCli,
  "@std/fs": standInFs,
  "@std/path": standInPath,
  "@std/tar": standInTar,
};

Deno.test("the stand-ins have everything that the code imports from the standard packages", () => {
  const root = join(import.meta.dirname!, "../..");
  const missing: string[] = [];
  let seen = 0;
  for (const entry of walkSync(root, { exts: [".ts"], includeDirs: false, skip: [/\/(node_modules|dist|\.git)\//] })) {
    for (const [pkg, name] of valuesUsed(Deno.readTextFileSync(entry.path))) {
      seen++;
      if (!(name in STAND_INS[pkg]!)) missing.push(`${entry.path}: ${name} of ${pkg}`);
    }
  }
  assert(seen > 10, "the search for imports finds them");
  assertEquals(missing, []);
});

Deno.test("deno.json and the offline map know the same packages", () => {
  const read = (path: string): string[] => {
    const url = new URL(path, import.meta.url);
    return Object.keys((JSON.parse(Deno.readTextFileSync(url)) as { imports: object }).imports).sort();
  };
  assertEquals(read("import_map.json"), read("../../deno.json"));
  // What is on npm needs no stand-in.
  assertEquals(read("import_map.json").filter((name) => name.startsWith("@std/")), Object.keys(STAND_INS).sort());
});

Deno.test("parseArgs ends at the first operand with stopEarly and keeps its options for the command", () => {
  const options = { string: ["memory", "_"], boolean: ["rm"], alias: { memory: "m" }, stopEarly: true };
  assertEquals(parseArgs(["-m", "100m", "--rm", "rootfs", "ls", "-m", "7"], options), {
    memory: "100m",
    m: "100m",
    rm: true,
    _: ["rootfs", "ls", "-m", "7"],
  });
});

Deno.test("parseArgs reads values in each way that they can be written", () => {
  const string = ["v", "mount"];
  for (const args of [["-v", "/a:/b"], ["-v=/a:/b"], ["-v/a:/b"]]) {
    assertEquals(parseArgs(args, { string }).v, "/a:/b");
  }
  assertEquals(parseArgs(["--mount=type=bind,src=/a"], { string }).mount, "type=bind,src=/a");
  assertEquals(parseArgs(["--mount", "-x"], { string }), { mount: "", x: true, _: [] });
  assertEquals(parseArgs(["--n", "1e3", "2"]), { n: 1000, _: [2] });
  assertEquals(parseArgs(["-it"], { boolean: ["i", "t"] }), { i: true, t: true, _: [] });
});

Deno.test("parseArgs collects, negates, defaults and reports what it does not know", () => {
  const unknown: string[] = [];
  const args = parseArgs(["--env", "A=1", "--env=B=2", "--no-color", "--what", "x", "--", "-z"], {
    string: ["env"],
    collect: ["env"],
    boolean: ["color", "tty"],
    negatable: ["color"],
    default: { color: true, user: "0" },
    "--": true,
    unknown: (arg) => {
      unknown.push(arg);
      return false;
    },
  });
  assertEquals(args, { env: ["A=1", "B=2"], color: false, tty: false, user: "0", _: [], "--": ["-z"] });
  assertEquals(unknown, ["--what"]);
});

Deno.test("paths are taken apart and put together as node does it", async () => {
  const { posix } = await import("node:path");
  const paths = [
    "",
    ".",
    "/",

    "a",
    "a/",
    "/a",
    "/a/b/",
    "../a/./b/..",
    "a/../..",
    "/..",
    "./",
    "a.b/c.d.e",
    ".x",
    "/a/b/c/../..",
  ];
  for (const path of paths) {
    for (const name of ["normalize", "dirname", "basename", "extname", "resolve", "isAbsolute"] as const) {
      // The one difference that the standard package has to node: the root's name is the root.
      const expected = name === "basename" && /^\/+$/.test(path) ? "/" : posix[name](path);
      assertEquals(standInPath[name](path), expected, `${name}("${path}")`);
    }
    for (const other of paths) {
      assertEquals(standInPath.join(path, other), posix.join(path, other), `join("${path}", "${other}")`);
      assertEquals(standInPath.relative(path, other), posix.relative(path, other), `relative("${path}", "${other}")`);
      assertEquals(standInPath.resolve(path, other), posix.resolve(path, other), `resolve("${path}", "${other}")`);
    }
  }
  const odd = "/a b/%20/ü?#x";
  assertEquals(standInPath.fromFileUrl(standInPath.toFileUrl(odd)), odd);
  assertEquals(standInPath.basename("a.tar.gz", ".gz"), "a.tar");
});

Deno.test("directories are made, walked, copied and emptied", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    await standInFs.ensureDir(join(dir, "a/b"));
    Deno.writeTextFileSync(join(dir, "a/b/f.ts"), "x");
    Deno.symlinkSync("f.ts", join(dir, "a/b/link"));
    standInFs.copySync(join(dir, "a"), join(dir, "c"));
    const found = [...standInFs.walkSync(dir)].map(({ path }) => standInPath.relative(dir, path)).sort();
    assertEquals(found, ["", "a", "a/b", "a/b/f.ts", "a/b/link", "c", "c/b", "c/b/f.ts", "c/b/link"]);
    assertEquals(Deno.readLinkSync(join(dir, "c/b/link")), "f.ts");
    assertThrows(() => standInFs.copySync(join(dir, "a"), join(dir, "c")), Deno.errors.AlreadyExists);
    await standInFs.emptyDir(join(dir, "a"));
    assertEquals(await standInFs.exists(join(dir, "a/b")), false);
    assertEquals(standInFs.existsSync(join(dir, "c/b/f.ts"), { isDirectory: true }), false);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("assertions fail when they should", async () => {
  const { AssertionError } = standInAssert;
  assertThrows(() => standInAssert.assertEquals({ a: 1 } as object, { a: 1, b: undefined }), AssertionError);
  assertThrows(() => standInAssert.assertObjectMatch({ a: { b: 1 } }, { a: { b: 2 } }), AssertionError);
  assertThrows(() => standInAssert.assertThrows(() => {}), AssertionError, "throw");
  assertThrows(
    () => standInAssert.assertThrows(() => JSON.parse("{"), RangeError),
    AssertionError,
    "expected a RangeError, got SyntaxError",
  );
  await assertRejects(() => standInAssert.assertRejects(() => Promise.resolve()), AssertionError, "rejected");
  standInAssert.assertObjectMatch({ a: { b: 1, c: [1] }, d: 2 }, { a: { c: [1] } });
});

Deno.test("a written archive is read by tar with its modes, long names and contents", async () => {
  const dir = Deno.makeTempDirSync();
  try {
    const long = `${"d".repeat(90)}/${"f".repeat(90)}`;
    const content = new TextEncoder().encode("hello\n");
    const readable = (): ReadableStream<Uint8Array> => ReadableStream.from([content]);
    const entries: TarStreamInput[] = [
      { type: "directory", path: "bin", options: { mode: 0o700, mtime: 0 } },
      { type: "file", path: "bin/sh", size: content.length, readable: readable(), options: { mode: 0o755, mtime: 5 } },
      { type: "file", path: long, size: content.length, readable: readable() },
    ];
    const file = await Deno.create(join(dir, "a.tar"));
    await ReadableStream.from(entries).pipeThrough(new TarStream()).pipeTo(file.writable);
    const tar = await new Deno.Command("tar", { args: ["-xf", "a.tar"], cwd: dir }).output();
    assertEquals(new TextDecoder().decode(tar.stderr), "");
    assertEquals(Deno.readTextFileSync(join(dir, "bin/sh")), "hello\n");
    assertEquals(Deno.statSync(join(dir, "bin/sh")).mode! & 0o777, 0o755);
    assertEquals(Deno.statSync(join(dir, "bin/sh")).mtime!.getTime(), 5000);
    assertEquals(Deno.statSync(join(dir, "bin")).mode! & 0o777, 0o700);
    assert(existsSync(join(dir, long)));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

/** Package and name of each value that a source imports from a standard package. */
function valuesUsed(text: string): [string, string][] {
  const found: [string, string][] = [];
  for (const [, names, pkg] of text.matchAll(/^(?:import|export)\s+\{([^}]*)\}\s*from\s+"(@std\/\w+)"/gm)) {
    for (const name of names!.split(",").map((part) => part.trim())) {
      if (name !== "" && !name.startsWith("type ")) found.push([pkg!, name.split(" as ")[0]!]);
    }
  }
  return found;
}
