import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { assemble } from "../../lib/program/assemble.ts";
import { examplePlan } from "../../lib/program/plan_example.ts";
import { type Act, step, text } from "../../lib/program/step.ts";
import { requires } from "../../tests/support/requires.ts";
import { packExecutable } from "./pack.ts";
import { readRuntime } from "./runtime.ts";
import { wrapModule } from "./wrap.ts";
import { type StubArch, stubCode } from "./stub.ts";

const FLAGS = ["run", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--cached-only", "--ext=js", "-A"];

/** Says how it was started. */
const PROGRAM = `
  const env = Deno.env.toObject();
  const names = Object.keys(env).sort();
  let cwd;
  try { cwd = Deno.cwd(); } catch { cwd = "gone"; }
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name)).sort((a, b) => a - b);
  const said = { args: Deno.args, names, file: Deno.execPath(), cwd, nofile: env.PADDOCK_NOFILE, descriptors };
  console.log(JSON.stringify(said));
  if (Deno.args[0] === "cat") await Deno.stdin.readable.pipeTo(Deno.stdout.writable);
  if (Deno.args[0] === "exit") Deno.exit(Number(Deno.args[1]));
`;

interface Said {
  readonly args: string[];
  readonly names: string[];
  readonly file: string;
  readonly cwd: string;
  readonly nofile: string;
  readonly descriptors: number[];
}

let isPacked = false;
const dir = Deno.makeTempDirSync({ prefix: "paddock-pack-" });
const file = join(dir, "packed");
globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));

async function pack(): Promise<void> {
  if (isPacked) return;
  isPacked = true;
  const runtime = await readRuntime(Deno.build.arch, dir);
  const environment = ["DENO_DIR=/dev/null/none", "OURS=1"];
  const packed = packExecutable(runtime, { pieces: { "main.js": wrapModule(PROGRAM) }, flags: FLAGS, environment });
  Deno.writeFileSync(file, packed, { mode: 0o755 });
}

async function sh(script: string, options: Deno.CommandOptions = {}): Promise<{ code: number; out: string }> {
  const { code, stdout } = await new Deno.Command("/bin/sh", { args: ["-c", script], stderr: "inherit", ...options })
    .output();
  return { code, out: new TextDecoder().decode(stdout) };
}

function parse(out: string): Said {
  return JSON.parse(out.split("\n")[0]!) as Said;
}

Deno.test("a packed file runs its program with the user's words as they are", async () => {
  await pack();
  const { code, out } = await sh(`${file} exit 7 --help -A '' 'a b' -- --version`);
  assertEquals(code, 7);
  assertEquals(parse(out).args, ["exit", "7", "--help", "-A", "", "a b", "--", "--version"]);
  assertEquals(parse(out).file, file);
});

Deno.test("a packed file runs with no environment at all, and keeps what would steer the runtime out of it", async () => {
  assertEquals(parse((await sh(`cd / && exec env -i ${file}`)).out).names, ["DENO_DIR", "OURS", "PADDOCK_NOFILE"]);
  const env = { DENO_DIR: "/nowhere", DENO_V8_FLAGS: "--nonsense", DEN: "1", D: "", DENOX: "2", PATH: "/bin" };
  const { out } = await sh(`exec ${file}`, { clearEnv: true, env });
  assertEquals(parse(out).names.filter((name) => !/^(PWD|_|OLDPWD|SHLVL)$/.test(name)), [
    "D",
    "DEN",
    "DENOX",
    "DENO_DIR",
    "OURS",
    "PADDOCK_NOFILE",
    "PATH",
  ]);
});

Deno.test("a packed file tells the limit on open files that it was started with", async () => {
  const { out } = await sh(`ulimit -S -n 300; ulimit -H -n 400; exec ${file}`);
  assertEquals(parse(out).nofile, "000000000000012c:0000000000000190");
});

Deno.test("a packed file runs in a directory that is gone, with many descriptors open, by many at once", async () => {
  const gone = join(dir, "gone");
  Deno.mkdirSync(gone);
  assertEquals(parse((await sh(`cd ${gone} && rmdir ${gone} && exec ${file} x`)).out).args, ["x"]);
  assertEquals(parse((await sh(`exec 3<&0 4<&0 5<&0 6<&0 7<&0 8<&0 9<&0; exec ${file} y`)).out).args, ["y"]);
  const many = await Promise.all(Array.from({ length: 8 }, (_, at) => sh(`exec ${file} ${at}`)));
  assertEquals(many.map(({ out }) => parse(out).args[0]), ["0", "1", "2", "3", "4", "5", "6", "7"]);
});

