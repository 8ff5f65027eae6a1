"""A guest that has been taken over: {"do": NAME} breaks one rule of the protocol or of good manners.

The descriptors and frames are those of include/runtimed/guest.h.
"""
import array
import os
import signal
import socket
import struct
import threading
import time

OUT, ERR, DATA = 1, 2, 3
INIT, INVOKE, READY, INIT_ERROR, RESULT = range(1, 6)
FOR_EVER = 3600
ids = [""]  # of the calls so far, this one last


def frame(kind, payload, size=None):
    return struct.pack("=II", kind, len(payload) if size is None else size) + payload


def result(reply, status=0, started_us=0, ended_us=0, request_id=None):
    name = (ids[-1] if request_id is None else request_id).encode()
    return frame(RESULT, struct.pack("=40sIIQQ", name, status, 0, started_us, ended_us) + reply)


def say(data):
    os.write(DATA, data)


def nothing():
    return "mine"


def garbage():
    say(b"\xa5" * 4096)
    time.sleep(FOR_EVER)


def huge_header():
    say(frame(RESULT, b"", 0xFFFFFFFF))
    time.sleep(FOR_EVER)


def second_ready():
    say(frame(READY, bytes(40)))
    time.sleep(FOR_EVER)


def late_init_error():
    say(frame(INIT_ERROR, b"{}"))
    time.sleep(FOR_EVER)


def request_of_its_own():
    say(frame(INVOKE, bytes(64)))
    time.sleep(FOR_EVER)


def short_result():
    say(frame(RESULT, b"x"))
    time.sleep(FOR_EVER)


def half_a_frame():
    say(frame(RESULT, b"{", 1 << 20))
    time.sleep(FOR_EVER)


def drips():
    """A frame that never ends, a byte at a time."""
    say(frame(RESULT, b"", 6 << 20))
    while True:
        say(b"x")
        time.sleep(0.001)


def early_result():
    say(result(b'"early"'))
    return "late"


def two_results():
    say(result(b'"first"') + result(b'"second"'))
    time.sleep(FOR_EVER)


def result_of_the_call_before():
    say(result(b'"forged"', request_id=ids[-2]))
    time.sleep(FOR_EVER)


def result_of_a_guessed_call():
    say(result(b'"forged"', request_id="0190a5a5-0000-7000-8000-000000000000"))
    time.sleep(FOR_EVER)


def result_without_an_id():
    say(result(b'"forged"', request_id=""))
    time.sleep(FOR_EVER)


def strange_status():
    say(result(b'"strange"', status=99))
    return "late"


def descriptors_attached():
    """As many as a message can have; whoever takes them runs out of its own."""
    fds = array.array("i", [os.open("/dev/null", os.O_RDONLY) for _ in range(253)])
    with socket.socket(fileno=os.dup(DATA)) as s:
        s.sendmsg([result(b'"attached"')], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    return "late"


def closes_data():
    os.close(DATA)
    time.sleep(FOR_EVER)


def closes_output():
    os.close(OUT)
    os.close(ERR)
    return "mine"


def stops_reading():
    with socket.socket(fileno=os.dup(DATA)) as s:
        s.shutdown(socket.SHUT_RD)
    return "mine"


def stops_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


def kills_pid_1():
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(1, number)
        except PermissionError:
            continue
        return "killed"
    return "mine"


def kills_all():
    pid = os.fork()
    if pid == 0:
        signal.pause()
    os.kill(-1, signal.SIGKILL)  # all but pid 1 and the caller
    os.waitpid(pid, 0)
    return "mine"


def kills_group():
    os.killpg(0, signal.SIGKILL)


def spin():
    while True:
        pass


def daemonize(work):
    """The classic way, so that nothing but the namespace and the group hold it."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            work()
        os._exit(0)
    os.wait()


def leaves_daemons():
    for _ in range(3):
        daemonize(spin)
    return "mine"


def daemons_and_no_end():
    leaves_daemons()
    spin()


def heir_of_the_stream():
    """The process goes, a daemon keeps the stream open: a copy, since the guest closes its own in a child."""
    os.dup(DATA)
    daemonize(lambda: time.sleep(FOR_EVER))
    os._exit(0)


def heir_who_answers():
    copy, (r, w) = os.dup(DATA), os.pipe()
    daemonize(lambda: (os.write(copy, result(b'"heir"')), os.write(w, b"x"), time.sleep(FOR_EVER)))
    os.read(r, 1)
    return "late"


def forks_and_dies():
    """A tree that renews itself while it is killed."""
    while True:
        if os.fork() != 0:
            os._exit(0)


def no_time_at_all():
    time.sleep(0.2)
    say(result(b'"quick"'))
    return "late"


def all_time_there_is():
    time.sleep(0.2)
    say(result(b'"quick"', ended_us=2**64 - 1))
    return "late"


def dies_when_idle():
    threading.Timer(0.02, os._exit, [0]).start()
    return "mine"


def handler(event, context):
    ids.append(context.aws_request_id)
    return globals()[event["do"]]()
