/**
 * The manifest for this machine is found, and nothing that is no image is taken for one.
 */
import { assertEquals } from "@std/assert";
import type { IndexEntry, Platform } from "./manifest.ts";
import { choosePlatform, describePlatform, thisPlatform } from "./platform.ts";

function entry(name: string, platform?: Platform, annotations: Record<string, string> = {}): IndexEntry {
  return {
    mediaType: name,
    digest: `sha256:${"0".repeat(64)}`,
    size: 0,
    annotations,
    ...(platform === undefined ? {} : { platform }),
  };
}

const ARM = (variant?: string): Platform => ({
  os: "linux",
  architecture: "arm64",
  ...(variant === undefined ? {} : { variant }),
});
const AMD: Platform = { os: "linux", architecture: "amd64" };

function choose(wanted: Platform, ...entries: readonly IndexEntry[]): string | undefined {
  return choosePlatform(entries, wanted)?.mediaType;
}

Deno.test("choosePlatform takes the architecture, and the variant that every such machine runs", () => {
  assertEquals(choose(AMD, entry("arm", ARM("v8")), entry("amd", AMD)), "amd");
  assertEquals(choose(ARM(), entry("plain", ARM()), entry("v8", ARM("v8"))), "v8");
  assertEquals(choose(ARM(), entry("v9", ARM("v9")), entry("plain", ARM())), "plain");
  assertEquals(choose(AMD, entry("v3", { ...AMD, variant: "v3" })), undefined);
  assertEquals(choose(AMD, entry("windows", { ...AMD, os: "windows" })), undefined);
});

Deno.test("choosePlatform passes statements over, and takes what names no platform last", () => {
  const statement = entry("statement", { os: "unknown", architecture: "unknown" });
  const annotated = entry("annotated", undefined, { "vnd.docker.reference.type": "attestation-manifest" });
  assertEquals(choose(AMD, statement, annotated), undefined);
  assertEquals(choose(AMD, statement, annotated, entry("any"), entry("amd", AMD)), "amd");
  assertEquals(choose(AMD, statement, annotated, entry("any")), "any");
});

Deno.test("thisPlatform and describePlatform use Go's words", () => {
  assertEquals(["aarch64", "x86_64"].map((arch) => describePlatform(thisPlatform(arch))), [
    "linux/arm64",
    "linux/amd64",
  ]);
  assertEquals(describePlatform(ARM("v8")), "linux/arm64/v8");
});
