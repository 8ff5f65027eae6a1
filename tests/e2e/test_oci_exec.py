#!/usr/bin/python3.11
"""`sandbox exec`, `sandbox ps`, and terminals: what a further process gets, what it cannot get.

Needs root. Terminals are real ones, of Python's pty module.
"""
import array
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

from lib import Skip, read, run_as_root, wait_for
from test_sandbox_run import (PYTHON, ROOTFS, SANDBOX, STATE, WORK, config_of, equal, find_group,
                              prepare, process)

WAIT = "import signal\nsignal.pause()"
TIOCSTI = 0x5412
count = 0


def sandbox(*words, status=0, **options):
    """Run it; (stdout, stderr). stdin is empty."""
    options.setdefault("stdin", subprocess.DEVNULL)
    p = subprocess.run([SANDBOX, "--root", STATE, *words], capture_output=True, text=True, check=False,
                       timeout=60, **options)
    assert p.returncode == status, f"{words}: exit status {p.returncode}: {p.stdout} {p.stderr}"
    return p.stdout, p.stderr


def python(code):
    return [PYTHON, "-I", "-c", code]


def bundle(config):
    global count
    count += 1
    name = f"x{os.getpid()}-{count}"
    at = os.path.join(WORK, name)
    os.mkdir(at)
    with open(os.path.join(at, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return name, at


@contextlib.contextmanager
def standing(change=None, code=WAIT, words=("run", "-d"), **options):
    """A container that waits; its name. Engines hand stdio to it, so it is not a pipe of ours."""
    name, at = bundle(config_of(code, change))
    subprocess.run([SANDBOX, "--root", STATE, *words, "--bundle", at, name], check=True, timeout=60,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)
    try:
        yield name
    finally:
        sandbox("delete", "--force", name)


def exec_output(name, code, *flags):
    return sandbox("exec", *flags, name, *python(code))[0].strip()


def detached(name, code, *flags, **options):
    """It keeps stdout: no pipe of ours."""
    subprocess.run([SANDBOX, "--root", STATE, "exec", "-d", *flags, name, *python(code)], check=True, timeout=60,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)


def exec_refused(*words, says, status=255):
    out, err = sandbox("exec", *words, status=status)
    equal(out, "")
    assert says in err and err.count("\n") == 1, err


def pid_of(name):
    return json.loads(sandbox("state", name)[0])["pid"]


# --- what the process gets ---

def exit_status_is_passed_on():
    with standing() as name:
        for code, status in (("raise SystemExit(37)", 37), ("pass", 0), ("import os; os.kill(os.getpid(), 15)", 143),
                             ("import os; os.kill(os.getpid(), 9)", 137)):
            sandbox("exec", name, *python(code), status=status)


def it_is_where_the_container_is():
    with standing() as name:
        code = ("import os, json\n"
                "print(json.dumps([{n: os.readlink('/proc/self/ns/' + n) for n in os.listdir('/proc/self/ns')},"
                "open('/proc/self/cgroup').read()]))")
        spaces, groups = json.loads(exec_output(name, code))
        pid = pid_of(name)
        equal(spaces, {n: os.readlink(f"/proc/{pid}/ns/{n}") for n in os.listdir(f"/proc/{pid}/ns")})
        # And of our own groups only the lists are the same, for the namespace hides where they are.
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
            equal(len(groups.splitlines()), len(f.read().splitlines()))
        with open(os.path.join(find_group(name), "cgroup.procs"), encoding="ascii") as f:
            equal(f.read().split(), [str(pid)])


def it_joins_every_group_of_the_container():
    """Looked at from the host, while it runs."""
    with standing() as name, tempfile_name() as pid_file:
        detached(name, WAIT, "--pid-file", pid_file)
        with open(pid_file, encoding="ascii") as f:
            pid = int(f.read())
        texts = []
        for one in (pid, pid_of(name)):
            with open(f"/proc/{one}/cgroup", encoding="ascii") as f:
                texts.append(f.read())
        equal(texts[0], texts[1])


@contextlib.contextmanager
def tempfile_name():
    global count
    count += 1
    path = os.path.join(WORK, f"file{count}")
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def it_gets_what_the_config_says():
    def change(config):
        config["process"].update(user={"uid": 1000, "gid": 1001, "umask": 0o27, "additionalGids": [7]},
                                 env=["A=1", "B=2"], cwd="/usr", noNewPrivileges=True, oomScoreAdj=300,
                                 rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}])
    look = ("import os, resource as r; print(os.getresuid(), os.getresgid(), os.getgroups(), oct(os.umask(0)),"
            "os.environ['A'], os.environ['B'], os.environ['HOME'], os.getcwd(), r.getrlimit(r.RLIMIT_NOFILE),"
            "open('/proc/self/oom_score_adj').read().strip(),"
            "[l for l in open('/proc/self/status') if l.startswith('NoNewPrivs')][0].split()[1])")
    with standing(change) as name:
        equal(exec_output(name, look), "(1000, 1000, 1000) (1001, 1001, 1001) [7] 0o27 1 2 /tmp /usr (50, 60) 300 1")
        equal(exec_output(name, look, "-u", "2:3", "-g", "8", "-e", "B=3", "-e", "HOME=/h", "--cwd", "/usr/lib"),
              "(2, 2, 2) (3, 3, 3) [7, 8] 0o27 1 3 /h /usr/lib (50, 60) 300 1")
        equal(exec_output(name, "import os; print(os.getuid(), os.getgid())", "--user=5"), "5 1001")


