/**
 * `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`: files of this container's own, laid over those of the image.
 *
 * They are written into the container's `/dev`, a filesystem in memory, mounted where they belong, and their names
 * removed: nothing of them is on the host's disk, and they are gone with the container.
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import { type Act, flags, previous, type Step, step, text } from "../program/step.ts";
import type { Setting } from "./setting.ts";
import { openTarget, SOURCE_FD, SOURCE_PATH, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** Directory in `/dev` that holds the files until they are mounted. */
const STAGING = ".paddock";

/** One act for all files; none where there are no files. */
export function planFiles({ facts, setting }: { readonly facts: Facts; readonly setting: Setting }): Act[] {
  const files = Object.entries(setting.files);
  if (files.length === 0) return [];
  const names = files.map(([path]) => path);
  return [{
    what: `write ${names.join(", ")}`,
    why: "the image cannot know the container's name nor the host's resolvers",
    shell: names.map((path) => `mount --bind ./${path.split("/").at(-1)} "$ROOT"${path}`),
    steps: [
      ...openTarget("/dev", facts, { key: "files.dev", kind: "existing" }),
      step("dup3", [TARGET_FD, SOURCE_FD, flags("O_CLOEXEC")]),
      step("mkdirat", [SOURCE_FD, text(STAGING), 0o700]),
      ...files.flatMap(([path, content], index) => placeFile(path, content, `file${index}`, facts, setting)),
      step("unlinkat", [SOURCE_FD, text(STAGING), flags("AT_REMOVEDIR")]),
    ],
  }];
}

function placeFile(path: string, content: string, key: string, facts: Facts, { present }: Setting): Step[] {
  const staged = `${STAGING}/${key}`;
  const size = new TextEncoder().encode(content).length;
  return [
    step("openat", [SOURCE_FD, text(staged), flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC"), 0o644]),
    step("write", [previous(1), text(content), size]),
    step("close", [previous(2)]),
    ...openTarget(path, facts, { key, kind: "file", present }),
    step("mount", [text(`${SOURCE_PATH}/${staged}`), text(TARGET_PATH), 0, flags("MS_BIND"), 0]),
    step("unlinkat", [SOURCE_FD, text(staged), 0]),
  ];
}
