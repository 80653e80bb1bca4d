"""Accounts that labels give for their payees: kept by `payments.handed_in`, told to the payee, stopped by the payee.

The label acts in a payee's name, so the payee has the last word: the letter says what was given and by whom, and its
link stops it. Neither the letter nor the link holds the number.
"""

from datetime import datetime

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from catalog.models import Party
from payments import banking, handed_in
from payments.errors import BankRefused
from payments.models import BankChange, Payee
from store import letters
from store.models import User

SALT = "store.bank"
STOPPED = "the payee stopped it"


def give(label: Party, payee: Payee, *, holder: str, iban: str, bic: str, by: User, at: datetime) -> BankChange:
    """Keep an account for a payee of the label, to count after BANK_CHANGE_DAYS, and owe the payee a letter about it.

    Raises BankRefused; also where this shop pays nobody by bank transfer.
    """
    banking.payer()
    with transaction.atomic():
        change = handed_in.give_account(
            payee, holder=holder, iban=iban, bic=bic, by=by.actor, days=settings.BANK_CHANGE_DAYS, at=at
        )
        letters.owe(
            "bank", about=change.pk, to=[payee.email], subject="A new account to pay you to", at=at,
            template="bank_given", payee=payee, label=label, change=change, who=by.get_full_name(),
            link=address(change),
        )  # fmt: skip
    return change


def refuse(change: BankChange, *, reason: str, by: str, at: datetime) -> BankChange:
    """Finance staff do not take it; the payee is told. Raises BankRefused."""
    with transaction.atomic():
        change = handed_in.refuse_account(change, reason=reason, by=by, at=at)
        letters.owe(
            "bank_refused", about=change.pk, to=[change.payee.email], subject="The new account was not taken", at=at,
            template="bank_refused", payee=change.payee, change=change,
        )  # fmt: skip
    return change


def address(change: BankChange) -> str:
    """Where the payee stops it; whoever has the letter may, and can do nothing else there."""
    token = signing.Signer(salt=SALT, sep="~").sign(change.public_id.hex)
    return f"{settings.SITE_URL}{reverse('bank-account', args=[token])}"


def find(token: str) -> BankChange:
    """The account that a letter's link names. Raises BankRefused."""
    try:
        key = signing.Signer(salt=SALT, sep="~").unsign(token)
    except signing.BadSignature:
        raise BankRefused("This link leads to nothing. Copy the whole of it from the letter.") from None
    return BankChange.objects.select_related("payee").get(public_id=key)


def stop(change: BankChange, *, at: datetime) -> BankChange:
    """The payee says that it did not ask for this. Raises BankRefused once it counts already."""
    return handed_in.refuse_account(change, reason=STOPPED, by=f"payee:{change.payee.public_id}", at=at)
