"""The demo's shopper: buys all that is on sale and fetches it, through the pages that anybody uses."""

import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db.models import Q

from store.demo.visitor import Form, Page, PageFailed, Visitor
from store.models import Offer, Order, OrderLine
from transcoding import probe
from transcoding.errors import TranscodingError
from transcoding.formats import FORMATS, Shelf

PATIENCE_SECONDS = 900
LOOK_SECONDS = 0.5
START = "/download"


@dataclass(frozen=True)
class Fetch:
    """What arrived at the shopper; `kind` is file or zip, `decodes` whether every sample in it could be decoded."""

    title: str
    format: str
    kind: str
    file_name: str
    bytes: int
    sha256: str
    decodes: bool

    def to_json(self) -> dict[str, object]:
        return dict(vars(self))


def sign_in(site: str, *, email: str, password: str, code: str = "") -> Visitor:
    """A browser with somebody signed in, `code` being her second factor; raises PageFailed where she was not let in."""
    visitor = Visitor(site)
    page = visitor.get("/account/login/")
    page = visitor.submit(page, page.form("/account/login"), login=email, password=password)
    if "/account/2fa/authenticate" in page.url and code:
        page = visitor.submit(page, page.form("/account/2fa/authenticate"), code=code)
    if "/account/login" in page.url or "/account/2fa/authenticate" in page.url:
        raise PageFailed(f"{email} could not sign in.")
    return visitor


def offers_to_buy() -> list[Offer]:
    """Whole releases where they are on sale, and single tracks where only those are."""
    standing = Offer.objects.filter(closed_at=None, currency=settings.STORE_CURRENCY)
    whole = standing.exclude(release=None)
    single = standing.exclude(track=None).exclude(track__release__in=whole.values("release"))
    found = standing.filter(Q(pk__in=whole) | Q(pk__in=single))
    return list(found.select_related("release", "track__release").order_by("pk"))


def buy(visitor: Visitor, chosen: list[Offer], *, country: str) -> Order:
    """Fill the basket, check out from `country`, pay on the hosted test page, and wait until the order is settled."""
    for offer in chosen:
        release = offer.release or (offer.track and offer.track.release)
        page = visitor.get(f"/release/{release.slug if release else ''}")
        visitor.submit(page, _form_of(page, "/basket/add", offer=str(offer.public_id)))
    page = visitor.get("/checkout")
    page = visitor.submit(page, page.form("/country"), country=country, next="/checkout")
    page = visitor.submit(page, _form_of(page, "/checkout", country=country), consent="on")
    page = visitor.submit(page, page.form("/pay/"), action="pay")
    return _settled(page)


def _form_of(page: Page, action_part: str, **fields: str) -> Form:
    for form in page.forms(action_part):
        if fields.items() <= form.fields.items():
            return form
    raise PageFailed(f"{page.url} has no form to …{action_part}… with {fields}")


def _settled(page: Page) -> Order:
    """The order of a return page, once the webhook's worker has settled it."""
    public_id = page.url.rstrip("/").rpartition("/")[2]
    for _ in _patiently():
        order = Order.objects.filter(public_id=public_id).first()
        if order and order.state == Order.State.PAID:
            return order
    raise PageFailed(f"The order behind {page.url} was paid, but is not settled after {PATIENCE_SECONDS} s.")


def _patiently() -> Iterator[None]:
    """Once per look, until patience ends."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        yield
        time.sleep(LOOK_SECONDS)


def fetch_all(visitor: Visitor, order: Order, *, on_file: Callable[[Fetch, int], None]) -> list[Fetch]:
    """Every line whole in its best format, and the first line's first track in every format there is.

    `on_file` is called with each file and how many there will be.
    """
    lines = list(order.lines.order_by("position"))
    formats = _offered(visitor, order, lines[0])
    total, found = len(lines) + len(formats), []
    with TemporaryDirectory(dir=settings.HOME) as folder:
        for line in lines:
            best = _offered(visitor, order, line)[0]
            page, form = _when_ready(visitor, f"/orders/{order.public_id}", line, best)
            found.append(_fetch(visitor, page, form, Path(folder), title=line.title))
            on_file(found[-1], total)
        _ask_for_all(visitor, order, lines[0])
        for code in formats:
            _when_ready(visitor, f"/orders/{order.public_id}", lines[0], code)
            page = visitor.get(f"/library?format={code}")
            whole = [form for form in page.forms(START) if form.fields.get("line") == str(lines[0].public_id)]
            form = next((form for form in whole if "track" in form.fields), whole[0])
            found.append(_fetch(visitor, page, form, Path(folder), title=lines[0].title))
            on_file(found[-1], total)
    return found


def _ask_for_all(visitor: Visitor, order: Order, line: OrderLine) -> None:
    """Have every format made that is not yet, so that one decode can serve several."""
    page = visitor.get(f"/orders/{order.public_id}")
    for form in page.forms(START):
        if form.fields.get("line") == str(line.public_id) and "next" in form.fields:
            visitor.submit(page, form)


def _offered(visitor: Visitor, order: Order, line: OrderLine) -> list[str]:
    """The formats that the order's page offers of a line before one asks for more, best first."""
    forms = visitor.get(f"/orders/{order.public_id}").forms(START)
    codes = [form.fields["format"] for form in forms if form.fields.get("line") == str(line.public_id)]
    return [code for code in codes if FORMATS[code].shelf is Shelf.FIRST]


def _when_ready(visitor: Visitor, address: str, line: OrderLine, code: str) -> tuple[Page, Form]:
    """The page and its form that fetches the line in a format; asks for it to be made where it is not yet."""
    for _ in _patiently():
        page = visitor.get(address)
        for form in page.forms(START):
            if form.fields.get("line") == str(line.public_id) and form.fields.get("format") == code:
                if "next" not in form.fields:
                    return page, form
                visitor.submit(page, form)
    raise PageFailed(f"{line.title} as {code} was not made within {PATIENCE_SECONDS} s.")


def _fetch(visitor: Visitor, page: Page, form: Form, folder: Path, *, title: str) -> Fetch:
    got = visitor.fetch(page, form, folder / "download")
    decodes = _zip_decodes(got.path, folder) if got.file_name.endswith(".zip") else _decodes(got.path, got.file_name)
    kind = "zip" if got.file_name.endswith(".zip") else "file"
    return Fetch(title, form.fields["format"], kind, got.file_name, got.bytes, got.sha256, decodes)


def _zip_decodes(path: Path, folder: Path) -> bool:
    """Whether every recording in a release's zip decodes, and the licence text lies beside them."""
    with zipfile.ZipFile(path) as archive, TemporaryDirectory(dir=folder) as inside:
        names = archive.namelist()
        if not any(name.endswith("LICENSE.txt") for name in names):
            return False
        music = [name for name in names if not name.endswith((".txt", ".jpg", ".png"))]
        return all(_decodes(Path(archive.extract(name, inside)), name) for name in music) and bool(music)


def _decodes(path: Path, name: str) -> bool:
    named = path.with_name(f"heard{Path(name).suffix}")
    path.rename(named)
    try:
        probe.examine(named.resolve(), max_seconds=settings.MASTER_MAX_SECONDS, window_seconds=1)
    except TranscodingError:
        return False
    finally:
        named.unlink()
    return True
