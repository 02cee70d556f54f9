/**
 * Networks of containers, by real packets: on a host that is a network namespace of the test's own.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { waitFor } from "./support/box.ts";
import { NetworkHost } from "./support/network_host.ts";
import { requires } from "./support/requires.ts";

function test(name: string, body: (host: NetworkHost) => Promise<void>): void {
  Deno.test({
    name,
    ...requires("root", "overlay", "tool:ip", "tool:nft", "tool:busybox"),
    fn: async () => {
      await using host = await NetworkHost.make();
      await body(host);
    },
  });
}

/** A web server in a container, which answers with the name of its host. */
const SERVER = "httpd -p 80 -h /etc;";
const get = (address: string, port = 80): string => `timeout 3 wget -q -O- http://${address}:${port}/hostname`;
const onHost = (address: string, port = 80): string =>
  `timeout 3 busybox wget -q -O- http://${address}:${port}/hostname`;

/** The address that a container has on its network. */
async function addressOf(host: NetworkHost, id: string, network = "bridge"): Promise<string> {
  const { stdout } = await host.paddock(["network", "inspect", network]);
  const [found] = JSON.parse(stdout) as { containers: { id: string; addresses: string[] }[] }[];
  return found!.containers.find((one) => one.id === id)!.addresses[0]!.split("/")[0]!;
}

/** The elements of all of paddock's maps. */
async function elements(host: NetworkHost): Promise<string> {
  const rules = await host.onHost("nft list ruleset");
  return [...rules.matchAll(/elements = \{([^}]*:[^}]*)\}/g)].map(([, inner]) => inner!.replace(/\s+/g, " ")).join("");
}

test("a container reaches its host and the world beyond, under the host's address", async (host) => {
  const script = "ip -4 -o address show eth0; ip route; cat /etc/hosts; " +
    "ping -c 1 -W 2 10.83.0.1 | grep -c '1 packets received'; ping -c 1 -W 2 198.51.100.1 | grep -c '1 packets received'";
  const { code, stdout, stderr } = await host.run(["--network", "bridge", "--hostname", "box"], script);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "/proc/sys/net/ipv4/ip_forward is set to 1");
  assertStringIncludes(stdout, "inet 10.83.0.2/16 scope global eth0");
  assertStringIncludes(stdout, "default via 10.83.0.1 dev eth0");
  assertMatch(stdout, /^10\.83\.0\.2\tbox$/m);
  assert(stdout.endsWith("1\n1\n"), stdout);
  // What is set already is not said again; and the next container has the next address.
  const again = await host.run(["--network", "bridge"], "ip -4 -o address show eth0");
  assertEquals(again.stderr, "");
  assertStringIncludes(again.stdout, "inet 10.83.0.3/16");
});

/** Answers each connection with the address that it comes from. */
const WHO = "for await (const c of Deno.listen({ port: 7000 })) { " +
  "await c.write(new TextEncoder().encode(c.remoteAddr.hostname)); c.close(); }";
/** Sends back what comes. */
const ECHO =
  'const s = require("dgram").createSocket("udp4"); s.on("message", (m, from) => s.send(m, from.port, from.address)); ' +
  "s.bind(53);";
/** Sends a word until it comes back. */
const ASK = 'const s = require("dgram").createSocket("udp4"); ' +
  's.on("message", (m) => { console.log(String(m)); process.exit(0); }); setTimeout(() => process.exit(1), 5000); ' +
  'setInterval(() => s.send("hello", 5353, process.argv[2]), 100);';

function deno(host: NetworkHost, name: string, text: string, ...words: readonly string[]): string[] {
  return [Deno.execPath(), "run", "-A", "--no-config", "--no-lock", host.box.file(name, text), ...words];
}

test("what leaves a network has the host's address", async (host) => {
  host.serve("world", ...deno(host, "who.ts", WHO));
  const script = "for try in 1 2 3 4 5 6 7 8 9; do nc -w 2 198.51.100.1 7000 </dev/null && break; sleep 0.3; done";
  assertEquals(await host.out(["--network", "bridge"], script), "192.0.2.2");
});

