/**
 * `commit`: what a container changed is a layer, over its image, as others would make it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exportLayer } from "../lib/image/export.ts";
import { LowerTree } from "../lib/image/lower_tree.ts";
import { openDirectory } from "../lib/kernel/fs.ts";
import { openMerged } from "../lib/kernel/merged.ts";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { makeLayer, tarUp, writeClassic } from "./support/images.ts";
import { call, Paddock } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `image commit: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** Cgroups of containers are the host's, where other tests have theirs. */
const NAME = `commit-${Deno.pid}`;

async function ok(paddock: Paddock, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await paddock.run(words);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout;
}

async function must(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await call(command);
  assertEquals(code, 0, `${command.join(" ")}: ${stderr}`);
  return stdout;
}

/** Loads `web:1`, of two layers. */
async function load(box: Box): Promise<void> {
  const below = makeLayer(
    { path: "d/" },
    { path: "d/gone", text: "gone" },
    { path: "d/stays", text: "stays" },
    { path: "whole/" },
    { path: "whole/old", text: "old" },
    { path: "was-file", text: "file" },
    { path: "was-dir/" },
    { path: "was-dir/in", text: "in" },
  );
  const config = {
    Cmd: ["cat", "/d/stays"],
    Env: ["PATH=/bin", "A=image"],
    Labels: { from: "image" },
    Volumes: { "/data": {} },
    ExposedPorts: { "80/tcp": {} },
    Healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000_000 },
    User: "0",
  };
  const made = { layers: [Deno.readFileSync((await busybox()).tar), below], config, names: ["web:1"] };
  await ok(box.paddock, "load", "-q", "-i", tarUp(writeClassic(box.path("source"), [made]), box.path("source.tar")));
}

/** All that an upper directory can come to hold. */
const CHANGES = `
  rm /d/gone; echo more >> /d/stays; chmod 4711 /d/stays; chown 5:6 /d/stays
  rm -r /whole; mkdir -m 700 /whole; echo new > /whole/new
  rm /was-file; mkdir /was-file; echo x > /was-file/x
  rm -r /was-dir; echo file > /was-dir
  mkdir -p /fresh/deep; echo 1 > /fresh/one; ln /fresh/one /fresh/deep/two; ln -s ../d /fresh/link
  mknod /fresh/null c 1 3; mknod /fresh/pipe p; touch -d 2001-02-03 /fresh/old
  rm -r /usr; rm /etc/passwd`;

