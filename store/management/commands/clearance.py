"""Ask whether a recording is cleared, and read why. Nothing is kept: this asks, `review_offers` decides."""

import json
import re
from argparse import ArgumentParser
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from catalog.models import Recording, Track
from licensing import clearance, reasons
from licensing.errors import TerritoryError
from licensing.terms import Use
from licensing.territories import ALL, COUNTRY_NAMES, at_the_edge, codes_of, day_begins, is_country
from licensing.verdicts import Reason, Verdict
from store import clearing

_PRICE = re.compile(r"([A-Z]{3})=(\d{1,12})")
_PLACE = re.compile(r"(?P<slug>[\w-]+)[:/](?:(?P<disc>\d+)\.)?(?P<number>\d+)")


class Command(BaseCommand):
    help = "Says whether a recording is cleared in a country (or, with --world, in each), on what, and why not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "subject", nargs="?", help="an ISRC, a recording's public id, or a track: release-slug:3, release-slug:2.3"
        )
        parser.add_argument("--territory", help="the buyer's country, such as DE; the trade's other codes, such as 276")
        parser.add_argument("--world", action="store_true", help="all countries, grouped by answer")
        parser.add_argument("--use", default=Use.PERMANENT_DOWNLOAD.value, choices=[use.value for use in Use])
        parser.add_argument("--at", help="a day (as it begins in the territory) or an instant with its zone; else now")
        parser.add_argument(
            "--price", action="append", default=[], metavar="EUR=129", help="minor units; may be repeated"
        )
        parser.add_argument("--json", action="store_true", help="the whole answer as JSON")
        parser.add_argument("--reasons", action="store_true", help="print docs/clearance.md: every reason code")

    def handle(self, **options: Any) -> None:
        if options["reasons"]:
            self.stdout.write(reasons.page(), ending="")
            return
        if not options["subject"] or not (options["territory"] or options["world"]):
            raise CommandError("Name a recording, and a country with --territory DE or all of them with --world.")
        country = _country(options["territory"] or "")
        recording = _recording(options["subject"])
        master = clearing.masters_of([recording.pk]).get(recording.pk)
        verdict = clearance.ask(
            recording,
            use=options["use"],
            at=_instant(options["at"], country),
            sound_sha256=master.sound_sha256 if master else "",
            prices=_prices(options["price"]),
        )
        if options["json"]:
            answer = verdict.to_data() if options["world"] else _answer(verdict, country)
            answer |= {"title": recording.full_title, "isrc": recording.isrc, "verdict_sha256": verdict.sha256}
            self.stdout.write(json.dumps(answer, indent=2, sort_keys=True, ensure_ascii=False))
            return
        self.stdout.write(f"{recording.full_title} ({recording.isrc or recording.public_id}), {options['use']}")
        for line in _world(verdict) if options["world"] else clearance.explain(verdict, country):
            self.stdout.write(line)


def _recording(text: str) -> Recording:
    """The recording that `text` names. Raises CommandError."""
    code = re.sub(r"[\s-]", "", text).upper()
    found = Recording.objects.filter(isrc=code).first()
    place = _PLACE.fullmatch(text)
    if found is None and place:
        track = Track.objects.select_related("recording").filter(
            release__slug=place["slug"], disc=int(place["disc"] or 1), number=int(place["number"])
        )
        found = track[0].recording if track else None
    if found is None:
        try:
            found = Recording.objects.filter(public_id=UUID(text)).first()
        except ValueError:
            found = None
    if found is None:
        raise CommandError(f"There is no recording {text!r}. Give its ISRC, its public id, or release-slug:number.")
    return found


def _country(code: str) -> str:
    """The country that a code of the trade means; the code itself where it means none, which the engine refuses.

    Raises CommandError where it means several.
    """
    try:
        found = at_the_edge(code)
    except TerritoryError:
        return code.strip().upper()
    if len(found) > 1:
        raise CommandError(f"{code} stands for {', '.join(found)}. Ask for one of them.")
    return found[0]


def _prices(texts: list[str]) -> tuple[tuple[str, int], ...] | None:
    """Prices in minor units by currency; None where none was given. Raises CommandError."""
    found = [_PRICE.fullmatch(text) for text in texts]
    if not all(found):
        raise CommandError(f"{', '.join(texts)}: write a price as EUR=129, in minor units.")
    return tuple(sorted((match[1], int(match[2])) for match in found if match)) or None


def _instant(text: str | None, country: str) -> datetime:
    """The instant asked about: a day begins when it begins in the country. Raises CommandError."""
    if not text:
        return timezone.now()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is not None:
        begins = day_begins(day, country) if is_country(country) else None
        return begins or datetime.combine(day, time(), UTC)
    try:
        instant = parse_datetime(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise CommandError(f"{text!r} is no day and no instant with a zone, such as 2026-03-06T00:30:00+13:00.")
    return instant


def _answer(verdict: Verdict, country: str) -> dict[str, Any]:
    """The part of the verdict that one country needs, in stable keys."""
    cleared = verdict.is_cleared(country)
    until = verdict.cleared_until(country) if cleared else None
    whole = verdict.to_data()
    relied = {share.record for share in verdict.shares_in(country)}
    return {
        "subject": verdict.subject,
        "territory": country,
        "use": verdict.question.use,
        "at": whole["question"]["at"],
        "cleared": cleared,
        "cleared_until": until.isoformat() if until else None,
        "good_until": whole["good_until"],
        "reasons": [_reason(each) for each in verdict.reasons_in(country)],
        "warnings": [_reason(each) for each in verdict.warnings_in(country)],
        "relied_on": [each for each in whole["records"] if each["record"] in relied],
        "obligations": whole["obligations"],
        "explanation": clearance.explain(verdict, country),
    }


def _reason(reason: Reason) -> dict[str, str]:
    return reason._asdict()


def _world(verdict: Verdict) -> list[str]:
    """One paragraph for each group of countries with the same answer."""
    lines = []
    for cleared in verdict.cleared:
        until = f" until the end of the day before {cleared.until}" if cleared.until else ""
        lines.append(f"Cleared{until} in {_countries(cleared.countries)}.")
    for refused in verdict.refused:
        lines.append(f"Refused in {_countries(refused.countries)}:")
        lines += [f"  {each.code}: {_sentence(each)}" for each in refused.reasons]
    if verdict.good_until:
        lines.append(f"The answer may change at {verdict.good_until.isoformat()}.")
    return lines


def _sentence(reason: Reason) -> str:
    return reasons.sentence(reason.code, layer=reason.layer, detail=reason.detail)


def _countries(mask: int) -> str:
    if mask == ALL:
        return "every country"
    inside, outside = codes_of(mask), codes_of(ALL & ~mask)
    if len(outside) < len(inside):
        return f"every country but {', '.join(COUNTRY_NAMES[code] for code in outside)}"
    return ", ".join(COUNTRY_NAMES[code] for code in inside)