test("containers of one network reach each other, those of another only what is published", async (host) => {
  assertEquals((await host.paddock(["network", "create", "other"])).stdout, "other\n");
  await host.start("web", ["-p", "8080:80"], SERVER);
  const address = await addressOf(host, "web");
  assertEquals(await host.out(["--network", "bridge"], get(address)), "web\n");
  assertEquals(await host.out(["--network", "other"], `${get(address)} || echo refused`), "refused\n");
  assertEquals(await host.out(["--network", "other"], get("192.0.2.2", 8080)), "web\n");
  assertEquals(await host.onHost(onHost(address)), "web\n");
});

test("a published port leads to the container from everywhere, and is gone with it", async (host) => {
  const child = await host.start("web", ["-p", "8080:80", "-p", "127.0.0.1:8081:80"], SERVER);
  for (const address of ["127.0.0.1", "192.0.2.2", "10.83.0.1"]) {
    assertEquals(await host.onHost(onHost(address, 8080)), "web\n", address);
  }
  assertEquals(await host.inWorld(onHost("192.0.2.2", 8080)), "web\n");
  assertEquals(await host.onHost(onHost("127.0.0.1", 8081)), "web\n");
  assertEquals(await host.inWorld(`${onHost("192.0.2.2", 8081)} || echo refused`), "refused\n");
  // From itself and from a sibling by the host's addresses.
  assertEquals(await host.out(["--network", "bridge"], get("192.0.2.2", 8080)), "web\n");
  assertEquals(await host.out(["-p", "8090:80", "--hostname", "self"], SERVER + get("192.0.2.2", 8090)), "self\n");
  // Nobody else gets the port meanwhile.
  const second = await host.run(["-p", "8080:80"], "true");
  assertEquals(second.code, 125);
  assertStringIncludes(second.stderr, "cannot publish port 8080/tcp of the host: EADDRINUSE");
  assertStringIncludes(await elements(host), "tcp . 8080 : 10.83.0.2 . 80");
  await host.end(child);
  assertEquals(await elements(host), "");
  assertEquals(await host.onHost(`${onHost("127.0.0.1", 8080)} || echo refused`), "refused\n");
});

test("the host's loopback is not reached from a container, whatever is published there", async (host) => {
  host.serve("host", "busybox", "httpd", "-f", "-p", "127.0.0.1:6000", "-h", "/etc");
  await host.start("web", ["-p", "8080:80"], SERVER);
  const script = "ip route add 127.0.0.1/32 via 10.83.0.1 2>/dev/null; ip addr del 127.0.0.1/8 dev lo; " +
    `sysctl -qw net.ipv4.conf.eth0.route_localnet=1; ${get("127.0.0.1", 6000)} || echo refused`;
  const { stdout } = await host.run(["--network", "bridge", "--privileged"], script);
  assertEquals(stdout, "refused\n");
});

test("udp is published as well", async (host) => {
  await host.start("echo", ["-p", "5353:53/udp"]);
  host.serve({ pid: await host.pidOf("echo") }, ...deno(host, "echo.cjs", ECHO));
  for (
    const [place, address] of [["onHost", "127.0.0.1"], ["onHost", "192.0.2.2"], ["inWorld", "192.0.2.2"]] as const
  ) {
    assertEquals(await host[place](deno(host, "ask.cjs", ASK, address).join(" ")), "hello\n", address);
  }
});

