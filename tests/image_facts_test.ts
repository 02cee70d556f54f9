/**
 * What is known of images: `inspect`, `history`, `tag`, `diff`, `verify`, `prune`, `import` as an image, and docker's
 * words in groups.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { existsSync } from "@std/fs";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { idOf, type MadeImage, makeLayer, tarUp, writeClassic } from "./support/images.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `image facts: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Cgroups of containers are the host's, where other tests have theirs. */
const NAME = `facts-${Deno.pid}`;

async function ok(box: Box, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout;
}

async function fails(box: Box, message: RegExp, ...words: string[]): Promise<void> {
  const { code, stderr } = await box.paddock.run(words);
  assertEquals(code, 125, words.join(" "));
  assertMatch(stderr, message);
}

async function load(box: Box, names: readonly string[] = ["web:1"], text = "one"): Promise<MadeImage> {
  const layer = makeLayer(
    { path: "d/" },
    { path: "d/file", text, mode: 0o640, uid: 5 },
    { path: "d/gone", text: "gone" },
    { path: "d/link", type: "hardlink", linkPath: "d/file" },
    { path: "s", type: "symlink", linkPath: "d" },
    { path: "hide/" },
    { path: "hide/a" },
    { path: "hide/b" },
    { path: "etc/.wh.group" },
  );
  const config = { Cmd: ["cat", "/d/file"], Env: ["PATH=/bin", "A=1"], Labels: { a: "b" }, User: "0" };
  const made = { layers: [Deno.readFileSync((await busybox()).tar), layer], config, names };
  await ok(box, "load", "-q", "-i", tarUp(writeClassic(box.path(`from-${text}`), [made]), box.path(`${text}.tar`)));
  return made;
}

test("inspect tells of images in docker's words, and by a template", async (box) => {
  const made = await load(box, ["web:1", "registry.example:5000/team/web:2"]);
  const [image] = JSON.parse(await ok(box, "inspect", "web:1"));
  assertEquals(image.Id, idOf(made));
  assertEquals(image.RepoTags.sort(), ["registry.example:5000/team/web:2", "web:1"]);
  assertEquals(image.Config, made.config);
  assertEquals(image.RootFS.Layers.length, 2);
  assertEquals([image.Os, image.Architecture], ["linux", Deno.build.arch === "aarch64" ? "arm64" : "amd64"]);
  assert(image.Size > 100_000);
  assert(Deno.statSync(image.GraphDriver.Data.UpperDir).isDirectory);
  assertEquals(await ok(box, "inspect", "-f", "{{.Id}} {{index .Config.Env 1}}", "web:1"), `${idOf(made)} A=1\n`);
  assertEquals(await ok(box, "image", "inspect", "--format", "{{json .Config.Cmd}}", "web:1"), '["cat","/d/file"]\n');
  await fails(box, /no container and no image 'nothere'/, "inspect", "nothere");
  await fails(box, /there is no 'Nope' for '.Nope'\n.*there are Id, RepoTags/, "inspect", "-f", "{{.Nope}}", "web:1");
  const { code, stdout } = await box.paddock.run(["inspect", "-f", "{{.Os}}", "nothere", "web:1"]);
  assertEquals([code, stdout], [125, "linux\n"]);
});

