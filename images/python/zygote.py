"""
The zygote: a python3 that has imported what functions commonly need and forks them, on command.

Runs as `python3 -I -B /usr/lib/runtimed/zygote.py` with ZYGOTE_FD_CONTROL open. The part after the fork
is at the end of main(): it returns in the zygote once and in every child.
"""

import sys

_INTERPRETER = frozenset(sys.modules)  # what Python itself loads; no function's file may replace these
sys.path.insert(0, __file__.rpartition("/")[0])

import gc
import importlib
import importlib.util
import os

import _guest
import _guest_base
import _guest_rehearse
import _guest_serve

# Measured on Debian 12: 26 MB resident, 15 of them anonymous; a fork costs 20 µs per anonymous MB.
_WARM = """
    asyncio base64 bisect calendar collections concurrent.futures contextlib copy csv ctypes dataclasses
    datetime decimal email.message enum fractions functools glob gzip hashlib heapq hmac html http.client
    inspect io itertools json logging math operator os pathlib pickle platform queue random re secrets
    select shutil signal socket sqlite3 ssl statistics string struct subprocess tempfile textwrap
    threading time traceback types typing unicodedata urllib.parse urllib.request uuid warnings weakref
    xml.etree.ElementTree zipfile zlib zoneinfo
""".split()
_WARM_IF_PRESENT = "numpy PIL.Image".split()
_WARM_UP_CALLS = 8  # then the interpreter specializes code (PEP 659): better once, here, than by each child


def _is_present(name):
    return importlib.util.find_spec(name.partition(".")[0]) is not None


def _warm():
    # Before numpy: a BLAS with threads would start them on import. Children have their own environment.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in _WARM + [n for n in _WARM_IF_PRESENT if _is_present(n)]:
        importlib.import_module(name)
    if image := sys.modules.get("PIL.Image"):
        image.preinit()  # the common formats' modules


def _prepare(preloaded, is_wanted):
    """In each child, before it parks: from then on it is one instance's, so nothing is shared."""
    gc.enable()
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()  # the library's own hook covers random; OpenSSL seeds at its first use
    if not is_wanted:  # 2 ms that pay only while nobody waits
        _guest_rehearse.rehearse(preloaded)


def _threads():
    """Why this process must not fork, or None."""
    n = len(os.listdir("/proc/self/task"))
    return None if n == 1 else f"zygote has {n} threads, not 1: a module starts them on import"


def main():
    gc.disable()
    _guest.zygote_setup()
    _guest_base.reset_signals()
    _guest_base.open_streams()
    log = _guest_base.open_logging()
    _warm()
    preloaded = _guest_base.preloaded_modules(_INTERPRETER)
    for _ in range(_WARM_UP_CALLS):
        _guest_rehearse.rehearse(preloaded)
    os.environ.clear()  # each child gets a whole one
    gc.collect()
    gc.freeze()
    failure = _threads()
    _guest.zygote_ready(failure)
    if failure:
        os._exit(1)
    times = _guest.zygote_serve(lambda is_wanted: _prepare(preloaded, is_wanted))
    if times is None:
        os._exit(0)
    _guest_serve.main(times, log, preloaded)


main()