def process_is_read_from_a_file():
    with standing(process(user={"uid": 5, "gid": 6})) as name, tempfile_name() as path:
        def call(value, **options):
            with open(path, "w", encoding="utf-8") as f:
                json.dump(value, f)
            return sandbox("exec", "--process", path, name, **options)[0].strip()
        code = "import os, sys; print(os.getuid(), os.getcwd(), dict(os.environ).get('X'), sys.argv[1:])"
        base = {"args": python(code) + ["a b"], "cwd": "/usr", "env": ["X=y"]}
        equal(call(base), "5 /usr y ['a b']")
        equal(call({**base, "user": {"uid": 0, "gid": 0}}), "0 /usr y ['a b']")
        exec_refused("--process", path + "-not-there", name, says="--process: ")


def descriptors_are_0_1_and_2_and_those_to_be_kept():
    look = "import os; print(*sorted(os.listdir('/proc/self/fd')))"  # the last one is the directory
    leak = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        with standing() as name:
            equal(sandbox("exec", name, *python(look), close_fds=False)[0].strip(), "0 1 2 3")
            r, w = os.pipe()
            os.write(w, b"hello")
            os.close(w)
            # The shell puts it at 3.
            p = subprocess.run(["sh", "-c", f'exec 3<&{r}; exec "$0" "$@"', SANDBOX, "--root", STATE, "exec",
                                "--preserve-fds", "1", name, *python("import os; print(os.read(3, 9));" + look)],
                               pass_fds=[r], capture_output=True, text=True, check=True, timeout=60)
            os.close(r)
            equal(p.stdout, "b'hello'\n0 1 2 3 4\n")
            # What is not open is not missed, and nothing of ours comes instead.
            equal(sandbox("exec", "--preserve-fds", "100", name, *python(look))[0].strip(), "0 1 2 3")
            exec_refused("--preserve-fds", "100000", name, "true", says="--preserve-fds: more than")
    finally:
        os.close(leak)


def detached_it_is_left_alone_and_its_pid_written():
    with standing() as name, tempfile_name() as path:
        detached(name, WAIT, "--pid-file", path)
        with open(path, encoding="ascii") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", encoding="ascii") as f:
            assert "signal.pause" in f.read()
        assert pid in json.loads(sandbox("ps", "-f", "json", name)[0])
        exec_refused("--pid-file", "/nonexistent/x", name, *python(WAIT), says="--pid-file: ")
        equal(len(json.loads(sandbox("ps", "-f", "json", name)[0])), 2)


