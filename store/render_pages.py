"""Draws the pages of one piece of evidence as pixels. Run in the fence, as a script of its own, never in a web process.

`python -I -B render_pages.py FILE` reads a PDF, a picture or a text that a stranger handed in, and prints frames: a
header (`HEADER`: kind, number, width, height, length), then that many bytes. Kind `T` tells how many pages the file
has, `P` is a page as rows of RGB pixels, `N` a code of `evidence_pages.NOTES` that says what is odd about the file,
`E` the end. Only pixels leave the fence: whoever takes over this process can draw a false page, and nothing else.

PDFium comes without its script engine, and nothing here opens a link, a launch action, an attachment or the network.
"""

import math
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

HEADER = struct.Struct(">cHHHI")
MOST_PAGES = 20
WIDTH, HEIGHT = 1240, 1754  # A4 at 150 dots an inch: small print stays readable
MOST_SIDE = 4000
MOST_PIXELS = 4_000_000
MOST_SOURCE_PIXELS = 100_000_000
MOST_LETTERS = 60_000

_FIRST_BYTES = [
    ("application/pdf", re.compile(rb"%PDF-")),
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("image/tiff", re.compile(rb"II\*\0|MM\0\*")),
]
_UNDRAWN = re.compile("[^\u0000-\u024f\u2010-\u2026\u20ac\u2122]")  # letters our one font has no shape for
_MARKUP = re.compile(rb"<\s*(?:!doctype\s+html|html|head|body|script|svg|iframe)\b", re.IGNORECASE)
_STREAM = re.compile(rb"stream\r?\n.*?endstream", re.DOTALL)
_PACKED = re.compile(rb"/ObjStm\b.{0,400}?stream\r?\n(.*?)endstream", re.DOTALL)
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_PACKED_BYTES = 2 * 1024**2
_ACTIVE = {
    "SCRIPTS": re.compile(rb"/(?:JavaScript|JS)\b"),
    "LAUNCH": re.compile(rb"/Launch\b"),
    "ATTACHMENTS": re.compile(rb"/(?:EmbeddedFiles?|RichMedia)\b"),
}


def kind_of(head: bytes) -> str:
    """What a file is by its first kilobytes and not by its name: a media type, or "" where we draw nothing of it."""
    for kind, first in _FIRST_BYTES:
        if first.match(head):
            return kind
    if b"%PDF-" in head[:1024] or b"\0" in head or not _is_text(head):
        return ""  # a PDF behind something else is two files in one
    return "text/html" if _MARKUP.search(head[:4096]) else "text/plain"


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # a letter cut in two
    return True


def main(path: str) -> None:
    out = sys.stdout.buffer
    data = Path(path).read_bytes()
    kind = kind_of(data[:8192])
    if kind == "application/pdf":
        _draw_pdf(path, data, out)
    elif kind.startswith("image/"):
        _draw_picture(path, out)
    elif kind:
        _draw_text(data, out, markup=kind == "text/html")
    else:
        _note(out, "KIND")
    _frame(out, b"E")


def _frame(
    out: IO[bytes], kind: bytes, payload: bytes = b"", *, number: int = 0, size: tuple[int, int] = (0, 0)
) -> None:
    out.write(HEADER.pack(kind, min(number, 0xFFFF), *size, len(payload)) + payload)
    out.flush()


def _note(out: IO[bytes], code: str) -> None:
    _frame(out, b"N", code.encode("ascii"))


def _page(out: IO[bytes], picture: Any, number: int) -> None:
    _frame(out, b"P", picture.convert("RGB").tobytes(), number=number, size=picture.size)


# PDF


def _draw_pdf(path: str, data: bytes, out: IO[bytes]) -> None:
    import pypdfium2
    from pypdfium2 import PdfiumError, raw

    for code in _active_parts(data):
        _note(out, code)
    if _MARKUP.search(data[:4096]) or _MARKUP.search(data[-4096:]):
        _note(out, "MARKUP")
    try:
        document = pypdfium2.PdfDocument(path)
        total = len(document)
    except PdfiumError as error:
        _note(out, "LOCKED" if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD else "BROKEN")
        return
    if raw.FPDFDoc_GetJavaScriptActionCount(document) > 0:
        _note(out, "SCRIPTS")
    if raw.FPDFDoc_GetAttachmentCount(document) > 0:
        _note(out, "ATTACHMENTS")
    _frame(out, b"T", number=total)
    if not total:
        _note(out, "EMPTY")
        return
    document.init_forms()  # filled-in fields and signatures are drawn; without a script engine nothing runs
    for place in range(min(total, MOST_PAGES)):
        try:
            page = document[place]
            drawn = page.render(scale=_scale(*page.get_size()), rev_byteorder=True)
            picture = drawn.to_pil()
        except (PdfiumError, ValueError, MemoryError):
            _note(out, "PAGE")
            continue
        _page(out, picture, place + 1)
        drawn.close()
        page.close()


