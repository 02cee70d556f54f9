/**
 * What can be seen of containers from outside: `ps`, `inspect`, `top`, `stats`, `port`.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { out, testInBackground } from "./support/background.ts";
import type { Box } from "./support/box.ts";
import type { Ability } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  testInBackground(`observe: ${name}`, fn, more);
}

/** Runs a script in the background. */
async function begin(box: Box, name: string, script: string, flags: readonly string[] = []): Promise<void> {
  assertEquals(await out(box, "run", "-d", "--name", name, ...flags, box.rootfs, "sh", "-c", script), `${name}\n`);
}

// deno-lint-ignore no-explicit-any -- docker's JSON, whose shape is what is tested
async function inspect(box: Box, name: string): Promise<any> {
  return JSON.parse(await out(box, "inspect", name))[0];
}

test("ps shows what runs with docker's columns, and filters, the newest first", async (box) => {
  await begin(box, "ob-old", "exit 3", ["-l", "tier=back"]);
  await out(box, "wait", "ob-old");
  await begin(box, "ob-web", "exec sleep 4610", ["-l", "tier=front", "-l", "color"]);
  await begin(box, "ob-new", "exec sleep 4611");
  const [head, ...rows] = (await out(box, "ps")).trimEnd().split("\n");
  assertEquals(head!.split(/ {2,}/), ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
  assertEquals(rows.map((row) => row.split(/ +/)[0]), ["ob-new", "ob-web"]);
  assertMatch(rows[0]!, /Up \d+ s +ob-new$/);
  const names = async (...words: string[]) => (await out(box, "ps", "-q", ...words)).trimEnd().split("\n").join(" ");
  assertEquals(await names("-a"), "ob-new ob-web ob-old");
  assertEquals(await names("-l"), "ob-new");
  assertEquals(await names("-n", "2"), "ob-new ob-web");
  assertEquals(await names("-n", "-1"), "ob-new ob-web");
  for (
    const [filter, wanted] of [
      ["name=ob-(web|old)", "ob-web"],
      ["status=exited", "ob-old"],
      ["exited=3", "ob-old"],
      ["exited=0", ""],
      ["label=tier", "ob-web"],
      ["label=tier=back", ""],
      [`ancestor=${box.rootfs}`, "ob-new ob-web"],
      ["ancestor=alpine", ""],
      ["id=ob-n", "ob-new"],
      ["since=ob-web", "ob-new"],
    ] as const
  ) {
    assertEquals(await names("-f", filter), wanted, filter);
  }
  assertEquals(await names("-a", "-f", "label=tier", "-f", "label=color"), "ob-web");
  assertEquals(await names("-a", "-f", "name=old", "-f", "name=new"), "ob-new ob-old");
  await out(box, "pause", "ob-web");
  assertEquals(await names("-f", "status=paused"), "ob-web");
  assertEquals(
    await out(box, "ps", "--format", '{{.Names}} {{.State}} {{.Label "tier"}}', "-f", "name=web"),
    "ob-web paused front\n",
  );
  await out(box, "unpause", "ob-web");
  const wrong = await box.paddock.run(["ps", "--filter", "statu=running"]);
  assertEquals([wrong.code, wrong.stderr], [
    125,
    "paddock: --filter: there is none by 'statu'\n  did you mean 'status'\n",
  ]);
  await out(box, "rm", "-f", "ob-web", "ob-new", "ob-old");
}, ["memory"]);

test("ps --watch goes on, and shows what has changed", async (box) => {
  const child = box.paddock.start(["ps", "--watch", "--format", "{{.Names}}"]);
  const text = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await begin(box, "ob-web", "exec sleep 4612");
  assertEquals((await text.read()).value, "ob-web\n");
  child.kill("SIGINT");
  assertEquals((await child.status).signal, "SIGINT");
  await text.cancel();
  await child.stderr.cancel();
  await child.stdin.close();
  await out(box, "rm", "-f", "ob-web");
});

test("inspect tells how it is, what it has and how it was made, in docker's words", async (box) => {
  const given = box.directory("given");
  const flags = ["--memory", "64m", "--pids-limit", "20", "-v", `${given}:/given:ro`, "-l", "a=b", "-e", "X=1"];
  await begin(box, "ob-web", "exec sleep 4613", [...flags, "--cap-add", "sys_nice", "--hostname", "other"]);
  const seen = await inspect(box, "ob-web");
  assertEquals([seen.Id, seen.Name, seen.Path, seen.Args], ["ob-web", "ob-web", "sh", ["-c", "exec sleep 4613"]]);
  const { Status, Running, Paused, Pid, ExitCode, OOMKilled, FinishedAt, Error: error } = seen.State;
  assertEquals({ Status, Running, Paused, ExitCode, OOMKilled, FinishedAt, error }, {
    Status: "running",
    Running: true,
    Paused: false,
    ExitCode: 0,
    OOMKilled: false,
    FinishedAt: "",
    error: "",
  });
  assert(Deno.readTextFileSync(`/proc/${Pid}/cmdline`).includes("4613"));
  assert(Date.parse(seen.State.StartedAt) >= Date.parse(seen.Created));
  assert(seen.State.PeakMemory > 0 && seen.State.PeakMemory <= 64 << 20, JSON.stringify(seen.State));
  assertEquals([seen.HostConfig.Memory, seen.HostConfig.PidsLimit, seen.HostConfig.CapAdd], [64 << 20, 20, [
    "sys_nice",
  ]]);
  assertEquals([seen.Config.Labels, seen.Config.Hostname], [{ a: "b" }, "other"]);
  assert(seen.Config.Env.includes("X=1"));
  assertEquals(
    seen.Mounts.map(({ Type, Source, Destination, RW }: Record<string, unknown>) => [Type, Source, Destination, RW]),
    [
      ["bind", given, "/given", false],
    ],
  );
  assertEquals([seen.RestartCount, Deno.statSync(seen.LogPath).isFile], [0, true]);
  assertEquals(seen.RootFS, { Type: "directory", Layers: [box.rootfs] });
  assertEquals(
    await out(box, "inspect", "-f", '{{.State.Status}} {{index .Config.Labels "a"}}', "ob-web"),
    "running b\n",
  );
  // As after a boot: what is in /run is gone, and what it was made from is still known.
  await out(box, "stop", "-t", "0", "ob-web");
  Deno.removeSync(box.paddock.root, { recursive: true });
  const later = await inspect(box, "ob-web");
  assertEquals([later.State.Status, later.HostConfig.Memory, later.Mounts[0].Destination], [
    "exited",
    64 << 20,
    "/given",
  ]);
  assertEquals([later.State.ExitCode, later.State.Signal], [137, "SIGKILL"]);
  assert(Date.parse(later.State.FinishedAt) > Date.parse(later.State.StartedAt));
  await out(box, "rm", "ob-web");
}, ["memory"]);

test("each cause of death is told: a code, a signal, want of memory, a start that failed", async (box) => {
  const status = (name: string) => out(box, "ps", "-a", "-f", `name=${name}`, "--format", "{{.Status}}");
  await begin(box, "ob-code", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 9");
  await out(box, "wait", "ob-code");
  const code = (await inspect(box, "ob-code")).State;
  assertEquals([code.ExitCode, code.Signal, code.Cause, code.OOMKilled], [9, "", "", false]);
  assert(code.CpuTime > 1e6 && code.PeakMemory > 0, JSON.stringify(code));
  assertMatch(await status("ob-code"), /^Exited \(9\) \d+ s ago\n$/);

  await begin(box, "ob-signal", "kill -SEGV $$", ["--init"]);
  await out(box, "wait", "ob-signal");
  assertEquals((await inspect(box, "ob-signal")).State.ExitCode, 139);
  await begin(box, "ob-killed", "exec sleep 4614");
  await out(box, "stop", "-t", "0", "ob-killed");
  const killed = (await inspect(box, "ob-killed")).State;
  assertEquals([killed.ExitCode, killed.Signal, killed.Cause], [137, "SIGKILL", "SIGKILL"]);
  assertMatch(await status("ob-killed"), /^Exited \(137\) \d+ s ago: SIGKILL\n$/);

  await begin(box, "ob-oom", "x=a; while :; do x=$x$x; done", ["--memory", "20m", "--swap", "0"]);
  await out(box, "wait", "ob-oom");
  const oom = (await inspect(box, "ob-oom")).State;
  assertEquals([oom.OOMKilled, oom.Cause, oom.PeakMemory > 15e6], [true, "out of memory", true]);
  assertMatch(await status("ob-oom"), /^Exited \(137\) \d+ s ago: out of memory\n$/);

  const given = box.directory("given");
  await begin(box, "ob-start", "exit 0", ["-v", `${given}:/given`, "-w", "/given"]);
  await out(box, "wait", "ob-start");
  // The directory that it is to begin in is another's now: that is seen when it is all set up.
  Deno.removeSync(`${box.rootfs}/bin/sh`);
  assertEquals((await box.paddock.run(["start", "ob-start"])).code, 127);
  const failed = (await inspect(box, "ob-start")).State;
  assertEquals([failed.Status, failed.ExitCode, failed.Cause], ["exited", 127, "could not be started"]);
  assertStringIncludes(failed.Error, "cannot execute sh");
  await out(box, "rm", "ob-code", "ob-signal", "ob-killed", "ob-oom", "ob-start");
}, ["memory"]);

test("top shows its processes by the host's ps", async (box) => {
  await begin(box, "ob-web", "sleep 4615 & exec sleep 4616");
  const table = (await out(box, "top", "ob-web")).trimEnd().split("\n");
  assertMatch(table[0]!, /\bPID\b.*\bCMD$/);
  assertEquals(table.slice(1).map((line) => line.replace(/^.*(?=sleep)/, "")).sort(), ["sleep 4615", "sleep 4616"]);
  const own = (await out(box, "top", "ob-web", "-o", "pid,args")).trimEnd().split("\n");
  assertMatch(own[0]!, /^ *PID +COMMAND$/);
  assertEquals(own.length, 3);
}, ["tool:ps"]);

test("stats counts what each uses, once or again and again", async (box) => {
  await begin(box, "ob-busy", "while :; do :; done", ["--memory", "64m", "--pids-limit", "9"]);
  await begin(box, "ob-idle", "exec sleep 4617");
  const uses = JSON.parse(await out(box, "stats", "--no-stream", "--json")) as Record<string, number>[];
  assertEquals(uses.map(({ id }) => String(id)), ["ob-busy", "ob-idle"]);
  const [busy, idle] = uses;
  assert(busy!.cpuPercent! > 5 && busy!.cpuPercent! < 150, JSON.stringify(busy));
  assert(idle!.cpuPercent! < 5, JSON.stringify(idle));
  assertEquals([busy!.memoryLimit, busy!.pids, busy!.pidsLimit], [64 << 20, 1, 9]);
  assert(busy!.memory! > 0 && busy!.memory! < 64 << 20);
  const [head, row, ...more] = (await out(box, "stats", "--no-stream", "ob-busy")).trimEnd().split("\n");
  assertMatch(head!, /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +SWAP +NET I\/O +BLOCK I\/O +PIDS/);
  assertMatch(row!, /^ob-busy +ob-busy +\d+\.\d\d% +[\d.]+ ?\w+ \/ 64 ?M/);
  assertEquals(more, []);
  assertMatch(await out(box, "stats", "--no-stream", "--format", "{{.Name}}:{{.PIDs}}", "ob-idle"), /^ob-idle:1\n$/);
  const child = box.paddock.start(["stats", "--format", "{{.Name}} {{.CPUPerc}}", "ob-busy"]);
  const text = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let looks = 0; looks < 2; looks++) assertMatch((await text.read()).value!, /^ob-busy \d+\.\d\d%\n$/);
  child.kill("SIGINT");
  await child.status;
  await text.cancel();
  await child.stderr.cancel();
  await child.stdin.close();
  await out(box, "stop", "-t", "0", "ob-idle");
  assertEquals(await out(box, "stats", "--no-stream", "--format", "{{.Name}}"), "ob-busy\n");
  assertEquals(
    await out(box, "stats", "-a", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"),
    "ob-busy 1\nob-idle --\n",
  );
  assertStringIncludes((await box.paddock.run(["stats", "--no-stream", "nobody"])).stderr, "no container 'nobody'");
}, ["memory"]);
