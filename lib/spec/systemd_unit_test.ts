import { assert, assertEquals } from "@std/assert";
import { formatBootUnit, formatContainerUnit } from "./systemd_unit.ts";

const CONTEXT = { paddock: ["/usr/bin/paddock"], root: "/run/paddock", dataRoot: "/var/lib/paddock" };
const WEB = { id: "web", image: "alpine:3", stopSeconds: 10 };

const valueOf = (unit: string, key: string): string | undefined =>
  unit.split("\n").find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);

Deno.test("a container's unit starts and stops it, and leaves restarts to one of the two", () => {
  const unit = formatContainerUnit(WEB, CONTEXT);
  const roots = "--root /run/paddock --data-root /var/lib/paddock";
  assertEquals(valueOf(unit, "ExecStart"), `/usr/bin/paddock start ${roots} web`);
  assertEquals(valueOf(unit, "ExecStop"), `/usr/bin/paddock stop ${roots} --time 10 web`);
  assertEquals([valueOf(unit, "Type"), valueOf(unit, "Restart")], ["forking", "on-failure"]);
  assertEquals(valueOf(formatContainerUnit({ ...WEB, restart: "always" }, CONTEXT), "Restart"), "no");
});

Deno.test("the unit for the boot starts all that should run, and stays", () => {
  const unit = formatBootUnit(CONTEXT);
  assert(valueOf(unit, "ExecStart")?.endsWith(" --all-restartable"), unit);
  assertEquals([valueOf(unit, "Type"), valueOf(unit, "RemainAfterExit")], ["oneshot", "yes"]);
});

Deno.test("what systemd would read otherwise is quoted", () => {
  const context = { ...CONTEXT, dataRoot: '/srv/a "b" 100%/$HOME\\x' };
  const unit = formatContainerUnit({ ...WEB, image: "50%\nExecStart=evil" }, context);
  assertEquals(valueOf(unit, "Description"), "Container web of 50%% ExecStart=evil");
  assertEquals(
    valueOf(unit, "ExecStart"),
    '/usr/bin/paddock start --root /run/paddock --data-root "/srv/a \\"b\\" 100%%/$$HOME\\\\x" web',
  );
  assertEquals(valueOf(unit, "RequiresMountsFor"), '/run/paddock "/srv/a \\"b\\" 100%%/$HOME\\\\x"');
});
