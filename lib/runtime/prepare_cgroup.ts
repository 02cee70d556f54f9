/**
 * Who makes a container's cgroup, and what has to be done for it before the launcher begins.
 *
 * @module
 */
import type { Setting } from "../plan/setting.ts";
import type { CgroupManager } from "../base/cgroup_managers.ts";
import type { OwnedContainer } from "../state/container.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { ScopeOptions } from "./scope.ts";

/** A cgroup that will be there when it is needed. Disposing takes back what is of no use without a container. */
export interface PreparedCgroup extends Disposable {
  /** What of the plan's setting says who makes it. */
  readonly setting: Pick<Setting, "scope" | "withoutCgroups">;
  /**
   * Makes what the launcher does not, and writes the record.
   *
   * @throws PaddockError where that cannot be made; the record then names nothing that is another's.
   */
  start(owned: OwnedContainer, record: ContainerRecord): Promise<void>;
}

/** Prepares it. @throws PaddockError where that one is not here to make it. */
export async function prepareCgroup(manager: CgroupManager, options: ScopeOptions): Promise<PreparedCgroup> {
  if (manager !== "systemd") {
    return {
      setting: manager === "disabled" ? { withoutCgroups: true } : {},
      start: (owned, record) => Promise.resolve(owned.writeRecord(record)),
      [Symbol.dispose]: () => {},
    };
  }
  const { prepareScope } = await import("./scope.ts");
  const prepared = await prepareScope(options);
  return {
    setting: { scope: prepared.scope },
    start: async (owned, record) => {
      // Whoever removes what a record names must not meet a unit of that name that is another's.
      owned.writeRecord({ ...record, cgroupPaths: [] });
      await prepared.start();
      owned.writeRecord({ ...record, unit: prepared.unit });
    },
    [Symbol.dispose]: () => prepared[Symbol.dispose](),
  };
}
