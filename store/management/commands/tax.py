"""The tax rates in force: see them, and confirm one that nobody verified."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from store import tax
from store.errors import TaxRateMissing
from store.templatetags.shop import percent


class Command(BaseCommand):
    help = "Lists the tax rates of today, or notes that somebody compared a country's rate with its law."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("rates", help="every country's rate of today, and who vouches for it")
        confirmed = acts.add_parser("confirm", help="vouch for the rate of a country, so that it can be sold to")
        confirmed.add_argument("country", help="two capital letters")
        confirmed.add_argument("--by", required=True, help="who compared it")
        confirmed.add_argument("--note", default="", help="where it was read")

    def handle(self, **options: Any) -> None:
        try:
            {"rates": self._rates, "confirm": self._confirm}[options["act"]](**options)
        except TaxRateMissing as refusal:
            raise CommandError(refusal.message) from refusal

    def _rates(self, **_options: Any) -> None:
        today = timezone.now().date()
        held = {row.country for row in tax.unverified(on=today)}
        for country in sorted(tax.table()):
            row = tax.row_of(country, on=today)
            if row is None:
                continue
            said = f"verified by {row.verified_by} on {row.verified_on}" if row.is_verified else "confirmed here"
            said = "NOT VERIFIED: nothing is sold there" if country in held else said
            self.stdout.write(f"{country} {percent(row.basis_points)} since {row.since}, {said}. {row.source}")

    def _confirm(self, **options: Any) -> None:
        row = tax.confirm(options["country"].upper(), by=options["by"], note=options["note"], at=timezone.now())
        self.stdout.write(f"{row.country} at {row.basis_points} basis points is confirmed by {row.confirmed_by}.")
