import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
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
  console.log(JSON.stringify({ args: Deno.args, names, file: Deno.execPath(), cwd, nofile: env.PADDOCK_NOFILE }));
  if (Deno.args[0] === "cat") await Deno.stdin.readable.pipeTo(Deno.stdout.writable);
  if (Deno.args[0] === "exit") Deno.exit(Number(Deno.args[1]));
`;

interface Said {
  readonly args: string[];
  readonly names: string[];
  readonly file: string;
  readonly cwd: string;
  readonly nofile: string;
}

const dir = Deno.makeTempDirSync({ prefix: "paddock-pack-" });
const file = join(dir, "packed");
globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));

async function pack(): Promise<void> {
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
