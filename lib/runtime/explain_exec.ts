/**
 * Why a command could not be executed: the kernel's error number rarely says it.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/byte_string.ts";
import { describeErrno, errnoName } from "../base/errno.ts";
import { EXIT, PaddockError } from "../base/errors.ts";
import { didYouMean } from "../base/text.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { listDirectory, O, openDirectory, S, statFd } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import { ARCH } from "../kernel/syscall.ts";
import type { DecodedStep, Program } from "../program/decode.ts";
import type { ContainerRecord } from "../state/record.ts";
import { HEAD_SIZE, inspectExecutable } from "./executable.ts";

/** The error for a command that none of the candidates could be executed for. */
export function explainExec(program: Program, fault: DecodedStep, record: ContainerRecord | undefined): PaddockError {
  const tried = program.steps.filter(({ what, call }) => what === fault.what && call === "execve");
  const paths = tried.map(({ args }) => args[0]?.text ?? "");
  const layers = record?.layers ?? [];
  const command = record?.command[0] ?? paths[0] ?? "";
  const code = errnoName(-fault.result);
  const missing = code === "ENOENT" || code === "ENOTDIR";
  const refused = tried.find(({ result }) => errnoName(-result) === code)?.args[0]?.text;
  const path = missing ? paths.find((candidate) => look(layers, candidate) !== undefined) : refused;
  const reason = path === undefined ? undefined : explainFile(layers, path, code);
  const exitCode = missing ? EXIT.notFound : EXIT.cannotExecute;
  if (reason !== undefined) {
    return new PaddockError(`cannot execute ${path}: ${reason.why}`, { exitCode, hint: reason.hint });
  }
  if (missing) return notFound(command, paths, layers);
  const filtered = program.steps.some(({ call }) => call === "seccomp");
  return new PaddockError(`cannot execute ${path ?? command}: ${describeErrno(-fault.result)}`, {
    exitCode,
    ...(filtered && code !== "EACCES" ? { hint: "a seccomp profile has to allow execve" } : {}),
  });
}

function notFound(command: string, paths: readonly string[], layers: readonly string[]): PaddockError {
  if (command.includes("/")) {
    return new PaddockError(`cannot execute ${command}: there is no such file in the image`, {
      exitCode: EXIT.notFound,
      hint: "paths are looked up inside the container",
    });
  }
  const directories = paths.map((path) => path.slice(0, path.lastIndexOf("/")));
  const names = directories.flatMap((directory) => layers.flatMap((layer) => listNames(layer, directory)));
  const nearest = didYouMean(command, names);
  return new PaddockError(`cannot execute ${command}: not found in the image (looked in ${directories.join(", ")})`, {
    exitCode: EXIT.notFound,
    hint: nearest ?? "give its path, or extend PATH with -e PATH=…",
  });
}

interface Reason {
  readonly why: string;
  readonly hint: string;
}

/** What is wrong with a file that is there. */
function explainFile(layers: readonly string[], path: string, code: string): Reason | undefined {
  const file = look(layers, path);
  if (file === undefined) return undefined;
  if ((file.mode & S.IFMT) === S.IFDIR) return { why: "it is a directory", hint: "name a program in it" };
  if ((file.mode & 0o111) === 0) {
    return {
      why: "it has no execute permission",
      hint: `chmod +x it in the image, or run it by its interpreter: sh ${path}`,
    };
  }
  const found = inspectExecutable(file.head);
  if (found.kind === "elf" && found.machine !== ARCH && !(found.machine === "i386" && ARCH === "x86_64")) {
    return {
      why: `it is a program for ${found.machine}, and this machine is ${ARCH}`,
      hint: "get the image for this machine",
    };
  }
  if (found.kind === "elf" || found.kind === "script") return explainInterpreter(layers, found.kind, found.interpreter);
  if (code !== "ENOEXEC") return undefined;
  return found.kind === "empty" ? { why: "it is empty", hint: "the image is damaged, or was made wrongly" } : {
    why: "it is neither a program nor a script that begins with #!",
    hint: `run it by its interpreter: sh ${path}`,
  };
}

function explainInterpreter(
  layers: readonly string[],
  kind: string,
  interpreter: string | undefined,
): Reason | undefined {
  if (interpreter === undefined || look(layers, interpreter) !== undefined) return undefined;
  return kind === "elf"
    ? {
      why: `its loader ${interpreter} is not in the image`,
      hint: "it was built for another C library (glibc, musl): build it statically, or add the library to the image",
    }
    : {
      why: `its interpreter ${interpreter} is not in the image`,
      hint: "install it, or correct the first line of the script",
    };
}

interface Found {
  readonly mode: number;
  readonly head: Uint8Array;
}

/** A file in the topmost layer that has it, looked up inside that layer. */
function look(layers: readonly string[], path: string): Found | undefined {
  for (const layer of layers) {
    using root = openDirectory(layer);
    const number = tryOpenInRoot(root.number, encodeText(path), O.RDONLY | O.CLOEXEC | O.NONBLOCK);
    if (number < 0) continue;
    using fd = new Fd(number);
    const { mode } = statFd(fd.number, path);
    if ((mode & S.IFMT) !== S.IFREG) return { mode, head: new Uint8Array() };
    const head = new Uint8Array(HEAD_SIZE);
    return { mode, head: head.subarray(0, Math.max(0, calls.pread(fd.number, head, 0))) };
  }
  return undefined;
}

function listNames(layer: string, directory: string): string[] {
  using root = openDirectory(layer);
  const number = tryOpenInRoot(root.number, encodeText(directory), O.RDONLY | O.CLOEXEC | O.DIRECTORY);
  if (number < 0) return [];
  using fd = new Fd(number);
  return listDirectory(fd.number, directory).map(({ name }) => decodeText(name));
}
