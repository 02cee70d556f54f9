/**
 * Where one case is tried: a directory, a bundle, a runtime with state of its own, and the containers that it made.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { waitFor } from "../support/box.ts";
import { busybox } from "../support/fixtures.ts";
import { call, type CallOptions, type Outcome } from "../support/paddock.ts";
import { type Change, changeBase, type Fields } from "./base_config.ts";
import type { Runtime } from "./runtimes.ts";

/** A change, or how to make one that needs the place. */
export type Changes = Change | ((place: Place) => Change | Promise<Change>);

/** How a container is created, beside its configuration. */
export interface CreateOptions {
  readonly id?: string;
  readonly flags?: readonly string[];
  /** Options before the verb. */
  readonly globals?: readonly string[];
}

/** What came of a create; the container's own output goes to files. */
export interface Created extends Outcome {
  readonly id: string;
}

/** A place for one case; everything in it goes when it is disposed, containers first. */
export class Place implements AsyncDisposable {
  readonly #home = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-test-" });
  readonly #ids = new Set<string>();
  readonly #last: (() => unknown)[] = [];

  private constructor(readonly runtime: Runtime) {}

  /** Makes one, with a bundle whose root filesystem has busybox. */
  static async make(runtime: Runtime): Promise<Place> {
    const place = new Place(runtime);
    // The root of a user namespace passes through it.
    Deno.chmodSync(place.path("."), 0o755);
    Deno.mkdirSync(place.bundle);
    makeRootfs(place.rootfs, (await busybox()).dir);
    Deno.mkdirSync(place.path("out"), { mode: 0o777 });
    Deno.chmodSync(place.path("out"), 0o777);
    return place;
  }

  /** The bundle. */
  get bundle(): string {
    return this.path("bundle");
  }

  /** Its root filesystem. */
  get rootfs(): string {
    return join(this.bundle, "rootfs");
  }

  /** What `--root` names. */
  get stateRoot(): string {
    return this.path("run");
  }

