/**
 * config.md of the OCI runtime specification: Mounts, and the options that a runtime must know for Linux.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { call } from "../support/paddock.ts";
import { type Change, type Fields, namespacesBut } from "./base_config.ts";
import { conform, type Seen } from "./conform.ts";
import type { Place } from "./place.ts";

/** Options of a mount, and what its line in mountinfo has then: its own options, and its filesystem's. */
interface Option {
  readonly options: readonly string[];
  readonly mount?: RegExp;
  readonly filesystem?: RegExp;
}

/** On a tmpfs: the table of config.md, "Linux mount options". */
const OPTIONS: readonly Option[] = [
  { options: ["ro"], mount: /^ro\b/ },
  { options: ["ro", "rw"], mount: /^rw\b/ },
  { options: ["nosuid"], mount: /\bnosuid\b/ },
  { options: ["nosuid", "suid"], mount: /^(?!.*nosuid)/ },
  { options: ["nodev"], mount: /\bnodev\b/ },
  { options: ["nodev", "dev"], mount: /^(?!.*nodev)/ },
  { options: ["noexec"], mount: /\bnoexec\b/ },
  { options: ["noexec", "exec"], mount: /^(?!.*noexec)/ },
  { options: ["noatime"], mount: /\bnoatime\b/ },
  { options: ["noatime", "atime"], mount: /^(?!.*noatime)/ },
  { options: ["nodiratime"], mount: /\bnodiratime\b/ },
  { options: ["nodiratime", "diratime"], mount: /^(?!.*nodiratime)/ },
  { options: ["relatime"], mount: /\brelatime\b/ },
  { options: ["strictatime"], mount: /^(?!.*(rel|no)atime)/ },
  { options: ["strictatime", "nostrictatime"], mount: /\brelatime\b/ },
  { options: ["norelatime"], mount: /^rw/ },
  { options: ["sync"], filesystem: /\bsync\b/ },
  { options: ["sync", "async"], filesystem: /^(?!.*\bsync\b)/ },
  { options: ["dirsync"], filesystem: /\bdirsync\b/ },
  { options: ["lazytime"], filesystem: /\blazytime\b/ },
  { options: ["lazytime", "nolazytime"], filesystem: /^(?!.*lazytime)/ },
  { options: ["size=64k", "mode=700"], filesystem: /size=64k.*mode=700/ },
];

/** The same, but each in a container of its own, for not every runtime takes them. */
const RARE_OPTIONS: readonly (readonly [options: readonly string[], mount: RegExp])[] = [
  ...["defaults", "silent", "loud", "iversion", "noiversion", "mand", "nomand"].map((word) => [[word], /^rw/] as const),
  [["nosymfollow"], /\bnosymfollow\b/],
  [["nosymfollow", "symfollow"], /^(?!.*nosymfollow)/],
];

/** On a bind mount of a directory that has a mount below: words for all mounts. */
const RECURSIVE: readonly (readonly [options: readonly string[], each: RegExp])[] = [
  [["rro"], /^ro\b/],
  [["rnosuid"], /\bnosuid\b/],
  [["rnodev"], /\bnodev\b/],
  [["rnoexec"], /\bnoexec\b/],
];

/** Words that take something away, where the mount below has it. */
const CLEARING: typeof RECURSIVE = [
  [["rrw"], /^rw\b/],
  [["rsuid"], /^(?!.*nosuid)/],
  [["rdev"], /^(?!.*nodev)/],
  [["rexec"], /^(?!.*noexec)/],
];

/** The same, but each in a container of its own. */
const RARE_RECURSIVE: typeof RECURSIVE = [
  [["rnodiratime"], /\bnodiratime\b/],
  [["rdiratime"], /^(?!.*nodiratime)/],
  [["rnosymfollow"], /\bnosymfollow\b/],
  [["rsymfollow"], /^(?!.*nosymfollow)/],
  [["rnoatime"], /\bnoatime\b/],
  [["ratime"], /^(?!.*noatime)/],
  [["rrelatime"], /\brelatime\b/],
  [["rstrictatime"], /^(?!.*(rel|no)atime)/],
];

