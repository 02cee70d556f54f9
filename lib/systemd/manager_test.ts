import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { Manager } from "./manager.ts";
import { decodeMessage, encodeMessage, MESSAGE, type Message } from "./message.ts";
import type { Value } from "./value.ts";

/** What a peer answers to a call: values, or the name of an error; and a signal that follows. */
interface Answer {
  readonly error?: string;
  readonly signature?: string;
  readonly body?: readonly Value[];
  readonly signal?: Omit<Message, "serial" | "type">;
}

const JOB = "/org/freedesktop/systemd1/job/7";

/** A job that ends like that. */
function job(result: string): Answer {
  return {
    signature: "o",
    body: [JOB],
    signal: { member: "JobRemoved", signature: "uoss", body: [7, JOB, "x.scope", result] },
  };
}

/** A peer on a socket of its own, which knows these answers by member, one after the other; the last goes on. */
async function withPeer(
  answers: Readonly<Record<string, readonly Answer[]>>,
  body: (manager: Manager, calls: readonly Message[]) => Promise<void>,
): Promise<void> {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/bus`;
  const calls: Message[] = [];
  using listener = Deno.listen({ transport: "unix", path });
  const served = serve(listener, answers, calls);
  const before = Deno.env.get("DBUS_SYSTEM_BUS_ADDRESS");
  Deno.env.set("DBUS_SYSTEM_BUS_ADDRESS", `unix:path=${path}`);
  try {
    using manager = await Manager.open();
    await body(manager, calls);
  } finally {
    if (before === undefined) Deno.env.delete("DBUS_SYSTEM_BUS_ADDRESS");
    else Deno.env.set("DBUS_SYSTEM_BUS_ADDRESS", before);
    Deno.removeSync(directory, { recursive: true });
  }
  await served;
}

async function serve(
  listener: Deno.Listener<Deno.UnixConn>,
  answers: Readonly<Record<string, readonly Answer[]>>,
  calls: Message[],
): Promise<void> {
  using socket = await listener.accept();
  const buffer = new Uint8Array(65536);
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  assertStringIncludes(decoder.decode(buffer.subarray(0, await socket.read(buffer) ?? 0)), "\0AUTH EXTERNAL ");
  await socket.write(encoder.encode("OK 0123456789abcdef\r\n"));
  let unread = new Uint8Array(0);
  let begun = false;
  for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
    unread = new Uint8Array([...unread, ...buffer.subarray(0, count)]);
    if (!begun) {
      assertEquals(decoder.decode(unread.subarray(0, 7)), "BEGIN\r\n");
      unread = unread.slice(7);
      begun = true;
    }
    for (let found = decodeMessage(unread); found !== undefined; found = decodeMessage(unread)) {
      unread = unread.slice(found.size);
      for (const reply of answer(found.message, answers, calls)) await socket.write(encodeMessage(reply));
    }
  }
}

function answer(call: Message, answers: Readonly<Record<string, readonly Answer[]>>, calls: Message[]): Message[] {
  const before = calls.filter(({ member }) => member === call.member).length;
  calls.push(call);
  const known = answers[call.member!] ?? [];
  const { error, signal, signature = "", body = [] } = known[Math.min(before, known.length - 1)] ??
    (call.member === "Get" ? getAnswer(call) : {});
  const reply: Message = error === undefined
    ? { type: MESSAGE.return, serial: 1, replySerial: call.serial, signature, body }
    : { type: MESSAGE.error, serial: 1, replySerial: call.serial, errorName: error, signature: "s", body: ["no"] };
  // A signal may come before the answer, and others with it.
  const others: Message = { type: MESSAGE.signal, serial: 3, member: "Other", body: [] };
  return signal === undefined ? [reply] : [others, { type: MESSAGE.signal, serial: 2, ...signal }, reply];
}

function getAnswer({ body }: Message): Answer {
  const value = body[1] === "Version" ? "252.39-1~deb12u2" : "/machine/";
  return { signature: "v", body: [{ signature: "s", value }] };
}

const EXISTS = { error: "org.freedesktop.systemd1.UnitExists" };

Deno.test("Manager.open knows the version and the cgroup of systemd", async () => {
  await withPeer({}, (manager, calls) => {
    assertEquals([manager.version, manager.controlGroup], [252, "/machine"]);
    assertEquals(calls.map(({ member }) => member), ["Hello", "AddMatch", "Subscribe", "Get", "Get"]);
    return Promise.resolve();
  });
});

Deno.test("startTransient waits for its job, and forgets a failed unit of that name first", async () => {
  await withPeer({ StartTransientUnit: [EXISTS, job("done")] }, async (manager, calls) => {
    await manager.startTransient("x.scope", [{ name: "Delegate", signature: "b", value: true }]);
    const members = calls.slice(5).map(({ member }) => member);
    assertEquals(members, ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
    const { body, destination } = calls.at(-1)!;
    assertEquals(destination, "org.freedesktop.systemd1");
    assertEquals(body, ["x.scope", "replace", [["Delegate", { signature: "b", value: true }]], []]);
  });
});

Deno.test("startTransient says that a unit is there, or how its start ended", async () => {
  await withPeer({ StartTransientUnit: [EXISTS] }, async (manager) => {
    await assertRejects(() => manager.startTransient("x.scope", []), PaddockError, "a unit x.scope already");
  });
  await withPeer({ StartTransientUnit: [job("failed")] }, async (manager) => {
    await assertRejects(() => manager.startTransient("x.scope", []), PaddockError, "its start ended as 'failed'");
  });
});

Deno.test("stop waits for its job; a unit that is gone is fine, any other error is told", async () => {
  await withPeer({ StopUnit: [job("done")] }, async (manager, calls) => {
    await manager.stop("x.scope");
    assertEquals(calls.slice(5).map(({ member, body }) => [member, ...body]), [
      ["StopUnit", "x.scope", "replace"],
      ["ResetFailedUnit", "x.scope"],
    ]);
  });
  await withPeer(
    { StopUnit: [{ error: "org.freedesktop.systemd1.NoSuchUnit" }] },
    (manager) => manager.stop("x.scope"),
  );
  await withPeer({ StopUnit: [{ error: "org.freedesktop.DBus.Error.AccessDenied" }] }, async (manager) => {
    await assertRejects(() => manager.stop("x.scope"), PaddockError, "cannot stop the unit x.scope: no");
  });
});

Deno.test("setProperties changes them for as long as the unit lives, and calls for none at all nobody", async () => {
  await withPeer({}, async (manager, calls) => {
    await manager.setProperties("x.scope", []);
    await manager.setProperties("x.scope", [{ name: "TasksMax", signature: "t", value: 5n }]);
    assertEquals(calls.slice(5).map(({ member, body }) => [member, body]), [
      ["SetUnitProperties", ["x.scope", true, [["TasksMax", { signature: "t", value: 5n }]]]],
    ]);
  });
});
