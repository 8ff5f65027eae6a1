"""
An instance's life after it is sealed: INIT, then one request after the other until the core hangs up.

The loop is the hot path of the whole system: one call receives, one replies (_guest, in C), and between
them is nothing but JSON and the user's function.
"""

import json
import os
import sys

import _guest
import _guest_errors
import _guest_load
from _guest_context import ClientContext, Context
from _guest_errors import Fault


class _Encoder(json.JSONEncoder):
    """As Lambda's for this Python: ASCII only, NaN passes, Decimal is a number."""

    def default(self, o):
        decimal = sys.modules.get("decimal")  # no instance without its module
        if decimal and isinstance(o, decimal.Decimal):
            return float(o)
        return super().default(o)


_encode = _Encoder().encode
_decode = json.loads


def _event(payload):
    """The parsed event; what is not JSON comes as the bytes that were sent."""
    if not payload:
        return {}
    if type(payload) is str:
        try:
            return _decode(payload)
        except ValueError:
            return payload.encode()
        except RecursionError as e:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {e}") from None
    return payload


def _reply(result):
    """What goes back: JSON text, or bytes as they are."""
    if isinstance(result, bytes):
        payload = result
    else:
        try:
            payload = _encode(result)
        except Exception as e:
            error = f"Unable to marshal response: {e}"
            raise Fault("Runtime.MarshalError", error) from None
    if len(payload) > _guest.GUEST_PAYLOAD_MAX:
        raise Fault(
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size "
            f"({_guest.GUEST_PAYLOAD_MAX} bytes).",
        )
    return payload


class _Loop:
    """The event loop of async handlers: made by the first, kept by all, so clients can live in it."""

    loop = None

    def run(self, awaitable):
        import asyncio

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(awaitable)


def serve(handler, log, receive, reply):
    """
    Serve until receive() gives None. Both functions are _guest's, or do as these. SystemExit is the user's
    way out of the process.
    """
    now_us = _guest.now_us
    ok, error = _guest.GUEST_OK, _guest.GUEST_ERROR
    loop = _Loop()
    while (request := receive()) is not None:
        request_id, deadline_us, client_context, event = request
        log.request_id = request_id
        request = None  # a large event must not be held as text beside its parsed form
        started_us = now_us()
        try:
            context = Context(request_id, deadline_us)
            if client_context:
                context.client_context = ClientContext.parse(client_context)
            event = _event(event)
            result = handler(event, context)
            if hasattr(type(result), "__await__"):
                result = loop.run(result)
            status, payload = ok, _reply(result)
        except SystemExit:
            raise
        except BaseException as e:
            status, payload = error, _guest_errors.to_json(e, request_id)
        reply(status, started_us, now_us(), payload)
        # An idle instance holds nothing of a request that is over.
        event = context = result = payload = None


def prepare(init, preloaded):
    """Make the process the function's own. Returns the handler's name."""
    _guest_load.set_environment(init["env"])
    roots = _guest_load.set_paths(os.environ.get("LAMBDA_TASK_ROOT", _guest_load.TASK_ROOT))
    _guest_load.yield_names(roots, preloaded)
    Context.set_function(init)
    sys.argv[:] = [init["handler"]]
    return init["handler"]


def main(times, log, preloaded):
    """
    Serve the stream at GUEST_FD_DATA to its end; never returns. times is what the child's half gave,
    log what open_logging() gave, preloaded what preloaded_modules() gave.
    """
    os.register_at_fork(after_in_child=_guest.close)
    init = _guest.init()
    if init is None:
        os._exit(0)
    name = prepare(json.loads(init), preloaded)
    import_us = _guest.now_us()
    try:
        handler = _guest_load.find_handler(name)
    except SystemExit:
        raise
    except BaseException as e:
        _guest.init_error(_guest_errors.to_json(e))
        os._exit(1)
    _guest.ready(times, import_us, _guest.now_us())
    serve(handler, log, _guest.receive, _guest.reply)
    os._exit(0)
