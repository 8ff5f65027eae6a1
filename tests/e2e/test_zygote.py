#!/usr/bin/python3.11
"""
Zygote, parked children and exec'ed instances against a stub launcher (include/runtimed/zygote.h), with
real namespaces and a real v2 group. Needs root; touches nothing outside a group and namespaces of its own.
"""

import contextlib
import ctypes
import fcntl
import functools
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

from guestpeer import GUEST_PATHS, PYTHON, ROOT, Gone, Peer, run

SETUP, READY, SPAWN, SPAWNED, GO, PARKED, TAKE, SEALED, BROKEN = range(1, 10)
UID = 1000  # of DROP
APP = """
import gc, os, random, signal, sys
import zipfile

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
        "strays": [m for m in sys.modules if "rehears" in m],
        "ns": {n: os.readlink(f"/proc/self/ns/{n}") for n in os.listdir("/proc/self/ns")},
    }
"""
JOINED = ("user", "mnt", "pid", "ipc", "uts", "cgroup")


DROP = """
#include <stdio.h>
#include "sandbox/drop.h"
int main(void)
{
	static const struct sbx_drop d = {.uid = 1000, .gid = 1000, .umask = 022, .no_new_privs = true};
	return fwrite(&d, sizeof(d), 1, stdout) != 1;
}
"""


@functools.cache
def drop_bytes():
    """A struct sbx_drop, laid out by the compiler."""
    with tempfile.TemporaryDirectory() as d:
        program = f"{d}/drop"
        subprocess.run(
            ["gcc", f"-I{ROOT}/include", "-x", "c", "-", "-o", program],
            input=DROP.encode(),
            check=True,
        )
        return subprocess.run([program], capture_output=True, check=True).stdout


def drop_memfd():
    fd = os.memfd_create("drop")
    os.write(fd, drop_bytes())
    return fd


def open_tree(path):
    """A detached clone of a directory's mount."""
    fd = ctypes.CDLL(None, use_errno=True).syscall(428, -100, path.encode(), 1 | os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "open_tree")
    return fd


def own_group():
    """The v2 group this process is in."""
    with open("/proc/self/cgroup") as f:
        path = next(line.split("::")[1].strip() for line in f if line.startswith("0::"))
    root = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
    return root + path


class Launcher:
    """The launcher's end of a SEQPACKET pair."""

    def __init__(self):
        self.sock, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(20)

    def send(self, kind, fds=(), body=struct.pack("Q", 0)):
        socket.send_fds(self.sock, [struct.pack("II", kind, 0) + body], fds)

    def receive(self):
        """(type, bytes after the type, descriptors)"""
        data, fds, _, _ = socket.recv_fds(self.sock, 1024, 4)
        if not data:
            raise Gone()
        return struct.unpack_from("I", data)[0], data[4:], fds

    def expect(self, kind):
        got, body, fds = self.receive()
        assert got == kind, f"message {got}: {body[4:][:200]!r}"
        return body, fds


class Zygote(Launcher):
    def __init__(self):
        super().__init__()
        self.process = subprocess.Popen(
            [PYTHON, "-I", "-B", "-c", entry("zygote.py")],
            stdin=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=lambda: os.dup2(self.theirs.fileno(), 3),
        )
        self.theirs.close()
        memfd = drop_memfd()
        self.send(SETUP, [memfd])
        os.close(memfd)
        self.expect(READY)

    def spawn(self, sandbox, cgroup=None, slot=7):
        """Ask for a child; returns (error code, Child or None)."""
        child = Child()
        net = os.open("/proc/self/ns/net", os.O_RDONLY)
        fds = [
            sandbox.pidfd,
            net,
            sandbox.cgroup if cgroup is None else cgroup,
            child.theirs.fileno(),
            child.their_data.fileno(),
            child.their_log,
        ]
        self.send(SPAWN, fds, struct.pack("Q", slot))
        body, pidfds = self.expect(SPAWNED)
        os.close(net)
        child.started(pidfds)
        child.pid, got_slot, code = struct.unpack_from("=iQi", body)
        assert got_slot == slot
        return code, child

    def fds(self):
        return sorted(os.listdir(f"/proc/{self.process.pid}/fd"))

    def namespaces(self):
        names = ("net", "pid", "pid_for_children", "mnt", "user")
        return [os.readlink(f"/proc/{self.process.pid}/ns/{n}") for n in names]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()
        self.process.kill()
        self.process.wait()


def entry(name):
    """Run an entry script with the extension from where the build left it."""
    paths = repr(GUEST_PATHS)
    script = f"{GUEST_PATHS[0]}/{name}"
    return f"import sys, runpy; sys.path[:0] = {paths}; runpy.run_path({script!r}, run_name='__main__')"


class Child(Launcher):
    """What the launcher has of one child: control socket, data stream, log pipe."""

    def __init__(self):
        super().__init__()
        data, self.their_data = socket.socketpair()
        self.log, self.their_log = os.pipe()
        self.peer = Peer(data)
        self.pidfd = None

    def started(self, pidfds):
        self.theirs.close()
        self.their_data.close()
        os.close(self.their_log)
        self.pidfd = pidfds[0] if pidfds else None

    def take(self, package):
        tree = open_tree(package)
        self.send(TAKE, [tree])
        os.close(tree)

    def serve(self, package):
        """From PARKED to what the handler says about its process."""
        self.take(package)
        self.expect(SEALED)
        self.times = self.peer.init("app.state", {"LAMBDA_TASK_ROOT": "/var/task"})
        assert len(self.times) == 5, self.times
        return self.peer.invoke()

    def status(self):
        info = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
        return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status

    def close(self):
        self.sock.close()
        self.peer.sock.close()
        os.close(self.log)
        if self.pidfd is not None:
            os.close(self.pidfd)


