"""Count the words of a text.

event: the text itself (the request body is not JSON, so it arrives as bytes), or {"text": ...}
reply: {"bytes", "words", "different", "top": [[word, count], ... 20]}
"""
import collections
import re

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def handler(event, context):
    if isinstance(event, bytes):
        text, size = event.decode("utf-8", errors="replace"), len(event)
    else:
        text, size = event["text"], len(event["text"].encode())
    counts = collections.Counter(match.group() for match in WORD.finditer(text.lower()))
    print(f"{size} bytes, {len(counts)} different words")
    return {"bytes": size, "words": counts.total(), "different": len(counts), "top": counts.most_common(20)}
