import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { busybox, parseMirror } from "./fixtures.ts";
import { comparePictures, expectNoLeaks, takePicture } from "./leaks.ts";
import { call, Paddock } from "./paddock.ts";
import { missingAbilities, requires } from "./requires.ts";

Deno.test("call gives code, streams and input of a command, and ends one that hangs", async () => {
  const outcome = await call(["sh", "-c", "cat; echo err >&2; exit 3"], { stdin: "in" });
  assertEquals([outcome.code, outcome.stdout, outcome.stderr], [3, "in", "err\n"]);
  await assertRejects(() => call(["sleep", "60"], { timeout: 50 }), Error, "did not end in time");
  assertEquals((await call(["true"], { stdin: "x".repeat(1_000_000) })).code, 0);
});

Deno.test("the paddock under test answers, and its directories go with it", async () => {
  let root: string;
  {
    using paddock = new Paddock();
    root = paddock.work;
    const { code, stdout, stderr } = await paddock.run(["version"]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /paddock \d+\.\d+\.\d+/);
  }
  await assertRejects(() => Deno.stat(root), Deno.errors.NotFound);
});

Deno.test("a leak is found: a file in the state directory, a descriptor", async () => {
  using paddock = new Paddock();
  const before = takePicture(paddock);
  Deno.mkdirSync(join(paddock.root, "left"), { recursive: true });
  const file = Deno.openSync("/etc/hostname");
  assertEquals(comparePictures(before, takePicture(paddock)), ["state: left", "descriptors: /etc/hostname"]);
  file.close();
  Deno.removeSync(join(paddock.root, "left"));
  await expectNoLeaks(paddock, () => Promise.resolve());
});

Deno.test({ name: "a leaked mount is found", ...requires("root") }, async () => {
  using paddock = new Paddock();
  const before = takePicture(paddock);
  await call(["mount", "-t", "tmpfs", "none", paddock.work]);
  const found = comparePictures(before, takePicture(paddock));
  await call(["umount", paddock.work]);
  assertEquals(found.length, 1);
  assertMatch(found[0]!, new RegExp(`^mounts: ${paddock.work} `));
});

Deno.test("abilities that no host has are missing with a reason", () => {
  assertEquals(missingAbilities(["tool:sh"]), []);
  assertEquals(missingAbilities(["peer:no-such-command"]), ["peer:no-such-command: not installed"]);
  assertEquals(missingAbilities(["controller:nonsense"]), ["controller:nonsense: no hierarchy serves nonsense"]);
});

Deno.test("the mirror is read from either format of apt's sources", () => {
  assertEquals(parseMirror(["deb [signed-by=/k] http://a/debian bookworm main contrib\n"]), {
    mirror: "http://a/debian",
    suite: "bookworm",
  });
  const stanzas = "Types: deb\nURIs: http://b/debian\nSuites: trixie trixie-updates\nComponents: main\n\n" +
    "Types: deb\nURIs: http://c/security\nSuites: trixie-security\nComponents: main\n";
  assertEquals(parseMirror(["# nothing\n", stanzas]), { mirror: "http://b/debian", suite: "trixie" });
  assertEquals(parseMirror([""]), undefined);
});

Deno.test({ name: "the busybox root filesystem works under chroot", ...requires("root", "tool:busybox") }, async () => {
  const fixture = await busybox();
  const { stdout } = await call(["chroot", fixture.dir, "/bin/sh", "-c", "id -un; ls /etc"]);
  assertEquals(stdout, "root\ngroup\nhostname\nhosts\nos-release\npasswd\nresolv.conf\n");
  const { stdout: list } = await call(["tar", "-tf", fixture.gz, "bin/sh"]);
  assertEquals(list, "bin/sh\n");
  assert(Deno.statSync(fixture.zst).size > 0);
});