def _scale(width: float, height: float) -> float:
    """Points to pixels: as wide as `WIDTH`, unless that makes too many pixels."""
    if not (width > 0 and height > 0):
        raise ValueError("A page without a size.")
    return min(WIDTH / width, MOST_SIDE / height, math.sqrt(MOST_PIXELS / (width * height)))


def _active_parts(data: bytes) -> Iterator[str]:
    """What a PDF would like to do, by the names in it: outside its streams, and in those that pack objects."""
    said = _STREAM.sub(b"", data)
    for packed in _PACKED.finditer(data):
        try:
            said += zlib.decompressobj().decompress(packed[1], _PACKED_BYTES)
        except zlib.error:
            continue
        if len(said) > len(data) + 8 * _PACKED_BYTES:
            break
    said = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), said)
    for code, name in _ACTIVE.items():
        if name.search(said):
            yield code


# Pictures


def _draw_picture(path: str, out: IO[bytes]) -> None:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_SOURCE_PIXELS
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP", "TIFF")) as opened:
            total = int(getattr(opened, "n_frames", 1))
            _frame(out, b"T", number=total)
            for place in range(min(total, MOST_PAGES)):
                opened.seek(place)
                if opened.width * opened.height > MOST_SOURCE_PIXELS:
                    _note(out, "LARGE")
                    continue
                picture = ImageOps.exif_transpose(opened).convert("RGB")
                picture.thumbnail((WIDTH, MOST_PIXELS // WIDTH))
                _page(out, picture, place + 1)
    except Image.DecompressionBombError:
        _note(out, "LARGE")
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError):
        _note(out, "BROKEN")


# Texts


class _Words(HTMLParser):
    """The words of a captured page; what it would run, load or style is left out."""

    BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "section", "article", "header", "title"})
    SILENT = frozenset({"script", "style", "template", "noscript"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - its signature
        self.silent += tag in self.SILENT
        if tag in self.BLOCKS:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.silent = max(0, self.silent - (tag in self.SILENT))
        if tag in self.BLOCKS:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.said.append(re.sub(r"\s+", " ", data))


def _draw_text(data: bytes, out: IO[bytes], *, markup: bool) -> None:
    from PIL import Image, ImageDraw, ImageFont

    text = data[: 4 * MOST_LETTERS].decode("utf-8", "replace")
    if markup:
        _note(out, "WORDS_ONLY")
        words = _Words()
        words.feed(text)
        text = re.sub(r"\n\s*\n+", "\n\n", "".join(words.said)).strip()
    if _UNDRAWN.search(text[:MOST_LETTERS]):
        _note(out, "LETTERS")
    font, margin, leading = ImageFont.load_default(size=22), 96, 32
    room = (HEIGHT - 2 * margin) // leading
    lines = list(_lines(text[:MOST_LETTERS], lambda line: font.getlength(line) <= WIDTH - 2 * margin))
    total = max(1, -(-len(lines) // room))
    _frame(out, b"T", number=total)
    if len(text) > MOST_LETTERS:
        _note(out, "CUT")
    for place in range(min(total, MOST_PAGES)):
        picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
        pen = ImageDraw.Draw(picture)
        for row, line in enumerate(lines[place * room : (place + 1) * room]):
            pen.text((margin, margin + row * leading), line, font=font, fill="black")
        _page(out, picture, place + 1)


def _lines(text: str, fits: Any) -> Iterator[str]:
    for paragraph in text.expandtabs(4).splitlines():
        line = ""
        for word in re.findall(r"\S{1,80}\s*", paragraph) or [""]:
            if line and not fits(line + word.rstrip()):
                yield line.rstrip()
                line = ""
            line += word
        yield line.rstrip()


if __name__ == "__main__":
    main(sys.argv[1])
