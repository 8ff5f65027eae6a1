#!/usr/bin/python3.11
"""Start, end, and sudden death: kill -9 at random moments leaves no residue after the next start.

KILLS sets how many (20; 200 with FULL=1), SEED which.
"""
import ctypes
import http.client
import os
import random
import signal
import sys
import threading
import time

from lib import Daemon, call, deploy, invoke, is_alive, read, run, wait_for
from daemon import stat

KILLS = int(os.environ.get("KILLS", 200 if os.environ.get("FULL") else 20))
SEED = int(os.environ.get("SEED", 1))

# The last connection may go before the core has ended, or not: each is tried some times.
CUTS = 3

# Handlers end within this; so what does not answer after it hangs.
RECOVERY_SECONDS = 60

SYS_CLONE3 = 435

FUNCTIONS = {
    "quick": "def handler(event, context): return event",
    "busy": "import time\ndef handler(event, context):\n time.sleep(0.02)\n print('x' * 1000)\n return event",
    "parent": "import subprocess\ndef handler(e, c): return subprocess.run(['/bin/sleep', '0.05']).returncode",
}


class Load:
    """Calls all functions from several threads. What fails is not judged: the daemon is being killed."""

    def __init__(self, d):
        self.d, self.over = d, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in FUNCTIONS for _ in range(2)]

    def work(self, name):
        while not self.over.is_set():
            try:
                invoke(self.d, name, {"a": 1}, timeout=RECOVERY_SECONDS)
            except (OSError, http.client.HTTPException):
                self.over.wait(0.01)

    def __enter__(self):
        for t in self.threads:
            t.start()

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


def role(pid, main):
    """What a process is, as far as chance is concerned: each role is hit as often as the others."""
    if pid == main:
        return "main"
    name = (read(f"/proc/{pid}/comm") or "gone").strip()
    groups = read(f"/proc/{pid}/cgroup") or ""
    return name, groups.rsplit("/", 1)[-1].strip() if "zygote" in groups else ""


def pick(chance, d):
    roles = {}
    for pid in d.look():
        roles.setdefault(role(pid, d.process.pid), []).append(pid)
    return chance.choice(roles[chance.choice(sorted(roles, key=str))])


def serves(d):
    try:
        return invoke(d, "quick", {"b": 2}, timeout=RECOVERY_SECONDS).outcome == "ok"
    except (OSError, http.client.HTTPException):
        return False


def kill_one(chance, d):
    """Kill a process of the daemon, and start the daemon again if that was its end."""
    old = d.look()
    victim = pick(chance, d)
    is_vital = victim == d.process.pid or "core" in (read(f"/proc/{victim}/cmdline") or "").split("\0")
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return "lives"  # it had ended by itself meanwhile
    # The core may answer once more after the launcher's end: what is vital has to end the daemon.
    ended = (lambda: d.process.poll() is not None) if is_vital else (lambda: serves(d))
    wait_for(ended, f"recovery from the end of {victim}", RECOVERY_SECONDS)
    if not is_vital:
        return "lives"
    d.start()

    # We are the reaper of orphans here: a sandbox's pid 1 ends once its python has been reaped.
    def are_gone():
        d.reap()
        return not any(is_alive(pid, start) for pid, start in old.items())
    wait_for(are_gone, "the end of all processes of the last run")
    return "restarted"


def random_kills_leave_nothing(d):
    chance, ends = random.Random(SEED), {"lives": 0, "restarted": 0}
    for name, text in FUNCTIONS.items():
        deploy(d, name, text)
    for _ in range(KILLS):
        with Load(d):
            time.sleep(chance.uniform(0, 0.1))  # the moment of death is the point
            ends[kill_one(chance, d)] += 1
        # Who was killed may be met by a call before its end is told: that call fails, the next does not.
        wait_for(lambda: serves(d), "service")
    print(f"# {KILLS} kills, seed {SEED}: {ends}")


def a_function_survives_the_daemon(d):
    deploy(d, "stays", "def handler(event, context): return 'still here'")
    before = usage(d, "stays")
    assert invoke(d, "stays").reply == "still here"
    d.terminate()
    d.start()
    assert invoke(d, "stays").reply == "still here"
    wait_for(lambda: usage(d, "stays") == before + 2, "both calls in the ledger")


def fork_as(pid):
    """A child with that pid, by clone3(2) and its set_tid (Linux 5.5), in a session of its own; it ends at once."""
    tid = ctypes.c_int(pid)
    args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(tid), 1, 0)
    child = ctypes.PyDLL(None).syscall(SYS_CLONE3, args, ctypes.sizeof(args))  # the interpreter's lock stays held
    if child == 0:
        os.setsid()
        os._exit(0)
    assert child == pid, f"clone3 with pid {pid}: {child}"


def an_orphan_with_the_pid_of_an_earlier_daemon_is_reaped(d):
    pid = d.process.pid
    d.terminate()
    fork_as(pid)
    wait_for(lambda: (stat(pid) or "?")[0] == "Z", "its end")
    d.reap()
    assert stat(pid) is None, "it was left"
    d.start()


def usage(d, name):
    text = call(d, "usage", name)
    return int(text.split()[1].rstrip(","))


def sigterm_lets_running_requests_finish(d):
    deploy(d, "long", "import time\ndef handler(e, c):\n time.sleep(1)\n return 'finished'", "--timeout", "5")
    answers = []
    caller = threading.Thread(target=lambda: answers.append(invoke(d, "long")))
    caller.start()
    wait_for(lambda: is_busy(d), "the call runs")
    status = d.terminate()
    caller.join()
    assert status == 0, f"exit status {status}"
    assert answers and answers[0].outcome == "ok" and answers[0].reply == "finished", answers
    left = d.residue()
    assert not left, left
    d.start()


def a_call_that_outlasts_the_drain_is_answered_and_cut_off(_):
    for _ in range(CUTS):
        d, answers = Daemon("drain_timeout = 300ms"), []
        deploy(d, "long", "import time\ndef handler(e, c): time.sleep(60)", "--timeout", "90")
        caller = threading.Thread(target=lambda: answers.append(invoke(d, "long")))
        caller.start()
        wait_for(lambda: is_busy(d), "the call runs")
        d.stop()  # its status and what is left are judged there
        caller.join()
        assert answers[0].outcome == "exit", answers[0].outcome
        assert answers[0].reply["errorMessage"].endswith("the daemon stopped"), answers[0].body


def is_busy(d):
    text = d.request("GET", "/metrics")[2].decode()
    return any("busy" in line and line.rstrip().endswith(" 1") for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(run([a_function_survives_the_daemon, sigterm_lets_running_requests_finish,
                  a_call_that_outlasts_the_drain_is_answered_and_cut_off,
                  an_orphan_with_the_pid_of_an_earlier_daemon_is_reaped, random_kills_leave_nothing]))
