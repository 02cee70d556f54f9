import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import {
  addressAt,
  formatAddress,
  formatMac,
  isInSubnet,
  macOf,
  nextAddress,
  offsetIn,
  overlaps,
  parseAddress,
  parseMac,
  parseSubnet,
  readAddress,
  socketAddress,
} from "./addresses.ts";

Deno.test("parseAddress and formatAddress go there and back, IPv6 in its shortest form", () => {
  const table: [string, string][] = [
    ["10.83.0.2", "10.83.0.2"],
    ["::", "::"],
    ["::1", "::1"],
    ["FD00:0:0:1::", "fd00:0:0:1::"],
    ["fd00:1:2:3:0:0:0:1", "fd00:1:2:3::1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["::ffff:10.0.0.1", "::ffff:a00:1"],
  ];
  for (const [text, expected] of table) assertEquals(formatAddress(readAddress(text)), expected, text);
});

Deno.test("parseAddress takes nothing else", () => {
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.4.5",
      "1:2:3",
      ":::",
      "1::2::3",
      "g::",
      "1:2:3:4:5:6:7:8:9",
      "::1:2:3:4:5:6:7:8",
      "12345::",
    ]
  ) {
    assertEquals(parseAddress(text), undefined, text);
  }
});

Deno.test("parseSubnet wants an address without bits behind the prefix", () => {
  assertEquals(parseSubnet("10.20.0.0/14").prefix, 14);
  const error = assertThrows(() => parseSubnet("10.1.2.3/12"), PaddockError, "has bits behind its prefix");
  assertEquals(error.hint, "did you mean 10.0.0.0/12?");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/8/8", "x/8", "fd00::/129", "10.0.0.0/"]) {
    assertThrows(() => parseSubnet(text), PaddockError, "is no subnet", text);
  }
});

Deno.test("overlaps is true where one holds the other, of the same family", () => {
  const table: [string, string, boolean][] = [
    ["10.0.0.0/8", "10.83.0.0/16", true],
    ["10.83.0.0/16", "10.0.0.0/8", true],
    ["10.83.0.0/16", "10.84.0.0/16", false],
    ["0.0.0.0/0", "fd00::/8", false],
    ["fd00:1::/32", "fd00::/8", true],
  ];
  for (const [a, b, expected] of table) assertEquals(overlaps(parseSubnet(a), parseSubnet(b)), expected, `${a} ${b}`);
  assertEquals(isInSubnet(readAddress("10.83.255.255"), parseSubnet("10.83.0.0/16")), true);
});

Deno.test("addressAt and offsetIn count over bytes", () => {
  const subnet = parseSubnet("10.83.0.0/16");
  assertEquals(formatAddress(addressAt(subnet, 0x1ff)), "10.83.1.255");
  assertEquals(offsetIn(subnet, readAddress("10.83.1.255")), 0x1ff);
  assertEquals(formatAddress(addressAt(parseSubnet("fd00::/64"), 0x12345)), "fd00::1:2345");
});

Deno.test("nextAddress goes round the subnet, and never gives its first nor of IPv4 its last", () => {
  const small = parseSubnet("10.0.0.0/29");
  const next = (last: number, ...taken: number[]) => {
    const found = nextAddress(small, last, (address) => taken.includes(address[3]!));
    return found === undefined ? undefined : found[3];
  };
  assertEquals([next(0), next(1), next(5), next(6)], [1, 2, 6, 1]);
  assertEquals(next(4, 5, 6, 1), 2);
  assertEquals(next(3, 1, 2, 3, 4, 5, 6), undefined);
  const large = parseSubnet("fd00::/64");
  assertEquals(formatAddress(nextAddress(large, 0, (address) => address[15] === 1)!), "fd00::2");
});

Deno.test("MAC addresses are told from an address, or read", () => {
  assertEquals(formatMac(macOf(readAddress("10.83.0.2"))), "02:50:0a:53:00:02");
  assertEquals([...parseMac("02-0-00:0a:0B:ff")], [2, 0, 0, 10, 11, 255]);
  assertThrows(() => parseMac("01:00:00:00:00:00"), PaddockError, "of a group");
  for (const text of ["", "02:00:00:00:00", "02:00:00:00:00:zz"]) {
    assertThrows(() => parseMac(text), PaddockError, "no MAC");
  }
});

Deno.test("socketAddress has family, port and address where bind looks for them", () => {
  assertEquals([...socketAddress(Uint8Array.of(127, 0, 0, 1), 8080)], [
    2,
    0,
    31,
    144,
    127,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  assertEquals(socketAddress(readAddress("::1"), 80)[23], 1);
  assertEquals(socketAddress(readAddress("::1"), 80).length, 28);
});
