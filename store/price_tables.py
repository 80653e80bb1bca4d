"""A label's prices in one currency as a table (CSV), and such a table read again: all of it, or nothing."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from catalog.codes import is_public_id
from catalog.models import Party, Recording, Release
from payments.money import Currency, Money
from store import prices
from store.errors import ImportRefused
from store.forms import PriceField, in_words
from store.models import Price
from store.prices import Asked
from store.record_imports import safe
from store.templatetags.shop import plain

COLUMNS = ("kind", "id", "code", "title", "price", "or_more")
MOST_BYTES = 5 * 1000**2
MOST_LINES = 50_000
YES, NO = {"yes", "y", "true", "1"}, {"", "no", "n", "false", "0"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one line, and what to do."""

    line: int
    message: str


class TableRefused(ImportRefused):
    """Nothing was changed; `faults` name every line that stands in the way."""

    def __init__(self, message: str, faults: list[Fault] | None = None) -> None:
        super().__init__(message)
        self.faults = faults or []


def rows(label: Party, currency: str) -> Iterator[list[str]]:
    """The label's releases and recordings, each with the price of its own; empty where the list counts."""
    own = Price.objects.filter(currency=currency, by_list=False)
    whole = {price.release_id: price for price in own.filter(release__label=label)}
    single = {price.recording_id: price for price in own.filter(recording__label=label)}
    yield list(COLUMNS)
    for release in Release.objects.filter(label=label).order_by("title", "pk").iterator():
        yield _row("release", release, release.gtin, whole.get(release.pk))
    for recording in Recording.objects.filter(label=label).order_by("title", "pk").iterator():
        yield _row("track", recording, recording.isrc, single.get(recording.pk))


def _row(kind: str, thing: Release | Recording, code: str | None, price: Price | None) -> list[str]:
    title = thing.title if isinstance(thing, Release) else thing.full_title
    asked = [plain(price.amount_minor, price.currency), "yes" if price.or_more else "no"] if price else ["", ""]
    return [kind, str(thing.public_id), safe(code or ""), safe(title), *asked]


def take(label: Party, currency: str, data: bytes, *, actor: str) -> int:
    """Set the prices of a table as `rows` writes it; how many lines it had. An empty price lets the list count.

    Raises TableRefused, with each line that cannot be, and changes nothing then.
    """
    lines = _read(data)
    known = _known(label, lines)
    pairs: list[tuple[Release | Recording, Asked]] = []
    faults: list[Fault] = []
    for number, cells in lines:
        try:
            pairs.append(_line(cells, known, Currency(currency)))
        except (ValidationError, ImportRefused) as refusal:
            faults.append(Fault(number, in_words(refusal)))
    if faults:
        raise TableRefused(f"Nothing was changed: {len(faults)} of {len(lines)} lines cannot be taken.", faults)
    return prices.set_many(pairs, currency=currency, actor=actor)


def _read(data: bytes) -> list[tuple[int, dict[str, str]]]:
    if len(data) > MOST_BYTES:
        raise TableRefused("The table is larger than 5 MB; hand it in in parts.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableRefused("The table is not in UTF-8. Save it as “CSV UTF-8”.") from None
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    missing = [name for name in ("kind", "id", "price") if name not in (reader.fieldnames or [])]
    if missing:
        raise TableRefused(f"The first line must name the columns; {', '.join(missing)} is not there.")
    found: list[tuple[int, dict[str, str]]] = []
    try:
        for cells in reader:
            found.append((reader.line_num, {str(name): (cell or "").strip() for name, cell in cells.items() if name}))
            if len(found) > MOST_LINES:
                raise TableRefused(f"The table has more than {MOST_LINES:,} lines; hand it in in parts.")
    except csv.Error as error:
        raise TableRefused(f"The table cannot be read: {error}.") from None
    return found


def _known(label: Party, lines: list[tuple[int, dict[str, str]]]) -> dict[tuple[str, str], Release | Recording]:
    """The things of the label that the lines name, by kind and id; a stranger's are not among them. Two queries."""
    ids = {cells["id"].lower() for _, cells in lines if is_public_id(cells["id"].lower())}
    found: dict[tuple[str, str], Release | Recording] = {}
    for release in Release.objects.filter(label=label, public_id__in=ids).select_related("label"):
        found["release", str(release.public_id)] = release
    for recording in Recording.objects.filter(label=label, public_id__in=ids).select_related("label"):
        found["track", str(recording.public_id)] = recording
    return found


def _line(
    cells: dict[str, str], known: dict[tuple[str, str], Release | Recording], unit: Currency
) -> tuple[Release | Recording, Asked]:
    thing = known.get((cells["kind"].lower(), cells["id"].lower()))
    if thing is None:
        raise ImportRefused("The label has no such release or track. Kind is release or track; id is as downloaded.")
    word = cells.get("or_more", "").lower()
    if word not in YES | NO:
        raise ImportRefused(f"“{word[:20]}” in or_more is neither yes nor no.")
    amount: Money | None = PriceField(currency=unit.code, zero=True, required=False).clean(cells["price"])
    return thing, Asked(amount, word in YES)
