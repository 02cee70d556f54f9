/**
 * A program at a terminal of its own, typed into by a test: `script(1)` makes the terminal.
 *
 * @module
 */

/** Milliseconds that a test waits for something to appear. */
const PATIENCE = 30_000;

/** A shell command at a terminal. */
export class Terminal {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reading: Promise<void>;
  #shown = "";
  #looked = 0;
  #wake: () => void = () => {};

  /** @param command for `sh`; the terminal has 33 rows and 77 columns. */
  constructor(command: string, env: Readonly<Record<string, string>> = {}) {
    this.#child = new Deno.Command("script", {
      args: ["-qfec", `stty rows 33 cols 77; ${command}`, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      env: { SHELL: "/bin/sh", TERM: "dumb", ...env },
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Types these characters. */
  async type(text: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(text));
  }

  /** Waits until the pattern appears behind what was waited for before. */
  async see(pattern: RegExp): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const match = pattern.exec(this.#shown.slice(this.#looked));
      if (match !== null) {
        this.#looked += match.index + match[0].length;
        return;
      }
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`the terminal never showed ${pattern}; it shows: ${JSON.stringify(this.#shown)}`);
      await this.#more(left);
    }
  }

  /** The exit code of the command, once it has ended. */
  async end(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    await this.#writer.close().catch(() => undefined);
    return code;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) {
      this.#shown += decoder.decode(bytes, { stream: true });
      this.#wake();
    }
    this.#wake();
  }

  /** Waits for more output, at most so long. */
  #more(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(milliseconds, 200));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
