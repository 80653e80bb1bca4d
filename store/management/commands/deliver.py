"""Take a folder of recordings for a label: `manage.py deliver FOLDER --label NAME`."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog import parties
from catalog.models import PartyKind
from catalog.words import clean
from licensing import grants
from payments.errors import CurrencyError
from payments.money import Money
from store import deliveries
from store.delivered_rights import Declaration
from store.models import Delivery, DeliveryLine

ACTOR = "command:deliver"


class Command(BaseCommand):
    help = "Take a folder of recordings for a label. Doing it twice changes nothing; every file gets a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="The folder with the recordings.")
        parser.add_argument("--label", required=True, help="The label's name; a new one is made.")
        parser.add_argument("--price", metavar="EUR:1.00", help="The price of each track.")
        parser.add_argument("--release-price", metavar="EUR:8.00", help="The most that a release costs.")
        parser.add_argument(
            "--own-works",
            action="store_true",
            help="The label declares: works and recordings are the performers' own, and no writer is bound by an"
            " exclusive mandate to a society.",
        )
        parser.add_argument("--agreement", type=Path, metavar="FILE.pdf", help="A direct grant, by this agreement.")
        parser.add_argument("--json", action="store_true", help="Print the delivery with its lines as JSON.")

    def handle(self, **options: Any) -> None:
        folder, agreement = options["folder"], options["agreement"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder.")
        name = clean(options["label"])
        if not name:
            raise CommandError("Give the label's name.")
        label = parties.label_named(name) or parties.make_party(name, kind=PartyKind.ORGANISATION)
        grants.ensure_holder(label)
        delivery = deliveries.deliver(
            folder,
            label=label,
            actor=ACTOR,
            price=_money(options["price"]),
            release_price=_money(options["release_price"]),
            declaration=Declaration(
                own_works=options["own_works"], direct_grant=agreement is not None, agreement=_paper(agreement)
            ),
            on_line=None if options["json"] else self._say,
        )
        if options["json"]:
            self.stdout.write(json.dumps(as_json(delivery), indent=2, ensure_ascii=False))

    def _say(self, line: DeliveryLine) -> None:
        styles = {"DELIVERED": self.style.SUCCESS, "REFUSED": self.style.ERROR, "WARNED": self.style.WARNING}
        style = styles.get(line.outcome, str)
        self.stdout.write(f"{style(line.outcome.lower().replace('_', ' '))}  {line.path}: {line.message}")


def as_json(delivery: Delivery) -> dict[str, Any]:
    """The delivery with its lines, for programs."""
    lines = delivery.lines.select_related("recording", "track__release")
    return {
        "delivery": str(delivery.public_id),
        "label": delivery.label.name,
        "folder": delivery.folder_name,
        "lines": [
            {
                "path": line.path,
                "file_sha256": line.file_sha256,
                "outcome": line.outcome,
                "code": line.code,
                "message": line.message,
                "recording": str(line.recording.public_id) if line.recording else None,
                "title": line.recording.full_title if line.recording else None,
                "isrc": line.recording.isrc if line.recording else None,
                "release": line.track.release.title if line.track else None,
                "disc": line.track.disc if line.track else None,
                "number": line.track.number if line.track else None,
            }
            for line in lines
        ],
    }


def _money(text: str | None) -> Money | None:
    try:
        return Money.parse(text) if text else None
    except CurrencyError as error:
        raise CommandError(str(error)) from error


def _paper(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        paper = path.read_bytes()
    except OSError as error:
        raise CommandError(f"The agreement cannot be read: {error}") from error
    if not paper.startswith(b"%PDF-"):
        raise CommandError(f"{path} is no PDF; attach the signed agreement as PDF.")
    return paper