def signals_are_passed_on():
    with standing() as name:
        p = subprocess.Popen([SANDBOX, "--root", STATE, "exec", name, *python(
            "import signal\nsignals = {1, 2, 10, 15, 36}\nsignal.pthread_sigmask(signal.SIG_BLOCK, signals)\n"
            "print('ready', flush=True)\nwhile (n := signal.sigwait(signals)) != 15: print(int(n), flush=True)\n"
            "raise SystemExit(9)")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        equal(p.stdout.readline(), "ready\n")
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, 36):
            p.send_signal(number)
            equal(p.stdout.readline(), f"{int(number)}\n")
        p.terminate()
        equal(p.wait(timeout=60), 9)
        p.stdout.close()


def processes_are_listed():
    with standing() as name:
        pid = pid_of(name)
        equal(json.loads(sandbox("ps", "--format", "json", name)[0]), [pid])
        if subprocess.run(["ps", "-ef"], capture_output=True, check=False).returncode != 0:
            raise Skip("the host's ps does not work")
        title, row = sandbox("ps", name)[0].splitlines()
        equal(title.split()[:2], ["UID", "PID"])
        equal(row.split()[1], str(pid))
        equal(sandbox("ps", name, "-o", "comm,pid")[0].split(), ["COMMAND", "PID", "python3.11", str(pid)])
        err = sandbox("ps", name, "-o", "comm", status=1)[1]
        assert "no column PID" in err, err


# --- when it is refused ---

def status_of_the_container_decides():
    with standing(words=("create",)) as name:
        equal(exec_output(name, "print(1)"), "1")
    with standing() as name:
        group = find_group(name)
        freeze = os.path.join(group, "cgroup.freeze")

        def frozen(value):
            with open(freeze, "w", encoding="ascii") as f:
                f.write(str(value))
            with open(os.path.join(group, "cgroup.events"), encoding="ascii") as f:
                wait_for(lambda: f.seek(0) or f"frozen {value}" in f.read(), "the freezing")
        frozen(1)
        try:
            exec_refused(name, "true", says=f"container '{name}': cannot exec in a paused container")
            p = subprocess.Popen([SANDBOX, "--root", STATE, "exec", "--ignore-paused", name, *python("print(3)")],
                                 stdout=subprocess.PIPE, text=True)
        finally:
            frozen(0)
        equal(p.communicate(timeout=60)[0], "3\n")
        sandbox("kill", name, "KILL")
        wait_for(lambda: json.loads(sandbox("state", name)[0])["status"] == "stopped", "its end")
        exec_refused(name, "true", says=f"container '{name}': cannot exec in a container that is stopped")
        equal(json.loads(sandbox("ps", "-f", "json", name)[0]), [])
    exec_refused("nobody", "true", says="does not exist")


def groups_of(name):
    return [os.path.join(at, name) for at, names, _ in os.walk("/sys/fs/cgroup") if name in names]


def group_below_the_container_s_is_entered():
    look = "print(*sorted(l.split(':', 2)[2].strip() for l in open('/proc/self/cgroup')))"
    with standing() as name:
        for group in groups_of(name):
            os.mkdir(group + "/below")
        below = exec_output(name, look, "--cgroup", "below").split()
        assert len([path for path in below if path.endswith("/below")]) == len(groups_of(name)), below
        one = "pids" if os.path.exists("/sys/fs/cgroup/pids") else None
        if one:
            says = exec_output(name, look, "--cgroup", one + ":/below").split()
            equal([path.endswith("/below") for path in says].count(True), 1)
        equal(exec_output(name, look, "--cgroup", "/"), exec_output(name, look))
        for word, says in (("..", "--cgroup '..': .. is not a sub cgroup path"), ("below/../..", "--cgroup "),
                           ("none", "adding pid to /none/cgroup.procs: no such file"),
                           ("waat:/", "unknown controller 'waat'"), ("core:/", "unknown controller 'core'")):
            exec_refused("--cgroup", word, name, "/usr/bin/true", says=says)


def errors_say_what_engines_look_for():
    with standing() as name:
        for words, says in ((["nosuch"], "'nosuch': ENOENT (executable file not found in $PATH)"),
                            (["/nosuch"], "'/nosuch': ENOENT (no such file or directory)"),
                            (["/etc/passwd"], "'/etc/passwd': EACCES (permission denied)")):
            exec_refused(name, *words, says=says)
        exec_refused("--cwd", "/nonexistent", name, "true", says=f"container '{name}': exec failed: ")
        _, err = sandbox("exec", "--cap", "CAP_NONE", name, *python(""))
        assert "unknown capability 'CAP_NONE': left out" in err, err
        exec_refused(name, says="COMMAND is missing")


# --- terminals ---

class Terminal:
    """A program on a terminal of its own, which is its controlling one."""

    def __init__(self, *words, rows=24, columns=80, program=(SANDBOX, "--root", STATE)):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.p = subprocess.Popen([*program, *words], stdin=slave, stdout=slave, stderr=slave,
                                  start_new_session=True,
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.text = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, text):
        os.write(self.master, text.encode())

    def read(self):
        if not select.select([self.master], [], [], 60)[0]:
            raise AssertionError(f"nothing more comes after {self.text!r}")
        self.text += os.read(self.master, 65536)

    def expect(self, text):
        """Everything up to it."""
        while text.encode() not in self.text:
            self.read()
        found, _, self.text = self.text.partition(text.encode())
        return found.decode()

    def end(self):
        """(exit status, all that was written)"""
        while self.p.poll() is None:
            if select.select([self.master], [], [], 0.01)[0]:
                self.read()
        while select.select([self.master], [], [], 0)[0]:
            self.read()
        return self.p.returncode, self.text.decode().replace("\r\n", "\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        os.close(self.master)
        os.close(self.slave)


TTY = ("import os, sys, signal, termios, threading\n"
       "print(os.ttyname(0), [os.isatty(n) for n in range(3)], os.getsid(0) == os.getpid(),"
       "os.tcgetpgrp(0) == os.getpgrp(), os.fstat(0).st_uid, tuple(os.get_terminal_size()), flush=True)\n")
# Signals are waited for: a handler of Python's does not run while a read that began just after the signal waits.
TALK = TTY + ("signals = {signal.SIGWINCH, signal.SIGINT}\n"
              "def attend():\n"
              " while True:\n"
              "  interrupted = signal.sigwait(signals) == signal.SIGINT\n"
              "  os.write(1, b'interrupted\\n' if interrupted else b'size %d %d\\n' % os.get_terminal_size())\n"
              "signal.pthread_sigmask(signal.SIG_BLOCK, signals)\n"
              "threading.Thread(target=attend, daemon=True).start()\n"
              "print('ready', flush=True)\n"
              "while (line := sys.stdin.readline().strip()) != 'end': print('<' + line + '>', flush=True)\n"
              "raise SystemExit(5)")


def talk(t, uid):
    says = t.expect("ready")
    assert f"/dev/pts/0 [True, True, True] True True {uid} (90, 33)" in says, says
    assert not termios.tcgetattr(t.slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG), "raw"
    t.write("hello\r")
    t.expect("<hello>")
    t.write("\x03")
    t.expect("interrupted")
    t.resize(44, 120)
    t.p.send_signal(signal.SIGWINCH)  # a kernel sends it to the foreground group, and to nobody else
    t.expect("size 120 44")
    t.write("end\r")
    equal(t.end()[0], 5)
    equal(termios.tcgetattr(t.slave), t.before)


def terminal_of_run_is_relayed():
    name, at = bundle(config_of(TALK, process(terminal=True, user={"uid": 1000, "gid": 1000})))
    with Terminal("run", "--bundle", at, name, rows=33, columns=90) as t:
        talk(t, 1000)


def terminal_of_exec_is_relayed():
    with standing() as name:
        with Terminal("exec", "-t", "-u", "7", name, *python(TALK), rows=33, columns=90) as t:
            talk(t, 7)


def modes_are_restored_however_it_ends():
    with standing() as name:
        for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)):
            code = "import signal; print('ready', flush=True); signal.pause()"
            with Terminal("exec", "-t", name, *python(code)) as t:
                t.expect("ready")
                wait_for(lambda: not termios.tcgetattr(t.slave)[3] & termios.ECHO, "raw mode")
                t.p.send_signal(number)
                equal(t.end()[0], status)
                equal(termios.tcgetattr(t.slave), t.before)
        with Terminal("exec", "-t", name, "/nosuch") as t:
            equal(t.end()[0], 255)
            equal(termios.tcgetattr(t.slave), t.before)


