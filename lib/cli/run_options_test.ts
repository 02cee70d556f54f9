import { assertEquals, assertObjectMatch, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { findCommand } from "./commands.ts";
import { makeExampleHost } from "./host_example.ts";
import { readRunOptions } from "./run_options.ts";
import type { Command } from "./types.ts";
import { parseWords } from "./words.ts";

const FILES = { "/srv/dir/vars": "\ufeff# comment\n\nA=from file\r\n  LANG\nUNSET\nB=\n", "/srv/dir/bad": "a b=1\n" };

function read(...argv: string[]): RunOptions {
  return readRunOptions(parseWords(findCommand("run") as Command, argv), makeExampleHost(FILES));
}

Deno.test("readRunOptions: nothing asked for gives the defaults", () => {
  assertEquals(read("img"), {
    root: "/run/paddock",
    dataRoot: "/var/lib/paddock",
    image: "img",
    command: [],
    rm: false,
    detach: false,
    logDriver: "file",
    interactive: true,
    tty: false,
    init: false,
    trace: false,
    labels: {},
    env: [],
    groupAdd: [],
    ulimits: [],
    readOnly: false,
    mounts: [],
    shmSize: 67108864,
    devices: [],
    network: "none",
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    addHosts: [],
    pid: "private",
    ipc: "private",
    uts: "private",
    cgroupns: "private",
    userns: "host",
    timeOffsets: {},
    capAdd: [],
    capDrop: [],
    privileged: false,
    noNewPrivileges: false,
    unmasked: false,
    seccomp: { kind: "default" },
    sysctls: {},
    memory: { disableOOMKiller: false },
    cpu: {},
    cgroupManager: "cgroupfs",
    blkio: { weightDevice: [], readBps: [], writeBps: [], readIops: [], writeIops: [] },
  });
});

Deno.test("readRunOptions: each flag arrives where it belongs", () => {
  const table: [string[], Record<string, unknown>][] = [
    [["--root", "r", "--data-root", "~/d"], { root: "/srv/dir/r", dataRoot: "/home/me/d" }],
    [["--name", "web", "--rm", "-it", "--init", "--trace"], {
      name: "web",
      rm: true,
      interactive: true,
      tty: true,
      init: true,
      trace: true,
    }],
    [["--config", "./c.json"], { config: "/srv/dir/c.json" }],
    [["-e", "A=1", "-e", "LANG", "-e", "NOT_SET", "-e", "B="], { env: ["A=1", "LANG=C.UTF-8", "NOT_SET", "B="] }],
    [["-e", "A=2", "--env-file", "vars"], { env: ["A=from file", "LANG=C.UTF-8", "UNSET", "B=", "A=2"] }],
    [["--entrypoint", ""], { entrypoint: "" }],
    [["-u", "1000:users", "-w", "/a/../b/./c"], { user: "1000:users", workdir: "/b/c" }],
    [["--group-add", "audio", "--group-add", "5"], { groupAdd: ["audio", "5"] }],
    [["--umask", "027"], { umask: 0o27 }],
    [["--ulimit", "nofile=1024:4096", "--ulimit", "core=unlimited"], {
      ulimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 }, { type: "RLIMIT_CORE", soft: -1, hard: -1 }],
    }],
    [["--oom-score-adj", "-500"], { oomScoreAdj: -500 }],
    [["--stop-signal", "sigquit"], { stopSignal: "QUIT" }],
    [["-l", "a=b=c", "--label", "flag"], { labels: { a: "b=c", flag: "" } }],
    [["--read-only", "--shm-size", "1g"], { readOnly: true, shmSize: 1073741824 }],
    [["--rw-save", "out"], { rwSave: "/srv/dir/out" }],
    [["--device", "/dev/fuse"], { devices: [{ source: "/dev/fuse", target: "/dev/fuse", access: "rwm" }] }],
    [["--device", "/dev/sda:/dev/xvda:r"], { devices: [{ source: "/dev/sda", target: "/dev/xvda", access: "r" }] }],
    [["--device", "/dev/sda:rw"], { devices: [{ source: "/dev/sda", target: "/dev/sda", access: "rw" }] }],
    [["--network", "host", "--hostname", "box", "--domainname", "lan"], {
      network: "host",
      hostname: "box",
      domainname: "lan",
    }],
    [["--dns", "1.1.1.1", "--dns", "fd00::1", "--dns-search", "a.org", "--dns-option", "ndots:2"], {
      dns: ["1.1.1.1", "fd00::1"],
      dnsSearch: ["a.org"],
      dnsOptions: ["ndots:2"],
    }],
    [["--add-host", "db:10.0.0.1", "--add-host", "six:[::1]"], {
      addHosts: [{ host: "db", address: "10.0.0.1" }, { host: "six", address: "::1" }],
    }],
    [["--pid", "host", "--ipc", "none", "--uts", "host", "--cgroupns", "host"], {
      pid: "host",
      ipc: "none",
      uts: "host",
      cgroupns: "host",
    }],
    [["--userns", "100000:200000:65536"], {
      userns: {
        uid: { containerID: 0, hostID: 100000, size: 65536 },
        gid: { containerID: 0, hostID: 200000, size: 65536 },
      },
    }],
    [["--time-offset", "monotonic=1d", "--time-offset", "boottime=-90"], {
      timeOffsets: { monotonic: 86400, boottime: -90 },
    }],
    [["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "net_admin", "--cap-drop", "ALL"], {
      capAdd: ["sys_admin", "net_admin"],
      capDrop: ["all"],
    }],
    [["--privileged"], { privileged: true, seccomp: { kind: "unconfined" } }],
    [["--security-opt", "no-new-privileges", "--security-opt", "systempaths=unconfined"], {
      noNewPrivileges: true,
      unmasked: true,
    }],
    [["--security-opt", "no-new-privileges:false", "--security-opt", "seccomp=unconfined"], {
      noNewPrivileges: false,
      seccomp: { kind: "unconfined" },
    }],
    [["--security-opt", "seccomp=vars"], { seccomp: { kind: "file", path: "vars", text: FILES["/srv/dir/vars"] } }],
    [["--privileged", "--security-opt", "seccomp=builtin"], { seccomp: { kind: "default" } }],
    [["--sysctl", "net.ipv4.ip_forward=1"], { sysctls: { "net.ipv4.ip_forward": "1" } }],
    [["-m", "100m", "--swap", "0"], { memory: { limit: 104857600, swap: 104857600, disableOOMKiller: false } }],
    [["-m", "100m", "--swap", "50m"], { memory: { limit: 104857600, swap: 157286400, disableOOMKiller: false } }],
    [["-m", "1g", "--memory-swap", "-1"], { memory: { limit: 1073741824, swap: -1, disableOOMKiller: false } }],
    [["-m", "1g", "--memory-swap", "2g"], { memory: { limit: 1073741824, swap: 2147483648, disableOOMKiller: false } }],
    [["-m", "-1"], { memory: { limit: -1, disableOOMKiller: false } }],
    [["-m", "1g", "--memory-reservation", "512m", "--memory-swappiness", "0", "--oom-kill-disable"], {
      memory: { limit: 1073741824, reservation: 536870912, swappiness: 0, disableOOMKiller: true },
    }],
    [["--cpus", "1.5", "-c", "512", "--cpuset-cpus", "0-1, 3", "--cpuset-mems", "0"], {
      cpu: { quota: 150000, period: 100000, shares: 512, cpus: "0-1,3", mems: "0" },
    }],
    [["--cpu-period", "50000", "--cpu-quota", "25000"], { cpu: { period: 50000, quota: 25000 } }],
    [["--pids-limit", "0"], { pidsLimit: -1 }],
    [["--blkio-weight", "300", "--blkio-weight-device", "/dev/sda:10"], {
      blkio: { weight: 300, weightDevice: [{ path: "/dev/sda", weight: 10 }] },
    }],
    [["--device-read-bps", "/dev/sda:1mb", "--device-write-iops", "/dev/sda:100"], {
      blkio: { readBps: [{ path: "/dev/sda", rate: 1048576 }], writeIops: [{ path: "/dev/sda", rate: 100 }] },
    }],
    [["--cgroup-parent", "my//group/"], { cgroupParent: "/my/group" }],
    [["--systemd-cgroup", "--cgroup-parent", "a-b.slice"], { cgroupManager: "systemd", cgroupParent: "a-b.slice" }],
    [["--cgroup-manager", "disabled"], { cgroupManager: "disabled" }],
  ];
  for (const [argv, expected] of table) assertObjectMatch({ ...read(...argv, "img") }, expected);
});

