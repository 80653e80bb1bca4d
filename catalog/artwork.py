"""Cover art: looked at with limits, encoded anew, kept in a few sizes.

Nothing that was delivered is served as it came: re-encoding drops whatever else the file held (places, comments,
a second file behind the image).
"""

import hashlib
import io
import threading
import warnings
from dataclasses import dataclass

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from PIL import Image, ImageOps, UnidentifiedImageError

from catalog.errors import ImageRefused
from catalog.models import Artwork, Release

MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000  # 7,071 square; decoded that is 200 MB, and as much again while it is made smaller
MIN_SIDE = 100
KEPT_SIDE = 3000
SIZES = (96, 240, 480, 960)  # widths of the WebP copies, in pixels
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_SMOOTH = {"RGB", "RGBA", "L", "LA", "CMYK"}  # kinds of pixels that can be made smaller as they are
_ONE = threading.Lock()  # in a web process as many may come at once as it has threads, and together they would fill it
_BROKEN = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError)


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture made ready: the JPEG we keep and its smaller WebP copies by width."""

    jpeg: bytes
    width: int
    height: int
    copies: dict[int, bytes]


def file_name(sha256: str, size: int | None = None) -> str:
    """Where a picture lies in storages["artwork"]: the kept JPEG, or its WebP copy of that width."""
    return f"{sha256[:2]}/{sha256}.jpg" if size is None else f"{sha256[:2]}/{sha256}-{size}.webp"


def prepare(data: bytes) -> Cover:
    """Decode within limits and encode anew, one picture at a time in each process. Raises ImageRefused."""
    if len(data) > MAX_BYTES:
        raise ImageRefused(f"The picture has {len(data):,} bytes; at most {MAX_BYTES:,} are taken.")
    with _ONE:
        picture = _read(data)
        copies = {size: _webp(picture, size) for size in SIZES}
        return Cover(jpeg=_jpeg(picture), width=picture.width, height=picture.height, copies=copies)


def _read(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken side data, which is dropped anyway
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(data)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as bomb:
        raise ImageRefused(f"The picture has too many pixels to decode: {bomb}") from None
    except _BROKEN as error:
        raise ImageRefused(f"This is no picture we can read ({type(error).__name__}); send a JPEG or PNG.") from None


def _decode(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        width, height = opened.size
        if width * height > MAX_PIXELS:
            raise ImageRefused(f"The picture has {width} x {height} pixels; at most {MAX_PIXELS:,} in all are taken.")
        if min(width, height) < MIN_SIDE:
            raise ImageRefused(f"The picture has {width} x {height} pixels; send one of at least {MIN_SIDE} a side.")
        opened.draft("RGB", (KEPT_SIDE, KEPT_SIDE))
        picture = opened if opened.mode in _SMOOTH else opened.convert("RGBA" if opened.mode in {"P", "PA"} else "RGB")
        picture.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)  # first: what follows copies it some times
        turned = ImageOps.exif_transpose(picture)
    if turned.mode in {"RGBA", "LA"}:
        layer = turned.convert("RGBA")
        turned = Image.new("RGB", layer.size, "white")
        turned.paste(layer, mask=layer.getchannel("A"))
    picture = turned.convert("RGB")
    picture.info.clear()  # comments, profiles and the like would be written again
    return picture


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, optimize=True)
    return out.getvalue()


def _webp(picture: Image.Image, size: int) -> bytes:
    copy = picture.copy()
    copy.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    copy.save(out, "WEBP", quality=82, method=4)
    return out.getvalue()


def attach(release: Release, data: bytes, *, position: int = 1) -> Artwork:
    """Keep `data` as the picture at this position, unless one is there: that one stays. Raises ImageRefused.

    Files are written before the row and named by their content, so a crash between leaves nothing half made.
    """
    present = release.artworks.filter(position=position).first()
    if present is not None:
        return present
    artwork, _ = Artwork.objects.get_or_create(release=release, position=position, defaults=_kept(prepare(data), data))
    return artwork


def replace(release: Release, cover: Cover, data: bytes, *, position: int = 1) -> Artwork:
    """Let `cover`, made ready from `data`, be the picture at this position, in place of what may be there.

    The files of the one before stay: what was sold, and what is being made, names them by their hashes.
    """
    artwork, _ = Artwork.objects.update_or_create(release=release, position=position, defaults=_kept(cover, data))
    return artwork


def _kept(cover: Cover, data: bytes) -> dict[str, str | int]:
    """What a row says of the picture, once its files are kept."""
    sha256 = hashlib.sha256(cover.jpeg).hexdigest()
    _keep(file_name(sha256), cover.jpeg)
    for size, copy in cover.copies.items():
        _keep(file_name(sha256, size), copy)
    return {
        "file": file_name(sha256),
        "sha256": sha256,
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "media_type": "image/jpeg",
        "width": cover.width,
        "height": cover.height,
        "bytes": len(cover.jpeg),
    }


def _keep(name: str, data: bytes) -> None:
    if not storages["artwork"].exists(name):
        storages["artwork"].save(name, ContentFile(data))
