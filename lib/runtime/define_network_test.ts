import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { parseSubnet } from "../network/addresses.ts";
import { defineNetwork } from "./define_network.ts";

const taken = (...subnets: string[]) => ({ links: [], taken: subnets.map(parseSubnet) });
const NOTHING = taken();

Deno.test("defineNetwork finds a subnet that nothing is in the way of", () => {
  const subnet = (name: string, ...subnets: string[]) =>
    defineNetwork({ name }, [], taken(...subnets)).subnets[0]!.subnet;
  assertEquals(subnet("bridge"), "10.83.0.0/16");
  assertEquals(subnet("bridge", "10.83.7.0/24"), "10.84.0.0/24");
  assertEquals(subnet("back"), "10.84.0.0/24");
  assertEquals(subnet("back", "10.84.0.0/24", "10.84.1.128/25"), "10.84.2.0/24");
  assertThrows(() => subnet("back", "10.0.0.0/8"), PaddockError, "no subnet is free");
});

Deno.test("defineNetwork gives each its own bridge and subnet", () => {
  const first = defineNetwork({ name: "a" }, [], NOTHING);
  const link = { index: 9, name: "paddock1", up: true };
  const second = defineNetwork({ name: "b" }, [first], { links: [link], taken: [] });
  assertEquals([first.bridge, second.bridge], ["paddock0", "paddock2"]);
  assertEquals([first.subnets[0]!.subnet, second.subnets[0]!.subnet], ["10.84.0.0/24", "10.84.1.0/24"]);
  assertEquals(first.subnets[0]!.gateway, "10.84.0.1");
  assertThrows(() => defineNetwork({ name: "a" }, [first], NOTHING), PaddockError, "there is a network 'a' already");
});

Deno.test("defineNetwork makes a local subnet of IPv6, or takes the one that is given", () => {
  const [, local] = defineNetwork({ name: "a", ipv6: true }, [], NOTHING).subnets;
  assert(/^fd[0-9a-f:]+::\/64$/.test(local!.subnet), local!.subnet);
  const given = defineNetwork(
    { name: "a", subnets: ["fd00:1::/64", "10.1.0.0/24"], gateways: ["fd00:1::9"] },
    [],
    NOTHING,
  );
  assertEquals(given.subnets, [
    { subnet: "10.1.0.0/24", gateway: "10.1.0.1" },
    { subnet: "fd00:1::/64", gateway: "fd00:1::9" },
  ]);
});

Deno.test("defineNetwork refuses what cannot be", () => {
  const table: [Parameters<typeof defineNetwork>[0], string][] = [
    [{ name: "none" }, "the word has a meaning"],
    [{ name: "a", subnets: ["10.1.0.0/24", "10.2.0.0/24"] }, "one subnet of IPv4"],
    [{ name: "a", subnets: ["10.1.0.0/31"] }, "no room"],
    [{ name: "a", gateways: ["10.1.0.1"] }, "in no subnet"],
    [{ name: "../x" }, "'../x'"],
    [{ name: "a", subnets: ["192.0.2.0/25"] }, "overlaps 192.0.2.0/24"],
  ];
  for (const [wanted, message] of table) {
    assertThrows(() => defineNetwork(wanted, [], taken("192.0.2.0/24")), PaddockError, message);
  }
});
