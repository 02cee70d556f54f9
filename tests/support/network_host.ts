/**
 * A host for tests of networks: a network namespace of its own with a way out, and beyond it a "world" that answers.
 *
 * ```
 *   world 192.0.2.1, 198.51.100.1 ─────── 192.0.2.2 host ─── bridges ─── containers
 * ```
 *
 * Nothing of this machine's own network is touched.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Box, waitFor } from "./box.ts";
import { call, type CallOptions, type Outcome } from "./paddock.ts";

/** A host, and paddock on it. */
export class NetworkHost implements AsyncDisposable {
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(readonly box: Box, readonly host: Deno.ChildProcess, readonly world: Deno.ChildProcess) {}

  /** Makes one; everything of it goes when it is disposed. */
  static async make(): Promise<NetworkHost> {
    const [host, world] = [makeNamespace(), makeNamespace()];
    const made = new NetworkHost(await Box.make(), host, world);
    for (const { pid } of [host, world]) await waitFor("a network namespace", () => isApart(pid));
    await made.onHost(
      `ip link set lo up && ip link add up0 type veth peer name out0 netns ${world.pid} && ` +
        "ip address add 192.0.2.2/24 dev up0 && ip address add 2001:db8::2/64 dev up0 nodad && " +
        "ip link set up0 up && ip route add default via 192.0.2.1",
    );
    await made.inWorld(
      "ip link set lo up && ip address add 198.51.100.1/32 dev lo && ip address add 192.0.2.1/24 dev out0 && " +
        "ip address add 2001:db8::1/64 dev out0 nodad && ip link set out0 up",
    );
    return made;
  }

  /** Words before a command that let it run on the host. */
  get under(): string[] {
    return enter(this.host.pid);
  }

  /** Runs a shell script on the host, which must succeed; gives what it printed. */
  async onHost(script: string): Promise<string> {
    return await expectOutput([...this.under, "sh", "-c", script]);
  }

  /** The same beyond the host. */
  async inWorld(script: string): Promise<string> {
    return await expectOutput([...enter(this.world.pid), "sh", "-c", script]);
  }

  /** Starts something beyond the host, on it, or in the network of a process; it is ended with all. */
  serve(place: "host" | "world" | { readonly pid: number }, ...words: readonly string[]): void {
    const pid = typeof place === "object" ? place.pid : this[place].pid;
    this.#start([...enter(pid), ...words]);
  }

  /** The first process of a container. */
  async pidOf(id: string): Promise<number> {
    const { stdout } = await this.paddock(["ps", "--json"]);
    return (JSON.parse(stdout) as { id: string; pid: number }[]).find((one) => one.id === id)!.pid;
  }

  /** Calls paddock on the host. */
  async paddock(words: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    return await this.box.paddock.run(words, { ...options, under: this.under });
  }

  /** Runs a script in a container with these flags; gives what it printed. */
  async out(flags: readonly string[], script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(flags, script);
    assertEquals(code, 0, `${script}\n${stdout}${stderr}`);
    return stdout;
  }

  /** The same, however it ends. */
  async run(flags: readonly string[], script: string): Promise<Outcome> {
    return await this.paddock(["run", ...flags, this.box.rootfs, "sh", "-c", script]);
  }

  /** Starts a container that says `ready` when it is, and lives until it is ended with all. */
  async start(name: string, flags: readonly string[], script = ""): Promise<Deno.ChildProcess> {
    const words = ["run", "--rm", "--name", name, "--init", ...flags, this.box.rootfs, "sh", "-c"];
    const child = this.#start([
      ...this.under,
      ...this.box.paddock.command([...words, `${script} echo ready; sleep 600`]),
    ]);
    const text = await readUntil(child, "ready");
    assertEquals(text.includes("ready"), true, `${name}: ${text}`);
    return child;
  }

  #start([file, ...args]: readonly string[]): Deno.ChildProcess {
    const both = ["-c", 'exec "$@" 2>&1', "sh", file!, ...args];
    const child = new Deno.Command("sh", { args: both, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    this.#children.push(child);
    return child;
  }

  /** Ends what was started, and waits for it. */
  async end(child: Deno.ChildProcess, signal: Deno.Signal = "SIGTERM"): Promise<void> {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
    await child.stdout.cancel().catch(() => {});
    await child.status;
    this.#children.splice(this.#children.indexOf(child), 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [...this.#children]) await this.end(child);
    for (const child of [this.host, this.world]) {
      child.kill("SIGKILL");
      await child.status;
    }
    this.box[Symbol.dispose]();
  }
}

function makeNamespace(): Deno.ChildProcess {
  return new Deno.Command("unshare", {
    args: ["--net", "sleep", "3600"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

function isApart(pid: number): boolean {
  return Deno.readLinkSync(`/proc/${pid}/ns/net`) !== Deno.readLinkSync("/proc/self/ns/net");
}

function enter(pid: number): string[] {
  return ["nsenter", `--net=/proc/${pid}/ns/net`];
}

async function expectOutput(command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await call(command);
  assertEquals(code, 0, `${command.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

async function readUntil(child: Deno.ChildProcess, word: string): Promise<string> {
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes(word)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text;
}
