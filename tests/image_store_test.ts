/**
 * The store of unpacked layers: found again, shared by processes, valid after crashes and bad input. Needs root.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { PaddockError } from "../lib/base/errors.ts";
import { findImageConfig, listSidecars } from "../lib/image/find_config.ts";
import { readUserFiles } from "../lib/image/root_files.ts";
import { ImageStore } from "../lib/image/image_store.ts";
import type { StoredLayer } from "../lib/image/layer_catalog.ts";
import { requires } from "./support/requires.ts";

const WORKER = new URL("./support/import_worker.ts", import.meta.url).pathname;

async function withStore(body: (dir: string, store: ImageStore) => void | Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "paddock-store-" });
  try {
    using store = ImageStore.open(`${dir}/data`);
    await body(dir, store);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function run(command: string, ...args: readonly string[]): void {
  const { success, stderr } = new Deno.Command(command, { args: [...args] }).outputSync();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}

/** A small root filesystem as an archive; `files` are added to it. */
function makeArchive(dir: string, files: Readonly<Record<string, string>> = {}): string {
  const tree = Deno.makeTempDirSync({ dir });
  Deno.chmodSync(tree, 0o755);
  for (const [path, content] of Object.entries({ "bin/sh": "#!", "etc/passwd": "root:x:0:0::/root:\n", ...files })) {
    Deno.mkdirSync(`${tree}/${path.replace(/\/?[^/]*$/, "")}`, { recursive: true });
    Deno.writeTextFileSync(`${tree}/${path}`, content);
  }
  const archive = `${tree}.tar`;
  run("tar", "-C", tree, "-cf", archive, ".");
  return archive;
}

function startWorker(dir: string, archive: string): Deno.ChildProcess {
  const args = ["run", "-A", "--no-config", WORKER, `${dir}/data`, archive];
  return new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
}

/** All files of the store but what a layer holds, to see that nothing was left. */
function listStore(dir: string): string[] {
  return ["sha256", "tmp", "sources"].flatMap((name) =>
    [...Deno.readDirSync(`${dir}/data/layers/${name}`)].map((entry) => `${name}/${entry.name}`)
  ).sort();
}

Deno.test({
  name: "lookupOrImport finds the same content again, however it is packed and whatever it is called",
  ...requires("root", "tool:zstd"),
  fn: () =>
    withStore(async (dir, store) => {
      const archive = makeArchive(dir);
      run("gzip", "-k", archive);
      run("zstd", "-q", archive);
      Deno.renameSync(`${archive}.zst`, `${dir}/misnamed.tar.gz`);
      assertEquals(await ImageStore.peek(store.dataRoot, archive), undefined);
      const first = await store.lookupOrImport(archive);
      assert(first.isNew);
      assertEquals((await ImageStore.peek(store.dataRoot, archive))?.rootfs, first.rootfs);
      assertEquals(Deno.readTextFileSync(`${first.rootfs}/bin/sh`), "#!");
      const again = await store.lookupOrImport(archive);
      assertEquals(again, { ...first, isNew: false });
      for (const other of [`${archive}.gz`, `${dir}/misnamed.tar.gz`]) {
        assertEquals((await store.lookupOrImport(other)).diffId, first.diffId);
      }
      assertEquals(store.layers.find(first.diffId)?.rootfs, first.rootfs);
      assertEquals(store.layers.readRecord(first.diffId)?.source, archive);
      assertEquals(listStore(dir).filter((name) => name.startsWith("tmp/")), []);
    }),
});

Deno.test({
  name: "lookupOrImport notices that a file was written to",
  ...requires("root"),
  fn: () =>
    withStore(async (dir, store) => {
      const archive = makeArchive(dir);
      const first = await store.lookupOrImport(archive);
      Deno.writeFileSync(archive, Deno.readFileSync(makeArchive(dir, { "bin/sh": "#?" })));
      const second = await store.lookupOrImport(archive);
      assert(second.isNew && second.diffId !== first.diffId);
    }),
});

Deno.test({
  name: "lookupOrImport does the work once for processes that come at the same time",
  ...requires("root"),
  fn: () =>
    withStore(async (dir) => {
      const archive = makeArchive(dir, { "data": "x".repeat(5_000_000) });
      const workers = Array.from({ length: 4 }, () => startWorker(dir, archive));
      const layers = await Promise.all(workers.map(async (worker): Promise<StoredLayer> => {
        const { stdout, stderr } = await worker.output();
        assertEquals(new TextDecoder().decode(stderr), "");
        return JSON.parse(new TextDecoder().decode(stdout));
      }));
      assertEquals(new Set(layers.map(({ diffId }) => diffId)).size, 1);
      assertEquals(layers.filter(({ isNew }) => isNew).length, 1);
      assertEquals(listStore(dir).filter((name) => name.startsWith("tmp/")), []);
    }),
});