/** How a mount is shared, as mountinfo tells. */
const PROPAGATION: readonly (readonly [option: string, fields: RegExp, below?: RegExp])[] = [
  ["private", /^$/],
  ["rprivate", /^$/, /^$/],
  ["shared", /^shared:\d+$/],
  ["rshared", /^shared:\d+$/, /shared:\d+/],
  ["slave", /^(master:\d+)?$/],
  ["rslave", /^(master:\d+)?$/, /^(master:\d+)?$/],
  ["unbindable", /^unbindable$/],
  ["runbindable", /^unbindable$/, /^unbindable$/],
];

interface MountLine {
  readonly target: string;
  readonly options: string;
  readonly shared: string;
  readonly filesystem: string;
}

/** Lines of mountinfo (`man 5 proc_pid_mountinfo`). */
function readMountinfo(text: string): MountLine[] {
  return text.trim().split("\n").map((line) => {
    const [left = "", right = ""] = line.split(/ - /);
    const words = left.split(" ");
    return {
      target: words[4]!,
      options: words[5]!,
      shared: words.slice(6).join(" "),
      filesystem: right.split(" ")[2]!,
    };
  });
}

function findMount(text: string, target: string): MountLine {
  const found = readMountinfo(text).findLast((line) => line.target === target);
  assert(found !== undefined, `nothing is mounted at ${target}: ${text}`);
  return found;
}

function fits(text: string, pattern: RegExp): void {
  assert(pattern.test(text), `'${text}' is not ${pattern}`);
}

/** A directory of the place with a file, and a tmpfs mounted on `sub`, with these words of `mount_setattr`. */
async function makeTree(place: Place, words = "rw"): Promise<string> {
  const path = place.path("tree");
  Deno.mkdirSync(join(path, "sub"), { recursive: true });
  Deno.writeTextFileSync(join(path, "file"), "in it\n");
  assertEquals((await call(["mount", "-t", "tmpfs", "conform", join(path, "sub")])).code, 0);
  Deno.writeTextFileSync(join(path, "sub/below"), "below\n");
  const remount = ["mount", "-o", `remount,bind,${words}`, join(path, "sub")];
  assertEquals((await call(remount)).code, 0);
  place.defer(() => call(["umount", "-l", join(path, "sub")]));
  return path;
}

/** The tree once for each list of options, on `/r/0`, `/r/1`, and so on. */
async function mountTrees(place: Place, all: readonly (readonly string[])[]): Promise<Change> {
  const source = await makeTree(place, isClearing(all[0]![0]!) ? "ro,nosuid,nodev,noexec,noatime,nodiratime" : "rw");
  return {
    mounts: all.map((options, n) => ({ destination: `/r/${n}`, type: "bind", source, options: ["rbind", ...options] })),
  };
}

/** True for a word that takes something away, which has to be there. */
function isClearing(word: string): boolean {
  return /^r(rw|suid|dev|exec|atime|diratime|symfollow)$/.test(word);
}

function recursive([options, each]: typeof RECURSIVE[number], n: number): Omit<Seen, "change" | "needs" | "hooks"> {
  return {
    rule: `config.md/mounts/options: ${options.join(",")} goes for the mount and those below`,
    script: MOUNTINFO,
    shows: (text) => {
      for (const target of [`/r/${n}`, `/r/${n}/sub`]) fits(findMount(text, target).options, each);
    },
  };
}

const MOUNTINFO = "cat /proc/self/mountinfo";
const map = (containerID: number, hostID: number, size = 1) => [{ containerID, hostID, size }];

