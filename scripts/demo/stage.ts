/**
 * The demo's stage: prints each command as a user would type it, runs it, prints what it says, and remembers it.
 *
 * @module
 */
import { join } from "@std/path";
import { PADDOCK_COMMAND } from "../../tests/support/paddock.ts";

/** What came of a command. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is shown and run. */
export interface ShowOptions {
  /** Only lines of standard output that this keeps are shown; all are remembered. */
  readonly excerpt?: (lines: readonly string[]) => readonly string[];
}

/** A directory of the demo's own, and the words on the terminal. */
export class Stage implements Disposable {
  /** Everything of the demo lies here, paddock's state and store too. */
  readonly home: string = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-demo-" });
  /** The current directory of all commands. */
  readonly work: string = join(this.home, "work");
  readonly #colours = Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");

  constructor() {
    Deno.mkdirSync(this.work);
  }

  /** Paddock's own directories, so that the demo leaves those of the host alone. */
  get roots(): string[] {
    return ["--root", join(this.home, "run"), "--data-root", join(this.home, "data")];
  }

  title(text: string): void {
    console.log(`\n${this.#paint("1", text)}`);
  }

  /** A sentence of explanation. */
  tell(text: string): void {
    console.log(this.#paint("2", `  ${text}`));
  }

  /** Lines of an outcome. */
  show(text: string): void {
    for (const line of text.trimEnd().split("\n")) console.log(`  ${line}`);
  }

  pass(text: string): void {
    console.log(`  ${this.#paint("32", "ok")}  ${text}`);
  }

  fail(text: string): void {
    console.log(`  ${this.#paint("31", "FAILED")}  ${text}`);
  }

  /** Runs `paddock WORDS…` and shows it. */
  async paddock(words: readonly string[], options: ShowOptions = {}): Promise<Said> {
    return await this.#play(["paddock", ...words], this.paddockCommand(words), options);
  }

  /** Runs another command and shows it. */
  async command(words: readonly string[], options: ShowOptions = {}): Promise<Said> {
    return await this.#play(words, words, options);
  }

  /** What `paddock WORDS…` stands for. */
  paddockCommand([verb, ...words]: readonly string[]): string[] {
    return [...PADDOCK_COMMAND, verb!, ...this.roots, ...words];
  }

  /** Starts paddock, shows the command with an ampersand, and leaves it running. */
  start(words: readonly string[]): Deno.ChildProcess {
    console.log(`  $ ${this.#paint("1", ["paddock", ...words].map(quote).join(" "))} &`);
    const [file, ...args] = this.paddockCommand(words);
    return new Deno.Command(file!, { args, cwd: this.work, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.home, { recursive: true });
  }

  async #play(shown: readonly string[], real: readonly string[], options: ShowOptions): Promise<Said> {
    console.log(`  $ ${this.#paint("1", shown.map(quote).join(" "))}`);
    const [file, ...args] = real;
    const output = await new Deno.Command(file!, { args, cwd: this.work, stdin: "null" }).output();
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
    const lines = splitLines(stdout!);
    const kept = options.excerpt?.(lines) ?? lines;
    for (const line of [...kept, ...splitLines(stderr!)]) console.log(`    ${line}`);
    return { code: output.code, stdout: stdout!, stderr: stderr! };
  }

  #paint(code: string, text: string): string {
    return this.#colours ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** As a shell wants it, in the plainest way. */
function quote(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function splitLines(text: string): string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}
