/**
 * A container's state as hooks read it from their standard input (runtime-spec runtime.md, State).
 *
 * @module
 */
import { OCI_VERSION } from "./oci_version.ts";

/** What the state says. */
export interface StateFields {
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "stopped";
  /** Absolute. */
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The state as JSON. @param pid as the hook counts; absent where there is no process any more. */
export function formatState(fields: StateFields, pid?: number): string {
  const [before, status, after] = splitState(fields);
  return pid === undefined ? `${before}${status}${after}` : `${before}${status}${beforePid}${pid}${after}`;
}

/**
 * The same in parts, for who knows the process id last: what comes before the status, the status, and what comes after
 * the process id. `beforePid` stands before that, if there is one.
 */
export function splitState({ id, status, bundle, annotations = {} }: StateFields): [string, string, string] {
  const more = Object.keys(annotations).length === 0 ? {} : { annotations };
  return [
    `${JSON.stringify({ ociVersion: OCI_VERSION, id }).slice(0, -1)},"status":`,
    JSON.stringify(status),
    `,${JSON.stringify({ bundle, ...more }).slice(1)}`,
  ];
}

/** What stands between status and process id. */
export const beforePid = ',"pid":';
