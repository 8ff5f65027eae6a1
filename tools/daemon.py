"""A daemon of our own on temporary state, and the proof that nothing of it is left.

    with Daemon() as d:            # started and ready
        subprocess.run([...], env={**os.environ, **d.environment()})
    # stopped; raises Residue if a process, mount, cgroup, network namespace or file of it is left

Used by with-runtimed, demo, bench and the end-to-end tests. Needs root and the standard library alone.
"""
import ctypes
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START_SECONDS = 60
STOP_SECONDS = 60
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)


class StartError(Exception):
    """The daemon did not come up; the text holds what it said."""


class Residue(Exception):
    """Something is left after the daemon has ended; one line each."""


def bin_dir():
    return os.environ.get("BIN", os.path.join(ROOT, "build/bin"))


# --- HTTP over the unix socket ---

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("runtimed", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(path, method, target, body=None, headers=None, timeout=60):
    """One request; (status, headers, body)."""
    c = UnixConnection(path, timeout)
    try:
        c.request(method, target, body, headers or {})
        answer = c.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        c.close()


# --- what /proc tells ---

def read(path):
    """A small file as text, or None: processes end while they are looked at."""
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return None


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def links(directory):
    try:
        return [link(os.path.join(directory, name)) or "" for name in os.listdir(directory)]
    except OSError:
        return []


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def stat(pid):
    """(state, parent, start time, session) of a process, or None."""
    text = read(f"/proc/{pid}/stat")
    if not text:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), fields[19], int(fields[3])


def children(pid):
    """Of all threads of a process."""
    return [int(p) for task in os.listdir(f"/proc/{pid}/task")
            for p in (read(f"/proc/{pid}/task/{task}/children") or "").split()]


def tree(root):
    """{pid: start time} of root and all below it."""
    children, start = {}, {}
    for pid in pids():
        s = stat(pid)
        if s:
            children.setdefault(s[1], []).append(pid)
            start[pid] = s[2]
    todo, found = [root], {}
    while todo:
        pid = todo.pop()
        if pid in start:
            found[pid] = start[pid]
            todo += children.get(pid, [])
    return found


def describe(pid):
    command = (read(f"/proc/{pid}/cmdline") or "").replace("\0", " ").strip()
    return f"process {pid} ({command or (read(f'/proc/{pid}/comm') or '?').strip()})"


def is_alive(pid, start):
    s = stat(pid)
    return s is not None and s[0] not in "ZX" and s[2] == start


def net_namespaces(pid):
    """Those a process lives in or holds open, as "net:[4026531840]"."""
    names = [link(f"/proc/{pid}/ns/net")] + links(f"/proc/{pid}/fd")
    return {n for n in names if n and n.startswith("net:[")}


