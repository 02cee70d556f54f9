/**
 * The session keyring (`man 7 session-keyring`): a container's own, or its caller's.
 *
 * @module
 */
import { type Act, previous, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import type { Setting } from "./setting.ts";

const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEYCTL_SETPERM = 5;

/** `man 2 keyctl`: all for who possesses it; view, read, search and link for its owner. */
const OWNERS = 0x3f1b0000;
/** Search for others: whoever joins a user namespace is not yet the one who owns the keyring in it. */
const OTHERS_SEARCH = 0x8;

/** What further processes of a container join it by: runc's name for it. */
export function sessionKeyring(id: string): string {
  return `_ses.${id}`;
}

/**
 * In the child, in its namespaces: a keyring by the name that further processes join it by, one without a name where
 * there is nobody to join, or none.
 */
export function planKeyring({ linux: { namespaces } }: Config, { keyring, creation }: Setting): Act[] {
  if (keyring === false) return [];
  const hasUsers = namespaces.some(({ type }) => type === "user");
  const name = keyring === undefined ? 0 : text(keyring);
  const open = creation === undefined || keyring === undefined
    ? []
    : [step("keyctl", [KEYCTL_SETPERM, previous(), OWNERS | (hasUsers ? OTHERS_SEARCH : 0)], { onNegative: "next" })];
  return [{
    what: keyring === undefined ? "join a session keyring of its own" : `join the session keyring ${keyring}`,
    why: "the keys of the caller's session (Kerberos tickets, passwords of file systems) are none of the container's",
    shell: ["keyctl new_session"],
    // Kernels without keyrings, and quotas that are used up, do without.
    steps: [step("keyctl", [KEYCTL_JOIN_SESSION_KEYRING, name], { onNegative: "end" }), ...open],
  }];
}
