/**
 * Messages to the kernel's network, byte for byte beside those that iproute2's `ip` and nftables' `nft` send, and what
 * the kernel answers: each test in a network namespace of its own.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as nft from "../lib/network/nft_expressions.ts";
import {
  batch,
  type Chain,
  type Change,
  deleteElements,
  deleteTable,
  flushChain,
  newChain,
  newElements,
  newRule,
  newSet,
  newTable,
  type NftSet,
  type TableName,
  TYPES,
} from "../lib/network/nftables.ts";
import { concatenate, text } from "../lib/network/message.ts";
import * as rt from "../lib/network/rtnetlink.ts";
import { call } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

const WITH_IP = requires("root", "tool:ip", "tool:strace");
const WITH_NFT = requires("root", "tool:nft", "tool:strace");

/** With a network and processes of its own: process 1 is in the same network namespace. */
const APART = ["unshare", "--net", "--pid", "--fork", "--mount-proc"];

/** What a command sends to the kernel, run after others in a new network namespace: message after message, in hex. */
async function sentBy(command: string, before = "true"): Promise<string[]> {
  const trace = Deno.makeTempFileSync({ prefix: "paddock-test-" });
  try {
    const script =
      `${before} && strace -qq -e trace=sendmsg,sendto -e write=all -e verbose=none -o ${trace} ${command}`;
    const { code, stderr } = await call([...APART, "sh", "-c", script]);
    assertEquals(code, 0, stderr);
    return readTrace(Deno.readTextFileSync(trace)).flatMap(splitMessages).map(normalise).map(hex);
  } finally {
    Deno.removeSync(trace);
  }
}

/** strace prints what was sent in rows of sixteen bytes, which begin with how far they are from the beginning. */
function readTrace(trace: string): Uint8Array[] {
  const buffers: number[][] = [];
  for (const line of trace.split("\n")) {
    const row = /^ \| ([0-9a-f]{5}) {2}([0-9a-f ]{49})/.exec(line);
    if (row === null) continue;
    if (parseInt(row[1]!, 16) === 0) buffers.push([]);
    buffers.at(-1)!.push(...row[2]!.trim().split(/\s+/).map((byte) => parseInt(byte, 16)));
  }
  return buffers.map((bytes) => Uint8Array.from(bytes));
}

function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
    messages.push(bytes.slice(at, at + length));
    at += (length + 3) & ~3;
  }
  return messages;
}

/** Sequence numbers are the sender's own. */
function normalise(message: Uint8Array): Uint8Array {
  return message.fill(0, 8, 12);
}

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

function ours(...messages: readonly Uint8Array[]): string[] {
  return messages.flatMap(splitMessages).map((message) => hex(normalise(message)));
}

/** The last message of a command: those before ask for what stands there. */
async function lastSentBy(command: string, before?: string): Promise<string[]> {
  return (await sentBy(command, before)).slice(-1);
}

const mac = Uint8Array.of(2, 0, 10, 88, 0, 2);
const address4 = Uint8Array.of(10, 88, 0, 1);
const address6 = Uint8Array.of(0xfd, 0, 0, 1, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1);
/** In a new network namespace the first link behind the loopback has index 2, the next 3. */
const BRIDGE = "ip link add br0 type bridge";
const CABLE = `${BRIDGE} && ip link add v0 type veth peer name v1 && ip link set br0 up`;

const LINKS: readonly (readonly [name: string, command: string, before: string, message: Uint8Array])[] = [
  ["a bridge", "ip link add br0 type bridge", "true", rt.newBridge("br0")],
  [
    "a bridge with MTU and address",
    "ip link add br0 mtu 1400 address 02:00:0a:58:00:02 type bridge",
    "true",
    rt.newBridge("br0", { mtu: 1400, address: mac }),
  ],
  [
    "a veth pair whose peer is born elsewhere",
    "ip link add v0 mtu 1400 type veth peer name eth0 address 02:00:0a:58:00:02 netns 1",
    "true",
    rt.newVeth({ name: "v0", mtu: 1400 }, { name: "eth0", address: mac, namespace: { pid: 1 } }),
  ],
  ["a link that is set up", "ip link set br0 up", BRIDGE, rt.setLink(2, { up: true })],
  ["a link that is set down", "ip link set br0 down", BRIDGE, rt.setLink(2, { up: false })],
  ["a port of a bridge", "ip link set v0 master br0", CABLE, rt.setLink(4, { master: 2 })],
  [
    "a port that has back what it sent",
    "ip link set v0 type bridge_slave hairpin on",
    `${CABLE} && ip link set v0 master br0`,
    rt.setHairpin(4),
  ],
  ["a link's MTU", "ip link set br0 mtu 1400", BRIDGE, rt.setLink(2, { mtu: 1400 })],
  ["a link's address", "ip link set br0 address 02:00:0a:58:00:02", BRIDGE, rt.setLink(2, { address: mac })],
  ["a link's name", "ip link set v1 name eth0", CABLE, rt.setLink(3, { name: "eth0" })],
  ["a link that moves", "ip link set v1 netns 1", CABLE, rt.setLink(3, { namespace: { pid: 1 } })],
  ["a link that is removed", "ip link del br0", BRIDGE, rt.deleteLink(2)],
  [
    "an IPv4 address",
    "ip address add 10.88.0.1/16 dev br0",
    BRIDGE,
    rt.newAddress(2, { address: address4, prefix: 16 }),
  ],
  [
    "an IPv6 address that nobody is asked for",
    "ip address add fd00:1:2:3::1/64 dev br0 nodad",
    BRIDGE,
    rt.newAddress(2, { address: address6, prefix: 64 }, true),
  ],
  [
    "the default route",
    "ip route add default via 10.88.0.1",
    `${CABLE} && ip address add 10.88.0.2/16 dev br0`,
    rt.newDefaultRoute(address4),
  ],
  [
    "the default route of IPv6",
    "ip route add default via fd00:1:2:3::1 dev br0",
    `${CABLE} && ip address add fd00:1:2:3::2/64 dev br0`,
    rt.newDefaultRoute(address6, 2),
  ],
];