def all_output_comes_before_the_end():
    with standing() as name:
        for size in (10, 4096, 70000, 1000000):
            p = subprocess.run([SANDBOX, "--root", STATE, "exec", "-t", name,
                                *python(f"import sys; sys.stdout.write('x' * {size} + 'end')")],
                               stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
            equal((len(p.stdout), p.stdout[-3:]), (size + 3, b"end"))


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def reader_that_is_slow_or_gone_costs_no_time():
    code = "import os\nos.write(1, b'ready')\nfor _ in range(300): os.write(1, b'x' * 1000)\nos.write(1, b'end')"
    with standing() as name:
        def start():
            return subprocess.Popen([SANDBOX, "--root", STATE, "exec", "-t", name, *python(code)],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        p = start()
        equal(os.read(p.stdout.fileno(), 5), b"ready")
        # The pipe fills, then nothing goes on: no time may pass in it.
        before, deadline = None, time.monotonic() + 60
        while before is None or cpu_ticks(p.pid) != before:
            before = cpu_ticks(p.pid)
            assert time.monotonic() < deadline, "it never rests"
            select.select([], [], [], 0.5)
        equal(p.communicate(timeout=60)[0][-3:], b"end")
        equal(p.returncode, 0)
        p = start()
        equal(os.read(p.stdout.fileno(), 5), b"ready")
        p.stdout.close()
        equal(p.wait(timeout=60), 0)


def receive(listener):
    """What comes over a console socket: the payload and a descriptor."""
    listener.settimeout(60)
    conn, _ = listener.accept()
    with conn:
        fds = array.array("i")
        data, control, _, _ = conn.recvmsg(4096, socket.CMSG_SPACE(64))
        for level, kind, value in control:
            equal((level, kind), (socket.SOL_SOCKET, socket.SCM_RIGHTS))
            fds.frombytes(value)
        equal(len(fds), 1)
        equal(conn.recv(1), b"")
        return data, fds[0]


@contextlib.contextmanager
def console_socket():
    path = os.path.join(WORK, "console.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        try:
            yield listener, path
        finally:
            os.unlink(path)


def read_master(master, text):
    got = b""
    while text not in got:
        assert select.select([master], [], [], 60)[0], got
        got += os.read(master, 65536)
    return got


def console_socket_gets_the_master():
    def change(config):
        config["process"].update(terminal=True, consoleSize={"height": 21, "width": 42})
    code = TTY + "print(os.stat('/dev/console').st_rdev == os.fstat(0).st_rdev, flush=True)\n" + WAIT
    with console_socket() as (listener, path):
        with standing(change, code, ("run", "-d", "--console-socket", path)) as name:
            data, master = receive(listener)
            equal(data, b"/dev/ptmx")
            says = read_master(master, b"True\r\n")
            assert b"/dev/pts/0 [True, True, True] True True 0 (42, 21)" in says, says
            detached(name, TTY + WAIT, "-t", "--console-socket", path)
            data, second = receive(listener)
            says = read_master(second, b"\r\n")
            assert b"/dev/pts/1 [True, True, True] True True 0" in says, says
            os.close(second)
        os.close(master)


def console_socket_and_terminal_belong_together():
    with standing() as name:
        exec_refused("-t", "-d", name, "true", says="cannot allocate tty if sandbox will detach without setting")
        for flags in (("-d",), ("-t",), ()):
            exec_refused(*flags, "--console-socket", "/x", name, "true",
                         says="cannot use console socket if sandbox will not detach or allocate tty")
        exec_refused("-t", "-d", "--console-socket", "/nonexistent", name, "true", says="'/nonexistent': ENOENT")
    for change, flags in ((process(terminal=True), []), (process(terminal=False), ["--console-socket", "/x"])):
        name, at = bundle(config_of("pass", change))
        assert "tty" in sandbox("run", "-d", *flags, "--bundle", at, name, status=1)[1]


def devices_that_are_inherited_keep_their_owner():
    before = os.stat("/dev/null")
    with standing(process(user={"uid": 1000, "gid": 1000})) as name:
        with open("/dev/null", "r+b") as null:
            subprocess.run([SANDBOX, "--root", STATE, "exec", name, *python("pass")], stdin=null, stdout=null,
                           stderr=null, check=True, timeout=60)
        master, slave = pty.openpty()
        owner = os.fstat(slave)
        subprocess.run([SANDBOX, "--root", STATE, "exec", name, *python("pass")], stdin=slave, stdout=slave,
                       stderr=slave, check=True, timeout=60)
        equal((os.fstat(slave).st_uid, os.fstat(slave).st_mode), (owner.st_uid, owner.st_mode))
        os.close(master)
        os.close(slave)
    after = os.stat("/dev/null")
    equal((after.st_uid, after.st_gid, after.st_mode), (before.st_uid, before.st_gid, before.st_mode))


# --- escapes ---

FEED = ("import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "got = []\n"
        "for fd in (0, 1, 2):\n"
        "    for request in (0x5412, 0x100005412, 0xffffffff00005412):\n"
        "        for c in b'id\\n':\n"
        "            ctypes.set_errno(0)\n"
        "            r = libc.syscall(16, ctypes.c_long(fd), ctypes.c_long(request), ctypes.c_char_p(bytes([c])))\n"
        "            got.append(ctypes.get_errno() if r < 0 else 0)\n"
        "try: os.close(os.open('/dev/tty', os.O_RDWR)); tty = 1\n"
        "except OSError: tty = 0\n"
        "print('result', sorted(set(got)), tty, os.getsid(0) == os.getpid(), flush=True)\n")


def waiting_input(t):
    """What could be read from our own terminal now, by lines or bytes."""
    raw = termios.tcgetattr(t.slave)
    raw[3] &= ~termios.ICANON
    termios.tcsetattr(t.slave, termios.TCSANOW, raw)
    return os.read(t.slave, 100) if select.select([t.slave], [], [], 0)[0] else b""


def cve_2017_5226_and_2019_10063_our_terminal_is_not_fed():
    with standing() as name:
        # It inherits our terminal: but that is not its controlling one.
        with Terminal("exec", name, *python(FEED)) as t:
            status, text = t.end()
            equal((status, text), (0, f"result [{errno.EPERM}] 0 True\n"))
            equal(waiting_input(t), b"")
        # With one of its own it may feed that one, which is nobody else's.
        with Terminal("exec", "-t", name, *python(FEED)) as t:
            status, text = t.end()
            equal(status, 0)
            assert "] 1 True" in text, text
            equal(waiting_input(t), b"")
    name, at = bundle(config_of(FEED))
    with Terminal("run", "--bundle", at, name) as t:
        equal(t.end(), (0, f"result [{errno.EPERM}] 0 True\n"))
        equal(waiting_input(t), b"")


REACH = ("import os, errno\n"
         "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
         "    line = open(f'/proc/{pid}/cmdline').read()\n"
         "    if 'policy' not in line or int(pid) == os.getpid(): continue\n"
         "    got = [line.split(chr(0))[0]]\n"
         "    fd = os.open(f'/proc/{pid}/exe', os.O_RDONLY)\n"
         "    for n in range(2):\n"
         "        for path in (f'/proc/{pid}/exe', f'/proc/self/fd/{fd}')[n:]:\n"
         "            for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):\n"
         "                try: os.open(path, flags); got.append('OPEN')\n"
         "                except OSError as e: got.append(errno.errorcode[e.errno])\n"
         "        if n == 0:\n"
         "            os.kill(int(pid), 9)\n"
         "            while True:\n"
         "                try: state = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0]\n"
         "                except OSError: break\n"
         "                if state == 'Z': break\n"
         "    print(*got)\n")


def digest():
    with open(SANDBOX, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest(), os.stat(SANDBOX).st_mtime_ns


def programs(name):
    """The first words of the processes in it, as they were executed."""
    pids = json.loads(sandbox("ps", "-f", "json", name)[0])
    return [(read(f"/proc/{pid}/cmdline") or "").split("\0")[0] for pid in pids]


def cve_2019_5736_our_program_is_not_written_to():
    """exec of /proc/self/exe runs our own program inside; first of all it waits for who reads its log."""
    with open(SANDBOX, "rb") as f:
        if b"/ld-linux" in f.read(4096):
            raise Skip("sanitized, our program needs libraries that the container has not")
    before = digest()
    script = os.path.join(ROOTFS, "script")
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/proc/self/exe policy\n")
    os.chmod(script, 0o755)

    def change(config):
        config["process"]["capabilities"] = {s: ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL"]
                                             for s in ("bounding", "effective", "permitted")}
        config["mounts"].append({"destination": "/run", "type": "tmpfs", "options": ["size=64k"]})
    try:
        with standing(change) as name:
            exec_output(name, "import os; os.mkfifo('/run/fifo')")
            p = subprocess.Popen([SANDBOX, "--root", STATE, "exec", name, "/proc/self/exe", "--log", "/run/fifo",
                                  "policy"], stdin=subprocess.DEVNULL)
            wait_for(lambda: "/proc/self/exe" in programs(name), "our program, inside")
            says = exec_output(name, REACH).split()
            p.wait(timeout=60)
            equal(says[0], "/proc/self/exe")
            assert says[1:] and set(says[1:]) <= {"EROFS", "ETXTBSY", "EPERM", "EACCES"}, says
            # Others may execute it still: ETXTBSY. With O_TRUNC the mount is asked before.
            equal(says[9], "EROFS")
            sandbox("exec", name, "/script", status=2)
            equal(exec_output(name, "print(5)"), "5")
    finally:
        os.unlink(script)
    equal(digest(), before)


def cve_2022_29162_nothing_is_inheritable():
    look = "print({l.split()[0]: l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')})"
    none = "0" * 16
    with standing(process(capabilities={})) as name:
        for flags in ((), ("-c", "CAP_KILL", "-c", "CAP_CHOWN"), ("-u", "1000", "-c", "CAP_KILL")):
            says = exec_output(name, look, *flags)
            assert f"'CapInh:': '{none}'" in says and f"'CapAmb:': '{none}'" in says, says
        assert f"'CapEff:': '{0x21:016x}'" in exec_output(name, look, "-c", "CAP_KILL", "-c", "CAP_CHOWN")


def cve_2024_21626_working_directory_is_inside():
    with standing() as name:
        for n in range(3, 20):
            exec_refused("--cwd", f"/proc/self/fd/{n}", name, *python("pass"), says="working directory: ")
            exec_refused("--cwd", f"/proc/self/fd/{n}/../../..", name, *python("pass"), says="working directory: ")
            exec_refused(name, f"/proc/self/fd/{n}/bin/sh", says="execute: ")
        equal(exec_output(name, "import os; print(os.getcwd())", "--cwd", "/dev/../usr/./lib"), "/usr/lib")


def hostile_dev(make, mounts=()):
    """A bundle without /dev, its root's own /dev made by make(path). What run says."""
    rootfs = os.path.join(WORK, "hostile")
    subprocess.run(["cp", "-a", ROOTFS, rootfs], check=True)
    make(os.path.join(rootfs, "dev"))

    def change(config):
        config["root"] = {"path": rootfs, "readonly": False}
        config["process"]["terminal"] = True
        config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")] + list(mounts)
    name, at = bundle(config_of("print('inside')", change))
    try:
        p = subprocess.run([SANDBOX, "--root", STATE, "run", "--bundle", at, name], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=False, timeout=60)
        return p.returncode, p.stdout, p.stderr
    finally:
        shutil.rmtree(rootfs)


PTS = {"destination": "/dev/pts", "type": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}


def cve_2025_52565_and_2026_88264_terminal_comes_from_its_own_devpts():
    canary = os.path.join(WORK, "canary")
    with open(canary, "w", encoding="ascii") as f:
        f.write("canary")
    os.chmod(canary, 0o640)
    before = os.stat(canary)

    def console_is_a_link(dev):
        os.symlink(canary, os.path.join(dev, "console"))

    def console_is_a_link_inside(dev):
        os.symlink("/etc/passwd", os.path.join(dev, "console"))

    def ptmx_is_a_link(dev):
        os.mkdir(os.path.join(dev, "pts"))
        os.symlink("/proc/sysrq-trigger", os.path.join(dev, "pts/ptmx"))

    def pts_is_a_link(dev):
        os.symlink("/proc/self/root/dev/pts", os.path.join(dev, "pts"))

    def slave_is_a_file(dev):
        os.mkdir(os.path.join(dev, "pts"))
        for file in ("ptmx", "0"):
            with open(os.path.join(dev, "pts", file), "w", encoding="ascii") as f:
                f.write("x")
    for make, mounts, says in (
            (console_is_a_link, [PTS], "'/dev/console' of the bundle is no file"),
            (console_is_a_link_inside, [PTS], "'/dev/console' of the bundle is no file"),
            (ptmx_is_a_link, [], "'/dev/pts': not on a devpts"),
            (slave_is_a_file, [], "'/dev/pts': not on a devpts"),
            (pts_is_a_link, [], "'/dev/pts'")):
        status, out, err = hostile_dev(make, mounts)
        assert status == 1 and out == "" and "terminal: " in err and says in err, (make.__name__, out, err)
    # A devpts covers what the bundle has there, and its files are no harm.
    for make in (slave_is_a_file, lambda dev: None):
        equal(hostile_dev(make, [PTS]), (0, "inside\n", ""))
    after = os.stat(canary)
    equal((after.st_uid, after.st_mode, after.st_mtime_ns), (before.st_uid, before.st_mode, before.st_mtime_ns))


def cve_2026_30892_user_is_what_was_written():
    with standing(process(user={"uid": 9, "gid": 9})) as name:
        look = "import os; print(os.getuid(), os.getgid())"
        for text, ids in (("1", "1 9"), ("0", "0 9"), ("1:2", "1 2"), ("4294967294:0", "4294967294 0")):
            equal(exec_output(name, look, "--user", text), ids)
            equal(exec_output(name, look, f"-u{text}"), ids)
        for text in ("", "1:", ":1", ":", "0x1", "-1", "+1", " 1", "01", "1 ", "4294967295", "4294967296",
                     "18446744073709551616", "1:4294967296", "root", "root:root", "1:2:3", "1.0"):
            exec_refused(f"--user={text}", name, *python(look), says="not a number in 0..4294967294")


def nothing_is_left_behind():
    equal(os.listdir(STATE), [])
    left = [os.path.join(where, name) for where, dirs, _ in os.walk("/sys/fs/cgroup")
            for name in dirs if name.startswith(f"x{os.getpid()}-")]
    equal(left, [])


TESTS = [
    exit_status_is_passed_on,
    it_is_where_the_container_is,
    it_joins_every_group_of_the_container,
    it_gets_what_the_config_says,
    process_is_read_from_a_file,
    descriptors_are_0_1_and_2_and_those_to_be_kept,
    detached_it_is_left_alone_and_its_pid_written,
    signals_are_passed_on,
    processes_are_listed,
    status_of_the_container_decides,
    group_below_the_container_s_is_entered,
    errors_say_what_engines_look_for,
    terminal_of_run_is_relayed,
    terminal_of_exec_is_relayed,
    modes_are_restored_however_it_ends,
    all_output_comes_before_the_end,
    reader_that_is_slow_or_gone_costs_no_time,
    console_socket_gets_the_master,
    console_socket_and_terminal_belong_together,
    devices_that_are_inherited_keep_their_owner,
    cve_2017_5226_and_2019_10063_our_terminal_is_not_fed,
    cve_2019_5736_our_program_is_not_written_to,
    cve_2022_29162_nothing_is_inheritable,
    cve_2024_21626_working_directory_is_inside,
    cve_2025_52565_and_2026_88264_terminal_comes_from_its_own_devpts,
    cve_2026_30892_user_is_what_was_written,
    nothing_is_left_behind,
]


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "sandbox exec", begin=prepare, end=lambda: shutil.rmtree(WORK)))
