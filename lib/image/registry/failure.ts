/**
 * What goes wrong between here and a registry, and whether it is worth another try.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { escapeControl } from "../../base/text.ts";

/** No answer, or half of one. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";

  /** @param isFinal true where the same would happen again: a name that nobody knows, a certificate. */
  constructor(message: string, readonly isFinal: boolean = false, cause?: unknown) {
    super(message, { cause });
  }

  /** Of what `fetch` or node:https throws: the reason alone, without the address, which may hold a secret. */
  static from(error: unknown): Unreachable {
    if (error instanceof Unreachable) return error;
    const chain: string[] = [];
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      if (at instanceof Unreachable) return at;
      chain.push(at.message);
    }
    const text = chain.join(": ") || String(error);
    const found = REASONS.find(([pattern]) => pattern.test(text));
    if (found !== undefined) return new Unreachable(found[1], found[2], error);
    const last = chain.at(-1) ?? text;
    return new Unreachable(escapeControl(last.replace(/^.*\(https?:\/\/[^)]*\): /, "")).slice(0, 200), false, error);
  }
}

/** What the runtime says, in our words; true where another try is in vain. */
const REASONS: readonly (readonly [pattern: RegExp, words: string, isFinal: boolean])[] = [
  [/dns error|ENOTFOUND|EAI_AGAIN|getaddrinfo|failed to lookup address/i, "its name is not known here (DNS)", true],
  [/connection refused|ECONNREFUSED/i, "connection refused", true],
  [/network is unreachable|ENETUNREACH|no route to host|EHOSTUNREACH/i, "the network is unreachable", true],
  [
    /UnknownIssuer|unable to (get|verify)|self.signed/i,
    "its certificate is signed by nobody who is trusted here",
    true,
  ],
  [/CaUsedAsEndEntity/i, "its certificate is a certificate authority's own, and may not stand for a server", true],
  [/NotValidForName|invalid peer certificate: certificate not valid for name/i, "its certificate is another's", true],
  [/invalid peer certificate: Expired|CERT_HAS_EXPIRED/i, "its certificate has expired", true],
  [
    /CertificateRequired|alert: \w*(Certificate|UnknownCA)/i,
    "it wants a certificate of the client, or another one",
    true,
  ],
  [/InvalidContentType|wrong version number|corrupt message/i, "it does not speak TLS", true],
  [/invalid peer certificate: (\w+)/i, "its certificate is not valid", true],
  [/ports? .* blocked/i, "the port is one of those that are never used for HTTP (a fetch of it is refused)", true],
  [/connection reset|ECONNRESET|broken pipe|EPIPE/i, "the connection was reset", false],
  [
    /end of file|unexpected eof|before message completed|incomplete|closed before|aborted|body/i,
    "the connection broke",
    false,
  ],
];

/** An answer that says no. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  /**
   * @param word the registry's own word for it, as in `MANIFEST_UNKNOWN`.
   * @param retryAfter milliseconds that the server wants us to wait.
   */
  constructor(
    readonly status: number,
    readonly word: string | undefined,
    message: string,
    readonly retryAfter: number | undefined,
  ) {
    super(message);
  }

  /** Is it a matter of time? */
  get isPassing(): boolean {
    return [408, 429, 500, 502, 503, 504].includes(this.status);
  }
}

/** Bytes of an answer that explains an error. */
export const EXPLANATION_BYTES = 64 * 1024;

/** From an answer that says no: OCI's `{"errors":[{"code","message"}]}` (distribution-spec, "Error Codes"), or its beginning. */
export function readRefusal(status: number, headers: Headers, body: string, now: number): Refusal {
  const { code, message } = readErrors(body);
  const said = escapeControl(message ?? "").slice(0, 300);
  return new Refusal(status, code, said, readRetryAfter(headers.get("retry-after"), now));
}

function readErrors(body: string): { readonly code?: string; readonly message?: string } {
  try {
    const value = JSON.parse(body);
    const [first] = Array.isArray(value?.errors) ? value.errors : [value];
    const code = typeof first?.code === "string" ? first.code.slice(0, 80) : undefined;
    const text = first?.message ?? value?.details ?? value?.error_description ?? value?.error;
    return { ...(code === undefined ? {} : { code }), ...(typeof text === "string" ? { message: text } : {}) };
  } catch {
    return {};
  }
}

/** `Retry-After` in milliseconds: seconds, or a date (RFC 9110, 10.2.3). */
export function readRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** How often, and how long between. */
export interface RetryPolicy {
  /** Further tries after the first. */
  readonly retries: number;
  /** Milliseconds before the second; doubled each time. */
  readonly delay: number;
}

/** Longest waits, in milliseconds: between our own tries, and for a server that asks for it. */
const LONGEST_DELAY = 15_000;
const LONGEST_ASKED = 120_000;

/**
 * Milliseconds to wait before another try; undefined where there is to be none.
 *
 * @param tries how many there have been.
 * @param random 0 to 1: many clients that were refused at once shall not come back at once.
 */
export function waitBefore(error: unknown, tries: number, policy: RetryPolicy, random: number): number | undefined {
  if (tries > policy.retries) return undefined;
  const asked = error instanceof Refusal && error.isPassing ? error.retryAfter : undefined;
  if (asked !== undefined) return asked <= LONGEST_ASKED ? asked : undefined;
  const isPassing = error instanceof Refusal ? error.isPassing : error instanceof Unreachable && !error.isFinal;
  if (!isPassing) return undefined;
  return Math.min(policy.delay * 2 ** (tries - 1), LONGEST_DELAY) * (0.75 + random / 2);
}

/** For the user: what was asked of whom, and what came of it. */
export function explainFailure(error: unknown, what: string, registry: string): unknown {
  if (error instanceof Unreachable) {
    const hint = hintFor(error.message, registry);
    return new PaddockError(`${what}: ${registry}: ${error.message}`, { cause: error, ...(hint && { hint }) });
  }
  if (!(error instanceof Refusal)) return error;
  const said = [error.word, error.message].filter((part) => part !== undefined && part !== "").join(": ");
  const why = STATUS[error.status] ?? (error.isPassing ? "it fails" : "refused");
  const message = `${what}: ${registry}: ${why} (${error.status}${said === "" ? "" : `, ${said}`})`;
  const hint = error.status === 401 || error.status === 403
    ? `log in: paddock login ${registry}; where you are, its name may be wrong, or it may not be yours`
    : error.status === 404
    ? "look at its name and its tag"
    : error.status === 429
    ? `wait, or log in: paddock login ${registry}`
    : undefined;
  return new PaddockError(message, { cause: error, ...(hint && { hint }) });
}

const STATUS: Readonly<Record<number, string>> = {
  401: "it wants to know who you are",
  403: "it does not let you",
  404: "there is no such thing",
  429: "too many requests",
};

function hintFor(message: string, registry: string): string | undefined {
  if (/trusted here|authority's own/.test(message)) {
    return `give the authority's certificate with --ca FILE, or in /etc/containers/certs.d/${registry}/ca.crt; ` +
      "--tls-verify=false trusts anybody";
  }
  if (/does not speak TLS/.test(message)) return "--tls-verify=false allows plain http";
  return undefined;
}
