"""Read from address 0: the outcome is `exit`, with the signal. What was printed before is not lost."""
import ctypes


def handler(event, context):
    print("about to read address 0")
    return ctypes.string_at(0)
