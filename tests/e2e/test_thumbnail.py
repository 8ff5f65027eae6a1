#!/usr/bin/python3.11
"""The thumbnail of the photograph is a correct JPEG of the size asked for, judged by Debian's Pillow."""
import base64
import io
import json
import sys

from PIL import Image, ImageChops, ImageStat

import lib
from lib import call, invoke

EXAMPLE = next(e for e in lib.examples.load() if e.name == "thumbnail")
with open(EXAMPLE.input(), encoding="utf-8") as f:
    EVENT = json.load(f)
PHOTO = Image.open(io.BytesIO(base64.b64decode(EVENT["image_base64"])))
PHOTO.load()

# Two good scalers differ by less than this, of 255, averaged over all pixels.
DIFFERENCE_MAX = 6


def thumbnail(d, width):
    answer = invoke(d, "thumbnail", {**EVENT, "width": width})
    assert answer.outcome == "ok", answer.body[:300]
    return answer, base64.b64decode(answer.reply["image_base64"], validate=True)


def the_example_deploys(d):
    call(d, *EXAMPLE.deploy_arguments())


def it_is_a_whole_jpeg_of_the_size_asked_for(d):
    for width in (1, 64, 320, 500):
        answer, data = thumbnail(d, width)
        image = Image.open(io.BytesIO(data))
        height = max(1, round(PHOTO.height * width / PHOTO.width))
        assert (image.format, image.size) == ("JPEG", (width, height)), (image.format, image.size)
        assert (answer.reply["width"], answer.reply["height"]) == (width, height)
        image.load()  # raises when it is cut short


def it_shows_the_photograph(d):
    small = Image.open(io.BytesIO(thumbnail(d, 320)[1])).convert("RGB")
    expected = PHOTO.convert("RGB").resize(small.size, Image.Resampling.LANCZOS)
    means = ImageStat.Stat(ImageChops.difference(small, expected)).mean
    assert max(means) < DIFFERENCE_MAX, means


def cold_and_warm_give_the_same_bytes(d):
    call(d, *EXAMPLE.deploy_arguments("thumbnail-again"))
    first, second = (invoke(d, "thumbnail-again", EVENT) for _ in range(2))
    assert first.report["is_cold"] and not second.report["is_cold"]
    assert first.body == second.body


def a_width_out_of_range_is_the_users_error(d):
    assert invoke(d, "thumbnail", {**EVENT, "width": 0}).outcome == "user_error"


if __name__ == "__main__":
    sys.exit(lib.run([the_example_deploys, it_is_a_whole_jpeg_of_the_size_asked_for, it_shows_the_photograph,
                      cold_and_warm_give_the_same_bytes, a_width_out_of_range_is_the_users_error]))
