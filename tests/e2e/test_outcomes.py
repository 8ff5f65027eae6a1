#!/usr/bin/python3.11
"""Each misbehaving example ends in its own outcome, and a healthy function is served all the while."""
import sys
import threading

import lib
from lib import EXIT_STATUS, call, deploy, fnctl, invoke

SERVED_UNTIL_TIMEOUT = 10  # calls, in the two seconds that one takes

BAD = [e for e in lib.examples.load() if not e.is_good]


class Healthy:
    """Calls a function again and again; remembers what went wrong."""

    def __init__(self, d):
        self.d, self.n, self.wrong = d, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.over.is_set():
            try:
                answer = invoke(self.d, "healthy", {"n": self.n})
            except OSError as e:
                self.wrong.append(repr(e))
                return
            if answer.outcome != "ok" or answer.reply != {"n": self.n}:
                self.wrong.append((answer.outcome, answer.body[:200]))
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def tester(example):
    def test(d):
        call(d, *example.deploy_arguments())
        with Healthy(d) as healthy:
            done = fnctl(d, *example.invoke_arguments())
            served = healthy.n
        assert done.returncode == EXIT_STATUS[example.outcome], (done.returncode, done.stdout, done.stderr[-500:])
        assert not healthy.wrong, healthy.wrong[:3]
        assert example.outcome != "timeout" or served >= SERVED_UNTIL_TIMEOUT, served
    test.__name__ = f"{example.name}_is_{example.outcome}_and_others_are_served"
    return test


def the_healthy_function_works(d):
    deploy(d, "healthy", "def handler(event, context): return event")
    assert invoke(d, "healthy", {"n": 1}).reply == {"n": 1}


def a_misbehaving_function_can_be_called_again(d):
    for example in BAD:
        status = fnctl(d, *example.invoke_arguments()).returncode
        assert status == EXIT_STATUS[example.outcome], (example.name, status)


def a_call_without_room_is_throttled(d):
    deploy(d, "slow", "import time\ndef handler(e, c): time.sleep(2)", "--timeout", "5")
    answers = []
    calls = [threading.Thread(target=lambda: answers.append(invoke(d, "slow"))) for _ in range(12)]
    for c in calls:
        c.start()
    for c in calls:
        c.join()
    outcomes = [a.outcome for a in answers]
    assert set(outcomes) == {"ok", "throttled"}, outcomes
    refused = next(a for a in answers if a.outcome == "throttled")
    assert refused.status == 429 and refused.headers["X-Amzn-ErrorType"] == "TooManyRequestsException"
    assert fnctl(d, "invoke", "slow", "--data", "{}").returncode == 0


if __name__ == "__main__":
    sys.exit(lib.run([the_healthy_function_works, *[tester(e) for e in BAD],
                      a_misbehaving_function_can_be_called_again, a_call_without_room_is_throttled],
                     config="instances_per_function_max = 2;queue_deadline = 500ms"))
