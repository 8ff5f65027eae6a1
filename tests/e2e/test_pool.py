#!/usr/bin/python3.11
"""The pool at its limits: two places, a short queue, functions that die at every moment."""
import functools
import re
import socket
import sys
import threading

from lib import call, deploy, invoke, run, wait_for

# Two instances at all, so that everything below has to share them.
CONFIG = "instances_max = 2\nqueue_deadline = 5s\ninit_timeout = 2s"


def together(count, work):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def logs_never_mix_into_replies(d):
    deploy(d, "chatty", "import threading, os\n"
           "def talk():\n while True: os.write(1, b'noise' * 20 + b'\\n')\n"
           "threading.Thread(target=talk, daemon=True).start()\n"
           "def handler(event, context):\n print('x' * 50)\n return event")
    wrong = []

    def work():
        for n in range(40):
            answer = invoke(d, "chatty", {"n": n})
            if answer.outcome != "ok" or answer.reply != {"n": n}:
                wrong.append((answer.outcome, answer.body[:60]))
    together(4, work)
    assert not wrong, wrong[:3]
    call(d, "delete", "chatty")


def dying_while_imported_is_answered(d):
    ends = {"exit": ("import os\nos._exit(3)", "exit"),
            "signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\nwhile True: pass", "exit"),
            "memory": ("x = []\nwhile True: x.append(bytes(1 << 20))", "oom"),
            "raise": ("raise ValueError('no')", "init_error"),
            "late": ("import time\ntime.sleep(60)", "init_error")}
    for name, (code, outcome) in ends.items():
        deploy(d, name, code + "\ndef handler(e, c): pass")
        for _ in range(2):
            answer = invoke(d, name, timeout=60)
            assert answer.outcome == outcome, f"{name}: {answer.outcome} {answer.body}"
        call(d, "delete", name)


def waiting_beside_idle_others_is_served(d):
    deploy(d, "first", "import time\ndef handler(e, c):\n time.sleep(2)\n return 1")
    deploy(d, "second", "def handler(e, c): return 2")
    answers = []
    holders = threading.Thread(target=together, args=(2, lambda: invoke(d, "first")))
    holders.start()
    wait_for(lambda: gauge(d, "busy") == 2, "both places are taken")
    together(3, lambda: answers.append(invoke(d, "second").outcome))
    holders.join()
    assert answers == ["ok"] * 3, answers


def gauge(d, state):
    for line in d.request("GET", "/metrics")[2].decode().splitlines():
        if "instances" in line and f'"{state}"' in line:
            return int(float(line.split()[-1]))
    return None


def hanging_up_while_waiting_harms_nobody(d):
    deploy(d, "holder", "import time\ndef handler(e, c):\n time.sleep(2)\n return 1")
    deploy(d, "gone", "def handler(e, c): return 1")
    holders = threading.Thread(target=together, args=(2, lambda: invoke(d, "holder")))
    holders.start()
    wait_for(lambda: gauge(d, "busy") == 2, "both places are taken")
    s = socket.socket(socket.AF_UNIX)
    s.connect(d.socket)
    s.sendall(b"POST /2015-03-31/functions/gone/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    wait_for(lambda: "queue_length 1" in d.request("GET", "/metrics")[2].decode(), "it waits")
    call(d, "delete", "gone")
    s.close()
    wait_for(lambda: "queue_length 0" in d.request("GET", "/metrics")[2].decode(), "it is forgotten")
    holders.join()
    assert invoke(d, "holder").outcome == "ok"


HOSTILE = """
import os, struct, time
def handler(event, context):
    if event == "early":
        time.sleep(0.3)
        reply = b'"mine"'
        os.write(3, struct.pack("=II40sIIQQ", 5, 64 + len(reply), context.aws_request_id.encode(), 0, 0, 1, 1) + reply)
        time.sleep(5)
    if event == "garbage":
        os.write(3, b"\\xff" * 100)
        time.sleep(5)
    if event == "large":
        os.write(3, struct.pack("=II", 5, 0xffffffff))
        time.sleep(5)
    if event == "close":
        os.close(3)
        time.sleep(5)
    return "fine"
"""


def own_frames_change_neither_bill_nor_daemon(d):
    deploy(d, "hostile", HOSTILE, "--timeout", "4")
    early = invoke(d, "hostile", "early")
    assert early.report["handler_us"] >= 300000, early.report
    deploy(d, "hostile", HOSTILE + "# an instance that has not lied", "--timeout", "4")
    for event in ("garbage", "large", "close"):
        answer = invoke(d, "hostile", event)
        assert answer.outcome == "exit", f"{event}: {answer.outcome} {answer.body}"  # not at the timeout
    assert invoke(d, "hostile", "good").reply == "fine"


def an_update_replaces_idle_instances(d):
    deploy(d, "version", "def handler(e, c): return 1")
    assert invoke(d, "version").reply == 1
    deploy(d, "version", "def handler(e, c): return 2")
    for _ in range(5):
        assert invoke(d, "version").reply == 2


def child_that_waits_serves_any_size_of_tmp(d):
    def preforked():
        metrics = d.request("GET", "/metrics")[2].decode()
        return int(re.search(r'cold_start_seconds_count{way="preforked"} (\d+)', metrics)[1])

    def cold_start(mb):
        """Of a new version, which must see its own size; whether a child had waited for it."""
        before = preforked()
        deploy(d, "sized", f"import os\ndef handler(e, c):\n s = os.statvfs('/tmp') # {before}\n"
               " return [s.f_blocks * s.f_frsize >> 20, s.f_files]", "--tmp", str(mb))
        answer = invoke(d, "sized")
        assert answer.reply == [mb, max(mb * 64, 1024)], answer.body
        return preforked() > before
    for mb in (16, 512, 10240):
        wait_for(functools.partial(cold_start, mb), f"a start with {mb} MB that finds a child")


def a_full_queue_refuses_with_429(d):
    deploy(d, "slow", "import time\ndef handler(e, c):\n time.sleep(8)\n return 1", "--timeout", "10")
    outcomes = []
    together(4, lambda: outcomes.append(invoke(d, "slow").outcome))
    assert sorted(outcomes) == ["ok", "ok", "throttled", "throttled"], outcomes


if __name__ == "__main__":
    sys.exit(run([logs_never_mix_into_replies, dying_while_imported_is_answered,
                  waiting_beside_idle_others_is_served, hanging_up_while_waiting_harms_nobody,
                  own_frames_change_neither_bill_nor_daemon, an_update_replaces_idle_instances,
                  child_that_waits_serves_any_size_of_tmp,
                  a_full_queue_refuses_with_429], CONFIG))