class Sandbox:
    """Namespaces with a waiting pid 1, an empty /var/task, and a v2 group."""

    SCRIPT = """
read go && mount -t tmpfs t /var && mkdir /var/task && mount -t proc p /proc && echo up && exec sleep 60
"""

    def __enter__(self):
        self.cgroup_path = tempfile.mkdtemp(prefix="guest-test-", dir=own_group())
        self.cgroup = os.open(self.cgroup_path, os.O_RDONLY | os.O_DIRECTORY)
        self.process = subprocess.Popen(
            ["unshare", "-UmpfiuC", "sh", "-c", self.SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.package = tempfile.mkdtemp(prefix="guest-test-")
        os.chmod(self.package, 0o755)
        with open(f"{self.package}/app.py", "w") as f:
            f.write(APP)
        with open(f"{self.package}/zipfile.py", "w") as f:
            f.write("MINE = 1\n")
        self.init = self._map_ids()
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"up\n"
        self.pidfd = os.pidfd_open(self.init)
        return self

    def _map_ids(self):
        """Identity maps for pid 1, which unshare has forked some time after it was started."""
        unshare = self.process.pid
        init = ""
        while not init:
            with open(f"/proc/{unshare}/task/{unshare}/children") as f:
                init = f.read().strip()
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{init}/{name}", "w") as f:
                f.write("0 0 65536")
        return int(init)

    def namespace(self, name):
        return os.readlink(f"/proc/{self.init}/ns/{name}")

    def __exit__(self, *exc):
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)  # and with it its whole pid namespace
        # Children of the zygote are ours, and until they are reaped pid 1 cannot end.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0):
                pass
        self.process.communicate()
        os.close(self.cgroup)
        os.close(self.pidfd)
        os.rmdir(self.cgroup_path)
        shutil.rmtree(self.package)


def a_child_is_born_joins_parks_and_serves():
    with Sandbox() as sandbox, Zygote() as zygote:
        code, child = zygote.spawn(sandbox)
        assert code == 0 and child.pid > 0 and child.pidfd is not None
        with open(f"/proc/{child.pid}/stat") as f:
            parent = int(f.read().rpartition(")")[2].split()[1])
        assert parent == os.getpid(), "not the launcher's child"
        child.send(GO)
        child.expect(PARKED)
        state = child.serve(sandbox.package)
        assert state["uid"] == UID
        assert 1 < state["pid"] < 10, "not in the sandbox's pid namespace"
        assert state["fds"] == [0, 1, 2, 3, 4], state["fds"]  # 4: the listing's own
        assert state["gc"] and state["sigint"] and state["threads"] == 1
        assert state["env"] == {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": "/var/task"}
        assert state["path"][0] == "/var/task" and GUEST_PATHS[0] not in state["path"]
        assert state["strays"] == [] and state["own"] == 1
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
    with Sandbox() as sandbox, Zygote() as zygote:
        fds, namespaces = zygote.fds(), zygote.namespaces()
        for _ in range(3):
            code, child = zygote.spawn(sandbox)
            assert code == 0
            assert zygote.namespaces() == namespaces
            while zygote.fds() != fds:  # the pidfd goes just after it was sent; TAP's limit ends this
                os.sched_yield()
            child.close()


def children_of_one_zygote_draw_different_numbers():
    with Sandbox() as sandbox, Zygote() as zygote:
        drawn = set()
        for _ in range(3):
            _, child = zygote.spawn(sandbox)
            child.send(GO)
            child.expect(PARKED)
            drawn.add(child.serve(sandbox.package)["random"])
            child.close()
        assert len(drawn) == 3


def a_group_the_kernel_refuses_is_an_error_and_the_next_spawn_works():
    with Sandbox() as sandbox, Zygote() as zygote:
        no_group = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        code, child = zygote.spawn(sandbox, cgroup=no_group)
        os.close(no_group)
        assert code != 0 and child.pid == 0 and child.pidfd is None
        child.close()
        code, child = zygote.spawn(sandbox)
        assert code == 0
        child.close()


def a_step_that_fails_is_reported_and_ends_the_child():
    with Sandbox() as sandbox, Zygote() as zygote:
        _, child = zygote.spawn(sandbox)
        child.send(GO)
        child.expect(PARKED)
        child.send(TAKE, [sandbox.cgroup])  # not a detached mount
        body, _ = child.expect(BROKEN)
        assert b"attach mount at '/var/task'" in body, body
        assert child.status() == 1
        child.close()


def a_parked_child_that_is_not_wanted_ends_quietly():
    with Sandbox() as sandbox, Zygote() as zygote:
        _, child = zygote.spawn(sandbox)
        child.send(GO)
        child.expect(PARKED)
        child.sock.close()
        assert child.status() == 0
        assert os.read(child.log, 100) == b""
        child.close()


def a_message_out_of_turn_breaks_the_child():
    with Sandbox() as sandbox, Zygote() as zygote:
        _, child = zygote.spawn(sandbox)
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


def place(table):
    """In a forked process: the descriptors of the table become 0, 1, 2, ...; all others are closed."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in table]
    for target, fd in enumerate(high):
        os.dup2(fd, target)
    os.closerange(len(table), 256)


def an_execed_instance_speaks_the_same():
    mount = 'mount -t tmpfs t /var && mkdir /var/task && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", PYTHON, "-I", "-B", "-c", entry("exec.py")]
    with Sandbox() as sandbox, contextlib.closing(Child()) as child:
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
    an_execed_instance_speaks_the_same,
]

if __name__ == "__main__":
    if os.geteuid() != 0:
        print("ok 1 - zygote # SKIP needs root")
        sys.exit(0)
    sys.exit(run(TESTS))
