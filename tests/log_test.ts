/**
 * Logs with times, streams and an end to their growth: `--log-driver local`.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { out, testInBackground } from "./support/background.ts";
import { type Box, findProcesses, waitFor } from "./support/box.ts";
import type { Ability } from "./support/requires.ts";
import { expectNoLeaks } from "./support/leaks.ts";

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  testInBackground(`log: ${name}`, fn, more);
}

/** Runs a script in the background, with a log that has times. */
async function begin(box: Box, script: string, flags: readonly string[] = []): Promise<void> {
  const words = ["run", "-d", "--name", "lg-web", "--log-driver", "local", ...flags, box.rootfs, "sh", "-c", script];
  assertEquals(await out(box, ...words), "lg-web\n");
}

test("both streams are apart, each line has its time, and spans of time may be asked for", async (box) => {
  const before = Date.now();
  await begin(box, "echo one; echo two >&2; sleep 1.2; printf 'th'; sleep 0.3; echo ree; printf end");
  assertEquals(await out(box, "wait", "lg-web"), "0\n");
  const all = await box.paddock.run(["logs", "lg-web"]);
  assertEquals([all.stdout, all.stderr], ["one\nthree\nend", "two\n"]);
  const timed = (await box.paddock.run(["logs", "-t", "lg-web"])).stdout.split("\n");
  assertEquals(timed.map((line) => line.replace(/^.*Z /, "")), ["one", "three", "end"]);
  const times = timed.map((line) => Date.parse(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/.exec(line)![0]));
  assert(times[0]! >= before - 1 && times[1]! - times[0]! >= 1000 && times[2]! <= Date.now(), timed.join("\n"));
  const split = new Date(times[0]! + 600).toISOString();
  assertEquals((await box.paddock.run(["logs", "--since", split, "lg-web"])).stdout, "three\nend");
  assertEquals((await box.paddock.run(["logs", "--until", split, "lg-web"])).stdout, "one\n");
  assertEquals((await box.paddock.run(["logs", "--tail", "2", "lg-web"])).stdout, "three\nend");
  assertEquals((await box.paddock.run(["logs", "--tail", "0", "lg-web"])).stdout, "");
  const { LogConfig } = JSON.parse(await out(box, "inspect", "lg-web"))[0].HostConfig;
  assertEquals(LogConfig.Type, "local");
});

test("files do not grow for ever, and no line is lost between them, followed or not", async (box) => {
  const script = "i=0; while [ $i -lt 3000 ]; do printf '%0199d\\n' $i; i=$((i+1)); done";
  await begin(box, `sleep 0.5; ${script}`, ["--log-opt", "max-size=64k", "--log-opt", "max-file=20"]);
  const followed = (await out(box, "logs", "-f", "lg-web")).trimEnd().split("\n").map(Number);
  const wanted = [...Array(3000).keys()];
  assertEquals(followed, wanted);
  assertEquals((await out(box, "logs", "lg-web")).trimEnd().split("\n").map(Number), wanted);
  assertEquals((await out(box, "logs", "-n", "700", "lg-web")).trimEnd().split("\n").map(Number), wanted.slice(-700));
  const directory = `${box.paddock.dataRoot}/containers/lg-web`;
  const files = [...Deno.readDirSync(directory)].filter(({ name }) => /^log(\.\d+)?$/.test(name));
  const sizes = files.map(({ name }) => Deno.statSync(`${directory}/${name}`).size);
  assert(files.length > 5 && sizes.every((size) => size < 64 * 1024 + 16408), sizes.join(" "));
  await out(box, "rm", "lg-web");
  await begin(box, script, ["--log-opt", "max-size=64k", "--log-opt", "max-file=2"]);
  await out(box, "wait", "lg-web");
  assertEquals([...Deno.readDirSync(directory)].filter(({ name }) => /^log(\.\d+)?$/.test(name)).length, 2);
  const last = (await out(box, "logs", "lg-web")).trimEnd().split("\n").map(Number);
  assertEquals(last.at(-1), 2999);
  assertEquals(last.slice(1), wanted.slice(-last.length + 1));
});

