import { assertEquals } from "@std/assert";
import { buildHosts, buildResolvConf } from "./network_files.ts";

const OPTIONS = { network: "none" as const, dns: [], dnsSearch: [], dnsOptions: [], addHosts: [] };
const HOST =
  "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.1 ; inside\nsearch old.org\nsearch a.org b.org\noptions ndots:2\noptions rotate\n";

Deno.test("buildHosts has loopback, the container's name and what was added", () => {
  const text = buildHosts({ ...OPTIONS, addHosts: [{ host: "db", address: "10.0.0.2" }] }, "box");
  assertEquals(text.split("\n").filter((line) => /127|::1|10\./.test(line)), [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "ff02::1\tip6-allnodes",
    "127.0.1.1\tbox",
    "10.0.0.2\tdb",
  ]);
  assertEquals(text.endsWith("\n"), true);
});

Deno.test("buildResolvConf leaves out servers that only the host reaches", () => {
  assertEquals(buildResolvConf(OPTIONS, HOST), "nameserver 10.0.0.1\nsearch a.org b.org\noptions ndots:2 rotate\n");
  assertEquals(
    buildResolvConf({ ...OPTIONS, network: "host" }, HOST),
    "nameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch a.org b.org\noptions ndots:2 rotate\n",
  );
  assertEquals(buildResolvConf(OPTIONS, "nameserver ::1\n"), "");
});

Deno.test("buildResolvConf puts what was asked for in place of the host's", () => {
  const given = { ...OPTIONS, dns: ["1.1.1.1"], dnsSearch: ["."], dnsOptions: ["edns0"] };
  assertEquals(buildResolvConf(given, HOST), "nameserver 1.1.1.1\noptions edns0\n");
});
