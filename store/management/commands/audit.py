"""`manage.py audit verify [--heads FILE] [--keys FILE]` recomputes the audit chain; `audit seal` seals what waits."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from licensing import audit
from store import proofs, signing


class Command(BaseCommand):
    help = "Verify the audit chain to the first row that does not fit, or seal what waits for its place."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["verify", "seal"])
        parser.add_argument("--heads", type=Path, help="heads that were kept elsewhere, as /proof/heads.json gave them")
        parser.add_argument("--keys", type=Path, help="public keys that were kept with them, as of /proof/keys.json")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["act"] == "seal":
            self.stdout.write(f"{audit.seal_new(at=timezone.now())} rows sealed.")
            return
        try:
            kept = options["heads"].read_bytes() if options["heads"] else None
            keys = signing.read_keys(options["keys"].read_bytes()) if options["keys"] else None
            report = proofs.verify(kept, keys)
        except (OSError, signing.BadFile) as error:
            raise CommandError(str(error)) from None
        self._say(report, as_json=options["json"])

    def _say(self, report: audit.Report, *, as_json: bool) -> None:
        """Exit status 1 where a row does not fit or a guard is off."""
        if as_json:
            self.stdout.write(json.dumps({"ok": report.ok, **asdict(report)}, indent=2))
        else:
            self.stdout.write(f"{report.entries} rows in the chain, {report.waiting} wait; head {report.head}")
            self.stdout.write(f"{report.heads} published heads compared")
            for problem in [*filter(None, [report.problem]), *report.guards]:
                self.stdout.write(self.style.ERROR(f"Does not fit: {problem.row}: {problem.what}."))
            if report.ok:
                self.stdout.write(self.style.SUCCESS("Every row fits."))
        if not report.ok:
            raise SystemExit(1)
