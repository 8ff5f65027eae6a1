"""The handler of _guest_serve.rehearse(): does a little of what handlers do."""

import json
import os

# User code comes as source, this module perhaps compiled: the compiler is to be rehearsed as well.
exec(compile("import sys\n\ndef f(x=1, *y, **z):\n    return [x, {'a': f'{y}'}]\n", "rehearsal", "exec"), {})


def handler(event, context):
    return {"event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis()}