Deno.test("readRunOptions: the image and its command are taken as they stand", () => {
  assertObjectMatch({ ...read("./web.tar", "sh", "-c", "a b", "--rm") }, {
    image: "./web.tar",
    command: ["sh", "-c", "a b", "--rm"],
  });
});

Deno.test("readRunOptions: -v makes recursive binds, read-only ones throughout", () => {
  const table: [string, string, string, string[]][] = [
    ["/a:/b", "/a", "/b", ["rbind", "rprivate"]],
    ["./a:/b:ro", "/srv/dir/a", "/b", ["rbind", "rprivate", "ro", "rro"]],
    ["a/b:/b:rro", "/srv/dir/a/b", "/b", ["rbind", "rprivate", "ro", "rro"]],
    ["~:/b:rw", "/home/me", "/b", ["rbind", "rprivate"]],
    ["~/x:/b//c/", "/home/me/x", "/b/c", ["rbind", "rprivate"]],
    ["../up:/b:nosuid,noexec,nodev", "/srv/dir/../up", "/b", ["rbind", "rprivate", "nosuid", "noexec", "nodev"]],
    ["/a:/b:rslave,ro", "/a", "/b", ["rbind", "rslave", "ro", "rro"]],
    ["/a:/b:shared,cached", "/a", "/b", ["rbind", "shared"]],
  ];
  for (const [text, source, target, options] of table) {
    assertEquals(read("-v", text, "img").mounts, [{ kind: "bind", source, target, options, relabel: false }]);
  }
  assertObjectMatch({ ...read("-v", "/a:/b:z", "img").mounts[0] }, { relabel: true });
  assertObjectMatch({ ...read("-v", "/a/", "img").mounts[0] }, { source: "", target: "/a", anonymous: true });
});

