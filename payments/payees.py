"""Those who are paid: their accounts at Stripe, which asks them who they are, and what finance staff enter of others.

What labels hand in for them is `payments.handed_in`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone
from stdnum import bic as bics
from stdnum import iban as ibans
from stdnum.exceptions import ValidationError

from payments import gateway
from payments.errors import BankRefused, PayeeNotReady, TaxFormRefused
from payments.models import BankChange, BankDetails, Payee, TaxForm

# Stripe's words for what it still needs, by how they begin; whatever else it asks for is shown as it says it.
WANTS = (
    ("external_account", "a bank account to pay to"),
    ("tos_acceptance", "that they accept Stripe's terms"),
    ("individual.dob", "the date of birth"),
    ("individual.verification", "a document that proves who they are"),
    ("individual.address", "the address"),
    ("individual", "name and contact of the person"),
    ("representative", "who represents the company"),
    ("person_", "who represents the company"),
    ("owners", "who owns the company"),
    ("directors", "who directs the company"),
    ("company", "name, address and number of the company"),
    ("business_profile", "what they do"),
    ("business_type", "whether they are a person or a company"),
)


def ensure_account(payee: Payee) -> Payee:
    """Give the payee an account at Stripe if it has none, and keep its id; run again, it is the same account.

    Raises StripeFailed.
    """
    if payee.stripe_account_id:
        return payee
    facts = gateway.create_account(
        name=payee.name,
        email=payee.email,
        country=payee.country,
        reference=str(payee.public_id),
        idempotency_key=f"payee:{payee.public_id}",
    )
    Payee.objects.filter(pk=payee.pk, stripe_account_id="").update(
        stripe_account_id=facts.stripe_id, state=Payee.State.ONBOARDING
    )
    payee.refresh_from_db()
    return refresh_payee(payee)


def refresh_payee(payee: Payee) -> Payee:
    """Ask Stripe whether the payee can be paid now, and keep the answer."""
    if not payee.stripe_account_id:
        return payee
    facts = gateway.read_account(payee.stripe_account_id)
    state = Payee.State.READY if facts.can_receive else Payee.State.ONBOARDING
    Payee.objects.filter(pk=payee.pk).update(
        state=state,
        stripe_wants=[one[:120] for one in facts.wants],
        stripe_says=facts.disabled_reason[:120],
        asked_at=timezone.now(),
    )
    payee.refresh_from_db()
    return payee


def wanted(payee: Payee) -> list[str]:
    """What Stripe still has to be told, in words, each once."""
    words: dict[str, None] = {}
    for asked in payee.stripe_wants:
        words[next((word for start, word in WANTS if asked.startswith(start)), asked)] = None
    return list(words)


def onboarding_link(payee: Payee, *, refresh_url: str, return_url: str) -> str:
    """The address where the payee tells Stripe who it is; good once and for minutes, so made at each click."""
    payee = ensure_account(payee)
    return gateway.account_link(payee.stripe_account_id, refresh_url=refresh_url, return_url=return_url)


def find_by_account(stripe_account_id: str) -> Payee | None:
    return Payee.objects.filter(stripe_account_id=stripe_account_id).first() if stripe_account_id else None


def require_ready(payee: Payee) -> None:
    """Raises PayeeNotReady where Stripe would not take money for the payee."""
    if payee.state != Payee.State.READY:
        raise PayeeNotReady(f"{payee.name} cannot be paid yet: {payee.get_state_display()}. Send the onboarding link.")


@dataclass(frozen=True, slots=True)
class Bank:
    """An account as banks write it: the number checked, without blanks."""

    holder: str
    iban: str
    bic: str = ""


def read_bank(*, holder: str, iban: str, bic: str = "") -> Bank:
    """Raises BankRefused, without repeating the number, where it cannot be an IBAN or a BIC."""
    try:
        number = ibans.validate(iban)
    except ValidationError:
        raise BankRefused("This is no IBAN: a letter or digit is wrong. Copy it from a bank statement.") from None
    try:
        bank = bics.validate(bic) if bic.strip() else ""
    except ValidationError:
        raise BankRefused("This is no BIC. Leave it empty: the IBAN is enough.") from None
    if not holder.strip():
        raise BankRefused("Say in whose name the account is.")
    return Bank(holder.strip()[:70], number, bank)


def hold(payee: Payee) -> None:
    """Let nobody else change where this payee is paid until the caller's transaction ends.

    Taken before any account of the payee is read or locked, so that of two at once neither waits for the other's.
    """
    Payee.objects.select_for_update(no_key=True).get(pk=payee.pk)


def end_waiting(payee: Payee, *, reason: str, by: str, at: datetime) -> None:
    """No account that was given for the payee comes to count any more; the caller holds the payee."""
    BankChange.objects.filter(payee=payee, state=BankChange.State.WAITING).update(
        state=BankChange.State.REFUSED, reason=reason, answered_by=by, answered_at=at, iban="", bic=""
    )


def give_bank(payee: Payee, *, holder: str, iban: str, bic: str = "", by: str, at: datetime) -> BankDetails:
    """Where a payee is paid, entered by finance staff: it counts at once, and its payouts go by bank transfer.

    Raises BankRefused.
    """
    bank = read_bank(holder=holder, iban=iban, bic=bic)
    with transaction.atomic():
        hold(payee)
        end_waiting(payee, reason="followed by another", by=by, at=at)
        BankChange.objects.create(
            payee=payee, holder=bank.holder, ends=bank.iban[-4:], given_by=by, given_at=at, usable_from=at,
            state=BankChange.State.TAKEN, answered_by=by, answered_at=at,
        )  # fmt: skip
        return use_bank(payee, bank, by=by, at=at)


def use_bank(payee: Payee, bank: Bank, *, by: str, at: datetime) -> BankDetails:
    """Pay to this account from now on, in the caller's transaction; the change that says so was taken at `at`."""
    details, _ = BankDetails.objects.update_or_create(
        payee=payee,
        defaults={"holder": bank.holder, "iban": bank.iban, "bic": bank.bic, "given_by": by, "given_at": at},
    )
    Payee.objects.filter(pk=payee.pk).update(route=Payee.Route.SEPA)
    payee.refresh_from_db()
    return details


