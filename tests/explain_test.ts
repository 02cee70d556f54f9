/**
 * `paddock explain`: what `run` would do, said without doing it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Box } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `explain: ${name}`,
    ...requires("tool:busybox", "root"),
    fn: async () => {
      using box = await Box.make();
      await expectNoLeaks(box.paddock, () => fn(box));
    },
  });
}

const EXAMPLE = ["--memory", "100m", "--hostname", "box", "-v", "/etc:/host-etc:ro", "-u", "1000"];

test("the shell commands of a container, each with its reason", async (box) => {
  const { code, stdout, stderr } = await box.paddock.run(["explain", ...EXAMPLE, box.rootfs, "sh", "-c", "echo hi"]);
  assertEquals([code, stderr], [0, ""]);
  const commands = [
    /^unshare .*--mount.*--pid/m,
    /^echo 104857600 > \S+memory(\.limit_in_bytes|\.max)$/m,
    /^mount .*proc "\$ROOT"\/proc$/m,
    /^mount .*\/etc "\$ROOT"'?\/host-etc'?$/m,
    /pivot_root/,
    /^hostname box$/m,
    /^setpriv .*--reuid=1000/m,
    /^exec sh -c 'echo hi'$/m,
  ];
  let at = 0;
  for (const command of commands) {
    const found = command.exec(stdout);
    assert(found !== null, `${command} is not in it`);
  }
  // The order that matters: made before it is entered, entered before it is left for good.
  for (const word of ["memory", "unshare ", "pivot_root", "exec sh"]) {
    const next = stdout.indexOf(word, at);
    assert(next >= at && next !== -1, word);
    at = next;
  }
  // Every command has a comment above it.
  for (const block of stdout.trim().split("\n\n")) assertMatch(block, /^#|^container$/m);
});

test("the system calls, as run --trace shows them", async (box) => {
  const words = ["--name", `same-${Deno.pid}`, "--rm", box.rootfs, "true"];
  const explained = (await box.paddock.run(["explain", "--syscalls", ...words])).stdout;
  const traced = (await box.paddock.run(["run", "--trace", ...words])).stderr;
  const calls = (text: string): string[] => [...text.matchAll(/\b([a-z_0-9]+)\(/g)].map(([, name]) => name!);
  // What was called in order, without what did not have to be: each traced call is one of those explained.
  const known = new Set(calls(explained));
  assert(known.size > 20);
  assertEquals([...new Set(calls(traced))].filter((name) => !known.has(name)), []);
  for (const name of ["clone", "pivot_root", "mount", "capset", "execve"]) assert(known.has(name), name);
});

test("JSON with every act of the plan", async (box) => {
  const plan = JSON.parse((await box.paddock.run(["explain", "--json", ...EXAMPLE, box.rootfs, "true"])).stdout);
  assertEquals(plan.arch, Deno.build.arch);
  const acts = plan.sections.flatMap(({ acts }: { acts: { what: string; why: string }[] }) => acts);
  assert(acts.length > 30);
  assert(acts.some(({ what }: { what: string }) => /pivot/.test(what)));
  assert(acts.filter(({ why }: { why: string }) => why !== "").length > 30);
});

test("it needs no root, and no image in the store", async (box) => {
  for (let path = box.paddock.work; path !== "/var/tmp"; path = path.slice(0, path.lastIndexOf("/"))) {
    Deno.chmodSync(path, 0o755);
  }
  await call(["chmod", "-R", "a+rX", box.rootfs]);
  const under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const options = { under, env: { HOME: "/nonexistent", DENO_DIR: "/nonexistent" } };
  for (const image of [box.rootfs, (await busybox()).gz, "host"]) {
    const { code, stdout, stderr } = await box.paddock.run(["explain", image, "sh"], options);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "pivot_root");
  }
});

test("a filesystem that an ordinary user cannot reach does not keep them from the host", async (box) => {
  for (let path = box.paddock.work; path !== "/var/tmp"; path = path.slice(0, path.lastIndexOf("/"))) {
    Deno.chmodSync(path, 0o755);
  }
  const closed = box.directory("closed");
  const mounted = box.directory("closed/mounted");
  Deno.chmodSync(closed, 0o700);
  const user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
  const under = ["unshare", "-m", "sh", "-c", `mount --bind ${mounted} ${mounted} && exec ${user} "$@"`, "sh"];
  const options = { under, env: { HOME: "/nonexistent", DENO_DIR: "/nonexistent" } };
  const { code, stderr } = await box.paddock.run(["explain", "host", "sh"], options);
  assertEquals(code, 0, stderr);
});

test("what run refuses, explain refuses in the same words", async (box) => {
  for (
    const words of [["--memory", "10q"], ["-v", "/no/such/place:/x"], ["--user", "nosuch"], [
      "--sysctl",
      "vm.swappiness=1",
    ]]
  ) {
    const [run, explain] = [
      await box.sh("true", words),
      await box.paddock.run(["explain", ...words, box.rootfs, "true"]),
    ];
    assertEquals([explain.code, explain.stderr], [run.code, run.stderr]);
    assertEquals(run.code, 125);
  }
});
