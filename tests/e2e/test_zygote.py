#!/usr/bin/python3.11
"""
Zygote, parked children and exec'ed instances against a stub launcher. Needs root; touches nothing outside a
group and namespaces of its own.
"""

import contextlib
import fcntl
import os
import subprocess
import sys

from guestpeer import GUEST_PATHS, PYTHON, run
from lib import wait_for
from zygotepeer import BROKEN, PARKED, SEALED, SPAWN, TAKE, UID, VERSION
from zygotepeer import Child, Sandbox, Zygote, drop_memfd, entry

APP = """
import gc, logging, os, random, signal, sys
import zipfile
request_id = logging.getLogger().handlers[0].request_id

def state(event, context):
    return {
        "uid": os.getuid(),
        "pid": os.getpid(),
        "random": random.random(),
        "gc": gc.isenabled(),
        "fds": sorted(int(f) for f in os.listdir("/proc/self/fd")),
        "sigint": signal.getsignal(signal.SIGINT) is signal.SIG_DFL,
        "threads": len(os.listdir("/proc/self/task")),
        "env": dict(os.environ),
        "path": sys.path,
        "own": zipfile.MINE,
        "request_id": request_id,
        "strays": [m for m in sys.modules if m.startswith("_rehears")],
        "ns": {n: os.readlink(f"/proc/self/ns/{n}") for n in os.listdir("/proc/self/ns")},
    }
"""
JOINED = ("user", "mnt", "pid", "ipc", "uts", "cgroup")


def a_child_is_born_joins_parks_and_serves():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        code, child = zygote.spawn(sandbox)
        assert code == 0 and child.pid > 0 and child.pidfd is not None
        with open(f"/proc/{child.pid}/stat") as f:
            parent = int(f.read().rpartition(")")[2].split()[1])
        assert parent == os.getpid(), "not the launcher's child"
        child.expect(PARKED)
        state = child.serve(sandbox.package)
        assert state["uid"] == UID
        assert 1 < state["pid"] < 10, "not in the sandbox's pid namespace"
        assert state["fds"] == [0, 1, 2, 3, 4], state["fds"]  # 4: the listing's own
        assert state["gc"] and state["sigint"] and state["threads"] == 1
        assert state["env"] == {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": "/var/task"}
        ours = [p for p in state["path"] if p.startswith(GUEST_PATHS[0])]
        assert state["path"][0] == "/var/task" and not ours, state["path"]
        assert state["strays"] == [] and state["own"] == 1 and state["request_id"] == ""
        for name in JOINED:
            assert state["ns"][name] == sandbox.namespace(name), name
        group = os.path.basename(sandbox.cgroup_path)
        with open(f"/proc/{child.pid}/cgroup") as f:
            assert group in f.read()
        times = child.times
        assert list(times) == sorted(times) and times[0] > 0, times
        child.peer.sock.close()
        assert child.status() == 0
        child.close()


def the_zygote_keeps_nothing_of_a_child():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        fds, namespaces = zygote.fds(), zygote.namespaces()
        for _ in range(3):
            code, child = zygote.spawn(sandbox)
            assert code == 0
            assert zygote.namespaces() == namespaces
            # The pidfd goes just after it was sent.
            wait_for(lambda: zygote.fds() == fds, "descriptors as before")
            child.close()


def children_of_one_zygote_draw_different_numbers():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        drawn = set()
        for _ in range(3):
            _, child = zygote.spawn(sandbox)
            child.expect(PARKED)
            drawn.add(child.serve(sandbox.package)["random"])
            child.close()
        assert len(drawn) == 3


def a_group_the_kernel_refuses_is_an_error_and_the_next_spawn_works():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        no_group = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        code, child = zygote.spawn(sandbox, cgroup=no_group)
        os.close(no_group)
        assert code != 0 and child.pid == 0 and child.pidfd is None
        child.close()
        code, child = zygote.spawn(sandbox)
        assert code == 0
        child.close()


def a_step_that_fails_is_reported_and_ends_the_child():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        _, child = zygote.spawn(sandbox)
        child.expect(PARKED)
        child.send(TAKE, [sandbox.cgroup])  # not a detached mount
        body, _ = child.expect(BROKEN)
        assert b"attach mount at '/var/task'" in body, body
        assert child.status() == 1
        child.close()


def a_parked_child_that_is_not_wanted_ends_quietly():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        _, child = zygote.spawn(sandbox)
        child.expect(PARKED)
        child.sock.close()
        assert child.status() == 0
        assert os.read(child.log, 100) == b""
        child.close()


def a_message_out_of_turn_breaks_the_child():
    with Sandbox(APP) as sandbox, Zygote() as zygote:
        _, child = zygote.spawn(sandbox)
        child.expect(PARKED)
        child.send(SEALED)
        child.expect(BROKEN)
        assert child.status() == 1
        child.close()


def the_zygote_ends_with_the_launcher_and_on_nonsense():
    with Zygote() as zygote:
        zygote.sock.close()
        assert zygote.process.wait(20) == 0
    with Zygote() as zygote:
        zygote.send(SPAWN)  # without descriptors
        assert zygote.process.wait(20) == 1


def a_daemon_of_another_version_is_refused_in_one_line():
    with Zygote(version=VERSION + 1) as zygote:
        body, _ = zygote.expect(BROKEN)
        assert b"rebuild the image" in body and f"version {VERSION}, the daemon {VERSION + 1}".encode() in body, body
        assert zygote.process.wait(20) == 1


def place(table):
    """In a forked process: the descriptors of the table become 0, 1, 2, ...; all others are closed."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in table]
    for target, fd in enumerate(high):
        os.dup2(fd, target)
    os.closerange(len(table), 256)


def an_execed_instance_speaks_the_same():
    mount = 'mount -t tmpfs t /var && mkdir /var/task && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", PYTHON, "-I", "-B", "-c", entry("exec.py")]
    with Sandbox(APP) as sandbox, contextlib.closing(Child()) as child:
        null, drop = os.open("/dev/null", os.O_RDWR), drop_memfd()
        log, data, control = child.their_log, child.their_data.fileno(), child.theirs.fileno()
        table = (null, log, log, data, control, drop)
        process = subprocess.Popen(command, close_fds=False, preexec_fn=lambda: place(table))
        os.close(null)
        os.close(drop)
        child.started([os.pidfd_open(process.pid)])
        child.expect(PARKED)
        state = child.serve(sandbox.package)
        assert state["uid"] == UID and state["fds"] == [0, 1, 2, 3, 4], state
        child.peer.sock.close()
        assert process.wait(20) == 0


TESTS = [
    a_child_is_born_joins_parks_and_serves,
    the_zygote_keeps_nothing_of_a_child,
    children_of_one_zygote_draw_different_numbers,
    a_group_the_kernel_refuses_is_an_error_and_the_next_spawn_works,
    a_step_that_fails_is_reported_and_ends_the_child,
    a_parked_child_that_is_not_wanted_ends_quietly,
    a_message_out_of_turn_breaks_the_child,
    the_zygote_ends_with_the_launcher_and_on_nonsense,
    a_daemon_of_another_version_is_refused_in_one_line,
    an_execed_instance_speaks_the_same,
]

if __name__ == "__main__":
    if os.geteuid() != 0:
        print("ok 1 - zygote # SKIP needs root")
        sys.exit(0)
    sys.exit(run(TESTS))
