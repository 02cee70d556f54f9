/**
 * `paddock run`: what a command gets, and what comes back from it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { Box, findProcesses, listChildren, waitFor } from "./support/box.ts";
import { call } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";

function test(name: string, fn: (box: Box) => Promise<void>): void {
  Deno.test({
    name: `run: ${name}`,
    ...requires("root", "tool:busybox"),
    fn: async () => {
      using box = await Box.make();
      await fn(box);
    },
  });
}

// Exit codes

test("the command's exit code is paddock's", async (box) => {
  for (const code of [0, 1, 7, 124, 255]) assertEquals((await box.sh(`exit ${code}`)).code, code);
});

test("an end by a signal is 128 and its number, and a signal that nobody sends on purpose is named", async (box) => {
  const killed = await box.sh("kill -9 $$", ["--pid", "host"]);
  assertEquals(killed.code, 137);
  assertMatch(killed.stderr, /killed by SIGKILL/);
  const segv = await box.sh("kill -SEGV $$", ["--pid", "host"]);
  assertEquals(segv.code, 139);
  assertMatch(segv.stderr, /SIGSEGV/);
  const term = await box.sh("kill -TERM $$", ["--pid", "host"]);
  assertEquals([term.code, term.stderr], [143, ""]);
});

test("a command that exits with 125, 126 or 127 by itself is told no story", async (box) => {
  for (const code of [125, 126, 127]) {
    const outcome = await box.sh(`exit ${code}`);
    assertEquals([outcome.code, outcome.stderr], [code, ""]);
  }
});

test("a command that is not there is 127, and the nearest name is said", async (box) => {
  const { code, stderr } = await box.run(["slep", "1"]);
  assertEquals(code, 127);
  assertMatch(stderr, /^paddock: cannot execute slep: not found.*sleep/s);
  assertEquals((await box.run(["/no/such/file"])).code, 127);
});

test("a file without execute permission is 126 and says so", async (box) => {
  const { code, stderr } = await box.run(["/etc/passwd"]);
  assertEquals(code, 126);
  assertMatch(stderr, /^paddock: cannot execute \/etc\/passwd: it has no execute permission/);
});

test("a directory as the command is 126 and says so", async (box) => {
  const { code, stderr } = await box.run(["/etc"]);
  assertEquals(code, 126);
  assertMatch(stderr, /it is a directory/);
});

test("a program for another processor is 126 and both are named", async (box) => {
  const elf = Deno.readFileSync(`${box.rootfs}/bin/busybox`);
  // e_machine: s390x is nobody's here.
  elf[18] = 22;
  elf[19] = 0;
  Deno.writeFileSync(`${box.rootfs}/bin/foreign`, elf, { mode: 0o755 });
  const { code, stderr } = await box.run(["foreign"]);
  assertEquals(code, 126);
  assertMatch(stderr, new RegExp(`it is a program for \\S+, and this machine is ${Deno.build.arch}`));
});

test("a program whose loader the image has not says which loader", async (box) => {
  Deno.copyFileSync("/bin/ls", `${box.rootfs}/bin/dynamic`);
  const { code, stderr } = await box.run(["dynamic"]);
  assertEquals(code, 127);
  assertMatch(stderr, /its loader \/lib\S*ld-linux\S* is not in the image/);
});

test("a script whose interpreter the image has not says which interpreter", async (box) => {
  Deno.writeTextFileSync(`${box.rootfs}/bin/script`, "#!/usr/bin/perl5 -w\n", { mode: 0o755 });
  const { code, stderr } = await box.run(["script"]);
  assertEquals(code, 127);
  assertMatch(stderr, /its interpreter \/usr\/bin\/perl5 is not in the image/);
});

test("a text without #! is 126 and says what it is", async (box) => {
  Deno.writeTextFileSync(`${box.rootfs}/bin/text`, "echo hello\n", { mode: 0o755 });
  const { code, stderr } = await box.run(["text"]);
  assertEquals(code, 126);
  assertMatch(stderr, /neither a program nor a script/);
});

test("with --init a missing command is 127 as well, one without permission 126", async (box) => {
  assertEquals((await box.run(["nosuch"], ["--init"])).code, 127);
  assertEquals((await box.run(["/etc/passwd"], ["--init"])).code, 126);
});

// Streams

test("standard input and output are binary-safe through pipes", async (box) => {
  const bytes = new Uint8Array(3_000_000);
  for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  const outcome = await box.run(["cat"], ["-i"], { stdin: bytes });
  assertEquals([outcome.code, outcome.stderr], [0, ""]);
  assert(outcome.bytes.length === bytes.length && outcome.bytes.every((byte, at) => byte === bytes[at]));
});

test("standard input is the caller's, with -i and without, but not with -i=false", async (box) => {
  assertEquals((await box.run(["cat"], [], { stdin: "for you" })).stdout, "for you");
  assertEquals((await box.run(["cat"], ["-i"], { stdin: "for you" })).stdout, "for you");
  assertEquals((await box.run(["cat"], ["-i=false"], { stdin: "not for you" })).stdout, "");
});

test("standard output and standard error stay apart", async (box) => {
  const { stdout, stderr } = await box.sh("echo out; echo err >&2; echo out again");
  assertEquals([stdout, stderr], ["out\nout again\n", "err\n"]);
});

test("a reader that goes away ends the writer by SIGPIPE", async (box) => {
  // Process 1 of a container ignores it: the kernel sends an init nothing that it does not handle.
  const command = box.paddock.command(["run", "--init", box.rootfs, "yes"]);
  const { stdout } = await call(["bash", "-c", '"$@" | head -n 2; echo ${PIPESTATUS[0]}', "bash", ...command]);
  assertEquals(stdout, "y\ny\n141\n");
});

test("standard descriptors that are closed do no harm", async (box) => {
  const command = box.paddock.command(["run", box.rootfs, "sh", "-c", "echo hello > /tmp/f; exit 9"]);
  assertEquals((await call(["bash", "-c", '"$@" <&- >&-', "bash", ...command])).code, 9);
  assertEquals(Deno.readTextFileSync(`${box.rootfs}/tmp/f`), "hello\n");
});

// Arguments, environment, identity

test("arguments arrive as they are: empty ones, spaces, newlines, quotes, flags, other alphabets", async (box) => {
  const words = ["", " a  b ", "line\nbreak", "$HOME `id` \"'\\", "--memory", "-v", "žluťoučký 🐴"];
  const { stdout } = await box.run(["sh", "-c", 'printf "[%s]" "$@"', "sh", ...words]);
  assertEquals(stdout, words.map((word) => `[${word}]`).join(""));
});

test("the environment is the container's own and not the caller's", async (box) => {
  const text = await box.out("env | sort", ["-e", "A=1 2", "-e", "TAKEN", "-e", "UNSET", "--hostname", "h"], {
    env: { TAKEN: "over", SECRET: "not for you" },
  });
  const names = text.trimEnd().split("\n").map((line) => line.split("=")[0]);
  assertStringIncludes(text, "A=1 2\n");
  assertStringIncludes(text, "TAKEN=over\n");
  assertStringIncludes(text, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
  assertStringIncludes(text, "HOME=/root\n");
  // The shell adds some of its own.
  assertEquals(names.filter((name) => !["A", "HOME", "HOSTNAME", "PATH", "TAKEN"].includes(name!)), [
    "PWD",
    "SHLVL",
  ]);
});

test("--env-file is read, and -e has the last word", async (box) => {
  const file = box.file("env", "# comment\n\nA=from file\nB=b=b\nTAKEN\n");
  const text = await box.out('echo "$A|$B|$TAKEN"', ["--env-file", file, "-e", "A=from flag"], {
    env: { TAKEN: "over" },
  });
  assertEquals(text, "from flag|b=b|over\n");
});

test("--workdir is where it starts, and is made where it is missing", async (box) => {
  assertEquals(await box.out("pwd", ["-w", "/etc"]), "/etc\n");
  assertEquals(await box.out("pwd"), "/\n");
  assertEquals(await box.out("pwd; touch here", ["-w", "/new/dir"]), "/new/dir\n");
  assert(Deno.statSync(`${box.rootfs}/new/dir/here`).isFile);
});

test("--user by name brings its groups, its home and nothing more", async (box) => {
  assertEquals(
    await box.out("id -u; id -g; id -G; echo $HOME", ["--user", "user"]),
    "1000\n1000\n1000 29 50\n/home/user\n",
  );
});

test("--user by number, with a group, and with groups added", async (box) => {
  assertEquals(await box.out("id -u; id -g; id -G", ["-u", "1234:77"]), "1234\n77\n77\n");
  assertEquals(
    await box.out("id -G", ["-u", "1234:77", "--group-add", "audio", "--group-add", "4000"]),
    "77 29 4000\n",
  );
  assertEquals(await box.out("id -u; id -g", ["-u", "user:staff"]), "1000\n50\n");
});

test("a user that the image has not is refused before anything starts", async (box) => {
  for (const user of ["nosuch", "root:nosuch", "4294967295", "-1", ":", "1:"]) {
    const { code, stderr } = await box.sh("echo ran", ["--user", user]);
    assertEquals(code, 125, user);
    assertMatch(stderr, /^paddock: /);
  }
});

test("a user that is not root has no capabilities, and cannot get them back", async (box) => {
  const text = await box.out("grep ^Cap /proc/self/status", ["-u", "1000"]);
  assertMatch(text, /CapInh:\s0+\nCapPrm:\s0+\nCapEff:\s0+\n/);
  assertMatch(text, /CapAmb:\s0+\n/);
});

test("--hostname names it, and the files follow; without one it has an id", async (box) => {
  const flags = ["--hostname", "my.host"];
  assertEquals(await box.out("hostname; cat /etc/hostname", flags), "my.host\nmy.host\n");
  assertMatch(await box.out("cat /etc/hosts", flags), /^127\.0\.0\.1\s+localhost/);
  assertStringIncludes(await box.out("cat /etc/hosts", flags), "my.host");
  assertMatch(await box.out("hostname"), /^([0-9a-f]{12}|rootfs-\d{7})\n$/);
  assertEquals(Deno.hostname(), Deno.readTextFileSync("/proc/sys/kernel/hostname").trim());
});

test("--domainname, --dns, --dns-search, --dns-option and --add-host are seen inside", async (box) => {
  assertEquals(await box.out("cat /proc/sys/kernel/domainname", ["--domainname", "example.org"]), "example.org\n");
  const resolv = await box.out("cat /etc/resolv.conf", [
    ...["--dns", "192.0.2.1", "--dns", "2001:db8::1", "--dns-search", "a.example", "--dns-option", "ndots:2"],
  ]);
  assertMatch(resolv, /nameserver 192\.0\.2\.1\nnameserver 2001:db8::1\n/);
  assertMatch(resolv, /search a\.example\n/);
  assertMatch(resolv, /options ndots:2\n/);
  assertMatch(await box.out("cat /etc/hosts", ["--add-host", "db:192.0.2.7"]), /^192\.0\.2\.7\s+db$/m);
});

test("the files of the container's own do not land in the image", async (box) => {
  await box.out("cat /etc/hosts /etc/hostname /etc/resolv.conf > /dev/null");
  assertEquals(Deno.readTextFileSync(`${box.rootfs}/etc/hosts`), "127.0.0.1 from-the-image\n");
});

test("--umask is the command's, 0022 without it", async (box) => {
  assertEquals(await box.out("umask"), "0022\n");
  assertEquals(await box.out("umask", ["--umask", "077"]), "0077\n");
});

test("--ulimit sets soft and hard limits", async (box) => {
  assertEquals(await box.out("ulimit -Sn; ulimit -Hn", ["--ulimit", "nofile=100:200"]), "100\n200\n");
  assertEquals(await box.out("ulimit -c; ulimit -Ht", ["--ulimit", "core=0", "--ulimit", "cpu=7"]), "0\n7\n");
});

test("limits on descriptors are those that paddock was started with", async (box) => {
  // Deno may raise it for itself; the shell that waits for it has the original.
  const command = box.paddock.command(["run", box.rootfs, "sh", "-c", "ulimit -Sn; ulimit -Hn"]);
  const { stdout } = await call(["bash", "-c", 'ulimit -Sn 777; ulimit -Hn 3000; "$@"; exit $?', "bash", ...command]);
  assertEquals(stdout, "777\n3000\n");
});

test("--sysctl sets what belongs to its namespaces, and the host's stays", async (box) => {
  const read = (): string => Deno.readTextFileSync("/proc/sys/kernel/msgmax");
  const before = read();
  assertEquals(await box.out("cat /proc/sys/kernel/msgmax", ["--sysctl", "kernel.msgmax=12345"]), "12345\n");
  assertEquals(await box.out("cat /proc/sys/net/ipv4/ip_forward", ["--sysctl", "net.ipv4.ip_forward=1"]), "1\n");
  assertEquals(read(), before);
});

test("--sysctl of the whole host is refused", async (box) => {
  const swappiness = Deno.readTextFileSync("/proc/sys/vm/swappiness");
  for (const setting of ["vm.swappiness=1", "kernel.panic=1", "../../etc=1", "kernel/../vm/swappiness=1"]) {
    const { code, stderr } = await box.sh("true", ["--sysctl", setting]);
    assertEquals(code, 125, setting);
    assertMatch(stderr, /^paddock: [^\n]+\n( {2}[^\n]+\n)?$/);
  }
  assertEquals((await box.sh("true", ["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"])).code, 125);
  assertEquals(Deno.readTextFileSync("/proc/sys/vm/swappiness"), swappiness);
});

test("--read-only forbids writing but where memory is", async (box) => {
  const { code, stdout, stderr } = await box.sh("touch /etc/x; touch /dev/shm/x && echo shm", ["--read-only"]);
  assertEquals([code, stdout], [0, "shm\n"]);
  assertMatch(stderr, /Read-only file system/);
});

test("--entrypoint goes before the words, and an empty one undoes the image's", async (box) => {
  assertEquals((await box.run(["a", "b"], ["--entrypoint", "echo"])).stdout, "a b\n");
  const config = box.file("config.json", JSON.stringify({ config: { Entrypoint: ["echo", "from image"] } }));
  assertEquals((await box.run(["x"], ["--config", config])).stdout, "from image x\n");
  assertEquals((await box.run(["echo", "y"], ["--config", config, "--entrypoint", ""])).stdout, "y\n");
});

test("--oom-score-adj is the command's", async (box) => {
  assertEquals(await box.out("cat /proc/self/oom_score_adj", ["--oom-score-adj", "321"]), "321\n");
});

test("--shm-size sizes /dev/shm", async (box) => {
  assertMatch(await box.out("df -k /dev/shm | tail -n 1", ["--shm-size", "3m"]), /\s3072\s/);
  assertMatch(await box.out("df -k /dev/shm | tail -n 1"), /\s65536\s/);
});

// What paddock itself leaves on the command

test("no signal is ignored or blocked, whatever the caller, paddock and Deno did with them", async (box) => {
  const words = ["grep", "-E", "^(Sig(Blk|Ign|Pnd)|ShdPnd)", "/proc/self/status"];
  const ignoring = "trap '' PIPE HUP INT QUIT USR1 TERM; \"$@\"";
  const command = box.paddock.command(["run", box.rootfs, ...words]);
  const { stdout: text } = await call(["bash", "-c", ignoring, "bash", ...command]);
  assertEquals(
    text.replaceAll("\t", " "),
    [
      "SigPnd: 0000000000000000",
      "ShdPnd: 0000000000000000",
      "SigBlk: 0000000000000000",
      "SigIgn: 0000000000000000",
      "",
    ].join("\n"),
  );
});

test("descriptors that paddock was started with do not reach the command", async (box) => {
  const secret = box.file("secret", "secret");
  const command = box.paddock.command(["run", box.rootfs, "sh", "-c", "ls -l /proc/self/fd 2>&1; :"]);
  const { stdout, code } = await call([
    ...["bash", "-c", 'exec 3</ 4<"$0" 7</etc 33<"$0" 200</; "$@"', secret, ...command],
  ]);
  assertEquals(code, 0);
  // ls itself opens the directory, and that one is gone when it asks what it is.
  assertEquals([...stdout.matchAll(/ (\d+) -> /g)].map(([, fd]) => fd), ["0", "1", "2"]);
});

test("the launcher is called after the container, and ps of the host shows it", async (box) => {
  const child = box.paddock.start(["run", "--name", "webserver", box.rootfs, "sleep", "60"]);
  const [launcher] = await waitFor("the launcher", () => {
    const found = findProcesses("paddock: webserver");
    return found.length > 0 && listChildren(found[0]!).length > 0 ? found : undefined;
  });
  const { stdout } = await call(["ps", "-o", "comm=", "-p", String(launcher)]);
  assertEquals(stdout, "paddock: webser\n");
  assertEquals(launcher, child.pid);
  const children = listChildren(launcher!);
  assertEquals(children.length, 1);
  child.kill("SIGKILL");
  await child.output();
  await waitFor("the end of the container", () => listChildren(launcher!).length === 0);
  assertEquals((await box.paddock.run(["gc"])).code, 0);
});

test("the command is process 1 and sees only itself", async (box) => {
  assertEquals(await box.out("echo $$"), "1\n");
  assertMatch((await box.run(["ps", "-o", "pid,args"])).stdout, /^PID +COMMAND\n +1 ps -o pid,args\n$/);
  assertEquals((await box.run(["ls", "/proc"])).stdout.split("\n").filter((name) => /^\d+$/.test(name)), ["1"]);
});

test("the process is its own session and group", async (box) => {
  // pid, ppid, pgrp, session: fields 1, 4, 5, 6 of man 5 proc_pid_stat.
  assertEquals(
    await box.out("cut -d' ' -f1,4,5,6 < /proc/self/stat | cut -d' ' -f2-; cut -d' ' -f1,4-6 /proc/1/stat"),
    [
      "1 1 1",
      "1 0 1 1",
      "",
    ].join("\n"),
  );
});

// Namespaces

const NAMESPACES = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
const LINKS = `for n in ${NAMESPACES.join(" ")}; do readlink /proc/self/ns/$n; done`;

function readOwnNamespaces(): string[] {
  return NAMESPACES.map((name) => Deno.readLinkSync(`/proc/self/ns/${name}`));
}

test("all its namespaces are its own", async (box) => {
  const inside = (await box.out(LINKS)).trim().split("\n");
  const outside = readOwnNamespaces();
  assertEquals(inside.length, NAMESPACES.length);
  for (const [at, link] of inside.entries()) assertNotEquals(link, outside[at]);
});

test("--pid, --ipc, --uts, --network and --cgroupns host share exactly that one", async (box) => {
  const outside = readOwnNamespaces();
  for (
    const [flag, name] of [["pid", "pid"], ["ipc", "ipc"], ["uts", "uts"], ["network", "net"], ["cgroupns", "cgroup"]]
  ) {
    const inside = (await box.out(LINKS, [`--${flag}`, "host"])).trim().split("\n");
    const shared = NAMESPACES.filter((_, at) => inside[at] === outside[at]);
    assertEquals(shared, [name], `--${flag} host`);
  }
});

test("--pid host sees the host's processes and --uts host its name", async (box) => {
  assertEquals(
    await box.out(`[ -d /proc/${Deno.pid} ] && hostname`, ["--pid", "host", "--uts", "host"]),
    `${Deno.hostname()}\n`,
  );
});

test("a network of its own has loopback, up, and nothing else", async (box) => {
  assertEquals(await box.out("ls /sys/class/net; ip -o -4 addr | tr -s ' ' | cut -d' ' -f2,4"), "lo\nlo 127.0.0.1/8\n");
  assertEquals((await box.sh("ping -c 1 -w 2 127.0.0.1 > /dev/null")).code, 0);
});

test("--ipc none has no /dev/shm", async (box) => {
  assertEquals((await box.sh("[ -d /dev/shm ] && grep -q ' /dev/shm ' /proc/mounts", ["--ipc", "none"])).code, 1);
});

test("--time-offset moves the clocks of a time namespace of its own", async (box) => {
  const outside = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
  const text = await box.out("cut -d' ' -f1 /proc/uptime; readlink /proc/self/ns/time", [
    "--time-offset",
    "boottime=1d",
  ]);
  const [uptime, link] = text.trim().split("\n");
  assert(Math.abs(Number(uptime) - outside - 86400) < 60, uptime);
  assertNotEquals(link, Deno.readLinkSync("/proc/self/ns/time"));
});

test("--userns maps root to an id of the host without rights there", async (box) => {
  const flags = ["--userns", "100000:100000:65536"];
  assertMatch(await box.out("id -u; cat /proc/self/uid_map", flags), /^0\n\s+0\s+100000\s+65536\n$/);
  // The image is its own, as root's is; a directory of the host's root is not.
  assertEquals(
    await box.out("touch /tmp/made; chown 1000 /tmp/made; stat -c %u /tmp/made /bin/busybox", flags),
    "1000\n0\n",
  );
  const source = box.directory("source");
  for (let path = source; path !== "/var/tmp"; path = path.slice(0, path.lastIndexOf("/"))) Deno.chmodSync(path, 0o755);
  const mounted = await box.sh("stat -c %u /data; touch /data/x", [...flags, "-v", `${source}:/data`]);
  assertEquals([mounted.code, mounted.stdout], [1, "65534\n"], mounted.stderr);
  assertMatch(mounted.stderr, /Permission denied/);
  const child = box.paddock.start(["run", ...flags, box.rootfs, "sh", "-c", "echo; exec sleep 60"]);
  await child.stdout.getReader().read();
  const [pid] = await waitFor("its process", () => listChildren(child.pid).length > 0 && listChildren(child.pid));
  assertMatch(Deno.readTextFileSync(`/proc/${pid}/status`), /^Uid:\s100000\s100000\s100000\s100000$/m);
  child.kill("SIGKILL");
  await child.status;
  await Promise.all([child.stdin.close(), child.stderr.cancel()]);
  assertEquals((await box.paddock.run(["gc"])).code, 0);
});

// Capabilities

const CAPS = "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | tr -d '\\t'";

test("the default capabilities are docker's fourteen, none inheritable or ambient", async (box) => {
  assertEquals(
    await box.out(CAPS),
    "CapInh:0000000000000000\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\nCapBnd:00000000a80425fb\n" +
      "CapAmb:0000000000000000\n",
  );
});

test("--cap-add and --cap-drop change exactly what they name", async (box) => {
  const effective = async (flags: string[]): Promise<bigint> =>
    BigInt(`0x${/CapEff:(\S+)/.exec(await box.out(CAPS, flags))![1]}`);
  const usual = 0xa80425fbn;
  assertEquals(await effective(["--cap-add", "SYS_ADMIN"]), usual | 1n << 21n);
  assertEquals(await effective(["--cap-drop", "cap_chown", "--cap-drop", "MKNOD"]), usual & ~(1n | 1n << 27n));
  assertEquals(await effective(["--cap-drop", "ALL"]), 0n);
  assertEquals(await effective(["--cap-drop", "ALL", "--cap-add", "kill"]), 1n << 5n);
  const all = await effective(["--cap-add", "ALL"]);
  assertEquals(all, await effective(["--privileged"]));
  // All that paddock itself has: a host may keep some from everybody.
  assertEquals(all, BigInt(`0x${/CapBnd:\s(\S+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]}`));
});

test("--security-opt no-new-privileges is set, and not without it", async (box) => {
  const read = "grep NoNewPrivs /proc/self/status";
  assertEquals(await box.out(read), "NoNewPrivs:\t0\n");
  assertEquals(await box.out(read, ["--security-opt", "no-new-privileges"]), "NoNewPrivs:\t1\n");
});

test("--privileged has the host's devices, and nothing is masked", async (box) => {
  const script = "ls /dev; [ -c /proc/interrupts ] || echo open; touch /proc/sys/kernel/domainname";
  const inside = await box.out(script, ["--privileged"]);
  assertStringIncludes(inside, "open\n");
  for (const name of ["null", "kmsg"]) assertMatch(inside, new RegExp(`^${name}$`, "m"));
});

// Signals and --init

test("every signal that paddock gets goes to the command", async (box) => {
  const script =
    "trap 'echo usr1; exit 5' USR1; trap 'echo hup' HUP; trap 'echo winch' WINCH; echo ready; while :; do sleep 0.02; done";
  const child = box.paddock.start(["run", box.rootfs, "sh", "-c", script]);
  await child.stdin.close();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  const until = async (word: string): Promise<void> => {
    while (!said.includes(word)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended; it said: ${said}`);
      said += value;
    }
  };
  await until("ready");
  child.kill("SIGHUP");
  await until("hup");
  child.kill("SIGWINCH");
  await until("winch");
  child.kill("SIGUSR1");
  await until("usr1");
  assertEquals((await child.status).code, 5);
  await reader.cancel();
  await child.stderr.cancel();
});

test("--init is process 1, reaps orphans, and passes signals and exit codes on", async (box) => {
  const script = "(sleep 0.05 & sleep 0.05 &) ; sleep 0.3; ps -o stat,comm | grep -c '^Z'; echo $$; exit 6";
  const { code, stdout } = await box.sh(script, ["--init"]);
  const [zombies, pid] = stdout.trim().split("\n");
  assertEquals([code, zombies], [6, "0"]);
  assertNotEquals(pid, "1");
  // Process 1 would ignore it.
  assertEquals((await box.sh("kill -9 $$", ["--init"])).code, 137);
  const child = box.paddock.start(["run", "--init", box.rootfs, "sh", "-c", "echo ready; exec sleep 60"]);
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 143);
  await reader.cancel();
  await child.stderr.cancel();
  await child.stdin.close();
});

// Kept containers

test("a named container is kept, listed, exported and removed; --rm and a nameless one are not kept", async (box) => {
  const list = async (...flags: string[]): Promise<string> => (await box.paddock.run(["ps", ...flags])).stdout;
  const tar = box.path("rootfs.tar");
  await call(["tar", "-C", box.rootfs, "-cf", tar, "."]);
  const run = (...words: string[]) => box.paddock.run(["run", ...words]);
  assertEquals(
    (await run("--name", "kept", "-l", "color=red", tar, "sh", "-c", "echo new > /tmp/new; rm /etc/group; exit 3"))
      .code,
    3,
  );
  assertEquals((await run("--name", "gone", "--rm", tar, "true")).code, 0);
  assertEquals((await run(tar, "true")).code, 0);
  assertEquals(await list("-q"), "");
  assertEquals(await list("-a", "-q"), "kept\n");
  assertMatch(await list("-a"), /kept .* Exited \(3\) .* kept$/m);
  const [record] = JSON.parse(await list("-a", "--json"));
  assertEquals([record.name, record.exit.code, record.command.at(0)], ["kept", 3, "sh"]);

  const again = await run("--name", "kept", tar, "true");
  assertEquals(again.code, 125);
  assertMatch(again.stderr, /^paddock: the name 'kept' is taken/m);

  const out = box.path("out.tar");
  const exported = await box.paddock.run(["export", "kept", "-o", out]);
  assertEquals([exported.code, exported.stderr], [0, ""]);
  const names = (await call(["tar", "-tf", out])).stdout;
  assertMatch(names, /^(\.\/)?tmp\/new$/m);
  assert(!/etc\/group/.test(names));
  assertMatch(names, /bin\/busybox/);

  assertEquals((await box.paddock.run(["rm", "kept"])).code, 0);
  assertEquals(await list("-a", "-q"), "");
  assertEquals([...Deno.readDirSync(`${box.paddock.dataRoot}/containers`)], []);
});

test("ps shows one that runs, and rm refuses it without --force", async (box) => {
  const child = box.paddock.start(["run", "--name", "alive", box.rootfs, "sleep", "60"]);
  await waitFor("the launcher", () => findProcesses("paddock: alive")[0]);
  await waitFor("its process id", () => {
    try {
      return Deno.statSync(`${box.paddock.root}/alive/pid`).isFile;
    } catch {
      return false;
    }
  });
  assertMatch((await box.paddock.run(["ps"])).stdout, /^alive .* Up \d+ s .*alive$/m);
  const refused = await box.paddock.run(["rm", "alive"]);
  assertNotEquals(refused.code, 0);
  assertMatch(refused.stderr, /running/);
  assertEquals((await box.paddock.run(["rm", "--force", "alive"])).code, 0);
  assertEquals((await child.output()).code, 137);
  assertEquals((await box.paddock.run(["ps", "-a", "-q"])).stdout, "");
});

// --trace

test("--trace prints every step with its result, and the command's own output stays clean", async (box) => {
  const { code, stdout, stderr } = await box.sh("echo hello; exit 4", ["--trace"]);
  assertEquals([code, stdout], [4, "hello\n"]);
  for (const call of ["clone(", "pivot_root(", "mount", "wait4("]) assertStringIncludes(stderr, call);
  assertMatch(stderr, /container\s+\d+/);
});

test("--trace of a failure shows the step that failed", async (box) => {
  const { code, stderr } = await box.run(["nosuch"], ["--trace"]);
  assertEquals(code, 127);
  assertMatch(stderr, /execve\(.*ENOENT/);
});
