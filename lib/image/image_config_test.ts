/**
 * Configurations in the forms that tools print, and what is no configuration.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import { parseImageConfig } from "./image_config.ts";

function parse(value: unknown): ImageConfig {
  return parseImageConfig(JSON.stringify(value), "c.json");
}

const INNER = {
  Hostname: "0123",
  User: "www:33",
  Env: ["PATH=/bin", "EMPTY=", "A=b=c"],
  Cmd: ["-g", "daemon off;"],
  Entrypoint: ["/entry.sh"],
  WorkingDir: "/srv",
  StopSignal: "SIGQUIT",
  Labels: { a: "b" },
  ExposedPorts: { "80/tcp": {} },
  Volumes: { "/data": {} },
};

const EXPECTED: ImageConfig = {
  user: "www:33",
  env: ["PATH=/bin", "EMPTY=", "A=b=c"],
  cmd: ["-g", "daemon off;"],
  entrypoint: ["/entry.sh"],
  workingDir: "/srv",
  stopSignal: "SIGQUIT",
  labels: { a: "b" },
  exposedPorts: ["80/tcp"],
  volumes: ["/data"],
};

Deno.test("parseImageConfig reads docker inspect, one object of it, an OCI config and the inner object alike", () => {
  for (
    const form of [[{ Id: "x", Config: INNER }], { Config: INNER }, { architecture: "amd64", config: INNER }, INNER]
  ) {
    assertEquals(parse(form), EXPECTED);
  }
});

Deno.test("parseImageConfig takes null and empty for not said", () => {
  assertEquals(parse([{ Config: { Cmd: null, Entrypoint: null, User: "", WorkingDir: "", Env: null } }]), {});
});

Deno.test("parseImageConfig reads podman's entrypoint of one string and signal of a number", () => {
  assertEquals(parse([{ Config: { Entrypoint: "/bin/sh -c", StopSignal: 15 } }]), {
    entrypoint: ["/bin/sh", "-c"],
    stopSignal: "15",
  });
});

Deno.test("parseImageConfig takes a relative working directory from the root", () => {
  assertEquals(parse({ Config: { WorkingDir: "srv" } }).workingDir, "/srv");
});

Deno.test("parseImageConfig names the place of what does not fit", () => {
  const cases: readonly [unknown, string][] = [
    [[], '"c.json": $: one image or container is wanted, 0 found'],
    [[{}, {}], "$: one image or container is wanted, 2 found"],
    ["text", "$: an object is wanted, a string found"],
    [{ a: 1 }, "$: neither Config nor config"],
    [[{ Config: [] }], "$[0].Config: an object is wanted, a list found"],
    [{ Config: { Env: ["A=1", 2] } }, "$.Config.Env[1]: a string is wanted, a number found"],
    [{ Config: { Env: ["nonsense"] } }, "$.Config.Env[0]: NAME=value is wanted"],
    [{ Config: { Env: ["=x"] } }, "$.Config.Env[0]: NAME=value is wanted"],
    [{ Config: { Cmd: { a: 1 } } }, "$.Config.Cmd: a list of strings is wanted, an object found"],
    [{ config: { Cmd: ["a\0b"] } }, "$.config.Cmd[0]: a NUL character is in it"],
    [{ Config: { StopSignal: "rm -rf" } }, "$.Config.StopSignal: a signal is wanted"],
    [{ Config: { Labels: { k: 1 } } }, '$.Config.Labels["k"]: a string is wanted'],
  ];
  for (const [value, message] of cases) assertThrows(() => parse(value), PaddockError, message);
  assertThrows(() => parseImageConfig("{", "c.json"), PaddockError, "no valid JSON");
});
