"""A world of its own for container engines, and tests that must go there as with other runtimes.

    class Podman(Engine):
        def __init__(self, world, runtime): ...

    @test
    def the_exit_status_is_the_processs(p):
        return p.run("sh", "-c", "exit 3", status=3).stdout

    if __name__ == "__main__":
        sys.exit(main(Podman))

The file runs itself again in new mount, pid and cgroup namespaces, as the child of a process that only reaps.
There /run, /dev/shm and /var/lib are file systems of their own, all groups are made below our own one, and what an
engine leaves running ends with the pid namespace: so nothing of the host's engines is seen or touched. No
network is used.

A test is a function whose name is a sentence. It asserts what must be, and returns what may differ between
hosts but not between runtimes. It is run with each control (runc, and crun where it can) and with our
runtime, whose answer must be that of runc. What fails with runc too is the engine's or the host's: a skip.
"""
import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import termios
import traceback
from io import BytesIO

from lib import Skip, Tap, bin_dir, wait_for

SANDBOX = os.path.join(bin_dir(), "sandbox")
IMAGE = "docker.io/library/busy:1"
INSIDE = "--inside"
HIERARCHIES = "/sys/fs/cgroup"


# --- the image ---

PASSWD = "root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1001:worker:/home:/bin/sh\n"
GROUP = "root:x:0:\nstaff:x:1001:\nextra:x:1002:worker\n"
SCRIPT = """#!/bin/sh
trap 'echo "got TERM"; exit 7' TERM
trap 'echo "got USR1"' USR1
echo ready
while :; do sleep 0.05; done
"""


def entry(name, mode, kind=tarfile.REGTYPE, size=0, link=""):
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.size, info.linkname = mode, kind, size, link
    return info


def root_file_system():
    """A tar with busybox, a user, a script that waits for signals, and a file nobody may execute."""
    with open("/bin/busybox", "rb") as f:
        busybox = f.read()
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, mode in (("bin", 0o755), ("dev", 0o755), ("etc", 0o755), ("home", 0o755), ("proc", 0o755),
                           ("root", 0o700), ("sys", 0o755), ("tmp", 0o1777), ("srv", 0o755)):
            tar.addfile(entry(name, mode, tarfile.DIRTYPE))
        for name, mode, data in (("bin/busybox", 0o755, busybox), ("etc/passwd", 0o644, PASSWD.encode()),
                                 ("etc/group", 0o644, GROUP.encode()), ("bin/waiter", 0o755, SCRIPT.encode()),
                                 ("etc/plain", 0o644, b"text\n")):
            tar.addfile(entry(name, mode, size=len(data)), BytesIO(data))
        for name in applets:
            if name != "busybox":
                tar.addfile(entry("bin/" + name, 0o777, tarfile.SYMTYPE, link="busybox"))
    return out.getvalue()


def write_image(path):
    """An archive as `docker save` writes it: one layer, IMAGE its name."""
    from hashlib import sha256  # only here
    layer = root_file_system()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Cmd": ["/bin/sh"], "WorkingDir": "/srv"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(layer).hexdigest()]},
    }).encode()
    name = sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, data in (("manifest.json", manifest), (name, config), ("layer.tar", layer)):
            tar.addfile(entry(member, 0o644, size=len(data)), BytesIO(data))


# --- the world ---

def reap_until(child):
    """As pid 1: orphans come here."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def remount_groups():
    """
    All hierarchies anew: a cgroup namespace shows our group as their root only in what is mounted in it. Where they
    are on v1 it is in a tmpfs of our own, as podman makes directories there for hierarchies that the host has not.
    """
    with open("/proc/self/mounts", encoding="ascii") as f:
        rows = [line.split()[1:4] for line in f]
    rows = [row for row in rows if row[1] in ("cgroup", "cgroup2")]
    subprocess.run(["umount", "--recursive", HIERARCHIES], check=True)
    if all(where != HIERARCHIES for where, *_ in rows):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", HIERARCHIES)
    for where, kind, options in rows:
        which = [o for o in options.split(",") if o not in ("rw", "ro", "relatime", "nosuid", "nodev", "noexec")]
        if any(o.startswith("name=") for o in which):
            which.append("none")
        os.makedirs(where, exist_ok=True)
        mount("-t", kind, *(["-o", ",".join(which)] if which and kind == "cgroup" else []), "cgroup", where)


def groups(name):
    """The directories of this group and all below, the deepest first."""
    tops = [HIERARCHIES, *(os.path.join(HIERARCHIES, h) for h in os.listdir(HIERARCHIES))]
    return [at for top in tops if os.path.ismount(top)
            for at, *_ in os.walk(os.path.join(top, name), topdown=False)]


def remove_groups(name):
    for directory in groups(name):
        os.rmdir(directory)


class World:
    """Directory, image and parent group of one run."""

    def __init__(self):
        remount_groups()
        for where in ("/run", "/dev/shm", "/var/lib"):
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", where)
        self.directory = "/run/engines"
        os.mkdir(self.directory)
        self.group = os.environ["ENGINES_GROUP"]
        self.image = os.path.join(self.directory, "image.tar")
        write_image(self.image)

    @staticmethod
    def all_mounts():
        with open("/proc/self/mounts", encoding="utf-8") as f:
            return {line.split()[1] for line in f}

    def path(self, *names):
        return os.path.join(self.directory, *names)

    @staticmethod
    def processes():
        """All but the reaper and us."""
        found = []
        for pid in os.listdir("/proc"):
            if pid.isdigit() and int(pid) not in (1, os.getpid()):
                try:
                    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                        found.append(f"{pid} {f.read()}".replace("\0", " "))
                except OSError:
                    pass  # it is gone
        return found


def end_all(group):
    """What a test that failed has left: its processes, its groups."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    with contextlib.suppress(OSError):
        remove_groups(group)


