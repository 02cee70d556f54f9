/**
 * Runs that are taken from the cache of launchers: the same container as one that is worked out, and never a stale one.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { pruneImages } from "../lib/runtime/prune_images.ts";
import { Box, findProcesses, waitFor } from "./support/box.ts";
import { busybox, copyFixture } from "./support/fixtures.ts";
import { type MadeImage, makeLayer, tarUp, writeLayout } from "./support/images.ts";
import { expectNoLeaks } from "./support/leaks.ts";
import { callOn } from "./support/old_kernel.ts";
import { type CallOptions, type Outcome, PADDOCK_COMMAND } from "./support/paddock.ts";
import { type Ability, requires } from "./support/requires.ts";
import { Terminal } from "./support/terminal.ts";

/** Only the packed file looks into the cache before its runtime starts. */
const NEEDS: readonly Ability[] = ["built", "root", "tool:busybox", "tool:strace"];

function test(name: string, fn: (box: Box) => Promise<void>, more: readonly Ability[] = []): void {
  Deno.test({
    name: `cache: ${name}`,
    ...requires(...NEEDS, ...more),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

interface Traced extends Outcome {
  /** What did it: a launcher from the cache, or paddock, whose runtime has started. */
  readonly by: "cache" | "paddock";
}

/**
 * Calls paddock, and sees whether its runtime starts before the command: the memory file with the loader's script is the
 * sign. After it `paddock finish` may have to clean up.
 */
async function trace(box: Box, words: readonly string[], options: CallOptions = {}): Promise<Traced> {
  const log = box.path("strace");
  const strace = ["strace", "-qq", "-e", "trace=memfd_create,execve", "-o", log];
  const outcome = await box.paddock.run(words, { ...options, under: [...strace, ...options.under ?? []] });
  const [before = ""] = Deno.readTextFileSync(log).split(/execve\("[^"]*", \["[^"]*", "finish"/);
  const files = before.split("\n").filter((line) => line.includes("memfd_create("));
  return { ...outcome, by: files.every((line) => line.includes("MFD_ALLOW_SEALING")) ? "cache" : "paddock" };
}

/** Runs it until it comes from the cache; gives how it came out then. */
async function prime(box: Box, words: readonly string[], options: CallOptions = {}): Promise<Traced> {
  const first = await trace(box, words, options);
  assertEquals(first.by, "paddock", "the first run is worked out");
  const second = await trace(box, words, options);
  assertEquals([second.by, second.code, second.stdout], ["cache", first.code, first.stdout], second.stderr);
  return second;
}

/** What a container can see of itself, without what is different each time. */
const LOOK = `
id; pwd; umask; ulimit -a; env | sort; cat /proc/self/mountinfo | cut -d' ' -f4- ; cat /proc/self/cgroup; ls -l /proc/self/fd
grep -E '^(Cap|NoNewPrivs|Seccomp:|SigI|SigB|SigC|Groups|Threads)' /proc/self/status; cat /etc/hosts /etc/hostname /etc/resolv.conf
ls -ln /dev / | sed 's/ *[0-9]* /  /'; cat /proc/net/dev | cut -d: -f1; cat /proc/1/cmdline; cat /proc/self/oom_score_adj; ls -l /proc/self/ns | wc -l
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; readlink /proc/self/cwd`;

/** Numbers that the kernel deals out (mounts, inodes, devices without a name, processes), and times. */
function normalize(text: string): string {
  return text.replaceAll(/rootfs-\d{7}/g, "rootfs-N").replaceAll(/\d{7}/g, "N").replaceAll(/\d+:\d+/g, "N:N")
    .replaceAll(/\[\d+\]/g, "[N]").replaceAll(/\/proc\/\d+/g, "/proc/N").replaceAll(/[A-Z][a-z]{2} +\d+ +N:N/g, "T");
}

const FLAGS: readonly (readonly string[])[] = [
  [],
  [
    "--memory",
    "64m",
    "--pids-limit",
    "50",
    "--cpus",
    "0.5",
    "-e",
    "A=b",
    "-w",
    "/var/new",
    "-u",
    "7:8",
    "--umask",
    "027",
  ],
  [
    "--init",
    "--read-only",
    "--tmpfs",
    "/scratch:size=1m",
    "--hostname",
    "h",
    "--add-host",
    "a:1.2.3.4",
    "--ulimit",
    "nofile=9:10",
  ],
  [
    "--network",
    "host",
    "--pid",
    "host",
    "--ipc",
    "host",
    "--uts",
    "host",
    "--cap-add",
    "net_admin",
    "--cap-drop",
    "chown",
  ],
  ["--userns", "0:100000:65536", "--time-offset", "boottime=100"],
];

for (const flags of FLAGS) {
  test(`the container is the same as one that is worked out: ${flags.join(" ") || "no flags"}`, async (box) => {
    const { tar } = await busybox();
    for (const image of [box.rootfs, tar]) {
      const words = ["run", ...flags, image, "sh", "-c", LOOK];
      // A directory gets its mount points with the first run.
      await trace(box, words, { env: { PADDOCK_ANEW: "1" } });
      const anew = await trace(box, words, { env: { PADDOCK_ANEW: "1" } });
      const cached = await trace(box, words);
      assertEquals([anew.by, cached.by], ["paddock", "cache"], anew.stderr);
      assertEquals(normalize(cached.stdout), normalize(anew.stdout));
      assertEquals([cached.code, cached.stderr], [anew.code, anew.stderr]);
      assert(cached.stdout.length > 1000, cached.stdout);
    }
  });
}

test("input, output and exit code are the command's own, from the cache as well", async (box) => {
  const words = ["run", box.rootfs, "sh", "-c", "cat; echo err >&2; exit 42"];
  await prime(box, words);
  const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) & 0xff);
  const cached = await trace(box, words, { stdin: bytes });
  assertEquals([cached.by, cached.code, cached.stderr], ["cache", 42, "err\n"]);
  assertEquals(cached.bytes, bytes);
});

test("the caller's environment does not matter, but for HOME; one that is asked for does", async (box) => {
  box.file("mine/x", "mine");
  const words = ["run", "-v", "~:/mnt", box.rootfs, "cat", "/mnt/x"];
  const env = { HOME: box.path("mine") };
  assertEquals((await prime(box, words, { env })).stdout, "mine");
  assertEquals((await trace(box, words, { env: { ...env, OTHER: "1", TERM: "x" } })).by, "cache");
  box.file("yours/x", "yours");
  const yours = await trace(box, words, { env: { HOME: box.path("yours") } });
  assertEquals([yours.by, yours.stdout], ["paddock", "yours"]);
  const asked = ["run", "-e", "GIVEN", box.rootfs, "sh", "-c", 'echo "$GIVEN"'];
  for (const value of ["1", "2", "2"]) {
    const { by, stdout } = await trace(box, asked, { env: { GIVEN: value } });
    assertEquals([by, stdout], ["paddock", `${value}\n`]);
  }
});

test("a user that the rootfs now knows by another number has that", async (box) => {
  const passwd = (uid: number) =>
    Deno.writeTextFileSync(`${box.rootfs}/etc/passwd`, `root:x:0:0::/root:/bin/sh\napp:x:${uid}:5::/:/bin/sh\n`);
  const words = ["run", "-u", "app", box.rootfs, "id", "-u"];
  passwd(1001);
  assertEquals((await prime(box, words)).stdout, "1001\n");
  passwd(1002);
  const changed = await trace(box, words);
  assertEquals([changed.by, changed.stdout], ["paddock", "1002\n"]);
  assertEquals((await trace(box, words)).by, "cache", "what was worked out anew is kept");
});

test("an archive that was replaced, and one with a configuration beside it now, are looked at anew", async (box) => {
  const archive = box.path("a.tar");
  const other = await copyFixture(await busybox(), box.path("other"));
  Deno.writeTextFileSync(join(other, "which"), "second");
  const pack = (from: string) =>
    new Deno.Command("tar", { args: ["-C", from, "-cf", archive, "--exclude=./dev/*", "."] }).outputSync();
  Deno.writeTextFileSync(join(box.rootfs, "which"), "first");
  pack(box.rootfs);
  const words = ["run", archive, "sh", "-c", 'cat /which; echo "$BESIDE"'];
  assertEquals((await prime(box, words)).stdout, "first\n");
  pack(other);
  const replaced = await trace(box, words);
  assertEquals([replaced.by, replaced.stdout], ["paddock", "second\n"]);
  assertEquals((await trace(box, words)).by, "cache");
  box.file("a.json", JSON.stringify({ config: { Env: ["BESIDE=beside", "PATH=/bin"] } }));
  const beside = await trace(box, words);
  assertEquals([beside.by, beside.stdout], ["paddock", "secondbeside\n"]);
});

test("a directory in place of the one that was run is looked at anew", async (box) => {
  const other = await copyFixture(await busybox(), box.path("other"));
  const link = box.path("link");
  Deno.symlinkSync(box.rootfs, link);
  Deno.writeTextFileSync(`${other}/which`, "other");
  const words = ["run", link, "sh", "-c", "cat /which || echo none"];
  await prime(box, words);
  Deno.removeSync(link);
  Deno.symlinkSync(other, link);
  const moved = await trace(box, words);
  assertEquals([moved.by, moved.stdout], ["paddock", "other"]);
});

test("another host name, fewer capabilities, another mount, a filter of system calls: all is worked out anew", async (box) => {
  const words = ["run", "--uts", "host", box.rootfs, "sh", "-c", "hostname; grep CapBnd /proc/self/status"];
  const usual = (await prime(box, words)).stdout;
  const renamed = await trace(box, words, {
    under: ["unshare", "-u", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"],
  });
  assertEquals([renamed.by, renamed.stdout.split("\n")[0]], ["paddock", "elsewhere"]);
  const poorer = await trace(box, words, { under: ["setpriv", "--bounding-set", "-net_raw"] });
  assertEquals(poorer.by, "paddock");
  assertNotEquals(poorer.stdout, usual);
  const mount = ["unshare", "-m", "sh", "-c", `mount -t tmpfs none ${box.directory("t")}; exec "$@"`, "sh"];
  assertEquals((await trace(box, words, { under: mount })).by, "paddock");
  const filtered = await callOn("5.10", box.paddock.command(words));
  assertEquals([filtered.code, filtered.stdout], [0, usual], filtered.stderr);
});

test("at a terminal the command gets one, although the run without one is in the cache", async (box) => {
  const words = ["run", box.rootfs, "sh", "-c", "test -t 0 && test -t 1 && echo at a terminal; true"];
  assertEquals((await prime(box, words)).stdout, "");
  const command = box.paddock.command(words).map((word) => `'${word}'`).join(" ");
  for (let turn = 0; turn < 2; turn++) {
    const terminal = new Terminal(command);
    await terminal.see(/at a terminal/);
    assertEquals(await terminal.end(), 0);
  }
  assertEquals((await trace(box, words)).stdout, "");
}, ["terminal"]);

test("what fails before the command begins is said by paddock, and leaves nothing", async (box) => {
  const source = box.directory("source");
  const words = ["run", "-v", `${source}:/mnt`, box.rootfs, "/mine"];
  const program = join(box.rootfs, "mine");
  Deno.writeTextFileSync(program, "#!/bin/sh\necho mine\n", { mode: 0o755 });
  assertEquals((await prime(box, words)).stdout, "mine\n");
  await expectNoLeaks(box.paddock, async () => {
    Deno.removeSync(program);
    const missing = await trace(box, words);
    assertEquals([missing.by, missing.code], ["paddock", 127]);
    assertStringIncludes(missing.stderr, "/mine");
    Deno.writeTextFileSync(program, "#!/bin/sh\necho again\n", { mode: 0o755 });
    assertEquals((await trace(box, words)).stdout, "again\n");
    Deno.removeSync(source);
    const gone = await trace(box, words);
    assertEquals([gone.by, gone.code], ["paddock", 125]);
    assertStringIncludes(gone.stderr, `cannot mount ${source}: no such file or directory`);
  });
});

test("a command that fails, dies or is killed for its memory is told of as ever", async (box) => {
  for (const script of ["exit 125", "exit 126", "kill -SEGV $$", "kill -TERM $$", "head -c 200m /dev/zero | tail"]) {
    const words = ["run", "--memory", "32m", "--swap", "0", box.rootfs, "sh", "-c", script];
    const anew = await trace(box, words);
    const cached = await trace(box, words);
    const told = ({ code, stdout, stderr }: Outcome) => [code, stdout, stderr.replaceAll(/peak [\d.]+ \w+/g, "peak")];
    assertEquals(told(cached), told(anew), script);
  }
});

test("a launcher that was killed is found by the next run, although that is in the cache", async (box) => {
  const words = ["run", box.rootfs, "true"];
  await prime(box, words);
  await expectNoLeaks(box.paddock, async () => {
    const sleep = ["run", "--memory", "64m", box.rootfs, "sleep", "4321"];
    for (let turn = 0; turn < 2; turn++) {
      const child = box.paddock.start(sleep);
      const [id] = await waitFor("its directory", () => {
        const ids = [...Deno.readDirSync(box.paddock.root)].map(({ name }) => name).filter((name) =>
          !name.startsWith(".")
        );
        return ids.length > 0 && ids;
      });
      await waitFor("its pid", () => pidOf(box, id!));
      child.kill("SIGKILL");
      await Promise.all([child.stdin.close(), child.stdout.cancel(), child.stderr.cancel(), child.status]);
      const { by, code, stderr } = await trace(box, words);
      assertEquals([by, code], ["paddock", 0], stderr);
      assertEquals([...Deno.readDirSync(box.paddock.root)].filter(({ isDirectory }) => isDirectory), []);
      assertEquals((await trace(box, words)).by, "cache");
    }
  });
});

function pidOf(box: Box, id: string): string | undefined {
  try {
    return Deno.readTextFileSync(join(box.paddock.root, id, "pid"));
  } catch {
    return undefined;
  }
}

test("beside containers that live, and one that is kept, a run is taken from the cache", async (box) => {
  assertEquals((await box.paddock.run(["run", "--name", "stays", box.rootfs, "true"])).code, 0);
  const children = ["--memory=64m", "--name=lives"].map((flag) =>
    box.paddock.start(["run", flag, box.rootfs, "sleep", "4322"])
  );
  await waitFor("two that sleep", () => findProcesses("sleep").length >= 2);
  await waitFor(
    "two that run",
    () => [...Deno.readDirSync(box.paddock.root)].filter(({ name }) => pidOf(box, name)).length >= 2,
  );
  await prime(box, ["run", box.rootfs, "true"]);
  const listed = JSON.parse((await box.paddock.run(["ps", "-a", "--json"])).stdout) as Record<string, unknown>[];
  assertEquals(listed.map(({ status }) => status).sort(), ["running", "running", "stopped"]);
  for (const one of listed) {
    assertMatch(String(one["created"]), /^20\d\d-/);
    if (one["status"] === "running") assertEquals(one["command"], ["sleep", "4322"]);
  }
  for (const { id, status } of listed) {
    assertEquals((await box.paddock.run(["rm", ...(status === "running" ? ["-f"] : []), String(id)])).code, 0);
  }
  for (const child of children) {
    await Promise.all([child.stdin.close(), child.stdout.cancel(), child.stderr.cancel(), child.status]);
  }
});

test("many at once from the cache are many containers, and leave nothing", async (box) => {
  const { tar } = await busybox();
  for (const image of [box.rootfs, tar]) {
    const words = ["run", "--memory", "64m", image, "sh", "-c", "hostname; echo x > /written"];
    assertEquals([(await trace(box, words)).by, (await trace(box, words)).by], ["paddock", "cache"]);
    await expectNoLeaks(box.paddock, async () => {
      const names = new Set<string>();
      for (let round = 0; round < 5; round++) {
        const all = await Promise.all(Array.from({ length: 8 }, () => box.paddock.run(words)));
        for (const { code, stdout, stderr } of all) {
          assertEquals([code, stderr], [0, ""]);
          names.add(stdout);
        }
      }
      assertEquals(names.size, 40);
    });
  }
});

test("closed standard descriptors stay closed, and the container sees nothing of the host's", async (box) => {
  const words = ["run", box.rootfs, "sh", "-c", "ls -l /proc/self/fd | sed 's/.* \\([0-9]* -> .*\\)/\\1/'"];
  const closed = { under: ["sh", "-c", 'exec "$@" <&-', "sh"] };
  const anew = await trace(box, words, { ...closed, env: { PADDOCK_ANEW: "1" } });
  const cached = await trace(box, words, closed);
  assertEquals(cached.code, 0);
  assert(!/paddock|lock|strace/.test(cached.stdout), cached.stdout);
  assertEquals(normalize(cached.stdout).replaceAll(/:\S+/g, ""), normalize(anew.stdout).replaceAll(/:\S+/g, ""));
});

test("what is not in the words is worked out each time: names, files of words, standard input, traces", async (box) => {
  const list = box.file("list", "FROM_FILE=1\n");
  const { tar } = await busybox();
  const runs: readonly (readonly [flags: readonly string[], image: string, options?: CallOptions])[] = [
    [["--rm", "--name", "named"], box.rootfs],
    [["--env-file", list], box.rootfs],
    [["--trace"], box.rootfs],
    [["--device", "/dev/null:/dev/other"], box.rootfs],
    [["--privileged"], box.rootfs],
    [[], "-", { stdin: Deno.readFileSync(tar) }],
  ];
  for (const [flags, image, options] of runs) {
    for (let turn = 0; turn < 2; turn++) {
      const { by, code, stderr } = await trace(box, ["run", ...flags, image, "true"], options);
      assertEquals([by, code], ["paddock", 0], `${flags.join(" ")} ${stderr}`);
    }
  }
});

test("a copy of paddock elsewhere has runs of its own", async (box) => {
  const words = box.paddock.command(["run", box.rootfs, "true"]).slice(PADDOCK_COMMAND.length);
  await prime(box, ["run", box.rootfs, "true"]);
  const copy = box.path("copy");
  Deno.copyFileSync(PADDOCK_COMMAND[0]!, copy);
  const log = box.path("log");
  const { code } = await new Deno.Command("strace", {
    args: ["-qq", "-e", "trace=memfd_create", "-o", log, copy, ...words],
    stdin: "null",
  }).output();
  assertEquals(code, 0);
  assert(Deno.readTextFileSync(log).split("\n").some((line) => /memfd_create/.test(line) && !/SEALING/.test(line)));
});

test("an image in an archive is taken from the cache; one in a layout, or by name, may be another at any time", async (box) => {
  const fixture = await busybox();
  const image = (text: string): MadeImage => ({
    layers: [Deno.readFileSync(fixture.tar), makeLayer({ path: "etc/added", text })],
    config: { Cmd: ["cat", "/etc/added"] },
    names: ["docker.io/library/web:1"],
  });
  const archive = box.path("web.tar");
  const layout = box.path("oci");
  const save = (text: string): string => tarUp(writeLayout(layout, [image(text)]), archive);
  save("one");
  assertEquals((await prime(box, ["run", archive])).stdout, "one");
  save("two");
  const again = await trace(box, ["run", archive]);
  assertEquals([again.by, again.stdout], ["paddock", "two"], again.stderr);
  assertEquals((await trace(box, ["run", archive])).by, "cache");
  // Its layers go, as after gc --images.
  assert((await pruneImages(box.paddock)).length > 0);
  const anew = await trace(box, ["run", archive]);
  assertEquals([anew.code, anew.stdout], [0, "two"], anew.stderr);
  assertEquals((await box.paddock.run(["load", "-i", archive])).stdout, "web:1\n");
  for (const word of [layout, `oci:${layout}`, `oci-archive:${archive}`, "web:1"]) {
    for (const _ of [1, 2]) {
      const { by, stdout, stderr } = await trace(box, ["run", word]);
      assertEquals([by, stdout], ["paddock", "two"], `${word}: ${stderr}`);
    }
  }
});
