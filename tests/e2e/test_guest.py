#!/usr/bin/python3.11
"""The handler contract (docs/HANDLER.md), row by row, over the stream the core would use. No root."""

import json
import os
import struct
import sys

from guestpeer import INVOKE, ROOT, Gone, Guest, frame, run

with open(f"{ROOT}/tests/e2e/guestapp.py") as f:
    HANDLERS = f.read()

FILES = {
    "app.py": HANDLERS,
    "queue.py": "MINE = 'the package has a queue.py'\n",
    "random/README": "no module: the library's random must stay\n",
    "random.txt": "no more than this\n",
    "pkg/__init__.py": "",
    "pkg/mod.py": "from . import other\ndef handler(e, c):\n    return other.VALUE\n",
    "pkg/other.py": "VALUE = 'nested'\n",
    "wrong.py": "def handler(e, c)\n    pass\n",
    "needs.py": "import no_such_module\n",
    "raises.py": "def f():\n    raise LookupError('at import')\nf()\n",
    "leaves.py": "import sys\nsys.exit(9)\n",
}


def started(handler):
    guest = Guest(FILES)
    guest.init("app." + handler)
    return guest


def asked(what, **more):
    return json.dumps({"do": what, **more}).encode()


# --- events and replies ---


def json_goes_in_and_out():
    with started("echo") as g:
        for event in ({"a": [1, 2.5, None, True, "ż"]}, [], "text", 0, None):
            assert g.invoke(json.dumps(event).encode()) == event
        assert g.end() == (0, "")


def an_empty_event_is_an_empty_dict():
    with started("echo") as g:
        assert g.invoke(b"") == {}


def what_is_not_json_comes_as_bytes():
    with started("kind") as g:
        for payload in (b"not json", b"\xff\xfe\x00", b"{", "zażółć".encode()):
            assert g.invoke(payload) == ["bytes", payload.hex()]
        assert g.invoke(b' {"a":1}\n') == ["dict", None]


def a_large_event_and_a_large_reply_pass():
    with started("echo") as g:
        text = "x" * ((6 << 20) - 2)
        assert g.invoke(json.dumps(text).encode()) == text
        assert g.invoke(b"1") == 1


def an_event_too_deep_is_an_error():
    with started("echo") as g:
        assert g.error(b"[" * 200000 + b"]" * 200000)["errorType"] == "Runtime.UnmarshalError"
        assert g.invoke(b"1") == 1


def bytes_go_back_as_they_are():
    with started("as_asked") as g:
        g.ask(asked("bytes"))
        assert g.answer()[3] == bytes(range(256))


def none_is_null_and_text_is_escaped():
    with started("as_asked") as g:
        g.ask(asked("none"))
        assert g.answer()[3] == b"null"
        g.ask(asked("text"))
        assert g.answer()[3] == b'"za\\u017c\\u00f3\\u0142\\u0107"'
        g.ask(asked("decimal"))
        assert g.answer()[3] == b"1.5"
        assert g.invoke(asked("surrogate")) == "\ud800"


def what_json_cannot_express_is_a_marshal_error():
    with started("as_asked") as g:
        error = g.error(asked("object"))
        assert error["errorType"] == "Runtime.MarshalError", error
        expected = "Unable to marshal response: Object of type object is not JSON serializable"
        assert error["errorMessage"] == expected, error
        assert error["stackTrace"] == []
        assert g.error(asked("circular"))["errorType"] == "Runtime.MarshalError"


def a_reply_over_six_mib_is_an_error():
    with started("as_asked") as g:
        limit = 6 << 20
        assert len(g.invoke(asked("large", n=limit - 2))) == limit - 2
        assert g.error(asked("large", n=limit - 1))["errorType"] == "Function.ResponseSizeTooLarge"


def an_invoke_may_follow_init_at_once():
    with Guest(FILES) as g:
        answer = g.receive
        g.receive = lambda: (g.ask(b"5"), answer())[1]  # between sending INIT and reading READY
        times = g.init("app.echo")
        g.receive = answer
        assert len(times) == 5
        assert g.answer()[3] == b"5"


# --- kinds of handlers ---


def an_async_handler_is_awaited_in_one_loop():
    with started("coroutine") as g:
        assert g.invoke() == g.invoke()


def an_awaitable_reply_is_awaited():
    with started("awaitable") as g:
        assert g.invoke() == "awaited"


def a_handler_may_live_in_a_package():
    for name in ("pkg.mod.handler", "pkg/mod.handler"):
        with Guest(FILES) as g:
            assert len(g.init(name)) == 5
            assert g.invoke() == "nested"


