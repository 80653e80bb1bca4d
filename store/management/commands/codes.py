"""Codes of the shop, which its commission bears: `manage.py codes 10% --uses 100 --until 2026-12-31`."""

import csv
import re
from argparse import ArgumentParser
from datetime import UTC, date, datetime, time, timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.models import Party
from payments.errors import CurrencyError
from payments.money import Money
from store import codes
from store.codes import Terms
from store.errors import CodeRefused


class Command(BaseCommand):
    help = "Make codes that take something off, borne by the shop's commission, and print them as a table (CSV)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("off", help="what is taken off: 10%% or EUR:5.00; at most what the commission bears")
        parser.add_argument("--text", default="", help="the word; without one they are random")
        parser.add_argument("--count", type=int, default=1, help="how many")
        parser.add_argument("--uses", type=int, help="good for how many orders each; without it there is no limit")
        parser.add_argument("--label", help="for the music of one label alone, by the word in its address")
        parser.add_argument("--since", type=date.fromisoformat, help="the first day (UTC)")
        parser.add_argument("--until", type=date.fromisoformat, help="the last day (UTC)")
        parser.add_argument("--batch", default="", help="a note, to find them again")

    def handle(self, *_args: object, **said: object) -> None:
        now = timezone.now()
        label = Party.objects.filter(slug=said["label"]).first()
        if said["label"] and label is None:
            raise CommandError(f"There is no label {said['label']}.")
        since, until = said["since"], said["until"]
        percent, amount = _off(str(said["off"]))
        terms = Terms(
            percent,
            amount,
            _begin(since) if isinstance(since, date) else now,
            ends_at=_begin(until + timedelta(days=1)) if isinstance(until, date) else None,
            max_uses=said["uses"] if isinstance(said["uses"], int) else None,
        )
        try:
            made = codes.make(
                terms,
                label=label,
                bearer=codes.Bearer.SHOP,
                actor="manage:codes",
                at=now,
                text=str(said["text"]),
                count=int(str(said["count"])),
                batch=str(said["batch"]),
            )
        except CodeRefused as refusal:
            raise CommandError(refusal.message) from refusal
        csv.writer(self.stdout).writerows(codes.rows(made))


def _off(said: str) -> tuple[int | None, Money | None]:
    if match := re.fullmatch(r"([0-9]{1,3})%", said, re.ASCII):
        return int(match[1]), None
    try:
        return None, Money.parse(said)
    except CurrencyError as error:
        raise CommandError(f"{error} Or say per cent, such as 10%.") from error


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