  /** A path of the place. */
  path(name: string): string {
    return join(this.#home, name);
  }

  /** An id that no other container has. */
  newId(): string {
    return `c${crypto.randomUUID().slice(0, 8)}`;
  }

  /** Something to be done at the end, before the directory goes. */
  defer(act: () => unknown): void {
    this.#last.unshift(act);
  }

  /** A file of the place with this text; its path. */
  file(name: string, text: string, mode = 0o644): string {
    Deno.writeTextFileSync(this.path(name), text, { mode });
    Deno.chmodSync(this.path(name), mode);
    return this.path(name);
  }

  /** A mount of the directory `out` on `/out`, for what cannot be said on standard output. */
  get outMount(): Fields {
    return { destination: "/out", type: "bind", source: this.path("out"), options: ["rbind"] };
  }

  /** Writes the bundle's config.json. */
  async write(changes: Changes = {}): Promise<void> {
    const change = typeof changes === "function" ? await changes(this) : changes;
    Deno.writeTextFileSync(join(this.bundle, "config.json"), JSON.stringify(changeBase(change)));
  }

  /** Calls a verb of the runtime. */
  async verb(
    words: readonly string[],
    { globals = [], ...options }: CallOptions & CreateOptions = {},
  ): Promise<Outcome> {
    return await call(this.#words(globals, words), { timeout: 30_000, ...options });
  }

  /** Calls any command of the host, such as one that calls the runtime in its way. */
  async call(command: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    return await call(command, { timeout: 30_000, ...options });
  }

  /** A verb that must succeed; what it prints. */
  async ok(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.verb(words);
    assertEquals(code, 0, `${words.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** A verb that must fail; what it says. */
  async fails(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.verb(words);
    assert(code !== 0, `${words.join(" ")} succeeds: ${stdout}`);
    return stderr;
  }

  /** Tries to create a container of the bundle as it is. */
  async tryCreate({ id = this.newId(), flags = [], globals = [] }: CreateOptions = {}): Promise<Created> {
    this.#ids.add(id);
    // The container has these for as long as it lives: a pipe would not end.
    const [out, err] = [this.path(`${safe(id)}.out`), this.path(`${safe(id)}.err`)];
    const words = this.#words(globals, ["create", "--bundle", this.bundle, ...flags, id]);
    const outcome = await call(["sh", "-c", 'exec >"$1" 2>"$2"; shift 2; exec "$@"', "sh", out, err, ...words], {
      timeout: 30_000,
    });
    return { ...outcome, id, stdout: Deno.readTextFileSync(out), stderr: Deno.readTextFileSync(err) };
  }

  /** A container of the bundle with these changes; its id. */
  async create(changes: Changes = {}, options: CreateOptions = {}): Promise<string> {
    await this.write(changes);
    const { id, code, stderr } = await this.tryCreate(options);
    assertEquals(code, 0, `create: ${stderr}`);
    return id;
  }

  /** A container that runs this script, started; its id. */
  async start(script: string, changes: Changes = {}, options: CreateOptions = {}): Promise<string> {
    const id = await this.create(withScript(changes, script), options);
    await this.ok("start", id);
    return id;
  }

  /** What a container that runs this script has said when the script ended. */
  async outputOf(script: string, changes: Changes = {}): Promise<string> {
    const id = await this.start(`{ ${script}\n} 2>&1; echo ${END}`, changes);
    await waitFor("the end of the script", () => this.output(id).endsWith(`${END}\n`));
    await this.ok("delete", "--force", id);
    return this.output(id).slice(0, -END.length - 1);
  }

  /** What a container has said until now. */
  output(id: string): string {
    return Deno.readTextFileSync(this.path(`${safe(id)}.out`));
  }

  /** Waits until a container has said something that fits. */
  async waitForOutput(id: string, pattern: RegExp): Promise<string> {
    return await waitFor(`${pattern} of ${id}`, () => pattern.test(this.output(id)) && this.output(id));
  }

  /** What `state` tells. */
  async state(id: string): Promise<Fields> {
    return JSON.parse(await this.ok("state", id)) as Fields;
  }

  /** The container's first process, as the host counts. */
  async pid(id: string): Promise<number> {
    return Number((await this.state(id))["pid"]);
  }

  /** Waits for a status. */
  async waitForStatus(id: string, wanted: string): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if ((await this.state(id))["status"] === wanted) return;
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`${id} does not become ${wanted}`);
  }

  /** True where the runtime keeps something of this id. */
  knows(id: string): boolean {
    try {
      return [...Deno.readDirSync(this.stateRoot)].some(({ name }) => name === id);
    } catch {
      return false;
    }
  }

  /** Directories of this name in any cgroup hierarchy, two levels deep. */
  findCgroups(name: string): string[] {
    return listDirectories("/sys/fs/cgroup", 3).filter((path) => path.endsWith(`/${name}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#ids) if (this.knows(id)) await this.verb(["delete", "--force", id]);
    for (const act of this.#last) await act();
    Deno.removeSync(this.#home, { recursive: true });
  }

  #words(globals: readonly string[], words: readonly string[]): string[] {
    return [...this.runtime.command, "--root", this.stateRoot, ...globals, ...words];
  }
}

const END = "==end==";

/** A root filesystem with what the cases use of busybox: a place is made for every case, and has to be made quickly. */
function makeRootfs(path: string, fixture: string): void {
  const directories = ["", "bin", "dev", "etc", "proc", "root", "srv", "sys", "tmp", "usr/bin", "var"];
  for (const directory of directories) Deno.mkdirSync(join(path, directory), { recursive: true });
  for (const file of ["bin/busybox", "etc/group", "etc/passwd"]) {
    Deno.copyFileSync(join(fixture, file), join(path, file));
  }
  for (const name of APPLETS) Deno.symlinkSync("busybox", join(path, "bin", name));
  Deno.chmodSync(join(path, "tmp"), 0o1777);
}

const APPLETS = ["cat", "chmod", "cut", "df", "echo", "env", "grep", "head", "hostname", "id", "ionice", "kill", "ls"]
  .concat(["mkdir", "mount", "mv", "printf", "ps", "pwd", "readlink", "rm", "rmdir", "sed", "sh", "sleep", "stat"])
  .concat(["stty", "tail", "test", "touch", "tr", "true", "tty", "uname", "uniq", "wc"]);

/** The change with a script as its command. */
export function withScript(changes: Changes, script: string): Changes {
  return async (place) => {
    const change = typeof changes === "function" ? await changes(place) : changes;
    return { ...change, process: { args: ["sh", "-c", script], ...change.process } };
  };
}

function safe(id: string): string {
  return encodeURIComponent(id) || "empty";
}

function listDirectories(top: string, depth: number): string[] {
  if (depth === 0) return [];
  try {
    return [...Deno.readDirSync(top)].filter(({ isDirectory }) => isDirectory).flatMap(({ name }) => [
      `${top}/${name}`,
      ...listDirectories(`${top}/${name}`, depth - 1),
    ]);
  } catch {
    return [];
  }
}
