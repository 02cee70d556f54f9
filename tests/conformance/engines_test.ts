/**
 * What engines rely on beside the specification: words of errors that they look for, exit codes, lines of the log.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { conform } from "./conform.ts";
import type { Place } from "./place.ts";

const SLEEP = "exec sleep 4440";

/** The entries of a log of JSON lines. */
function readLog(file: string): Record<string, string>[] {
  return Deno.readTextFileSync(file).trim().split("\n").map((line) => JSON.parse(line) as Record<string, string>);
}

/** A verb that fails with `--log-format json` leaves a line with level, msg and time. */
async function expectLine(place: Place, words: readonly string[], pattern: RegExp): Promise<void> {
  const file = place.path("log");
  const { code } = await place.verb(words, { globals: ["--log", file, "--log-format", "json"] });
  assert(code !== 0);
  const entry = readLog(file).findLast(({ level }) => level === "error");
  assert(entry !== undefined);
  assertMatch(entry["msg"]!, pattern);
  assertMatch(entry["time"]!, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d/);
}

conform([
  ...["state", "start", "kill", "delete", "pause", "resume"].map((verb) => ({
    rule: `engines/containerd: ${verb} of a container that does not exist says "does not exist"` as const,
    tried: async (place: Place) => assertMatch(await place.fails(verb, "nosuch"), /does not exist/),
  })),
  {
    rule: 'engines/containerd: kill of one that has stopped says "container not running"',
    tried: async (place) => {
      const id = await place.start("exit 0");
      await place.waitForStatus(id, "stopped");
      assertMatch(await place.fails("kill", id, "9"), /container not running|os: process already finished/);
    },
  },
  {
    rule: "engines/containerd: delete --force of one that does not exist is no error",
    tried: async (place) => void await place.ok("delete", "--force", "nosuch"),
  },
  {
    rule: 'engines/podman: create of a program that is not there says "executable file not found in $PATH"',
    tried: async (place) => {
      await place.write({ process: { args: ["nosuchprogram"] } });
      const { code, stderr } = await place.tryCreate();
      assert(code !== 0);
      assertMatch(stderr, /executable file .*not found in \$PATH|no such file or directory/i);
    },
  },
  {
    rule: 'engines/podman: create of what cannot be executed says "permission denied"',
    tried: async (place) => {
      Deno.writeTextFileSync(`${place.rootfs}/bin/plain`, "x", { mode: 0o644 });
      await place.write({ process: { args: ["/bin/plain"] } });
      const { code, stderr } = await place.tryCreate();
      assert(code !== 0);
      assertMatch(stderr, /permission denied/i);
    },
  },
  {
    rule: "engines/exit-codes: exec ends with the code of its command",
    tried: async (place) => {
      const id = await place.start(SLEEP);
      assertEquals((await place.verb(["exec", id, "sh", "-c", "exit 42"])).code, 42);
    },
  },
  {
    rule: "engines/exit-codes: exec of a command that a signal ends gives 128 and the signal",
    tried: async (place) => {
      const id = await place.start(SLEEP);
      assertEquals((await place.verb(["exec", id, "sh", "-c", "kill -9 $$"])).code, 137);
    },
  },
  {
    rule: 'engines/exit-codes: exec of what is not there fails, and says "executable file not found in $PATH"',
    tried: async (place) => {
      const id = await place.start(SLEEP);
      const { code, stderr } = await place.verb(["exec", id, "nosuchprogram"]);
      assert(code !== 0);
      assertMatch(stderr, /executable file .*not found in \$PATH/);
    },
  },
  {
    rule: "engines/log: with --log-format json an error is a line with level, msg and time",
    tried: async (place) => await expectLine(place, ["state", "nosuch"], /does not exist/),
  },
  {
    rule: "engines/log: so is what create dies of, before it has made anything",
    tried: async (place) => {
      Deno.writeTextFileSync(`${place.bundle}/config.json`, "{");
      await expectLine(place, ["create", "--bundle", place.bundle, place.newId()], /./);
    },
  },
  {
    rule: "engines/log: so is what the container's own process dies of",
    tried: async (place) => {
      await place.write({ mounts: [{ destination: "/x", type: "nosuchfilesystem", source: "x" }] });
      await expectLine(place, ["create", "--bundle", place.bundle, place.newId()], /nosuchfilesystem|no such device/i);
    },
  },
  {
    rule: "engines/pid-file: create writes the process id, in digits alone",
    tried: async (place) => {
      const file = place.path("pid");
      const id = await place.create({}, { flags: ["--pid-file", file] });
      assertEquals(Deno.readTextFileSync(file), `${await place.pid(id)}`);
    },
  },
  {
    rule: "engines/version: --version has the name, a version and the specification's",
    tried: async (place) => {
      const { code, stdout } = await place.call([...place.runtime.command, "--version"]);
      assertEquals(code, 0);
      assertMatch(stdout, /^\w+ version \d+\.\d+[^\n]*\n(.*\n)*spec: \d+\.\d+\.\d+/);
    },
  },
]);