def a_module_of_the_package_wins_over_a_preloaded_one():
    with started("module") as g:
        own, library = g.invoke()
        assert "queue.py" in own and library == "the same"


# --- errors ---


def an_exception_has_the_users_frames_only():
    for name, outer in (("boom", "boom"), ("async_boom", "async_boom")):
        with started(name) as g:
            error = g.error()
            assert error["errorMessage"] == "boom" and error["errorType"] == "ValueError", error
            assert error["requestId"] == g.request_id
            functions = [t.splitlines()[0].rpartition(" ")[2] for t in error["stackTrace"]]
            assert functions == [outer, "inner"], error
            assert all("/app.py" in t for t in error["stackTrace"])
            assert 'raise ValueError("boom")' in error["stackTrace"][1]
            assert g.end() == (0, "")


def errors_leave_the_instance_usable():
    with started("as_asked") as g:
        assert g.error(asked("interrupt"))["errorType"] == "KeyboardInterrupt"
        recursion = g.error(asked("recurse"))
        assert recursion["errorType"] == "RecursionError"
        assert len(json.dumps(recursion)) < 10000, "frames are folded"
        assert g.error(asked("unprintable"))["errorMessage"] == "<unprintable Odd>"
        assert len(g.error(asked("huge"))["errorMessage"]) == 256 << 10
        assert g.error(b"[]")["errorType"] == "TypeError"
        assert g.invoke(asked("none")) is None


def init_errors_have_lambdas_names():
    table = (
        ("missing.handler", "Runtime.ImportModuleError",
         "Unable to import module 'missing': No module named 'missing'"),
        ("needs.handler", "Runtime.ImportModuleError",
         "Unable to import module 'needs': No module named 'no_such_module'"),
        ("app.nothing", "Runtime.HandlerNotFound", "Handler 'nothing' missing on module 'app'"),
        ("app.FILES", "Runtime.HandlerNotFound", "Handler 'FILES' missing on module 'app'"),
        ("nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot': not module.function"),
        ("sys.exit", "Runtime.BuiltInModuleConflict",
         "Cannot use built-in module sys as a handler module"),
        ("wrong.handler", "Runtime.UserCodeSyntaxError",
         "Syntax error in module 'wrong': expected ':' (wrong.py, line 1)"),
        ("raises.handler", "LookupError", "at import"),
    )  # fmt: skip
    for handler, error_type, message in table:
        with Guest(FILES) as g:
            error = g.init(handler)
            assert error["errorType"] == error_type, (handler, error)
            assert error["errorMessage"] == message, (handler, error)
            assert error["requestId"] == ""
            assert all("app.py" in t or g.task.name in t for t in error["stackTrace"]), error
            assert g.end() == (1, "")


def ends_without_answer(guest, send):
    """The exit status and log of a guest that leaves instead of answering."""
    try:
        send()
        answer = guest.receive()
        raise AssertionError(f"answered {answer}")
    except Gone:
        return guest.end()


def an_exit_ends_the_process_with_its_status():
    for what, status in (("exit", 3), ("_exit", 4)):
        with started("as_asked") as g:
            assert ends_without_answer(g, lambda: g.ask(asked(what, status=status))) == (status, "")
    with started("async_exit") as g:
        assert ends_without_answer(g, lambda: g.ask(b"{}")) == (5, "")
    with Guest(FILES) as g:
        assert ends_without_answer(g, lambda: g.init("leaves.handler")) == (9, "")


# --- context and surroundings ---


def the_context_has_lambdas_attributes():
    with started("attributes") as g:
        assert g.invoke() == {
            "aws_request_id": g.request_id,
            "function_name": "hello",
            "function_version": "7",
            "memory_limit_in_mb": "128",
            "invoked_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:hello:7",
            "log_group_name": "/aws/lambda/hello",
            "log_stream_name": "2026/11/21/[7]abc",
        }


def the_client_context_is_that_of_the_request():
    with started("client") as g:
        context = b'{"custom":{"a":1},"env":{"b":"c"},"client":{"app_title":"t"}}'
        assert g.invoke(context=context) == [{"a": 1}, {"b": "c"}, "t", None]
        assert g.invoke() is None
        for bad in (b"{", b"[]", b"\xff"):
            error = g.error(context=bad)
            assert error["errorType"] == "Runtime.LambdaContextUnmarshalError", error


def the_remaining_time_is_counted_to_the_deadline():
    with started("remaining") as g:
        assert 0 < g.invoke(timeout_ms=5000) <= 5000
        assert g.invoke(timeout_ms=-10) == 0


