"""Take memory until the kernel says no: the outcome is `oom`."""


def handler(event, context):
    taken = []
    while True:
        taken.append(bytearray(b"x" * (8 << 20)))  # written, so it is really there
        print(f"{8 * len(taken)} MB taken", flush=True)
