"""
The handler of _guest_rehearse: does a little of what handlers do. It stands alone and is not compiled,
as a user's code: finding, reading and compiling it is rehearsed too.
"""

import json
import os


def handler(event, context, *more, option=None, **others):
    names = [f"{n}" for n in (event or {}) if isinstance(n, str)]
    left = context.get_remaining_time_in_millis()
    return {"event": event, "names": names, "id": context.aws_request_id, "left": left}