def times_of_an_answer_are_in_order():
    with started("echo") as g:
        g.ask(b"1")
        _, started_us, ended_us, _ = g.answer()
        assert 0 < started_us <= ended_us


def the_environment_is_replaced_wholly():
    with Guest(FILES) as g:
        g.init("app.environment", {"K": "V", "TZ": "Asia/Tokyo"})
        got = g.invoke()
        assert got["os"] == {
            "K": "V",
            "TZ": "Asia/Tokyo",
            "PATH": "/usr/bin:/bin",
            "LAMBDA_TASK_ROOT": g.task.name,
        }, got["os"]
        assert {k: v for k, v in got["c"].items() if k != "_"} == got["os"], got["c"]
        assert got["hour"] == 9
        assert got["cwd"] == got["path0"] == g.task.name
        assert got["argv"] == ["app.environment"]
        assert got["ours"] == []


def signals_are_default_and_unblocked():
    with started("signals") as g:
        assert g.invoke() == [[], []]


def a_fork_of_the_handler_does_not_hold_the_stream():
    with started("as_asked") as g:
        assert g.invoke(asked("fork")) == 0


# --- logs ---


def all_output_is_in_order_and_in_the_pipe_before_the_answer():
    with started("noisy") as g:
        g.invoke()
        os.set_blocking(g.log, False)
        lines = os.read(g.log, 4096).decode().splitlines()
        assert lines[0] == "onetwothree\\ud800", lines
        level, stamp, request_id, text = lines[1].split("\t")
        assert (level, request_id, text) == ("[WARNING]", g.request_id, "shown 1"), lines
        assert len(stamp) == len("2026-01-02T03:04:05.678Z") and stamp.endswith("Z"), stamp
        assert lines[2].endswith("now shown") and lines[2].startswith("[INFO]"), lines
        assert len(lines) == 3


def a_crash_loses_no_output():
    with started("crash") as g:
        g.ask(b"{}")
        assert g.end() == (-9, "last words")


# --- a broken peer ---


def a_broken_frame_ends_the_guest():
    table = (
        (frame(9, b""), "frame 9, not 2"),
        (frame(INVOKE, b"short"), "malformed GUEST_INVOKE"),
        (frame(INVOKE, struct.pack("40sQII", b"id", 0, 1, 0)), "malformed GUEST_INVOKE"),
        (frame(INVOKE, b"x" * 56), "malformed GUEST_INVOKE"),
        (struct.pack("II", INVOKE, 1 << 31), "frame of 2147483648 bytes"),
    )
    for sent, why in table:
        with started("echo") as g:
            status, log = ends_without_answer(g, lambda: g.sock.sendall(sent))
            assert status == 1 and why in log, log


def half_a_frame_is_waited_for():
    with started("echo") as g:
        whole = frame(INVOKE, struct.pack("40sQII", b"id", 0, 0, 0) + b"[1]")
        for byte in whole[:-1]:
            g.sock.sendall(bytes([byte]))
        g.sock.sendall(whole[-1:])
        g.request_id = "id"
        assert g.answer()[3] == b"[1]"


TESTS = [
    json_goes_in_and_out,
    an_empty_event_is_an_empty_dict,
    what_is_not_json_comes_as_bytes,
    a_large_event_and_a_large_reply_pass,
    an_event_too_deep_is_an_error,
    bytes_go_back_as_they_are,
    none_is_null_and_text_is_escaped,
    what_json_cannot_express_is_a_marshal_error,
    a_reply_over_six_mib_is_an_error,
    an_invoke_may_follow_init_at_once,
    an_async_handler_is_awaited_in_one_loop,
    an_awaitable_reply_is_awaited,
    a_handler_may_live_in_a_package,
    a_module_of_the_package_wins_over_a_preloaded_one,
    an_exception_has_the_users_frames_only,
    errors_leave_the_instance_usable,
    init_errors_have_lambdas_names,
    an_exit_ends_the_process_with_its_status,
    the_context_has_lambdas_attributes,
    the_client_context_is_that_of_the_request,
    the_remaining_time_is_counted_to_the_deadline,
    times_of_an_answer_are_in_order,
    the_environment_is_replaced_wholly,
    signals_are_default_and_unblocked,
    a_fork_of_the_handler_does_not_hold_the_stream,
    all_output_is_in_order_and_in_the_pipe_before_the_answer,
    a_crash_loses_no_output,
    a_broken_frame_ends_the_guest,
    half_a_frame_is_waited_for,
]

if __name__ == "__main__":
    sys.exit(run(TESTS))