test("inspect tells of containers as well, and a container goes before an image", async (box) => {
  const made = await load(box, [`${NAME}:latest`]);
  await box.paddock.run(["run", "--name", NAME, "-e", "B=2", NAME, "sh", "-c", "exit 3"]);
  const [container] = JSON.parse(await ok(box, "inspect", NAME));
  assertEquals([container.Name, container.Image, container.State.Status, container.State.ExitCode], [
    NAME,
    idOf(made),
    "exited",
    3,
  ]);
  assertEquals(container.Config.Env, ["PATH=/bin", `HOSTNAME=${NAME}`, "A=1", "B=2", "HOME=/root"]);
  assertEquals(container.Config.Cmd, ["sh", "-c", "exit 3"]);
  const [image] = JSON.parse(await ok(box, "image", "inspect", NAME));
  assertEquals(image.Id, idOf(made));
  await fails(box, /no container 'web/, "container", "inspect", "web");
});

test("history is the last step first, with what each layer holds", async (box) => {
  await load(box);
  await ok(box, "run", "--name", NAME, "web:1", "sh", "-c", "echo 12345 > /new");
  await ok(box, "commit", "-m", "a file more", NAME, "web:2");
  const lines = JSON.parse(await ok(box, "history", "--json", "web:2"));
  assertEquals(lines.length, 3);
  assertEquals([lines[0].comment, lines[0].size, lines[0].createdBy], ["a file more", 6, "sh -c echo 12345 > /new"]);
  assertEquals(lines[2].id, undefined);
  const table = await ok(box, "history", "web:2");
  for (const text of ["IMAGE", "CREATED BY", "<missing>", "a file more", lines[0].id.slice(7, 19)]) {
    assertStringIncludes(table, text);
  }
  assertEquals((await ok(box, "history", "--format", "{{.Comment}}", "web:2")).split("\n")[0], "a file more");
  assertEquals((await ok(box, "history", "-q", "--no-trunc", "web:2")).split("\n")[0], lines[0].id);
});

test("tag gives one more name, takes it from another image, and rmi takes it away", async (box) => {
  await load(box);
  const other = await load(box, ["other:1"], "two");
  await ok(box, "tag", "web:1", "localhost:5000/team/web");
  assertEquals(await ok(box, "run", "localhost:5000/team/web"), "one");
  await ok(box, "image", "tag", idOf(other).slice(7, 20), "web:1");
  assertEquals(await ok(box, "run", "web:1"), "two");
  assertEquals(await ok(box, "image", "rm", "localhost:5000/team/web"), "localhost:5000/team/web:latest\n");
  await fails(box, /can be no image's name/, "tag", "web:1", "UPPER:x");
  await fails(box, /a digest follows from an image/, "tag", "web:1", `web@${idOf(other)}`);
  await fails(box, /no image here is called/, "tag", "nothere:1", "web:3");
});

test("diff has a line for what was added, changed and deleted", async (box) => {
  await load(box);
  const script =
    `rm /d/gone; echo x >> /d/file; mkdir -p /n/m; echo y > /n/m/f; rm -r /hide; mkdir /hide; echo z > /hide/a
    rm -r /s; mkdir /s`;
  await ok(box, "run", "--name", NAME, "web:1", "sh", "-c", script);
  const wanted = "C /d\nC /d/file\nD /d/gone\nC /hide\nC /hide/a\nD /hide/b\nA /n\nA /n/m\nA /n/m/f\nC /s\n";
  assertEquals(await ok(box, "diff", NAME), wanted);
  assertEquals(await ok(box, "container", "diff", NAME), wanted);
  const json = JSON.parse(await ok(box, "diff", "--json", NAME));
  assertEquals(json[2], { kind: "deleted", path: "/d/gone" });
  await ok(box, "run", "--name", `${NAME}-own`, box.rootfs, "true");
  await fails(box, /writes into its own directory/, "diff", `${NAME}-own`);
});

test("verify finds what was changed in the store, and tells nothing of a store that is whole", async (box) => {
  const made = await load(box);
  const whole = await ok(box, "verify");
  assertEquals(whole.split("\n").filter((line) => line !== "" && !line.startsWith("whole ")), []);
  for (const text of ["layer  sha256:", `blob   ${idOf(made)}`, "image  web:1"]) assertStringIncludes(whole, text);
  assertEquals(await ok(box, "image", "verify", "-q", "web:1"), "");
  const [image] = JSON.parse(await ok(box, "inspect", "web:1"));
  const rootfs = image.GraphDriver.Data.UpperDir;
  const damages: readonly (readonly [string, () => void, () => void, RegExp])[] = [
    ["content", () => Deno.writeTextFileSync(`${rootfs}/d/file`, "two"), () => {}, /its files make sha256:/],
    [
      "content again",
      () => Deno.writeTextFileSync(`${rootfs}/d/file`, "one"),
      () => {},
      /^$/,
    ],
    [
      "mode",
      () => Deno.chmodSync(`${rootfs}/d/file`, 0o4755),
      () => Deno.chmodSync(`${rootfs}/d/file`, 0o640),
      /mode 4755, not 0640/,
    ],
    [
      "owner",
      () => Deno.chownSync(`${rootfs}/d/gone`, 1, 0),
      () => Deno.chownSync(`${rootfs}/d/gone`, 0, 0),
      /owner 1:0, not 0:0/,
    ],
    [
      "more",
      () => Deno.writeTextFileSync(`${rootfs}/evil`, ""),
      () => Deno.removeSync(`${rootfs}/evil`),
      /"evil" is not of the layer/,
    ],
    ["link", () => {
      Deno.removeSync(`${rootfs}/s`);
      Deno.symlinkSync("/etc", `${rootfs}/s`);
    }, () => {
      Deno.removeSync(`${rootfs}/s`);
      Deno.symlinkSync("d", `${rootfs}/s`);
    }, /"s" leads elsewhere/],
    [
      "whiteout",
      () => Deno.renameSync(`${rootfs}/etc/group`, `${rootfs}/etc/kept`),
      () => Deno.renameSync(`${rootfs}/etc/kept`, `${rootfs}/etc/group`),
      /"etc\/group" is to be removed/,
    ],
    [
      "gone",
      () => Deno.renameSync(`${rootfs}/d/gone`, box.path("gone")),
      () => Deno.renameSync(box.path("gone"), `${rootfs}/d/gone`),
      /"d\/gone" is not there/,
    ],
  ];
  for (const [what, damage, mend, message] of damages) {
    damage();
    const { code, stdout } = await box.paddock.run(["verify", "-q"]);
    if (message.source === "^$") {
      assertEquals([code, stdout], [0, ""], what);
      continue;
    }
    assertEquals(code, 1, what);
    assertMatch(stdout, message, what);
    assertMatch(stdout, /damaged {2}image {2}web:1\n {2}layer sha256:\w+ is damaged/);
    mend();
  }
  Deno.writeTextFileSync(`${box.paddock.dataRoot}/blobs/${idOf(made).replace(":", "/")}`, "{}");
  const { code, stdout } = await box.paddock.run(["verify", "--json"]);
  assertEquals(code, 1);
  const bad = JSON.parse(stdout).filter(({ state }: { state: string }) => state === "damaged");
  assertEquals(bad[0].what, idOf(made));
});

test("prune takes images that nobody needs, and their layers", async (box) => {
  await load(box);
  await load(box, ["web:2"], "two");
  const unnamed = await load(box, [], "three");
  await ok(box, "run", "--name", NAME, "web:1", "true");
  assertMatch(await ok(box, "prune"), new RegExp(`^${idOf(unnamed)}\n1 layers, .*\n$`));
  assertEquals(await ok(box, "prune", "-f"), "");
  const { images, layers } = JSON.parse(await ok(box, "image", "prune", "-a", "--json"));
  assertEquals([images, layers.length], [["web:2"], 1]);
  assertEquals(await ok(box, "run", "web:1"), "one");
});

test("import makes an image of a tarball, with what --change says", async (box) => {
  const { tar } = await busybox();
  const id = await ok(
    box,
    "import",
    "-c",
    'CMD ["sh", "-c", "echo $A"]',
    "-c",
    "ENV A=yes",
    "-m",
    "why",
    tar,
    "made:1",
  );
  assertEquals(await ok(box, "run", "made:1"), "yes\n");
  assertEquals(await ok(box, "inspect", "-f", "{{.Id}} {{.Comment}}", "made:1"), `${id.trim()} why\n`);
  await load(box);
  await ok(box, "import", "-c", "ENV B=2", box.path("one.tar"), "again:1");
  assertEquals(
    await ok(box, "inspect", "-f", "{{.Config.Env}} {{.Config.Cmd}}", "again:1"),
    "[PATH=/bin A=1 B=2] [cat /d/file]\n",
  );
  assertEquals(await ok(box, "run", "again:1"), "one");
  await fails(box, /RUN changes no image/, "import", "-c", "RUN x", tar, "made:2");
});

test("docker's words in groups are the verbs", async (box) => {
  await load(box);
  assertEquals(await ok(box, "image", "ls", "-q"), await ok(box, "images", "-q"));
  assertEquals(await ok(box, "container", "ls", "-a"), await ok(box, "ps", "-a"));
  await fails(box, /image needs a further word\n.*history, import/, "image");
  await fails(box, /container has no 'lsx'\n.*did you mean/, "container", "lsx");
});

test("processes that are killed leave a store that verify accepts and gc cleans", async (box) => {
  const big = makeLayer(...Array.from({ length: 3000 }, (_, i) => ({ path: `big/${i}`, text: "x".repeat(5000) })));
  const made = { layers: [Deno.readFileSync((await busybox()).tar), big], config: { Cmd: ["true"] }, names: ["big:1"] };
  const archive = tarUp(writeClassic(box.path("big"), [made]), box.path("big.tar"));
  const dies = async (milliseconds: number, ...words: string[]): Promise<void> => {
    const child = box.paddock.start(words);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // A fast host is done by then: Deno says so with a TypeError.
      if (!(error instanceof TypeError)) throw error;
    }
    await child.stdin.close().catch(() => {});
    await Promise.all([child.stdout.cancel(), child.stderr.cancel(), child.status]);
  };
  /** None where it died before it had begun. */
  const list = (name: string): string[] => {
    const path = `${box.paddock.dataRoot}/layers/${name}`;
    return existsSync(path) ? [...Deno.readDirSync(path)].map((entry) => entry.name) : [];
  };
  const isClean = async (): Promise<void> => {
    const { code, stdout } = await box.paddock.run(["verify", "-q"]);
    assertEquals([code, stdout], [0, ""]);
    assertEquals((await box.paddock.run(["gc"])).code, 0);
    assertEquals(list("tmp"), []);
    const empty = list("sources").filter((name) =>
      Deno.statSync(`${box.paddock.dataRoot}/layers/sources/${name}`).size === 0
    );
    assertEquals(empty, []);
  };
  for (const wait of [150, 300, 500, 700, 900]) {
    await dies(wait, "load", "-i", archive);
    await isClean();
  }
  await ok(box, "load", "-q", "-i", archive);
  await ok(box, "run", "--name", NAME, "big:1", "sh", "-c", "cp -r /big /copy");
  for (const wait of [150, 300, 500, 700, 900]) {
    await dies(wait, "commit", NAME, "big:2");
    await isClean();
    await dies(wait, "save", "--compress", "gzip", "-o", box.path("out.tar"), "big:1");
    await isClean();
  }
  await ok(box, "commit", NAME, "big:2");
  assertEquals(await ok(box, "run", "big:2", "sh", "-c", "ls /copy | wc -l"), "3000\n");
});
