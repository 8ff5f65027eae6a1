#!/usr/bin/python3.11
"""The thumbnail of the photograph is a correct JPEG of the size asked for, judged by Debian's Pillow."""
import base64
import io
import json
import sys

from PIL import Image, ImageChops, ImageStat

import lib
from lib import call, invoke

EXAMPLE = next((e for e in lib.examples.load() if e.name == "thumbnail"), None)


def event():
    with open(EXAMPLE.input(), "rb") as f:
        return f.read()


def picture(answer):
    """The JPEG in the reply: the reply itself, or base64 in it."""
    if answer.body[:2] == b"\xff\xd8":
        return answer.body
    reply = answer.reply
    text = reply if isinstance(reply, str) else next(
        v for k, v in reply.items() if isinstance(v, str) and len(v) > 500)
    return base64.b64decode(text, validate=True)


def the_example_deploys(d):
    call(d, *EXAMPLE.deploy_arguments())


def the_thumbnail_is_a_whole_jpeg(d):
    answer = invoke(d, "thumbnail", event())
    assert answer.outcome == "ok", answer.body[:300]
    image = Image.open(io.BytesIO(picture(answer)))
    assert image.format == "JPEG"
    image.load()  # raises when the file is cut short


def warm_and_cold_give_the_same_bytes(d):
    first, second = invoke(d, "thumbnail", event()), invoke(d, "thumbnail", event())
    assert picture(first) == picture(second)
    assert second.report["is_cold"] is False


if __name__ == "__main__":
    sys.exit(lib.run([the_example_deploys, the_thumbnail_is_a_whole_jpeg, warm_and_cold_give_the_same_bytes]))
