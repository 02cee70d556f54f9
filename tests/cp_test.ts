/**
 * `paddock cp`: files into containers and out of them, and nothing of the host to be had by it.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { out, testInBackground } from "./support/background.ts";
import type { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { call } from "./support/paddock.ts";
import type { Ability } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  testInBackground(`cp: ${name}`, fn, ["overlay", ...more]);
}

/** What it says where it fails. */
async function fails(box: Box, ...words: readonly string[]): Promise<string> {
  const { code, stderr } = await box.paddock.run(words);
  assertEquals(code, 125, words.join(" "));
  return stderr;
}

/** A container of an image, that runs. */
async function begin(box: Box, script = "exec sleep 4650", flags: readonly string[] = []): Promise<void> {
  await out(box, "run", "-d", "--name", "cp-web", ...flags, (await busybox()).tar, "sh", "-c", script);
}

const inside = (box: Box, script: string): Promise<string> => out(box, "exec", "cp-web", "sh", "-c", script);

/** Whether it runs or not, the same is to be had. */
const WAYS = ["one that runs", "one that has ended"] as const;

/** Sees what is in a container by another way than cp. */
async function look(box: Box, way: typeof WAYS[number], script: string): Promise<string> {
  if (way === WAYS[0]) return await inside(box, script);
  const root = box.directory("looked-at");
  await call(["rm", "-rf", root]);
  Deno.mkdirSync(root);
  await call(["sh", "-c", `"$@" | tar -x -C ${root}`, "sh", ...box.paddock.command(["export", "cp-web"])]);
  return (await call(["chroot", root, "/bin/busybox", "sh", "-c", script])).stdout;
}

