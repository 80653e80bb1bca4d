"""A payee's own slice of the ledger, to be kept and checked without us (`store.slice_check`).

It reaches to the last signed head, which is the same for everybody and is kept by others, so that no payee can be shown
a ledger of her own. Transfers since then are in tomorrow's slice. Every transfer stands there whole, since its seal
covers all of it; other parties are opaque ids in it, and buyers are in no transfer.
"""

import json
from collections.abc import Iterator
from typing import Any

from payments import chain, merkle
from payments.models import Account, Payee
from store import proofs, signing
from store.errors import NoHeadYet
from store.models import SignedHead
from store.slice_check import TYPE, VERSION


def lines(payee: Payee) -> Iterator[str]:
    """The slice as lines of JSON. Raises NoHeadYet where no head with a root was signed yet."""
    head = _head()
    said = json.loads(head.text)["ledger"]
    accounts = list(Account.objects.filter(payee=payee).order_by("code"))
    return _lines(payee, accounts, head, int(said["position"]))


def _head() -> SignedHead:
    for head in proofs.heads().order_by("-day")[:1]:
        if "root" in json.loads(head.text)["ledger"]:
            return head
    raise NoHeadYet("The ledger is signed once a day, and this store has not signed it yet. Come back tomorrow.")


def _lines(payee: Payee, accounts: list[Account], head: SignedHead, until: int) -> Iterator[str]:
    signed = json.loads(signing.envelope(head.text.encode(), {head.key.key: head.signature}))
    codes = [account.code for account in accounts]
    yield _line({"type": TYPE, "version": VERSION, "payee": str(payee.public_id), "accounts": codes, "head": signed})
    rows = list(chain.sealed_of(accounts, until=until)) if accounts else []
    paths = merkle.paths(chain.hashes(until=until), [position - 1 for position, _, _ in rows])
    balances = dict.fromkeys(codes, 0)
    for position, previous, transfer in rows:
        path = [each.hex() for each in paths[position - 1]]
        yield _line({"position": position, "previous_sha256": previous, "transfer": transfer, "path": path})
        for _, account, side, micros, _ in transfer[7]:
            if account in balances:
                balances[account] += micros if side == "C" else -micros
    yield _line({"transfers": len(rows), "balances": balances})


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"
