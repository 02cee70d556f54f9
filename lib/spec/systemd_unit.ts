/**
 * Units of systemd that start containers (`man 5 systemd.service`).
 *
 * @module
 */

/** What a unit needs to know of paddock. */
export interface UnitContext {
  /** The words that start paddock, the first absolute. */
  readonly paddock: readonly string[];
  readonly root: string;
  readonly dataRoot: string;
}

/** A container as its unit starts it. */
export interface UnitContainer {
  readonly id: string;
  readonly image: string;
  /** The restart policy by which its launcher starts it again; absent: systemd does. */
  readonly restart?: string;
  /** How long it may take to end, seconds; -1 is for ever. */
  readonly stopSeconds: number;
}

/** The unit of one container. */
export function formatContainerUnit({ id, image, restart, stopSeconds }: UnitContainer, context: UnitContext): string {
  return formatUnit([
    [`# paddock-${id}.service: container ${id} under systemd.`],
    ["[Unit]", `Description=Container ${escape(id)} of ${escape(oneLine(image))}`, ...ORDER, needs(context)],
    [
      "[Service]",
      // The launcher leaves the monitor behind, which is the only process then.
      "Type=forking",
      `ExecStart=${commandLine(context, "start", id)}`,
      `ExecStop=${commandLine(context, "stop", "--time", `${stopSeconds}`, id)}`,
      `TimeoutStopSec=${stopSeconds < 0 ? "infinity" : stopSeconds + 30}`,
      ...(restart === undefined
        ? ["Restart=on-failure"]
        : [`# It is started again by its launcher (${restart}).`, "Restart=no"]),
      "# Ended by its stop signal as it was asked to.",
      "SuccessExitStatus=143",
    ],
    INSTALL,
  ]);
}

/** The unit that starts at boot whatever should run by its restart policy. */
export function formatBootUnit(context: UnitContext): string {
  return formatUnit([
    ["# paddock.service: containers that run by their restart policies are started at boot."],
    ["[Unit]", "Description=Containers with a restart policy", ...ORDER, needs(context)],
    [
      "[Service]",
      "Type=oneshot",
      "RemainAfterExit=yes",
      `ExecStart=${commandLine(context, "start", "--all-restartable")}`,
      "# At its end their monitors get SIGTERM, and send it on; the next boot starts them again.",
      "KillMode=control-group",
      "TimeoutStopSec=90",
    ],
    INSTALL,
  ]);
}

/** The unit that runs the health check of a container again and again, as long as the container's unit is there. */
export function formatHealthUnit(
  { id, intervalSeconds }: { readonly id: string; readonly intervalSeconds: number },
  context: UnitContext,
): string {
  return formatUnit([
    [`# paddock-${id}-health.service: whether container ${id} is well.`],
    [
      "[Unit]",
      `Description=Health of container ${escape(id)}`,
      `After=paddock-${id}.service paddock.service`,
      "StartLimitIntervalSec=0",
      needs(context),
    ],
    [
      "[Service]",
      "Type=exec",
      `ExecStart=${commandLine(context, "healthcheck", "run", id)}`,
      "# Once more after a while, whatever came of it.",
      "Restart=always",
      `RestartSec=${intervalSeconds}`,
      "SuccessExitStatus=1 125",
    ],
    INSTALL,
  ]);
}

const ORDER = ["Wants=network-online.target", "After=network-online.target"];
const INSTALL = ["[Install]", "WantedBy=multi-user.target"];

function needs({ root, dataRoot }: UnitContext): string {
  return `RequiresMountsFor=${quote(root)} ${quote(dataRoot)}`;
}

function commandLine({ paddock, root, dataRoot }: UnitContext, verb: string, ...words: string[]): string {
  return [...paddock, verb, "--root", root, "--data-root", dataRoot, ...words].map(quoteCommandWord).join(" ");
}

function formatUnit(parts: readonly (readonly string[])[]): string {
  return parts.map((lines) => `${lines.join("\n")}\n`).join("\n");
}

/** `%` begins a specifier (`man 5 systemd.unit`, Specifiers). */
function escape(text: string): string {
  return text.replaceAll("%", "%%");
}

/** A line that ends in a backslash goes on with the next. */
function oneLine(text: string): string {
  return text.replaceAll(CONTROL, " ").replace(/\\$/, "");
}

/** A word in quotes where it needs them (`man 7 systemd.syntax`, Quoting). */
function quote(word: string): string {
  if (/^[\w@+:.,/=-]+$/.test(word)) return word;
  return `"${escape(word).replaceAll(/["\\]/g, "\\$&").replaceAll(CONTROL, asHex)}"`;
}

// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f]/g;

function asHex(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** In a command line `$` begins a variable as well. */
function quoteCommandWord(word: string): string {
  return quote(word).replaceAll("$", "$$$$");
}
