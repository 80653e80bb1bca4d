"""`manage.py payout [--dry-run]`: send what is owed above the minimum, once each however often it runs or dies.

Payees whom Stripe does not reach are planned here too; the finance desk exports them for the bank.
"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import payouts
from payments.payouts import Run
from payments.statements import main_units
from store import earnings


class Command(BaseCommand):
    help = "Pay out every balance above the minimum through Stripe; what is below stays owed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what is due")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        parser.add_argument(
            "--minimum-minor", type=int, help="in minor units of every currency, instead of what the settings say"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        run = payouts.run(
            minimum_minor=options["minimum_minor"],
            at=timezone.now(),
            dry_run=options["dry_run"],
            sources=earnings.sources,
        )
        self.stdout.write(json.dumps(_plain(run)) if options["json"] else _words(run, dry=options["dry_run"]))
        if run.failed:
            raise CommandError(f"{len(run.failed)} payouts failed; they stay planned and the next run asks again.")


def _plain(run: Run) -> dict[str, Any]:
    return {
        "due": [
            {
                "payee": due.payee.name,
                "amount_minor": due.amount.minor,
                "currency": due.amount.currency.code,
                "owed_micros": due.owed_micros,
                "recouped_micros": due.recouped_micros,
                "withheld_micros": {each.country: each.amount_micros for each in due.withheld},
                "hold": due.hold,
            }
            for due in run.due
        ],
        "paid": [
            {
                "number": payout.number,
                "payee": payout.payee.name,
                "amount_minor": payout.amount_minor,
                "currency": payout.currency,
                "stripe_transfer": payout.stripe_transfer_id,
            }
            for payout in run.paid
        ],
        "failed": [{"number": payout.number, "payee": payout.payee.name, "why": why} for payout, why in run.failed],
    }


def _words(run: Run, *, dry: bool) -> str:
    lines = [
        f"{due.payee.name}: {due.amount}"
        + (f" held, {due.hold}" if due.hold else " due")
        + "".join(f"; {main_units(each.amount_micros)} withheld for {each.country}" for each in due.withheld)
        for due in run.due
        if dry or due.hold
    ]
    lines += [
        f"{each['number']} {each['payee']}: {each['amount_minor']} {each['currency']} (minor units) paid"
        for each in _plain(run)["paid"]
    ]
    lines += [f"{payout.number} {payout.payee.name}: {why}" for payout, why in run.failed]
    return "\n".join(lines) or "Nothing is owed."
