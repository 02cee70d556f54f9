/**
 * Paths inside an untrusted directory, by openat2 and by the walk that stands in for it. Trees are removed by descriptors.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { errnoName } from "../base/errno.ts";
import { Fd } from "./fd.ts";
import { O, openDirectory, readWhole, S, statFd } from "./fs.ts";
import { forceWalk, makeDirectoriesInRoot, tryOpenInRoot } from "./in_root.ts";
import { removeTreeAt } from "./remove_tree.ts";

/** A directory to break out of, and a canary beside it. */
function withTree(body: (root: Fd, base: string) => void): void {
  const base = Deno.makeTempDirSync({ prefix: "paddock-root-" });
  try {
    Deno.mkdirSync(`${base}/root/a/b`, { recursive: true });
    Deno.writeTextFileSync(`${base}/canary`, "outside");
    Deno.writeTextFileSync(`${base}/root/canary`, "inside");
    const links = {
      "up": "../../../canary",
      "abs": "/canary",
      "out": base,
      "loop": "loop",
      "a/b/rel": "../../canary",
      "dir": "/a/b",
      "deep": "dir/../../canary",
      "gone": "/new/place",
    };
    for (const [name, target] of Object.entries(links)) Deno.symlinkSync(target, `${base}/root/${name}`);
    using root = openDirectory(`${base}/root`);
    body(root, base);
  } finally {
    forceWalk(undefined);
    Deno.removeSync(base, { recursive: true });
  }
}

function read(root: Fd, path: string): string {
  const fd = tryOpenInRoot(root.number, path, O.RDONLY);
  if (fd < 0) return errnoName(-fd);
  using file = new Fd(fd);
  return new TextDecoder().decode(readWhole(file.number, 100));
}

for (const walk of [false, true]) {
  const how = walk ? "by the walk" : "by openat2";

  Deno.test(`tryOpenInRoot never leaves its directory, ${how}`, () => {
    withTree((root, base) => {
      forceWalk(walk ? true : undefined);
      const paths = ["canary", "/canary", "../canary", "../../../../canary", "up", "abs", "a/b/rel", "deep", "dir/rel"];
      for (const path of paths) assertEquals(read(root, path), "inside", path);
      assertEquals(read(root, "out/canary"), "ENOENT");
      assertEquals(read(root, `${base}/canary`), "ENOENT");
      assertEquals(read(root, "loop"), "ELOOP");
      assertEquals(read(root, "canary/x"), "ENOTDIR");
      assertEquals(read(root, "a/nothing"), "ENOENT");
    });
  });

  Deno.test(`tryOpenInRoot leaves a symlink at the end alone with O_NOFOLLOW, ${how}`, () => {
    withTree((root) => {
      forceWalk(walk ? true : undefined);
      using link = new Fd(tryOpenInRoot(root.number, "dir/rel", O.PATH | O.NOFOLLOW));
      assertEquals(statFd(link.number).mode & S.IFMT, S.IFLNK);
      assertEquals(errnoName(-tryOpenInRoot(root.number, "abs", O.NOFOLLOW)), "ELOOP");
      assertEquals(errnoName(-tryOpenInRoot(root.number, "canary", O.PATH | O.DIRECTORY)), "ENOTDIR");
      using self = new Fd(tryOpenInRoot(root.number, "", O.PATH | O.DIRECTORY));
      assertEquals(statFd(self.number).ino, statFd(root.number).ino);
    });
  });

  Deno.test(`tryOpenInRoot does not follow the links of /proc, ${how}`, () => {
    forceWalk(walk ? true : undefined);
    using root = openDirectory("/proc");
    const fd = tryOpenInRoot(root.number, "self/root/etc", O.PATH);
    forceWalk(undefined);
    assert(fd < 0);
  });
}

Deno.test("makeDirectoriesInRoot makes what is missing, through links, inside", () => {
  withTree((root, base) => {
    makeDirectoriesInRoot(root.number, "dir/x/y", 0o755).close();
    makeDirectoriesInRoot(root.number, "gone/z", 0o755).close();
    makeDirectoriesInRoot(root.number, "out/w", 0o755).close();
    assert(Deno.statSync(`${base}/root/a/b/x/y`).isDirectory);
    assert(Deno.statSync(`${base}/root/new/place/z`).isDirectory);
    assert(Deno.statSync(`${base}/root${base}/w`).isDirectory);
    assertEquals([...Deno.readDirSync(base)].map(({ name }) => name).sort(), ["canary", "root"]);
    assertThrows(() => makeDirectoriesInRoot(root.number, "canary/x", 0o755), PaddockError, "ENOTDIR");
  });
});

Deno.test("no descriptor is left open by paths that fail or succeed", () => {
  withTree((root) => {
    forceWalk(true);
    const count = (): number => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = count();
    for (const path of ["canary", "loop", "canary/x", "a/b/none", "deep", "out/canary"]) read(root, path);
    makeDirectoriesInRoot(root.number, "dir/q", 0o755).close();
    assertEquals(count(), before);
  });
});

Deno.test("removeTreeAt removes a tree of any depth and follows no link", () => {
  withTree((root, base) => {
    using parent = openDirectory(base);
    using deepest = makeDirectoriesInRoot(root.number, "d/".repeat(500), 0o700);
    makeDirectoriesInRoot(deepest.number, "e/".repeat(500), 0o700).close();
    removeTreeAt(parent.number, "root");
    removeTreeAt(parent.number, "root");
    assertEquals([...Deno.readDirSync(base)].map(({ name }) => name), ["canary"]);
    removeTreeAt(parent.number, "canary");
    assertEquals([...Deno.readDirSync(base)].length, 0);
    Deno.mkdirSync(`${base}/root`);
  });
});
