/**
 * Health checks of containers in the background.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { begin, out, seen, testInBackground } from "./support/background.ts";
import type { Box } from "./support/box.ts";
import { findProcesses, waitFor } from "./support/box.ts";
import { expectNoLeaks } from "./support/leaks.ts";

const test = (name: string, fn: (box: Box) => Promise<void>): void => testInBackground(`health: ${name}`, fn);

test("a check is run in the container, and what follows is shown", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const flags = ["--name", "he-web", "--health-cmd", "echo asked; test -e /ok", "--health-retries", "2"];
    await begin(box, flags, "exec sleep 4540");
    const check = () => box.paddock.run(["healthcheck", "run", "he-web"]);
    const state = async () => JSON.parse(await out(box, "inspect", "he-web"))[0].State.Health;
    assertEquals((await state()).Status, "starting");
    assertStringIncludes(await out(box, "ps"), "(health: starting)");
    const first = await check();
    assertEquals([first.code, first.stdout, first.stderr], [1, "starting\n", "asked\n"]);
    assertEquals([(await check()).stdout, (await seen(box, "he-web"))["health"]], ["unhealthy\n", "unhealthy"]);
    const { FailingStreak, Log } = await state();
    assertEquals([FailingStreak, Log.length, Log[1].ExitCode, Log[1].Output], [2, 2, 1, "asked\n"]);
    await out(box, "exec", "he-web", "touch", "/ok");
    const well = await check();
    assertEquals([well.code, well.stdout], [0, "healthy\n"]);
    assertStringIncludes(await out(box, "ps"), "(healthy)");
    assertEquals(await out(box, "ps", "-q", "--filter", "health=healthy"), "he-web\n");
    assertEquals(await out(box, "ps", "-q", "--filter", "health=unhealthy"), "");
    const events = Deno.readTextFileSync(`${box.paddock.root}/.events`);
    for (const status of ["unhealthy", "healthy"]) assertStringIncludes(events, `"health_status":"${status}"`);
    // Another start is another life.
    await out(box, "restart", "-t", "0", "he-web");
    assertEquals((await state()).Status, "starting");
    await out(box, "rm", "-f", "he-web");
  });
});

test("a check that takes too long has failed, and is ended", async (box) => {
  const flags = [
    "--name",
    "he-slow",
    "--health-cmd",
    '["sleep", "4541"]',
    "--health-timeout",
    "1s",
    "--health-retries",
  ];
  await begin(box, [...flags, "1"], "exec sleep 4542");
  const { code, stdout, stderr } = await box.paddock.run(["healthcheck", "run", "he-slow"]);
  assertEquals([code, stdout], [1, "unhealthy\n"]);
  assertStringIncludes(stderr, "longer than 1 s");
  await waitFor("its end", () => !findProcesses("sleep").some((pid) => commandOf(pid).includes("4541")));
});

test("where there is no check, or nothing to be checked, that is said", async (box) => {
  await begin(box, ["--name", "he-none"], "exec sleep 4543");
  const refused = async (name: string, part: string) => {
    const { code, stderr } = await box.paddock.run(["healthcheck", "run", name]);
    assertEquals(code, 125);
    assertStringIncludes(stderr, part);
  };
  await refused("he-none", "has no health check");
  await begin(box, ["--name", "he-over", "--health-cmd", "true"], "true");
  await out(box, "wait", "he-over");
  await refused("he-over", "it is stopped");
  await begin(box, ["--name", "he-off", "--no-healthcheck"], "exec sleep 4544");
  await refused("he-off", "has no health check");
  const unit = await out(box, "generate", "systemd", "--health", "he-over");
  assert(/^ExecStart=.* healthcheck .*run he-over$/m.test(unit), unit);
  assertStringIncludes(unit, "RestartSec=30\n");
});

function commandOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return "";
  }
}
