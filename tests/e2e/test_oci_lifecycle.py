#!/usr/bin/python3.11
"""create, start, state, kill, delete, run: the life of a container, its hooks, what is left of one that was cut off.

Needs root. The root file system is the host's /usr, bound read-only, so this runs on any kernel that boots the host's
files. Containers have names of this test's own, state in a directory of its own.
"""
import contextlib
import ctypes
import errno
import glob
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from lib import Skip, bin_dir, run_as_root, wait_for

SANDBOX = os.path.join(bin_dir(), "sandbox")
WORK = tempfile.mkdtemp(prefix="lifecycle-")
STATE = os.path.join(WORK, "state")
PYTHON = "/usr/bin/python3.11"
MARK = f"lc{os.getpid()}"
HOOK_KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
libc = ctypes.CDLL(None, use_errno=True)
count = 0


# --- containers ---

class Container:
    """A bundle and the ID of a container made of it; `out` is a directory that both sides see, inside as /out."""

    def __init__(self, code="import signal; signal.pause()", change=None):
        global count
        count += 1
        self.id = f"{MARK}-{count}"
        self.bundle = os.path.join(WORK, self.id)
        self.out = os.path.join(self.bundle, "out")
        rootfs = os.path.join(self.bundle, "rootfs")
        for name in ("usr", "proc", "dev", "tmp", "out"):
            os.makedirs(os.path.join(rootfs, name))
        for name in ("bin", "lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(rootfs, name))
        os.mkdir(self.out)
        self.config = self.default(["/usr/bin/python3.11", "-I", "-S", "-c", code])
        if change:
            change(self.config)
        self.write()

    def default(self, args):
        return {
            "ociVersion": "1.3.0",
            "process": {"user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/", "env": ["PATH=/usr/bin", "INSIDE=1"],
                        "capabilities": {k: ["CAP_KILL"] for k in ("bounding", "effective", "permitted")}},
            "root": {"path": "rootfs", "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
                {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
                {"destination": "/out", "type": "bind", "source": self.out, "options": ["bind", "rw"]},
            ],
            "annotations": {"org.example/a": "1"},
            "linux": {"namespaces": [{"type": n} for n in ("pid", "mount", "ipc", "uts", "cgroup")]},
        }

    def write(self):
        with open(os.path.join(self.bundle, "config.json"), "w", encoding="utf-8") as f:
            json.dump(self.config, f)

    def command(self, verb, *words, **options):
        return ["--root", STATE, verb, *words, self.id, *options.get("after", [])]

    def call(self, verb, *words, after=(), **options):
        """The CompletedProcess. Output goes to a file: a created process would keep a pipe open."""
        with tempfile.TemporaryFile("w+", dir=WORK) as err, tempfile.TemporaryFile("w+", dir=WORK) as out:
            done = subprocess.run([SANDBOX, *self.command(verb, *words, after=after)], check=False, timeout=60,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=err, **options)
            out.seek(0)
            err.seek(0)
            done.stdout, done.stderr = out.read(), err.read()
        return done

    def do(self, verb, *words, **options):
        done = self.call(verb, *words, **options)
        assert done.returncode == 0, f"{verb}: exit status {done.returncode}: {done.stderr}"
        return done.stdout

    def create(self, *words, **options):
        self.do("create", "--bundle", self.bundle, *words, **options)
        return self

    def run(self, *words, **options):
        return self.call("run", "--bundle", self.bundle, *words, **options)

    def state(self):
        return json.loads(self.do("state"))

    def wait_for(self, status):
        wait_for(lambda: reap() and self.state()["status"] == status, f"{self.id} is {status}")

    def delete(self):
        self.do("delete", "--force")

    def refused(self, text, verb, *words, **options):
        done = self.call(verb, *words, **options)
        assert done.returncode == 1 and text in done.stderr, (verb, done.returncode, done.stderr)


def reap():
    """Orphans come to us (prctl(2), PR_SET_CHILD_SUBREAPER), as to an engine's monitor."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return True


def equal(a, b):
    assert a == b, f"{a!r}, not {b!r}"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def groups():
    """Directories of our containers' groups, in whatever hierarchy."""
    return [os.path.join(at, name) for at, names, _ in os.walk("/sys/fs/cgroup")
            for name in names if name.startswith(MARK + "-")]


def nothing_left(c):
    equal(c.call("state").returncode, 1)
    assert not os.path.exists(os.path.join(STATE, c.id))
    equal([g for g in groups() if g.endswith("/" + c.id)], [])


# --- the life ---

def program_runs_at_start_and_not_before():
    c = Container("open('/out/ran', 'w'); import signal; signal.pause()").create()
    equal(c.state()["status"], "created")
    assert not os.path.exists(os.path.join(c.out, "ran"))
    c.do("start")
    wait_for(lambda: os.path.exists(os.path.join(c.out, "ran")), "the program")
    equal(c.state()["status"], "running")
    c.do("kill", after=["KILL"])
    c.wait_for("stopped")
    c.do("delete")
    nothing_left(c)


def state_is_as_the_specification_shows_it():
    c = Container().create("--pid-file", os.path.join(WORK, "pid"))
    s = c.state()
    equal(list(s), ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"])
    equal((s["ociVersion"], s["id"], s["bundle"], s["annotations"]),
          ("1.3.0", c.id, c.bundle, {"org.example/a": "1"}))
    equal(s["pid"], int(read(WORK, "pid")))
    assert os.path.exists(f"/proc/{s['pid']}")
    c.do("kill", after=["9"])
    c.wait_for("stopped")
    equal(c.state()["pid"], 0)
    c.delete()


def debug_tells_how_far_a_start_came():
    c = Container("pass")
    out = subprocess.run([SANDBOX, "--debug", *c.command("run", "--bundle", c.bundle)], check=True, timeout=60,
                         stderr=subprocess.PIPE, text=True).stderr
    steps = ("nsexec container setup", "child process in init()", "init: closing the pipe to signal completion")
    lines = [line for line in out.splitlines() if "level=debug" in line]
    assert [step in line for step, line in zip(steps, lines)] == [True] * 3, out
    log = os.path.join(c.out, "log")
    out = subprocess.run([SANDBOX, "--debug", "--log", log, "--log-format", "json",
                          *c.command("run", "--bundle", c.bundle)], check=True, timeout=60,
                         stderr=subprocess.PIPE, text=True).stderr
    equal(out, "")
    equal([json.loads(line)["level"] for line in read(log).splitlines()], ["debug"] * 3)


def wrong_state_is_an_error_without_effect():
    c = Container()
    for verb in ("start", "kill", "state", "delete"):
        c.refused("does not exist", verb)
    equal(c.call("delete", "--force").returncode, 0)
    c.create()
    c.refused("already exists", "create", "--bundle", c.bundle)
    c.do("start")
    c.refused("cannot start an already running container", "start")
    c.refused("is not stopped: running", "delete")
    c.refused("unknown signal 'FLY'", "kill", after=["FLY"])
    equal(c.state()["status"], "running")
    c.do("kill", after=["0"])
    c.do("kill", after=["SIGKILL"])
    c.wait_for("stopped")
    c.refused(f"sandbox kill: container '{c.id}' is stopped: container not running\n", "kill", after=["0"])
    c.do("kill", "--all", after=["0"])
    c.refused("cannot start a container that has stopped", "start")
    c.refused("container not running", "kill")
    c.refused("already exists", "create", "--bundle", c.bundle)
    c.do("delete")
    nothing_left(c)


def later_edits_of_the_bundle_have_no_effect():
    c = Container("open('/out/ran', 'w').write('first')").create()
    c.config["process"]["args"] = ["/nonexistent"]
    c.config["hooks"] = {"poststop": [{"path": "/usr/bin/touch", "args": ["touch", os.path.join(c.out, "edited")]}]}
    c.write()
    c.do("start")
    c.wait_for("stopped")
    c.do("delete")
    equal((os.listdir(c.out), read(c.out, "ran")), (["ran"], "first"))


def program_that_is_not_there_fails_create():
    for name, why in (("/nonexistent", "no such file or directory"), ("/tmp", "permission denied"),
                      ("nonexistent", "executable file not found in $PATH")):
        c = Container()
        c.config["process"]["args"] = [name]
        c.write()
        c.refused(why, "create", "--bundle", c.bundle)
        nothing_left(c)


def program_without_its_interpreter_fails_start():
    c = Container()
    with open(os.path.join(c.out, "script"), "w", encoding="ascii") as f:
        f.write("#!/nonexistent\n")
        os.fchmod(f.fileno(), 0o755)
    c.config["process"]["args"] = ["/out/script"]
    c.write()
    c.create()
    c.refused("no such file or directory", "start")
    c.wait_for("stopped")
    c.do("delete")
    nothing_left(c)


def created_container_is_deleted_without_force():
    c = Container().create()
    c.do("delete")
    nothing_left(c)


def running_container_is_deleted_with_force():
    c = Container().create()
    c.do("start")
    c.delete()
    nothing_left(c)


# Programs of the next two tests block signals and wait for them: pause() would sleep through one that comes
# between "ready" and the call (pause(2) has no answer to that, sigwait(3) is one).

def signals_are_taken_by_any_of_their_names():
    code = """if 1:
        import signal
        signals = {signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN + 2}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        open('/out/ready', 'w')
        while 1: open('/out/%d' % signal.sigwait(signals), 'w')"""
    c = Container(code).create()
    c.do("start")
    wait_for(lambda: os.path.exists(os.path.join(c.out, "ready")), "it to be ready")
    for name, number in (([], 15), (["USR1"], 10), (["sigusr1"], 10), (["RTMIN+2"], 36), (["10"], 10)):
        c.do("kill", after=name)
        path = os.path.join(c.out, str(number))
        wait_for(lambda: os.path.exists(path), f"signal {name}")  # pylint: disable=cell-var-from-loop
        os.unlink(path)
    c.delete()


def kill_all_reaches_every_process_and_thaws():
    code = """if 1:
        import os, signal
        for i in range(3):
            if os.fork() == 0: break
        signal.pthread_sigmask(signal.SIG_BLOCK, {10})
        open('/out/ready%d' % os.getpid(), 'w')
        while signal.sigwait({10}): open('/out/got%d' % os.getpid(), 'w')"""
    c = Container(code).create()
    c.do("start")
    wait_for(lambda: len(glob.glob(c.out + "/ready*")) == 4, "all of them")
    c.do("kill", "--all", after=["USR1"])
    wait_for(lambda: len(glob.glob(c.out + "/got*")) == 4, "the signal in all of them")
    c.do("kill", "--all", after=["KILL"])
    c.wait_for("stopped")
    equal(c.call("kill", "--all", after=["KILL"]).returncode, 0)
    c.do("delete")


def run_passes_the_status_on_and_leaves_nothing():
    c = Container("raise SystemExit(7)")
    equal(c.run().returncode, 7)
    nothing_left(c)


def run_is_seen_by_other_commands():
    c = Container()
    with subprocess.Popen([SANDBOX, *c.command("run", "--bundle", c.bundle)], stdin=subprocess.DEVNULL) as p:
        wait_for(lambda: c.call("state").returncode == 0 and c.state()["status"] == "running", "it runs")
        c.refused("already exists", "create", "--bundle", c.bundle)
        c.do("kill", after=["KILL"])
        equal(p.wait(60), 137)
    nothing_left(c)


def run_detached_returns_and_keeps_its_promises():
    c = Container()
    equal(c.run("-d", "--pid-file", os.path.join(WORK, "pid")).returncode, 0)
    equal(c.state()["pid"], int(read(WORK, "pid")))
    equal(c.state()["status"], "running")
    c.delete()
    nothing_left(c)


def run_keep_leaves_the_stopped_container():
    c = Container("raise SystemExit(3)")
    equal(c.run("--keep").returncode, 3)
    s = c.state()
    equal((s["status"], s["exitStatus"], s["oomKilled"]), ("stopped", 3, False))
    c.do("delete")
    nothing_left(c)


def descriptors_are_passed_on_when_asked_for():
    code = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], os.environ.get('LISTEN_FDS'))"
    c = Container(code)
    with open("/dev/null", encoding="ascii") as f, open(c.bundle + "/config.json", encoding="ascii") as g:
        fds = (f.fileno(), g.fileno())

        def place():
            for i, fd in enumerate((os.dup(fds[0]), os.dup(fds[1]))):
                os.dup2(fd, 10 + i)
            for i in (3, 4):
                os.dup2(7 + i, i)
            os.environ["LISTEN_PID"] = str(os.getpid())
        equal(c.run(preexec_fn=place, close_fds=False).stdout, "[0, 1, 2] None\n")
        equal(c.run("--preserve-fds", "2", preexec_fn=place, pass_fds=(3, 4)).stdout, "[0, 1, 2, 3, 4] None\n")
        listening = f"LISTEN_PID=$$ LISTEN_FDS=1 exec {SANDBOX} " + " ".join(c.command("run", "--bundle", c.bundle))
        done = subprocess.run(["/bin/sh", "-c", listening + " 3</dev/null"], check=True, capture_output=True, text=True)
        equal(done.stdout, "[0, 1, 2, 3] 1\n")
        equal(c.run("--preserve-fds", "100").stdout, "[0, 1, 2] None\n")


def config_may_be_another_file_than_the_bundle_s_own():
    c = Container("print('other')")
    os.mkdir(c.bundle + "/sub")
    os.rename(c.bundle + "/config.json", c.bundle + "/sub/other.json")
    equal(c.run("--config", "sub/other.json").stdout, "other\n")
    equal(c.run("-f", c.bundle + "/sub/other.json").stdout, "other\n")
    c.refused("config.json", "run", "--bundle", c.bundle)


def session_keyring_is_its_own_unless_asked_otherwise():
    code = "import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))"
    ours = libc.syscall(250, 0, -3, 1)
    if ours < 0:
        raise Skip("this kernel has no keyrings")
    first, second = Container(code).run().stdout, Container(code).run().stdout
    assert len({first, second, f"{ours}\n"}) == 3, (first, second, ours)
    equal(Container(code).run("--no-new-keyring").stdout, f"{ours}\n")


# --- its end is remembered ---

def exit_status_is_recorded_though_nobody_waited():
    c = Container("raise SystemExit(42)")
    equal(c.run("-d").returncode, 0)
    c.wait_for("stopped")
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 15):
        c.delete()
        raise Skip("the kernel tells it from 6.15 on")
    wait_for(lambda: reap() and "exitStatus" in c.state(), "the keeper")  # it sees what is reaped
    equal((c.state()["exitStatus"], c.state()["oomKilled"]), (42, False))
    c.do("delete")
    nothing_left(c)


