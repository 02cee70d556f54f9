/**
 * An image of five layers, pulled and unpacked from a registry on this host: paddock against podman, and against skopeo
 * with umoci.
 *
 * @module
 */
import { existsSync } from "@std/fs";
import { join } from "@std/path";
import { gzip, writeLayout } from "../../tests/support/images.ts";
import { Registry } from "../../tests/support/registry.ts";
import { writeArchive } from "./archive.ts";
import { findProgram, type Ground, paddockWords } from "./contenders.ts";
import { summarize } from "./pairs.ts";
import type { Figure } from "./report.ts";
import { type Sample, Stopwatch } from "./stopwatch.ts";

const LAYERS = 5;
/** Files of a real system become a third with gzip. */
const REPEATS = 3;
const ENV = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", HOME: "/root" };

/** Who pulls, by shell scripts: `$1` is the registry's name of the image, `$2` an empty directory. */
const PEERS: Readonly<Record<string, { readonly programs: readonly string[]; readonly script: string }>> = {
  "podman pull": {
    programs: ["podman"],
    // Some versions leave their storage mounted.
    script: 'podman --root "$2/root" --runroot "$2/run" pull -q --tls-verify=false "$1" || exit; ' +
      '! mountpoint -q "$2/root/overlay" || umount "$2/root/overlay"',
  },
  "skopeo copy, umoci unpack": {
    programs: ["skopeo", "umoci"],
    script: 'skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$1" "oci:$2/layout:1" && ' +
      'umoci unpack --image "$2/layout:1" "$2/bundle"',
  },
};

/** A figure for each peer that is here. @param bytes of the image, unpacked */
export function pulls(
  ground: Ground,
  bytes: number,
  runs: number,
): { readonly what: string; readonly measure: () => Promise<Figure[]> }[] {
  if (findProgram("docker-registry") === undefined || findProgram("skopeo") === undefined) return [];
  const present = Object.entries(PEERS).filter(([, { programs }]) =>
    programs.every((name) => findProgram(name) !== undefined)
  );
  return present.map(([peer, { script }]) => {
    const what = `pull of ${bytes / 1e6} MB / ${peer}`;
    return { what, measure: () => measurePull(ground, { what, script, bytes, runs }) };
  });
}

interface Pull {
  readonly what: string;
  readonly script: string;
  readonly bytes: number;
  readonly runs: number;
}

async function measurePull(ground: Ground, { what, script, bytes, runs }: Pull): Promise<Figure[]> {
  await using registry = await startFilled(join(ground.home, "registry"), bytes);
  const name = `${registry.host}/bench:1`;
  const store = join(ground.home, "data");
  const target = join(ground.home, "peer");
  const paddock = new Stopwatch({ words: paddockWords(ground, ["pull", "-q", name]), env: ENV }, ground.home);
  const peer = new Stopwatch({ words: ["/bin/sh", "-c", script, "sh", name, target], env: ENV }, ground.home);
  const pairs: { a: Sample; b: Sample }[] = [];
  for (let run = 0; run < runs; run++) {
    const a = await onEmpty(store, paddock);
    pairs.push({ a, b: await onEmpty(target, peer) });
  }
  const comparison = summarize(pairs);
  return [
    { what, comparison, value: comparison.ratio.wall.median, bound: 1, unit: "ratio of wall time" },
    { what: "peak memory of the pull", value: comparison.a.peak.median / 1e6, bound: 250, unit: "MB peak" },
  ];
}

/** A registry with the image in it, made once. */
async function startFilled(directory: string, bytes: number): Promise<Registry> {
  const layout = join(directory, "layout");
  if (!existsSync(layout)) {
    Deno.mkdirSync(directory, { recursive: true });
    const archive = join(directory, "layer.tar");
    const layers = Array.from({ length: LAYERS }, (_, i) => {
      writeArchive(archive, bytes / LAYERS, { directory: `usr/layer-${i}`, repeats: REPEATS });
      return Deno.readFileSync(archive);
    });
    writeLayout(layout, [{ layers, config: {}, names: ["1"] }], { pack: gzip });
  }
  const registry = await Registry.start(directory);
  await registry.fill(`oci:${layout}:1`, "bench:1", "--preserve-digests");
  return registry;
}

/** Measures with an empty directory, and with nothing of the run before still to be written to the disk. */
async function onEmpty(directory: string, stopwatch: Stopwatch): Promise<Sample> {
  if (existsSync(directory)) Deno.removeSync(directory, { recursive: true });
  Deno.mkdirSync(directory);
  await new Deno.Command("sync").output();
  const sample = await stopwatch.measure();
  Deno.removeSync(directory, { recursive: true });
  return sample;
}
