/**
 * Who asks: answers to a registry's challenge, with what the user has for this registry and nothing else.
 *
 * Basic: the password goes with each request. Bearer: a token is got from the `realm`, which may be on another host; the
 * scope is the one that is needed, never the one that the challenge says (distribution-spec; distribution's "Token
 * Authentication" and "OAuth2" specifications). The realm must be reached at least as safely as the registry: over https,
 * unless the registry itself is spoken to over http.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { escapeControl } from "../../base/text.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { EXPLANATION_BYTES, readRefusal, Refusal } from "./failure.ts";
import { type HttpAnswer, type HttpRequest, readBody } from "./http.ts";

/** What somebody shows to a registry. */
export type Credentials =
  | { readonly kind: "password"; readonly user: string; readonly password: string }
  /** A refresh token of OAuth2, which docker calls an identity token. */
  | { readonly kind: "identity"; readonly token: string }
  /** A token for the registry itself. */
  | { readonly kind: "bearer"; readonly token: string };

/** What an authorizer needs of the world. */
export interface Desk {
  /** The registry's name, for errors. */
  readonly registry: string;
  /** `https://HOST`, where the challenges come from. */
  readonly origin: () => Promise<string>;
  /** What the user has for it, looked up when it is asked for. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** Sends a request to a realm, following redirects; what says who asks goes to the realm's own origin alone. */
  readonly send: (url: URL, request: HttpRequest) => Promise<HttpAnswer>;
  readonly now: () => number;
}

interface Token {
  readonly header: string;
  /** Milliseconds of the clock; it may be used before. */
  readonly until: number;
}

/** Seconds that a token lives where nobody says (distribution's token specification). */
const DEFAULT_SECONDS = 60;
const TOKEN_BYTES = 1 << 20;
const CLIENT = "paddock";

/** Keeps what was granted, by scope. */
export class Authorizer {
  readonly #tokens = new Map<string, Token>();
  readonly #pending = new Map<string, Promise<string>>();
  #basic: string | undefined;

  constructor(private readonly desk: Desk) {}

  /** The value of `Authorization` for a scope such as `repository:library/alpine:pull`; undefined where none is known. */
  header(scope: string): string | undefined {
    if (this.#basic !== undefined) return this.#basic;
    const token = this.#tokens.get(scope);
    return token !== undefined && token.until > this.desk.now() ? token.header : undefined;
  }

  /**
   * Answers a 401. Requests that are refused at the same time share one answer.
   *
   * @param refused the header that was sent and is good no more.
   * @returns the header to send; undefined where the user has nothing that the registry wants.
   * @throws PaddockError, Refusal, Unreachable
   */
  async answer(challenge: string | null, scope: string, refused: string | undefined): Promise<string | undefined> {
    const known = this.header(scope);
    // Somebody else has had the same answer in the meantime.
    if (known !== undefined && known !== refused) return known;
    this.#tokens.delete(scope);
    const offered = parseChallenges(challenge ?? "");
    const bearer = offered.find(({ scheme, parameters }) => scheme === "bearer" && parameters.realm !== undefined);
    if (bearer !== undefined) return await this.#shared(scope, bearer);
    if (this.#basic !== undefined || !offered.some(({ scheme }) => scheme === "basic")) return undefined;
    const credentials = await this.desk.credentials();
    if (credentials?.kind !== "password") return undefined;
    return this.#basic = encodeBasic(credentials.user, credentials.password);
  }

  async #shared(scope: string, challenge: Challenge): Promise<string> {
    const pending = this.#pending.get(scope) ?? this.#fetchToken(scope, challenge);
    this.#pending.set(scope, pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(scope);
    }
  }

  async #fetchToken(scope: string, { parameters }: Challenge): Promise<string> {
    const realm = this.#readRealm(parameters.realm!, await this.desk.origin());
    const credentials = await this.desk.credentials();
    if (credentials?.kind === "bearer") return this.#keep(scope, credentials.token, undefined);
    const fields = Object.fromEntries(
      Object.entries({ service: parameters.service ?? "", scope }).filter(([, value]) => value !== ""),
    );
    const answer = credentials?.kind === "identity"
      ? await this.desk.send(realm, postIdentity(credentials.token, fields))
      : await this.desk.send(withQuery(realm, fields, credentials), getToken(credentials));
    if (answer.status !== 200) {
      throw readRefusal(answer.status, answer.headers, await readText(answer, EXPLANATION_BYTES), this.desk.now());
    }
    const { token, seconds } = this.#readToken(await readText(answer, TOKEN_BYTES), realm);
    return this.#keep(scope, token, seconds);
  }

  #keep(scope: string, token: string, seconds: number | undefined): string {
    const header = `Bearer ${token}`;
    const lives = Math.max(seconds ?? DEFAULT_SECONDS, DEFAULT_SECONDS);
    this.#tokens.set(scope, { header, until: this.desk.now() + 900 * lives });
    return header;
  }

  #readRealm(text: string, origin: string): URL {
    const { registry } = this.desk;
    const refuse = (why: string): PaddockError =>
      new PaddockError(`${registry} wants a token from ${JSON.stringify(escapeControl(text).slice(0, 200))}, ${why}`);
    let realm: URL;
    try {
      realm = new URL(text);
    } catch {
      throw refuse("which is no address");
    }
    const isSafe = realm.protocol === "https:" || (realm.protocol === "http:" && origin.startsWith("http:"));
    if (!isSafe) throw refuse("which is less safe than the registry: refused");
    if (realm.username !== "" || realm.password !== "") throw refuse("an address with a password in it: refused");
    return realm;
  }

  #readToken(text: string, { host }: URL): { readonly token: string; readonly seconds?: number } {
    let value: Record<string, unknown> = {};
    try {
      value = Object(JSON.parse(text));
    } catch {
      // Said below.
    }
    const token = value.token ?? value.access_token;
    // It becomes part of a header.
    if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
      throw new PaddockError(`${host}, which ${this.desk.registry} wants a token from, gives none`);
    }
    return { token, ...(typeof value.expires_in === "number" ? { seconds: value.expires_in } : {}) };
  }
}

/** `Authorization` of a name and a password (RFC 7617). */
export function encodeBasic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function getToken(credentials: Credentials | undefined): HttpRequest {
  const headers = credentials?.kind === "password"
    ? { authorization: encodeBasic(credentials.user, credentials.password) }
    : {};
  return { method: "GET", headers };
}

function postIdentity(token: string, fields: Readonly<Record<string, string>>): HttpRequest {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: CLIENT, refresh_token: token, ...fields });
  return {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new TextEncoder().encode(form.toString()),
  };
}

function withQuery(realm: URL, fields: Readonly<Record<string, string>>, credentials: Credentials | undefined): URL {
  const url = new URL(realm);
  for (const [name, value] of Object.entries(fields)) {
    url.searchParams.delete(name);
    // Several scopes come one by one.
    for (const one of name === "scope" ? value.split(" ") : [value]) url.searchParams.append(name, one);
  }
  if (credentials?.kind === "password") url.searchParams.set("account", credentials.user);
  return url;
}

async function readText(answer: HttpAnswer, limit: number): Promise<string> {
  try {
    return new TextDecoder().decode(await readBody(answer, limit));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refusal(answer.status, undefined, "an answer without end", undefined);
  }
}
