/**
 * `paddock stats`: what containers use, all at once.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { makeReader, readCpuTime, readUse, type Use } from "../cgroup/use.ts";
import { readControl } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";
import { listContainers, openContainer, seeContainer, type SeenContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { parseInterfaces } from "./interface_counts.ts";

/** What one container uses at a moment. */
export interface ContainerUse extends Use {
  readonly id: string;
  readonly name: string;
  /** Percents of one processor since the look before; absent where there was none. */
  readonly cpuPercent?: number;
  /** Bytes over its network; absent where it has none of its own. */
  readonly received?: number;
  readonly sent?: number;
}

/** Looks at containers time and again. */
export class StatsWatch {
  readonly #reader = makeReader(readControl, isThere);
  /** Processor time at the look before: nanoseconds, and when that was, milliseconds. */
  #before = new Map<string, { readonly cpu: number; readonly at: number }>();
  readonly #names: readonly string[];

  /**
   * @param names absent: all that run.
   * @param all those that do not run as well.
   * @throws PaddockError where there is none of such a name.
   */
  constructor(names: readonly string[], private readonly all: boolean, private readonly roots: Roots) {
    this.#names = names.map((name) => openContainer(roots, name).id);
  }

  /** Only what the next look needs to tell how much of a processor was used. */
  begin(): void {
    this.#before = new Map(
      this.#list().flatMap(({ id, record }) => {
        const cpu = readCpuTime(this.#reader(record?.cgroupPaths ?? []));
        return cpu === undefined ? [] : [[id, { cpu, at: performance.now() }]];
      }),
    );
  }

  /** What they use now. Each container costs some ten small files, whatever the number of them. */
  look(): ContainerUse[] {
    const seen = this.#list().map((container) => ({ container, at: performance.now(), use: this.#read(container) }));
    const before = this.#before;
    this.#before = new Map(
      seen.flatMap(({ container: { id }, at, use: { cpu } }) => cpu === undefined ? [] : [[id, { cpu, at }]]),
    );
    return seen.map(({ container: { id, record, pid }, at, use }) => {
      const last = before.get(id);
      // Started again in between it counts from zero.
      const isKnown = last !== undefined && use.cpu !== undefined && at > last.at && use.cpu >= last.cpu;
      return {
        id,
        name: record?.name ?? id,
        ...use,
        ...(isKnown ? { cpuPercent: (use.cpu! - last.cpu) / (at - last.at) / 1e6 * 100 } : {}),
        ...(record?.network === undefined || pid === undefined ? {} : countNetwork(pid)),
      };
    });
  }

  #read({ status, record }: SeenContainer): Use {
    return status === "running" ? readUse(this.#reader(record?.cgroupPaths ?? [])) : {};
  }

  #list(): SeenContainer[] {
    const found = this.#names.length === 0
      ? listContainers(this.roots).filter(({ record }) => record?.bundle === undefined)
      : this.#names.flatMap((id) => seeContainer(this.roots, id) ?? []);
    if (this.#names.length > 0 && found.length === 0) throw new PaddockError("all of these containers are gone");
    return found.filter(({ status, record }) =>
      status === "running" || this.#names.length > 0 || (this.all && record?.keep === true)
    );
  }
}

function countNetwork(pid: number): { readonly received: number; readonly sent: number } {
  const interfaces = parseInterfaces(readControl(`/proc/${pid}/net/dev`) ?? "");
  const sum = (key: string): number => interfaces.reduce((total, one) => total + Number(one[key]), 0);
  return { received: sum("RxBytes"), sent: sum("TxBytes") };
}