def memory_kill_is_recorded_though_nobody_waited():
    c = Container("x = bytearray(256 << 20)", lambda config: config["linux"].update(
        resources={"memory": {"limit": 32 << 20, "swap": 32 << 20}}))
    equal(c.run("-d").returncode, 0)
    c.wait_for("stopped")
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 15):
        c.delete()
        raise Skip("the kernel tells it from 6.15 on")
    wait_for(lambda: reap() and "exitStatus" in c.state(), "the keeper")  # it sees what is reaped
    equal((c.state()["exitStatus"], c.state()["oomKilled"]), (137, True))
    c.do("delete")


# --- hooks ---

def hook(script, **members):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **members}


def set_hooks(c, **kinds):
    c.config["hooks"] = kinds
    c.write()


def all_hooks(c, script):
    """The same script for every kind, which knows its kind as $KIND and the log as $LOG."""
    for kind in HOOK_KINDS:
        log = "/out/log" if kind == "startContainer" else c.out + "/log"
        c.config.setdefault("hooks", {})[kind] = [hook(script, env=[f"KIND={kind}", f"LOG={log}"])]
    c.write()


def hooks_run_in_order_with_the_state_on_stdin():
    c = Container("open('/out/log', 'a').write('program\\n'); import signal; signal.pause()")
    all_hooks(c, 'printf "%s %s\\n" $KIND "$(cat)" >>$LOG')
    c.create()
    pid = c.state()["pid"]
    c.do("start")
    wait_for(lambda: "program" in read(c.out, "log"), "the program")
    c.delete()
    rows = [line.split(" ", 1) for line in read(c.out, "log").splitlines()]
    kinds = [row[0] for row in rows if row[0] != "program"]
    equal(kinds, list(HOOK_KINDS))
    assert [row[0] for row in rows].index("program") in (4, 5), rows
    states = {row[0]: json.loads(row[1]) for row in rows if len(row) > 1}
    equal([states[k]["status"] for k in HOOK_KINDS],
          ["creating", "creating", "creating", "created", "running", "stopped"])
    equal([states[k].get("pid") for k in HOOK_KINDS], [pid] * 5 + [None])
    for kind, state in states.items():
        equal((state["id"], state["bundle"], state["annotations"]), (c.id, c.bundle, {"org.example/a": "1"}))
        assert '": "' not in next(row[1] for row in rows if row[0] == kind), "compact"


