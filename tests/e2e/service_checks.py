#!/usr/bin/python3.11
"""What test_systemd.py runs as a service of its own, in a machine whose process 1 is systemd.

The installed unit is started, used, stopped, killed and set up wrongly, in this order. Each test leaves the
service as the next one wants it.
"""
import glob
import os
import signal
import subprocess
import sys
import threading
import types

from lib import call, deploy, invoke, is_alive, read, run_as_root, wait_for
from daemon import pids, request, stat

UNIT = "runtimed.service"
GROUP = "/sys/fs/cgroup/system.slice/" + UNIT
SETTINGS = "/etc/runtimed.conf"
DRAIN_SECONDS = 3

GREET = "def handler(event, context): return 'hello'"
SLOW = f"import time\ndef handler(event, context):\n time.sleep({DRAIN_SECONDS})\n return 'finished'"
GREEDY = "def handler(event, context): return len(b'x' * (200 << 20))"

service = types.SimpleNamespace(socket="/run/runtimed/runtimed.sock")
service.request = lambda *arguments, **options: request(service.socket, *arguments, **options)


# --- what systemd knows ---

def systemctl(*arguments, status=0):
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == status, f"systemctl {' '.join(arguments)}: {done.returncode}: {done.stderr}\n{journal()}"
    return done.stdout.strip()


def show(name):
    return systemctl("show", "-P", name, UNIT)


def state():
    return show("ActiveState"), show("SubState"), show("Result")


def journal(*options):
    return subprocess.run(["journalctl", "--no-pager", "-q", "-u", UNIT, "-o", "cat", *options],
                          capture_output=True, text=True, check=False).stdout


def main_pid():
    return int(show("MainPID"))


# --- what the kernel knows ---

def groups(where=GROUP):
    """Of the daemon, relative to the service's."""
    return sorted(os.path.relpath(g, GROUP) for g in glob.glob(where + "/**/", recursive=True)
                  if "/runtimed." in g[len(GROUP):])


def members():
    return {int(p) for g in groups() for p in (read(f"{GROUP}/{g}/cgroup.procs") or "").split()}


def knob(group, name):
    return (read(f"{GROUP}/{group}/{name}") or "").strip()


def nothing_is_left(seen):
    assert not os.path.exists(GROUP), groups()
    alive = [p for p, start in seen.items() if is_alive(p, start)]
    assert not alive, alive
    assert not os.path.exists("/run/runtimed"), os.listdir("/run/runtimed")
    mounts = [line for line in (read("/proc/1/mountinfo") or "").splitlines() if "/run/runtimed" in line]
    assert not mounts, mounts


def processes():
    """{pid: start time} of what is in the service's groups now."""
    found = {p: stat(p) for p in members()}
    assert found
    return {p: s[2] for p, s in found.items() if s}


# --- the tests ---

def systemd_is_process_1_of_a_machine_with_cgroup_v2_alone():
    assert read("/proc/1/comm").strip() == "systemd"
    assert os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    assert not [line for line in read("/proc/mounts").splitlines() if " cgroup rw" in line]


def the_unit_file_verifies_without_a_word():
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", UNIT], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done


def when_the_unit_has_started_requests_are_answered():
    systemctl("start", UNIT)
    call(service, "list")
    assert state() == ("active", "running", "success"), state()


def a_function_is_deployed_and_called():
    deploy(service, "greet", GREET, "--timeout", "30")
    answer = invoke(service, "greet")
    assert (answer.outcome, answer.reply) == ("ok", "hello"), answer.body


def every_group_is_below_the_delegated_one():
    own = [g for g in groups() if g.count("/") == 0]
    assert len(own) == 1, groups()
    assert main_pid() in {int(p) for p in knob(own[0] + "/daemon", "cgroup.procs").split()}
    assert knob(".", "cgroup.procs") == ""
    instances = [g for g in groups() if g.startswith(own[0] + "/i")]
    assert instances and any(knob(g, "memory.max") == str(128 << 20) for g in instances), instances
    elsewhere = [g for g in glob.glob("/sys/fs/cgroup/**/", recursive=True) if "/runtimed." in g
                 and not g.startswith(GROUP)]
    assert not elsewhere, elsewhere
    strangers = [p for p in pids() if "runtimed" in (read(f"/proc/{p}/cmdline") or "")
                 and p not in members() and UNIT in (read(f"/proc/{p}/cgroup") or "")]
    assert not strangers, strangers


def an_instance_that_runs_out_of_memory_does_not_harm_the_service():
    before = main_pid()
    deploy(service, "greedy", GREEDY, "--memory", "128", "--timeout", "60")
    answer = invoke(service, "greedy")
    assert answer.outcome == "oom", (answer.outcome, answer.body)
    assert invoke(service, "greet").reply == "hello"
    assert (main_pid(), state()) == (before, ("active", "running", "success")), (main_pid(), state())


def the_journal_has_our_lines_with_their_levels():
    assert "serving on /run/runtimed/runtimed.sock" in journal("-p", "info..info", "-t", "runtimed"), journal()
    assert "<6>" not in journal() and "error" not in journal("-p", "err"), journal()


def a_stop_lets_a_call_finish_and_leaves_nothing():
    deploy(service, "slow", SLOW, "--timeout", "20")
    answers = []
    caller = threading.Thread(target=lambda: answers.append(invoke(service, "slow").reply))
    caller.start()
    wait_for(lambda: b'state="busy"} 1' in service.request("GET", "/metrics")[2], "the call is at work")
    seen = processes()
    systemctl("stop", UNIT)
    caller.join()
    assert answers == ["finished"], answers
    assert state() == ("inactive", "dead", "success"), state()
    nothing_is_left(seen)


def a_daemon_that_is_killed_is_started_again():
    systemctl("start", UNIT)
    assert invoke(service, "greet").reply == "hello"
    before, seen = main_pid(), processes()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: show("NRestarts") == "1" and show("ActiveState") == "active", "a restart", 60)
    assert main_pid() != before
    left = [p for p, start in seen.items() if is_alive(p, start)]
    assert not left, left
    assert len([g for g in groups() if "/" not in g]) == 1, groups()
    assert invoke(service, "greet").reply == "hello"


def a_restart_by_hand_right_after_a_kill_works():
    before = main_pid()
    os.kill(before, signal.SIGKILL)
    systemctl("restart", UNIT)
    assert main_pid() not in (0, before)
    assert invoke(service, "greet").reply == "hello"
    seen = processes()
    systemctl("stop", UNIT)
    nothing_is_left(seen)


def wrong_settings_fail_once_and_are_named():
    with open(SETTINGS, "a", encoding="utf-8") as f:
        f.write("no_such_key = 1\n")
    systemctl("start", UNIT, status=1)
    assert state() == ("failed", "failed", "exit-code"), state()
    assert show("NRestarts") == "0" and "no_such_key" in journal("-p", "err"), journal()
    systemctl("reset-failed", UNIT)


TESTS = [systemd_is_process_1_of_a_machine_with_cgroup_v2_alone, the_unit_file_verifies_without_a_word,
         when_the_unit_has_started_requests_are_answered, a_function_is_deployed_and_called,
         every_group_is_below_the_delegated_one, an_instance_that_runs_out_of_memory_does_not_harm_the_service,
         the_journal_has_our_lines_with_their_levels, a_stop_lets_a_call_finish_and_leaves_nothing,
         a_daemon_that_is_killed_is_started_again, a_restart_by_hand_right_after_a_kill_works,
         wrong_settings_fail_once_and_are_named]

if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "the unit"))
