/**
 * Waiting for a container to run out of memory, or to end.
 *
 * v1 tells of the first by an eventfd that is registered with `memory.oom_control` (cgroup-v1/memory.rst, section 10);
 * v2 changes the file `memory.events`, which inotify sees (cgroup-v2.rst). A descriptor of the process says the second.
 *
 * @module
 */
import { AT, O } from "./fs.ts";
import { readControl } from "./cgroup.ts";
import { isThere, syscall } from "./syscall.ts";

/** Watches one container. */
export class MemoryWatch implements Disposable {
  readonly #process: number;
  readonly #pid: number;
  readonly #events: Events | undefined;

  /**
   * @param pid its first process
   * @param paths its cgroups
   */
  constructor(pid: number, paths: readonly string[]) {
    this.#pid = pid;
    this.#process = syscall("pidfd_open", pid, 0);
    this.#events = openV1(paths) ?? openV2(paths);
  }

  /**
   * Waits until something happens, so many milliseconds at most.
   *
   * It blocks the whole process, which has nothing else to do meanwhile.
   */
  wait(milliseconds: number): "oom" | "ended" | "nothing" {
    // Without a descriptor of the process (before Linux 5.3) its end is looked for now and then.
    const most = this.#process < 0 ? Math.min(milliseconds, LOOK) : milliseconds;
    const entries = [this.#process, this.#events?.fd ?? -1];
    const poll = new DataView(new ArrayBuffer(entries.length * POLLFD_SIZE));
    entries.forEach((fd, index) => {
      poll.setInt32(index * POLLFD_SIZE, fd, true);
      poll.setInt16(index * POLLFD_SIZE + 4, POLLIN, true);
    });
    const time = new BigInt64Array([BigInt(Math.floor(most / 1000)), BigInt(Math.round((most % 1000) * 1e6))]);
    syscall("ppoll", new Uint8Array(poll.buffer), entries.length, new Uint8Array(time.buffer), null, 0);
    const isReady = (index: number): boolean => poll.getInt16(index * POLLFD_SIZE + 6, true) !== 0;
    if (isReady(1) && this.#events?.take()) return "oom";
    if (isReady(0) || (this.#process < 0 && !isThere(`/proc/${this.#pid}`))) return "ended";
    return "nothing";
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#process, this.#events?.fd ?? -1]) if (fd >= 0) syscall("close", fd);
  }
}

/** A descriptor that becomes readable, and what that means. */
interface Events {
  readonly fd: number;
  /** Takes what is there; true where it was an end of memory. */
  readonly take: () => boolean;
}

const POLLFD_SIZE = 8;
const POLLIN = 1;
/** Milliseconds. */
const LOOK = 200;

const EFD_NONBLOCK_CLOEXEC = O.NONBLOCK | O.CLOEXEC;
const IN_MODIFY = 0x2;

function openV1(paths: readonly string[]): Events | undefined {
  const directory = paths.find((path) => isThere(`${path}/memory.oom_control`));
  if (directory === undefined) return undefined;
  const control = syscall("openat", AT.FDCWD, `${directory}/memory.oom_control`, O.RDONLY | O.CLOEXEC, 0);
  const event = syscall("eventfd2", 0, EFD_NONBLOCK_CLOEXEC);
  if (control < 0 || event < 0) return undefined;
  const words = new TextEncoder().encode(`${event} ${control}`);
  const register = syscall("openat", AT.FDCWD, `${directory}/cgroup.event_control`, O.WRONLY | O.CLOEXEC, 0);
  const written = register < 0 ? register : syscall("write", register, words, words.length);
  for (const fd of [register, control]) if (fd >= 0) syscall("close", fd);
  if (written < 0) {
    syscall("close", event);
    return undefined;
  }
  const take = () => {
    // The removal of the cgroup is told as well.
    return syscall("read", event, new Uint8Array(8), 8) === 8 && isThere(`${directory}/memory.oom_control`);
  };
  return { fd: event, take };
}

function openV2(paths: readonly string[]): Events | undefined {
  const directory = paths.find((path) => isThere(`${path}/memory.events`));
  if (directory === undefined) return undefined;
  const fd = syscall("inotify_init1", EFD_NONBLOCK_CLOEXEC);
  if (fd < 0) return undefined;
  if (syscall("inotify_add_watch", fd, `${directory}/memory.events`, IN_MODIFY) < 0) {
    syscall("close", fd);
    return undefined;
  }
  let seen = countKills(directory);
  const take = () => {
    const buffer = new Uint8Array(4096);
    while (syscall("read", fd, buffer, buffer.length) > 0);
    const before = seen;
    seen = countKills(directory);
    return seen > before;
  };
  return { fd, take };
}

/** Processes that the kernel has killed for want of memory. */
function countKills(directory: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(readControl(`${directory}/memory.events`) ?? "")?.[1] ?? 0);
}