def cve_2024_0132_2025_23266_hooks_never_have_the_environment_of_the_container():
    # What a hook loads must not be the image's to choose.
    c = Container(change=lambda config: config["process"].update(
        env=["PATH=/usr/bin", "LD_PRELOAD=/out/evil.so", "INSIDE=1"], cwd="/out"))
    all_hooks(c, 'echo $KIND $(cat /proc/self/environ | tr "\\0" ",") $(readlink /proc/self/cwd) >>$LOG')
    c.create()
    c.do("start")
    c.delete()
    for line in read(c.out, "log").splitlines():
        kind, env, cwd = line.split(" ")
        log = "/out/log" if kind == "startContainer" else c.out + "/log"
        inside = {"createContainer": os.path.join(c.bundle, "rootfs"), "startContainer": "/"}
        equal(cwd, inside.get(kind, c.bundle))
        equal(set(env.split(",")), {f"KIND={kind}", f"LOG={log}", f"PWD={cwd}", ""})  # PWD is the shell's


def hook_of_the_namespaces_changes_the_root_by_relative_paths():
    c = Container("print(open('/tmp/by-a-hook').read(), end='')")
    with open(os.path.join(c.bundle, "file"), "w", encoding="ascii") as f:
        f.write("by the hook")
    set_hooks(c, createContainer=[hook(f": >./tmp/by-a-hook && mount --bind {c.bundle}/file ./tmp/by-a-hook")])
    equal(c.run().stdout, "by the hook")
    assert not os.path.exists("/tmp/by-a-hook")
    nothing_left(c)


