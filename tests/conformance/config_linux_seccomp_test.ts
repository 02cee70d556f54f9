/**
 * config-linux.md of the OCI runtime specification: Seccomp.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import type { Change, Fields } from "./base_config.ts";
import { conform, type Refused, type Seen, type Taken } from "./conform.ts";
import type { Place } from "./place.ts";

const ALLOW = "SCMP_ACT_ALLOW";
const ERRNO = "SCMP_ACT_ERRNO";

function profile(syscalls: readonly Fields[], more: Fields = {}): Change {
  return { linux: { seccomp: { defaultAction: ALLOW, syscalls, ...more } } };
}

/** `chmod` under each of its names, with the mode as it is compared. */
function onMode(argument: Fields): Change {
  const rule = (name: string, index: number): Fields => ({
    names: [name],
    action: ERRNO,
    errnoRet: 28,
    args: [{ index, ...argument }],
  });
  return profile([rule("chmod", 1), rule("fchmodat", 2)]);
}

/** An operator, the value beside 0o700, and which of the modes 0o600, 0o700 and 0o710 it is about. */
const OPERATORS: readonly (readonly [op: string, more: Fields, hits: readonly boolean[]])[] = [
  ["SCMP_CMP_NE", {}, [true, false, true]],
  ["SCMP_CMP_LT", {}, [true, false, false]],
  ["SCMP_CMP_LE", {}, [true, true, false]],
  ["SCMP_CMP_EQ", {}, [false, true, false]],
  ["SCMP_CMP_GE", {}, [false, true, true]],
  ["SCMP_CMP_GT", {}, [false, false, true]],
  ["SCMP_CMP_MASKED_EQ", { value: 0o100, valueTwo: 0o100 }, [false, true, true]],
];

const MKDIR = ["mkdir", "mkdirat"];
const ACTIONS = ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG"];
const ARCHITECTURES = ["X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64"]
  .concat(["MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64"]);

/** Serves as the socket of an agent, and gives what is sent there. */
function listen(place: Place): { readonly path: string; readonly text: Promise<string> } {
  const path = place.path("agent");
  const listener = Deno.listen({ transport: "unix", path });
  const read = async (): Promise<string> => {
    const connection = await listener.accept();
    let text = "";
    const buffer = new Uint8Array(65536);
    for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
      text += new TextDecoder().decode(buffer.subarray(0, n));
    }
    connection.close();
    return text;
  };
  place.defer(() => listener.close());
  const late = new Promise<string>((_, fail) => {
    const timer = setTimeout(() => fail(new Error("the connection stays open")), 5000);
    place.defer(() => clearTimeout(timer));
  });
  return { path, text: Promise.race([read(), late]) };
}

