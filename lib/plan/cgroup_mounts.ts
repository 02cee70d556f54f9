/**
 * `/sys/fs/cgroup` in the container.
 *
 * @module
 */
import type { CgroupView } from "../cgroup/view.ts";
import { type Act, flags, step, text } from "../program/step.ts";
import type { Mount } from "../spec/config.ts";
import { holdsCopies, openSource, planBind } from "./binds.ts";
import { type MountContext, planFilesystem } from "./filesystem.ts";
import { readMountOptions } from "./mount_options.ts";
import { openTarget, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** Opens the directories that are bound there, before a user namespace takes the right to. */
export function planCgroupSources(
  { config, facts, cgroupView }: MountContext,
  keyOf: (index: number) => string,
): Act[] {
  if (cgroupView.kind === "none" || !holdsCopies(facts)) return [];
  return config.mounts.flatMap((mount, index) =>
    mount.type !== "cgroup" ? [] : bindsOf(mount, keyOf(index), cgroupView).map((bind) => {
      return openSource(bind.mount, readMountOptions(bind.mount.options ?? []), bind.key);
    })
  );
}

interface Bind {
  readonly key: string;
  readonly mount: Mount;
}

function bindsOf(mount: Mount, key: string, view: Exclude<CgroupView, { readonly kind: "none" }>): Bind[] {
  const all = view.kind === "cgroup2"
    ? [{ key, destination: mount.destination, source: view.source }]
    : view.entries.map(({ directory, source }, index) => {
      return { key: `${key}.${index}`, destination: `${mount.destination}/${directory}`, source };
    });
  const options = ["bind", ...optionsOf(mount)];
  return all.flatMap(({ key, destination, source }) =>
    source === undefined ? [] : [{ key, mount: { destination, source, type: "bind", options } }]
  );
}

function optionsOf(mount: Mount): string[] {
  return (mount.options ?? []).filter((word) => !/^r?(private|slave|shared)$/.test(word));
}

/** `/sys/fs/cgroup` as this host has it: one filesystem with v2; with v1 and hybrid a directory of them. */
export function planCgroupMounts(mount: Mount, key: string, context: MountContext): Act[] {
  const { facts, cgroupView } = context;
  const readOnly = (mount.options ?? []).includes("ro");
  if (cgroupView.kind === "none") return [];
  const options = optionsOf(mount);
  const binds = new Map(bindsOf(mount, key, cgroupView).map((bind) => [bind.key, bind.mount]));
  const planOne = (found: Mount, key: string, kind: "directory" | "existing") => {
    const bind = binds.get(key);
    if (bind === undefined) return planFilesystem(found, key, context, kind);
    return planBind(bind, { facts, key, present: context.setting.present, kind: "directory" });
  };
  if (cgroupView.kind === "cgroup2") {
    return [planOne({ ...mount, type: "cgroup2", source: "cgroup2", options }, key, "directory")];
  }
  const inside = (name: string) => `${mount.destination}/${name}`;
  const tmpfs = ["nosuid", "noexec", "nodev", "mode=755"];
  const names = cgroupView.entries.map(({ directory }) => directory);
  const acts: Act[] = [
    planFilesystem(
      { destination: mount.destination, type: "tmpfs", source: "tmpfs", options: tmpfs },
      key,
      context,
      "existing",
    ),
    {
      what: `make directories in ${mount.destination}`,
      why: "each hierarchy is a filesystem of its own",
      shell: [`mkdir ${names.map((name) => `"$ROOT"${inside(name)}`).join(" ")}`],
      steps: [
        ...openTarget(mount.destination, facts, { key: `${key}.directories`, kind: "existing" }),
        ...names.map((name) => step("mkdirat", [TARGET_FD, text(name), 0o755])),
      ],
    },
  ];
  cgroupView.entries.forEach(({ directory, type, options: data }, index) => {
    const words = [...options, ...(data === "" ? [] : [data])];
    const hierarchy = { destination: inside(directory), type, source: type, options: words };
    acts.push(planOne(hierarchy, `${key}.${index}`, "existing"));
  });
  acts.push({
    what: `finish ${mount.destination}`,
    why: "programs look for each controller by its own name" + (readOnly ? ", and change nothing here" : ""),
    shell: cgroupView.links.map(({ name, target }) => `ln -s ${target} "$ROOT"${inside(name)}`),
    steps: [
      ...openTarget(mount.destination, facts, { key: `${key}.links`, kind: "existing" }),
      ...cgroupView.links.map(({ name, target }) => step("symlinkat", [text(target), TARGET_FD, text(name)])),
      ...(readOnly
        ? [step("mount", [
          0,
          text(TARGET_PATH),
          0,
          flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY", "MS_NOSUID", "MS_NODEV", "MS_NOEXEC"),
          0,
        ])]
        : []),
    ],
  });
  return acts;
}
