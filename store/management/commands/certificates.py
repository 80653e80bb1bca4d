"""`manage.py certificates verify [ID …]`: recompute every hash that certificates name."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from store import certificates
from store.models import Certificate


class Command(BaseCommand):
    help = "Recompute the hashes of certificates: document, ledger transfer, decisions, kept evidence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["verify"])
        parser.add_argument("id", nargs="*", help="public ids; all certificates where none is given")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        chosen = Certificate.objects.order_by("pk")
        if options["id"]:
            chosen = chosen.filter(public_id__in=options["id"])
            if chosen.count() != len(set(options["id"])):
                raise CommandError("There is no certificate with one of these ids.")
        wrong: dict[str, list[str]] = {}
        checked = 0
        for certificate in chosen.iterator():
            checked += 1
            if problems := certificates.check(certificate):
                wrong[str(certificate.public_id)] = problems
        if options["json"]:
            self.stdout.write(json.dumps({"checked": checked, "wrong": wrong}))
        else:
            for public_id, problems in wrong.items():
                self.stdout.write(f"{public_id}: {'; '.join(problems)}")
            self.stdout.write(f"{checked} certificates checked, {len(wrong)} do not hold.")
        if wrong:
            raise CommandError(f"{len(wrong)} certificates do not hold.")