for (const way of WAYS) {
  test(`${way}: by docker's rules, in both directions`, async (box) => {
    await begin(box, "mkdir /d; echo one >/d/one; ln -s one /d/link; mkdir /d/sub; echo two >/d/sub/two; sleep 4651");
    await inside(box, "until [ -e /d/sub/two ]; do :; done");
    if (way === WAYS[1]) await out(box, "stop", "-t", "0", "cp-web");
    box.file("h/file", "host\n");
    box.file("h/tree/x", "x\n");
    Deno.symlinkSync("x", box.path("h/tree/l"));
    const h = (name: string) => box.path(`h/${name}`);
    // A file: by a new name, over one that is there, into a directory.
    await out(box, "cp", "cp-web:/d/one", h("new"));
    await out(box, "cp", "cp-web:d/sub/two", h("file"));
    await out(box, "cp", "cp-web:/d/one", h("tree"));
    const read = (name: string) => Deno.readTextFileSync(h(name));
    assertEquals([read("new"), read("file"), read("tree/one")], ["one\n", "two\n", "one\n"]);
    // A directory: by a new name, into one that is there, and only what is in it.
    await out(box, "cp", "cp-web:/d", h("made"));
    await out(box, "cp", "cp-web:/d", h("tree"));
    await out(box, "cp", "cp-web:/d/sub/.", h("tree"));
    assertEquals([read("made/sub/two"), read("tree/d/one"), read("tree/two")], ["two\n", "one\n", "two\n"]);
    assertEquals(Deno.readLinkSync(h("made/link")), "one");
    // A link that is named, itself and followed.
    await out(box, "cp", "cp-web:/d/link", h("itself"));
    await out(box, "cp", "-L", "cp-web:/d/link", h("followed"));
    assertEquals([Deno.readLinkSync(h("itself")), read("followed")], ["one", "one\n"]);
    // The other direction; a link in the place of a directory leads where it leads in the container.
    await out(box, "cp", h("tree"), "cp-web:/d");
    await out(box, "cp", h("new"), "cp-web:/d/sub/two");
    await out(box, "cp", `${h("tree")}/.`, "cp-web:/fresh");
    await out(box, "cp", h("new"), "cp-web:/d/link");
    const seen = await look(
      box,
      way,
      "cat /d/tree/x /d/sub/two /fresh/x /d/one; ls /fresh; readlink /d/tree/l; readlink /d/link",
    );
    assertEquals(seen, "x\none\nx\none\nd\nl\none\ntwo\nx\nx\none\n");
    // What does not fit.
    assertStringIncludes(await fails(box, "cp", "cp-web:/nothing", h("x")), "there is no cp-web:/nothing");
    assertStringIncludes(await fails(box, "cp", "cp-web:/d/one/", h("x")), "no directory");
    assertStringIncludes(await fails(box, "cp", "cp-web:/d", h("new")), "is no directory");
    assertStringIncludes(await fails(box, "cp", h("new"), "cp-web:/absent/"), "no directory");
    assertStringIncludes(await fails(box, "cp", h("new"), "cp-web:/absent/below"), "cannot reach cp-web:/absent/below");
    assertStringIncludes(await fails(box, "cp", h("new"), h("other")), "CONTAINER:PATH");
    if (way === WAYS[1]) {
      // It starts again, with what was copied into it.
      await out(box, "start", "cp-web");
      assertEquals(await inside(box, "cat /fresh/x"), "x\n");
    }
  });

  test(`${way}: archives on standard input and output`, async (box) => {
    await begin(box, "mkdir -p /d/sub; echo two >/d/sub/two; chown 5:6 /d/sub/two; chmod 4755 /d/sub/two; sleep 4652");
    await inside(box, "until [ -u /d/sub/two ]; do :; done");
    if (way === WAYS[1]) await out(box, "stop", "-t", "0", "cp-web");
    const cp = (...words: string[]) => box.paddock.command(["cp", ...words]);
    const pipe = async (script: string, command: string[]) =>
      (await call(["sh", "-c", script, "sh", ...command])).stdout;
    assertEquals(
      await pipe(
        `"$@" | tar -tv --numeric-owner | sed 's/  */ /g; s/ [0-9]*-[0-9-]* [0-9:]* / /' | sort -k4`,
        cp("cp-web:/d", "-"),
      ),
      "drwxr-xr-x 0/0 0 d/\ndrwxr-xr-x 0/0 0 d/sub/\n-rwsr-xr-x 5/6 4 d/sub/two\n",
    );
    assertEquals(await pipe('"$@" | tar -xO', cp("cp-web:/d/sub/two", "-")), "two\n");
    assertEquals(await pipe('"$@" | tar -t', cp("cp-web:/d/.", "-")), "sub/\nsub/two\n");
    box.file("in/a", "a\n");
    const packed = `tar -C ${box.path("in")} --owner 7 --group 8 -c a | "$@"`;
    await pipe(packed, cp("-", "cp-web:/d"));
    assertEquals(await look(box, way, "cat /d/a; stat -c %u:%g /d/a"), "a\n7:8\n");
    const file = await call(["sh", "-c", packed, "sh", ...cp("-", "cp-web:/d/a")]);
    assertStringIncludes(file.stderr, "there is no directory cp-web:/d/a");
  }, ["tool:tar"]);
}

test("owners and special bits are root's and none, unless with --archive", async (box) => {
  await begin(box, "echo x >/x; chown 5:6 /x; chmod 6755 /x; mknod /null c 1 3; sleep 4653");
  await inside(box, "until [ -e /null ]; do :; done");
  const stat = (path: string) => {
    const { uid, gid, mode } = Deno.lstatSync(path);
    return [uid, gid, (mode! & 0o7777).toString(8)].join(" ");
  };
  await out(box, "cp", "cp-web:/x", box.path("plain"));
  await out(box, "cp", "-a", "cp-web:/x", box.path("whole"));
  assertEquals([stat(box.path("plain")), stat(box.path("whole"))], ["0 0 755", "5 6 6755"]);
  const left = await box.paddock.run(["cp", "cp-web:/null", box.path("null")]);
  assertEquals([left.code, left.stderr], [0, "paddock: a device is left out; with --archive it is copied\n"]);
  Deno.chownSync(box.path("whole"), 9, 9);
  await out(box, "cp", box.path("whole"), "cp-web:/in");
  await out(box, "cp", "-a", box.path("whole"), "cp-web:/in-whole");
  assertEquals(await inside(box, "stat -c '%u %g' /in /in-whole"), "0 0\n9 9\n");
});

