import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleFacts } from "../host/facts_example.ts";
import { setLink } from "../network/rtnetlink.ts";
import { assemble } from "../program/assemble.ts";
import { DEFAULT_NAMESPACES } from "../spec/defaults.ts";
import { planContainer } from "./build.ts";
import { actsOf, type ConfigOverrides, exampleConfig, exampleSetting } from "./config_example.ts";
import { netDeviceRegions, planNetDevices } from "./net_devices.ts";

const netDevices = { eth1: { name: "eth0" }, eth2: {} };

function whats(linux: ConfigOverrides["linux"], side: "launcher" | "container"): string[] {
  const plan = planContainer(exampleConfig({ linux: { ...linux, netDevices } }), exampleFacts(), exampleSetting());
  assert(assemble(plan).length > 0);
  return actsOf(plan, side).map(({ what }) => what).filter((what) => what.includes("linux.netDevices"));
}

const FOUND = [
  'find the network device eth1 (linux.netDevices["eth1"])',
  'find the network device eth2 (linux.netDevices["eth2"])',
];
const MOVED = [
  'move the network device eth1 into the container as eth0 (linux.netDevices["eth1"])',
  'move the network device eth2 into the container as eth2 (linux.netDevices["eth2"])',
];
const SET_UP = [
  'set up the network device eth0 (linux.netDevices["eth1"])',
  'set up the network device eth2 (linux.netDevices["eth2"])',
];

Deno.test("the launcher finds network devices, the child moves them and sets them up", () => {
  assertEquals(whats({}, "launcher"), FOUND);
  assertEquals(whats({}, "container"), [...MOVED, ...SET_UP]);
});

Deno.test("the launcher moves network devices where the child has a user namespace of its own", () => {
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const namespaces = [...DEFAULT_NAMESPACES, "user" as const].map((type) => ({ type }));
  const linux = { namespaces, uidMappings: map, gidMappings: map };
  assertEquals(whats(linux, "launcher"), [...FOUND, ...MOVED]);
  assertEquals(whats(linux, "container"), SET_UP);
});

Deno.test("netDeviceRegions makes the message that moves a device", () => {
  const regions = netDeviceRegions(exampleConfig({ linux: { netDevices } }));
  const bytes = setLink(0, { name: "eth0", namespace: { fd: 0 } });
  assertEquals(regions["net0.move"], { size: bytes.length + 8, fields: [{ at: 0, bytes }] });
  assertEquals(netDeviceRegions(exampleConfig()), {});
});

Deno.test("planNetDevices does nothing unasked, and refuses a container that joins a user namespace", () => {
  assertEquals(planNetDevices(exampleConfig()), []);
  const joined = exampleConfig({
    linux: { namespaces: [{ type: "user", path: "/u" }, { type: "network" }], netDevices },
  });
  assertThrows(() => planNetDevices(joined), PaddockError, "linux.netDevices: a container that joins");
});
