"""Error objects as the client sees them: Lambda's four members, the user's own frames only."""

import json
import os
import traceback

_MESSAGE_MAX = 256 << 10  # characters; the whole object must fit into a frame
_FRAMES_MAX = 100  # a cycle of functions is not folded by traceback as one function is
_FRAME_MAX = 4 << 10  # characters; a generated file may be one long line
_OURS = os.path.dirname(__file__) + "/"
_HIDDEN = (_OURS, "<frozen importlib", os.path.dirname(os.__file__) + "/importlib/")
_LOOP = os.path.dirname(os.__file__) + "/asyncio/"


class Fault(Exception):
    """An error of the contract, not of the user's code: has a type name of its own."""

    def __init__(self, error_type, message, trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.trace = list(trace)


def user_frames(tb):
    """The frames of a traceback from the user's first one on, formatted as traceback does."""
    frames = [f for f in traceback.extract_tb(tb) if not f.filename.startswith(_HIDDEN)]
    while frames and frames[0].filename.startswith(_LOOP):
        del frames[0]  # what leads into an async handler
    texts = [t[:_FRAME_MAX] for t in traceback.StackSummary.from_list(frames).format()]
    if len(texts) > _FRAMES_MAX:
        half = _FRAMES_MAX // 2
        texts[half:-half] = [f"  [{len(texts) - 2 * half} frames left out]\n"]
    return texts


def _message(exc):
    try:
        return str(exc)[:_MESSAGE_MAX]
    except Exception:
        return f"<unprintable {type(exc).__name__}>"


def _pack(message, error_type, trace, request_id):
    return json.dumps(
        {
            "errorMessage": message,
            "errorType": error_type,
            "stackTrace": trace,
            "requestId": request_id,
        }
    )


def to_json(exc, request_id=""):
    """The error object of an exception. May be called with any exception and does not raise."""
    if isinstance(exc, Fault):
        return _pack(_message(exc), exc.error_type, exc.trace, request_id)
    return _pack(_message(exc), type(exc).__name__, user_frames(exc.__traceback__), request_id)