Deno.test("readRunOptions: --mount and --tmpfs", () => {
  const table: [string[], Record<string, unknown>][] = [
    [["--mount", "type=bind,src=a,dst=/b,readonly"], {
      kind: "bind",
      source: "/srv/dir/a",
      target: "/b",
      options: ["rbind", "rprivate", "ro", "rro"],
    }],
    [["--mount", "type=bind,source=/a,target=/b,ro=1,bind-recursive=writable"], {
      options: ["rbind", "rprivate", "ro"],
    }],
    [["--mount", "type=bind,source=/a,target=/b,bind-nonrecursive,bind-propagation=rslave,nosuid"], {
      options: ["bind", "rslave", "nosuid"],
    }],
    [["--mount", '"source=/a,b:c",type=bind,target=/b'], { source: "/a,b:c" }],
    [["--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770"], {
      kind: "tmpfs",
      target: "/t",
      options: ["size=1048576", "mode=1770"],
    }],
    [["--mount", "type=overlay,target=/o,lower=/l1:/l2,upper=u,work=w"], {
      kind: "overlay",
      lower: ["/l1", "/l2"],
      upper: "/srv/dir/u",
      work: "/srv/dir/w",
    }],
    [["--tmpfs", "/t:size=64k,exec"], { kind: "tmpfs", target: "/t", options: ["size=65536", "exec"] }],
    [["--tmpfs", "/t"], { kind: "tmpfs", target: "/t", options: [] }],
  ];
  for (const [argv, expected] of table) assertObjectMatch({ ...read(...argv, "img").mounts[0] }, expected);
});

