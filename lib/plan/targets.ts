/**
 * Paths inside a root filesystem that is not to be trusted.
 *
 * The kernel alone resolves them, scoped to the rootfs (`openat2` with `RESOLVE_IN_ROOT`), to a descriptor, and what is
 * mounted is mounted onto that descriptor. A kernel without `openat2` (before 5.6) walks component by component and
 * refuses symbolic links.
 *
 * @module
 */
import {
  type Arg,
  type Block,
  type Constant,
  flags,
  previous,
  result,
  type Step,
  step,
  text,
} from "../program/step.ts";
import type { Facts } from "../host/facts.ts";

/** Label of the step whose result is a descriptor of the rootfs. */
export const ROOT = "root";

/**
 * Number that the descriptor of a mount target gets, so that `mount(2)`, which knows paths only, can name it. High
 * enough that no other descriptor of a launcher comes there by itself.
 */
export const TARGET_FD = 100;
export const TARGET_PATH = `/proc/self/fd/${TARGET_FD}`;

/** The same for the source of a bind mount that is a descriptor. */
export const SOURCE_FD = 101;
export const SOURCE_PATH = `/proc/self/fd/${SOURCE_FD}`;

/** `struct open_how` (`man 2 openat2`), one for each way of opening. */
function openHow(noFollow: boolean, strict: boolean): Arg & Constant {
  const key = `${noFollow}${strict}`;
  return HOWS[key] ??= {
    block: {
      size: 24,
      fields: [
        word(0, flags("O_PATH", "O_CLOEXEC", ...(noFollow ? ["O_NOFOLLOW"] : []))),
        word(16, flags("RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS", ...(strict ? ["RESOLVE_NO_SYMLINKS"] : []))),
      ],
    },
  };
}

const HOWS: Record<string, Arg & Constant> = {};

/** A 64-bit field of a struct. */
export function word(at: number, value: Constant): Block["fields"][number] {
  return { at, size: 8, value };
}

/** The components of an absolute or relative path; `.` and empty ones left out, `..` taken back lexically. */
export function splitPath(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}

/** Options of `openTarget`. */
export interface TargetOptions {
  /** Unique in the plan: stands in labels. */
  readonly key: string;
  /** What the target must be, and is made when it is missing; `existing` makes nothing. */
  readonly kind: "directory" | "file" | "existing";
  /** Paths that were seen there: nothing has to be made. */
  readonly present?: ReadonlySet<string>;
  /** Where to go when an `existing` target is missing. */
  readonly onMissing?: string;
  /**
   * Refuses a path with a symbolic link in it: a `/proc` or `/sys` that is one would leave the masks elsewhere
   * (CVE-2019-19921).
   */
  readonly strict?: boolean;
}

/**
 * Steps that leave a descriptor of `path` inside the rootfs at number `TARGET_FD`, making it where it is missing.
 */
export function openTarget(path: string, facts: Facts, options: TargetOptions): Step[] {
  if (options.kind !== "existing" && options.present?.has(path)) {
    return openTarget(path, facts, { ...options, kind: "existing" });
  }
  return facts.has.openat2 ? openScoped(path, options) : openByComponents(path, options);
}

const NO_STEP = step("@add", [0, 0]);

function openScoped(path: string, { key, kind, onMissing, strict = false }: TargetOptions): Step[] {
  const scoped = (relative: string, more: ScopedOptions = {}) => openScopedPath(relative, { strict, ...more });
  const parts = splitPath(path);
  const whole = parts.join("/");
  if (kind === "existing") {
    return [scoped(whole, onMissing === undefined ? {} : { onNegative: onMissing }), ...takeTarget()];
  }
  // The usual case is that it is there. Else its parents are made one by one, each reached through the kernel's scoped
  // lookup, so that a symbolic link on the way leads nowhere outside.
  const make = parts.flatMap((part, index) => [
    scoped(parts.slice(0, index).join("/"), index === 0 ? { label: `${key}.make` } : {}),
    index === parts.length - 1 && kind === "file"
      ? step("mknodat", [previous(), text(part), 0o100644, 0], { onNegative: "next" })
      : step("mkdirat", [previous(), text(part), 0o755], { onNegative: "next" }),
    step("close", [previous(2)]),
  ]);
  return [
    scoped(whole, { onNegative: parts.length > 0 ? `${key}.make` : "next" }),
    ...takeTarget({ onZero: `${key}.open` }),
    ...make,
    // The failure of this second try is the one that is told: its error says what is in the way. A link that leads
    // nowhere (an image's resolv.conf often is one) takes the mount of a file itself.
    scoped(whole, { noFollow: kind === "file" }),
    ...takeTarget(),
    { ...NO_STEP, label: `${key}.open` },
  ];
}

/**
 * The same for an existing path whose address is the result of a step, as in a loop over paths. For kernels with
 * openat2.
 */
export function openLoaded(label: string, onMissing?: string): Step[] {
  const more = onMissing === undefined ? {} : { onNegative: onMissing };
  return [step("openat2", [result(ROOT), result(label), openHow(false, false), 24], more), ...takeTarget()];
}

interface ScopedOptions extends Omit<Step, "call" | "args"> {
  readonly strict?: boolean;
  readonly noFollow?: boolean;
}

function openScopedPath(path: string, { strict = false, noFollow = false, ...more }: ScopedOptions): Step {
  return step("openat2", [result(ROOT), text(path === "" ? "." : path), openHow(noFollow, strict), 24], more);
}

/** Moves the descriptor that the step before gave to its number. */
function takeTarget(afterwards: Pick<Step, "onZero"> = {}): Step[] {
  return [
    step("dup3", [previous(1), TARGET_FD, flags("O_CLOEXEC")]),
    step("close", [previous(2)], afterwards),
  ];
}

function openByComponents(path: string, { kind, onMissing }: TargetOptions): Step[] {
  const steps: Step[] = [step("openat", [result(ROOT), text("."), flags("O_PATH", "O_CLOEXEC")])];
  const parts = splitPath(path);
  parts.forEach((part, index) => {
    const last = index === parts.length - 1;
    // The descriptor of the directory so far is the result of the step before the last one, or of the first.
    if (kind !== "existing") {
      steps.push(
        last && kind === "file"
          ? step("mknodat", [previous(index === 0 ? 1 : 2), text(part), 0o100644, 0], { onNegative: "next" })
          : step("mkdirat", [previous(index === 0 ? 1 : 2), text(part), 0o755], { onNegative: "next" }),
      );
    }
    const back = (kind === "existing" ? 1 : 2) + (index === 0 ? 0 : 1);
    const open = ["O_PATH", "O_NOFOLLOW", "O_CLOEXEC", ...(last ? [] : ["O_DIRECTORY"])];
    const missing = kind === "existing" && onMissing !== undefined ? { onNegative: onMissing } : {};
    steps.push(step("openat", [previous(back), text(part), flags(...open)], missing));
    steps.push(step("close", [previous(back + 1)]));
  });
  // After the last component the descriptor is two steps back; without any component, one.
  const back = parts.length === 0 ? 1 : 2;
  steps.push(step("dup3", [previous(back), TARGET_FD, flags("O_CLOEXEC")]));
  steps.push(step("close", [previous(back + 1)]));
  return steps;
}