for (const [name, command, before, message] of LINKS) {
  Deno.test({
    name: `rtnetlink: ${name} as ip has it`,
    ...WITH_IP,
    fn: async () => assertEquals(ours(message), await lastSentBy(command, before)),
  });
}

Deno.test({
  name: "rtnetlink: a peer's namespace may be a descriptor, whose place in the message is known",
  ...WITH_IP,
  fn: async () => {
    // `ip netns` mounts what it makes: in a mount namespace of its own.
    const script = `unshare --mount sh -c 'mount -t tmpfs none /run && ip netns add n && exec "$@"' sh`;
    const [sent] = await lastSentBy(
      `-f ${script} ip link add v0 type veth peer name eth0 netns n`,
    );
    const veth = rt.newVeth({ name: "v0" }, { name: "eth0", namespace: { fd: 0 } });
    const at = rt.placeOfPeerNamespace(veth);
    const theirs = Uint8Array.fromHex(sent!);
    assert(theirs[at]! > 2);
    veth[at] = theirs[at]!;
    assertEquals(ours(veth), [sent]);
  },
});

const TABLE: TableName = { family: "ip", name: "p" };
const ALL: NftSet = { name: "ports", id: 1, key: [TYPES.protocol, TYPES.port], value: [TYPES.address4, TYPES.port] };
const ONE: NftSet = {
  name: "bound",
  id: 2,
  key: [TYPES.address4, TYPES.protocol, TYPES.port],
  value: [TYPES.address4, TYPES.port],
};
const BY_NAME: NftSet = { name: "by_name", id: 3, key: [TYPES.interfaceName], value: [TYPES.verdict] };
const NAMES: NftSet = { name: "names", id: 4, key: [TYPES.interfaceName] };
const SUBNET = { address: Uint8Array.of(10, 88, 0, 0), prefix: 16 };
const CROOKED = { address: Uint8Array.of(10, 88, 16, 0), prefix: 20 };
const LOOPBACK = { address: Uint8Array.of(127, 0, 0, 0), prefix: 8 };

const CHAINS: readonly Chain[] = [
  {
    name: "guard",
    hook: { type: "filter", at: "prerouting", priority: -300 },
    rules: [[...nft.isInterface("iifname", "br0"), ...nft.isAddress("daddr", LOOPBACK), nft.decide("drop")]],
  },
  {
    name: "publish",
    rules: [
      [...nft.isLocal(true), nft.decide("return")],
      [nft.loadDestination(4), ...nft.loadService(nft.FIRST_PART + 1), nft.lookUp(ONE), nft.translateTo(4)],
      [...nft.loadService(nft.FIRST_PART), nft.lookUp(ALL), nft.translateTo(4)],
    ],
  },
  {
    name: "prerouting",
    hook: { type: "nat", at: "prerouting", priority: -100 },
    rules: [[nft.decide({ jump: "publish" })]],
  },
  {
    name: "postrouting",
    hook: { type: "nat", at: "postrouting", priority: 100 },
    rules: [
      [...nft.isTranslated(), ...nft.isAddress("saddr", CROOKED), nft.masquerade()],
      [...nft.isAddress("saddr", SUBNET), ...nft.isInterface("oifname", "br0", true), nft.masquerade()],
    ],
  },
];