test(
  "an image of a container has what the container had, entry by entry",
  async (box) => {
    await load(box);
    const flags = ["--cap-add", "mknod", "--name", NAME];
    await ok(box.paddock, "run", ...flags, "web:1", "sh", "-c", CHANGES);
    const upper = `${box.paddock.dataRoot}/containers/${NAME}/upper`;
    await must("setfattr", "-n", "user.note", "-v", "0x0100ff", `${upper}/fresh/one`);
    await must("setcap", "cap_net_raw+ep", `${upper}/fresh/old`);
    const id = (await ok(box.paddock, "commit", NAME, "web:2")).trim();
    assertMatch(id, /^sha256:[0-9a-f]{64}$/);
    await ok(box.paddock, "save", "--format", "oci-dir", "-o", box.path("dir"), "web:2");
    await must("umoci", "unpack", "--image", `${box.path("dir")}:2`, box.path("bundle"));
    await ok(box.paddock, "export", "-o", box.path("box.tar"), NAME);
    const exported = box.directory("exported");
    await must("tar", "-C", exported, "--xattrs", "--xattrs-include=*", "-xpf", box.path("box.tar"));
    const script = new URL("./support/list_tree.bash", import.meta.url).pathname;
    // Mount points are the container's, and directories that change after they were made have the time of the unpacking.
    const list = async (tree: string): Promise<string[]> =>
      (await must("bash", script, tree)).replaceAll(/^(.*\|d\|\d+\|\d+\|\d+\|)\d+\|[0-9.]+\|(.*\|)\d+$/gm, "$1$2")
        .split("\n")
        .filter((line) => !/^(# file: )?(dev|proc|sys|etc\/(hosts|hostname|resolv.conf))\b|^\|/.test(line))
        .filter((line) => !/e3b0c44298fc1c149afbf4c8996fb924.* \.\/etc\//.test(line));
    const [ours, wanted] = [await list(`${box.path("bundle")}/rootfs`), await list(exported)];
    assert(wanted.some((line) => line.includes("security.capability=")), "no capability");
    assert(wanted.some((line) => line.includes("user.note=0x0100ff")), "no attribute");
    assertEquals(ours, wanted);
  },
  "tool:umoci",
  "tool:getfattr",
  "tool:setcap",
);

test("save and load elsewhere give the same tree, and the image runs as the container did", async (box) => {
  await load(box);
  await ok(box.paddock, "run", "--name", NAME, "-e", "A=mine", "-w", "/d", "web:1", "sh", "-c", CHANGES);
  await ok(box.paddock, "commit", "-c", 'CMD ["sh", "-c", "pwd; echo $A; cat stays; ls /whole"]', NAME, "web:2");
  await ok(box.paddock, "save", "-o", box.path("out.tar"), "web:2", "web:1");
  using other = new Paddock();
  await ok(other, "load", "-q", "-i", box.path("out.tar"));
  assertEquals(await ok(other, "run", "web:2"), "/d\nmine\nstaysmore\nnew\n");
  assertEquals(await ok(other, "run", "web:1"), "stays");
  assertEquals(
    (await ok(other, "images", "-q")).split("\n").sort(),
    (await ok(box.paddock, "images", "-q")).split("\n").sort(),
  );
});

test("a layer holds the changes alone, with whiteouts, and is the same whenever it is made", async (box) => {
  await load(box);
  await ok(box.paddock, "run", "--name", NAME, "web:1", "sh", "-c", CHANGES.replace(/mknod[^;]*;?/g, ""));
  const layers: string[][] = [];
  const digests = new Set<string>();
  for (const name of ["web:2", "web:3"]) {
    await ok(box.paddock, "commit", NAME, name);
    const out = box.path(name.replace(":", "-"));
    await ok(box.paddock, "save", "--format", "oci-dir", "-o", out, name);
    const [{ digest }] = JSON.parse(Deno.readTextFileSync(`${out}/index.json`)).manifests;
    const manifest = JSON.parse(Deno.readTextFileSync(`${out}/blobs/${digest.replace(":", "/")}`));
    const top = manifest.layers.at(-1).digest;
    digests.add(top);
    assertEquals(manifest.layers.length, 3);
    layers.push((await must("tar", "-tf", `${out}/blobs/${top.replace(":", "/")}`)).trim().split("\n"));
  }
  assertEquals(digests.size, 1);
  assertEquals(layers[0], layers[1]);
  assertEquals(layers[0], [
    "d/",
    "d/.wh.gone",
    "d/stays",
    // Where the volume is mounted.
    "data/",
    "etc/",
    "etc/.wh.passwd",
    "fresh/",
    "fresh/deep/",
    "fresh/deep/two",
    "fresh/link",
    "fresh/old",
    "fresh/one",
    ".wh.usr",
    "was-dir",
    "was-file/",
    "was-file/x",
    "whole/",
    "whole/.wh..wh..opq",
    "whole/new",
  ]);
});

test("the configuration is the image's, the container's and what --change says, in this order", async (box) => {
  await load(box);
  await ok(box.paddock, "run", "--name", NAME, "-e", "B=run", "-l", "own=1", "web:1", "true");
  const changes = [
    'ENV C="two words" D=$A',
    "LABEL x=y",
    "EXPOSE 443 8000-8001/udp",
    "USER 5:6",
    "WORKDIR /d",
    "WORKDIR sub",
    "VOLUME /more",
    "STOPSIGNAL SIGUSR1",
    "HEALTHCHECK --interval=7s --retries=2 CMD wget -q localhost",
    'ENTRYPOINT ["sh"]',
    "CMD -c true",
  ].flatMap((change) => ["--change", change]);
  const id = await ok(box.paddock, "commit", "-a", "me", "-m", "why not", ...changes, NAME, "web:2");
  const blob = Deno.readTextFileSync(`${box.paddock.dataRoot}/blobs/${id.trim().replace(":", "/")}`);
  const { config, author, history, rootfs } = JSON.parse(blob);
  assertEquals(config, {
    User: "5:6",
    ExposedPorts: { "443/tcp": {}, "80/tcp": {}, "8000/udp": {}, "8001/udp": {} },
    Env: ["PATH=/bin", "A=image", "B=run", "C=two words", "D=image"],
    Entrypoint: ["sh"],
    Cmd: ["/bin/sh", "-c", "-c true"],
    Volumes: { "/data": {}, "/more": {} },
    WorkingDir: "/d/sub",
    Labels: { from: "image", own: "1", x: "y" },
    StopSignal: "SIGUSR1",
    Healthcheck: { Test: ["CMD-SHELL", "wget -q localhost"], Interval: 7e9, Retries: 2 },
  });
  assertEquals([author, history.length, rootfs.diff_ids.length], ["me", 3, 3]);
  assertEquals(history[2].comment, "why not");
  assertEquals(history[2].created_by, "true");
});

test("a container that runs is committed as well, and goes on", async (box) => {
  await load(box);
  const child = box.paddock.start([
    "run",
    "--name",
    NAME,
    "web:1",
    "sh",
    "-c",
    "echo 1 > /one; echo up; cat; echo on",
  ]);
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "up\n");
  await ok(box.paddock, "commit", NAME, "web:2");
  await ok(box.paddock, "commit", "--pause=false", NAME, "web:3");
  await child.stdin.close();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "on\n");
  await reader.cancel();
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
  for (const name of ["web:2", "web:3"]) assertEquals(await ok(box.paddock, "run", name, "cat", "/one"), "1\n");
});

test("what a container of a tarball, of --rw-save or of a directory has becomes an image", async (box) => {
  const { tar } = await busybox();
  await ok(box.paddock, "run", "--name", `${NAME}-a`, tar, "sh", "-c", "echo tar > /said");
  await ok(
    box.paddock,
    "run",
    "--name",
    `${NAME}-b`,
    "--rw-save",
    box.path("kept"),
    tar,
    "sh",
    "-c",
    "echo kept > /said",
  );
  await ok(box.paddock, "run", "--name", `${NAME}-c`, box.rootfs, "sh", "-c", "echo directory > /said");
  await ok(
    box.paddock,
    "run",
    "--name",
    `${NAME}-d`,
    "--rw-save",
    box.path("over"),
    box.rootfs,
    "sh",
    "-c",
    "echo over > /said",
  );
  for (const [name, said] of [["a", "tar"], ["b", "kept"], ["c", "directory"], ["d", "over"]] as const) {
    await ok(box.paddock, "commit", `${NAME}-${name}`, `made:${name}`);
    assertEquals(await ok(box.paddock, "run", `made:${name}`, "cat", "/said"), `${said}\n`);
    await ok(box.paddock, "save", "-o", box.path(`${name}.tar`), `made:${name}`);
  }
});

test("a container with ids of its own has those that it sees", async (box) => {
  await load(box);
  await ok(
    box.paddock,
    "run",
    "--name",
    NAME,
    "--userns",
    "100000:100000:65536",
    "web:1",
    "sh",
    "-c",
    "touch /a; touch /b; chown 5:6 /b",
  );
  await ok(box.paddock, "commit", NAME, "web:2");
  assertEquals(await ok(box.paddock, "run", "web:2", "stat", "-c", "%u:%g", "/a", "/b", "/"), "0:0\n5:6\n0:0\n");
}, "userns");

test("what cannot be committed is refused", async (box) => {
  await load(box);
  await ok(box.paddock, "run", "--name", NAME, "web:1", "true");
  await ok(box.paddock, "run", "--name", `${NAME}-copy`, "host", "true");
  const refused: readonly (readonly [string[], RegExp])[] = [
    [[], /commit needs CONTAINER/],
    [["nobody", "web:2"], /no container 'nobody'/],
    [[`${NAME}-copy`, "web:2"], /is a copy of this host/],
    [[NAME, "Web:2"], /'Web:2' can be no image's name/],
    [["-c", "RUN ls", NAME], /RUN changes no image\n.*instructions are CMD, ENTRYPOINT/],
    [["-c", "EXPOSE http", NAME], /'http' is no port/],
    [["-c", "CMD", NAME], /CMD needs a value/],
  ];
  for (const [words, message] of refused) {
    const { code, stderr } = await box.paddock.run(["commit", ...words]);
    assertEquals(code, 125, words.join(" "));
    assertMatch(stderr, message);
  }
});

test("hints that an overlay keeps in place of files are followed", async (box) => {
  const path = (name: string): string => box.directory(name);
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(path);
  Deno.mkdirSync(`${lower}/moved/deep`, { recursive: true });
  Deno.writeTextFileSync(`${lower}/moved/deep/file`, "content");
  Deno.writeTextFileSync(`${lower}/meta`, "its data is below");
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},redirect_dir=on,metacopy=on`;
  await must(
    "unshare",
    "-m",
    "sh",
    "-c",
    `mount -t overlay overlay -o ${options} ${merged} &&
    mv ${merged}/moved ${merged}/elsewhere && chmod 700 ${merged}/meta`,
  );
  const out = box.path("layer.tar");
  {
    using tree = new LowerTree([lower!]);
    using root = openDirectory(upper!);
    using file = Deno.openSync(out, { write: true, create: true });
    const layer = { lower: tree, openMerged: () => openMerged([upper!, lower!], true), note: () => {} };
    exportLayer(root.number, (bytes) => void file.writeSync(bytes), layer);
  }
  assertEquals(await must("tar", "-tf", out), "elsewhere/\nelsewhere/deep/\nelsewhere/deep/file\nmeta\n.wh.moved\n");
  assertEquals(await must("tar", "-xOf", out, "meta", "elsewhere/deep/file"), "contentits data is below");
});