test("a network with IPv6 has addresses of both, and its ports are published on both", async (host) => {
  await host.paddock(["network", "create", "--ipv6", "--subnet", "fd00:1:2:3::/64", "six"]);
  await host.start("web", ["--network", "six", "-p", "8080:80"], "httpd -p [::]:80 -h /etc;");
  const inspect = JSON.parse((await host.paddock(["network", "inspect", "six"])).stdout);
  assertEquals(inspect[0].containers[0].addresses, ["10.84.0.2/24", "fd00:1:2:3::2/64"]);
  assertEquals(await host.out(["--network", "six"], get("[fd00:1:2:3::2]")), "web\n");
  assertEquals(await host.inWorld(onHost("[2001:db8::2]", 8080)), "web\n");
  assertEquals(await host.inWorld(onHost("192.0.2.2", 8080)), "web\n");
  const ping = "ping -6 -c 1 -W 2 2001:db8::1 | grep -c '1 packets received'";
  assertEquals(await host.out(["--network", "six"], ping), "1\n");
  const script = "ip -6 -o address show eth0 scope global; cat /etc/hosts";
  assertMatch(
    await host.out(["--network", "six", "--ip6", "fd00:1:2:3::77", "--hostname", "b"], script),
    /^fd00:1:2:3::77\tb$/m,
  );
});

test("an internal network has no way out and nothing in", async (host) => {
  await host.paddock(["network", "create", "--internal", "inside"]);
  const script = "ip route | grep -c default; ping -c 1 -W 1 192.0.2.1 >/dev/null 2>&1 && echo out; echo end";
  assertEquals(await host.out(["--network", "inside"], script), "0\nend\n");
  const { code, stderr } = await host.run(["--network", "inside", "-p", "80"], "true");
  assertEquals([code, stderr.split("\n")[0]], [
    125,
    "paddock: the network 'inside' is internal: no port can be published from it",
  ]);
});

test("port, ps and inspect tell which ports of the host lead to a container", async (host) => {
  const flags = ["-p", "8080:80", "-p", "127.0.0.1:5300:53/udp"];
  const child = await host.start("web", flags, SERVER);
  const out = async (...words: string[]) => (await host.paddock(words)).stdout;
  const lines = (await out("port", "web")).trimEnd().split("\n").sort();
  assertEquals(lines, ["53/udp -> 127.0.0.1:5300", "80/tcp -> 0.0.0.0:8080"]);
  assertEquals(await out("port", "web", "80"), "0.0.0.0:8080\n");
  assertEquals(await out("port", "web", "53/udp"), "127.0.0.1:5300\n");
  const none = await host.paddock(["port", "web", "81"]);
  assertEquals([none.code, none.stderr.split("\n")[0]], [
    125,
    "paddock: no port of the host leads to 81/tcp of container 'web'",
  ]);
  assertEquals((await out("ps", "--format", "{{.Ports}}")).trimEnd().split(", ").sort(), [
    "0.0.0.0:8080->80/tcp",
    "127.0.0.1:5300->53/udp",
  ]);
  assertEquals(await out("ps", "-q", "--filter", "publish=5300/udp"), "web\n");
  const [{ NetworkSettings }] = JSON.parse(await out("inspect", "web"));
  assertEquals(NetworkSettings.Ports["80/tcp"], [{ HostIp: "0.0.0.0", HostPort: "8080" }]);
  assertEquals([NetworkSettings.Networks.bridge.IPAddress, NetworkSettings.IPPrefixLen], ["10.83.0.2", 16]);
  const [{ received }] = JSON.parse(await out("stats", "--no-stream", "--json"));
  assertEquals(typeof received, "number");
  await host.end(child, "SIGTERM");
});