def cgroup_mounts():
    for line in (read("/proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith(("cgroup ", "cgroup2 ")):
            yield left.split()[4]


def end_with_parent():
    """A test that is killed takes its daemon along."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Daemon:
    mains = []  # main processes, all that were ever started: waited for by Popen

    def __init__(self, config="", start=True, wrap=()):
        """config: lines of the configuration file, beside the directories; wrap: goes before the command."""
        self.wrap = wrap
        self.base = tempfile.mkdtemp(prefix="runtimed-")
        os.chmod(self.base, 0o755)
        self.state, self.run = self.base + "/state", self.base + "/run"
        self.config, self.errors = self.base + "/config", self.base + "/stderr"
        self.socket = self.run + "/runtimed.sock"
        self.process = None
        self.seen = {}           # pid -> start time of every process of ours ever looked at
        self.namespaces = set()  # network namespaces of theirs
        self.cgroup = None
        self.own_namespace = link("/proc/self/ns/net")
        lines = ["[runtimed]", f"images_dir = {os.environ.get('IMAGES', ROOT + '/build/images')}",
                 f"policy_dir = {ROOT}/policy/profiles"]
        with open(self.config, "w") as f:
            f.write("\n".join(lines + [config.replace(";", "\n")]) + "\n")
        # What the daemon leaves behind becomes our child, instead of pid 1's, so that it is found.
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if start:
            try:
                self.start()
            except StartError:
                self.clean()
                raise

    # --- life ---

    def command(self):
        return [*self.wrap, bin_dir() + "/runtimed", "--state", self.state, "--run", self.run,
                "--config", self.config]

    def start(self):
        try:
            with open(self.errors, "ab") as log:
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                start_new_session=True, preexec_fn=end_with_parent)
        except OSError as e:
            raise StartError(f"{self.command()[0]}: {e.strerror}")
        Daemon.mains.append(self.process)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            self.reap()
            if self.process.poll() is not None:
                raise StartError(f"runtimed ended with status {self.process.returncode}:\n{self.said()}")
            if time.monotonic() > deadline:
                self.destroy()
                raise StartError(f"runtimed is not ready after {START_SECONDS} s:\n{self.said()}")
            time.sleep(0.005)
        self.cgroup = (read(self.run + "/cgroup") or "").strip() or None

    def is_ready(self):
        try:
            return request(self.socket, "GET", "/healthz", timeout=5)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def look(self):
        """Remember what belongs to it now; stop() does, and tests that kill parts of it before that."""
        if self.process is None:
            return {}
        found = tree(self.process.pid)
        self.seen.update(found)
        for pid in found:
            self.namespaces |= net_namespaces(pid) - {self.own_namespace}
        return found

    def terminate(self):
        """SIGTERM and wait for the end; the exit status."""
        self.look()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Residue(f"runtimed did not end within {STOP_SECONDS} s of SIGTERM:\n{self.said()}")

    def kill(self):
        """SIGKILL to the main process alone: what a crash looks like."""
        self.look()
        self.process.kill()
        self.process.wait()

    def stop(self):
        """End it, check that nothing is left, remove the temporary directory."""
        if self.process is None:
            return
        try:
            status = self.terminate() if self.process.poll() is None else self.process.returncode
            left = self.residue()
            if status != 0:
                left.append(f"runtimed ended with status {status}")
            if left:
                raise Residue("\n".join(left + ["it said:", self.said()]))
        finally:
            self.destroy()
            self.process = None
            self.clean()

    def destroy(self):
        """SIGKILL to whatever is there: a failed test must not trouble the next one."""
        self.look()
        for pid, start in self.seen.items():
            if is_alive(pid, start):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def clean(self):
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.base, ignore_errors=True)

    def said(self):
        """The end of its stderr."""
        return "\n".join((read(self.errors) or "").splitlines()[-60:])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
        except Residue:
            if kind is None:  # else the first failure is the one to tell
                raise

    # --- for clients ---

    def port(self):
        return int((read(self.run + "/port") or "0").strip())

    def key(self):
        """(access key, secret) of the root key."""
        return ((read(self.state + "/root-key") or "").split() + ["", ""])[:2]

    def environment(self):
        access, secret = self.key()
        return {"RUNTIMED_SOCKET": self.socket, "RUNTIMED_URL": f"http://127.0.0.1:{self.port()}",
                "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_DEFAULT_REGION": "local-1", "RUNTIMED_PID": str(self.process.pid)}

    def request(self, method, target, body=None, headers=None, timeout=60):
        return request(self.socket, method, target, body, headers, timeout)

    # --- the proof ---

    def residue(self):
        """What is left of it, a line each; it must have ended."""
        deadline = time.monotonic() + 2  # an end takes some ms: namespaces are torn down by the kernel
        while self.left_processes() and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.005)
        return (self.left_processes() + self.left_mounts() + self.left_cgroups()
                + self.left_namespaces() + self.left_files())

    def reap(self):
        """Orphans of the daemon are our children by now, and pid 1 of a namespace ends only when all in it
        are reaped. Our own children have our session; those are not ours to take here."""
        for pid in self.orphans():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    def orphans(self):
        # The pid of a main process that was waited for may be another's by now.
        mains = {p.pid for p in Daemon.mains if p.returncode is None}
        found = {pid: stat(pid) for pid in children(os.getpid()) if pid not in mains}
        return [pid for pid, s in found.items() if s and s[3] != os.getsid(0)]

    def holds_files(self, pid):
        held = links(f"/proc/{pid}/fd") + [link(f"/proc/{pid}/{n}") or "" for n in ("cwd", "root")]
        return any(h.startswith((self.run, self.state)) for h in held)

    def left_processes(self):
        left = {p for p, start in self.seen.items() if is_alive(p, start)}
        left |= {p for o in self.orphans() for p, start in tree(o).items() if is_alive(p, start)}
        left |= {p for p in pids() if p != os.getpid() and self.holds_files(p)}
        return [describe(p) for p in sorted(left)]

    def left_mounts(self):
        lines = (read("/proc/self/mountinfo") or "") + (read("/proc/1/mountinfo") or "")
        found = {line.split()[4] for line in lines.splitlines() if self.base in line}
        return [f"mount {m}" for m in sorted(found)]

    def left_cgroups(self):
        return [f"cgroup {path}/{name}" for mount in cgroup_mounts()
                for path, names, _ in os.walk(mount) for name in names if name == self.cgroup]

    def left_namespaces(self):
        # Of processes only those below us: numbers of namespaces that have gone are given out again.
        held = set()
        for pid in tree(os.getpid()):
            held |= net_namespaces(pid)
        for line in (read("/proc/self/mountinfo") or "").splitlines():
            held |= set(re.findall(r"net:\[\d+\]", line))
        return [f"network namespace {n}" for n in sorted(self.namespaces & held)]

    def left_files(self):
        if not os.path.isdir(self.run):
            return []
        return [f"file {self.run}/{name}" for name in sorted(os.listdir(self.run))]
