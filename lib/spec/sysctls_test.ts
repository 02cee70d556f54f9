import { assertEquals } from "@std/assert";
import { findSysctlProblem, splitSysctl } from "./sysctls.ts";

Deno.test("splitSysctl takes points and slashes as sysctl(8) does", () => {
  const table: [string, string[]][] = [
    ["net.ipv4.ip_forward", ["net", "ipv4", "ip_forward"]],
    ["net/ipv4/ip_forward", ["net", "ipv4", "ip_forward"]],
    ["net/ipv4/conf/eth0.1/forwarding", ["net", "ipv4", "conf", "eth0.1", "forwarding"]],
    ["net.ipv4.conf.eth0/1.forwarding", ["net", "ipv4", "conf", "eth0.1", "forwarding"]],
    ["net.//.kernel.panic", ["net", "..", "kernel", "panic"]],
    ["single", ["single"]],
  ];
  for (const [key, parts] of table) assertEquals(splitSysctl(key), parts);
});

Deno.test("findSysctlProblem lets nothing lead out of the namespace's settings", () => {
  const namespaces = [{ type: "network" as const }, { type: "ipc" as const }];
  const keys = [
    "net/../kernel/panic",
    "net.//.kernel.panic",
    "net/./x",
    "net//x",
    ".net.x",
    "/net/x",
    "net.",
    "",
  ];
  for (const key of keys) assertEquals(findSysctlProblem({ namespaces }, key), "it is no setting's name", key);
  for (const key of ["vm.swappiness", "kernel.core_pattern", "kernel/sysrq", "fs.file-max", "net", "netx.y"]) {
    assertEquals(findSysctlProblem({ namespaces }, key), "it belongs to no namespace and would change the host", key);
  }
  for (const key of ["net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding", "kernel.shmmax", "fs/mqueue/msg_max"]) {
    assertEquals(findSysctlProblem({ namespaces }, key), undefined, key);
  }
});

Deno.test("findSysctlProblem takes the domain name where the container has names of its own, and the host name never", () => {
  const own = { namespaces: [{ type: "uts" as const }] };
  assertEquals(findSysctlProblem(own, "kernel.domainname"), undefined);
  assertEquals(findSysctlProblem({ namespaces: [] }, "kernel.domainname"), "it would change the host's name");
  assertEquals(findSysctlProblem(own, "kernel.hostname"), "the host name has a field of its own");
});
