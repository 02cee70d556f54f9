/**
 * A process of its own for the tests of the state directory: `state_worker.ts create|hold|churn ROOT DATA_ROOT ID`.
 *
 * @module
 */
import { createContainer } from "../lib/state/container.ts";
import { makeDataDirectory } from "../lib/state/data_directory.ts";

const [verb, root, dataRoot, id] = Deno.args;
const roots = { root: root!, dataRoot: dataRoot! };

const WORK: Record<string, () => Promise<void> | void> = {
  /** Tries to make the container; says whether it could, and holds it until standard input ends. */
  create: async () => {
    let answer = "made";
    try {
      createContainer(roots, id);
    } catch {
      answer = "refused";
    }
    console.log(answer);
    await Deno.stdin.read(new Uint8Array(1));
  },
  /** Makes a container with everything that `run` makes, says so and waits to be killed. */
  hold: async () => {
    const container = createContainer(roots, id);
    const dataDir = makeDataDirectory(roots.dataRoot, container.id, container.directory);
    Deno.mkdirSync(`${dataDir}/upper`);
    container.writeRecord(makeRecord(container.id, 0, dataDir));
    console.log("made");
    await Deno.stdin.read(new Uint8Array(1));
  },
  /** Writes one record after the other until it is killed. */
  churn: () => {
    const container = createContainer(roots, id);
    console.log("made");
    for (let round = 0;; round++) container.writeRecord(makeRecord(container.id, round, "/none"));
  },
};

function makeRecord(id: string, round: number, dataDir: string): Parameters<
  ReturnType<typeof createContainer>["writeRecord"]
>[0] {
  const command = Array.from({ length: round % 200 }, () => `word ${round}`);
  return { id, created: new Date().toISOString(), image: "i", command, dataDir, cgroupPaths: [], keep: false };
}

await WORK[verb!]!();
