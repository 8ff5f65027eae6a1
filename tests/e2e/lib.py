"""What the end-to-end tests share: a daemon of their own, fnctl on it, and TAP.

    def a_function_is_called(d):
        call(d, "deploy", "f", ...)
        assert invoke(d, "f").reply == {...}

    if __name__ == "__main__":
        sys.exit(run([a_function_is_called, ...]))

A test is a function whose name is a sentence; it fails by an exception and skips by Skip(reason). The
daemon of a file is started before its first test, stopped after its last one, and what it leaves behind
is a failure of its own.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from daemon import Daemon, Residue, StartError, bin_dir, is_alive, read  # noqa: E402,F401
import examples  # noqa: E402,F401

EXIT_STATUS = {"ok": 0, "user_error": 3, "timeout": 4, "oom": 5, "exit": 6, "init_error": 7, "throttled": 8}


class Skip(Exception):
    """Why a test cannot run here."""


class Tap:
    """Numbered lines on stdout; failed says whether the file's exit status is 1."""

    def __init__(self):
        self.n, self.failed = 0, False

    def line(self, good, name, why="", skip=""):
        self.n += 1
        self.failed |= not good
        text = f"{'ok' if good else 'not ok'} {self.n} - {name}"
        if skip:
            text += f" # SKIP {skip}"
        if why:
            text += ": " + " / ".join(str(why).strip().splitlines())[:500]
        print(text, flush=True)

    def run(self, test, *args):
        name = test.__name__.replace("_", " ")
        try:
            test(*args)
        except Skip as e:
            self.line(True, name, skip=str(e))
        except Exception as e:  # a failure is whatever goes wrong
            traceback.print_exc()
            self.line(False, name, f"{type(e).__name__} {e}")
        else:
            self.line(True, name)


def run_as_root(tests, subject, begin=None, end=None):
    """
    What a test file does in the end: begin, every test, end. The exit status. With a word on the command line, only
    the tests that have it in their name.
    """
    tap = Tap()
    if os.geteuid() != 0:
        tap.line(True, subject, skip="needs root")
        print("1..1")
        return 0
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        if begin:
            begin()
        for test in tests:
            if word in test.__name__:
                tap.run(test)
    finally:
        if end:
            end()
    print(f"1..{tap.n}")
    return int(tap.failed)


def run(tests, config=""):
    """Run the tests on one daemon, print TAP; the exit status."""
    tap = Tap()
    if os.geteuid() != 0:
        for test in tests:
            tap.line(True, test.__name__.replace("_", " "), skip="needs root")
        return 0
    try:
        daemon = Daemon(config)
    except StartError as e:
        tap.line(False, "the daemon starts", e)
        return 1
    for test in tests:
        tap.run(test, daemon)
    try:
        daemon.stop()
        tap.line(True, "nothing is left of the daemon")
    except Residue as e:
        tap.line(False, "nothing is left of the daemon", e)
    print(f"1..{tap.n}")
    return int(tap.failed)


# --- fnctl ---

def fnctl(d, *arguments, data=None, timeout=120):
    """Run it; the CompletedProcess, with bytes."""
    return subprocess.run([bin_dir() + "/fnctl", *arguments], input=data, timeout=timeout,
                          stdin=subprocess.DEVNULL if data is None else None, capture_output=True,
                          env={**os.environ, "RUNTIMED_SOCKET": d.socket}, check=False)


def call(d, *arguments, data=None):
    """Run it; it must succeed. What it printed, as text."""
    done = fnctl(d, *arguments, data=data)
    assert done.returncode == 0, f"fnctl {' '.join(arguments)}: {done.returncode}: {done.stderr.decode()}"
    return done.stdout.decode()


class Work:
    """A directory of the test program's own: made when it is first named, removed when the program ends."""

    def __init__(self):
        self.made = None

    @property
    def name(self):
        self.made = self.made or tempfile.TemporaryDirectory(prefix="runtimed-test-")
        return self.made.name


WORK = Work()  # some programs execute themselves anew, and would leave one that is made at once


def write_code(text, name="app.py"):
    """A fresh directory with one module."""
    directory = tempfile.mkdtemp(dir=WORK.name)
    with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
        f.write(text)
    return directory


def deploy(d, name, text, *settings, handler="app.handler"):
    return call(d, "deploy", name, "--code", write_code(text), "--handler", handler, *settings)


# --- HTTP ---

class Answer:
    """Of one call: reply (parsed if it is JSON), outcome, log, and the record's facts."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.outcome = headers.get("X-Runtimed-Outcome")
        self.report = json.loads(headers.get("X-Runtimed-Report") or "{}")

    @property
    def reply(self):
        return json.loads(self.body)


def invoke(d, name, event=None, timeout=120):
    body = event if isinstance(event, bytes) else json.dumps({} if event is None else event)
    return Answer(*d.request("POST", f"/2015-03-31/functions/{name}/invocations", body, timeout=timeout))


def wait_for(condition, what, seconds=60):
    """Poll until it is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.002)
