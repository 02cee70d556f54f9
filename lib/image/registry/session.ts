/**
 * A conversation with one registry about one repository: requests that say who asks, go where they are sent, and are
 * tried again where it is a matter of time.
 *
 * @module
 */
import { Authorizer, type Credentials } from "./authorizer.ts";
import type { Connections } from "./connections.ts";
import type { Endpoint } from "./endpoint.ts";
import { EXPLANATION_BYTES, readRefusal, type Refusal, type RetryPolicy, Unreachable, waitBefore } from "./failure.ts";
import { type Arrived, followRedirects, type Journey } from "./follow.ts";
import { type HttpAnswer, readBody, sendRequest } from "./http.ts";

/** A request to a registry. */
export interface Ask {
  /** `GET` unless given. */
  readonly method?: string;
  /** Below the registry (`/v2/…`), or an address that the registry has given (where an upload goes on). */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes, or what makes a stream of them: it may have to be sent more than once. */
  readonly body?: Uint8Array<ArrayBuffer> | (() => ReadableStream<Uint8Array<ArrayBuffer>>);
  /** What is done with the repository, as token scopes have it: `pull` unless given; `none` for the registry itself. */
  readonly action?: "pull" | "pull,push" | "none";
  /** Another repository of the registry that is read meanwhile. */
  readonly alsoReads?: string;
  /** Somebody else has sent us there: nothing that says who asks goes along. */
  readonly isAbroad?: boolean;
  /** Statuses that are answers; 200 unless given. */
  readonly expect?: readonly number[];
}

/** What a session is given. */
export interface SessionOptions {
  readonly connections: Connections;
  /** What the user has for an endpoint. */
  readonly credentials: (endpoint: Endpoint) => Promise<Credentials | undefined>;
  readonly retry: RetryPolicy;
}

/** One repository at one endpoint. */
export class RegistrySession {
  readonly #authorizer: Authorizer;
  #origin: Promise<string> | undefined;
  #hasAnswered = false;
  #wantsToKnow = false;

  constructor(readonly endpoint: Endpoint, private readonly options: SessionOptions) {
    const { registry } = endpoint;
    this.#authorizer = new Authorizer({
      registry,
      origin: () => this.origin(),
      credentials: () => options.credentials(endpoint),
      send: (url, request) =>
        this.withRetries(() =>
          followRedirects(url, () => request, this.#journey(url.origin, `${registry}, for a token,`))
        ),
      now: Date.now,
    });
  }

  /** Where the repository is: `/v2/NAME`. */
  get base(): string {
    return `/v2/${this.endpoint.repository}`;
  }

  /** `https://HOST`; of an insecure endpoint http where TLS is not spoken there. */
  origin(): Promise<string> {
    const { host, insecure } = this.endpoint;
    return this.#origin ??= insecure ? this.#probe() : Promise.resolve(`https://${host}`);
  }

  /**
   * Sends a request until it is answered as expected, or that is in vain.
   *
   * @throws Refusal for another status, Unreachable where there is no answer, PaddockError for what is not to be followed.
   */
  async demand(ask: Ask): Promise<Arrived> {
    return await this.withRetries(() => this.once(ask));
  }

  /** Does something until it works or is in vain. A registry that has never answered is not waited for. */
  async withRetries<T>(body: () => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await body();
      } catch (error) {
        const wait = this.waitAfter(error, tries);
        if (wait === undefined) throw error;
        await new Promise((done) => setTimeout(done, wait));
      }
    }
  }

  /** Milliseconds until another try; undefined where it would be in vain. @param tries that have failed */
  waitAfter(error: unknown, tries: number): number | undefined {
    const mayReturn = this.#hasAnswered && error instanceof Unreachable;
    return waitBefore(mayReturn ? new Unreachable(error.message) : error, tries, this.options.retry, Math.random());
  }

  /** Would a request be refused at first, as the registry wants a token and the last one has run out? */
  isStale(ask: Pick<Ask, "action" | "alsoReads">): boolean {
    return this.#wantsToKnow && this.#authorizer.header(this.#scopeOf(ask)) === undefined;
  }

  /** Sends a request once, or twice where it has to be said who asks. @throws as `demand` */
  async once(ask: Ask): Promise<Arrived> {
    const answer = await this.#authorized(ask);
    if ((ask.expect ?? [200]).includes(answer.status)) return answer;
    throw await refusalOf(answer);
  }

  /** With what is known of who asks, and once more with what the registry wants. */
  async #authorized(ask: Ask): Promise<Arrived> {
    if (ask.isAbroad) return await this.#send(ask, undefined);
    const scope = this.#scopeOf(ask);
    const sent = this.#authorizer.header(scope);
    const answer = await this.#send(ask, sent);
    this.#hasAnswered = true;
    // What a stranger wants to know is not answered.
    if (answer.status !== 401 || answer.isAbroad) return answer;
    this.#wantsToKnow = true;
    const challenge = answer.headers.get("www-authenticate");
    const refusal = await refusalOf(answer);
    const header = await this.#authorizer.answer(challenge, scope, sent);
    if (header === undefined || header === sent) throw refusal;
    return await this.#send(ask, header);
  }

  #scopeOf({ action = "pull", alsoReads }: Pick<Ask, "action" | "alsoReads">): string {
    if (action === "none") return "";
    const also = alsoReads === undefined ? "" : ` repository:${alsoReads}:pull`;
    return `repository:${this.endpoint.repository}:${action}${also}`;
  }

  async #send(
    { path, method = "GET", headers = {}, body }: Ask,
    authorization: string | undefined,
  ): Promise<Arrived> {
    const origin = await this.origin();
    const make = () => ({
      method,
      headers: {
        "user-agent": USER_AGENT,
        // What is counted and hashed is what lies there.
        "accept-encoding": "identity",
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(body === undefined ? {} : { body: typeof body === "function" ? body() : body }),
    });
    const journey = { ...this.#journey(origin, this.endpoint.registry), sendsOn: true };
    return await followRedirects(new URL(path, origin), make, journey);
  }

  #journey(home: string, name: string): Journey {
    const { host, insecure } = this.endpoint;
    const carrier: Journey["carrier"] = (url) => this.options.connections.carrier(url, insecure && url.host === host);
    return { name, home, carrier };
  }

  async #probe(): Promise<string> {
    const { host } = this.endpoint;
    const url = new URL(`https://${host}/v2/`);
    const request = { method: "GET", headers: { "user-agent": USER_AGENT } };
    try {
      const carrier = this.options.connections.carrier(url, true);
      (await sendRequest(url, request, { ...carrier, idle: Math.min(carrier.idle, LONGEST_PROBE) })).close();
      return `https://${host}`;
    } catch {
      // Whatever it is: where http does not work either, that is what is said.
      return `http://${host}`;
    }
  }
}

const USER_AGENT = "paddock";

/** Milliseconds after which a server that may be one of http is taken for one. */
const LONGEST_PROBE = 3000;

async function refusalOf(answer: HttpAnswer): Promise<Refusal> {
  let text = "";
  try {
    text = new TextDecoder().decode(await readBody(answer, EXPLANATION_BYTES));
  } catch {
    // The status says enough.
  }
  return readRefusal(answer.status, answer.headers, text, Date.now());
}