Deno.test("readRunOptions: what cannot be is refused with the flag and the value", () => {
  const table: [string[], string][] = [
    [["--name", "../x"], "--name: '../x' is no name"],
    [["--memory", "-5"], "--memory: '-5' is no size"],
    [["--memory", "0"], "--memory: '0' is no memory at all"],
    [["--memory", "4k"], "--memory: '4k' is too little"],
    [["--memory", "100x"], "--memory: '100x' is no size"],
    [["--memory", "99999999999g"], "--memory: '99999999999g' is more than can be counted"],
    [["--swap", "1m"], "--swap needs --memory"],
    [["-m", "1g", "--memory-swap", "1m"], "--memory-swap 1 MiB is less than --memory 1 GiB"],
    [["-m", "1g", "--swap", "0", "--memory-swap", "1g"], "--swap and --memory-swap contradict each other"],
    [["-m", "1g", "--memory-reservation", "2g"], "--memory-reservation 2 GiB is more than --memory 1 GiB"],
    [["--memory-swappiness", "101"], "--memory-swappiness: '101' is not from -1 to 100"],
    [["--cpus", "0"], "--cpus: '0' is too little"],
    [["--cpus", "-1"], "--cpus: '-1' is no number of processors"],
    [["--cpus", "1", "--cpu-quota", "1000"], "--cpus and --cpu-quota contradict each other"],
    [["--cpu-shares", "1"], "--cpu-shares: '1' is not from 2"],
    [["--cpu-quota", "10"], "--cpu-quota: '10' is less than 1000"],
    [["--cpuset-cpus", "3-1"], "--cpuset-cpus: '3-1' has a range that runs backwards"],
    [["--pids-limit", "-2"], "--pids-limit: '-2' is not from -1"],
    [["--pids-limit", "ten"], "--pids-limit: 'ten' is no whole number"],
    [["--blkio-weight", "5"], "--blkio-weight: '5' is not from 10 to 1000"],
    [["--device-read-bps", "1m"], "--device-read-bps: '1m' is not of the form"],
    [["--device-read-bps", "/dev/sda:0"], "--device-read-bps: '/dev/sda:0' allows nothing"],
    [["-e", "=x"], "--env: '=x' has no variable's name"],
    [["--env-file", "missing"], "--env-file: cannot read 'missing'"],
    [["--env-file", "bad"], "--env-file: 'a b=1' has no variable's name"],
    [["-u", "1:"], "--user: '1:' is not of the form"],
    [["-u", "-1"], "--user: '-1' is not from 0"],
    [["-u", "4294967296"], "--user: '4294967296' is not from 0"],
    [["-w", "rel"], "--workdir: 'rel' is no absolute path"],
    [["--umask", "999"], "--umask: '999' is no octal mode"],
    [["--ulimit", "nofiles=1"], "--ulimit: 'nofiles' is no resource limit"],
    [["--ulimit", "nofile=2:1"], "--ulimit: 'nofile=2:1': the soft limit is above"],
    [["--cap-add", "SYS_ADMN"], "--cap-add: 'SYS_ADMN' is no capability"],
    [["--security-opt", "no-new-privilege"], "--security-opt: 'no-new-privilege' is not known"],
    [["--security-opt", "seccomp=p.json"], "--security-opt seccomp: cannot read 'p.json'"],
    [["--security-opt", "seccomp="], "--security-opt: seccomp does not take ''"],
    [["--stop-signal", "FOO"], "--stop-signal: 'FOO' is no signal"],
    [["--hostname", "-x"], "--hostname: '-x' is no host name"],
    [["--dns", "300.1.1.1"], "--dns: '300.1.1.1' is no IP address"],
    [["--add-host", "db"], "--add-host: 'db' is not of the form"],
    [["--userns", "1:2"], "--userns: '1:2' is not of the form"],
    [["--userns", "4294967290:0:100"], "--userns: '4294967290:0:100' maps ids beyond"],
    [["--sysctl", "a"], "--sysctl: 'a' is not of the form KEY=VALUE"],
    [["--time-offset", "realtime=1"], "--time-offset: 'realtime=1' is not of the form"],
    [["--cgroup-parent", "a/../../b"], "--cgroup-parent: 'a/../../b' leads out"],
    [["--cgroup-parent", "user.slice"], "--cgroup-parent: 'user.slice' is a systemd slice"],
    [["--systemd-cgroup", "--cgroup-parent", "/a"], "--cgroup-parent: '/a' is no systemd slice"],
    [["--systemd-cgroup", "--cgroup-manager", "cgroupfs"], "two different wishes"],
    [["--cgroup-manager", "sytemd"], "--cgroup-manager does not take 'sytemd'"],
    [["-v", "a"], "--volume: 'a' is not of the form SRC:DST"],
    [["-v", "/a:b"], "--volume: 'b' is no absolute path"],
    [["-v", "/a:/"], "--volume: the target cannot be /"],
    [["-v", "/a:/.."], "--volume: the target cannot be /"],
    [["-v", "/a:/b:r0"], "--volume: 'r0' is no option of a bind mount"],
    [["-v", "/a:/b:ro,rw"], "--volume: 'ro' and 'rw' contradict each other"],
    [["-v", "~bob/x:/b"], "--volume: '~bob/x': only ~ and"],
    [["-v", "/a:/b", "--tmpfs", "/b/"], "two mounts on /b"],
    [["--tmpfs", "/t:size=big"], "--tmpfs: 'big' is no size"],
    [["--tmpfs", "/t:huge=always"], "--tmpfs: 'huge=always' is no option of a tmpfs"],
    [["--mount", "source=/a,target=/b"], "--mount: 'type=' is missing"],
    [["--mount", "type=volume,source=a,target=/b"], "--mount: type=volume is no kind of mount"],
    [["--mount", "type=constructor,target=/b"], "--mount: type=constructor is no kind of mount"],
    [["--security-opt", "constructor"], "--security-opt: 'constructor' is not known"],
    [["--rm=constructor"], "--rm is a switch and takes no value 'constructor'"],
    [["--mount", "type=bind,target=/b"], "--mount: type=bind needs source="],
    [["--mount", "type=bind,source=/a,target=/b,colour=red"], "--mount: 'colour' is no key of type=bind"],
    [["--mount", "type=overlay,target=/b,lower=/a"], "--mount: type=overlay needs upper= and work="],
    [["--device", "/dev/sda:/x:z"], "--device: '/dev/sda:/x:z' is not of the form"],
    [["--rw-save", "d", "--read-only"], "--rw-save and --read-only contradict"],
    [["--uts", "host", "--hostname", "x"], "--uts host and a host name of its own contradict"],
  ];
  for (const [argv, message] of table) assertThrows(() => read(...argv, "img"), UsageError, message);
  assertThrows(() => read(""), UsageError, "the image's name is empty");
});
