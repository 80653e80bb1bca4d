"""What is handed in for a payee and counts later: an account once it has waited or is confirmed, a tax form once read.

Somebody who got into a label's account must not lead its money away: while a new account waits nothing is paid to the
payee, the payee is told, and nobody confirms what she gave herself. A form is a claim until finance staff have read it.
"""

import hashlib
from datetime import date, datetime, timedelta

from django.core.files.base import ContentFile
from django.db import transaction

from payments import payees
from payments.errors import BankRefused, TaxFormRefused
from payments.models import BankChange, BankDetails, Payee, TaxForm, TaxPaper, paper_storage

MOST_BYTES = 10 * 1024**2
KINDS = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""By their first bytes: what may be handed in."""
TASK = "task:bank"


# -- Accounts ----------------------------------------------------------------------------------------------------------


def give_account(
    payee: Payee, *, holder: str, iban: str, bic: str = "", by: str, days: int, at: datetime
) -> BankChange:
    """Keep an account for a payee; it counts after so many days, or when finance staff confirm it. Raises BankRefused.

    One that still waits is followed by it. With one that is in force already nothing is changed, and it is refused.
    """
    bank = payees.read_bank(holder=holder, iban=iban, bic=bic)
    with transaction.atomic():
        payees.hold(payee)
        now = BankDetails.objects.filter(payee=payee).first()
        if now is not None and (now.holder, now.iban, now.bic) == (bank.holder, bank.iban, bank.bic):
            raise BankRefused("This is the account that is paid to already. Nothing was changed.")
        payees.end_waiting(payee, reason="followed by another", by=by, at=at)
        return BankChange.objects.create(
            payee=payee, holder=bank.holder, iban=bank.iban, bic=bank.bic, ends=bank.iban[-4:],
            given_by=by, given_at=at, usable_from=at + timedelta(days=days),
        )  # fmt: skip


def confirm_account(change: BankChange, *, by: str, at: datetime) -> BankChange:
    """Somebody else made sure that the account is the payee's: it counts now. Raises BankRefused."""
    if by == change.given_by:
        raise BankRefused("You gave this account. Somebody else confirms it, or it counts when it has waited.")
    with transaction.atomic():
        return _take(_waiting(change), by=by, at=at)


def refuse_account(change: BankChange, *, reason: str, by: str, at: datetime) -> BankChange:
    """It is not taken, for a reason; payouts go on as before. Raises BankRefused."""
    if not reason.strip():
        raise BankRefused("Say why the account is not taken: the label reads it.")
    with transaction.atomic():
        return _answer(_waiting(change), BankChange.State.REFUSED, by=by, at=at, reason=reason.strip()[:500])


def take_due(*, at: datetime) -> list[BankChange]:
    """Pay from now on to the accounts that have waited long enough. Twice is once."""
    due = BankChange.objects.filter(state=BankChange.State.WAITING, usable_from__lte=at).select_related("payee")
    taken = []
    for change in list(due):
        with transaction.atomic():
            row = _held(change)
            if row.state == BankChange.State.WAITING:
                taken.append(_take(row, by=TASK, at=at))
    return taken


def _held(change: BankChange) -> BankChange:
    """The change as it is now; whoever answers for an account holds its payee."""
    payees.hold(change.payee)
    return BankChange.objects.select_related("payee").get(pk=change.pk)


def _waiting(change: BankChange) -> BankChange:
    row = _held(change)
    if row.state != BankChange.State.WAITING:
        raise BankRefused("This account has been answered for already. Look at the page again.")
    return row


def _take(change: BankChange, *, by: str, at: datetime) -> BankChange:
    bank = payees.Bank(change.holder, change.iban, change.bic)
    _answer(change, BankChange.State.TAKEN, by=by, at=at)
    payees.use_bank(change.payee, bank, by=change.given_by, at=at)
    return change


def _answer(change: BankChange, state: str, *, by: str, at: datetime, reason: str = "") -> BankChange:
    """The number goes with the answer: it is kept where it is paid to, and nowhere else."""
    change.state, change.answered_by, change.answered_at, change.reason = state, by, at, reason
    change.iban = change.bic = ""
    change.save(update_fields=["state", "answered_by", "answered_at", "reason", "iban", "bic"])
    return change


# -- Tax forms ---------------------------------------------------------------------------------------------------------


def give_paper(
    payee: Payee, *, kind: str, country: str, rate: int, valid_from: date, valid_to: date, data: bytes, by: str,
    at: datetime,
) -> TaxPaper:  # fmt: skip
    """Keep a tax form with what it is said to say; `rate` in millionths is what it claims. Raises TaxFormRefused."""
    payees.check_form(payee, kind=kind, country=country, valid_from=valid_from, valid_to=valid_to)
    if len(data) > MOST_BYTES:
        raise TaxFormRefused(f"The file is larger than {MOST_BYTES // 1024**2} MB. Hand in a smaller scan.")
    media_type = next((name for start, name in KINDS.items() if data.startswith(start)), "")
    if not media_type:
        raise TaxFormRefused("The form must be a PDF, a PNG or a JPEG; this file is none of them.")
    sha256 = hashlib.sha256(data).hexdigest()
    storage, name = paper_storage(), f"tax-forms/{sha256}"
    if not storage.exists(name):
        name = storage.save(name, ContentFile(data))
    return TaxPaper.objects.create(
        payee=payee, kind=kind, country=country, rate=rate, valid_from=valid_from, valid_to=valid_to, file=name,
        media_type=media_type, sha256=sha256, bytes=len(data), handed_by=by, handed_at=at,
    )  # fmt: skip


def accept_paper(
    paper: TaxPaper, *, kind: str, country: str, rate: int, valid_from: date, valid_to: date, by: str, at: datetime
) -> TaxForm:
    """Staff read the form: what they read on it is kept, and counts from now on. Raises TaxFormRefused."""
    with transaction.atomic():
        row = _unread(paper, by)
        form = payees.give_form(
            row.payee, kind=kind, country=country, rate=rate, valid_from=valid_from, valid_to=valid_to, by=by, at=at
        )
        row.state, row.form, row.answered_by, row.answered_at = TaxPaper.State.ACCEPTED, form, by, at
        row.save(update_fields=["state", "form", "answered_by", "answered_at"])
    return form


def refuse_paper(paper: TaxPaper, *, reason: str, by: str, at: datetime) -> TaxPaper:
    """It changes nothing, for a reason that the label reads. Raises TaxFormRefused."""
    if not reason.strip():
        raise TaxFormRefused("Say what is wrong with the form: the label reads it.")
    with transaction.atomic():
        row = _unread(paper, by)
        row.state, row.reason = TaxPaper.State.REFUSED, reason.strip()[:500]
        row.answered_by, row.answered_at = by, at
        row.save(update_fields=["state", "reason", "answered_by", "answered_at"])
    return row


def _unread(paper: TaxPaper, by: str) -> TaxPaper:
    row = TaxPaper.objects.select_for_update(of=["self"]).select_related("payee").get(pk=paper.pk)
    if row.state != TaxPaper.State.WAITING:
        raise TaxFormRefused("This form has been answered for already. Look at the page again.")
    if by == row.handed_by:
        raise TaxFormRefused("You handed this form in. Somebody else reads it.")
    return row
