"""Small PDFs as strangers hand them in: plain, locked, scripted, endless. Written by hand, byte by byte."""

import zlib
from collections.abc import Sequence

FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def pdf(objects: Sequence[str | bytes], *, trailer: str = "", head: bytes = b"%PDF-1.7\n") -> bytes:
    """A PDF of these objects, the first of which is its catalogue."""
    out, places = bytearray(head), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + (body if isinstance(body, bytes) else body.encode()) + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def stream(data: bytes, entries: str = "") -> bytes:
    return f"<<{entries}/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"


def plain(text: str = "Signed by both sides.", *, pages: int = 1, catalogue: str = "", page: str = "") -> bytes:
    """An agreement of `pages` pages that all say the same; `catalogue` and `page` are further entries of those."""
    kids = " ".join(f"{place + 5} 0 R" for place in range(pages))
    leaf = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 3 0 R>>>>{page}>>"
    words = f"BT /F 24 Tf 72 740 Td ({text}) Tj ET".encode()
    return pdf(
        [
            f"<</Type/Catalog/Pages 2 0 R{catalogue}>>",
            f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
            FONT,
            stream(words),
            *[leaf] * pages,
        ]
    )


def locked() -> bytes:
    """Its page can be drawn only with a password that nobody gave."""
    secret = "<" + "41" * 32 + ">"
    encrypt = f"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O{secret}/U{secret}>>/ID[<01><01>]"
    body = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 0/Kids[]>>"]
    return pdf(body, trailer=encrypt)


def scripted() -> bytes:
    return plain(catalogue="/OpenAction<</S/JavaScript/JS(app.alert('here'))>>")


def launching() -> bytes:
    return plain(catalogue="/OpenAction<</S/La#75nch/F(/bin/sh)>>")


def scripted_in_a_packed_object() -> bytes:
    packed = zlib.compress(b"9 0 <</S/JavaScript/JS(1)>>")
    return plain(catalogue="/X 6 0 R").replace(
        b"xref\n", b"6 0 obj\n" + stream(packed, "/Type/ObjStm/N 1/First 4/Filter/FlateDecode") + b"\nendobj\nxref\n", 1
    )


def carrying() -> bytes:
    return plain(catalogue="/Names<</EmbeddedFiles<</Names[(x.exe)<</Type/Filespec/F(x.exe)>>]>>>>")


def looping() -> bytes:
    """A page tree that is its own child, and a picture that draws itself."""
    return pdf(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 2/Kids[2 0 R 3 0 R]>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
            stream(b"/X Do"),
            stream(
                b"/X Do /X Do",
                "/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X 5 0 R>>>>",
            ),
        ]
    )


def exhausting() -> bytes:
    """Forms that draw each other ten times, ten deep: ten thousand million strokes out of two kilobytes."""
    deep = 10
    forms = [
        stream(
            b"/X Do " * 10 if place < deep - 1 else b"0 0 m 500 800 l S",
            f"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X {place + 6} 0 R>>>>",
        )
        for place in range(deep)
    ]
    return pdf(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
            stream(b"/X Do " * 10),
            *forms,
        ]
    )


def huge_page() -> bytes:
    return plain().replace(b"[0 0 595 842]", b"[0 0 9e6 9e6]")


def web_page_too() -> bytes:
    """A PDF from its first byte on, in which a browser that guesses would find a page with a script."""
    return plain().replace(b"%PDF-1.7\n", b"%PDF-1.7\n%<html><script>alert(1)</script>\n", 1)


def web_page_first() -> bytes:
    return b"<html><script>alert(1)</script></html>\n" + plain()