Deno.test("a packed file leaves standard input to its program", async () => {
  const { out } = await sh(`printf 'one\\ntwo' | ${file} cat`);
  assertMatch(out, /\none\ntwo$/);
});

Deno.test("what is no runtime cannot be packed, and the error says why", () => {
  const packing = { pieces: {}, flags: [], environment: [] };
  assertThrows(() => packExecutable(new Uint8Array(10), packing), RangeError, "no 64-bit little-endian ELF file");
  const file = Deno.readFileSync("/proc/self/exe").slice(0, 64);
  file[18] = 8;
  assertThrows(() => packExecutable(file, packing), RangeError, "machine 8");
});

/** How the packed file is called: `words` after its own name, and nothing in the environment but `env`. */
interface Call {
  readonly words: readonly string[];
  /** In the order of the names. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Words before its own path. */
  readonly under?: readonly string[];
}

const KEPT = "/run/paddock/.launchers";
const TITLE = "paddock: the test's";
const RUN: Call = { words: ["run", "image", "sh"], env: { A: "1", HOME: "/home/two" } };

async function callPacked({ words, env = {}, cwd = dir, under = [] }: Call): Promise<{ code: number; out: string }> {
  const [command, ...args] = [...under, file, ...words];
  const { code, stdout } = await new Deno.Command(command!, { args, env: { ...env }, clearEnv: true, cwd }).output();
  return { code, out: new TextDecoder().decode(stdout) };
}

/** What a call starts: the ordinary program, or a kept launcher. */
async function whatStarts(call: Call): Promise<"program" | "launcher"> {
  const { code, out } = await callPacked(call);
  if (code === SEALS) {
    assertMatch(out, /^paddock: /);
    return "launcher";
  }
  assertEquals(code, 0);
  assertEquals(parse(out).args, [...call.words]);
  return "program";
}

/** The key of a call, as the stub makes it. */
async function keyOf({ words, env = {}, cwd = dir }: Call): Promise<Uint8Array<ArrayBuffer>> {
  // Of the environment only HOME, of which `~` is made.
  const home = env["HOME"] === undefined ? [] : [`HOME=${env["HOME"]}`];
  const strings = [cwd, file, file, ...words, ...home];
  const encoded = new TextEncoder().encode(strings.map((string) => `${string}\0`).join(""));
  const key = new Uint8Array(136 + encoded.length);
  key.set(await statOf(file));
  const [soft, hard] = ownLimit();
  const view = new DataView(key.buffer);
  view.setBigUint64(120, soft, true);
  view.setBigUint64(128, hard, true);
  key.set(encoded, 136);
  return key;
}

/** Where `struct stat` has what (`asm/stat.h`): offset and size, by the words of stat(1). */
const STAT: Readonly<Record<StubArch, Readonly<Record<string, readonly [at: number, size: 4 | 8]>>>> = {
  x86_64: {
    ...{ "%d": [0, 8], "%i": [8, 8], "%h": [16, 8], "0x%f": [24, 4], "%u": [28, 4] },
    ...{ "%g": [32, 4], "%r": [40, 8], "%s": [48, 8], "%o": [56, 8], "%b": [64, 8] },
  },
  aarch64: {
    ...{ "%d": [0, 8], "%i": [8, 8], "0x%f": [16, 4], "%h": [20, 4], "%u": [24, 4] },
    ...{ "%g": [28, 4], "%r": [32, 8], "%s": [48, 8], "%o": [56, 4], "%b": [64, 8] },
  },
};

/** The first 120 bytes of `struct stat`, without the time of the last access. */
async function statOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const fields = STAT[Deno.build.arch];
  const { out } = await sh(`stat -L -c '${Object.keys(fields).join(" ")} %.9Y %.9Z' ${path}`);
  const words = out.trim().split(/[ .]/).map(BigInt);
  // Seconds and nanoseconds of the last change of content, then of status.
  const all: (readonly [number, 4 | 8])[] = [...Object.values(fields), [88, 8], [96, 8], [104, 8], [112, 8]];
  const view = new DataView(new ArrayBuffer(120));
  all.forEach(([at, size], index) => {
    if (size === 8) view.setBigUint64(at, words[index]!, true);
    else view.setUint32(at, Number(words[index]), true);
  });
  return new Uint8Array(view.buffer);
}

