import { assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { exampleSetting, writeSteps } from "./config_example.ts";
import { planFiles } from "./files.ts";

Deno.test("planFiles writes each file in memory, mounts it where it belongs, and takes its name away", () => {
  const setting = exampleSetting({ files: { "/etc/hosts": "127.0.0.1 böx\n", "/etc/hostname": "box\n" } });
  const [act] = planFiles({ facts: exampleFacts(), setting });
  assertEquals(act?.what, "write /etc/hosts, /etc/hostname");
  const lines = writeSteps([act!]).filter((line) => /^(mkdirat\(101|openat\(101|write|mount|unlinkat)/.test(line));
  assertEquals(lines, [
    'mkdirat(101, ".paddock", 0700)',
    'openat(101, ".paddock/file0", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0644)',
    'write(<1 back>, "127.0.0.1 böx\\n", 15)',
    'mount("/proc/self/fd/101/.paddock/file0", "/proc/self/fd/100", 0, MS_BIND, 0)',
    'unlinkat(101, ".paddock/file0", 0)',
    'openat(101, ".paddock/file1", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0644)',
    'write(<1 back>, "box\\n", 4)',
    'mount("/proc/self/fd/101/.paddock/file1", "/proc/self/fd/100", 0, MS_BIND, 0)',
    'unlinkat(101, ".paddock/file1", 0)',
    'unlinkat(101, ".paddock", AT_REMOVEDIR)',
  ]);
});

Deno.test("planFiles does nothing where there are no files", () => {
  assertEquals(planFiles({ facts: exampleFacts(), setting: exampleSetting() }), []);
});
