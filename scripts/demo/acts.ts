/**
 * The acts of the demo: each runs commands on the stage and holds their outcome against what it must be.
 *
 * @module
 */
import { join } from "@std/path";
import { writeRootfs } from "./rootfs.ts";
import type { Said, Stage } from "./stage.ts";
import { findLauncher, findLeftovers, findTraces, waitFor } from "./traces.ts";

/** One act. */
export interface Act {
  readonly title: string;
  /** Plays it. @throws Error saying what is not as it must be. */
  play(stage: Stage): Promise<string>;
}

/** The acts in their order; the first makes what the others use. */
export const ACTS: readonly Act[] = [
  { title: "An image is a tarball", play: makeTarball },
  { title: "Its files are the container's whole world", play: lookAround },
  { title: "It is process 1, and sees no other", play: listProcesses },
  { title: "A directory of the host, read-only", play: mountReadOnly },
  { title: "A name and a network of its own", play: showNames },
  { title: "100 MB of memory and no swap", play: exhaustMemory },
  { title: "Nothing is hidden", play: explainLimits },
  { title: "A container as a program", play: compileProgram },
  { title: "Killed, and nothing is left", play: killLauncher },
];

const IMAGE = "rootfs.tar.gz";

async function makeTarball(stage: Stage): Promise<string> {
  await writeRootfs(join(stage.work, IMAGE));
  Deno.writeTextFileSync(join(stage.work, "rootfs.json"), JSON.stringify({ Config: { Cmd: ["sh"] } }));
  stage.tell("`docker export` writes the files of a container as a tarball. This one has a few programs of this host;");
  stage.tell("rootfs.json beside it says what a tarball cannot: which command it runs (`docker inspect` writes that).");
  const { size } = Deno.statSync(join(stage.work, IMAGE));
  expect(await stage.paddock(["import", IMAGE]), { code: 0 });
  return `${IMAGE}, ${megabytes(size)}: unpacked once, known by its digest, and never written to`;
}

async function lookAround(stage: Stage): Promise<string> {
  stage.tell("What chroot began: another /. The host's own files have no name in there.");
  const said = await stage.paddock(["run", IMAGE, "ls", "/", "/bin"]);
  expect(said, { code: 0, stdout: /^proc$/m });
  const outside = join(stage.work, IMAGE);
  const secret = await stage.paddock(["run", IMAGE, "ls", outside]);
  expect(secret, { stderr: /No such file|not found|cannot access/ });
  if (secret.code === 0) throw new Error(`${outside} can be seen from inside`);
  return "the host's files are out of reach";
}

async function listProcesses(stage: Stage): Promise<string> {
  const said = await stage.paddock(["run", IMAGE, "ps", "-e"]);
  const [, ...rows] = said.stdout.trim().split("\n").map((line) => line.trim().split(/\s+/));
  expect(said, { code: 0 });
  if (rows.length !== 1 || rows[0]![0] !== "1" || rows[0]!.at(-1) !== "ps") {
    throw new Error("ps must see itself as process 1, and nothing else");
  }
  return "a pid namespace: one process, number 1";
}

async function mountReadOnly(stage: Stage): Promise<string> {
  Deno.mkdirSync(join(stage.work, "readonlyfiles"));
  Deno.writeTextFileSync(join(stage.work, "readonlyfiles/hi.txt"), "hello\n");
  const volume = ["-v", "./readonlyfiles:/var/readonlyfiles:ro"];
  const read = await stage.paddock(["run", ...volume, IMAGE, "cat", "/var/readonlyfiles/hi.txt"]);
  expect(read, { code: 0, stdout: /^hello$/m });
  const script = "echo changed > /var/readonlyfiles/hi.txt";
  const written = await stage.paddock(["run", ...volume, IMAGE, "sh", "-c", script]);
  expect(written, { stderr: /read-only file system/i });
  if (written.code === 0) throw new Error("the write must fail");
  const after = Deno.readTextFileSync(join(stage.work, "readonlyfiles/hi.txt"));
  if (after !== "hello\n") throw new Error(`the host's file has changed: ${after}`);
  return "read inside, refused to be written, unchanged outside";
}

async function showNames(stage: Stage): Promise<string> {
  const host = Deno.hostname();
  const said = await stage.paddock(["run", "--hostname", "paddock", IMAGE, "sh", "-c", "hostname; ls /sys/class/net"]);
  expect(said, { code: 0, stdout: /^paddock\nlo\n$/ });
  if (Deno.hostname() !== host) throw new Error("the host's name has changed");
  return `inside: paddock, with a loopback device of its own; outside still: ${host}`;
}

