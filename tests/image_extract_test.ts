/**
 * Extraction entry by entry against GNU tar, archives that want to break out, and export. Needs root.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fromByteString, toByteString } from "../lib/base/byte_string.ts";
import { PaddockError } from "../lib/base/errors.ts";
import { exportTree } from "../lib/image/export.ts";
import { extractArchive, type ExtractResult } from "../lib/image/extract.ts";
import { DEFAULT_LIMITS, type ExtractLimits } from "../lib/image/extract_limits.ts";
import { openArchive } from "../lib/image/source.ts";
import { type NewEntry, TarWriter } from "../lib/image/tar_writer.ts";
import { openDirectory } from "../lib/kernel/fs.ts";
import { forceWalk } from "../lib/kernel/in_root.ts";
import { requires } from "./support/requires.ts";

const SUPPORT = new URL("./support/", import.meta.url).pathname;

async function withDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "paddock-extract-" });
  try {
    await body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function run(command: string, ...args: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args: [...args] }).outputSync();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder("latin1").decode(stdout);
}

function listTree(dir: string): string {
  return run("bash", `${SUPPORT}list_tree.bash`, dir);
}

async function extract(archive: string, dir: string, limits?: ExtractLimits): Promise<ExtractResult> {
  Deno.mkdirSync(dir);
  using root = openDirectory(dir);
  using source = openArchive(archive);
  return await extractArchive(source, root.number, limits === undefined ? {} : { limits });
}

type Entry = Partial<NewEntry> & { readonly content?: string };

function writeArchive(path: string, entries: readonly Entry[]): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const writer = new TarWriter((bytes) => {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  });
  for (const { content = "", ...entry } of entries) {
    const base = { linkPath: "", mode: 0o755, uid: 0, gid: 0, mtimeSec: 1, mtimeNsec: 0, devMajor: 0, devMinor: 0 };
    writer.entry({ ...base, path: "", type: "file", size: content.length, xattrs: [], ...entry });
    if (content !== "") writer.data(fromByteString(content));
  }
  writer.finish();
}

const XATTRS = ["--xattrs", "--xattrs-include=*"];
const FORMATS: Readonly<Record<string, readonly string[]>> = {
  "pax": ["--format=pax", ...XATTRS],
  "pax, sparse 0.0": ["--format=pax", ...XATTRS, "-S", "--sparse-version=0.0"],
  "pax, sparse 0.1": ["--format=pax", ...XATTRS, "-S", "--sparse-version=0.1"],
  "pax, sparse 1.0": ["--format=pax", ...XATTRS, "-S"],
  "gnu": ["--format=gnu"],
  "gnu, sparse": ["--format=gnu", "-S"],
};

for (const [format, options] of Object.entries(FORMATS)) {
  Deno.test({
    name: `extractArchive makes what GNU tar makes of the same archive (${format})`,
    ...requires("root", "tool:setfattr", "tool:setcap"),
    fn: () =>
      withDirectory(async (dir) => {
        run("bash", `${SUPPORT}nasty_tree.bash`, `${dir}/tree`);
        run("tar", "-C", `${dir}/tree`, ...options, "-cf", `${dir}/tree.tar`, ".");
        Deno.mkdirSync(`${dir}/gnu`);
        run("tar", "-C", `${dir}/gnu`, "--numeric-owner", "-p", ...XATTRS, "-xf", `${dir}/tree.tar`);
        const result = await extract(`${dir}/tree.tar`, `${dir}/ours`);
        assertEquals(listTree(`${dir}/ours`), listTree(`${dir}/gnu`));
        if (format.startsWith("pax")) assertEquals(listTree(`${dir}/ours`), listTree(`${dir}/tree`));
        if (format.includes("sparse")) assert((Deno.statSync(`${dir}/ours/hole`).blocks ?? 0) === 0);
        assertEquals(result.diffId, `sha256:${run("sha256sum", `${dir}/tree.tar`).slice(0, 64)}`);
        assertEquals(result.warnings, []);
      }),
  });
}

Deno.test({
  name: "extractArchive makes the same without openat2",
  ...requires("root", "tool:setfattr", "tool:setcap"),
  fn: () =>
    withDirectory(async (dir) => {
      run("bash", `${SUPPORT}nasty_tree.bash`, `${dir}/tree`);
      run("tar", "-C", `${dir}/tree`, "--format=pax", ...XATTRS, "-cf", `${dir}/tree.tar`, ".");
      try {
        forceWalk(true);
        await extract(`${dir}/tree.tar`, `${dir}/ours`);
      } finally {
        forceWalk(undefined);
      }
      assertEquals(listTree(`${dir}/ours`), listTree(`${dir}/tree`));
    }),
});

Deno.test({
  name: "exportTree writes an archive that GNU tar and extractArchive make the same tree of, and always the same bytes",
  ...requires("root", "tool:setfattr", "tool:setcap"),
  fn: () =>
    withDirectory(async (dir) => {
      run("bash", `${SUPPORT}nasty_tree.bash`, `${dir}/tree`);
      const write = (tree: string, path: string): void => {
        using root = openDirectory(tree);
        using file = Deno.openSync(path, { write: true, create: true, truncate: true });
        exportTree(root.number, (bytes) => void file.writeSync(bytes));
      };
      write(`${dir}/tree`, `${dir}/a.tar`);
      await extract(`${dir}/a.tar`, `${dir}/ours`);
      Deno.mkdirSync(`${dir}/gnu`);
      run("tar", "-C", `${dir}/gnu`, "--numeric-owner", "-p", ...XATTRS, "-xf", `${dir}/a.tar`);
      assertEquals(listTree(`${dir}/ours`), listTree(`${dir}/tree`));
      assertEquals(listTree(`${dir}/gnu`), listTree(`${dir}/tree`));
      write(`${dir}/ours`, `${dir}/b.tar`);
      assertEquals(run("sha256sum", `${dir}/a.tar`).slice(0, 64), run("sha256sum", `${dir}/b.tar`).slice(0, 64));
    }),
});

/** Replacing: what tar extracts over what it has extracted before; each must be as GNU tar does it. */
const DUPLICATES: Readonly<Record<string, readonly Entry[]>> = {
  "a directory over a symlink to one": [
    { path: "real/", type: "directory" },
    { path: "l", type: "symlink", linkPath: "real" },
    { path: "l/", type: "directory" },
    { path: "l/y", content: "2" },
  ],
  "a file over an empty directory": [{ path: "d/", type: "directory" }, { path: "d", content: "now a file" }],
  "a directory over a file": [{ path: "f", content: "1" }, { path: "f/", type: "directory" }, { path: "f/x" }],
  "a file over a file, a symlink over that": [
    { path: "f", content: "1" },
    { path: "f", content: "2" },
    { path: "f", type: "symlink", linkPath: "t" },
  ],
  "a file over a hard link, whose other name stays": [
    { path: "f", content: "1" },
    { path: "g", type: "hardlink", linkPath: "f" },
    { path: "f", content: "2" },
  ],
  "a hard link over itself": [{ path: "f", content: "1" }, { path: "f", type: "hardlink", linkPath: "f" }],
  "a directory twice, the last mode and times count": [
    { path: "d/", type: "directory", mode: 0o700 },
    { path: "d/x" },
    { path: "d/", type: "directory", mode: 0o755, mtimeSec: 1000 },
  ],
  "a file through a symlink": [
    { path: "real/x" },
    { path: "l", type: "symlink", linkPath: "real" },
    { path: "l/y", content: "2" },
  ],
  "untidy names": [
    { path: "./a//b/./c", content: "x" },
    { path: "h", type: "hardlink", linkPath: "./a/b//c" },
  ],
};