/** RLIMIT_NOFILE of this process, which its children have too. */
function ownLimit(): [soft: bigint, hard: bigint] {
  const row = /^Max open files +(\S+) +(\S+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))!;
  const [soft, hard] = row.slice(1).map((word) => word === "unlimited" ? 0xffffffffffffffffn : BigInt(word));
  return [soft!, hard!];
}

/** The file of a call: 64 bytes, its key, a launcher. */
function entryOf(key: Uint8Array, launcher = LAUNCHER): Uint8Array<ArrayBuffer> {
  const entry = new Uint8Array(64 + key.length + launcher.length);
  const view = new DataView(entry.buffer);
  entry.set(new TextEncoder().encode("paddockL"));
  view.setBigUint64(8, BigInt(key.length), true);
  view.setBigUint64(16, BigInt(launcher.length), true);
  entry.set(new TextEncoder().encode(TITLE), 24);
  entry.set(key, 64);
  entry.set(launcher, 64 + key.length);
  return entry;
}

/** The name of a key's file: its 32-bit FNV-1a. */
function pathOf(key: Uint8Array): string {
  const hash = key.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5 | 0);
  return join(KEPT, (hash >>> 0).toString(16).padStart(8, "0"));
}

/** Keeps a launcher for a call, whole and good unless `make` puts something else there; it is gone when disposed. */
async function keep(
  call: Call,
  make: (path: string, entry: Uint8Array<ArrayBuffer>) => void = writeEntry,
): Promise<Disposable> {
  await pack();
  Deno.mkdirSync(KEPT, { recursive: true, mode: 0o700 });
  const key = await keyOf(call);
  const path = pathOf(key);
  make(path, entryOf(key));
  return { [Symbol.dispose]: () => Deno.removeSync(path) };
}

function writeEntry(path: string, entry: Uint8Array): void {
  Deno.writeFileSync(path, entry, { mode: 0o600, createNew: true });
}

/** All that fcntl(2) can seal: the launcher below ends with the seals of its own file. */
const SEALS = 15;

/** Writes its argv, its environment and the name of its own file. */
const SAY: Act = {
  what: "say",
  why: "for a test",
  shell: [],
  steps: [
    ...["cmdline", "environ"].flatMap((name) => [
      step("openat", [-1, text(`/proc/self/${name}`), 0, 0]),
      step("read", [{ previous: 1 }, { region: "buffer" }, 256]),
      step("write", [1, { region: "buffer" }, { previous: 1 }]),
      step("write", [1, text("|"), 1]),
    ]),
    step("readlinkat", [-1, text("/proc/self/exe"), { region: "buffer" }, 256]),
    step("write", [1, { region: "buffer" }, { previous: 1 }]),
    step("openat", [-1, text("/proc/self/exe"), 0, 0]),
    step("fcntl", [{ previous: 1 }, 1034, 0]), // F_GET_SEALS
    step("exit_group", [{ previous: 1 }]),
    step("exit_group", [99], { label: "fault" }),
  ],
};
const LAUNCHER = assemble(
  examplePlan([SAY], { arch: Deno.build.arch, regions: { buffer: { size: 256 } }, fault: "fault" }),
);

const KEEPS = requires("root", "tool:stat");

Deno.test({
  name: "a kept launcher is executed from a sealed memory file, with its title, the environment and a mark in it",
  ...KEEPS,
  fn: async () => {
    using _kept = await keep(RUN);
    const { code, out } = await callPacked(RUN);
    assertEquals(out, `${TITLE}\0|PADDOCK_ANEW=1\0A=1\0HOME=/home/two\0|/memfd:paddock (deleted)`);
    assertEquals(code, SEALS);
  },
});

Deno.test({
  name: "a launcher is kept for one call: another word, home, directory or build starts the program",
  ...KEEPS,
  fn: async () => {
    using _kept = await keep(RUN);
    assertEquals(await whatStarts({ ...RUN, words: ["run", "image", "sh", ""] }), "program");
    assertEquals(await whatStarts({ ...RUN, words: ["run", "image", "si"] }), "program");
    assertEquals(await whatStarts({ ...RUN, words: ["run", "imagesh"] }), "program");
    assertEquals(await whatStarts({ ...RUN, env: { A: "1", HOME: "/home/twO" } }), "program");
    assertEquals(await whatStarts({ ...RUN, env: { A: "1", HOME: "" } }), "program");
    assertEquals(await whatStarts({ ...RUN, env: { A: "1", HOMER: "/home/two" } }), "program");
    assertEquals(await whatStarts({ ...RUN, env: {} }), "program");
    assertEquals(await whatStarts({ ...RUN, env: { A: "other", MORE: "", HOME: "/home/two" } }), "launcher");
    assertEquals(await whatStarts({ ...RUN, cwd: "/" }), "program");
    assertEquals(await whatStarts(RUN), "launcher");
    Deno.utimeSync(file, 1, 1);
    assertEquals(await whatStarts(RUN), "program");
  },
});

