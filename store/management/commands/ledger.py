"""The ledger from the command line.

`verify` recomputes it from nothing and `balances` prints its balances; `slice PAYEE` writes what concerns one payee,
and `verify-slice FILE --keys KEYS` checks such a file.
"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from payments import audit, ledger
from payments.models import Payee
from payments.statements import main_units
from store import books, slice_check, slices
from store.errors import NoHeadYet


class Command(BaseCommand):
    help = "Verify the ledger to the first row that does not fit, print its balances, or give a payee its slice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["verify", "balances", "slice", "verify-slice"])
        parser.add_argument("subject", nargs="?", help="the payee's public id (slice), or a file (verify-slice)")
        parser.add_argument("--keys", type=Path, help="the store's public keys, as they were kept (verify-slice)")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        parser.add_argument("--offline", action="store_true", help="verify without asking Stripe about payouts")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["act"] == "verify":
            self._verify(as_json=options["json"], ask_stripe=not options["offline"])
        elif options["act"] == "balances":
            self._balances(as_json=options["json"])
        elif options["subject"] is None:
            raise CommandError(f"Say whose or which: manage.py ledger {options['act']} SUBJECT.")
        elif options["act"] == "slice":
            self._slice(options["subject"])
        elif options["keys"] is None:
            raise CommandError("Name the keys that you kept: --keys FILE, as /proof/keys.json gives them.")
        elif slice_check.main(Path(options["subject"]), options["keys"]):
            raise SystemExit(1)

    def _slice(self, public_id: str) -> None:
        try:
            payee = Payee.objects.get(public_id=UUID(public_id))
        except (Payee.DoesNotExist, ValueError) as error:
            raise CommandError(f"There is no payee {public_id}; statements and payouts name theirs.") from error
        try:
            self.stdout.writelines(slices.lines(payee))
        except NoHeadYet as refusal:
            raise CommandError(str(refusal)) from refusal

    def _verify(self, *, as_json: bool, ask_stripe: bool) -> None:
        """Exit status 1 where a row does not fit."""
        report = audit.verify()
        problem = report.problem or books.verify(ask_stripe=ask_stripe)
        if as_json:
            found = {
                "ok": problem is None,
                "transfers": report.transfers,
                "entries": report.entries,
                "balanced": report.balanced,
                "chain_ok": report.chain_ok,
                "sealed": report.sealed,
                "waiting": report.waiting,
                "head": report.head,
                "balances": report.balances,
                "problem": asdict(problem) if problem else None,
            }
            self.stdout.write(json.dumps(found, indent=2))
        else:
            self.stdout.write(f"{report.transfers} transfers, {report.entries} entries")
            self.stdout.write(f"{report.sealed} sealed, {report.waiting} wait for their seal; head {report.head}")
            if problem is None:
                self.stdout.write(self.style.SUCCESS("Every row fits."))
            else:
                self.stdout.write(self.style.ERROR(f"Does not fit: {problem.row}: {problem.what}."))
        if problem is not None:
            raise SystemExit(1)

    def _balances(self, *, as_json: bool) -> None:
        sums = ledger.trial_balance()
        if as_json:
            rows = [
                {"account": code, "kind": kind, "currency": currency, "debits_less_credits_micros": rest}
                for code, kind, currency, rest in sums
            ]
            self.stdout.write(json.dumps(rows, indent=2))
            return
        width = max([len(code) for code, *_ in sums], default=0)
        for code, _, currency, rest in sums:
            side = "debit" if rest > 0 else "credit" if rest < 0 else ""
            self.stdout.write(f"{code:{width}}  {main_units(abs(rest)):>18} {currency} {side}".rstrip())
        for currency in sorted({currency for _, _, currency, _ in sums}):
            whole = sum(rest for _, _, of, rest in sums if of == currency)
            self.stdout.write(f"{'sum':{width}}  {main_units(whole):>18} {currency}")
