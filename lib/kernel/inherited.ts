/**
 * Descriptors that this process was started with.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { must, syscall } from "./syscall.ts";

const F_GETFD = 1;
const FD_CLOEXEC = 1;

/**
 * Sees that descriptors were inherited. Those that Deno has opened close with an exec, and none that came through one
 * does.
 *
 * @throws PaddockError naming the first that was not.
 */
export function demandInherited(first: number, count: number): void {
  for (let fd = first; fd < first + count; fd++) {
    const flags = syscall("fcntl", fd, F_GETFD, 0);
    if (flags >= 0 && (flags & FD_CLOEXEC) === 0) continue;
    throw new PaddockError(`descriptor ${fd} (${fd - first + 1} of ${count} to hand on) is not there`, {
      hint: `the caller has to open it before: paddock … ${fd}<file`,
    });
  }
}

/** Gives descriptors from `first` on the numbers from `as` on, for the program that is executed next. */
export function moveDescriptors({ first, count, as }: { first: number; count: number; as: number }): void {
  for (let index = 0; index < count; index++) must(`descriptor ${first + index}`, "dup3", first + index, as + index, 0);
}
