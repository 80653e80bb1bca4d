"""Rates of statutes and tariffs: see which are there, bring in the list, and verify one against its source."""

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from licensing import rates
from licensing.errors import RateRefused
from licensing.models import Rate


class Command(BaseCommand):
    help = "Lists rates, brings in licensing/data/rates.csv or a file like it, or notes that somebody verified one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listed = acts.add_parser("list", help="every rate, and who verified it")
        listed.add_argument("--tariff", help="those of one tariff")
        brought = acts.add_parser("import", help="record the rates that are not here yet")
        brought.add_argument("file", nargs="?", type=Path, help="a CSV; else the list that comes with the store")
        brought.add_argument("--by", required=True, help="who records them, such as user:42")
        verified = acts.add_parser("verify", help="note that a rate was compared with its source")
        verified.add_argument("rate", type=int, help="its number in the list")
        verified.add_argument("--by", required=True, help="who compared it, such as user:42")
        verified.add_argument("--on", type=date.fromisoformat, help="the day of the comparison; else today")
        verified.add_argument("--note", default="", help="where it was read")

    def handle(self, **options: Any) -> None:
        try:
            {"list": self._list, "import": self._import, "verify": self._verify}[options["act"]](**options)
        except RateRefused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _list(self, **options: Any) -> None:
        found = Rate.objects.prefetch_related("verifications")
        for rate in found.filter(tariff=options["tariff"]) if options["tariff"] else found:
            checks = list(rate.verifications.all())
            said = ", ".join(f"{check.verified_by} on {check.verified_on}" for check in checks) or "not verified"
            until = f" to {rate.valid_to}" if rate.valid_to else ""
            self.stdout.write(f"{rate.pk} {rate}{until}, {rate.use}, {rate.method}: {said}. {rate.source}")

    def _import(self, **options: Any) -> None:
        file = options["file"]
        rows = rates.read_rates(file.read_text(encoding="utf-8")) if file else rates.known_rates()
        found = rates.import_rates(rows, actor=options["by"])
        self.stdout.write(f"{found.new} new, {found.known} known. They count once they are verified.")

    def _verify(self, **options: Any) -> None:
        rate = Rate.objects.filter(pk=options["rate"]).first()
        if rate is None:
            raise CommandError(f"There is no rate {options['rate']}. See `manage.py rates list`.")
        rates.verify_rate(rate, actor=options["by"], on=options["on"], note=options["note"])
        self.stdout.write(f"{rate} is verified by {options['by']}; what is paid by it has been decided again.")
