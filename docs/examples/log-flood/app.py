"""Print without end. What is over the limit is counted and dropped; the timeout ends it."""

LINE = "all work and no play makes a log a dull read " * 20


def handler(event, context):
    n = 0
    while True:
        n += 1
        print(n, LINE)
