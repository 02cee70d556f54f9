/**
 * The runtimes that make containers of bundles: paddock, and those that it is compared with.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Box } from "./box.ts";
import { call, type CallOptions, type Outcome } from "./paddock.ts";

/** A runtime whose containers are below the box's own directory. */
export class Runtime {
  /** @param name `paddock`, or a command such as `runc`. */
  constructor(readonly box: Box, readonly name: string) {}

  /** The whole command line. */
  command(words: readonly string[]): string[] {
    return this.name === "paddock"
      ? this.box.paddock.command(words)
      : [this.name, "--root", this.box.path(`${this.name}-root`), ...words];
  }

  /** Calls it. */
  run(words: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    return call(this.command(words), options);
  }

  /** Calls it, which must succeed, and gives what it printed. */
  async ok(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(words);
    assertEquals(code, 0, `${this.name} ${words.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Calls it, which must fail with this text in its words. */
  async refused(text: string, ...words: readonly string[]): Promise<void> {
    const { code, stderr } = await this.run(words);
    assert(code !== 0, `${this.name} ${words.join(" ")}`);
    assertStringIncludes(stderr, text, this.name);
  }

  /**
   * Calls it with its output in a file, for what it leaves running writes there later.
   *
   * @param shell in place of `exec "$@"`: what hands descriptors and variables on.
   * @returns the file.
   */
  async toFile(words: readonly string[], shell = 'exec "$@"'): Promise<string> {
    const { code, stderr, file } = await this.tryToFile(words, shell);
    assertEquals(code, 0, `${this.name}: ${stderr}${Deno.readTextFileSync(file)}`);
    return file;
  }

  /** The same where it may fail. */
  async tryToFile(words: readonly string[], shell = 'exec "$@"'): Promise<Outcome & { readonly file: string }> {
    const file = this.box.path(`out-${this.name}-${words.at(-1)?.replaceAll("/", "_")}`);
    const outcome = await call(["sh", "-c", `exec >"$0" 2>&1; ${shell}`, file, ...this.command(words)]);
    return { ...outcome, file };
  }

  /** The container's state. */
  async state(id: string): Promise<Record<string, unknown>> {
    return JSON.parse(await this.ok("state", id)) as Record<string, unknown>;
  }
}
