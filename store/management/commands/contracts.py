"""What contracts with labels say about the store's commission: see them, record one, end one."""

from argparse import ArgumentParser
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.models import Party
from store import commissions, directions
from store.errors import ContractRefused
from store.models import CommissionContract


class Command(BaseCommand):
    help = "Lists contracts on the store's commission, records one with a label, or ends one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="every contract, also those that have ended")
        agreed = acts.add_parser("agree", help="record what a contract says the store keeps")
        agreed.add_argument("label", help="the label's slug, as in the address of its page")
        agreed.add_argument("percent", help="of the price without tax, such as 12.5")
        agreed.add_argument("--from", dest="starts_on", type=date.fromisoformat, required=True, help="its first day")
        agreed.add_argument("--agreement", required=True, help="the contract that says so")
        agreed.add_argument("--by", required=True, help="who records it, such as user:42")
        ended = acts.add_parser("end", help="end a contract; the store's own percentage holds again")
        ended.add_argument("contract", type=int, help="its number in the list")
        ended.add_argument("--until", type=date.fromisoformat, required=True, help="the first day without it")
        ended.add_argument("--by", default="manage:contracts", help="who ends it, such as user:42")

    def handle(self, **options: Any) -> None:
        try:
            {"list": self._list, "agree": self._agree, "end": self._end}[options["act"]](**options)
        except ContractRefused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _list(self, **_options: Any) -> None:
        for row in CommissionContract.objects.select_related("label"):
            until = f" until {row.until}" if row.until else ""
            share = directions.in_percent(Fraction(row.share_numerator, row.share_denominator))
            self.stdout.write(f"{row.pk} {row.label}: {share} from {row.starts_on}{until}, by {row.agreement}")

    def _agree(self, **options: Any) -> None:
        label = Party.objects.filter(slug=options["label"]).first()
        if label is None:
            raise CommandError(f"There is no label {options['label']}. Take the slug from the address of its page.")
        try:
            share = Fraction(Decimal(options["percent"])) / 100
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise CommandError(f"{options['percent']!r} is no percentage, such as 12.5.") from error
        row = commissions.agree(
            label,
            share=share,
            starts_on=options["starts_on"],
            agreement=options["agreement"],
            actor=options["by"],
        )
        self.stdout.write(f"{row.pk} {label}: {directions.in_percent(share)} from {row.starts_on}.")

    def _end(self, **options: Any) -> None:
        row = CommissionContract.objects.filter(pk=options["contract"]).first()
        if row is None:
            raise CommandError(f"There is no contract {options['contract']}. See `manage.py contracts list`.")
        ended = commissions.end(row, until=options["until"], by=options["by"])
        self.stdout.write(f"{ended.pk} ends; it holds no longer from {ended.until} on.")
