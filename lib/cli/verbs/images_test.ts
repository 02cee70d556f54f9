/**
 * The list of images as text.
 */
import { assertEquals } from "@std/assert";
import { formatImages } from "./images.ts";

const ID = `sha256:${"0123456789abcdef".repeat(4)}` as const;
const AT = "2026-01-01T00:00:00.000Z";

Deno.test("formatImages shows short names, and a digest where there is none", () => {
  const found = [
    { name: "docker.io/library/web:1", short: "web:1", id: ID, loaded: AT, bytes: 3 * 1024 * 1024 },
    { id: ID, loaded: AT },
  ];
  const table = formatImages(found, "table", Date.parse(AT) + 60_000);
  assertEquals(table.split("\n")[1], "web:1  0123456789ab  3 MiB  1 min ago");
  assertEquals(table.split("\n")[2]?.trim().startsWith("0123456789ab"), true);
  assertEquals(formatImages(found, "quiet", 0), `${ID}\n`);
  assertEquals(JSON.parse(formatImages(found, "json", 0)).length, 2);
});
