#!/usr/bin/python3.11
"""A guest that lies to the daemon or leaves things behind harms its own call alone.

Each case calls functions/liar/app.py once. Meanwhile and afterwards another tenant's function is served, the
liar's next call works, and where it lied its instance is gone, with all its processes.
"""
import os
import re
import sys
import threading
import time

import lib
from daemon import links, tree
from lib import call, deploy, invoke, read, wait_for

CODE = os.path.join(lib.ROOT, "tests/e2e/functions/liar")
SERVED_UNTIL_TIMEOUT = 10  # calls, in the seconds that one takes
TIMEOUT_S = 1
UID_BASE, IDS, FUNCTION_UID = 1000000000, 65536, 1000


class Healthy:
    """Another tenant's calls, one after the other."""

    def __init__(self, d):
        self.d, self.over, self.n, self.wrong = d, threading.Event(), 0, []
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while self.n == 0 or not self.over.wait(0.002):
            answer = invoke(self.d, "healthy", {"n": self.n})
            if answer.outcome != "ok" or answer.reply != {"n": self.n}:
                self.wrong.append((answer.outcome, answer.body[:200]))
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        assert not self.wrong, self.wrong[:3]


def users(d, function_range=None):
    """Processes of functions as the host sees them: {pid: range of ids}."""
    found = {}
    for pid in tree(d.process.pid):
        uid = re.search(r"^Uid:\t(\d+)", read(f"/proc/{pid}/status") or "", re.M)
        if uid and int(uid[1]) >= UID_BASE and (int(uid[1]) - UID_BASE) % IDS == FUNCTION_UID:
            found[pid] = (int(uid[1]) - UID_BASE) // IDS
    return found if function_range is None else [p for p, r in found.items() if r == function_range]


def instance_of(d, name):
    """The range of ids of the instance that serves this function, alone in doing so."""
    before = set(users(d).values())
    assert invoke(d, name, {"do": "nothing"}).reply == "mine"
    new = set(users(d).values()) - before
    assert len(new) == 1, (before, new)
    return new.pop()


def fresh_liar(d, name):
    call(d, "deploy", name, "--code", CODE, "--handler", "app.handler", "--timeout", str(TIMEOUT_S), "--memory", "512")
    return instance_of(d, name)


def next_instance(d, name, where):
    """When the one there has ended: before that, its late frames would end its next call."""
    wait_for(lambda: not users(d, where), "the end of its processes")
    return instance_of(d, name)


def tester(do, outcomes, is_gone, reply=None, what=""):
    def test(d):
        name = do.replace("_", "-")
        with Healthy(d) as healthy:
            where = fresh_liar(d, name)
            answer = invoke(d, name, {"do": do})
            assert answer.outcome != "timeout" or healthy.n >= SERVED_UNTIL_TIMEOUT, healthy.n
            assert answer.outcome in outcomes, (answer.outcome, answer.body[:200])
            assert reply is None or answer.reply == reply, answer.body[:200]
            if is_gone:
                wait_for(lambda: not users(d, where), "the end of its processes")
            else:
                assert users(d, where)
            assert invoke(d, name, {"do": "nothing"}).reply == "mine"
    test.__name__ = f"a_guest_that_{what or do}_harms_itself_alone"
    return test


def the_healthy_function_works(d):
    deploy(d, "healthy", "def handler(event, context): return event")
    assert invoke(d, "healthy", {"n": 1}).reply == {"n": 1}


# Lies that are told while the module is imported: what to run, and the outcome of the call.
IMPORT_LIES = {
    "is_ready_twice": ("say(frame(READY, bytes(40)) * 2)", "exit"),
    "answers_before_it_is_ready": ("say(result(b'1'))", "exit"),
    "fails_without_words": ("say(frame(INIT_ERROR, b'\\r\\nX-Injected: yes'))", "init_error"),
    "is_ready_and_dies": ("say(frame(READY, bytes(40))); os._exit(0)", "exit"),
    "leaves_a_daemon_and_never_ends": ("daemonize(spin)", "init_error"),
}


def import_tester(what, lie, outcome):
    def test(d):
        name = "import-" + what.replace("_", "-")
        code = read(os.path.join(CODE, "app.py")) + f"\n\n{lie}\ntime.sleep(FOR_EVER)\n"
        deploy(d, name, code, "--timeout", str(TIMEOUT_S))
        before = set(users(d).values())
        with Healthy(d):
            answer = invoke(d, name, {"do": "nothing"})
        assert answer.outcome == outcome and "X-Injected" not in answer.headers, (answer.outcome, answer.body[:200])
        wait_for(lambda: set(users(d).values()) <= before, "the end of its processes")
    test.__name__ = f"a_module_that_{what}_while_it_is_imported_harms_itself_alone"
    return test


def cpu_ticks(pid):
    fields = (read(f"/proc/{pid}/stat") or ") ").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else None


def daemons_that_outlive_the_reply_do_not_run(d):
    where = fresh_liar(d, "lazy")
    assert invoke(d, "lazy", {"do": "leaves_daemons"}).reply == "mine"
    pids = users(d, where)
    assert len(pids) == 4, pids

    def rest():
        before = [cpu_ticks(p) for p in pids]
        time.sleep(0.2)
        return None not in before and before == [cpu_ticks(p) for p in pids]
    wait_for(rest, "their rest")
    assert invoke(d, "lazy", {"do": "nothing"}).reply == "mine"
    assert sorted(users(d, where)) == sorted(pids)


