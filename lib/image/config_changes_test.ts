import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { changeImageConfig } from "./config_changes.ts";

const change = (...changes: string[]) => changeImageConfig({ env: ["A=1", "P=/bin"], cmd: ["old"] }, changes);

Deno.test("changeImageConfig puts variables in as a Dockerfile does", () => {
  assertEquals(change("ENV B=$A C=${A}2 D='$A' E=\\$A").env, ["A=1", "P=/bin", "B=1", "C=12", "D=$A", "E=$A"]);
  assertEquals(change("ENV P=$P:/x").env, ["A=1", "P=/bin:/x"]);
  assertEquals(change("ENV A one $P").env, ["A=one /bin", "P=/bin"]);
  assertEquals(change('LABEL a=${NONE:-else} b=${A:+set} c="x y"').labels, { a: "else", b: "set", c: "x y" });
  assertEquals(change("env A=2", "WORKDIR /w/$A", "WORKDIR ../x").workingDir, "/w/x");
});

Deno.test("changeImageConfig takes commands as lists and as lines for the shell", () => {
  assertEquals(change('CMD ["a", "b c"]').cmd, ["a", "b c"]);
  assertEquals(change("CMD a | b").cmd, ["/bin/sh", "-c", "a | b"]);
  assertEquals(change('SHELL ["/bin/bash", "-c"]', "CMD a").cmd, ["/bin/bash", "-c", "a"]);
  assertEquals(change('ENTRYPOINT ["e"]'), { env: ["A=1", "P=/bin"], entrypoint: ["e"] });
  assertEquals(change('CMD ["c"]', 'ENTRYPOINT ["e"]').cmd, ["c"]);
  assertEquals(change("HEALTHCHECK NONE").healthcheck, { test: ["NONE"] });
  assertEquals(change('HEALTHCHECK --timeout=2m CMD ["x"]').healthcheck, { test: ["CMD", "x"], timeout: 120e9 });
  assertEquals(change("EXPOSE 80 80/tcp 9-10/UDP").exposedPorts, ["80/tcp", "9/udp", "10/udp"]);
  assertEquals(change('VOLUME ["/a b"]', "VOLUME c /d").volumes, ["/a b", "/c", "/d"]);
  assertEquals(change("# nothing", "", "ONBUILD RUN x").onBuild, ["RUN x"]);
});

Deno.test("changeImageConfig refuses what means nothing", () => {
  const bad = [
    "FROM x",
    "ENV",
    "ENV A",
    "ENV =1",
    "LABEL 'a=1",
    "EXPOSE 70000",
    "EXPOSE 9-8",
    "STOPSIGNAL 99",
    "SHELL x",
  ];
  for (
    const text of [
      ...bad,
      "HEALTHCHECK x",
      "HEALTHCHECK --retries=x CMD y",
      "USER ${a",
      "HEALTHCHECK --timeout=x CMD y",
    ]
  ) {
    assertThrows(() => change(text), UsageError, `--change '${text}'`, text);
  }
});