async function exhaustMemory(stage: Stage): Promise<string> {
  stage.tell("A line without an end, kept in memory until it ends.");
  const said = await stage.paddock(["run", "--memory", "100m", "--swap", "0", IMAGE, "tail", "/dev/zero"]);
  expect(said, { code: 137, stderr: /out of memory/ });
  const available = /^MemAvailable:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/meminfo"))?.[1];
  return `the kernel killed it at its limit (exit code 137); this host goes on, ${
    megabytes(Number(available) * 1024)
  } of memory available`;
}

async function explainLimits(stage: Stage): Promise<string> {
  stage.tell("The same command as the shell commands that would do it, each with its reason. An excerpt:");
  const words = ["explain", "--memory", "100m", "--swap", "0", IMAGE, "tail", "/dev/zero"];
  const said = await stage.paddock(words, {
    excerpt: (lines) =>
      pickParagraphs(lines, [/memory\.(memsw\.)?(limit_in_bytes|max|swap\.max)$/, /^unshare --mount/, /pivot_root/]),
  });
  expect(said, { code: 0, stdout: /^echo 104857600 > .*memory/m });
  const steps = said.stdout.split("\n").filter((line) => line !== "" && !/^\s*#/.test(line));
  return `${steps.length} shell commands in all; what is printed is what runs`;
}

async function compileProgram(stage: Stage): Promise<string> {
  stage.tell("The steps of a container as one static executable: neither paddock nor Deno is needed to start it.");
  const words = ["--memory", "100m", IMAGE, "sh", "-c", "echo hello from process $$"];
  expect(await stage.paddock(["compile", "-o", "hello", ...words]), { code: 0 });
  const { size } = Deno.statSync(join(stage.work, "hello"));
  const begun = performance.now();
  expect(await stage.command(["./hello"]), { code: 0, stdout: /^hello from process 1$/m });
  return `${(size / 1000).toFixed(0)} kB, and ${(performance.now() - begun).toFixed(0)} ms from start to end`;
}

async function killLauncher(stage: Stage): Promise<string> {
  const name = "demo";
  const before = findTraces(stage.home, name);
  stage.tell("What a container has on the host: cgroups and two directories. Its mounts are its own.");
  const child = stage.start(["run", "--name", name, "--rm", "--memory", "100m", IMAGE, "sleep", "60"]);
  const launcher = await waitFor(() => findLauncher(name));
  try {
    if (launcher === undefined) throw new Error("the container did not start");
    const during = findTraces(stage.home, name);
    stage.show(`host        before  while it runs`);
    for (const kind of ["mounts", "cgroups", "directories"] as const) {
      stage.show(`${kind.padEnd(12)}${`${before[kind].length}`.padStart(6)}${`${during[kind].length}`.padStart(15)}`);
    }
    expect(await stage.command(["kill", "-KILL", `${launcher}`]), { code: 0 });
  } finally {
    if (launcher === undefined) child.kill("SIGTERM");
    await child.status;
  }
  expect(await stage.paddock(["gc"]), { code: 0 });
  expect(await stage.paddock(["ps", "-a"]), { code: 0 });
  const clean = await waitFor(() =>
    findLeftovers(before, findTraces(stage.home, name)).length === 0 ? true : undefined
  );
  if (clean === undefined) {
    throw new Error(`left behind: ${findLeftovers(before, findTraces(stage.home, name)).join(", ")}`);
  }
  return "after all these containers: no mount, no cgroup, no directory more than before";
}

/** What must be so of a command's outcome. */
interface Expected {
  readonly code?: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

function expect(said: Said, { code, stdout, stderr }: Expected): void {
  if (code !== undefined && said.code !== code) throw new Error(`exit code ${said.code}, and not ${code}`);
  if (stdout !== undefined && !stdout.test(said.stdout)) throw new Error(`it must print ${stdout}`);
  if (stderr !== undefined && !stderr.test(said.stderr)) throw new Error(`it must say ${stderr}`);
}

/** The paragraphs that have a line like one of these. */
function pickParagraphs(lines: readonly string[], wanted: readonly RegExp[]): string[] {
  const paragraphs = lines.join("\n").split(/\n\n+/).map((text) => text.split("\n"));
  return paragraphs.filter((paragraph) => paragraph.some((line) => wanted.some((like) => like.test(line)))).flatMap((
    paragraph,
    index,
  ) => index === 0 ? paragraph : ["", ...paragraph]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
