"""What templates say the same way everywhere: icons, states, amounts, lengths, sizes, hashes, countries, fields."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, get_currency_name
from django import template
from django.forms import BoundField, CheckboxInput
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from payments.money import MICROS, Currency
from store.icons import PATHS, STATE_ICONS

register = template.Library()

# Countries whose names take an article in an English sentence.
WITH_ARTICLE = frozenset({
    "AE", "BS", "CC", "CD", "CF", "CK", "DO", "FK", "FO", "GB", "GM", "HM", "IO", "KM", "KY", "MH", "MP",
    "MV", "NL", "PH", "SB", "SC", "TC", "TF", "UM", "US", "VA", "VG", "VI",
})  # fmt: skip
WORLD = 240  # of the 249 codes; a set this large reads as an exception list


def locale() -> Locale:
    try:
        return Locale.parse((get_language() or "en").replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>', css, PATHS[name]
    )


@register.simple_tag
def state(kind: str, word: str) -> SafeString:
    """A state with its mark: colour never says it alone."""
    return format_html('<span class="state {}">{}{}</span>', kind, icon(STATE_ICONS.get(kind, "none")), word)


@register.simple_tag
def state_icon(kind: str) -> SafeString:
    return icon(STATE_ICONS.get(kind, "none"))


@register.filter
def message_kind(level_tag: str) -> str:
    """Which of our three states a message of Django's level speaks of; none for plain information."""
    return {"success": "cleared", "warning": "waiting", "error": "refused"}.get(level_tag, "")


@register.filter
def money(minor: int | None, currency: str) -> str:
    """An amount in the currency's minor units, as the reader's language writes it."""
    if minor is None:
        return ""
    exponent = Currency(currency).exponent
    return str(format_currency(Decimal(minor).scaleb(-exponent), currency, locale=locale()))


@register.filter
def price(minor: int | None, currency: str) -> str:
    """A price in a shop: as `money`, and a word where there is nothing to pay."""
    return "Free" if minor == 0 else money(minor, currency)


@register.filter
def plain(minor: int, currency: str) -> str:
    """An amount as a field takes it back: digits, and a point where the currency has parts."""
    unit = Currency(currency)
    digits = unit.exponent - len(str(unit.charge_step)) + 1
    return f"{Decimal(minor).scaleb(-unit.exponent):.{digits}f}"


@register.filter
def micros(amount: int | None, currency: str) -> str:
    """A ledger amount (millionths): with the parts of a cent where it has any."""
    if amount is None:
        return ""
    exponent = Currency(currency).exponent
    value = Decimal(amount) / MICROS
    if value == value.quantize(Decimal(1).scaleb(-exponent)):
        return str(format_currency(value, currency, locale=locale()))
    return str(format_currency(value.normalize(), currency, locale=locale(), decimal_quantization=False))


def ledger_amounts(amounts: Sequence[int], currency: str) -> list[str]:
    """Ledger amounts (millionths) as a column reads them: all with as many decimals as the finest of them needs."""
    exponent = Currency(currency).exponent
    values = [Decimal(amount) / MICROS for amount in amounts]
    places = max((max(exponent, -int(value.normalize().as_tuple().exponent)) for value in values), default=exponent)
    number = "#,##0" + (f".{'0' * places}" if places else "")
    shape = locale().currency_formats["standard"].pattern.partition(";")[0]
    pattern = re.sub(r"[#,0]+(\.0+)?", number, shape, count=1)
    return [str(format_currency(value, currency, pattern, locale=locale(), currency_digits=False)) for value in values]


@register.filter
def percent(basis_points: int) -> str:
    return f"{format_decimal(Decimal(basis_points) / 100, locale=locale())}%"


@register.filter
def seconds_clock(seconds: float | None) -> str:
    """A track's length, as sleeves print it: 3:42, 1:02:03."""
    if not seconds:
        return ""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def seconds_words(seconds: float | None) -> str:
    """A release's length: 42 min, 1 h 3 min, 48 s."""
    whole = round(seconds or 0)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@register.filter
def filesize(size: int | None) -> str:
    """Bytes in decimal units, as disks and shops count them."""
    if size is None:
        return ""
    value = Decimal(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":  # noqa: PLR2004
            break
        value /= 1000
    quantum = "1" if unit in {"B", "kB"} or value >= 100 else "0.1"  # noqa: PLR2004
    return f"{format_decimal(value.quantize(Decimal(quantum)), locale=locale())} {unit}"


@register.filter
def hash_groups(digest: str) -> str:
    """A hash in groups of four, so that two people can read it to each other."""
    return " ".join(digest[place : place + 4] for place in range(0, len(digest), 4))


@register.filter
def currency_name(code: str) -> str:
    """A currency in the reader's language: Swiss Franc."""
    return str(get_currency_name(code, locale=locale()))


@register.filter
def country_name(code: str) -> str:
    return str(locale().territories.get(code, code))


@register.filter
def in_country(code: str) -> str:
    """A country's name inside an English sentence: the Netherlands, but Norway."""
    return f"the {country_name(code)}" if code in WITH_ARTICLE and locale().language == "en" else country_name(code)


@register.filter
def countries_phrase(codes: Iterable[str]) -> str:
    """A set of countries in words: worldwide; Germany and Austria; Germany, Austria and 12 more."""
    names = sorted(country_name(code) for code in codes)
    if not names:
        return "nowhere yet"
    if len(names) >= WORLD:
        return "worldwide"
    if len(names) > 4:  # noqa: PLR2004
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return format_list(names, locale=locale())


@register.filter
def clipped(span: str) -> str:
    """The larger part of Django's `timesince` and `timeuntil`: in a column "3 days" says enough."""
    return span.partition(",")[0]


@register.filter
def last_day(until: dt.datetime) -> dt.date:
    """The last day on which something holds that ends at the instant `until`."""
    return (until - dt.timedelta(microseconds=1)).date()


@register.inclusion_tag("parts/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """One form field with its label, help and errors tied together for screen readers."""
    described = [f"{bound.auto_id}-help"] if bound.help_text else []
    described += [f"{bound.auto_id}-error"] if bound.errors else []
    attributes: dict[str, str | bool] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {
        "field": bound,
        "control": bound.as_widget(attrs=attributes),
        "is_choice": isinstance(bound.field.widget, CheckboxInput),
    }


@register.inclusion_tag("parts/fields.html")
def fields(form: Any) -> dict[str, Any]:
    return {"form": form}


@register.inclusion_tag("studio/live_cell.html")
def live_cell(cells: Mapping[int, Any], row: Any) -> dict[str, Any]:
    """Where a track stands this moment; the cell is drawn again by itself while it moves."""
    return {"cell": cells.get(row.recording.pk)}