def groups(pid):
    """Of the daemon's hierarchies: {controllers: path}."""
    rows = (line.split(":", 2)[1:] for line in (read(f"/proc/{pid}/cgroup") or "").splitlines())
    return {k: path for k, path in rows if k in ("", "memory", "cpu", "cpu,cpuacct", "pids")}


def daemons_stay_in_the_instance_s_groups(d):
    where = fresh_liar(d, "grouped")
    first = groups(users(d, where)[0])
    assert first and all(f"/{d.cgroup}/" in path for path in first.values()), first
    assert invoke(d, "grouped", {"do": "leaves_daemons"}).reply == "mine"
    assert [groups(p) for p in users(d, where)] == [first] * 4


def descriptors_sent_to_the_daemon_do_not_stay_there(d):
    def held():
        functions = users(d)
        return sum(len(links(f"/proc/{p}/fd")) for p in tree(d.process.pid) if p not in functions)
    where, before = fresh_liar(d, "attach"), held()
    for _ in range(3):
        assert invoke(d, "attach", {"do": "descriptors_attached"}).reply == "attached"
        where = next_instance(d, "attach", where)
    wait_for(lambda: held() < before + 200, "their end")


def a_guest_that_lies_often_does_not_fill_the_daemon_s_log(d):
    fresh_liar(d, "loud")
    for _ in range(12):
        assert invoke(d, "loud", {"do": "garbage"}).outcome == "exit"
    assert d.said().count("instance of 'loud'") == 5, d.said()
    count = re.search(r"^runtimed_instances_broken_total (\d+)", d.request("GET", "/metrics")[2].decode(), re.M)
    assert int(count[1]) >= 12, count


def a_guest_that_lies_about_its_times_pays_for_the_time_it_took(d):
    where = fresh_liar(d, "liar")
    for do in ("no_time_at_all", "all_time_there_is"):
        answer = invoke(d, "liar", {"do": do})
        assert answer.outcome == "ok" and answer.reply == "quick", answer.body[:200]
        assert 200 <= answer.report["billed_ms"] <= 1000 * TIMEOUT_S, answer.report
        where = next_instance(d, "liar", where)


BROKEN = ("exit",)
CASES = [
    tester("garbage", BROKEN, True, what="writes_garbage"),
    tester("huge_header", BROKEN, True, what="announces_a_huge_frame"),
    tester("second_ready", BROKEN, True, what="is_ready_twice"),
    tester("late_init_error", BROKEN, True, what="fails_to_start_when_it_has_started"),
    tester("request_of_its_own", BROKEN, True, what="sends_a_request"),
    tester("short_result", BROKEN, True, what="sends_a_result_without_a_head"),
    tester("result_of_the_call_before", BROKEN, True, what="answers_the_call_before"),
    tester("result_of_a_guessed_call", BROKEN, True, what="answers_a_call_it_guessed"),
    tester("result_without_an_id", BROKEN, True, what="answers_no_call"),
    tester("half_a_frame", ("timeout",), True, what="sends_half_a_frame"),
    tester("drips", ("timeout",), True, what="sends_a_byte_at_a_time"),
    tester("early_result", ("ok",), True, "early", "answers_before_it_is_done"),
    tester("two_results", ("ok",), True, "first", "answers_twice"),
    tester("strange_status", ("user_error",), True, "strange", "answers_with_an_unknown_status"),
    tester("closes_data", BROKEN, True, what="closes_its_stream"),
    tester("closes_output", ("ok",), False, "mine", "closes_its_output"),
    tester("stops_reading", ("ok",), True, "mine", "hangs_up_after_its_answer"),
    tester("stops_itself", ("timeout",), True, what="stops_itself"),
    tester("kills_pid_1", ("ok",), False, "mine", "kills_pid_1"),
    tester("kills_all", ("ok",), False, "mine", "kills_all_it_can"),
    tester("kills_group", BROKEN, True, what="kills_its_group"),
    tester("daemons_and_no_end", ("timeout",), True, what="leaves_daemons_and_does_not_end"),
    tester("heir_of_the_stream", BROKEN, True, what="leaves_its_stream_to_a_daemon"),
    tester("heir_who_answers", ("ok",), True, "heir", "lets_a_daemon_answer"),
    tester("forks_and_dies", BROKEN, True, what="forks_and_dies_again_and_again"),
    tester("dies_when_idle", ("ok",), True, "mine", "dies_when_idle"),
]

if __name__ == "__main__":
    sys.exit(lib.run([the_healthy_function_works, *CASES,
                      *[import_tester(what, *lie) for what, lie in IMPORT_LIES.items()],
                      daemons_that_outlive_the_reply_do_not_run,
                      daemons_stay_in_the_instance_s_groups, descriptors_sent_to_the_daemon_do_not_stay_there,
                      a_guest_that_lies_often_does_not_fill_the_daemon_s_log,
                      a_guest_that_lies_about_its_times_pays_for_the_time_it_took],
                     config="init_timeout = 1s"))
