"""A hostile tenant's tool box: {"do": NAME, ...} runs one probe and tells what it saw.

Each probe does what an exploit would begin with, by raw system calls, and a harmless twin of it where there
is one. Nothing here judges: that is test_escape.py's, outside.
"""
import ctypes
import errno
import mmap
import multiprocessing
import os
import random
import secrets
import select
import signal
import socket
import sqlite3
import ssl
import stat
import tempfile
import time
import uuid

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
VFORK, CLONE = 58, 56  # these come back twice


def name_of(number):
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode[number]  # it has two names


def call(number, *arguments):
    """The raw call's errno by name, or what it returned."""
    ctypes.set_errno(0)
    r = LIBC.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments])
    return name_of(ctypes.get_errno()) if r == -1 else r


def sleeps(pid):
    """One that merely waits for a processor runs, to the kernel (proc_pid_stat(5))."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] == "S"


def in_child(work):
    """What work() returned in a forked child, as text; or "signal N", "exit N", "blocked"."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        os.write(w, str(work()).encode())
        os._exit(0)
    os.close(w)
    while not select.select([r], [], [], 0.05)[0]:
        if sleeps(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(r)
            return "blocked"
    text = os.read(r, 4096).decode()
    os.close(r)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return text or f"exit {os.WEXITSTATUS(status)}"


def tell(work, *arguments):
    """The errno by name of what work() raises, else "done"."""
    try:
        work(*arguments)
    except OSError as e:
        return name_of(e.errno)
    return "done"


def machine_code(code):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


# --- probes ---

def sweep(event):
    """Every number with arguments of zero."""
    def one(number):
        answer = call(number, 0, 0, 0, 0, 0, 0)
        if number in (CLONE, VFORK) and answer == 0:
            os._exit(0)
        return answer
    return {n: in_child(lambda n=n: one(n)) for n in range(event["first"], event["last"])}


def calls(event):
    """[[number, arguments...], ...], each in a child; a text among the arguments goes as bytes."""
    return [in_child(lambda c=c: call(*[a.encode() if isinstance(a, str) else a for a in c])) for c in event["calls"]]


def foreign_abi(event):
    getpid, getpid_x32, getpid_i386 = 39, 0x40000000 | 39, 20
    return {"x32": in_child(lambda: call(getpid_x32)),
            "int 0x80": in_child(lambda: machine_code(b"\xb8" + bytes([getpid_i386, 0, 0, 0]) + b"\xcd\x80\xc3")),
            "own": in_child(lambda: machine_code(b"\xb8" + bytes([getpid, 0, 0, 0]) + b"\x0f\x05\xc3") > 1)}


def try_socket(*arguments):
    """A protocol number may stand for a socket that exists only until here."""
    socket.socket(*arguments).close()


def sockets(event):
    return [tell(try_socket, *s) for s in event["sockets"]]


def ulp(event):
    s = socket.socket()
    return {"ulp": tell(s.setsockopt, socket.IPPROTO_TCP, 31, b"tls"),
            "filter": tell(s.setsockopt, socket.SOL_SOCKET, 26, bytes(16)),
            "twin": tell(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)}


def network(event):
    """Whether anything outside can be reached."""
    answers = {}
    for host in event["hosts"]:
        s = socket.socket(type=socket.SOCK_DGRAM)
        answers[host] = tell(s.connect, (host, 53))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).sendall(b"x")
        answers["loopback"] = server.accept()[0].recv(1).decode()
    # Closed by now: its number may be the daemon's, which was given out in another namespace.
    answers["daemon"] = tell(socket.create_connection, ("127.0.0.1", event["port"]), 1)
    s = socket.socket(socket.AF_UNIX)
    answers["abstract"] = tell(s.connect, event["abstract"])
    s = socket.socket(socket.AF_UNIX)
    s.bind("/tmp/s")
    s.listen()
    answers["unix"] = tell(socket.socket(socket.AF_UNIX).connect, "/tmp/s")
    os.unlink("/tmp/s")
    return answers


def create(path):
    with open(path, "xb") as f:
        f.write(b"x")
    os.unlink(path)


def overwrite(path):
    os.close(os.open(path, os.O_WRONLY))


def make_directory(path):
    os.mkdir(path)
    os.rmdir(path)


def make_link(path):
    os.symlink("/", path)
    os.unlink(path)


def writes(event):
    return {"create": {d: tell(create, d + "/escape") for d in event["directories"]},
            "mkdir": {d: tell(make_directory, d + "/escape") for d in event["directories"]},
            "link": {d: tell(make_link, d + "/escape") for d in event["directories"]},
            "write": {p: tell(overwrite, p) for p in event["files"]}}