Deno.test({
  name: "an import that is killed leaves what removeLeftovers finds, and one that lives is left alone",
  ...requires("root"),
  fn: () =>
    withStore(async (dir, store) => {
      run("mkfifo", `${dir}/pipe`);
      const worker = startWorker(dir, `${dir}/pipe`);
      using pipe = Deno.openSync(`${dir}/pipe`, { write: true });
      pipe.writeSync(Deno.readFileSync(makeArchive(dir, { "big": "x".repeat(2_000_000) })).subarray(0, 1_500_000));
      while (listStore(dir).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(store.layers.listLeftovers(), []);
      assertEquals(store.layers.removeLeftovers(), 0);
      worker.kill("SIGKILL");
      await worker.output();
      assertEquals(store.layers.listLeftovers().length, 1);
      assertEquals(store.layers.removeLeftovers(), 1);
      assertEquals(listStore(dir), []);
    }),
});

Deno.test({
  name: "a layer that may have been lost with the power is made again",
  ...requires("root"),
  fn: () =>
    withStore(async (dir, store) => {
      const archive = makeArchive(dir);
      const { diffId, rootfs } = await store.lookupOrImport(archive);
      const path = rootfs.replace(/rootfs$/, "layer.json");
      const record = JSON.parse(Deno.readTextFileSync(path));
      Deno.writeTextFileSync(path, JSON.stringify({ ...record, bootId: "another boot" }));
      Deno.truncateSync(`${rootfs}/bin/sh`);
      assertEquals(store.layers.find(diffId), undefined);
      assert((await store.lookupOrImport(archive)).isNew);
      assertEquals(Deno.readTextFileSync(`${rootfs}/bin/sh`), "#!");
      // What was synced is trusted in every boot.
      Deno.writeTextFileSync(path, JSON.stringify({ ...record, bootId: "another boot", durable: true }));
      assertEquals(store.layers.find(diffId)?.diffId, diffId);
      for (const damaged of ["", "{", "[]", '{"diffId":1}']) {
        Deno.writeTextFileSync(path, damaged);
        assertEquals(store.layers.find(diffId), undefined, damaged);
      }
    }),
});

Deno.test({
  name: "a layer that has settled is synced when it is used, and removed whole",
  ...requires("root"),
  fn: () =>
    withStore(async (dir, store) => {
      const { diffId, rootfs } = await store.lookupOrImport(makeArchive(dir));
      const path = rootfs.replace(/rootfs$/, "layer.json");
      const record = JSON.parse(Deno.readTextFileSync(path));
      assertEquals(record.durable, false);
      Deno.writeTextFileSync(path, JSON.stringify({ ...record, created: "2020-01-01T00:00:00.000Z" }));
      assert(store.layers.find(diffId) !== undefined);
      assertEquals(store.layers.readRecord(diffId)?.durable, true);
      store.layers.remove(diffId);
      store.layers.remove(diffId);
      assertEquals(listStore(dir).filter((name) => !name.startsWith("sources/")), []);
      assertThrows(() => store.layers.find("sha256:../../etc"), PaddockError, "is not a digest");
    }),
});

Deno.test({
  name: "an import makes the mount points that a root filesystem lacks, and none through its symlinks",
  ...requires("root"),
  fn: () =>
    withStore(async (dir, store) => {
      const init = (await store.lookupOrImport(makeArchive(dir))).init!;
      assertEquals([...Deno.readDirSync(init)].map(({ name }) => name).sort(), ["dev", "etc", "proc", "sys"]);
      assertEquals([...Deno.readDirSync(`${init}/etc`)].map(({ name }) => name).sort(), [
        "hostname",
        "hosts",
        "resolv.conf",
      ]);
      const tree = `${dir}/links`;
      Deno.mkdirSync(`${tree}/proc`, { recursive: true });
      for (const name of ["etc", "dev", "sys"]) Deno.symlinkSync(dir, `${tree}/${name}`);
      run("tar", "-C", tree, "-cf", `${dir}/links.tar`, ".");
      assertEquals((await store.lookupOrImport(`${dir}/links.tar`)).init, undefined);
      assertEquals([...Deno.readDirSync(dir)].filter(({ name }) => /resolv|hosts/.test(name)), []);
    }),
});

/** Bad input: how it is made of a good archive, and what is said. */
const BAD_INPUT: Readonly<Record<string, readonly [make: (good: string, bad: string) => void, message: RegExp]>> = {
  "an empty file": [(_, bad) => Deno.writeTextFileSync(bad, ""), /^"\S+bad" is empty$/],
  "a text": [(_, bad) => Deno.writeTextFileSync(bad, "hello\n"), /is not a tar archive \(plain, gzip or zstd\)$/],
  "an archive of nothing": [(_, bad) => Deno.writeFileSync(bad, new Uint8Array(10240)), /is an archive of nothing$/],
  "a truncated archive": [(good, bad) => cut(good, bad, 5000), /^"\S+bad": it ends inside "\.\/\S+"$/],
  "a truncated gzip": [(good, bad) => cut(pack("gzip", good), bad, -20), /damaged gzip data: it ends too early$/],
  "a gzip with a wrong CRC": [
    (good, bad) => spoil(pack("gzip", good), bad, -8),
    /damaged gzip data: incorrect data check$/,
  ],
  "a truncated zstd": [(good, bad) => cut(pack("zstd", good), bad, -200), /ends too early$|it ends inside/],
  "a damaged zstd": [
    (good, bad) => spoil(pack("zstd", good), bad, -3),
    /damaged zstd data: restored data doesn't match checksum$/,
  ],
  "a gzip of text": [(_, bad) => gzipText(bad), /is a gzip file of something that is not a tar archive$/],
  "an xz file": [
    (good, bad) => Deno.renameSync(pack("xz", good), bad),
    /is a xz file, not a tar archive, gzip or zstd$/,
  ],
  "a directory": [(_, bad) => Deno.mkdirSync(bad), /is a directory, not an archive$/],
  "a file that is not there": [() => {}, /: no such file or directory$/],
  "a docker save archive": [
    (_, bad) => imitateImage(bad, ["manifest.json", `${HEX}/layer.tar`]),
    /manifest\.json: \$: a list is wanted, an object found$/,
  ],
  "an OCI layout": [
    (_, bad) => imitateImage(bad, ["index.json", "oci-layout"]),
    /oci-layout: \$\.imageLayoutVersion: 1\.0\.0 is wanted$/,
  ],
  "an image among other files": [
    (_, bad) => imitateImage(bad, ["README", "index.json", "oci-layout"]),
    /is an OCI image layout archive with other files in it$/,
  ],
};

const HEX = "0123456789abcdef".repeat(4);

function pack(tool: string, file: string): string {
  run(tool, "-q", "-k", file);
  return `${file}.${{ gzip: "gz", zstd: "zst", xz: "xz" }[tool]}`;
}

function cut(file: string, bad: string, length: number): void {
  const bytes = Deno.readFileSync(file);
  Deno.writeFileSync(bad, bytes.subarray(0, length < 0 ? bytes.length + length : length));
}

function spoil(file: string, bad: string, at: number): void {
  const bytes = Deno.readFileSync(file);
  bytes[bytes.length + at]! ^= 0x55;
  Deno.writeFileSync(bad, bytes);
}

function gzipText(bad: string): void {
  Deno.writeTextFileSync(bad, "hello\n");
  run("gzip", bad);
  Deno.renameSync(`${bad}.gz`, bad);
}

function imitateImage(bad: string, names: readonly string[]): void {
  const tree = `${bad}-tree`;
  for (const name of names) {
    Deno.mkdirSync(`${tree}/${name.replace(/\/?[^/]*$/, "")}`, { recursive: true });
    Deno.writeTextFileSync(`${tree}/${name}`, "{}");
  }
  run("tar", "-C", tree, "-cf", bad, ...names);
}

for (const [name, [make, message]] of Object.entries(BAD_INPUT)) {
  Deno.test({
    name: `${name} is refused in one line, and leaves nothing in the store`,
    ...requires("root", "tool:zstd", "tool:xz"),
    fn: () =>
      withStore(async (dir, store) => {
        make(makeArchive(dir, { "data": crypto.randomUUID().repeat(300) }), `${dir}/bad`);
        const error = await assertRejects(() => store.lookupOrImport(`${dir}/bad`), PaddockError);
        assertMatch(error.message, message);
        assert(!error.message.includes("\n"));
        assertEquals(listStore(dir), []);
      }),
  });
}

Deno.test({
  name: "a full store is said so in one line, and nothing stays in it",
  ...requires("root"),
  fn: () =>
    withStore(async (dir) => {
      Deno.mkdirSync(`${dir}/small`);
      run("mount", "-t", "tmpfs", "-o", "size=1m", "none", `${dir}/small`);
      try {
        using store = ImageStore.open(`${dir}/small/data`);
        const archive = makeArchive(dir, { "big": "x".repeat(3_000_000) });
        const error = await assertRejects(() => store.lookupOrImport(archive), PaddockError, "ENOSPC");
        assertMatch(error.message, /^extracting "\.\/big": write its data: ENOSPC: no space left on device$/);
        assertMatch(error.hint ?? "", /--data-root/);
        assertEquals(listStore(`${dir}/small`), []);
      } finally {
        run("umount", `${dir}/small`);
      }
    }),
});

Deno.test({
  name: "a store that cannot be written is said so in one line",
  ...requires("root"),
  fn: () =>
    withStore(async (dir) => {
      Deno.mkdirSync(`${dir}/locked`);
      ImageStore.open(`${dir}/locked/data`)[Symbol.dispose]();
      run("mount", "--bind", `${dir}/locked`, `${dir}/locked`);
      run("mount", "-o", "remount,bind,ro", `${dir}/locked`);
      try {
        assertThrows(() => ImageStore.open(`${dir}/locked/other`), PaddockError, "store");
        using store = ImageStore.open(`${dir}/locked/data`);
        const error = await assertRejects(() => store.lookupOrImport(makeArchive(dir)), PaddockError, "EROFS");
        assertMatch(error.message, /^store "\S+": openat "sources\S+": EROFS: read-only file system$/);
      } finally {
        run("umount", `${dir}/locked`);
      }
      assertThrows(() => ImageStore.open("/proc/nowhere"), PaddockError, 'store "/proc/nowhere"');
    }),
});

Deno.test({
  name: "findImageConfig takes the file that is named, one beside the archive, or guesses and says so",
  ...requires("root"),
  fn: () =>
    withStore(async (dir, store) => {
      const archive = makeArchive(dir);
      const { rootfs } = await store.lookupOrImport(archive);
      const guess = findImageConfig({ archive, layers: [rootfs] });
      assertEquals(guess.config.cmd, ["/bin/sh"]);
      assertMatch(guess.notes.join("\n"), /^no image config for \S+: running \/bin\/sh as root in \/ /);
      const sidecar = archive.replace(/\.tar$/, ".json");
      Deno.writeTextFileSync(sidecar, JSON.stringify([{ Config: { Env: ["A=1"], Cmd: ["web"] } }]));
      const beside = findImageConfig({ archive, layers: [rootfs] });
      assertEquals(beside.config.cmd, ["web"]);
      assertEquals(beside.config.env?.at(-1), "A=1");
      assertMatch(beside.config.env?.[0] ?? "", /^PATH=/);
      assertEquals(beside.notes, []);
      Deno.writeTextFileSync(`${dir}/other.json`, JSON.stringify({ config: { Entrypoint: ["x"], Env: ["PATH=/x"] } }));
      const named = findImageConfig({ archive, layers: [rootfs], configFile: `${dir}/other.json` });
      assertEquals(named, { config: { entrypoint: ["x"], env: ["PATH=/x"] }, notes: [] });
      assertThrows(
        () => findImageConfig({ layers: [], configFile: `${dir}/none` }),
        PaddockError,
        "no such file or directory",
      );
    }),
});

Deno.test("listSidecars gives the names that belong to an archive, the longest first", () => {
  assertEquals(listSidecars("d/rootfs.tar.gz"), ["d/rootfs.tar.gz.json", "d/rootfs.tar.json", "d/rootfs.json"]);
  assertEquals(listSidecars(".tar"), [".tar.json"]);
});

Deno.test({
  name: "readUserFiles reads inside the root filesystem alone, and no device or fifo",
  ...requires("root"),
  fn: () =>
    withStore((dir) => {
      const root = `${dir}/root`;
      Deno.mkdirSync(`${root}/etc`, { recursive: true });
      assertEquals(readUserFiles([root]), { passwd: "", group: "" });
      Deno.symlinkSync("/etc/inside", `${root}/etc/passwd`);
      Deno.writeTextFileSync(`${root}/etc/inside`, "inside");
      assertEquals(readUserFiles([root]).passwd, "inside");
      run("mkfifo", `${root}/etc/group`);
      assertThrows(() => readUserFiles([root]), PaddockError, "is not a regular file");
    }),
});
