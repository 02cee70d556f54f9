/**
 * Restart policies: containers that are started again when they end.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { begin, logOf, monitorOf, out, seen, testInBackground } from "./support/background.ts";
import { type Box, waitFor } from "./support/box.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import type { Ability } from "./support/requires.ts";

const test = (name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void =>
  testInBackground(`restart: ${name}`, fn, more);

/** How often it has printed that word. */
function count(box: Box, id: string, word: string): number {
  return Deno.readTextFileSync(logOf(box, id)).split("\n").filter((line) => line === word).length;
}

/** A launcher's own programs are of a few kilobytes; paddock's is not. */
function residentOf(pid: number): number {
  return Number(/^Rss: +(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`))?.[1]);
}

test("on-failure:N starts it again so often, and then how it ended is recorded", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    await begin(box, ["--name", "re-few", "--restart", "on-failure:2"], "echo run; exit 7");
    assertEquals(await out(box, "wait", "re-few"), "7\n");
    assertEquals(count(box, "re-few", "run"), 3);
    const { status, restarts, restart, exit } = await seen(box, "re-few");
    assertEquals({ status, restarts, restart }, { status: "stopped", restarts: 2, restart: "on-failure:2" });
    assertEquals((exit as { code: number }).code, 7);
    // Another start counts anew.
    await out(box, "start", "re-few");
    await out(box, "wait", "re-few");
    assertEquals([count(box, "re-few", "run"), (await seen(box, "re-few"))["restarts"]], [6, 5]);
    await out(box, "rm", "re-few");
  });
});

test("on-failure leaves one that ended well, always does not", async (box) => {
  await begin(box, ["--name", "re-well", "--restart", "on-failure"], "echo run");
  assertEquals(await out(box, "wait", "re-well"), "0\n");
  assertEquals(count(box, "re-well", "run"), 1);
  await begin(box, ["--name", "re-always", "--restart", "always"], "echo run; sleep 0.1");
  await waitFor("three runs", () => count(box, "re-always", "run") >= 3);
  assertEquals(await out(box, "stop", "re-always"), "re-always\n");
  const runs = count(box, "re-always", "run");
  assertEquals((await seen(box, "re-always"))["status"], "stopped");
  assertEquals(count(box, "re-always", "run"), runs);
});

test("its files and limits are there each time, its monitor is the same process and as small as ever", async (box) => {
  const files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max";
  const script = `echo x >>/kept; wc -l </kept; cat ${files} 2>/dev/null; test $(wc -l </kept) -lt 4 && exit 1; ` +
    "exec sleep 4520";
  const { busybox } = await import("./support/fixtures.ts");
  const flags = ["--name", "re-files", "--memory", "60m", "--restart", "on-failure"];
  await out(box, "run", "-d", ...flags, (await busybox()).tar, "sh", "-c", script);
  const monitor = monitorOf(box, "re-files");
  await waitFor("four runs", () => count(box, "re-files", "4") === 1);
  await waitFor("its limits four times", () => count(box, "re-files", `${60 * 1024 * 1024}`) === 4);
  assertEquals(monitorOf(box, "re-files"), monitor);
  assertEquals(Deno.readTextFileSync(`/proc/${monitor}/comm`), "paddock: re-fil\n");
  await waitFor("32 kB at most", () => residentOf(monitor) <= 32);
  assertEquals((await seen(box, "re-files"))["status"], "running");
  assertEquals((await out(box, "exec", "re-files", "cat", "/kept")).length, 8);
}, ["overlay", "memory"]);

test("it is paused for longer and longer, and says so; stop ends the pause", async (box) => {
  await begin(
    box,
    ["--name", "re-fast", "--restart", "always"],
    "read up idle </proc/uptime; echo $up >>/times; exit 3",
  );
  const counted = () => [...Deno.readDirSync(`${box.paddock.root}/re-fast`)].some(({ name }) => name === "restarts");
  await waitFor("its first end", counted);
  await waitFor("the sixth pause", () => Deno.readFileSync(`${box.paddock.root}/re-fast/restarts`)[0]! >= 6);
  // Of 3.2 seconds at least.
  assertStringIncludes(await out(box, "ps"), "Restarting (3)");
  assertStringIncludes((await box.paddock.run(["exec", "re-fast", "true"])).stderr, "about to be started again");
  assertStringIncludes((await box.paddock.run(["rm", "re-fast"])).stderr, "paddock stop re-fast");
  assertEquals(await out(box, "stop", "re-fast"), "re-fast\n");
  const { status, exit, stopped } = await seen(box, "re-fast");
  assertEquals({ status, stopped, code: (exit as { code: number }).code }, {
    status: "stopped",
    stopped: true,
    code: 3,
  });
  const times = Deno.readTextFileSync(`${box.rootfs}/times`).trim().split("\n").map((line) => Number(line) * 1000);
  const pauses = times.slice(1).map((time, index) => time - times[index]!);
  // Never shorter than it says (it is told in hundredths); how much longer is the host's business.
  pauses.slice(0, 4).forEach((pause, index) => assert(pause >= 100 * 2 ** index - 10, pauses.join(" ")));
});

test("kill, rm -f and SIGTERM to the monitor end it for good", async (box) => {
  const script = "trap 'exit 5' TERM; while :; do sleep 0.05; done";
  for (const name of ["re-kill", "re-term", "re-rm"]) await begin(box, ["--name", name, "--restart", "always"], script);
  await out(box, "kill", "re-kill", "KILL");
  assertEquals(await out(box, "wait", "re-kill"), "137\n");
  assertEquals((await seen(box, "re-kill"))["stopped"], true);
  Deno.kill(monitorOf(box, "re-term"), "SIGTERM");
  assertEquals(await out(box, "wait", "re-term"), "5\n");
  // As at a shutdown: nobody wants it to stay so.
  assertEquals((await seen(box, "re-term"))["stopped"], undefined);
  assertEquals(await out(box, "rm", "-f", "re-rm"), "re-rm\n");
  assertEquals((await out(box, "ps", "-aq")).split("\n").includes("re-rm"), false);
});

test("with a terminal, a user namespace and an init it is started again as well", async (box) => {
  const script = "echo run; exit 1";
  await begin(box, ["--name", "re-tty", "-t", "--restart", "on-failure:1"], "tty; exit 1");
  await begin(box, ["--name", "re-user", "--userns", "100000:100000:65536", "--restart", "on-failure:2"], script);
  await begin(box, ["--name", "re-init", "--init", "--restart", "on-failure:1"], script);
  for (const name of ["re-tty", "re-user", "re-init"]) assertEquals(await out(box, "wait", name), "1\n", name);
  assertEquals(Deno.readTextFileSync(logOf(box, "re-tty")), "/dev/pts/0\r\n".repeat(2));
  assertEquals([count(box, "re-user", "run"), count(box, "re-init", "run")], [3, 2]);
});

test("start --all-restartable after a boot: what was to run runs, what its user has ended does not", async (box) => {
  const runs = "exec sleep 4522";
  const names = { always: "re-a", "unless-stopped": "re-u", "on-failure": "re-f" };
  for (const [policy, name] of Object.entries(names)) await begin(box, ["--name", name, "--restart", policy], runs);
  await begin(box, ["--name", "re-ended", "--restart", "unless-stopped"], runs);
  await begin(box, ["--name", "re-none"], runs);
  await out(box, "stop", "-t", "0", "re-ended");
  const monitors = [...Object.values(names), "re-none"].map((name) => monitorOf(box, name));
  for (const monitor of monitors) Deno.kill(monitor, "SIGKILL");
  await waitFor("their end", () => monitors.every((pid) => !isAlive(pid)));
  // As after a boot: the state root is a tmpfs, and their cgroups are gone.
  Deno.removeSync(box.paddock.root, { recursive: true });
  assertEquals(await out(box, "start", "--all-restartable"), "re-a\nre-f\nre-u\n");
  for (const name of Object.values(names)) assertEquals((await seen(box, name))["status"], "running", name);
  for (const name of ["re-ended", "re-none"]) assert((await seen(box, name))["status"] !== "running", name);
  assertEquals(await out(box, "start", "--all-restartable"), "");
});

test("generate systemd prints a unit for one, and one for the boot", async (box) => {
  await begin(box, ["--name", "re-unit", "--restart", "always"], "exec sleep 4523");
  const unit = await out(box, "generate", "systemd", "re-unit");
  assert(/^ExecStart=.* start .* re-unit$/m.test(unit), unit);
  assertStringIncludes(await out(box, "generate", "systemd"), "start --root");
  const { code, stderr } = await box.paddock.run(["generate", "cron"]);
  assertEquals(code, 125);
  assertStringIncludes(stderr, "generate systemd");
});

test("systemd takes the units as they are", async (box) => {
  await begin(box, ["--name", "re-unit"], "exec sleep 4524");
  for (const words of [[], ["re-unit"]]) {
    const file = box.file(`unit${words.length}.service`, await out(box, "generate", "systemd", ...words));
    const { code, stderr } = await call(["systemd-analyze", "verify", "--man=no", file]);
    assertEquals([code, stderr.split("\n").filter((line) => line.includes(`unit${words.length}`))], [0, []]);
  }
}, ["tool:systemd-analyze"]);

test("what cannot be is refused", async (box) => {
  const refused = async (words: readonly string[], part: string) => {
    const { code, stderr } = await box.run(["true"], words);
    assertEquals(code, 125);
    assertStringIncludes(stderr, part);
  };
  await refused(["--restart", "always"], "add -d");
  await refused(["-d", "--rm", "--restart", "always"], "contradict");
  await refused(["-d", "--restart", "sometimes"], "'sometimes' is no restart policy");
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