test("the process in between is small, and goes with the container; nothing is left", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    await begin(box, "echo ready; exec sleep 4670");
    const pump = await waitFor(
      "the pump",
      () =>
        findProcesses("paddock: log").find((pid) =>
          Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]!.split(" ")[1] === monitorOf(box)
        ),
    );
    await waitFor("what it prints", () => Deno.statSync(`${box.paddock.dataRoot}/containers/lg-web/log`).size > 0);
    const resident = Number(/^Rss: +(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pump}/smaps_rollup`))![1]);
    assert(resident <= 100, `${resident} kB`);
    const monitor = Number(/^Rss: +(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${monitorOf(box)}/smaps_rollup`))![1]);
    assert(monitor <= 36, `${monitor} kB`);
    await out(box, "stop", "-t", "0", "lg-web");
    await waitFor("the pump's end", () => !findProcesses("paddock: log").includes(pump));
    await out(box, "start", "lg-web");
    await out(box, "stop", "-t", "0", "lg-web");
    assertEquals(await out(box, "logs", "lg-web"), "ready\nready\n");
    await out(box, "rm", "lg-web");
    await out(box, "run", "-d", "--rm", "--name", "lg-short", "--log-driver", "local", box.rootfs, "echo", "gone");
    await waitFor("its end", () => findProcesses("paddock: lg-short").length === 0);
  });
});

test("with a terminal, and where it is started again by its launcher", async (box) => {
  await begin(box, "tty; printf '$ '; sleep 4671", ["-t"]);
  await waitFor("its terminal", () => Deno.statSync(`${box.paddock.dataRoot}/containers/lg-web/log`).size > 24);
  assertStringIncludes(await out(box, "logs", "lg-web"), "/dev/pts/0\r\n");
  await out(box, "rm", "-f", "lg-web");
  await begin(box, "echo begun; exit 3", ["--restart", "on-failure:2"]);
  await out(box, "wait", "lg-web");
  assertEquals(await out(box, "logs", "lg-web"), "begun\nbegun\nbegun\n");
});

test("what a log cannot do is said", async (box) => {
  await out(box, "run", "-d", "--name", "lg-web", box.rootfs, "true");
  await out(box, "wait", "lg-web");
  for (const flags of [["-t"], ["--since", "1h"]]) {
    assertMatch(
      (await box.paddock.run(["logs", ...flags, "lg-web"])).stderr,
      /nobody has noted when[^]*--log-driver local/,
    );
  }
  const refused = async (...flags: string[]) => (await box.run(["true"], ["-d", ...flags])).stderr;
  assertStringIncludes(await refused("--log-opt", "max-size=1m"), "--log-driver local begins new ones");
  assertStringIncludes(await refused("--log-driver", "local", "--log-opt", "max-size=1"), "64k is the least");
  assertStringIncludes(await refused("--log-driver", "local", "--log-opt", "max-sise=1m"), "did you mean 'max-size'");
});

test("journald: both streams are connections to it, by the container's name", async (box) => {
  const heard: Record<string, string> = {};
  using server = Deno.listen({ transport: "unix", path: join(box.directory("journal"), "stdout") });
  const serving = (async () => {
    for await (const connection of server) void collect(connection, heard);
  })().catch(() => {});
  const run = (...words: string[]) =>
    box.paddock.run(["run", "-d", "--log-driver", "journald", ...words], { under: withJournal(box) });
  const { code, stderr } = await run(
    "--name",
    "lg-web",
    box.rootfs,
    "sh",
    "-c",
    "echo one; echo two >&2; sleep 0.2; echo three",
  );
  assertEquals([code, stderr], [0, ""]);
  assertEquals(await out(box, "wait", "lg-web"), "0\n");
  await waitFor("all of it", () => heard["6"]?.endsWith("three\n"));
  assertEquals(heard, { "6": "lg-web\n\n6\n0\n0\n0\n0\none\nthree\n", "3": "lg-web\n\n3\n0\n0\n0\n0\ntwo\n" });
  assertStringIncludes((await box.paddock.run(["logs", "lg-web"])).stderr, "journalctl -t");
  server.close();
  await serving;
  const refused = await run("--name", "lg-none", box.rootfs, "true");
  assertEquals([refused.code, refused.stdout], [125, ""]);
  assertStringIncludes(refused.stderr, "cannot connect to the journal /run/systemd/journal/stdout");
}, ["tool:unshare"]);

/** A host whose journal listens in a directory of the test's. */
function withJournal(box: Box): readonly string[] {
  const script = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && " +
    `mount --bind ${box.path("journal")} /run/systemd/journal && exec "$@"`;
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
}

/** What comes over one connection, by the priority that its header names. */
async function collect(connection: Deno.Conn, heard: Record<string, string>): Promise<void> {
  let text = "";
  for await (const piece of connection.readable.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const priority = text.split("\n")[2];
    if (text.split("\n").length > 3) heard[priority!] = text;
  }
}

function monitorOf(box: Box): string {
  return String(parseInt(Deno.readTextFileSync(`${box.paddock.root}/lg-web/monitor`), 10));
}
