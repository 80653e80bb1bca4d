"""Covers are looked at with limits and encoded anew."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import storages
from PIL import ExifTags, Image

from catalog import artwork
from catalog.errors import ImageRefused
from tests.factories.catalog import make_release


def png(width: int, height: int, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "PNG")
    return out.getvalue()


def png_that_says(width: int, height: int) -> bytes:
    """A PNG whose header names this size, with next to nothing behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png_that_says(30_000, 30_000), "too many pixels"),
        (png_that_says(8_000, 8_000), "pixels"),
        (png_that_says(400, 400), "no picture"),
        (png(50, 50), "at least 100"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"", "no picture"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 200, "no picture"),
        (b"x" * (artwork.MAX_BYTES + 1), "at most"),
    ],
)
def test_what_is_no_cover_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageRefused, match=reason):
        artwork.prepare(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_kind_of_pixel_is_taken(mode: str) -> None:
    assert artwork.prepare(png(200, 200, mode)).width == 200


def test_nothing_hidden_in_the_file_is_kept() -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 200)).save(out, "JPEG", comment=b"at home", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    cover = artwork.prepare(out.getvalue() + b"PK\x03\x04")
    assert b"at home" not in cover.jpeg
    assert b"Exif" not in cover.jpeg
    assert b"PK\x03\x04" not in cover.jpeg


def test_a_huge_cover_is_kept_smaller() -> None:
    cover = artwork.prepare(png(5000, 4000))
    assert (cover.width, cover.height) == (3000, 2400)


def peak(act: Callable[[], object]) -> int:
    """How many bytes more this process held at most meanwhile."""

    def kilobytes(name: str) -> int:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])

    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS:")
    act()
    return (kilobytes("VmHWM:") - before) * 1024


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_what_is_larger_than_we_keep_is_made_smaller_before_it_is_copied(mode: str) -> None:
    """A studio's web process has room for it."""
    side = 6000
    data = png(side, side, mode)
    assert peak(lambda: artwork.prepare(data)) < 3.25 * 4 * side**2  # four bytes a pixel


def test_one_picture_is_made_ready_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    decode, free = artwork._decode, []

    def decoded(data: bytes) -> Image.Image:
        free.append(artwork._ONE.acquire(blocking=False))
        return decode(data)

    monkeypatch.setattr(artwork, "_decode", decoded)
    artwork.prepare(png(200, 200))
    assert free == [False]


def test_what_is_seen_through_is_white_also_where_it_was_made_smaller() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (3200, 3200), (200, 0, 0, 128)).save(out, "PNG", compress_level=1)
    cover = Image.open(io.BytesIO(artwork.prepare(out.getvalue()).jpeg))
    red, green, blue = cover.getpixel((1500, 1500))  # type: ignore[misc]
    assert abs(red - 227) < 4
    assert max(abs(green - 127), abs(blue - 127)) < 4


def test_a_huge_picture_that_lies_on_its_side_is_turned() -> None:
    out, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (4000, 3200)).save(out, "PNG", exif=exif, compress_level=1)
    cover = artwork.prepare(out.getvalue())
    assert (cover.width, cover.height) == (2400, 3000)


def test_copies_have_the_sizes_that_pages_ask_for() -> None:
    cover = artwork.prepare(png(1200, 1200))
    widths = {size: Image.open(io.BytesIO(copy)).width for size, copy in cover.copies.items()}
    assert widths == {size: size for size in artwork.SIZES}


@pytest.mark.django_db
def test_attaching_twice_keeps_the_first_cover() -> None:
    release = make_release()
    first = artwork.attach(release, png(200, 200))
    assert artwork.attach(release, png(300, 300)) == first
    assert release.artworks.count() == 1


@pytest.mark.django_db
def test_every_size_lies_in_the_storage_under_its_hash() -> None:
    kept = artwork.attach(make_release(), png(200, 200))
    for size in (None, *artwork.SIZES):
        assert storages["artwork"].exists(artwork.file_name(kept.sha256, size))
    with kept.file.open() as file:
        assert len(file.read()) == kept.bytes
