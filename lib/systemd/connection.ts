/**
 * A connection to a D-Bus peer over a unix socket: to the bus, or to systemd itself.
 *
 * @module
 */
import { decodeMessage, encodeMessage, MESSAGE, type Message } from "./message.ts";
import type { Value } from "./value.ts";

/** A method to be called. */
export interface Call {
  readonly destination?: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly Value[];
}

/** An error that came as an answer: `name` is one such as `org.freedesktop.systemd1.UnitExists`. */
export class DBusError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/** How long an answer may take, milliseconds. */
const PATIENCE = 30_000;

/** An open connection, with one call at a time. */
export class Connection implements Disposable {
  readonly #socket: Deno.Conn;
  #serial = 0;
  #unread = new Uint8Array(0);
  /** Signals that came while something else was waited for. */
  readonly #signals: Message[] = [];

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** @throws Error where nobody listens there, or lets this user in. */
  static async open(path: string): Promise<Connection> {
    const connection = new Connection(await Deno.connect({ transport: "unix", path }));
    try {
      await connection.#authenticate();
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** Calls a method, and gives what it returns. @throws DBusError where it answers with an error. */
  async call({ body = [], ...more }: Call): Promise<readonly Value[]> {
    const serial = ++this.#serial;
    await this.#send(encodeMessage({ type: MESSAGE.call, serial, body, ...more }));
    const answer = await this.#receive(({ type, replySerial }) =>
      (type === MESSAGE.return || type === MESSAGE.error) && replySerial === serial
    );
    if (answer.type === MESSAGE.error) throw new DBusError(answer.errorName ?? "", String(answer.body[0] ?? ""));
    return answer.body;
  }

  /** The next signal that fits; also one that has come since the last call. */
  async signal(fits: (message: Message) => boolean): Promise<Message> {
    const index = this.#signals.findIndex(fits);
    if (index >= 0) return this.#signals.splice(index, 1)[0]!;
    return await this.#receive((message) => message.type === MESSAGE.signal && fits(message));
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    try {
      this.#socket.close();
    } catch {
      // Closed already, where the patience was over.
    }
  }

  /** Authentication Protocol, EXTERNAL: the kernel tells the peer who we are. */
  async #authenticate(): Promise<void> {
    const uid = [...String(Deno.uid() ?? 0)].map((digit) => digit.charCodeAt(0).toString(16)).join("");
    const encoder = new TextEncoder();
    await this.#send(encoder.encode(`\0AUTH EXTERNAL ${uid}\r\n`));
    const line = await this.#within(PATIENCE, this.#readLine());
    if (!line.startsWith("OK ")) throw new Error(`not let in: ${line}`);
    await this.#send(encoder.encode("BEGIN\r\n"));
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const end = this.#unread.indexOf(0x0a);
      if (end >= 0) {
        const line = new TextDecoder().decode(this.#unread.subarray(0, end)).trimEnd();
        this.#unread = this.#unread.slice(end + 1);
        return line;
      }
      await this.#readMore();
    }
  }

  /** The next message that fits; signals among the others are kept. */
  async #receive(fits: (message: Message) => boolean): Promise<Message> {
    return await this.#within(PATIENCE, this.#find(fits));
  }

  async #find(fits: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = decodeMessage(this.#unread);
      if (found === undefined) {
        await this.#readMore();
        continue;
      }
      this.#unread = this.#unread.slice(found.size);
      if (fits(found.message)) return found.message;
      if (found.message.type === MESSAGE.signal) this.#signals.push(found.message);
    }
  }

  async #readMore(): Promise<void> {
    const buffer = new Uint8Array(65536);
    const count = await this.#socket.read(buffer);
    if (count === null) throw new Error("the connection was closed");
    const all = new Uint8Array(this.#unread.length + count);
    all.set(this.#unread);
    all.set(buffer.subarray(0, count), this.#unread.length);
    this.#unread = all;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await this.#socket.write(bytes.subarray(done));
  }

  /** After that time nothing is waited for any more: the connection is closed, by which a read ends. */
  async #within<T>(milliseconds: number, wanted: Promise<T>): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this[Symbol.dispose]();
    }, milliseconds);
    try {
      return await wanted;
    } catch (error) {
      throw late ? new Error(`no answer within ${milliseconds / 1000} s`) : error;
    } finally {
      clearTimeout(timer);
    }
  }
}
