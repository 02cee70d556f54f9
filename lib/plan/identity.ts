/**
 * Who the container's process is: limits, capabilities, ids (`man 7 capabilities`, `man 7 credentials`).
 *
 * The order is fixed by what each step needs: limits while the host's privileges are still there; the bounding set
 * while CAP_SETPCAP is; groups before the user, for afterwards they cannot be changed; capabilities after the ids, which
 * clear them; no_new_privs after everything that a filter could forbid. The seccomp filter comes last of all
 * (`seccomp/acts.ts`), and where there is no no_new_privs CAP_SYS_ADMIN is kept for it.
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, type Field, flags, type Step, step, writeFile } from "../program/step.ts";
import type { Capabilities, Config, Rlimit } from "../spec/config.ts";
import { numberOfRlimit } from "../spec/rlimits.ts";
import { hasFilter } from "./seccomp/acts.ts";

/**
 * The OOM score, through the host's /proc, which is there until the pivot.
 */
export function planOomScore({ process: { oomScoreAdj } }: Config): Act[] {
  return oomScoreAdj === undefined ? [] : [oomScore(oomScoreAdj)];
}

/** Limits, as late as they can be: a low limit of descriptors would stand in the way of the steps before. */
export function planLimits(config: Config, facts: Facts): Act[] {
  const asked = config.process.rlimits ?? [];
  // Deno may have raised this one for itself; the container gets what paddock was started with.
  const nofile: Rlimit = { type: "RLIMIT_NOFILE", ...facts.nofile };
  const limits = asked.some(({ type }) => type === nofile.type) ? asked : [nofile, ...asked];
  return limits.map((limit) => setLimit(limit));
}

function setLimit({ type, soft, hard }: Rlimit): Act {
  const value = (limit: number) => limit === -1 ? -1n : BigInt(limit);
  const fields: Field[] = [{ at: 0, size: 8, value: value(soft) }, { at: 8, size: 8, value: value(hard) }];
  const name = type.replace("RLIMIT_", "").toLowerCase();
  const show = (limit: number) => limit === -1 ? "unlimited" : String(limit);
  return {
    what: `set ${type} to ${show(soft)}:${show(hard)}`,
    why: "limits are inherited; this one is what was asked for, or what paddock was started with",
    shell: [`prlimit --pid $$ --${name}=${show(soft)}:${show(hard)}`],
    steps: [step("prlimit64", [0, numberOfRlimit(type), { block: { size: 16, fields } }, 0])],
  };
}

function oomScore(adjustment: number): Act {
  return {
    what: `set the OOM score adjustment to ${adjustment}`,
    why: "asked for: how soon the kernel picks this process when memory runs out",
    shell: [`echo ${adjustment} > /proc/self/oom_score_adj`],
    steps: writeFile("/proc/self/oom_score_adj", String(adjustment)),
  };
}

/** Bounding set, groups, ids, capabilities, no_new_privs. */
export function planIdentity(config: Config, facts: Facts): Act[] {
  const { user, capabilities, noNewPrivileges } = config.process;
  const acts: Act[] = [];
  if (capabilities !== undefined) acts.push(dropBounding(capabilities, facts));
  const forFilter = hasFilter(config) && noNewPrivileges !== true ? ["CAP_SYS_ADMIN"] : [];
  acts.push(...setIds(config, keepsCapabilities(config, forFilter)));
  if (capabilities !== undefined) acts.push(...setCapabilities(capabilities, forFilter));
  else if (forFilter.length > 0 && user.uid !== 0) acts.push(...setCapabilities({}, forFilter));
  if (noNewPrivileges) acts.push(noNewPrivilegesAct());
  acts.push(setUmask(user.umask ?? 0o022));
  return acts;
}

function keepsCapabilities({ process: { user, capabilities } }: Config, more: readonly string[]): boolean {
  return user.uid !== 0 && (capabilities?.permitted ?? []).length + more.length > 0;
}

/** The set as a number; bit n is capability n. */
export function capabilityMask(names: readonly string[] = []): bigint {
  return names.reduce((mask, name) => {
    const number = CAPABILITIES.indexOf(name.replace(/^CAP_/, "").toLowerCase() as typeof CAPABILITIES[number]);
    return number === -1 ? mask : mask | (1n << BigInt(number));
  }, 0n);
}

