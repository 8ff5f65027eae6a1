"""The core's side of include/runtimed/guest.h, for tests of the guest without a daemon."""

import json
import os
import socket
import struct
import subprocess
import tempfile
import time

from lib import ROOT, Tap

PYTHON = "/usr/bin/python3.11"
GUEST_PATHS = [f"{ROOT}/images/python", f"{ROOT}/build/guest"]

INIT, INVOKE, READY, INIT_ERROR, RESULT = range(1, 6)
REQUEST_ID = "8f5b2a4e-0000-4000-8000-%012d"

# What entry scripts do, less the parking: all of it is in the shipped modules.
SERVE = f"""
import sys
sys.path[:0] = {GUEST_PATHS!r}
import _guest_base, _guest_serve
_guest_base.reset_signals()
_guest_base.open_streams()
_guest_serve.main((1, 2, 3), _guest_base.open_logging(), {{"queue": ["queue"], "random": ["random"]}})
"""


class Gone(Exception):
    """The guest closed the stream."""


def frame(kind, payload):
    return struct.pack("II", kind, len(payload)) + payload


class Peer:
    """One end of the stream."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(60)
        self.n = 0

    def _read(self, n):
        parts = []
        while n > 0:
            part = self.sock.recv(min(n, 1 << 20))
            if not part:
                raise Gone()
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def receive(self):
        kind, size = struct.unpack("II", self._read(8))
        return kind, self._read(size)

    def init(self, handler, env=(), **more):
        """Send INIT; returns the five times of READY, or the error object."""
        init = {
            "handler": handler,
            "function_name": "hello",
            "function_version": "7",
            "memory_mb": 128,
            "timeout_ms": 3000,
            "arn": "arn:aws:lambda:us-east-1:123456789012:function:hello:7",
            "log_group": "/aws/lambda/hello",
            "log_stream": "2026/11/21/[7]abc",
            "env": {"PATH": "/usr/bin:/bin", **dict(env)},
        }
        self.sock.sendall(frame(INIT, json.dumps({**init, **more}).encode()))
        kind, payload = self.receive()
        return struct.unpack("5Q", payload) if kind == READY else json.loads(payload)

    def ask(self, event, context=b"", timeout_ms=3000):
        self.n += 1
        self.request_id = REQUEST_ID % self.n
        head = struct.pack(
            "40sQII",
            self.request_id.encode(),
            time.monotonic_ns() // 1000 + timeout_ms * 1000,
            len(context),
            0,
        )
        self.sock.sendall(frame(INVOKE, head + context + event))

    def answer(self):
        """(status, started_us, ended_us, payload)"""
        kind, payload = self.receive()
        assert kind == RESULT, f"frame {kind}: {payload!r}"
        request_id, status, _, started_us, ended_us = struct.unpack_from("40sIIQQ", payload)
        assert request_id == self.request_id.encode().ljust(40, b"\0"), request_id
        return status, started_us, ended_us, payload[64:]

    def invoke(self, event=b"{}", **more):
        """The parsed reply of a request that must succeed."""
        self.ask(event, **more)
        status, _, _, payload = self.answer()
        assert status == 0, payload
        return json.loads(payload)

    def error(self, event=b"{}", **more):
        """The error object of a request that must fail."""
        self.ask(event, **more)
        status, _, _, payload = self.answer()
        assert status == 1, payload
        return json.loads(payload)


class Guest(Peer):
    """A guest process that starts where a sealed child goes on, with a package from a dict of files."""

    def __init__(self, files):
        self.task = tempfile.TemporaryDirectory(prefix="guest-test-")
        for name, text in files.items():
            path = os.path.join(self.task.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        ours, theirs = socket.socketpair()
        self.log, log = os.pipe()
        self.process = subprocess.Popen(
            [PYTHON, "-I", "-B", "-c", SERVE],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            close_fds=False,
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
            env={"INHERITED": "1", "PATH": "/bin"},
        )
        theirs.close()
        os.close(log)
        super().__init__(ours)

    def init(self, handler, env=(), **more):
        return super().init(handler, {"LAMBDA_TASK_ROOT": self.task.name, **dict(env)}, **more)

    def end(self):
        """Hang up; returns (exit status, everything logged)."""
        self.sock.close()
        with os.fdopen(self.log, "rb") as f:
            text = f.read().decode()
        self.log = None
        return self.process.wait(20), text

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.log is not None:
            self.sock.close()
            os.close(self.log)
        self.process.kill()
        self.process.wait()
        self.task.cleanup()


def run(tests):
    """Run the tests of a file that needs no daemon; returns the exit status."""
    tap = Tap()
    for test in tests:
        tap.run(test)
    print(f"1..{tap.n}")
    return int(tap.failed)
