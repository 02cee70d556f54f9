/**
 * runtime-linux.md of the OCI runtime specification: descriptors and links in `/dev`.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { conform, type Seen } from "./conform.ts";

/** Where each link in `/dev` leads. */
const LINKS: readonly (readonly [name: string, to: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];

conform([
  {
    together: {},
    all: LINKS.map(([name, to]): Omit<Seen, "change"> => ({
      rule: `runtime-linux.md/dev-symbolic-links: /dev/${name} leads to ${to}`,
      script: `readlink /dev/${name}`,
      shows: to,
    })),
  },
  {
    rule: "runtime-linux.md/file-descriptors: the three standard streams alone are open",
    tried: async (place) => {
      // ls has one more, on the directory that it reads.
      const id = await place.create({ process: { args: ["ls", "/proc/self/fd"] } });
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      assertEquals(place.output(id), "0\n1\n2\n3\n");
    },
  },
  {
    rule: "runtime-linux.md/file-descriptors: with preserve-fds the next ones of the caller are open as well",
    tried: async (place) => {
      await place.write({ process: { args: ["cat", "/proc/self/fd/3", "/proc/self/fd/4"] } });
      const id = place.newId();
      const [a, b, out] = [place.file("a", "a\n"), place.file("b", "b\n"), place.path("said")];
      const words = [...place.runtime.command, "--root", place.stateRoot, "create", "--bundle", place.bundle];
      const script = 'exec >"$1" 2>&1 3<"$2" 4<"$3"; shift 3; exec "$@"';
      const { code } = await place.call(["sh", "-c", script, "sh", out, a, b, ...words, "--preserve-fds", "2", id]);
      assertEquals(code, 0, Deno.readTextFileSync(out));
      await place.ok("start", id);
      await place.waitForStatus(id, "stopped");
      await place.ok("delete", id);
      assertEquals(Deno.readTextFileSync(out), "a\nb\n");
    },
  },
]);
