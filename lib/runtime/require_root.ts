/**
 * Who may make containers.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";

/** @throws PaddockError unless this is root. */
export function requireRoot(facts: Pick<Facts, "uid">): void {
  if (facts.uid === 0) return;
  throw new PaddockError("only root may make containers here", { hint: "call it with sudo" });
}
