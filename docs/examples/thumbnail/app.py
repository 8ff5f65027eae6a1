"""Make a small JPEG of a large one.

event: {"image_base64": a JPEG or PNG, "width": pixels}
reply: {"image_base64": a JPEG, "width", "height", "bytes"}
"""
import base64
import io

from PIL import Image, ImageOps

# A small file can claim a huge picture: refuse it before it is decoded.
Image.MAX_IMAGE_PIXELS = 40_000_000
WIDTH_MAX = 2000


def handler(event, context):
    width = int(event["width"])
    if not 1 <= width <= WIDTH_MAX:
        raise ValueError(f"width {width} is not in 1..{WIDTH_MAX}")
    with Image.open(io.BytesIO(base64.b64decode(event["image_base64"], validate=True))) as photo:
        print(f"{photo.format} of {photo.width} x {photo.height}")
        photo.draft("RGB", (2 * width, 2 * width))  # the decoder itself scales by powers of two
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    height = max(1, round(upright.height * width / upright.width))
    small = upright.resize((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85, optimize=True)
    return {
        "image_base64": base64.b64encode(out.getvalue()).decode("ascii"),
        "width": width,
        "height": height,
        "bytes": out.tell(),
    }
