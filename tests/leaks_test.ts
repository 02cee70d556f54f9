/**
 * Nothing is left behind: not by 200 runs, not by errors, and not by SIGKILL at any moment once gc has been there.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Box, findProcesses, listChildren, waitFor } from "./support/box.ts";
import { busybox } from "./support/fixtures.ts";
import { comparePictures, expectNoLeaks, findLeaks, takePicture } from "./support/leaks.ts";
import { call } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `leaks: ${name}`,
    ...requires("root", "tool:busybox"),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

/** How long the sleepers sleep: how they are known among the processes of the host. */
const NAP = `77.${Deno.pid}`;

const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

test("200 runs of true leave no trace", async (box) => {
  const { tar } = await busybox();
  await box.paddock.run(["run", tar, "true"]);
  await expectNoLeaks(box.paddock, async () => {
    // Two at a time, from a directory and from an archive in turn.
    const queue = Array.from({ length: 200 }, (_, at) => at);
    const work = async (): Promise<void> => {
      for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
        const { code, stderr } = await box.paddock.run([
          "run",
          "--memory",
          "64m",
          at % 2 === 0 ? box.rootfs : tar,
          "true",
        ]);
        assertEquals(code, 0, stderr);
      }
    };
    await Promise.all([work(), work()]);
  });
});

test("errors at every stage leave no trace", async (box) => {
  const file = box.file("file", "");
  await expectNoLeaks(box.paddock, async () => {
    const failures: readonly string[][] = [
      ["--memory", "64m", box.rootfs, "nosuch"],
      ["-v", `${file}:/tmp`, box.rootfs, "true"],
      ["--sysctl", "net.ipv4.nosuch=1", box.rootfs, "true"],
      ["--cpuset-cpus", "4000", box.rootfs, "true"],
      ["--name", "failed", box.rootfs, "nosuch"],
      ["--name", "failed", "-v", `${file}:/tmp`, box.rootfs, "true"],
      ["--memory", "64m", "--swap", "0", box.rootfs, "dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1"],
      [(await busybox()).tar, "nosuch"],
    ];
    for (const words of failures) assertNotEquals((await box.paddock.run(["run", ...words])).code, 0, words.join(" "));
  });
});

test("a launcher that is killed at any of 50 moments leaves nothing that gc does not remove", async (box) => {
  const { tar } = await busybox();
  await box.paddock.run(["run", tar, "true"]);
  const before = takePicture(box.paddock);
  for (let turn = 0; turn < 50; turn++) {
    const image = turn % 2 === 0 ? box.rootfs : tar;
    const child = box.paddock.start(["run", "--memory", "64m", "--pids-limit", "20", image, "sh", "-c", "sleep 0.05"]);
    // From before anything was made to after the end: a run takes about 150 ms here and more on slower hosts.
    await pause(turn * 5);
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await Promise.all([child.stdin.close(), child.stdout.cancel(), child.stderr.cancel()]);
    await child.status;
  }
  const { code, stderr } = await box.paddock.run(["gc"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(await findLeaks(before, box.paddock), []);
});

test("the next run removes what a killed one has left", async (box) => {
  const before = takePicture(box.paddock);
  const child = await startSleeper(box, []);
  child.kill("SIGKILL");
  await child.output();
  await pause(100);
  assertNotEquals(comparePictures(before, takePicture(box.paddock)), []);
  assertEquals((await box.run(["true"])).code, 0);
  assertEquals(await findLeaks(before, box.paddock), []);
});

async function startSleeper(box: Box, flags: readonly string[]): Promise<Deno.ChildProcess> {
  const child = box.paddock.start(["run", "--name", "sleeper", "--rm", ...flags, box.rootfs, "sleep", NAP]);
  await child.stdin.close();
  await waitFor("the container", () => listChildren(child.pid).length > 0 && countSleepers() > 0);
  return child;
}

/** Processes of the host with the sleeper's command line. */
function countSleepers(): number {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => {
    try {
      return /^\d+$/.test(name) && Deno.readTextFileSync(`/proc/${name}/cmdline`) === `sleep\0${NAP}\0`;
    } catch {
      return false;
    }
  }).length;
}

for (
  const [words, flags] of [
    ["root", []],
    ["another user", ["--user", "1000"]],
    ["no capabilities", ["--cap-drop", "ALL"]],
    ["an init", ["--init"]],
    ["the host's process ids", ["--pid", "host"]],
  ] as const
) {
  test(`SIGKILL of a foreground paddock kills a container with ${words}`, async (box) => {
    await expectNoLeaks(box.paddock, async () => {
      const child = await startSleeper(box, flags);
      child.kill("SIGKILL");
      await child.output();
      await waitFor("the end of its command", () => countSleepers() === 0);
      assertEquals((await box.paddock.run(["gc"])).code, 0);
    });
  });
}

test("gc leaves alone what runs", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const child = await startSleeper(box, ["--memory", "64m"]);
    assertEquals((await box.paddock.run(["gc"])).code, 0);
    assertEquals((await box.run(["true"])).code, 0);
    assertEquals(countSleepers(), 1);
    assertEquals(findProcesses("paddock: sleeper").length, 1);
    child.kill("SIGTERM");
    await pause(50);
    assertEquals(countSleepers(), 1);
    assertEquals((await box.paddock.run(["rm", "-f", "sleeper"])).code, 0);
    assertEquals((await child.output()).code, 137);
  });
});

test("a container that leaves processes behind takes them with it", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const script = `sleep ${NAP} & setsid sleep ${NAP} & (trap '' TERM HUP; sleep ${NAP} &) ; sleep 0.1; exit 0`;
    for (const flags of [[], ["--init"], ["--pid", "host"]]) {
      assertEquals((await box.sh(`(${script}) > /dev/null 2>&1`, flags)).code, 0);
      await waitFor(`no process of a container with ${flags.join(" ")}`, () => countSleepers() === 0);
    }
  });
});

test("a paddock whose own file is gone says what remains, and gc removes it", async (box) => {
  const before = takePicture(box.paddock);
  const [file, ...words] = box.paddock.command(["run", "--name", "orphan", "--rm", "--memory", "64m", box.rootfs]);
  const copy = box.path("copy");
  await call(["sh", "-c", `ln ${file} ${copy} 2>/dev/null || cp ${file} ${copy}`]);
  const child = new Deno.Command(copy, {
    args: [...words, "sleep", NAP],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  })
    .spawn();
  await waitFor("the container", () => listChildren(child.pid).length > 0 && countSleepers() > 0);
  Deno.removeSync(copy);
  // A command that a signal ends is explained by paddock, if it is still there.
  Deno.kill(listChildren(child.pid)[0]!, "SIGKILL");
  const { code, stderr } = await child.output();
  assertEquals(code, 137);
  assertMatch(
    new TextDecoder().decode(stderr),
    /cannot execute \S+ to clean up after orphan: run `paddock gc`|killed by SIGKILL/,
  );
  assertEquals((await box.paddock.run(["gc"])).code, 0);
  assertEquals(await findLeaks(before, box.paddock), []);
});

test("a container's end in the middle of another's start harms neither", async (box) => {
  await expectNoLeaks(box.paddock, async () => {
    const runs = Array.from(
      { length: 12 },
      (_, at) => box.sh(`sleep 0.0${at % 5}; exit ${at}`, ["--pids-limit", "30"]),
    );
    const codes = (await Promise.all(runs)).map(({ code }) => code);
    assertEquals(codes, Array.from({ length: 12 }, (_, at) => at));
    assert(codes.length === 12);
  });
});
