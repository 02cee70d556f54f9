import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { resolveUser } from "./users.ts";

const FILES = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "www-data:x:33:33:www:/var/www:/usr/sbin/nologin",
    "1000:x:2000:2000:a number for a name:/home/number:/bin/sh",
    "app:x:1001:1001::/home/app:/bin/sh",
    "broken:x:-1:0::/:/bin/sh",
    "evil:x:4294967295:0::/:/bin/sh",
    "relative:x:1002:1002::home:/bin/sh",
    "garbage",
  ].join("\n"),
  group: ["root:x:0:", "www-data:x:33:", "audio:x:29:app,www-data", "video:x:44:app", "odd:x:0x1:app"].join("\n"),
};

Deno.test("resolveUser finds ids, groups and home as docker does", () => {
  const table: [string, number, number, number[], string][] = [
    ["", 0, 0, [], "/root"],
    ["root", 0, 0, [], "/root"],
    ["app", 1001, 1001, [29, 44], "/home/app"],
    ["1001", 1001, 1001, [29, 44], "/home/app"],
    ["app:www-data", 1001, 33, [], "/home/app"],
    ["app:7", 1001, 7, [], "/home/app"],
    ["5000", 5000, 0, [], "/"],
    ["5000:audio", 5000, 29, [], "/"],
    ["1000", 2000, 2000, [], "/home/number"],
    ["relative", 1002, 1002, [], "/"],
  ];
  for (const [user, uid, gid, additionalGids, home] of table) {
    assertEquals(resolveUser(user, [], FILES), { uid, gid, additionalGids, home }, user);
  }
});

Deno.test("resolveUser adds groups by name and number, each once", () => {
  assertEquals(resolveUser("app", ["video", "5", "5"], FILES).additionalGids, [5, 29, 44]);
});

Deno.test("resolveUser knows root without any files, and refuses names that are not there", () => {
  assertEquals(resolveUser("0:0", [], { passwd: "", group: "" }), { uid: 0, gid: 0, additionalGids: [], home: "/" });
  for (const user of ["nobody", "broken", "evil", "-1", "4294967295", "99999999999", "0x10", "garbage"]) {
    assertThrows(() => resolveUser(user, [], FILES), PaddockError, `the image has no user '${user}'`);
  }
  assertThrows(() => resolveUser("root:staff", [], FILES), PaddockError, "the image has no group 'staff'");
  assertThrows(() => resolveUser("root", ["odd2"], FILES), PaddockError, "the image has no group 'odd2'");
});
