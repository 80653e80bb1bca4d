"""What was really posted for an order, as its buyer reads it: each transfer, and who got what by all of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Q

from payments.models import Account, Entry, Transfer
from store import deductions, returns, settlement
from store.models import Order, OrderLine
from store.templatetags.shop import in_country, ledger_amounts
from store.views.splits import Part, drawn

# The money itself, and what stands against another account of the same transfer.
NOT_GOT = {Account.Kind.STRIPE_BALANCE, Account.Kind.BUYER_CREDIT, Account.Kind.RECOUPMENT, Account.Kind.ADVANCES}


def receipt(found: Order, lines: Sequence[OrderLine]) -> dict[str, Any]:
    """The ledger's transfers of this order in the order they were made, and who got what by all of them."""
    titles = {settlement.sale_reference(line): f"Sale of {line.title}" for line in lines}
    titles |= {settlement.held_reference(line): f"Held for refund: {line.title}" for line in lines}
    for what, words in deductions.WORDS.items():
        titles |= {deductions.reference(line, what): f"{words}: {line.title}" for line in lines}
    borne_by = "the holders" if deductions.wait_for_fee(lines) else "the shop"
    titles[f"fee:{found.number}"] = f"Payment fee, borne by {borne_by}"
    titles |= returns.titles(lines)
    transfers = Transfer.objects.filter(Q(reference__in=titles) | Q(reverses__reference__in=titles))
    rows = (
        transfers.select_related("seal", "reverses").prefetch_related("entries__account__payee").order_by("posted_at")
    )
    holders = {leg["payee"]: leg["label"] for line in lines for leg in line.split if leg["payee"]}
    shown = list(rows)
    got = _got(shown, holders, found.currency)
    return {
        "posted": [_transfer(row, titles, holders) for row in shown],
        "got": got,
        "got_total": sum(part.micros for part in got),
        "got_currency": found.currency,
    }


def _got(transfers: Sequence[Transfer], holders: Mapping[int, str], currency: str) -> list[Part]:
    """Who got what of the order by everything that was posted: what stands on each account, the fee with who took it.

    Nothing where nothing stands, as after a refund. The sum is what was paid and not given back.
    """
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for transfer in transfers:
        for entry in transfer.entries.all():
            signed = entry.amount_micros if entry.side == Entry.Side.CREDIT else -entry.amount_micros
            kind = Account.Kind(entry.account.kind)
            if kind == Account.Kind.STRIPE_BALANCE and transfer.kind == "FEE":
                sums["FEE_TAKEN", "Payment provider"] += signed
            elif kind in {Account.Kind.FEES, Account.Kind.COMMISSION}:
                sums["COMMISSION", settings.SITE_NAME] += signed
            elif kind not in NOT_GOT:
                sums["TAX" if kind == Account.Kind.TAX else "HOLDER", account_words(entry.account, holders)] += signed
    return drawn({key: micros for key, micros in sums.items() if micros}, currency=currency)


def _transfer(row: Transfer, titles: Mapping[str, str], holders: Mapping[int, str]) -> dict[str, Any]:
    entries = sorted(row.entries.all(), key=_debits_first)
    amounts = ledger_amounts([entry.amount_micros for entry in entries], entries[0].currency)
    return {
        "title": titles.get(row.reference) or f"Reversed: {titles[row.reverses.reference]}",  # type: ignore[union-attr]
        "posted_at": row.posted_at,
        "seal": row.seal.position if hasattr(row, "seal") else None,
        "entries": [
            {"account": account_words(entry.account, holders), "side": entry.side, "amount": amount}
            for entry, amount in zip(entries, amounts, strict=True)
        ],
    }


def _debits_first(entry: Entry) -> tuple[bool, int]:
    return entry.side != Entry.Side.DEBIT, entry.position


def account_words(account: Account, holders: Mapping[int, str]) -> str:
    """An account of the ledger as a buyer reads it; a payee by name where it agreed, else by its holder's."""
    if account.payee is not None:
        anonymous = f"A payee of {holders.get(account.payee.pk, 'a rights holder')}"
        name = account.payee.name if account.payee.named_in_public else anonymous
        return {
            Account.Kind.RESERVE: f"{name}, held back until refunds are over",
            Account.Kind.RECOUPMENT: f"{name}, kept for an advance",
            Account.Kind.ADVANCES: f"{name}, an advance that comes back",
            Account.Kind.DEBT: f"{name}, owed back",
        }.get(Account.Kind(account.kind), name)
    if account.kind == Account.Kind.TAX:
        return f"Tax owed in {in_country(account.code.split(':')[1])}"
    return {
        Account.Kind.STRIPE_BALANCE: "Received through the payment provider",
        Account.Kind.COMMISSION: f"{settings.SITE_NAME}, for running the shop",
        Account.Kind.FEES: "Fee of the payment provider",
        Account.Kind.SUSPENSE: "Kept for its owner until claimed",
        Account.Kind.BUYER_CREDIT: "Owed back to you",
    }.get(Account.Kind(account.kind), account.get_kind_display())
