"""
An instance without a zygote: this python3 was exec'ed in its sandbox, with enum guest_fd and
GUEST_FD_DROP open. Runs as `python3 -I -B /usr/lib/runtimed/exec.py`.
"""

import sys

_INTERPRETER = frozenset(sys.modules)
sys.path.insert(0, __file__.rpartition("/")[0])

import _guest

_BEGAN_US = _guest.now_us()

import _guest_base
import _guest_serve


def main():
    _guest_base.reset_signals()
    _guest_base.open_streams()
    log = _guest_base.open_logging()
    preloaded = _guest_base.preloaded_modules(_INTERPRETER)
    _guest_serve.main(_guest.park(_BEGAN_US), log, preloaded)


main()
