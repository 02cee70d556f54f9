import { assertEquals } from "@std/assert";
import { encodeText, toCBytes } from "../lib/base/byte_string.ts";
import * as calls from "../lib/kernel/file_calls.ts";
import { relabelTree } from "../lib/runtime/relabel.ts";
import { requires } from "./support/requires.ts";

Deno.test({
  ...requires("root"),
  name: "relabelTree labels a directory, what is in it, and a link itself and not its target",
  fn(): void {
    const base = Deno.makeTempDirSync();
    try {
      Deno.mkdirSync(`${base}/volume/inner`, { recursive: true });
      Deno.writeTextFileSync(`${base}/volume/inner/file`, "");
      Deno.writeTextFileSync(`${base}/outside`, "");
      Deno.symlinkSync("../outside", `${base}/volume/link`);
      relabelTree(`${base}/volume`);
      const labels = ["volume", "volume/inner", "volume/inner/file", "volume/link", "outside"].map((name) =>
        readLabel(`${base}/${name}`)
      );
      const label = "system_u:object_r:container_file_t:s0";
      assertEquals(labels, [label, label, label, label, undefined]);
    } finally {
      Deno.removeSync(base, { recursive: true });
    }
  },
});

function readLabel(path: string): string | undefined {
  const value = new Uint8Array(256);
  const length = calls.lgetxattr(toCBytes(encodeText(path)), toCBytes("security.selinux"), value);
  return length < 0 ? undefined : new TextDecoder().decode(value.subarray(0, length)).replace(/\0$/, "");
}