def hook_killed_by_a_filter_is_told_in_words():
    c = Container(change=lambda config: config["linux"].update(seccomp={
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL"}]}))
    set_hooks(c, startContainer=[{"path": "/usr/bin/mkdir", "args": ["mkdir", "/tmp/x"]}])
    err = c.run().stderr
    assert "error running hook: startContainer[0] '/usr/bin/mkdir': signal: bad system call" in err, err


def hooks_without_an_environment_have_that_of_their_side():
    c = Container()
    c.config["hooks"] = {}
    for kind in HOOK_KINDS:
        log = "/out/log" if kind == "startContainer" else c.out + "/log"
        c.config["hooks"][kind] = [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind} $INSIDE$OUTSIDE >>{log}"]}]
    c.write()
    c.create(env={"PATH": "/usr/bin", "OUTSIDE": "2"})
    c.do("start", env={"PATH": "/usr/bin", "OUTSIDE": "2"})
    c.do("delete", "--force", env={"PATH": "/usr/bin", "OUTSIDE": "2"})
    equal(dict(line.split(" ") for line in read(c.out, "log").splitlines()),
          {kind: "1" if kind == "startContainer" else "2" for kind in HOOK_KINDS})


def hooks_of_creation_see_the_mounts_before_the_root_is_entered():
    c = Container()
    look = "grep -c %s/rootfs /proc/%%s/mountinfo >>%s/log; ls -d /work /root >/dev/null 2>&1; true" % (c.bundle, c.out)
    set_hooks(c, createRuntime=[hook(r'pid=$(sed "s/.*\"pid\":\([0-9]*\).*/\1/"); ' + look % "$pid")],
              createContainer=[hook(look % "self")])
    c.create()
    c.delete()
    rows = read(c.out, "log").split()
    assert len(rows) == 2 and all(int(n) >= 6 for n in rows), rows


def hook_that_fails_stops_all_but_poststop():
    for kind in HOOK_KINDS:
        c = Container()
        log = c.out + "/log"
        set_hooks(c, **{kind: [hook("echo first >>/dev/null; echo why it failed >&2; exit 3"), hook("exit 0")]})
        if kind in ("prestart", "createRuntime", "createContainer"):
            c.config["hooks"]["poststop"] = [hook(f"echo poststop >>{log}")]
            c.write()
            c.refused("why it failed", "create", "--bundle", c.bundle)
            equal(read(log), "poststop\n")
        else:
            c.create()
        if kind in ("startContainer", "poststart"):
            c.refused(f"{kind}[0] '/bin/sh': exit status 3, output: why it failed", "start")
            c.wait_for("stopped")
            c.do("delete")
        if kind == "poststop":
            c.config["hooks"]["poststop"][1] = hook(f"echo second >>{log}")
            c.delete()
        nothing_left(c)


def poststop_hooks_all_run_whatever_fails():
    c = Container()
    set_hooks(c, poststop=[hook("exit 1"), hook(f"echo second >{c.out}/log"), {"path": "/nonexistent"}])
    c.create()
    done = c.call("delete", "--force")
    equal((done.returncode, read(c.out, "log")), (0, "second\n"))
    assert "poststop[0]" in done.stderr and "poststop[2]" in done.stderr, done.stderr
    nothing_left(c)


def hook_over_its_time_is_killed_with_its_group():
    c = Container()
    set_hooks(c, createRuntime=[hook(f"sleep 1000 & echo $! >{c.out}/pid; wait", timeout=1)])
    c.refused("killed: its time is over", "create", "--bundle", c.bundle)
    wait_for(lambda: reap() and not os.path.exists("/proc/" + read(c.out, "pid").strip()), "its child is gone")
    nothing_left(c)


def hook_may_ask_for_the_state_and_say_much():
    c = Container()
    ask = f"{SANDBOX} --root {STATE} state {c.id} >>{c.out}/log; head -c 1000000 /dev/zero"
    set_hooks(c, createRuntime=[hook(ask)], poststart=[hook(ask)])
    c.create()
    c.do("start")
    c.delete()
    equal([w.split('"')[3] for w in read(c.out, "log").splitlines() if '"status"' in w], ["creating", "running"])


def foreground_run_has_the_same_hooks():
    c = Container("open('/out/log', 'a').write('program\\n')")
    all_hooks(c, "echo $KIND >>$LOG")
    equal(c.run().returncode, 0)
    rows = read(c.out, "log").split()
    equal([r for r in rows if r != "program"], list(HOOK_KINDS))
    nothing_left(c)


# --- what is left of one that was cut off ---

PTRACE_TRACEME, PTRACE_SYSCALL = 0, 24


def traced(words, stop_at):
    """Run a command up to its system call number stop_at (entry or return), then SIGKILL. True: it got there."""
    pid = os.fork()
    if pid == 0:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        libc.ptrace(PTRACE_TRACEME, 0, None, None)
        os.execv(SANDBOX, [SANDBOX, *words])
    for _ in range(stop_at):
        if not os.WIFSTOPPED(os.waitpid(pid, 0)[1]):
            return False
        libc.ptrace(PTRACE_SYSCALL, pid, None, None)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def members(c):
    found = []
    for g in groups():
        if g.endswith("/" + c.id):
            with contextlib.suppress(OSError):
                found += read(g, "cgroup.procs").split()
    return found


def at_every_step(prepare, verb, *words, step):
    """Kill it at system call step, 2 * step ... until it gets by; whatever is left can be deleted wholly."""
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    at, c = step, Container()
    while True:
        prepare(c)
        cut = traced(c.command(verb, *words, c.bundle) if words else c.command(verb), at)
        if cut and verb == "create":
            state = c.call("state")
            if not state.returncode and json.loads(state.stdout)["status"] not in ("created", "running"):
                wait_for(lambda: reap() and not members(c), f"the child dies with its runtime, cut at {at}")
            if at // step % 2:
                again = c.call("create", "--bundle", c.bundle)
                assert not again.returncode or "already exists" in again.stderr, (at, again.stderr)
        done = c.call("delete", "--force")
        equal((at, done.returncode, done.stderr), (at, 0, ""))
        reap()
        nothing_left(c)
        if not cut:
            return at
        at += step


def create_killed_at_any_system_call_leaves_what_can_be_removed():
    words = ("--bundle",)
    c_steps = at_every_step(lambda c: None, "create", *words, step=7)
    assert c_steps > 100, c_steps


def start_killed_at_any_system_call_leaves_what_can_be_removed():
    at_every_step(lambda c: c.create(), "start", step=23)


def delete_killed_at_any_system_call_can_be_repeated():
    at_every_step(lambda c: c.create(), "delete", step=23)


def run_that_was_killed_takes_its_container_along():
    long = [{"destination": f"/tmp/{n}", "type": "tmpfs", "source": "tmpfs"} for n in range(200)]
    c = Container(change=lambda config: config["mounts"].extend(long))
    for _ in range(10):  # at once: the child is still on its way
        with subprocess.Popen([SANDBOX, *c.command("run", "--bundle", c.bundle)], stdin=subprocess.DEVNULL) as p:
            while '"running"' not in c.call("state").stdout:
                pass
            p.kill()
        c.wait_for("stopped")
    equal(c.call("run", "--bundle", c.bundle, "-d").returncode, 0)
    c.delete()
    nothing_left(c)


def container_below_a_frozen_group_is_refused():
    first, second = (Container(change=lambda config, n=n: config["linux"].update(
        cgroupsPath=f"/{MARK}-frozen/{n}")) for n in "ab")
    equal(first.run("-d").returncode, 0)
    core = json.loads(read(STATE, first.id, "state.json"))["cgroupPaths"]["core"]
    freeze = os.path.join(os.path.dirname(core), "cgroup.freeze")
    try:
        with open(freeze, "w", encoding="ascii") as f:
            f.write("1")
        second.refused("container's cgroup unexpectedly frozen", "create", "--bundle", second.bundle)
    finally:
        with open(freeze, "w", encoding="ascii") as f:
            f.write("0")
        first.delete()
    nothing_left(second)


def fifty_at_once_do_not_disturb_each_other():
    script = " && ".join(f"{SANDBOX} --root {STATE} {w}" for w in (
        "create --bundle $B $ID", "start $ID", "state $ID >/dev/null", "kill $ID KILL")) + \
        f" && until {SANDBOX} --root {STATE} delete $ID 2>/dev/null; do sleep 0.05; done"
    made = [Container() for _ in range(50)]
    running = [subprocess.Popen(["/bin/sh", "-c", script], env={**os.environ, "ID": c.id, "B": c.bundle},
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for c in made]
    wait_for(lambda: [p.poll() for p in running].count(None) == 0 or reap_but(running), "all of them", 120)
    equal([p.returncode for p in running], [0] * len(running))
    for c in made:
        nothing_left(c)


def reap_but(running):
    """Orphans only: the status of a child of Popen is its own to take."""
    ours = {p.pid for p in running}
    for child in read(f"/proc/self/task/{os.getpid()}/children").split():
        if int(child) not in ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(child), os.WNOHANG)
    return False


# --- the program itself is out of reach ---

def fingerprint(program=SANDBOX):
    with open(program, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest(), os.fstat(f.fileno()).st_mtime_ns


def cve_2019_5736_our_program_as_the_entry_point_is_not_written_to():
    # The container's first program is the runtime itself.
    before = fingerprint()
    c = Container(change=lambda config: config["process"].update(args=["/out/entry"]))
    with open(os.path.join(c.out, "entry"), "w", encoding="ascii") as f:
        f.write("#!/proc/self/exe\n")
    os.chmod(f.name, 0o755)
    done = c.run()
    assert done.returncode == 2 and "unknown command '/out/entry'" in done.stderr, done  # it was ours that ran
    equal(fingerprint(), before)


def cve_2019_5736_our_program_is_not_written_to_through_proc():
    # A process with every right over ours, which waits at the gate in the same pid namespace, keeps
    # its file open until nobody executes it any more (ETXTBSY), and opens it again to write. The victim's program is
    # a copy, for ours is never idle here.
    program = os.path.join(WORK, "program")
    shutil.copy(SANDBOX, program)
    before = fingerprint(program)
    victim = Container()
    subprocess.run([program, *victim.command("create", "--bundle", victim.bundle)], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    code = f"""if 1:
        import os, time
        def tried(path):
            while 1:
                try: return os.close(os.open(path, os.O_WRONLY))
                except OSError as e:
                    if e.errno != {errno.ETXTBSY}: return e.errno
                time.sleep(0.01)
        fd = os.open('/proc/{victim.state()['pid']}/exe', os.O_RDONLY)
        open('/out/ready', 'w')
        while not os.path.exists('/out/go'): time.sleep(0.01)
        open('/out/got', 'w').write('%s %s' % (tried('/proc/self/fd/%d' % fd), tried('/out/own')))
        """

    def change(config):
        config["linux"]["namespaces"] = [{"type": "mount"}]
        config["process"]["capabilities"] = {k: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"] for k in (
            "bounding", "effective", "permitted")}
    c = Container(code, change).create()
    shutil.copy("/usr/bin/true", os.path.join(c.out, "own"))
    c.do("start")
    wait_for(lambda: os.path.exists(os.path.join(c.out, "ready")), "the attacker")
    victim.delete()
    open(os.path.join(c.out, "go"), "w", encoding="ascii").close()
    c.wait_for("stopped")
    equal(read(c.out, "got"), f"{errno.EROFS} None")
    c.delete()
    equal(fingerprint(program), before)
    os.close(os.open(program, os.O_WRONLY))  # the file itself would let root write


def nothing_is_left_behind():
    reap()
    equal(os.listdir(STATE), [".cache"])  # of compiled filters
    equal(groups(), [])
    assert WORK not in read("/proc/self/mountinfo")


TESTS = [
    program_runs_at_start_and_not_before,
    state_is_as_the_specification_shows_it,
    debug_tells_how_far_a_start_came,
    wrong_state_is_an_error_without_effect,
    later_edits_of_the_bundle_have_no_effect,
    program_that_is_not_there_fails_create, program_without_its_interpreter_fails_start,
    created_container_is_deleted_without_force,
    running_container_is_deleted_with_force,
    signals_are_taken_by_any_of_their_names,
    kill_all_reaches_every_process_and_thaws,
    run_passes_the_status_on_and_leaves_nothing,
    run_is_seen_by_other_commands,
    run_detached_returns_and_keeps_its_promises,
    run_keep_leaves_the_stopped_container,
    descriptors_are_passed_on_when_asked_for,
    config_may_be_another_file_than_the_bundle_s_own,
    session_keyring_is_its_own_unless_asked_otherwise,
    exit_status_is_recorded_though_nobody_waited,
    memory_kill_is_recorded_though_nobody_waited,
    hooks_run_in_order_with_the_state_on_stdin,
    cve_2024_0132_2025_23266_hooks_never_have_the_environment_of_the_container,
    hook_of_the_namespaces_changes_the_root_by_relative_paths,
    hook_killed_by_a_filter_is_told_in_words,
    hooks_without_an_environment_have_that_of_their_side,
    hooks_of_creation_see_the_mounts_before_the_root_is_entered,
    hook_that_fails_stops_all_but_poststop,
    poststop_hooks_all_run_whatever_fails,
    hook_over_its_time_is_killed_with_its_group,
    hook_may_ask_for_the_state_and_say_much,
    foreground_run_has_the_same_hooks,
    create_killed_at_any_system_call_leaves_what_can_be_removed,
    start_killed_at_any_system_call_leaves_what_can_be_removed,
    delete_killed_at_any_system_call_can_be_repeated,
    run_that_was_killed_takes_its_container_along,
    container_below_a_frozen_group_is_refused,
    fifty_at_once_do_not_disturb_each_other,
    cve_2019_5736_our_program_as_the_entry_point_is_not_written_to,
    cve_2019_5736_our_program_is_not_written_to_through_proc,
    nothing_is_left_behind,
]


def begin():
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    os.makedirs(STATE)


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "life of a container", begin=begin, end=lambda: shutil.rmtree(WORK)))
