"""The quarterly return of the Union scheme, and the exchange rates that it needs."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from store import exchange, oss
from store.errors import StoreError
from store.exchange import Quarter


class Command(BaseCommand):
    help = "Writes the OSS return of a quarter as CSV (oss 2026Q4), or keeps the ECB's exchange rates (oss rates FILE)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", help="a quarter such as 2026Q4, or the word rates")
        parser.add_argument("file", nargs="?", type=Path, help="the bank's eurofxref-hist.csv, after the word rates")
        parser.add_argument("--so-far", action="store_true", help="write a quarter that is not over yet")

    def handle(self, **options: Any) -> None:
        try:
            if options["what"] == "rates":
                self._rates(options["file"])
            else:
                self._write(Quarter.parse(options["what"]), so_far=options["so_far"])
        except (StoreError, ValueError, OSError) as refusal:
            raise CommandError(str(refusal)) from refusal

    def _rates(self, file: Path | None) -> None:
        if file is None:
            raise CommandError("Name the file: manage.py oss rates eurofxref-hist.csv")
        new = exchange.bring(file.read_text(encoding="utf-8"), source=file.name, at=timezone.now())
        self.stdout.write(f"{new} new rates are kept.")

    def _write(self, quarter: Quarter, *, so_far: bool) -> None:
        if quarter.ends > timezone.now() and not so_far:
            raise CommandError(f"{quarter} is not over yet. With --so-far you see it as it stands.")
        csv.writer(self.stdout).writerows(oss.lines(oss.report(quarter)))