def check_form(payee: Payee, *, kind: str, country: str, valid_from: date, valid_to: date) -> None:
    """Raises TaxFormRefused for a form that cannot speak for this payee."""
    if valid_to < valid_from:
        raise TaxFormRefused("The form ends before it begins.")
    if kind in {TaxForm.Kind.W9, TaxForm.Kind.W8BEN} and country != "US":
        raise TaxFormRefused(f"{kind} is a form of the United States.")
    if kind == TaxForm.Kind.W9 and payee.country != "US":
        raise TaxFormRefused("A W-9 is for residents of the United States; this payee needs a W-8BEN.")
    if kind == TaxForm.Kind.W8BEN and payee.country == "US":
        raise TaxFormRefused("A W-8BEN is for residents of other countries; this payee needs a W-9.")


def give_form(
    payee: Payee, *, kind: str, country: str, rate: int, valid_from: date, valid_to: date, by: str, at: datetime
) -> TaxForm:
    """Keep a tax form that a payee gave; `rate` in millionths is what it claims. The latest one counts.

    Raises TaxFormRefused for one that cannot speak for this payee.
    """
    check_form(payee, kind=kind, country=country, valid_from=valid_from, valid_to=valid_to)
    return TaxForm.objects.create(
        payee=payee, kind=kind, country=country, rate=rate, valid_from=valid_from, valid_to=valid_to,
        received_at=at, received_by=by,
    )  # fmt: skip


def forms(payee: Payee) -> Sequence[TaxForm]:
    return list(payee.tax_forms.all())
