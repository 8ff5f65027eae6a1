"""
The launcher's side of include/runtimed/zygote.h, for tests of zygote and children without a daemon: real
namespaces, a real v2 group, a stub for the rest.
"""

import contextlib
import ctypes
import functools
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from guestpeer import GUEST_PATHS, PYTHON, ROOT, Gone, Peer

VERSION = 5  # of the protocol: include/runtimed/zygote.h
SETUP, READY, SPAWN, SPAWNED, PARKED, TAKE, SEALED, BROKEN = range(1, 9)
UID = 1000  # of DROP
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
        self.sock.settimeout(60)

    def send(self, kind, fds=(), body=struct.pack("Q", 0), second=0):
        """second: of SETUP the version, of SPAWN whether it is wanted."""
        socket.send_fds(self.sock, [struct.pack("II", kind, second) + body], fds)

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
    def __init__(self, version=VERSION):
        super().__init__()
        self.process = subprocess.Popen(
            [PYTHON, "-I", "-B", "-c", entry("zygote.py")],
            stdin=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=lambda: os.dup2(self.theirs.fileno(), 3),
        )
        self.theirs.close()
        memfd = drop_memfd()
        self.send(SETUP, [memfd], second=version)
        os.close(memfd)
        if version == VERSION:
            body, _ = self.expect(READY)
            assert struct.unpack_from("I", body)[0] == VERSION

    def spawn(self, sandbox, cgroup=None, slot=7):
        """Ask for a child; returns (error code, Child or None)."""
        child = Child()
        fds = [
            sandbox.pidfd,
            sandbox.cgroup if cgroup is None else cgroup,
            child.theirs.fileno(),
            child.their_data.fileno(),
            child.their_log,
        ]
        self.send(SPAWN, fds, struct.pack("Q", slot))
        body, pidfds = self.expect(SPAWNED)
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

    def __init__(self, app):
        self.app = app

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
            f.write(self.app)
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
