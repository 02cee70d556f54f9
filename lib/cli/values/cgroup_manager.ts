/**
 * Who makes the cgroups: `--cgroup-manager`, and `--systemd-cgroup`, which is runc's word for one of them.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { CGROUP_MANAGERS, type CgroupManager } from "../../base/cgroup_managers.ts";
import type { Words } from "../types.ts";
import { isOn, lastValue } from "../words.ts";

/**
 * The one that was asked for; `cgroupfs` where nothing was said.
 *
 * @throws UsageError where two were
 */
export function readCgroupManager(words: Words): CgroupManager {
  const named = lastValue(words, "cgroup-manager");
  const manager = CGROUP_MANAGERS.find((manager) => manager === named) ?? "cgroupfs";
  if (!isOn(words, "systemd-cgroup")) return manager;
  if (named === undefined || manager === "systemd") return "systemd";
  throw new UsageError(`--systemd-cgroup and --cgroup-manager ${named} are two different wishes`, {
    hint: "give one of them",
  });
}