def enter():
    """In the namespaces, as the child of a reaper, this returns; else never."""
    if INSIDE not in sys.argv:
        directory = tempfile.mkdtemp(prefix="engines-")
        os.rmdir(directory)  # only its unique name is needed
        os.environ["ENGINES_GROUP"] = os.path.basename(directory)
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        os.execvp("unshare", ["unshare", "--mount", "--cgroup", "--pid", "--fork", "--mount-proc", "--kill-child",
                              "--propagation", "private", sys.executable, *sys.argv, INSIDE])
    child = os.fork()
    if child:
        status = reap_until(child)
        end_all(os.environ["ENGINES_GROUP"])
        sys.exit(status)


# --- the engines ---

class Done:
    def __init__(self, process, data):
        self.status = process.returncode
        self.stdout, self.stderr = data[0].decode(), data[1].decode()


class Engine:
    """One engine with one runtime. A subclass has command() and what else its tests use."""

    def __init__(self, world, runtime):
        self.world, self.runtime, self.count = world, runtime, 0

    def new_name(self):
        self.count += 1
        return f"c{self.count}-{os.path.basename(self.runtime)}"

    def __call__(self, *words, status=0, data=b"", timeout=60):
        """Run a command of the engine; status None: any."""
        with subprocess.Popen([*self.command(), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.environment(), cwd=self.home) as process:
            try:
                done = Done(process, process.communicate(data, timeout))
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{words}: not done after {timeout} s") from None
            done.status = process.returncode
        if status is not None:
            assert done.status == status, f"{' '.join(words)}: exit status {done.status}: {done.stdout} {done.stderr}"
        return done


def with_pty(engine, words, rows=31, columns=97, send=b""):
    """What the engine prints on a terminal of that size; its exit status."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (rows, columns))
    with subprocess.Popen([*engine.command(), *words], stdin=slave, stdout=slave, stderr=slave,
                          env=engine.environment(), start_new_session=True) as process:
        os.close(slave)
        text = b""
        if send:
            os.write(master, send)
        while True:
            try:
                more = os.read(master, 4096)
            except OSError:
                break
            if not more:
                break
            text += more
        os.close(master)
        return text.decode(), process.wait(timeout=60)


def runtimes():
    """The controls first. crun refuses hosts with v1 controllers beside the v2 core."""
    return [path for path in (shutil.which("runc"), shutil.which("crun"), SANDBOX) if path]


def outcome(t, engine):
    """What it returned, and why it failed or is skipped."""
    try:
        return t(engine), None
    except Skip as e:
        return None, e
    except Exception as e:  # a failure is whatever goes wrong
        traceback.print_exc()
        return None, e
    finally:
        engine.clean()


def text_of(e):
    return " / ".join(f"{type(e).__name__} {e}".split("\n"))[:300]


def compare(tap, t, engines):
    """One line for each runtime. engines: by name, ours the last."""
    answers = {name: outcome(t, engine) for name, engine in engines.items()}
    known, why_not = answers["runc"]
    for name, (answer, why) in answers.items():
        title = f"{t.__name__.replace('_', ' ')} ({name})"
        if why and (name != "sandbox" or isinstance(why, Skip)):
            tap.line(True, title, skip=text_of(why))
        elif why and why_not:
            tap.line(True, title, skip=f"fails with runc too: {text_of(why)}")
        elif why:
            tap.line(False, title, why)
        elif name == "sandbox" and not why_not and answer != known:
            print(f"{title}: {answer}\nwith runc: {known}", file=sys.stderr)
            tap.line(False, title, f"{answer} where runc gives {known}")
        else:
            tap.line(True, title)


def nothing_is_left(tap, world, started):
    """The engines' processes, mounts and groups are gone when their containers are."""
    try:
        wait_for(lambda: not world.processes(), "processes end")
        remove_groups(world.group)
        more = world.all_mounts() - started
        assert not more, f"mounts: {more}"
    except (AssertionError, OSError) as e:
        tap.line(False, "nothing is left", f"{e} {world.processes()}")
    else:
        tap.line(True, "nothing is left")


def why_it_cannot(engine):
    try:
        engine.run("true")
        return None
    except AssertionError as e:
        return str(e).strip().splitlines()[-1].strip()
    finally:
        engine.clean()


def missing(kind):
    if os.geteuid() != 0:
        return "needs root"
    for program in (*kind.needs, "runc", "busybox", "unshare"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return f"there is no {program}"
    return None


TESTS = []


def test(function):
    TESTS.append(function)
    return function


def main(kind):
    """Run the tests with all runtimes; the exit status."""
    tap = Tap()
    why = missing(kind)
    if why:
        for t in TESTS:
            tap.line(True, t.__name__.replace("_", " "), skip=why)
        print(f"1..{tap.n}")
        return 0
    enter()
    chosen = sys.argv[1:-1]  # INSIDE is the last
    world = World()
    started = world.all_mounts()
    engines = {}
    for runtime in runtimes():
        engine, name = kind(world, runtime), os.path.basename(runtime)
        why = name == "crun" and why_it_cannot(engine)
        if why:
            tap.line(True, "crun as a control", skip=why)
            engine.close()
        else:
            engines[name] = engine
    for t in TESTS:
        if not chosen or any(word in t.__name__ for word in chosen):
            compare(tap, t, engines)
    for engine in engines.values():
        engine.close()
    nothing_is_left(tap, world, started)
    print(f"1..{tap.n}")
    return int(tap.failed)
