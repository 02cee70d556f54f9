/**
 * What an agent is told that answers for a container (`listener.ts`).
 *
 * @module
 */

/** What the agent is told of the container: `state` of runtime.md. */
export interface ListenerState {
  readonly id: string;
  readonly status: "creating" | "running";
  /** Its first process; absent where that is the one which gets the filter. */
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
}
