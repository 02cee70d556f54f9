import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { wrapModule } from "./wrap.ts";

type Load = (name: string) => Promise<unknown>;

/** Runs a script as the packed file does. */
async function evaluate(script: string, load: Load = () => Promise.reject(new Error("no piece"))): Promise<unknown> {
  Reflect.set(globalThis, "said", undefined);
  await (0, eval)(script)(load);
  return Reflect.get(globalThis, "said");
}

Deno.test("a wrapped module runs with top-level await, its imports and a late one", async () => {
  const module = `var a=1;import{join as j,sep}from"node:path";import fs from"node:fs";import*as os from"node:os";\n` +
    `const z=await import("node:url");globalThis.said=[j("a","b"),sep,typeof fs.readFileSync,typeof os.cpus,typeof z.URL];`;
  assertEquals(await evaluate(wrapModule(module)), ["a/b", "/", "function", "function", "function"]);
});

Deno.test("a wrapped module is strict and keeps its names to itself", async () => {
  const module = `var own=1;globalThis.said=[(function(){return this})()===undefined,typeof own];`;
  assertEquals(await evaluate(wrapModule(module)), [true, "number"]);
  assertEquals(Reflect.has(globalThis, "own"), false);
});

Deno.test("a wrapped module has pieces: what they export is imported, at once or late", async () => {
  const pieces: Record<string, string> = {
    "a.js": wrapModule(`import{x as y}from"./b.js";var e=y+1;export{e as x,y};`),
    "b.js": wrapModule(`var q=1;export{q as x};\n`),
  };
  const load: Load = (name) => (0, eval)(pieces[name]!)(load);
  const main = `import{x as n}from"./a.js";import"./b.js";let{y:m}=await import("./a.js");globalThis.said=[n,m];`;
  assertEquals(await evaluate(wrapModule(main), load), [2, 1]);
});

Deno.test("what a script cannot do is refused", () => {
  assertThrows(() => wrapModule(`import{a}from"../x.js";`), RangeError, "still imports ../x.js");
  assertThrows(() => wrapModule(`export default 1;`), RangeError, "export default");
  assertThrows(() => wrapModule(`console.log(import.meta.url)`), RangeError, "import.meta");
});

Deno.test("wrapModule keeps notices of licences behind the exports", async () => {
  const script = wrapModule("const a=1;export{a as b};\n/*! Somebody's library:\n * may be copied; see {LICENCE} */\n");
  assertEquals(await (0, eval)(script)(() => Promise.reject(new Error("no piece"))), { b: 1 });
  assertStringIncludes(script, "may be copied");
});
