/**
 * A paddock with a busybox root filesystem that may be written to, for tests of containers that really run.
 *
 *     using box = await Box.make();
 *     assertEquals(await box.out("id -u"), "0\n");
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { busybox, copyFixture } from "./fixtures.ts";
import { type CallOptions, type Outcome, Paddock, PATIENCE } from "./paddock.ts";

/** A paddock, its root filesystem, and short ways to run something in it. */
export class Box implements Disposable {
  private constructor(
    readonly paddock: Paddock,
    /** A copy of the busybox fixture. */
    readonly rootfs: string,
  ) {}

  /** Makes one; everything of it goes when it is disposed. */
  static async make(): Promise<Box> {
    const paddock = new Paddock();
    return new Box(paddock, await copyFixture(await busybox(), join(paddock.work, "rootfs")));
  }

  /** Runs a command in a container with these flags. */
  run(command: readonly string[], flags: readonly string[] = [], options: CallOptions = {}): Promise<Outcome> {
    return this.paddock.run(["run", ...flags, this.rootfs, ...command], options);
  }

  /** Runs a shell script in a container. */
  sh(script: string, flags: readonly string[] = [], options: CallOptions = {}): Promise<Outcome> {
    return this.run(["sh", "-c", script], flags, options);
  }

  /** What a script prints, which must succeed and say nothing on standard error. */
  async out(script: string, flags: readonly string[] = [], options: CallOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.sh(script, flags, options);
    assertEquals({ code, stderr }, { code: 0, stderr: "" }, `${script}\n${stdout}`);
    return stdout;
  }

  /** A path below the test's own directory. */
  path(name: string): string {
    return join(this.paddock.work, name);
  }

  /** Writes a file of the test's own directory, and gives its path. */
  file(name: string, text: string | Uint8Array, mode = 0o644): string {
    const path = this.path(name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    if (typeof text === "string") Deno.writeTextFileSync(path, text);
    else Deno.writeFileSync(path, text);
    Deno.chmodSync(path, mode);
    return path;
  }

  /** Makes a directory of the test's own, and gives its path. */
  directory(name: string): string {
    const path = this.path(name);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    this.paddock[Symbol.dispose]();
  }
}

/** Waits until something is so, five seconds at most, in a guest longer. @throws Error where it does not become so. */
export async function waitFor<T>(what: string, look: () => T | undefined | false): Promise<T> {
  for (let tries = 0; tries < 250 * PATIENCE; tries++) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`waited in vain: ${what}`);
}

/** The processes of the host with exactly this name (`/proc/PID/comm`, at most 15 bytes). */
export function findProcesses(name: string): number[] {
  return [...Deno.readDirSync("/proc")].map((entry) => Number(entry.name)).filter((pid) => {
    if (!Number.isInteger(pid)) return false;
    try {
      return Deno.readTextFileSync(`/proc/${pid}/comm`).trimEnd() === name.slice(0, 15);
    } catch {
      return false;
    }
  });
}

/** The children of a process. */
export function listChildren(pid: number): number[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
