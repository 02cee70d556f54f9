import { assertEquals } from "@std/assert";
import { readError, splitMessages } from "./netlink.ts";

/** `nlmsghdr` of an NLMSG_ERROR with these flags, the error, the header that it is about, and more. */
function answer(error: number, flags: number, ...more: number[]): Uint8Array {
  const bytes = new Uint8Array(36 + more.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, flags, true);
  view.setInt32(16, error, true);
  view.setUint32(20, 20, true);
  bytes.set(more, 36);
  return bytes;
}

const WORDS = [10, 0, 1, 0, ...new TextEncoder().encode("sorry\0"), 0, 0];

Deno.test("readError gives nothing where all went well, else what, why, and the kernel's own words", () => {
  assertEquals(readError("do it", answer(0, 0x100)), undefined);
  const plain = readError("do it", answer(-17, 0x100));
  assertEquals(plain?.message, "cannot do it: EEXIST: file exists");
  assertEquals(plain?.code, "EEXIST");
  const capped = readError("do it", answer(-22, 0x300, ...WORDS));
  assertEquals(capped?.message, "cannot do it: EINVAL: invalid argument (the kernel says: sorry)");
  // Without NLM_F_CAPPED the whole message stands before the words: here the header and four bytes.
  const whole = readError("do it", answer(-22, 0x200, 1, 2, 3, 4, ...WORDS));
  assertEquals(whole?.said, "sorry");
});

Deno.test("readError and splitMessages hold against answers that were cut off", () => {
  const full = answer(-22, 0x300, ...WORDS);
  for (let length = 0; length < full.length; length++) {
    readError("do it", full.slice(0, Math.max(16, length)));
    assertEquals(splitMessages(full.slice(0, length)).length, 0);
  }
  assertEquals(splitMessages(full).length, 1);
  assertEquals(splitMessages(new Uint8Array(64)).length, 0);
});
