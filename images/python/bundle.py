"""
A function without the daemon: the event comes from standard input, the reply goes to standard output, what
the function logs to standard error. The exit status is that of `fnctl invoke`: 0, 3 the handler raised,
7 there is no handler to call; the error object is the reply then.

Runs as `python3 -I -B /usr/lib/runtimed/bundle.py INIT`. INIT is the GUEST_INIT object (runtimed/guest.h)
without env, which is the process's own. `fnctl export` writes all of that into a config.json. Nobody ends a
call that takes longer than the function may: the time is told to it, no more.
"""

import sys

_INTERPRETER = frozenset(sys.modules)
sys.path.insert(0, __file__.rpartition("/")[0])

import json
import os
import uuid

import _guest
import _guest_base
import _guest_errors
import _guest_load
import _guest_serve

_STATUS = {_guest.GUEST_OK: 0, _guest.GUEST_ERROR: 3}
_STATUS_INIT_ERROR = 7


def _read_event():
    """As the daemon hands it over: text if it is UTF-8. The function then has no input, as it has there."""
    with open(0, "rb", closefd=False) as f:
        event = f.read()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        return event.decode()
    except UnicodeDecodeError:
        return event


def _end(out, payload, status):
    with open(out, "wb") as f:
        f.write(payload.encode() if isinstance(payload, str) else payload)
    os._exit(status)


def main():
    _guest_base.reset_signals()
    out = os.dup(1)
    os.dup2(2, 1)
    _guest_base.open_streams()
    log = _guest_base.open_logging()
    preloaded = _guest_base.preloaded_modules(_INTERPRETER)
    init = json.loads(sys.argv[1])
    init["env"] = dict(os.environ)
    requests = [(str(uuid.uuid4()), _guest.now_us() + init["timeout_ms"] * 1000, None, _read_event())]
    name = _guest_serve.prepare(init, preloaded)
    try:
        handler = _guest_load.find_handler(name)
    except SystemExit:
        raise
    except BaseException as e:
        _end(out, _guest_errors.to_json(e), _STATUS_INIT_ERROR)
    _guest_serve.serve(
        handler,
        log,
        lambda: requests.pop(),
        lambda status, started_us, ended_us, payload: _end(out, payload, _STATUS[status]),
    )


main()
