/**
 * The words of skopeo and podman for images in files.
 */
import { assertEquals } from "@std/assert";
import { parseImageWord } from "./image_word.ts";

Deno.test("parseImageWord takes the words of skopeo and podman apart", () => {
  const parse = (word: string, there: readonly string[] = []) => parseImageWord(word, (path) => there.includes(path));
  assertEquals(parse("oci:dir"), { form: "layout", path: "dir" });
  assertEquals(parse("oci:/a/dir:1"), { form: "layout", path: "/a/dir", part: "1" });
  assertEquals(parse("oci-archive:x.tar:tag"), { form: "archive", path: "x.tar", part: "tag" });
  assertEquals(parse("docker-archive:x.tar:r.example:5000/a:1"), {
    form: "archive",
    path: "x.tar",
    part: "r.example:5000/a:1",
  });
  assertEquals(parse("docker-archive:x.tar:"), { form: "archive", path: "x.tar" });
  // A path that is there has its colons itself.
  assertEquals(parse("oci:a:b", ["a:b"]), { form: "layout", path: "a:b" });
  for (const word of ["oci:", "x.tar", "alpine:3", "host", "-", "docker:x", "./oci:x"]) {
    assertEquals(parse(word), undefined, word);
  }
});
