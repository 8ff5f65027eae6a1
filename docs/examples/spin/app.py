"""Use the processor without end: the outcome is `timeout`, whatever the code catches."""


def handler(event, context):
    while True:
        try:
            n = 0
            while True:
                n += 1
        except BaseException:
            pass
