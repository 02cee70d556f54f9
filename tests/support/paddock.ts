/**
 * Runs the paddock under test, with state of its own.
 *
 * It is the source (`deno run main.ts`), or the file that PADDOCK_BIN names.
 *
 *     using paddock = new Paddock();
 *     const { code, stdout } = await paddock.run(["run", rootfs.dir, "echo", "hello"]);
 *
 * @module
 */
import { join, resolve } from "@std/path";

/** How paddock is called, beside its words. */
export interface CallOptions {
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Only `env`, nothing of the test's own. */
  readonly clearEnv?: boolean;
  readonly cwd?: string;
  /** What it reads; without it, `/dev/null`. */
  readonly stdin?: string | Uint8Array | ReadableStream<Uint8Array>;
  /** It is killed, and the call fails, after so many milliseconds; a minute unless given. Five times that in a guest. */
  readonly timeout?: number;
  /** Words before paddock's own command, such as `["setpriv", "--reuid=1000"]`. */
  readonly under?: readonly string[];
}

/** What came of a call. */
export interface Outcome {
  readonly code: number;
  /** The signal that ended it, where one did. */
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it was, for what is not text. */
  readonly bytes: Uint8Array;
}

/** The words that start the paddock under test, the first an absolute path. */
export const PADDOCK_COMMAND: readonly string[] = findCommand();

/** True where a built file is tested and not the source. */
export const IS_BUILT: boolean = Deno.env.get("PADDOCK_BIN") !== undefined;

/** How many times longer than on a host things may take: guests are emulated. */
export const PATIENCE = Deno.env.get("PADDOCK_GUEST") === undefined ? 1 : 5;

/** A paddock with state and data directories that nobody else uses; both go when it is disposed. */
export class Paddock implements Disposable {
  /** `--root`. */
  readonly root: string;
  /** `--data-root`. */
  readonly dataRoot: string;
  /** A directory for files of the test. */
  readonly work: string;
  readonly #home: string;

  constructor() {
    // Not in /tmp: some hosts have a tmpfs there, too small for a root filesystem.
    this.#home = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-test-" });
    this.root = join(this.#home, "run");
    this.dataRoot = join(this.#home, "data");
    this.work = join(this.#home, "work");
    Deno.mkdirSync(this.work);
  }

  /** The whole command line for paddock's own words; the roots go behind the verb, before its words. */
  command(words: readonly string[]): string[] {
    const [verb, ...rest] = words;
    const roots = ["--root", this.root, "--data-root", this.dataRoot];
    return verb === undefined ? [...PADDOCK_COMMAND] : [...PADDOCK_COMMAND, verb, ...roots, ...rest];
  }

  /** Calls paddock and waits for its end. @throws Error where it takes longer than it may. */
  async run(words: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    return await call(this.command(words), options);
  }

  /** Starts paddock with pipes for all three of its streams; the caller waits for it and closes what is left. */
  start(words: readonly string[], options: Omit<CallOptions, "stdin" | "timeout"> = {}): Deno.ChildProcess {
    const [file, ...args] = [...options.under ?? [], ...this.command(words)];
    return new Deno.Command(file!, { args, ...pick(options), stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
  }

  [Symbol.dispose](): void {
    this.#endContainers();
    Deno.removeSync(this.#home, { recursive: true });
  }

  /** A test that fails leaves its containers, whose cgroups and names would be in the way of the next. */
  #endContainers(): void {
    for (const { name, isDirectory } of isThere(this.root) ? Deno.readDirSync(this.root) : []) {
      if (!isDirectory || name.startsWith(".")) continue;
      const [file, ...args] = this.command(["rm", "--force", name]);
      new Deno.Command("timeout", { args: ["30", file!, ...args], stdin: "null", stdout: "null", stderr: "null" })
        .outputSync();
    }
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Calls any command and waits for its end. @throws Error where it takes longer than it may. */
export async function call(command: readonly string[], options: CallOptions = {}): Promise<Outcome> {
  const [file, ...args] = [...options.under ?? [], ...command];
  const input = options.stdin;
  const child = new Deno.Command(file!, {
    args,
    ...pick(options),
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, (options.timeout ?? 60_000) * PATIENCE);
  try {
    const [output] = await Promise.all([child.output(), input === undefined ? undefined : feed(child, input)]);
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
    if (late) throw new Error(`${command.join(" ")} did not end in time; it said: ${stdout}${stderr}`);
    return { code: output.code, signal: output.signal, stdout: stdout!, stderr: stderr!, bytes: output.stdout };
  } finally {
    clearTimeout(timer);
  }
}

function pick({ env, clearEnv, cwd }: CallOptions): Pick<Deno.CommandOptions, "env" | "clearEnv" | "cwd"> {
  return {
    ...(env === undefined ? {} : { env: clearEnv ? { ...env } : { ...CACHE, ...env } }),
    ...(clearEnv === undefined ? {} : { clearEnv }),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

/** A source that is run with another HOME finds its packages where they are. */
const CACHE: Readonly<Record<string, string>> = IS_BUILT ? {} : { DENO_DIR: findCache() };

function findCache(): string {
  const { DENO_DIR, XDG_CACHE_HOME, HOME = "/root" } = Deno.env.toObject();
  return DENO_DIR ?? join(XDG_CACHE_HOME ?? join(HOME, ".cache"), "deno");
}

/** A command that does not read all of its input is no failure of the test. */
async function feed(child: Deno.ChildProcess, input: NonNullable<CallOptions["stdin"]>): Promise<void> {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const stream = bytes instanceof Uint8Array ? ReadableStream.from([bytes]) : bytes;
  try {
    await stream.pipeTo(child.stdin);
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function findCommand(): string[] {
  const built = Deno.env.get("PADDOCK_BIN");
  if (built !== undefined) return [resolve(built)];
  const root = join(import.meta.dirname!, "../..");
  const imports = Deno.env.get("PADDOCK_IMPORTS") === "jsr"
    ? ["--config", join(root, "deno.json")]
    : ["--no-config", "--import-map", join(root, "scripts/offline/import_map.json")];
  return [Deno.execPath(), "run", ...imports, "--no-lock", "--cached-only", "-A", join(root, "main.ts")];
}
