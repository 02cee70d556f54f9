import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import { DEFAULT_NAMESPACES } from "../spec/defaults.ts";
import type { Attachment } from "../spec/network.ts";
import { planContainer } from "./build.ts";
import { actsOf, type ConfigOverrides, exampleConfig, exampleSetting } from "./config_example.ts";
import { planNetwork } from "./network.ts";

const attachment: Attachment = {
  network: "back",
  bridge: "paddock0",
  hostEnd: "pd0a540002",
  macAddress: "02:50:0a:54:00:02",
  mtu: 1400,
  addresses: ["10.84.0.2/24", "fd00::2/64"],
  gateways: ["10.84.0.1", "fd00::1"],
  ports: [{ protocol: "tcp", hostPort: 8080, containerPort: 80 }],
  aliases: [],
};
const network = planNetwork({ attachment, bridgeIndex: 7, table: "paddock", leases: ["/data/lease"] });

function plan(linux: ConfigOverrides["linux"] = {}): ReturnType<typeof planContainer> {
  return planContainer(exampleConfig({ linux }), exampleFacts(), { ...exampleSetting(), network });
}

const CABLE = "connect the container's eth0 with the bridge paddock0";
const OURS = /port|publish|socket to the host's network|eth0|way out|addresses and names/;

function whats(side: "launcher" | "container", linux?: ConfigOverrides["linux"]): string[] {
  return actsOf(plan(linux), side).map(({ what }) => what).filter((what) => OURS.test(what));
}

const BEFORE = ["reserve port 8080/tcp of the host", "publish 8080/tcp as 80", "open a socket to the host's network"];
const AFTER = ["take the published ports away", "give its addresses and names back"];
const WITHIN = ["give eth0 the address 10.84.0.2/24 and fd00::2/64", "make 10.84.0.1 and fd00::1 the way out"];

Deno.test("a network is published before the clone, connected and set up by the child, and taken back at the end", () => {
  assert(assemble(plan()).length > 0);
  assertEquals(whats("launcher"), [...BEFORE, ...AFTER]);
  assertEquals(whats("container"), [CABLE, ...WITHIN]);
});

Deno.test("the launcher makes the cable where the child has a user namespace of its own", () => {
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const namespaces = [...DEFAULT_NAMESPACES, "user" as const].map((type) => ({ type }));
  const linux = { namespaces, uidMappings: map, gidMappings: map };
  assert(assemble(plan(linux)).length > 0);
  assertEquals(whats("launcher", linux), [...BEFORE, CABLE, ...AFTER]);
  assertEquals(whats("container", linux), WITHIN);
});

Deno.test("a shell would say it with ip and nft, of both families", () => {
  const text = [...network.before, ...network.connect([], "f"), ...network.within].flatMap(({ shell }) => shell).join(
    "\n",
  );
  for (
    const line of [
      "nft add element ip paddock ports '{ tcp . 8080 : 10.84.0.2 . 80 }'",
      "nft add element ip6 paddock ports '{ tcp . 8080 : fd00::2 . 80 }'",
      "ip link add pd0a540002 mtu 1400 master paddock0 up type veth peer name eth0 mtu 1400 address 02:50:0a:54:00:02",
      "ip link set pd0a540002 type bridge_slave hairpin on",
      "ip route add default via fd00::1",
    ]
  ) assertStringIncludes(text, line);
});

Deno.test("without ports nothing is published, and without gateways there is no way out", () => {
  const alone = planNetwork({
    attachment: { ...attachment, ports: [], gateways: [] },
    bridgeIndex: 7,
    table: "paddock",
    leases: [],
  });
  const acts = [...alone.before, ...alone.connect([], "f"), ...alone.within, ...alone.after];
  assertEquals(acts.map(({ what }) => what), [
    "open a socket to the host's network",
    CABLE,
    "give eth0 the address 10.84.0.2/24 and fd00::2/64",
    "give its addresses and names back",
  ]);
});
