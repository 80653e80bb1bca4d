"""The sleeve of the demo release: a sun over water, drawn as a ledger is ruled."""

import io
import math

from PIL import Image, ImageDraw, ImageFont

EDGE = 1400
_FINE = 2  # drawn at twice the size, then reduced: smooth edges

NIGHT, SUN, WATER, INK = "#12201c", "#f0c98b", "#e8dcc4", "#f5efe2"


def sleeve(title: str, artist: str) -> bytes:
    """A square JPEG of `EDGE` pixels with the title and the artist set small at its foot."""
    size = EDGE * _FINE
    picture = Image.new("RGB", (size, size), NIGHT)
    draw = ImageDraw.Draw(picture)
    horizon, centre, radius = int(size * 0.56), int(size * 0.5), int(size * 0.27)
    for ring in range(7, 0, -1):
        reach = radius + int(ring * size * 0.021)
        warmth = 0.16 - ring * 0.02
        box = (centre - reach, horizon - reach, centre + reach, horizon + reach)
        draw.ellipse(box, fill=_mixed(NIGHT, SUN, warmth))
    draw.ellipse((centre - radius, horizon - radius, centre + radius, horizon + radius), fill=SUN)
    draw.rectangle((0, horizon, size, size), fill=NIGHT)
    for line in range(15):
        depth = line / 14
        y = horizon + int(size * (0.008 + 0.30 * depth**1.35))
        half = int(radius * (1.02 - 0.75 * depth) * (1 + 0.18 * math.sin(line * 2.4)))
        thick = max(2, int(size * 0.0062 * (1 - 0.72 * depth)))
        draw.rounded_rectangle((centre - half, y, centre + half, y + thick), thick // 2, fill=_mixed(SUN, WATER, depth))
        draw.line((0, y + thick // 2, size, y + thick // 2), fill=_mixed(NIGHT, WATER, 0.10), width=2)
    margin = int(size * 0.06)
    draw.text((margin, margin), title, font=ImageFont.load_default(size=int(size * 0.046)), fill=INK)
    small = ImageFont.load_default(size=int(size * 0.021))
    draw.text((margin, int(margin + size * 0.062)), artist, font=small, fill=_mixed(NIGHT, INK, 0.72))
    out = io.BytesIO()
    picture.resize((EDGE, EDGE), Image.Resampling.LANCZOS).save(out, "JPEG", quality=88, subsampling=0)
    return out.getvalue()


def _mixed(one: str, other: str, share: float) -> tuple[int, int, int]:
    first, second = (tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in (one, other))
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