/** A loop over all capability numbers of this kernel: known to us or not, what is not in the set is dropped. */
function dropBounding({ bounding = [] }: Capabilities, facts: Facts): Act {
  const kept = bounding.map((name) => name.replace(/^CAP_/, "").toLowerCase());
  return {
    what: "drop capabilities from the bounding set",
    why: "root in the container can never get these back, not even by a setuid program",
    shell: [
      `capsh --drop=${CAPABILITIES.filter((name) => !kept.includes(name)).map((name) => `cap_${name}`).join(",")}`,
    ],
    steps: [
      step("@store", [{ region: "counter" }, 0]),
      step("@shr", [capabilityMask(bounding), { load: "counter" }], { label: "bounding.loop" }),
      step("@and", [{ previous: 1 }, 1], { onPositive: "bounding.next" }),
      step("prctl", [flags("PR_CAPBSET_DROP"), { load: "counter" }, 0, 0, 0]),
      step("@add", [{ load: "counter" }, 1], { label: "bounding.next" }),
      step("@store", [{ region: "counter" }, { previous: 1 }]),
      step("@sub", [{ load: "counter" }, facts.lastCapability + 1], { onNegative: "bounding.loop" }),
    ],
  };
}

function setIds(config: Config, keep: boolean): Act[] {
  const { uid, gid, additionalGids = [] } = config.process.user;
  const fields = additionalGids.map((group, index): Field => ({ at: 4 * index, size: 4, value: group }));
  const groups = step("setgroups", [additionalGids.length, { block: { size: 4 * additionalGids.length + 4, fields } }]);
  const keepCapabilities = step("prctl", [flags("PR_SET_KEEPCAPS"), 1, 0, 0, 0]);
  return [{
    what: `become user ${uid}, group ${gid}`,
    why: "real, effective and saved ids at once, groups first: afterwards there is no way back",
    shell: [
      `setpriv --reuid=${uid} --regid=${gid} ${
        additionalGids.length > 0 ? `--groups=${additionalGids.join(",")}` : "--clear-groups"
      }`,
    ],
    steps: [
      groups,
      step("setresgid", [gid, gid, gid]),
      ...(keep ? [keepCapabilities] : []),
      step("setresuid", [uid, uid, uid]),
    ],
  }];
}

/**
 * `capset` with version 3 of its structs, and the ambient set (`man 2 capset`, `man 2 prctl`).
 *
 * @param more for the steps until the exec, which takes it away.
 */
function setCapabilities(capabilities: Capabilities, more: readonly string[]): Act[] {
  const { effective = [], permitted = [], inheritable = [] } = capabilities;
  const masks = [[...effective, ...more], [...permitted, ...more], inheritable].map(capabilityMask);
  const words = [0n, 32n].flatMap((shift) => masks.map((mask) => (mask >> shift) & 0xffffffffn));
  const header: Field[] = [{ at: 0, size: 4, value: 0x20080522 }];
  const data = words.map((value, index): Field => ({ at: 4 * index, size: 4, value }));
  const ambient = capabilities.ambient ?? [];
  const names = (capabilities.effective ?? []).map((name) => name.toLowerCase());
  return [{
    what: "set the capabilities",
    why: names.length === 0
      ? "none at all: the process is an ordinary user"
      : `root here is less than root: ${names.length} capabilities of the host's ${CAPABILITIES.length}`,
    shell: [names.length === 0 ? "capsh --caps=" : `capsh --caps=${names.join(",")}=ep`],
    steps: [
      step("capset", [{ block: { size: 8, fields: header } }, { block: { size: 24, fields: data } }]),
      // The caller's own ambient ones would stay where they are permitted and inheritable here.
      ...((capabilities.inheritable ?? []).length === 0
        ? []
        : [step("prctl", [flags("PR_CAP_AMBIENT"), flags("PR_CAP_AMBIENT_CLEAR_ALL"), 0, 0, 0])]),
      ...ambient.map((name): Step => {
        const number = CAPABILITIES.indexOf(name.replace(/^CAP_/, "").toLowerCase() as typeof CAPABILITIES[number]);
        return step("prctl", [flags("PR_CAP_AMBIENT"), flags("PR_CAP_AMBIENT_RAISE"), number, 0, 0]);
      }),
    ],
  }];
}

function noNewPrivilegesAct(): Act {
  return {
    what: "set no_new_privs",
    why: "asked for: a setuid program gives nothing, for this process and all that come from it",
    shell: ["setpriv --no-new-privs"],
    steps: [step("prctl", [flags("PR_SET_NO_NEW_PRIVS"), 1, 0, 0, 0])],
  };
}

function setUmask(umask: number): Act {
  const octal = umask.toString(8).padStart(4, "0");
  return {
    what: `set the umask to ${octal}`,
    why: "it was 0 while files and devices were made",
    shell: [`umask ${octal}`],
    steps: [step("umask", [umask])],
  };
}
