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
}

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Sends a request, and where it is answered with another address, there. Only what reads is sent on.
 *
 * @param make gives the request; it may be sent several times.
 * @throws Unreachable where there is no answer, PaddockError for redirects that are refused.
 */
export async function followRedirects(first: URL, make: () => HttpRequest, journey: Journey): Promise<HttpAnswer> {
  let url = first;
  let isAbroad = first.origin !== journey.home;
  for (let redirects = 0;; redirects++) {
    const request = make();
    const answer = await sendRequest(url, isAbroad ? withoutSecrets(request) : request, journey.carrier(url));
    const location = answer.headers.get("location");
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead || !REDIRECTS.includes(answer.status) || location === null) return answer;
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

function readLocation(location: string, from: URL, name: string): URL {
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
  throw new PaddockError(
    `${name} sends from ${from.origin} to ${to.protocol}//${to.host}, which is less safe: refused`,
  );
}

/** A request as a stranger gets it. */
function withoutSecrets({ method, headers, body }: HttpRequest): HttpRequest {
  const kept = Object.entries(headers).filter(([name]) => !["authorization", "cookie"].includes(name.toLowerCase()));
  return { method, headers: Object.fromEntries(kept), ...(body === undefined ? {} : { body }) };
}