Deno.test({
  name: "a launcher is kept for one limit on open files",
  ...requires("root", "tool:stat", "tool:prlimit"),
  fn: async () => {
    using _kept = await keep(RUN);
    const [soft, hard] = ownLimit();
    assertEquals(await whatStarts({ ...RUN, under: ["prlimit", `--nofile=${soft}:${hard}`] }), "launcher");
    assertEquals(await whatStarts({ ...RUN, under: ["prlimit", `--nofile=${soft - 1n}:${hard}`] }), "program");
  },
});

Deno.test({
  name: "no launcher is looked for without `run` and a word, or where PADDOCK_ANEW is set",
  ...KEEPS,
  fn: async () => {
    for (const words of [[], ["run"], ["create", "image", "sh"], ["runs", "image"], ["ru", "image"], ["", "image"]]) {
      const call = { ...RUN, words };
      using _kept = await keep(call);
      assertEquals(await whatStarts(call), "program", words.join(" "));
    }
    const names = ["PADDOCK_ANEW", "PADDOCK_ANEWER", "PADDOCK_ANE", "PADDOCK_", "XPADDOCK_ANEW"];
    for (const name of names) {
      const call = { ...RUN, env: { A: "1", [name]: "" } };
      using _kept = await keep(call);
      assertEquals(await whatStarts(call), name === "PADDOCK_ANEW" ? "program" : "launcher", name);
    }
    const { out } = await callPacked({ ...RUN, env: { PADDOCK_ANEW: "1" } });
    assertEquals(parse(out).names.includes("PADDOCK_ANEW"), true);
  },
});

Deno.test({
  name: "a launcher is kept for a call without an environment, and for words of up to 16 kB",
  ...KEEPS,
  fn: async () => {
    const bare = { words: RUN.words };
    using _bare = await keep(bare);
    assertEquals(await whatStarts(bare), "launcher");
    const rest = 16384 - (await keyOf({ ...RUN, words: ["run", ""] })).length;
    const longest = { ...RUN, words: ["run", "x".repeat(rest)] };
    using _longest = await keep(longest);
    assertEquals(await whatStarts(longest), "launcher");
    const longer = { ...RUN, words: ["run", "x".repeat(rest + 1)] };
    using _longer = await keep(longer);
    assertEquals(await whatStarts(longer), "program");
    const long = { ...RUN, words: ["run", "x".repeat(100_000), "y"] };
    using _long = await keep(long);
    assertEquals(await whatStarts(long), "program");
  },
});

/** What may lie in the place of a good file, each by what it is. */
const WRONG: Readonly<Record<string, (path: string, entry: Uint8Array<ArrayBuffer>) => void>> = {
  "a file that its group may read": (path, entry) => {
    writeEntry(path, entry);
    Deno.chmodSync(path, 0o640);
  },
  "a file that others may execute": (path, entry) => {
    writeEntry(path, entry);
    Deno.chmodSync(path, 0o601);
  },
  "another user's file": (path, entry) => {
    writeEntry(path, entry);
    Deno.chownSync(path, 1, 0);
  },
  "a symlink": (path, entry) => {
    const target = Deno.makeTempFileSync({ dir });
    Deno.writeFileSync(target, entry, { mode: 0o600 });
    Deno.symlinkSync(target, path);
  },
  "a directory": (path) => Deno.mkdirSync(path, { mode: 0o700 }),
  "a pipe that nobody writes to": (path) => {
    const { success } = new Deno.Command("mkfifo", { args: ["-m", "600", path] }).outputSync();
    assertEquals(success, true);
  },
  "an empty file": (path) => writeEntry(path, new Uint8Array()),
  "a file without its last byte": (path, entry) => writeEntry(path, entry.subarray(0, -1)),
  "a file with a byte more": (path, entry) => writeEntry(path, new Uint8Array([...entry, 0])),
  "a file that ends in its key": (path, entry) => writeEntry(path, entry.subarray(0, 100)),
  "another magic": (path, entry) => writeEntry(path, changed(entry, 7)),
  "another key, first byte": (path, entry) => writeEntry(path, changed(entry, 64)),
  "another key, last byte": (path, entry) => writeEntry(path, changed(entry, entry.length - LAUNCHER.length - 1)),
  "another length of the key": (path, entry) => writeEntry(path, changed(entry, 8)),
  "another size of the launcher": (path, entry) => writeEntry(path, changed(entry, 16)),
  "a file without a launcher": (path, entry) => writeEntry(path, withLauncher(entry, new Uint8Array())),
  "a launcher of more than 1 MB": (path, entry) => writeEntry(path, withLauncher(entry, padded((1 << 20) + 1))),
  "a launcher that is no program": (path, entry) => writeEntry(path, withLauncher(entry, new Uint8Array(4096))),
};