for (const [name, entries] of Object.entries(DUPLICATES)) {
  Deno.test({
    name: `extractArchive replaces as GNU tar does: ${name}`,
    ...requires("root", "tool:setfattr"),
    fn: () =>
      withDirectory(async (dir) => {
        writeArchive(`${dir}/a.tar`, entries);
        Deno.mkdirSync(`${dir}/gnu`);
        run("tar", "-C", `${dir}/gnu`, "--numeric-owner", "-p", "-xf", `${dir}/a.tar`);
        await extract(`${dir}/a.tar`, `${dir}/ours`);
        // Times of directories that the archive does not name are those of the extraction.
        const named = (list: string): string => list.replaceAll(/\|1[5-9]\d{8}\.\d+\|/g, "|now|");
        assertEquals(named(listTree(`${dir}/ours`)), named(listTree(`${dir}/gnu`)));
      }),
  });
}

/** Ways out; each must end with an error, or with everything inside. The list follows containerd's breakout tests. */
const BREAKOUTS: Readonly<Record<string, readonly Entry[]>> = {
  "parent directories in a name": [{ path: "../canary", content: "evil" }],
  "parent directories in the middle": [{ path: "a/../../canary", content: "evil" }],
  "an absolute name": [{ path: "CANARY", content: "evil" }],
  "an absolute symlink and a file through it": [
    { path: "l", type: "symlink", linkPath: "OUTSIDE" },
    { path: "l/canary", content: "evil" },
  ],
  "a relative symlink and a file through it": [
    { path: "l", type: "symlink", linkPath: "../../../../../.." },
    { path: "lCANARY", content: "evil" },
  ],
  "a symlink to the canary, then a file of its name": [
    { path: "l", type: "symlink", linkPath: "CANARY" },
    { path: "l", content: "evil" },
  ],
  "a chain of symlinks": [
    { path: "a/", type: "directory" },
    { path: "a/up", type: "symlink", linkPath: "../.." },
    { path: "b", type: "symlink", linkPath: "a/up/.." },
    { path: "b/canary", content: "evil" },
  ],
  "a hard link down and out": [{ path: "h", type: "hardlink", linkPath: "../canary" }, { path: "h", content: "evil" }],
  "a hard link with an absolute target": [{ path: "h", type: "hardlink", linkPath: "CANARY" }],
  "a hard link to a symlink, then chmod through it": [
    { path: "l", type: "symlink", linkPath: "CANARY" },
    { path: "h", type: "hardlink", linkPath: "l" },
    { path: "h", content: "evil", mode: 0o777 },
  ],
  "a hard link through a symlink": [
    { path: "l", type: "symlink", linkPath: "OUTSIDE" },
    { path: "h", type: "hardlink", linkPath: "l/canary" },
    { path: "h", content: "evil" },
  ],
  "a directory through a symlink, then its mode": [
    { path: "l", type: "symlink", linkPath: "OUTSIDE" },
    { path: "l/", type: "directory", mode: 0o777, uid: 99 },
    { path: "l/canary", content: "evil" },
  ],
  "a directory that becomes a symlink": [
    { path: "d/", type: "directory" },
    { path: "d", type: "symlink", linkPath: "OUTSIDE" },
    { path: "d/canary", content: "evil" },
  ],
  "a directory with times that becomes a symlink": [
    { path: "d/", type: "directory", mtimeSec: 12345 },
    { path: "d", type: "symlink", linkPath: "OUTSIDE" },
  ],
  "a file whose directory was kept open, then replaced": [
    { path: "d/x", content: "1" },
    { path: "d/x", type: "symlink", linkPath: "CANARY" },
    { path: "d/x", content: "evil" },
  ],
  "a symlink for the root directory": [
    { path: ".", type: "symlink", linkPath: "OUTSIDE" },
    { path: "canary", content: "evil" },
  ],
  "a device through a symlink": [
    { path: "l", type: "symlink", linkPath: "OUTSIDE" },
    { path: "l/null", type: "character", devMajor: 1, devMinor: 3 },
  ],
  "a fifo over a symlink": [
    { path: "l", type: "symlink", linkPath: "CANARY" },
    { path: "l", type: "fifo", mode: 0o777, uid: 99 },
  ],
  "attributes of a symlink": [
    {
      path: "l",
      type: "symlink",
      linkPath: "CANARY",
      uid: 99,
      xattrs: [{ name: "trusted.x", value: fromByteString("1") }],
    },
  ],
  "a symlink into /proc": [
    { path: "l", type: "symlink", linkPath: "/proc/self/cwd" },
    { path: "l/canary", content: "evil" },
  ],
};