conform([
  {
    rule: "config-linux.md/seccomp: the filter is on the process",
    change: profile([{ names: MKDIR, action: ERRNO }]),
    script: "grep ^Seccomp: /proc/self/status",
    shows: "Seccomp:\t2",
  },
  {
    rule: "config-linux.md/seccomp: without it there is none",
    script: "grep ^Seccomp: /proc/self/status",
    shows: "Seccomp:\t0",
  },
  {
    rule: "config-linux.md/seccomp/syscalls: errnoRet is what a call gives",
    change: profile([{ names: MKDIR, action: ERRNO, errnoRet: 28 }]),
    script: "mkdir /x",
    shows: /No space left/,
  },
  {
    rule: "config-linux.md/seccomp/syscalls: errnoRet is EPERM unless given",
    change: profile([{ names: MKDIR, action: ERRNO }]),
    script: "mkdir /x",
    shows: /Operation not permitted/,
  },
  {
    rule: "config-linux.md/seccomp/syscalls: SCMP_ACT_KILL ends the thread that calls",
    change: profile([{ names: MKDIR, action: "SCMP_ACT_KILL" }]),
    script: "mkdir /x; echo $?",
    shows: /159$/m,
  },
  {
    rule: "config-linux.md/seccomp/syscalls: SCMP_ACT_TRAP sends SIGSYS",
    change: profile([{ names: MKDIR, action: "SCMP_ACT_TRAP" }]),
    script: "mkdir /x; echo $?",
    shows: /159$/m,
  },
  {
    rule: "config-linux.md/seccomp/syscalls: SCMP_ACT_LOG lets the call through",
    change: profile([{ names: MKDIR, action: "SCMP_ACT_LOG" }]),
    script: "mkdir /x && echo made",
    shows: "made",
  },
  {
    rule: "config-linux.md/seccomp: defaultErrnoRet is what calls give that no rule names",
    change: {
      linux: {
        seccomp: {
          defaultAction: ALLOW,
          defaultErrnoRet: undefined,
          syscalls: [{ names: MKDIR, action: ERRNO, errnoRet: 38 }],
        },
      },
    },
    script: "mkdir /x",
    shows: /Function not implemented|not implemented/,
  },
  ...OPERATORS.map(([op, more, hits]): Seen => ({
    rule: `config-linux.md/seccomp/syscalls/args: ${op} compares`,
    change: onMode({ value: 0o700, op, ...more }),
    script: "touch /x; for m in 600 700 710; do chmod $m /x 2>/dev/null && echo yes || echo no; done",
    shows: hits.map((hit) => hit ? "no" : "yes").join("\n"),
  })),
  {
    rule: "config-linux.md/seccomp/syscalls/args: of several all must fit",
    // The path is at no address 0.
    change: profile([{
      names: ["mkdir"],
      action: ERRNO,
      args: [{ index: 1, value: 0o777, op: "SCMP_CMP_EQ" }, { index: 0, value: 0, op: "SCMP_CMP_EQ" }],
    }]),
    script: "mkdir /x && echo made",
    shows: "made",
  },
  ...ACTIONS.map((action): Taken => ({
    rule: `config-linux.md/seccomp/syscalls: SCMP_ACT_${action} is an action`,
    change: profile([{ names: ["swapoff"], action: `SCMP_ACT_${action}` }]),
    taken: true,
  })),
  {
    rule: "config-linux.md/seccomp: every architecture of the list is one",
    change: profile([{ names: MKDIR, action: ERRNO }], {
      architectures: ARCHITECTURES.map((name) => `SCMP_ARCH_${name}`),
    }),
    script: "mkdir /x",
    shows: /not permitted/,
  },
  ...["TSYNC", "LOG", "SPEC_ALLOW"].map((flag): Taken => ({
    rule: `config-linux.md/seccomp: SECCOMP_FILTER_FLAG_${flag} is a flag`,
    change: profile([{ names: MKDIR, action: ERRNO }], { flags: [`SECCOMP_FILTER_FLAG_${flag}`] }),
    taken: true,
  })),
  {
    rule: "config-linux.md/seccomp: defaultAction is required",
    change: { linux: { seccomp: { syscalls: [{ names: MKDIR, action: ERRNO }] } } },
    refused: "linux.seccomp.defaultAction",
  },
  {
    rule: "config-linux.md/seccomp/syscalls: names has one entry at least",
    change: profile([{ names: [], action: ERRNO }]),
    refused: "linux.seccomp.syscalls[0].names",
  },
  {
    rule: "config-linux.md/seccomp/syscalls: names is required",
    change: profile([{ action: ERRNO }]),
    refused: "linux.seccomp.syscalls[0].names",
  },
  {
    rule: "config-linux.md/seccomp/syscalls: action is required",
    change: profile([{ names: MKDIR }]),
    refused: "linux.seccomp.syscalls[0].action",
  },
  {
    rule: "config-linux.md/seccomp/syscalls: errnoRet with an action that gives none is an error",
    change: profile([{ names: MKDIR, action: "SCMP_ACT_KILL", errnoRet: 5 }]),
    refused: "linux.seccomp.syscalls[0].errnoRet",
  },
  {
    rule: "config-linux.md/seccomp: defaultErrnoRet with an action that gives none is an error",
    change: profile([], { defaultErrnoRet: 5 }),
    refused: "linux.seccomp.defaultErrnoRet",
  },
  ...(["index", "value", "op"] as const).map((name): Refused => ({
    rule: `config-linux.md/seccomp/syscalls/args: ${name} is required`,
    change: profile([{
      names: ["chmod"],
      action: ERRNO,
      args: [{ index: 1, value: 1, op: "SCMP_CMP_EQ", [name]: undefined }],
    }]),
    refused: `linux.seccomp.syscalls[0].args[0].${name}`,
  })),
  ...[
    ["defaultAction", profile([], { defaultAction: "SCMP_ACT_NOSUCH" })],
    ["architectures[0]", profile([], { architectures: ["SCMP_ARCH_NOSUCH"] })],
    ["flags[0]", profile([], { flags: ["SECCOMP_FILTER_FLAG_NOSUCH"] })],
    ["syscalls[0].action", profile([{ names: MKDIR, action: "SCMP_ACT_NOSUCH" }])],
    [
      "syscalls[0].args[0].op",
      profile([{ names: ["chmod"], action: ERRNO, args: [{ index: 1, value: 1, op: "SCMP_CMP_NOSUCH" }] }]),
    ],
  ].map(([field, change]): Refused => ({
    rule: `config-linux.md/seccomp: a word that there is not is an error: ${field as string}`,
    change: change as Change,
    refused: `linux.seccomp.${field as string}`,
  })),
  {
    rule: "config-linux.md/seccomp: listenerMetadata is not without listenerPath",
    change: profile([{ names: MKDIR, action: ERRNO }], { listenerMetadata: "x" }),
    refused: "linux.seccomp.listenerMetadata",
  },
  {
    rule: "config-linux.md/seccomp: listenerPath is ignored where nothing notifies",
    change: profile([{ names: MKDIR, action: ERRNO }], { listenerPath: "/no/such/socket" }),
    taken: true,
  },
  {
    rule: "config-linux.md/seccomp: where the state cannot be sent to listenerPath it is an error",
    change: profile([{ names: ["swapoff"], action: "SCMP_ACT_NOTIFY" }], { listenerPath: "/no/such/socket" }),
    refused: "/no/such/socket",
  },
  {
    rule: "config-linux.md/container-process-state: it is sent once, as JSON, with all that is required, and it closes",
    tried: async (place) => {
      const { path, text } = listen(place);
      const id = await place.create(
        profile([{ names: ["swapoff"], action: "SCMP_ACT_NOTIFY" }], { listenerPath: path, listenerMetadata: "meta" }),
      );
      const sent = JSON.parse(await text) as Record<string, unknown> & { state: Record<string, unknown> };
      assertMatch(String(sent["ociVersion"]), /^1\.\d+\.\d+/);
      assertEquals(sent["fds"], ["seccompFd"]);
      assertEquals(sent["metadata"], "meta");
      assertEquals([sent.state["id"], sent.state["status"], sent.state["bundle"]], [id, "creating", place.bundle]);
      assertEquals([sent["pid"], sent.state["pid"]], Array(2).fill(await place.pid(id)));
    },
  },
]);
