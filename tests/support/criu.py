#!/usr/bin/python3
"""Stands in for criu: reads what it is asked for with criu's own description of the messages, notes it, and answers.

A "restored" process is `sleep`, a sibling of this one, as criu makes it.
"""
import array
import ctypes
import json
import os
import signal
import socket
import sys

from google.protobuf.json_format import MessageToDict
from pycriu import rpc_pb2 as rpc

CLONE_PARENT = 0x8000
SYS_CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
here = os.path.dirname(os.path.abspath(sys.argv[0]))
peer = socket.socket(fileno=int(sys.argv[2]))


def receive():
    request = rpc.criu_req()
    request.ParseFromString(peer.recv(1 << 20))
    return request


def answer(**fields):
    peer.send(rpc.criu_resp(success=True, **fields).SerializeToString())


def notify(script, pid, fd=None):
    message = rpc.criu_resp(type=rpc.NOTIFY, success=True, notify=rpc.criu_notify(script=script, pid=pid))
    rights = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    peer.sendmsg([message.SerializeToString()], rights)
    seen = receive()
    assert seen.type == rpc.NOTIFY and seen.notify_success, script


def note(request):
    opts = MessageToDict(request.opts, preserving_proto_field_name=True)
    for name in ("images_dir_fd", "work_dir_fd"):
        if name in opts:
            opts[name] = os.readlink("/proc/self/fd/%d" % opts[name])
    for held in opts.get("inherit_fd", []):
        held["fd"] = os.readlink("/proc/self/fd/%d" % held["fd"])
    opts["cgroups"] = open("/proc/self/cgroup").read()
    opts["isMount"] = any(line.split(" ")[4] == opts["root"] for line in open("/proc/self/mountinfo"))
    with open(os.path.join(here, "asked.json"), "w") as file:
        json.dump(opts, file)


def sibling():
    pid = ctypes.CDLL(None).syscall(SYS_CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", os.environ.get("STANDIN_SLEEP", "4430")])
    return pid


request = receive()
if request.type == rpc.VERSION:
    answer(type=rpc.VERSION, version=rpc.criu_version(major_number=3, minor_number=17, sublevel=1))
elif os.environ.get("STANDIN_FAILS"):
    note(request)
    peer.send(rpc.criu_resp(type=request.type, success=False, cr_errno=22, cr_errmsg="not this").SerializeToString())
elif request.type in (rpc.DUMP, rpc.PRE_DUMP):
    note(request)
    notify("post-dump", request.opts.pid)
    if request.type == rpc.DUMP and not request.opts.leave_running:
        os.kill(request.opts.pid, signal.SIGKILL)
    answer(type=request.type, dump=rpc.criu_dump_resp(restored=False))
elif request.type == rpc.RESTORE:
    note(request)
    child = sibling()
    notify("setup-namespaces", child)
    if os.environ.get("STANDIN_TERMINAL"):
        notify("orphan-pts-master", child, os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
    notify("post-restore", child)
    answer(type=rpc.RESTORE, restore=rpc.criu_restore_resp(pid=child))
