"""What a process has before user code: signals, standard streams, logging."""

import io
import logging
import signal
import sys
import time


_PYTHON_IGNORES = {signal.SIGPIPE, signal.SIGXFSZ}  # errors of write() instead
_FIXED = {signal.SIGKILL, signal.SIGSTOP}


def preloaded_modules(interpreter):
    """
    Imported modules, less the interpreter's own (a set) and ours: {"email": ["email", "email.message"]}.
    """
    modules = {}
    for name in sys.modules:
        top = name.partition(".")[0]
        if top not in interpreter and not top.startswith("_guest"):
            modules.setdefault(top, []).append(name)
    return modules


def reset_signals():
    """Whatever the launcher ignored or blocked, and Python's own SIGINT handler: all to default."""
    for number in signal.valid_signals() - _PYTHON_IGNORES - _FIXED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def open_streams():
    """Replace the standard streams. No buffer between print and the pipe: a crash loses nothing."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(
            io.FileIO(fd, "w", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


class LogHandler(logging.Handler):
    """The root logger's handler. request_id is that of the invocation being served."""

    request_id = ""

    def __init__(self):
        super().__init__()
        formatter = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record):
        record.aws_request_id = self.request_id
        try:
            sys.stdout.write(self.format(record))
        except Exception:
            self.handleError(record)


def open_logging():
    """Install the root handler; the level stays logging's default, WARNING."""
    handler = LogHandler()
    logging.getLogger().addHandler(handler)
    return handler