for (const [name, entries] of Object.entries(BREAKOUTS)) {
  for (const walk of [false, true]) {
    Deno.test({
      name: `extractArchive does not let out: ${name}${walk ? ", without openat2" : ""}`,
      ...requires("root", "tool:setfattr"),
      fn: () =>
        withDirectory(async (dir) => {
          Deno.mkdirSync(`${dir}/outside`);
          Deno.writeTextFileSync(`${dir}/outside/canary`, "sings");
          Deno.writeTextFileSync(`${dir}/canary`, "sings");
          const fill = (text: string): string =>
            text.replaceAll("CANARY", `${dir}/outside/canary`).replaceAll("OUTSIDE", `${dir}/outside`);
          writeArchive(
            `${dir}/outside/a.tar`,
            entries.map(({ path = "", linkPath = "", ...entry }) => ({
              ...entry,
              path: fill(path),
              linkPath: fill(linkPath),
            })),
          );
          const before = [listTree(`${dir}/outside`), Deno.readTextFileSync(`${dir}/canary`)];
          try {
            if (walk) forceWalk(true);
            await extract(`${dir}/outside/a.tar`, `${dir}/root`);
          } catch (error) {
            assert(error instanceof PaddockError, String(error));
            assertMatch(error.message, /"/);
          } finally {
            forceWalk(undefined);
          }
          assertEquals([listTree(`${dir}/outside`), Deno.readTextFileSync(`${dir}/canary`)], before);
          assertEquals([...Deno.readDirSync(dir)].map((entry) => entry.name).sort(), ["canary", "outside", "root"]);
        }),
    });
  }
}

const REFUSED: readonly (readonly [string, readonly Entry[], string])[] = [
  ["a name that leads out", [{ path: "a/../b" }], 'entry "a/../b" leads out through ".."'],
  [
    "a hard link that leads out",
    [{ path: "h", type: "hardlink", linkPath: "../x" }],
    'entry "h" is a link that leads out: "../x"',
  ],
  [
    "a hard link to nothing",
    [{ path: "h", type: "hardlink", linkPath: "x" }],
    'entry "h" is a hard link to "x", which is not',
  ],
  [
    "a file over a directory in use",
    [{ path: "d/x" }, { path: "d" }],
    'entry "d" would replace a directory that is not empty',
  ],
  ["a name with a NUL", [{ path: `${"n".repeat(120)}\0x` }], "has a NUL byte in its name"],
  ["a name that is too long", [{ path: "n".repeat(256) }], "has a name longer than 255 bytes"],
  ["a symlink to nothing", [{ path: "l", type: "symlink" }], "is a symlink to nothing"],
  [
    "a symlink in a loop on the way",
    [{ path: "l", type: "symlink", linkPath: "l" }, { path: "l/x" }],
    'extracting "l/x"',
  ],
];

for (const [name, entries, message] of REFUSED) {
  Deno.test({
    name: `extractArchive refuses ${name}, naming the entry`,
    ...requires("root"),
    fn: () =>
      withDirectory(async (dir) => {
        writeArchive(`${dir}/a.tar`, entries);
        await assertRejects(() => extract(`${dir}/a.tar`, `${dir}/root`), PaddockError, message);
      }),
  });
}

Deno.test({
  name: "extractArchive keeps to its budgets",
  ...requires("root"),
  fn: () =>
    withDirectory(async (dir) => {
      writeArchive(`${dir}/a.tar`, [{ path: "a/b/c/d", content: "x".repeat(100_000) }, { path: "e" }]);
      run("gzip", "-k", `${dir}/a.tar`);
      let count = 0;
      const refuse = async (file: string, limits: Partial<ExtractLimits>, message: string): Promise<void> => {
        const target = `${dir}/root${count++}`;
        await assertRejects(
          () => extract(`${dir}/${file}`, target, { ...DEFAULT_LIMITS, ...limits }),
          PaddockError,
          message,
        );
      };
      await refuse("a.tar", { entries: 1 }, "more than 1 entries");
      await refuse("a.tar", { bytes: 1000 }, "more than 1000 bytes of files");
      await refuse("a.tar", { depth: 3 }, "more than 3 directories in a path");
      await refuse("a.tar", { pathBytes: 5 }, "more than 5 bytes in a path");
      await refuse("a.tar.gz", { ratio: 10, ratioFrom: 1000 }, "more than 10 times its packed size");
    }),
});

Deno.test({
  name: "extractArchive leaves out the overlay filesystem's own attributes and says so",
  ...requires("root", "tool:setfattr"),
  fn: () =>
    withDirectory(async (dir) => {
      const xattrs = [{ name: "trusted.overlay.opaque", value: fromByteString("y") }];
      writeArchive(`${dir}/a.tar`, [{ path: "d/", type: "directory", xattrs }]);
      const { warnings } = await extract(`${dir}/a.tar`, `${dir}/root`);
      assertEquals(warnings, ['"d/": attribute "trusted.overlay.opaque" left out']);
      assert(!listTree(`${dir}/root`).includes("opaque"));
      assertEquals(toByteString(fromByteString("\xff")), "\xff");
    }),
});

Deno.test({
  name: "extractArchive gives the digest of a large archive too, which a worker hashes where only root can write to it",
  ...requires("root"),
  fn: () =>
    withDirectory(async (dir) => {
      Deno.mkdirSync(`${dir}/tree`);
      Deno.writeTextFileSync(`${dir}/tree/large`, "");
      Deno.truncateSync(`${dir}/tree/large`, 70 << 20);
      run("tar", "-C", `${dir}/tree`, "-cf", `${dir}/a.tar`, ".");
      const expected = `sha256:${run("sha256sum", `${dir}/a.tar`).slice(0, 64)}`;
      assertEquals((await extract(`${dir}/a.tar`, `${dir}/one`)).diffId, expected);
      Deno.chmodSync(`${dir}/a.tar`, 0o666);
      assertEquals((await extract(`${dir}/a.tar`, `${dir}/two`)).diffId, expected);
    }),
});
