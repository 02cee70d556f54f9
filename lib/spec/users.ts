/**
 * Who a process runs as: `--user` and `--group-add` against the image's own passwd and group files.
 *
 * The files come from the image and are not trusted: a line that is not understood is passed over, and a number is
 * only taken where it is one from end to end.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { ProcessUser } from "./from_options.ts";

/** The image's files as text; empty where it has none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/**
 * The ids of `USER[:GROUP]` as docker finds them: a name must be in the files; a number need not, and has then no home
 * and no further groups. Without a group it is the user's own, with all others that list the user.
 *
 * @throws {PaddockError} where a name is not in the image's files, or a number is no id
 */
export function resolveUser(user: string, groupAdd: readonly string[], files: UserFiles): ProcessUser {
  const [name = "", group] = (user === "" ? "0" : user).split(":", 2);
  const accounts = parsePasswd(files.passwd);
  const groups = parseGroup(files.group);
  const account = findByNameOrId(accounts, name);
  const uid = account?.id ?? parseId(name) ??
    fail(`the image has no user '${name}'`, "give a number, or a name from its /etc/passwd");
  const gid = group === undefined ? account?.gid ?? 0 : findGroup(groups, group);
  const listed = account === undefined || group !== undefined
    ? []
    : groups.filter((entry) => entry.members.includes(account.name)).map((entry) => entry.id);
  const additional = [...listed, ...groupAdd.map((text) => findGroup(groups, text))];
  return {
    uid,
    gid,
    additionalGids: [...new Set(additional)].sort((a, b) => a - b),
    home: account?.home ?? "/",
  };
}

interface Account {
  readonly name: string;
  readonly id: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly id: number;
  readonly members: readonly string[];
}

/** `man 5 passwd`: name:password:uid:gid:comment:home:shell. */
function parsePasswd(text: string): Account[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = "", , home = ""] = line.trim().split(":");
    const [id, groupId] = [parseId(uid), parseId(gid)];
    if (name === "" || id === undefined || groupId === undefined) return [];
    return [{ name, id, gid: groupId, home: home.startsWith("/") && !/[\0\n]/.test(home) ? home : "/" }];
  });
}

/** `man 5 group`: name:password:gid:members. */
function parseGroup(text: string): Group[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gid = "", members = ""] = line.trim().split(":");
    const id = parseId(gid);
    return name === "" || id === undefined
      ? []
      : [{ name, id, members: members.split(",").filter((member) => member !== "") }];
  });
}

/** A name before a number, as docker: a user may be called `1000`. */
function findByNameOrId<T extends { readonly name: string; readonly id: number }>(
  entries: readonly T[],
  text: string,
): T | undefined {
  return entries.find((entry) => entry.name === text) ?? entries.find((entry) => entry.id === parseId(text));
}

function findGroup(groups: readonly Group[], text: string): number {
  return findByNameOrId(groups, text)?.id ?? parseId(text) ??
    fail(`the image has no group '${text}'`, "give a number, or a name from its /etc/group");
}

/** A number from 0 to the last id; undefined for anything else (4294967295 means "no change" to the kernel). */
function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 2 ** 32 - 1 ? id : undefined;
}

function fail(message: string, hint: string): never {
  throw new PaddockError(message, { hint });
}
