/**
 * Images where the kernel's overlay refuses: on a data root that is an overlay itself. fuse-overlayfs mounts them, or
 * they are copied.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mergeLayers } from "../lib/image/merge_layers.ts";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { makeLayer, tarUp, writeClassic } from "./support/images.ts";
import { call, PADDOCK_COMMAND } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, ...needs: Ability[]): void {
  Deno.test({
    name: `layering: ${name}`,
    ...requires("root", "overlay", "tool:busybox", ...needs),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

const NAME = `layering-${Deno.pid}`;

const LOOK =
  "ls /d /h; cat /d/link; stat -c ' %u %a' /d/stays; rm -r /h; mkdir /h; echo w > /h/w; rm /d/stays; echo v > /vol/v";

/** Calls of paddock, a line each, in a mount namespace where its data root is an overlay. @param hidden no fuse-overlayfs */
async function onOverlay(box: Box, lines: readonly string[], hidden = false): Promise<string> {
  const below = box.directory("below");
  const above = box.directory("above");
  const work = box.directory("work");
  const data = box.directory("data");
  const mask = box.directory("mask");
  const hide = `mknod ${mask}/fuse-overlayfs c 0 0; mount -t overlay overlay -o lowerdir=${mask}:/usr/bin /usr/bin`;
  const paddock = [...PADDOCK_COMMAND].map((word) => `'${word}'`).join(" ");
  const script = `set -e
    LOOK="${LOOK}"
    mount -t overlay overlay -o lowerdir=${below},upperdir=${above},workdir=${work} ${data}
    ${hidden ? hide : ""}
    p() { verb=$1; shift; ${paddock} $verb --root ${box.path("run")} --data-root ${data} "$@"; }
    ${lines.join("\n")}
    grep -c fuse-overlayfs /proc/self/mounts || true
    ls ${data}/containers`;
  const { code, stdout, stderr } = await call(["unshare", "-m", "--propagation", "private", "sh", "-c", script]);
  assertEquals(code, 0, stdout + stderr);
  return stdout;
}

async function archive(box: Box): Promise<string> {
  const layers = [
    Deno.readFileSync((await busybox()).tar),
    makeLayer({ path: "d/" }, { path: "d/gone" }, { path: "d/stays", text: "stays", uid: 5, mode: 0o4755 }, {
      path: "h/",
    }, {
      path: "h/old",
    }),
    makeLayer({ path: "d/.wh.gone" }, { path: "h/.wh..wh..opq" }, { path: "h/new" }, {
      path: "d/link",
      type: "symlink",
      linkPath: "stays",
    }),
  ];
  const made = { layers, config: { Cmd: ["sh"], Volumes: { "/vol": {} } }, names: ["web:1"] };
  return tarUp(writeClassic(box.path("source"), [made]), box.path("source.tar"));
}

const SEEN = "/d:\nlink\nstays\n\n/h:\nnew\nstays 5 4755\n";

test("fuse-overlayfs mounts an image, what is changed can be committed, and nothing stays", async (box) => {
  const path = await archive(box);
  const out = await onOverlay(box, [
    `p load -q -i ${path} > /dev/null`,
    `p run web:1 sh -c "$LOOK"`,
    `p run --name ${NAME} web:1 sh -c "$LOOK"`,
    `p diff ${NAME} | grep -v '/vol'`,
    `p commit ${NAME} web:2 > /dev/null`,
    `p run web:2 sh -c 'ls /d /h'`,
    `p rm ${NAME}`,
  ]);
  assertEquals(out, `${SEEN}${SEEN}C /d\nD /d/stays\nC /h\nD /h/new\nA /h/w\n/d:\nlink\n\n/h:\nw\n${NAME}\n0\n`);
}, "tool:fuse-overlayfs");

test("without fuse-overlayfs an image is copied, what is changed is kept, and nothing stays", async (box) => {
  const path = await archive(box);
  const out = await onOverlay(box, [
    `p load -q -i ${path} > /dev/null`,
    `p verify -q`,
    `p run web:1 sh -c "$LOOK"`,
    `p run --name ${NAME} web:1 sh -c "$LOOK"`,
    `p commit ${NAME} web:2 > /dev/null`,
    `p run web:2 sh -c 'ls /d /h'`,
    `p doctor --json | grep -c 'an image is copied' || true`,
    `p rm ${NAME}`,
  ], true);
  assertEquals(out, `${SEEN}${SEEN}/d:\nlink\n\n/h:\nw\n1\n${NAME}\n0\n`);
});

test("mergeLayers makes of layers what an overlay shows", async (box) => {
  const path = await archive(box);
  const { code, stdout, stderr } = await box.paddock.run(["import", path]);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^sha256:/);
  await box.paddock.run(["load", "-i", path]);
  const [image] = JSON.parse((await box.paddock.run(["inspect", "web:1"])).stdout);
  const layers = [image.GraphDriver.Data.UpperDir, ...image.GraphDriver.Data.LowerDir.split(":")];
  const merged = box.directory("merged");
  mergeLayers(layers, merged);
  const shown = box.directory("shown");
  const script = new URL("./support/list_tree.bash", import.meta.url).pathname;
  const overlay = `mount -t overlay overlay -o ro,lowerdir=${layers.join(":")} ${shown} && bash ${script} ${shown}`;
  const [wanted, found] = await Promise.all([
    call(["unshare", "-m", "sh", "-c", overlay]),
    call(["bash", script, merged]),
  ]);
  assertEquals([wanted.code, found.code], [0, 0], wanted.stderr + found.stderr);
  // How many names and bytes a directory has is its filesystem's own affair.
  const clean = (text: string): string => text.replaceAll(/^(.*\|d\|\d+\|\d+\|\d+\|)\d+\|(.*\|)\d+$/gm, "$1$2");
  assert(wanted.stdout.includes("d/stays"));
  assertEquals(clean(found.stdout), clean(wanted.stdout));
}, "tool:getfattr");