test("in a user namespace files belong to ids of the container", async (box) => {
  await begin(box, "echo x >/x; chown 5:6 /x; sleep 4654", ["--userns", "100000:100000:65536"]);
  await inside(box, 'until [ "$(stat -c %u /x)" = 5 ]; do :; done');
  await out(box, "cp", "-a", "cp-web:/x", box.path("x"));
  assertEquals(Deno.statSync(box.path("x")).uid, 5);
  await out(box, "cp", box.path("x"), "cp-web:/root-own");
  await out(box, "cp", "-a", box.path("x"), "cp-web:/own");
  assertEquals(await inside(box, "stat -c '%u %g' /root-own /own"), "0 0\n5 6\n");
}, ["userns"]);

test("volumes of one that has ended are reached", async (box) => {
  await begin(box, "echo kept >/data/kept", ["-v", "/data"]);
  await out(box, "wait", "cp-web");
  await out(box, "cp", "cp-web:/data/kept", box.path("kept"));
  assertEquals(Deno.readTextFileSync(box.path("kept")), "kept\n");
  box.file("more", "more\n");
  await out(box, "cp", box.path("more"), "cp-web:/data");
  await out(box, "cp", "cp-web:/data", box.path("data"));
  assertEquals([...Deno.readDirSync(box.path("data"))].map(({ name }) => name).sort(), ["kept", "more"]);
});

for (const way of WAYS) {
  test(`${way}: links that lead out lead into the container (CVE-2018-15664, CVE-2019-10152)`, async (box) => {
    const secret = box.file("host/secret", "of the host\n");
    const host = box.path("host");
    await begin(
      box,
      `ln -s ${host} /out; ln -s ${secret} /file; ln -s ../../../../../../..${host} /up; ` +
        `mkdir /d; ln -s ${host} /d/out; ln -s /proc/1/root${host} /proc-out; touch /ready; sleep 4655`,
    );
    await inside(box, "until [ -e /ready ]; do :; done");
    if (way === WAYS[1]) await out(box, "stop", "-t", "0", "cp-web");
    for (const path of ["/out/secret", "/up/secret", "/d/out/secret", "/proc-out/secret", "/out/", "/file/."]) {
      assert((await fails(box, "cp", "-L", `cp-web:${path}`, box.path("got"))).startsWith("paddock: "), path);
    }
    assertStringIncludes(await fails(box, "cp", "-L", "cp-web:/file", box.path("got")), "cannot reach cp-web:/file");
    const mine = box.file("mine", "mine\n");
    for (const path of ["/out/secret", "/up/new", "/d/out/new"]) await fails(box, "cp", mine, `cp-web:${path}`);
    // Over a link that leads nowhere: what it means is in the container, and its directory is not there.
    await fails(box, "cp", mine, "cp-web:/file");
    assertEquals([...Deno.readDirSync(host)].map(({ name }) => name), ["secret"]);
    assertEquals(Deno.readTextFileSync(secret), "of the host\n");
    // The link itself may be had.
    await out(box, "cp", "cp-web:/d", box.path("copied"));
    assertEquals(Deno.readLinkSync(box.path("copied/out")), host);
  });
}

test("a link that is put in a directory's place meanwhile leads nowhere else", async (box) => {
  const host = box.directory("host");
  box.file("host/secret", "of the host\n");
  const swap =
    `mkdir -p /a /keep; echo own >/a/secret; while :; do mv /a /keep/a; ln -s ${host} /a; rm /a; mv /keep/a /a; done`;
  await begin(box, swap);
  const mine = box.file("mine", "mine\n");
  let read = 0;
  for (let round = 0; round < 12; round++) {
    const got = await box.paddock.run(["cp", "cp-web:/a/secret", box.path(`got${round}`)]);
    if (got.code === 0) {
      assertEquals(Deno.readTextFileSync(box.path(`got${round}`)), "own\n");
      read++;
    }
    await box.paddock.run(["cp", mine, "cp-web:/a/new"]);
    await box.paddock.run(["cp", "cp-web:/a", box.path("tree")]);
  }
  assertEquals([...Deno.readDirSync(host)].map(({ name }) => name), ["secret"]);
  assert(read > 0, "never a moment when it was there");
});