def files(event):
    """Everything but /proc: what has a set-id bit, what is a device, what we may write."""
    set_id, devices, writable = [], [], []
    for base, directories, names in os.walk("/"):
        if base == "/":
            directories.remove("proc")
        for name in directories + names:
            path = os.path.join(base, name)
            s = os.lstat(path)
            if s.st_mode & (stat.S_ISUID | stat.S_ISGID) and not stat.S_ISLNK(s.st_mode):
                set_id.append(path)
            if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode):
                devices.append(path)
            elif not stat.S_ISLNK(s.st_mode) and os.access(path, os.W_OK):
                writable.append(path)
    return {"set_id": sorted(set_id), "devices": sorted(devices), "writable": sorted(writable)}


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError as e:
        return name_of(e.errno)


def look(event):
    """What /proc and the environment tell."""
    fds = {}
    for fd in os.listdir("/proc/self/fd"):
        if os.path.lexists("/proc/self/fd/" + fd):  # not the listing's own
            fds[fd] = os.readlink("/proc/self/fd/" + fd)
    return {"proc": sorted(os.listdir("/proc")), "fds": fds, "uname": list(os.uname()), "cwd": os.getcwd(),
            "ids": [os.getpid(), os.getpgrp(), os.getsid(0)], "limits": read("/proc/self/limits"),
            "env": dict(os.environ), "others": [read(f"/proc/{p}/cmdline") for p in os.listdir("/proc") if p.isdigit()],
            **{f: read("/proc/self/" + f) for f in ("status", "mountinfo", "mounts", "cgroup", "environ", "cmdline",
                                                     "maps", "uid_map")}}


def signals(event):
    """kill() at each pid; 0 means that it was there to be killed. -1 is "all I may"."""
    child = os.fork()
    if child == 0:
        signal.pause()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers = {str(pid): tell(os.kill, pid, signal.SIGTERM) for pid in event["pids"]}
    os.kill(child, signal.SIGKILL)
    return {"answers": answers, "child": os.waitpid(child, 0)[1]}


def fill(event):
    """Write until it fails: bytes that went in and why no more did."""
    done = 0
    try:
        with open(event["path"], "wb", buffering=0) as f:
            while True:
                done += f.write(bytes(1 << 16))
    except OSError as e:
        why = name_of(e.errno)
    os.unlink(event["path"])
    return [done, why, tell(create, event["path"])]


def fill_inodes(event):
    done, why = 0, None
    try:
        while True:
            os.close(os.open(f"/tmp/inode{done}", os.O_CREAT | os.O_WRONLY))
            done += 1
    except OSError as e:
        why = name_of(e.errno)
    for i in range(done):
        os.unlink(f"/tmp/inode{i}")
    return [done, why, tell(create, "/tmp/twin")]


def open_many(event):
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as e:
        why = name_of(e.errno)
    for fd in held:
        os.close(fd)
    return [max(held) + 1, why, tell(create, "/tmp/twin")]


def fork_many(event):
    pids, why = [], None
    try:
        while len(pids) < event["limit"] * 2:
            pid = os.fork()
            if pid == 0:
                signal.pause()
            pids.append(pid)
    except OSError as e:
        why = name_of(e.errno)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return [len(pids), why, in_child(lambda: "forked")]


def socket_buffers(event):
    """Memory in the kernel: queues of connections that nobody reads. Returns the bytes it got."""
    server, held, total = socket.create_server(("127.0.0.1", 0), backlog=64), [], 0
    for _ in range(event["connections"]):
        held += [socket.create_connection(server.getsockname()), server.accept()[0]]
        for s in held[-2:]:
            s.setblocking(False)
            try:
                while True:
                    total += s.send(bytes(1 << 16))
            except BlockingIOError:
                pass
    return total


def hold_tmp(event):
    """Memory by way of a file."""
    with open("/dev/shm/hold", "wb") as f:
        for _ in range(event["mb"]):
            f.write(bytes(1 << 20))
    return os.path.getsize("/dev/shm/hold")


def entropy(event):
    db = sqlite3.connect(":memory:")
    drawn = {"random": random.random(), "urandom": os.urandom(8).hex(), "secrets": secrets.token_hex(8),
             "uuid1": uuid.uuid1().hex, "uuid4": uuid.uuid4().hex, "node": uuid.getnode(),
             "temporary": next(tempfile._get_candidate_names()),
             "key": bytes(multiprocessing.current_process().authkey).hex(), "ssl": ssl.RAND_bytes(8).hex(),
             "sqlite": db.execute("select hex(randomblob(8))").fetchone()[0]}
    try:
        import numpy
        drawn["numpy"] = float(numpy.random.random())
        drawn["numpy rng"] = float(numpy.random.default_rng().random())
    except ImportError:
        pass
    time.sleep(event["hold"])  # so that a second call meets another instance
    return drawn


MARKS = ("/tmp/mark", "/dev/shm/mark")


def residue(event):
    """What an earlier instance left; then leave something, and stay busy while others look."""
    seen = [p for p in MARKS if os.path.exists(p)] + os.listdir("/tmp") + os.listdir("/dev/shm")
    for path in MARKS:
        with open(path, "w") as f:
            f.write("mine")
    time.sleep(event["hold"])
    return seen


def read_file(event):
    return read(event["path"])


def handler(event, context):
    return globals()[event["do"]](event)
