import { assertEquals } from "@std/assert";
import { JOURNAL_FILE, type JournalEvent, parseLine, readJournal, recordEvent } from "./journal.ts";

const WEB = { id: "web", image: "alpine", imageConfig: { labels: { a: "b" } } };

function makeRoot(): { readonly root: string; [Symbol.dispose](): void } {
  const root = Deno.makeTempDirSync({ prefix: "paddock-journal-" });
  return { root, [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }) };
}

async function readAll(root: string): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  const now = BigInt(Date.now()) * 1_000_000n;
  await readJournal(root, { since: 0n, until: now }, (event) => events.push(event));
  return events;
}

Deno.test("what is written down is read again, and nothing of bundles or of what is no event", async () => {
  using box = makeRoot();
  const { root } = box;
  recordEvent(root, "create", WEB);
  recordEvent(root, "die", { ...WEB, name: "other" }, { exitCode: "137", cause: "SIGKILL" });
  recordEvent(root, "create", { ...WEB, bundle: "/bundle" });
  recordEvent(root, "create", undefined);
  Deno.writeTextFileSync(`${root}/${JOURNAL_FILE}`, "no event\n{}\n", { append: true });
  const events = await readAll(root);
  assertEquals(events.map(({ event, name, attributes }) => [event, name, attributes]), [
    ["create", "web", {}],
    ["die", "other", { exitCode: "137", cause: "SIGKILL" }],
  ]);
  assertEquals(events[0]!.labels, { a: "b" });
  assertEquals(Deno.statSync(`${root}/${JOURNAL_FILE}`).mode! & 0o777, 0o600);
});

Deno.test("a journal that has grown is renamed, and no line of the last megabytes is lost", async () => {
  using box = makeRoot();
  const { root } = box;
  const image = "x".repeat(100_000);
  for (let n = 0; n < 60; n++) recordEvent(root, `event ${n}`, { ...WEB, image });
  const sizes = [...Deno.readDirSync(root)].map(({ name }) => Deno.statSync(`${root}/${name}`).size);
  assertEquals(sizes.length, 2);
  assertEquals(sizes.every((size) => size < 5 << 20), true);
  assertEquals((await readAll(root)).map(({ event }) => event), [...Array(60).keys()].map((n) => `event ${n}`));
});

Deno.test("parseLine takes the launcher's digits for numbers", () => {
  const line =
    '{"time":"1764000000.000000001","event":"die","exitCode":"007","id":"web","name":"web","image":"i","labels":{}}';
  const event = parseLine(line)!;
  assertEquals([event.time, event.attributes], [1764000000_000000001n, { exitCode: "7" }]);
});
