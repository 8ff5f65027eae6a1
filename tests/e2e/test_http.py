#!/usr/bin/python3.11
"""The front under hostile, slow and many clients, on raw sockets."""
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

import lib
from lib import Skip, invoke, wait_for

CONFIG = ("connections_max = 300\nidle_timeout = 2s\nheader_timeout = 1s\nbody_timeout = 1s\n"
          "instances_per_function_max = 1\nqueue_max = 100")
HELLO = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
SLEEPS = "import time\ndef handler(event, context):\n    time.sleep(event.get('s', 0))\n    return event\n"


def connect(d, timeout=60):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(d.socket)
    return s


def receive(s):
    """All that comes until the end; a reset is an end."""
    data = b""
    try:
        while more := s.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


def answer(s):
    """One answer of a connection that stays: (status, body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(1)
        assert more, f"closed after {data}"
        data += more
    n = int((re.search(rb"content-length: (\d+)", data.lower()) or [0, 0])[1])
    body = b""
    while len(body) < n:
        body += s.recv(n - len(body))
    return int(data.split()[1]), body


def post(name, body, *fields):
    head = [f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1", "Host: a", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def hostile_requests_are_refused_and_the_connection_ends(d):
    head = b"POST /x HTTP/1.1\r\nHost: a\r\n"
    for data, status in (
            (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            (head + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
            (head + b"X: a\r\n b\r\n\r\n", 400),
            (head + b"X: \rxTransfer-Encoding: chunked\r\n\r\n", 400),
            (head + b"X : a\r\n\r\n", 400),
            (head + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
            (head + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (head + b"X: " + b"a" * 20000 + b"\r\n\r\n", 431),
            (head + b"X: y\r\n" * 200 + b"\r\n", 431),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            (b"\x16\x03\x01\x02\x00\x01", 400),
            (post("f", b"", "Content-Length: 6291457"), 413),
            (post("f", b"", "Content-Length: 1", "Expect: something"), 417)):
        with connect(d) as s:
            s.sendall(data + HELLO)
            got = [int(x) for x in re.findall(rb"HTTP/1\.1 (\d+)", receive(s))]
            assert got == [status], (data[:80], got)
    assert d.request("GET", "/healthz")[0] == 200


def pipelined_requests_are_answered_in_order(d):
    lib.deploy(d, "f", SLEEPS)
    invoke(d, "f")
    with connect(d) as s:
        s.sendall(b"".join(post("f", b'{"n":%d}' % i, f"Content-Length: {len(str(i)) + 6}") for i in range(200)))
        for i in range(200):
            assert answer(s) == (200, b'{"n": %d}' % i), i
        s.sendall(HELLO * 500)
        assert all(answer(s)[0] == 200 for _ in range(500))


def body_may_come_in_chunks_and_after_a_pause(d):
    with connect(d) as s:
        s.sendall(post("f", b'5\r\n{"a":\r\n', "Transfer-Encoding: chunked"))
        time.sleep(0.1)
        s.sendall(b"2\r\n1}\r\n0\r\n\r\n")
        assert answer(s) == (200, b'{"a": 1}')
        s.sendall(post("f", b"", "Content-Length: 2", "Expect: 100-continue"))
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"{}")
        assert answer(s) == (200, b"{}")


def refused_request_leaves_the_connection_usable(d):
    with connect(d) as s:
        for data, status in ((b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
                             (b"PATCH /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405),
                             (post("nobody", b"x" * 100000, "Content-Length: 100000"), 404),
                             (post("bad%00name", b"", "Content-Length: 0"), 400), (HELLO, 200)):
            s.sendall(data)
            assert answer(s)[0] == status, data[:60]


def slow_clients_are_cut_off(d):
    for data, status in ((b"", None), (HELLO[:20], 408), (post("f", b"{", "Content-Length: 9"), 408)):
        with connect(d) as s:
            s.sendall(data)
            got = receive(s)
        assert (got.split()[1:2] == [b"408"]) == (status == 408), got


def drop_after_drop_is_too_slow(d):
    """A byte now and then keeps no request alive: 10 KiB within the window are wanted."""
    with connect(d) as s:
        s.sendall(post("f", b"", "Content-Length: 1000"))
        try:
            for _ in range(200):
                s.sendall(b" ")
                time.sleep(0.05)  # its slowness is the point
        except OSError:
            return
    raise AssertionError("still listening")


def reader_that_does_not_read_is_cut_off(d):
    lib.deploy(d, "big", "def handler(event, context): return 'x' * 5000000\n", "--memory", "256")
    invoke(d, "big")
    with connect(d) as s:
        s.sendall(post("big", b"{}", "Content-Length: 2"))
        hung_up = select.poll()
        hung_up.register(s, 0)
        assert hung_up.poll(60 * 1000), "still waited for"
        data = receive(s)
        assert data.startswith(b"HTTP/1.1 200") and len(data) < 5000000, len(data)
    with connect(d) as s:  # a slow one is waited for
        s.sendall(post("big", b"{}", "Content-Length: 2", "Connection: close"))
        n = 0
        while more := s.recv(200000):
            n += len(more)
            time.sleep(0.02)
        assert n > 5000000, n


def waiting_invocation_ends_with_its_client(d):
    """One instance: what waits behind a sleeping call is dropped when its client goes, and never runs."""
    def metric(name):
        return int(re.search(rf"^runtimed_{name} (\d+)", d.request("GET", "/metrics")[2].decode(), re.M)[1])

    def usage():
        return lib.json.loads(d.request("GET", "/v1/functions/one/usage?since=0")[2])
    lib.deploy(d, "one", SLEEPS)
    invoke(d, "one")
    sleeper = threading.Thread(target=invoke, args=(d, "one", {"s": 2}))
    sleeper.start()
    wait_for(lambda: metric('instances{state="busy"}') == 1, "the call that sleeps")
    with connect(d) as s:
        s.sendall(post("one", b'{"s":9}', "Content-Length: 7"))
        wait_for(lambda: metric("queue_length") == 1, "an invocation waits")
    wait_for(lambda: metric("queue_length") == 0, "it is dropped")
    sleeper.join()
    invoke(d, "one")
    outcomes = usage()["outcomes"]
    assert outcomes["ok"] == 3 and outcomes["throttled"] == 1, f"the dropped one ran: {outcomes}"


def connections_have_a_limit(d):
    held = []
    try:
        for _ in range(300):
            held.append(connect(d))
        with connect(d) as s:
            assert receive(s).startswith(b"HTTP/1.1 503 ")
        held[0].sendall(HELLO)
        assert answer(held[0])[0] == 200
    finally:
        for s in held:
            s.close()
    wait_for(lambda: d.request("GET", "/healthz")[0] == 200, "there is room again")


def strangers_are_refused(d):
    code = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "print(s.recv(100).decode().split()[1])")
    os.chmod(d.run, 0o755)
    mode = os.stat(d.socket).st_mode
    os.chmod(d.socket, 0o666)
    try:
        done = subprocess.run(["/usr/bin/python3.11", "-c", code, d.socket], user=12345, group=12345,
                              extra_groups=[], capture_output=True, text=True, check=False)
    finally:
        os.chmod(d.socket, mode)
    if "PermissionError" in done.stderr:
        raise Skip("the directory cannot be reached by others")
    assert done.stdout.strip() == "403", (done.stdout, done.stderr)


def tcp_wants_a_signature_but_for_health_and_metrics(d):
    port = d.port()
    for target, status in ((b"/healthz", 200), (b"/metrics", 200), (b"/v1/images", 403), (b"/", 403),
                           (b"/2015-03-31/functions/", 403), (b"/v1/functions/f/logs", 403)):
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answer(s)[0] == status, target


def own_interface_answers(d):
    usage = lib.json.loads(d.request("GET", "/v1/functions/f/usage?since=0")[2])
    assert usage["invocations"] >= 200 and usage["outcomes"]["ok"] == usage["invocations"], usage
    lines = [lib.json.loads(x) for x in d.request("GET", "/v1/functions/f/logs?after=0")[2].splitlines()]
    assert lines and lines[0]["seq"] == 1, lines[:2]
    begin = time.monotonic()
    last = lines[-1]["seq"]
    assert d.request("GET", f"/v1/functions/f/logs?after={10**9 + last}&wait_ms=x")[0] == 400
    page = d.request("GET", f"/v1/functions/f/logs?after={last}&wait_ms=300")[2]
    if len(lines) < 1000 and not page:
        assert time.monotonic() - begin >= 0.3
    text = d.request("GET", "/metrics")[2].decode()
    for name in ("invocations_total{outcome=\"ok\"}", "connections ", "invocation_seconds_count"):
        assert f"runtimed_{name}" in text, name


if __name__ == "__main__":
    sys.exit(lib.run([
        hostile_requests_are_refused_and_the_connection_ends,
        pipelined_requests_are_answered_in_order,
        body_may_come_in_chunks_and_after_a_pause,
        refused_request_leaves_the_connection_usable,
        slow_clients_are_cut_off,
        drop_after_drop_is_too_slow,
        reader_that_does_not_read_is_cut_off,
        waiting_invocation_ends_with_its_client,
        connections_have_a_limit,
        strangers_are_refused,
        tcp_wants_a_signature_but_for_health_and_metrics,
        own_interface_answers,
    ], CONFIG))
