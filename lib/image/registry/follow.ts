/**
 * Follows redirects by hand, so that nothing that says who we are goes to another origin (CVE-2020-15157), none leads
 * from https to http, and they have an end.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { type Carrier, type HttpAnswer, type HttpRequest, sendRequest } from "./http.ts";

/** Whose request it is. */
export interface Journey {
  /** Who sends us about, for errors. */
  readonly name: string;
  /** The origin that secrets are for. */
  readonly home: string;
  /** How a host on the way is spoken to. */
  readonly carrier: (url: URL) => Carrier;
  /** What writes goes on as well, where the server says so by 307 or 308: the content of an upload is no secret of ours. */
  readonly sendsOn?: boolean;
}

/** An answer, and where it came from. */
export interface Arrived extends HttpAnswer {
  readonly url: URL;
  /** Is that somebody else than who was asked, or was it so on the way? */
  readonly isAbroad: boolean;
}

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
/** Those that say that the same is to be done elsewhere. */
const SAME_ELSEWHERE = [307, 308];

/**
 * Sends a request, and where it is answered with another address, there. What writes is sent on where the
 * journey says so.
 *
 * @param make gives the request; it may be sent several times.
 * @throws Unreachable where there is no answer, PaddockError for redirects that are refused.
 */
export async function followRedirects(first: URL, make: () => HttpRequest, journey: Journey): Promise<Arrived> {
  let url = first;
  let isAbroad = first.origin !== journey.home;
  for (let redirects = 0;; redirects++) {
    const request = make();
    const answer = await sendRequest(url, isAbroad ? withoutSecrets(request) : request, journey.carrier(url));
    const location = answer.headers.get("location");
    const isRead = request.method === "GET" || request.method === "HEAD";
    const followed = isRead ? REDIRECTS : journey.sendsOn ? SAME_ELSEWHERE : [];
    if (!followed.includes(answer.status) || location === null) return { ...answer, url, isAbroad };
    answer.close();
    if (redirects >= MOST_REDIRECTS) {
      throw new PaddockError(`${journey.name} sends from one address to the next without end: refused`);
    }
    const next = readLocation(location, url, journey.name);
    // Once away, always away: a stranger does not send us back with a name.
    isAbroad ||= next.origin !== url.origin;
    url = next;
  }
}

/**
 * The address that an answer names, in full or from where it came.
 *
 * @param name who names it, for errors.
 * @throws PaddockError for one that is none, has a password in it, or is less safe.
 */
export function readLocation(location: string, from: URL, name: string): URL {
  let to: URL;
  try {
    to = new URL(location, from);
  } catch {
    throw new PaddockError(`${name} sends to an address that is none: refused`);
  }
  if (to.username !== "" || to.password !== "") {
    throw new PaddockError(`${name} sends to an address with a password in it: refused`);
  }
  if (to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:")) return to;
  // A registry behind a proxy that does not tell it of TLS: it means itself.
  if (to.protocol === "http:" && to.hostname === from.hostname && (to.port === "" || to.port === from.port)) {
    return new URL(`${from.origin}${to.pathname}${to.search}`);
  }
  throw new PaddockError(
    `${name} sends from ${from.origin} to ${to.protocol}//${to.host}, which is less safe: refused`,
  );
}

/** A request as a stranger gets it. */
function withoutSecrets({ method, headers, body }: HttpRequest): HttpRequest {
  const kept = Object.entries(headers).filter(([name]) => !["authorization", "cookie"].includes(name.toLowerCase()));
  return { method, headers: Object.fromEntries(kept), ...(body === undefined ? {} : { body }) };
}