test("after SIGKILL gc takes ports and addresses back, and the cable is gone", async (host) => {
  const child = await host.start("web", ["-p", "8080:80"], SERVER);
  assertStringIncludes(await elements(host), "tcp . 8080");
  const { stdout } = await host.paddock(["ps", "--json"]);
  const [{ launcherPid }] = JSON.parse(stdout);
  Deno.kill(launcherPid, "SIGKILL");
  await host.end(child, "SIGKILL");
  await waitFor("the container's end", () => !isAlive(launcherPid));
  assertStringIncludes((await host.paddock(["gc"])).stdout, "removed container web");
  assertEquals(await elements(host), "");
  assertEquals(JSON.parse((await host.paddock(["network", "inspect", "bridge"])).stdout)[0].containers, []);
  for (let tries = 0; (await host.onHost("ip -o link")).includes("pd0a53"); tries++) {
    assert(tries < 50, "the cable is still there");
    await new Promise((done) => setTimeout(done, 100));
  }
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

test("many that start at once have addresses of their own", async (host) => {
  const outputs = await Promise.all(
    Array.from({ length: 12 }, () => host.out(["--network", "bridge"], "ip -4 -o address show eth0; sleep 1")),
  );
  const addresses = outputs.map((output) => /inet (\S+)/.exec(output)?.[1]);
  assertEquals(new Set(addresses).size, 12, addresses.join(" "));
});

test("foreign tables are the same before and after, and what somebody flushes is put back", async (host) => {
  await host.onHost(
    "nft 'add table inet other; add chain inet other c { type filter hook forward priority 5; policy accept; }; " +
      "add rule inet other c ip saddr 10.0.0.0/8 counter accept; add table ip nat; add set ip nat s { type ipv4_addr; elements = { 1.2.3.4 } }'",
  );
  const foreign = async () => await host.onHost("nft -s list table inet other; nft -s list table ip nat");
  const before = await foreign();
  const child = await host.start("web", ["-p", "8080:80"], SERVER);
  assertEquals(await foreign(), before);
  // The next start puts in order what is missing.
  await host.onHost(
    "nft list tables | grep paddock | while read word family name; do nft delete table $family $name; done",
  );
  assertEquals(await elements(host), "");
  await host.out(["--network", "bridge"], "true");
  assertStringIncludes(await elements(host), "tcp . 8080 : 10.83.0.2 . 80");
  assertEquals(await host.inWorld(onHost("192.0.2.2", 8080)), "web\n");
  await host.end(child);
  for (const name of ["bridge"]) assertEquals((await host.paddock(["network", "rm", name])).stdout, "bridge\n");
  assertEquals(await foreign(), before);
  const tables = await host.onHost("nft list tables");
  assertEquals(tables.includes("paddock"), false, tables);
  assertEquals((await host.onHost("ip -o link")).includes("paddock0"), false);
});

test("--network container:ID and ns:PATH share a network", async (host) => {
  await host.start("web", ["-p", "8080:80"], SERVER);
  const own = await host.out(["--network", "container:web"], `${get("127.0.0.1")}; ip -4 -o address show eth0`);
  assertMatch(own, /^web\n.*inet 10\.83\.0\.2\/16/);
  assertMatch(await host.out(["--network", `ns:/proc/${host.world.pid}/ns/net`], "ip -4 address"), /198\.51\.100\.1/);
});

test("wishes for addresses are kept, or refused with the reason", async (host) => {
  const flags = ["--ip", "10.83.9.9", "--mac-address", "02:00:00:00:00:07", "--network", "bridge"];
  const child = await host.start("wished", flags);
  assertEquals(await addressOf(host, "wished"), "10.83.9.9");
  const taken = await host.run(["--ip", "10.83.9.9"], "true");
  assertEquals([taken.code, taken.stderr.split("\n")[0]], [
    125,
    "paddock: the address 10.83.9.9 of the network 'bridge' is taken",
  ]);
  for (const ip of ["10.83.0.1", "10.84.0.9", "10.83.0.0"]) {
    assertEquals((await host.run(["--ip", ip], "true")).code, 125, ip);
  }
  assertEquals((await host.run(["--network", "bridge", "--ip6", "fd00::5"], "true")).code, 125);
  await host.end(child);
});

test("with a user namespace of its own a container has the same network", async (host) => {
  const flags = ["--userns", "100000:100000:65536", "-p", "8080:80", "--hostname", "mapped"];
  await host.start("mapped", flags, SERVER);
  assertEquals(await host.inWorld(onHost("192.0.2.2", 8080)), "mapped\n");
});

test("containers of a network know each other by name and alias, as long as they are there", async (host) => {
  await host.paddock(["network", "create", "back"]);
  const first = await host.start(
    "first",
    ["--network", "back", "--add-host", "fixed:1.2.3.4"],
    "echo 9.9.9.9 own >> /etc/hosts;",
  );
  await host.start("web", ["--network", "back", "--network-alias", "www"], SERVER);
  for (const name of ["web", "www"]) assertEquals(await host.out(["--network", "back"], get(name)), "web\n", name);
  // One that was there before learns of those that come, and keeps what it has written itself.
  const hosts = `/proc/${await host.pidOf("first")}/root/etc/hosts`;
  const text = Deno.readTextFileSync(hosts);
  for (const line of ["1.2.3.4\tfixed\n", "10.84.0.3\tweb www\n", "9.9.9.9 own\n"]) assertStringIncludes(text, line);
  assertEquals((await host.paddock(["rm", "-f", "web"])).code, 0);
  assertEquals(Deno.readTextFileSync(hosts).includes("www"), false);
  // The default network keeps no names.
  assertEquals((await host.out(["--network", "bridge"], "cat /etc/hosts")).includes("names of this network"), false);
  await host.end(first);
  const flags = ["--userns", "100000:100000:65536", "--network", "back", "--name", "mapped", "--rm"];
  assertMatch(
    await host.out(flags, "echo 5.5.5.5 mine >> /etc/hosts; cat /etc/hosts"),
    /\tmapped\n# end\n5\.5\.5\.5 mine\n$/,
  );
});

test("a container in the background has its network, and what of it is taken back when it is removed", async (host) => {
  const { code, stderr } = await host.paddock([
    "run",
    "-d",
    "--name",
    "web",
    "-p",
    "8080:80",
    host.box.rootfs,
    "httpd",
    "-f",
    "-h",
    "/etc",
  ]);
  assertEquals(code, 0, stderr);
  assertEquals(await host.inWorld(onHost("192.0.2.2", 8080)), "web\n");
  // Stopped it has none, and started again it has one.
  assertEquals((await host.paddock(["stop", "-t", "0", "web"])).code, 0);
  assertEquals(await elements(host), "");
  assertEquals((await host.paddock(["start", "web"])).code, 0);
  assertEquals(await host.inWorld(onHost("192.0.2.2", 8080)), "web\n");
  assertEquals((await host.paddock(["rm", "-f", "web"])).code, 0);
  assertEquals(await elements(host), "");
  assertEquals(JSON.parse((await host.paddock(["network", "inspect", "bridge"])).stdout)[0].containers, []);
});

test("one that is kept gives its address and ports back when it ends", async (host) => {
  assertEquals((await host.run(["--name", "kept", "-p", "8080:80"], "true")).code, 0);
  assertEquals(await elements(host), "");
  assertEquals(JSON.parse((await host.paddock(["network", "inspect", "bridge"])).stdout)[0].containers, []);
  assertEquals((await host.paddock(["rm", "kept"])).code, 0);
});

test("network create, ls, inspect, rm and prune", async (host) => {
  const create = await host.paddock([
    "network",
    "create",
    "--subnet",
    "10.20.0.0/24",
    "--gateway",
    "10.20.0.9",
    "back",
  ]);
  assertEquals([create.code, create.stdout], [0, "back\n"]);
  await host.paddock(["network", "create", "--label", "a=b", "--mtu", "1400", "front"]);
  const list = (await host.paddock(["network", "ls"])).stdout;
  assertMatch(list, /^back\s+10\.20\.0\.0\/24\s+paddock0\s+0/m);
  assertEquals((await host.paddock(["network", "ls", "-q"])).stdout, "back\nfront\n");
  const [front] = JSON.parse((await host.paddock(["network", "inspect", "front"])).stdout);
  assertEquals([front.labels, front.mtu], [{ a: "b" }, 1400]);
  assertMatch(await host.out(["--network", "front"], "ip link show eth0"), /mtu 1400/);
  assertMatch(await host.out(["--network", "back"], "ip route"), /default via 10\.20\.0\.9/);
  const child = await host.start("web", ["--network", "back"]);
  const used = await host.paddock(["network", "rm", "back"]);
  assertEquals([used.code, used.stderr.split("\n")[0]], [125, "paddock: the network 'back' has containers: web"]);
  assertEquals((await host.paddock(["network", "prune", "-f"])).stdout, "front\n");
  await host.end(child);
  assertEquals((await host.paddock(["network", "rm", "back", "nosuch"])).stdout, "back\n");
  assertEquals((await host.paddock(["network", "ls", "--json"])).stdout, "[]\n");
  for (
    const words of [["create"], ["create", "host"], ["create", "--subnet", "192.0.2.0/28", "x"], ["frob"], [
      "inspect",
      "nosuch",
    ]]
  ) {
    assertEquals((await host.paddock(["network", ...words])).code, 125, words.join(" "));
  }
});

test("explain shows the network and makes nothing of it; compile refuses", async (host) => {
  const links = await host.onHost("ip -o link");
  const { code, stdout } = await host.paddock(["explain", "-p", "8080:80", host.box.rootfs, "true"]);
  assertEquals(code, 0);
  for (
    const line of [
      "ip address add 10.83.0.2/16 dev eth0",
      "ip route add default via 10.83.0.1",
      "'{ tcp . 8080 : 10.83.0.2 . 80 }'",
    ]
  ) {
    assertStringIncludes(stdout, line);
  }
  assertEquals(await host.onHost("ip -o link"), links);
  assertEquals(await host.onHost("nft list tables"), "");
  const compile = await host.paddock(["compile", "-o", host.box.path("out"), "-p", "80", host.box.rootfs, "true"]);
  assertEquals(compile.code, 125);
  assertStringIncludes(compile.stderr, "compile cannot take a network whose addresses paddock gives out");
});

test("what fails when it is connected is told in the kernel's own words, and nothing stays", async (host) => {
  await host.out(["--network", "bridge"], "true");
  // Somebody has taken the name of the next cable's end.
  await host.onHost("ip link add pd0a530004 type bridge");
  const { stderr, code } = await host.run(["--network", "bridge", "--ip", "10.83.0.4"], "true");
  assertEquals(code, 125);
  assertStringIncludes(stderr, "10.83.0.4 of the network 'bridge' is taken");
  assertEquals(JSON.parse((await host.paddock(["network", "inspect", "bridge"])).stdout)[0].containers, []);
});

test("a container that is started again keeps its address, and its published port leads to it", async (host) => {
  const script =
    "ip -4 -o address show eth0 | sed 's/.*inet //; s/ .*//'; echo x >>/n; test $(wc -l </n) -lt 3 && exit 1; " +
    "exec httpd -f -p 80 -h /etc";
  const words = ["run", "-d", "--name", "re-web", "--network", "bridge", "-p", "8080:80", "--restart", "on-failure"];
  const { code, stderr } = await host.paddock([...words, host.box.rootfs, "sh", "-c", script]);
  assertEquals(code, 0, stderr);
  try {
    const log = `${host.box.paddock.dataRoot}/containers/re-web/log`;
    const lines = await waitFor("three runs", () => {
      const found = Deno.readTextFileSync(log).trim().split("\n");
      return found.length === 3 ? found : undefined;
    });
    assertEquals(new Set(lines).size, 1, lines.join(" "));
    await waitFor("its server", () => {
      const { pid } = host.host;
      const open = new Deno.Command("nsenter", { args: ["-t", `${pid}`, "-n", "sh", "-c", onHost("127.0.0.1", 8080)] });
      return open.outputSync().code === 0;
    });
  } finally {
    await host.paddock(["rm", "-f", "re-web"]);
  }
});
