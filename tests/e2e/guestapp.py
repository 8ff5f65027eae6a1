"""The package that test_guest.py hands to the guest: one handler for each behaviour."""

import asyncio, json, logging, os, sys, time, decimal, random
import queue

def echo(event, context):
    return event

def kind(event, context):
    return [type(event).__name__, event.hex() if isinstance(event, bytes) else None]

async def coroutine(event, context):
    await asyncio.sleep(0)
    return {"loop": id(asyncio.get_running_loop())}

async def async_exit(event, context):
    sys.exit(5)

def awaitable(event, context):
    return asyncio.sleep(0, result="awaited")

async def async_boom(event, context):
    await asyncio.sleep(0)
    inner()

def inner():
    raise ValueError("boom")

def boom(event, context):
    inner()

def attributes(event, context):
    names = ("aws_request_id function_name function_version memory_limit_in_mb invoked_function_arn "
             "log_group_name log_stream_name").split()
    return {n: getattr(context, n) for n in names}

def client(event, context):
    c = context.client_context
    return c and [c.custom, c.env, c.client.app_title, context.identity.cognito_identity_id]

def remaining(event, context):
    return context.get_remaining_time_in_millis()

def as_asked(event, context):
    """One of many small behaviours, by name."""
    what = event["do"]
    if what == "bytes":
        return bytes(range(256))
    if what == "none":
        return None
    if what == "object":
        return object()
    if what == "circular":
        a = []
        a.append(a)
        return a
    if what == "large":
        return "x" * event["n"]
    if what == "decimal":
        return decimal.Decimal("1.5")
    if what == "text":
        return "zażółć"
    if what == "exit":
        sys.exit(event["status"])
    if what == "_exit":
        os._exit(event["status"])
    if what == "interrupt":
        raise KeyboardInterrupt()
    if what == "recurse":
        return as_asked(event, context)
    if what == "unprintable":
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError()
        raise Odd()
    if what == "huge":
        raise ValueError("\U0001f600" * (1 << 20))
    if what == "surrogate":
        return "\ud800"
    if what == "fork":
        pid = os.fork()
        if pid == 0:
            try:
                os.fstat(3)
                os._exit(1)
            except OSError:
                os._exit(0)
        return os.waitpid(pid, 0)[1]

def environment(event, context):
    import subprocess
    out = subprocess.run(["/usr/bin/env"], capture_output=True, text=True).stdout
    return {"os": dict(os.environ), "c": dict(l.split("=", 1) for l in out.splitlines()),
            "hour": time.localtime(0).tm_hour, "cwd": os.getcwd(), "path0": sys.path[0],
            "argv": sys.argv, "ours": [p for p in sys.path if "images/python" in p]}

def noisy(event, context):
    print("one", end="")
    os.write(1, b"two")
    print("three\ud800", file=sys.stderr)
    logging.info("not shown")
    logging.warning("shown %d", 1)
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("mine").info("now shown")

def crash(event, context):
    print("last words", end="")
    os.kill(os.getpid(), 9)

def signals(event, context):
    import signal
    wrong = [int(n) for n in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}
             if signal.getsignal(n) is not signal.SIG_DFL]
    return [wrong, [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())]]

def module(event, context):
    served = sys.modules["_guest_serve"]
    return [queue.MINE, "the same" if served.json is json else "another json"]