const RULES = `table ip p {
  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map bound { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map by_name { type ifname : verdict; }
  set names { type ifname; }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname "br0" ip daddr 127.0.0.0/8 drop
  }
  chain publish {
    fib daddr type != local return
    dnat to ip daddr . meta l4proto . th dport map @bound
    dnat to meta l4proto . th dport map @ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump publish
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr 10.88.16.0/20 masquerade
    ip saddr 10.88.0.0/16 oifname != "br0" masquerade
  }
}
`;

const DECLARED: readonly Change[] = [
  newTable(TABLE),
  ...CHAINS.map((chain) => newChain(TABLE, chain)),
  ...[ALL, ONE, BY_NAME, NAMES].map((set) => newSet(TABLE, set)),
  ...CHAINS.flatMap(({ name, rules }) => rules.map((rule) => newRule(TABLE, name, rule))),
];

/** The batch that `nft` sends for these rules, in a network namespace with others. */
async function batchOf(rules: string, before = ""): Promise<string[]> {
  const directory = Deno.makeTempDirSync({ prefix: "paddock-test-" });
  try {
    Deno.writeTextFileSync(`${directory}/before`, before);
    Deno.writeTextFileSync(`${directory}/rules`, rules);
    const sent = await sentBy(`nft -f ${directory}/rules`, `nft -f ${directory}/before`);
    return sent.slice(sent.findIndex((message) => message.slice(8, 12) === "1000"));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test({
  name: "nf_tables: a table with chains, maps and rules as nft has it",
  ...WITH_NFT,
  fn: async () => assertEquals(ours(batch(DECLARED)), await batchOf(RULES)),
});

Deno.test({
  name: "nf_tables: elements as nft has them",
  ...WITH_NFT,
  fn: async () => {
    const port = (value: number) => Uint8Array.of(value >> 8, value & 255);
    const [protocol, target] = [Uint8Array.of(6), Uint8Array.of(10, 88, 0, 2)];
    assertEquals(
      ours(batch([newElements(TABLE, ALL, [{ key: [protocol, port(8080)], value: [target, port(80)] }])])),
      await batchOf("add element ip p ports { tcp . 8080 : 10.88.0.2 . 80 }", RULES),
    );
    const padded = (name: string) => concatenate([text(name), new Uint8Array(16 - name.length)]);
    assertEquals(
      ours(batch([newElements(TABLE, BY_NAME, [{ key: [padded("br0")], value: { jump: "publish" } }])])),
      await batchOf('add element ip p by_name { "br0" : jump publish }', RULES),
    );
    assertEquals(
      ours(batch([
        deleteElements(TABLE, ALL, [[protocol, port(8080)]]),
        flushChain(TABLE, "publish"),
        deleteTable(TABLE),
      ])),
      await batchOf(
        "delete element ip p ports { tcp . 8080 }\nflush chain ip p publish\ndelete table ip p\n",
        `${RULES}add element ip p ports { tcp . 8080 : 10.88.0.2 . 80 }\n`,
      ),
    );
  },
});

Deno.test({
  name: "nf_tables: the same for IPv6",
  ...WITH_NFT,
  fn: async () => {
    const table: TableName = { family: "ip6", name: "p" };
    const all = { ...ALL, value: [TYPES.address6, TYPES.port] };
    const one = { ...ONE, key: [TYPES.address6, TYPES.protocol, TYPES.port], value: [TYPES.address6, TYPES.port] };
    const subnet = { address: address6, prefix: 64 };
    const chain: Chain = {
      name: "c",
      hook: { type: "nat", at: "postrouting", priority: 100 },
      rules: [],
    };
    const publish = [
      [nft.loadDestination(16), ...nft.loadService(nft.FIRST_PART + 4), nft.lookUp(one), nft.translateTo(16)],
      [...nft.loadService(nft.FIRST_PART), nft.lookUp(all), nft.translateTo(16)],
    ];
    assertEquals(
      ours(batch([
        newTable(table),
        newChain(table, chain),
        newChain(table, { name: "publish", rules: [] }),
        newSet(table, all),
        newSet(table, one),
        newRule(table, "c", [
          ...nft.isAddress("saddr", subnet),
          ...nft.isAddress("daddr", subnet, true),
          nft.masquerade(),
        ]),
        ...publish.map((rule) => newRule(table, "publish", rule)),
      ])),
      await batchOf(`table ip6 p {
        map ports { type inet_proto . inet_service : ipv6_addr . inet_service; }
        map bound { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
        chain c {
          type nat hook postrouting priority srcnat; policy accept;
          ip6 saddr fd00:1:2:3::/64 ip6 daddr != fd00:1:2:3::/64 masquerade
        }
        chain publish {
          dnat to ip6 daddr . meta l4proto . th dport map @bound
          dnat to meta l4proto . th dport map @ports
        }
      }
      `),
    );
  },
});

/** What a worker in a network namespace of its own prints. */
async function inNamespace(script: string, before = "true"): Promise<string> {
  const worker = [Deno.execPath(), "run", "-A", "--no-config", "--no-lock", "--cached-only"];
  const imports = ["--import-map", new URL("../scripts/offline/import_map.json", import.meta.url).pathname];
  const file = Deno.makeTempFileSync({ prefix: "paddock-test-", suffix: ".ts" });
  try {
    const lib = new URL("../lib", import.meta.url).pathname;
    Deno.writeTextFileSync(file, script.replaceAll("$LIB", lib));
    const words = [...worker, ...imports, file].join(" ");
    const { code, stdout, stderr } = await call([...APART, "sh", "-c", `${before} && ${words}`]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    return stdout;
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test({
  name: "netlink: the kernel does what it is told, tells what there is, and says in words why not",
  ...WITH_IP,
  fn: async () => {
    const out = await inNamespace(
      `
      import { NetlinkSocket } from "$LIB/kernel/netlink.ts";
      import * as rt from "$LIB/network/rtnetlink.ts";
      using socket = NetlinkSocket.open("route");
      const bridge = rt.newBridge("br1", { up: true, address: Uint8Array.of(2, 0, 0, 0, 0, 1) });
      socket.send("make br1", bridge);
      const [link] = rt.readLinks(socket.send("find br1", rt.getLink("br1")));
      const address = Uint8Array.of(10, 88, 0, 1);
      socket.send("give br1 an address", rt.newAddress(link.index, { address, prefix: 16 }));
      socket.send("make a route", rt.newDefaultRoute(Uint8Array.of(10, 88, 0, 2)));
      console.log(JSON.stringify({
        again: socket.try("make br1", bridge, "EEXIST"),
        link: { ...link, address: [...link.address] },
        links: rt.readLinks(socket.send("list links", rt.listLinks())).map(({ name }) => name),
        addresses: rt.readAddresses(socket.send("list addresses", rt.listAddresses()))
          .filter(({ address }) => address.length === 4).map(({ address, prefix }) => [...address, prefix]),
        routes: rt.readRoutes(socket.send("list routes", rt.listRoutes()))
          .filter(({ family, prefix }) => family === 2 && prefix === 0).map(({ gateway, link }) => [...gateway, link]),
      }));
      const wrong = rt.newAddress(link.index, { address, prefix: 77 });
      try { socket.send("give br1 a wrong address", wrong); } catch (error) { console.log(error.message); }
      `,
      "ip link set lo up",
    );
    const [facts, words] = out.trim().split("\n");
    assertEquals(JSON.parse(facts!), {
      again: false,
      link: { index: 2, name: "br1", kind: "bridge", mtu: 1500, address: [2, 0, 0, 0, 0, 1], up: true },
      links: ["lo", "br1"],
      addresses: [[127, 0, 0, 1, 8], [10, 88, 0, 1, 16]],
      routes: [[10, 88, 0, 2, 2]],
    });
    assertStringIncludes(words!, "cannot give br1 a wrong address: EINVAL: invalid argument (the kernel says: ");
  },
});

Deno.test({
  name: "nf_tables: a batch is done together or not at all, and elements are told",
  ...WITH_NFT,
  fn: async () => {
    const out = await inNamespace(`
      import { NetlinkSocket } from "$LIB/kernel/netlink.ts";
      import * as n from "$LIB/network/nftables.ts";
      using socket = NetlinkSocket.open("netfilter");
      const table = { family: "ip", name: "p" };
      const set = { name: "s", id: 1, key: [n.TYPES.protocol, n.TYPES.port], value: [n.TYPES.address4, n.TYPES.port] };
      const element = { key: [Uint8Array.of(6), Uint8Array.of(31, 144)], value: [Uint8Array.of(10, 88, 0, 2), Uint8Array.of(0, 80)] };
      const wrong = n.batch([n.newTable(table), n.newElements(table, set, [element])]);
      console.log(socket.try("half", wrong, "ENOENT"), socket.try("look", n.getTable(table), "ENOENT"));
      socket.send("all", n.batch([n.newTable(table), n.newSet(table, set), n.newElements(table, set, [element])]));
      const again = n.batch([n.newElements(table, set, [element], { exclusive: true })]);
      console.log(socket.try("look", n.getTable(table), "ENOENT"), socket.try("again", again, "EEXIST"));
      const found = n.readElements(socket.send("list", n.listElements(table, "s")));
      console.log(JSON.stringify(found.map(({ key, value }) => [[...key], [...value]])));
    `);
    assertEquals(out, "false false\ntrue false\n[[[6,0,0,0,31,144,0,0],[10,88,0,2,0,80,0,0]]]\n");
  },
});
