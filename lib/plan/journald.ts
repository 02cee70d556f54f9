/**
 * Output that goes to the journal of systemd: the command's streams are connections to it, and nobody stands in between
 * (`man 8 systemd-journald`, Stream logging; what `systemd-cat` does).
 *
 * @module
 */
import { type Act, step, text } from "../program/step.ts";
import { planConnect } from "./sockets.ts";

/** Where the journal listens. */
const SOCKET = "/run/systemd/journal/stdout";

/** Priorities of syslog: of what is printed, and of errors. */
const INFO = 6;
const ERR = 3;

/**
 * In the monitor: a connection for each stream, which says first who writes.
 *
 * @param identifier what `journalctl -t` finds it by.
 */
export function planJournald(identifier: string, descriptors: { stdout: number; stderr: number }): Act[] {
  return [[descriptors.stdout, INFO], [descriptors.stderr, ERR]].flatMap(([fd, priority]) => {
    const header = formatHeader(identifier, priority!);
    return [
      planConnect({ path: SOCKET, fd: fd!, name: "journal", why: "asked for: what it prints is kept there" }),
      {
        what: "tell the journal who writes",
        why: "its lines are found by that name",
        shell: [],
        steps: [step("write", [fd!, text(header), new TextEncoder().encode(header).length])],
      },
    ];
  });
}

/** Lines: identifier, unit (that of the cgroup), priority, and no to prefixes with levels, syslog, kmsg and console. */
function formatHeader(identifier: string, priority: number): string {
  return `${identifier}\n\n${priority}\n0\n0\n0\n0\n`;
}
