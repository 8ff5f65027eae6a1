"""Fork, and let every child fork: the limit on processes stops it, the timeout ends all of them."""
import os
import time


def handler(event, context):
    refused = 0
    while True:
        try:
            os.fork()
        except OSError:
            refused += 1
            if refused == 1:
                print(f"process {os.getpid()} may not fork any more", flush=True)
            time.sleep(0.01)
