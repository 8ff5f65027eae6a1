#!/usr/bin/python3
"""Draw the photograph of event.json: a lake below mountains at sunset, with grain, as a camera would see it.

Always the same bytes with the same Pillow and numpy. Usage: make_event.py >event.json
"""
import base64
import io
import json
import sys

import numpy as np
from PIL import Image, ImageFilter

WIDTH, HEIGHT, HORIZON = 1280, 854, 520
rng = np.random.default_rng(1826)  # the year of the first photograph


def ridge(base, height, roughness):
    """A mountain line: octaves of noise, each half as high and twice as fine."""
    line = np.zeros(WIDTH)
    for octave in range(8):
        points = rng.random(4 * 2**octave + 1)
        line += (points_at(points) - 0.5) * height * roughness**octave
    return base - line


def points_at(points):
    return np.interp(np.linspace(0, len(points) - 1, WIDTH), np.arange(len(points)), points)


def blend(low, high, t):
    return np.array(low) * (1 - t) + np.array(high) * t


def sky():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    picture = blend((38, 62, 120), (250, 176, 110), np.clip(y / HORIZON, 0, 1)[..., None])
    sun = np.hypot(x - 860, y - 430)
    picture += np.exp(-(sun[..., None] / 120) ** 2) * (90, 70, 30) + (sun < 34)[..., None] * (60, 60, 50)
    return picture + cloud_field()[..., None] * (70, 50, 45)


def cloud_field():
    field = np.zeros((HEIGHT, WIDTH))
    for octave in range(5):
        small = (rng.random((3 * 2**octave, 2 * 2**octave)) * 255).astype(np.uint8)
        layer = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        field += np.asarray(layer, float) / 255 / 2**octave
    return np.clip(field - 1.05, 0, 1)


def mountains(picture):
    rows = np.arange(HEIGHT)[:, None]
    for base, height, colour in ((430, 240, (118, 104, 132)), (490, 170, (78, 74, 98)), (530, 90, (38, 48, 52))):
        picture[rows > ridge(base, height, 0.52)] = colour


def lake(picture):
    """What is above the shore, upside down, darker and shaken by ripples."""
    depth = HEIGHT - HORIZON
    mirror = picture[HORIZON - depth:HORIZON][::-1].copy()
    for i in range(depth):
        shift = int(3 * np.sin(i * 0.9) + rng.normal(0, 1 + i / 60))
        mirror[i] = np.roll(mirror[i], shift, axis=0)
    picture[HORIZON:] = mirror * 0.72 + (4, 10, 18)


def photograph():
    picture = sky()
    mountains(picture)
    lake(picture)
    blurred = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    grain = rng.normal(0, 3, (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(np.asarray(blurred, float) + grain, 0, 255).astype(np.uint8))


def main():
    out = io.BytesIO()
    photograph().save(out, "JPEG", quality=78, optimize=True)
    json.dump({"width": 320, "image_base64": base64.b64encode(out.getvalue()).decode("ascii")}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