conform([
  {
    together: {
      mounts: OPTIONS.map(({ options }, n) => ({ destination: `/m/${n}`, type: "tmpfs", source: "t", options })),
    },
    all: OPTIONS.map(({ options, mount = /./, filesystem = /./ }, n) => ({
      rule: `config.md/mounts/options: ${options.join(",")} is understood` as const,
      script: MOUNTINFO,
      shows: (text: string) => {
        const found = findMount(text, `/m/${n}`);
        fits(found.options, mount);
        fits(found.filesystem, filesystem);
      },
    })),
  },
  ...RARE_OPTIONS.map(([options, mount]): Seen => ({
    rule: `config.md/mounts/options: ${options.join(",")} is understood`,
    change: { mounts: [{ destination: "/x", type: "tmpfs", source: "t", options }] },
    script: MOUNTINFO,
    shows: (text) => fits(findMount(text, "/x").options, mount),
  })),
  ...[RECURSIVE, CLEARING].map((words) => ({
    together: (place: Place) => mountTrees(place, words.map(([options]) => options)),
    all: words.map((one, n) => recursive(one, n)),
  })),
  ...RARE_RECURSIVE.map((one): Seen => ({
    ...recursive(one, 0),
    change: (place) => mountTrees(place, [one[0]]),
  })),
  {
    together: (place) => mountTrees(place, PROPAGATION.map(([option]) => [option])),
    all: PROPAGATION.map(([option, shared, below], n) => ({
      rule: `config.md/mounts/options: ${option} is how the mount is shared` as const,
      script: MOUNTINFO,
      shows: (text: string) => {
        fits(findMount(text, `/r/${n}`).shared, shared);
        if (below !== undefined) fits(findMount(text, `/r/${n}/sub`).shared, below);
      },
    })),
  },
  {
    together: async (place) => {
      const source = await makeTree(place);
      Deno.mkdirSync(join(place.bundle, "beside"));
      Deno.writeTextFileSync(join(place.bundle, "beside/file"), "beside\n");
      const bind = (destination: string, source: string, ...options: string[]): Fields => ({
        destination,
        source,
        options,
      });
      return {
        mounts: [
          { destination: "/first", type: "tmpfs", source: "t" },
          { destination: "/first/second", type: "tmpfs", source: "t", options: ["size=8k"] },
          { destination: "/over", type: "tmpfs", source: "t", options: ["size=4k"] },
          { destination: "/over", type: "tmpfs", source: "t", options: ["size=12k"] },
          { destination: "relative/path", type: "tmpfs", source: "t" },
          { destination: "/no/such/directory", type: "tmpfs", source: "t" },
          { ...bind("/bind", source, "bind"), type: "none" },
          { ...bind("/rbind", source, "rbind"), type: "none" },
          bind("/untyped", source, "bind"),
          { ...bind("/readonly", source, "rbind", "ro"), type: "bind" },
          { ...bind("/beside", "beside", "bind"), type: "bind" },
          { ...bind("/etc/one-file", join(source, "file"), "bind"), type: "bind" },
        ],
      };
    },
    all: [
      {
        rule: "config.md/mounts: they are mounted in the listed order: one in another",
        script: MOUNTINFO,
        shows: (text) => fits(findMount(text, "/first/second").filesystem, /size=8k/),
      },
      {
        rule: "config.md/mounts: they are mounted in the listed order: of two at one path the later one is seen",
        script: "df -k /over | tail -1",
        shows: /^\S+ +12 /m,
      },
      {
        rule: "config.md/mounts/destination: a relative one begins at the root",
        script: MOUNTINFO,
        shows: (text) => void findMount(text, "/relative/path"),
      },
      {
        rule: "config.md/mounts/destination: one that is not there is made",
        script: MOUNTINFO,
        shows: (text) => void findMount(text, "/no/such/directory"),
      },
      {
        rule: "config.md/mounts/source: bind shows a directory of the host, and not what is mounted below",
        script: "cat /bind/file; ls /bind/sub",
        shows: "in it",
      },
      {
        rule: "config.md/mounts/source: rbind shows what is mounted below as well",
        script: "cat /rbind/file /rbind/sub/below",
        shows: "in it\nbelow",
      },
      {
        rule: "config.md/mounts/type: with bind it is a dummy, and need not be there",
        script: "cat /untyped/file",
        shows: "in it",
      },
      {
        rule: "config.md/mounts/options: ro with rbind is about the mount itself",
        script: "echo x >/readonly/new; echo x >/readonly/sub/new && echo below",
        shows: /Read-only file system\nbelow/,
      },
      {
        rule: "config.md/mounts/source: a relative one of a bind mount begins at the bundle",
        script: "cat /beside/file",
        shows: "beside",
      },
      {
        rule: "config.md/mounts/source: it may be a file",
        script: "cat /etc/one-file",
        shows: "in it",
      },
    ],
  },
  {
    rule: "config.md/mounts: listed the other way round the outer hides the inner",
    change: {
      mounts: [
        { destination: "/first/second", type: "tmpfs", source: "t" },
        { destination: "/first", type: "tmpfs", source: "t" },
      ],
    },
    script: "ls -a /first",
    shows: ".\n..",
  },
  {
    rule: "config.md/mounts/source: one of a bind mount that is not there is an error",
    change: { mounts: [{ destination: "/x", type: "bind", source: "/no/such/path", options: ["bind"] }] },
    refused: "/no/such/path",
  },
  {
    rule: "config.md/mounts/destination: it is required",
    change: { mounts: [{ type: "tmpfs", source: "t" }] },
    refused: "destination",
  },
  {
    rule: "config.md/mounts/destination: a link in the root filesystem does not lead out of it",
    tried: async (place) => {
      Deno.mkdirSync(join(place.rootfs, place.path("out")), { recursive: true });
      Deno.symlinkSync(place.path("out"), join(place.rootfs, "link"));
      const text = await place.outputOf("cat /proc/self/mountinfo", {
        mounts: [{ destination: "/link/x", type: "tmpfs", source: "t" }],
      });
      void findMount(text, `${place.path("out")}/x`);
      assertEquals([...Deno.readDirSync(place.path("out"))], []);
    },
  },
  {
    rule: "config.md/mounts/options: remount changes what is mounted",
    change: {
      mounts: [
        { destination: "/x", type: "tmpfs", source: "t", options: ["size=8k"] },
        { destination: "/x", type: "tmpfs", source: "t", options: ["remount", "ro", "size=8k"] },
      ],
    },
    script: MOUNTINFO,
    shows: (text) => {
      const all = readMountinfo(text).filter(({ target }) => target === "/x");
      assertEquals(all.length, 1);
      fits(`${all[0]!.options} ${all[0]!.filesystem}`, /\bro\b/);
    },
  },
  {
    rule: "config.md/mounts/options: an option that the filesystem has not is an error",
    change: { mounts: [{ destination: "/x", type: "tmpfs", source: "t", options: ["nosuchoption"] }] },
    refused: "/x",
  },
  {
    rule: "config.md/mounts/options: tmpcopyup begins with what the directory has",
    change: { mounts: [{ destination: "/etc", type: "tmpfs", source: "t", options: ["tmpcopyup"] }] },
    script: "head -1 /etc/passwd; grep -c ' /etc tmpfs ' /proc/mounts",
    shows: /^root:.*\n1$/m,
  },
  {
    rule: "config.md/mounts/uidMappings: a bind mount shows owners by its maps",
    since: "1.1",
    change: (place) => {
      const source = place.path("owned");
      Deno.mkdirSync(source);
      Deno.writeTextFileSync(join(source, "file"), "");
      Deno.chownSync(join(source, "file"), 1000, 1001);
      const maps = { uidMappings: map(1000, 5), gidMappings: map(1001, 6) };
      return { mounts: [{ destination: "/x", type: "bind", source, options: ["bind"], ...maps }] };
    },
    script: "stat -c '%u %g' /x/file",
    shows: "5 6",
  },
  ...(["uidMappings", "gidMappings"] as const).map((name) => ({
    rule: `config.md/mounts/${name}: without the other map it is an error` as const,
    since: "1.1" as const,
    change: (place: Place) => ({
      mounts: [{ destination: "/x", type: "bind", source: place.path("out"), options: ["bind"], [name]: map(0, 0) }],
    }),
    refused: name === "uidMappings" ? "gidMappings" : "uidMappings",
  })),
  ...["idmap", "ridmap"].map((word) => ({
    rule: `config.md/mounts/options: ${word} without maps and without a user namespace is an error` as const,
    since: "1.2" as const,
    change: (place: Place) => ({
      mounts: [{ destination: "/x", type: "bind", source: place.path("out"), options: ["rbind", word] }],
    }),
    refused: "mounts",
  })),
  {
    rule: "config.md/mounts/options: idmap without maps takes those of the user namespace",
    since: "1.2",
    needs: ["userns"],
    change: (place) => {
      const source = place.path("owned");
      Deno.mkdirSync(source);
      Deno.writeTextFileSync(join(source, "file"), "");
      Deno.mkdirSync(join(place.rootfs, "x"));
      return {
        mounts: [{ destination: "/x", type: "bind", source, options: ["bind", "idmap"] }],
        linux: {
          namespaces: namespacesBut("user", { type: "user" }),
          uidMappings: map(0, 100000, 1000),
          gidMappings: map(0, 200000, 1000),
        },
      };
    },
    script: "stat -c '%u %g' /x/file",
    shows: "0 0",
  },
]);
