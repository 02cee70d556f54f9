import { assertEquals } from "@std/assert";
import { CAPABILITIES, namesOfCapabilities } from "./capabilities.ts";

Deno.test("CAPABILITIES gives each capability the kernel's number", () => {
  assertEquals(CAPABILITIES.indexOf("chown"), 0);
  assertEquals(CAPABILITIES.indexOf("sys_admin"), 21);
  assertEquals(CAPABILITIES.indexOf("setfcap"), 31);
  assertEquals(CAPABILITIES.indexOf("checkpoint_restore"), 40);
});

Deno.test("namesOfCapabilities reads docker's default set", () => {
  assertEquals(namesOfCapabilities("00000000a80425fb"), [
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "net_bind_service",
    "net_raw",
    "sys_chroot",
    "mknod",
    "audit_write",
    "setfcap",
  ]);
});
