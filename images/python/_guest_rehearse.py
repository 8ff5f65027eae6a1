"""
Going through a start and a request ahead of time, with a handler of our own. A forked child shares all pages
with its zygote until it writes to them, if only a reference count, and each costs 4 µs then: some 300 of them
are copied by a rehearsal while nobody waits. So it is as like the real start as can be, in sizes too.
"""

import json
import os
import sys

import _guest_load
import _guest_serve

_ROOT = os.path.dirname(__file__) + "/rehearsal"
_NAME = "rehearsal"
_REGION = "local-1"
_GROUP = f"/aws/lambda/{_NAME}"
_STREAM = "2026/01/01/[$LATEST]00000000000000000000000000000000"

# As the core sends it (runtimed/guestinit.c).
_INIT = json.dumps(
    {
        "handler": "_rehearsal.handler",
        "function_name": _NAME,
        "function_version": "$LATEST",
        "arn": f"arn:aws:lambda:{_REGION}:000000000000:function:{_NAME}",
        "log_group": _GROUP,
        "log_stream": _STREAM,
        "memory_mb": 128,
        "timeout_ms": 3000,
        "env": {
            "_HANDLER": "_rehearsal.handler",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "AWS_LAMBDA_FUNCTION_NAME": _NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": _GROUP,
            "AWS_LAMBDA_LOG_STREAM_NAME": _STREAM,
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
            "LAMBDA_TASK_ROOT": _ROOT,
            "LAMBDA_RUNTIME_DIR": "/usr/lib/runtimed",
            "TZ": ":UTC",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "HOME": "/tmp",
            "LD_LIBRARY_PATH": "/var/task:/var/task/lib:/opt/lib",
        },
    }
)
_REQUEST = ("00000000-0000-4000-8000-000000000000", 0, None, '{"list": [1, 2.5, null]}')


class _Log:
    """In the place of the root logger's handler, which must not hear of this."""


def rehearse(preloaded):
    """Leaves nothing that the real start does not replace. preloaded: as for _guest_serve.main()."""
    name = _guest_serve.prepare(json.loads(_INIT), preloaded)
    handler = _guest_load.find_handler(name)
    requests = [None, _REQUEST]
    _guest_serve.serve(handler, _Log(), requests.pop, lambda *answer: None)
    del sys.modules[name.partition(".")[0]]
    del sys.path_importer_cache[_ROOT]