function changed(entry: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  return entry.map((byte, index) => index === at ? byte ^ 1 : byte);
}

function withLauncher(entry: Uint8Array<ArrayBuffer>, launcher: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return entryOf(entry.subarray(64, entry.length - LAUNCHER.length), launcher);
}

function padded(size: number): Uint8Array<ArrayBuffer> {
  const launcher = new Uint8Array(size);
  launcher.set(LAUNCHER);
  return launcher;
}

for (const [what, make] of Object.entries(WRONG)) {
  Deno.test({
    name: `${what} in a launcher's place is left alone, and the program starts with no descriptor more`,
    ...KEEPS,
    fn: async () => {
      const plain = parse((await callPacked({ ...RUN, words: ["run", "no", "launcher"] })).out).descriptors;
      using _kept = await keep(RUN, make);
      assertEquals(await whatStarts(RUN), "program");
      assertEquals(parse((await callPacked(RUN)).out).descriptors, plain);
    },
  });
}

/** Words that make a system call fail, and what starts then. */
const FAILING: readonly (readonly [inject: string, starts: "program" | "launcher"])[] = [
  // Linux before 6.3 knows no MFD_EXEC.
  ["memfd_create:error=EINVAL:when=1", "launcher"],
  ["memfd_create:error=EINVAL:when=1..2", "program"],
  ["memfd_create:error=EACCES:when=1", "program"],
  ["sendfile:error=EIO", "program"],
  ["sendfile:retval=0", "program"],
  ["fcntl:error=EPERM:when=1", "program"],
  ["execveat:error=ENOEXEC", "program"],
  ["geteuid:retval=1000:when=1", "program"],
];

Deno.test({
  name: "a launcher that cannot be copied, sealed or executed, or is not root's to start, leaves the program to start",
  ...requires("root", "tool:stat", "tool:strace"),
  fn: async () => {
    using _kept = await keep(RUN);
    for (const [inject, starts] of FAILING) {
      const under = ["strace", "-o", "/dev/null", "-e", `inject=${inject}`];
      assertEquals(await whatStarts({ ...RUN, under }), starts, inject);
    }
  },
});

Deno.test({
  name: "a kept launcher may have 1 MB, and a title 39 bytes",
  ...KEEPS,
  fn: async () => {
    using _kept = await keep(RUN, (path, entry) => {
      const full = withLauncher(entry, padded(1 << 20));
      writeEntry(path, full.fill("t".charCodeAt(0), 24, 64));
    });
    const { code, out } = await callPacked(RUN);
    assertEquals(out.split("|")[0], `${"t".repeat(39)}\0`);
    assertEquals(code, SEALS);
  },
});

for (const [arch, tools] of [["x86_64", ""], ["aarch64", "aarch64-linux-gnu-"]] as [StubArch, string][]) {
  const assembler = `${tools}as`;
  const has = (await sh(`command -v ${assembler} ${tools}objcopy`)).code === 0;
  const usable = has && (tools !== "" || Deno.build.arch === arch);
  Deno.test({
    name: `the machine code for ${arch} is its listing assembled`,
    ignore: !usable,
    fn: async () => {
      const listing = join(import.meta.dirname!, `stub_${arch}.s`);
      const work = join(dir, arch);
      const { code } = await sh(
        `${assembler} -o ${work}.o ${listing} && ${tools}objcopy -O binary -j .text ${work}.o ${work}.bin`,
      );
      assertEquals(code, 0);
      assertEquals(Deno.readFileSync(`${work}.bin`).toHex(), stubCode(arch).toHex());
    },
  });
}
