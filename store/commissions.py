"""What the store keeps of a sale: its own percentage, or what a contract with the label says for the day."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from catalog.models import Party
from store.errors import ContractRefused
from store.models import CommissionContract


def agree(
    label: Party, *, share: Fraction, starts_on: date, agreement: str, actor: str, until: date | None = None
) -> CommissionContract:
    """Record what a contract says the store keeps of the label's sales from a day on. Raises ContractRefused.

    `agreement` names the contract. A contract that holds on one of these days has to be ended first.
    """
    if not 0 <= share <= 1:
        raise ContractRefused("A commission is from nought to the whole of the price without tax.")
    works = Fraction(settings.WORK_ROYALTY_PERCENT) / 100
    if share + works > 1:
        raise ContractRefused(
            f"The works get {settings.WORK_ROYALTY_PERCENT}% of a price without tax, so that the store cannot keep "
            "more than the rest."
        )
    if not agreement.strip():
        raise ContractRefused("Name the contract that says so.")
    try:
        with transaction.atomic():
            return CommissionContract.objects.create(
                label=label,
                share_numerator=share.numerator,
                share_denominator=share.denominator,
                starts_on=starts_on,
                until=until,
                agreement=agreement.strip(),
                recorded_by=actor,
            )
    except IntegrityError as error:
        raise ContractRefused(
            f"A contract with {label} holds on one of these days, or the days are in no order. End the earlier first."
        ) from error


def end(contract: CommissionContract, *, until: date, by: str = "") -> CommissionContract:
    """End a contract; `until` is the first day on which it no longer holds. A contract is ended once."""
    with transaction.atomic():
        contract = CommissionContract.objects.select_for_update().get(pk=contract.pk)
        if contract.until is not None:
            raise ContractRefused(f"This contract already ends on {contract.until}.")
        contract.until, contract.ended_by = max(until, contract.starts_on), by[:100]
        contract.save(update_fields=["until", "ended_by"])
    return contract


def in_force(labels: Iterable[int], *, on: date) -> dict[int, Fraction]:
    """What the store keeps of each label's sales on that day. One query."""
    usual = Fraction(settings.COMMISSION_PERCENT) / 100
    found = dict.fromkeys(labels, usual)
    rows = CommissionContract.objects.filter(
        Q(until=None) | Q(until__gt=on), label_id__in=list(found), starts_on__lte=on
    )
    found.update({row.label_id: Fraction(row.share_numerator, row.share_denominator) for row in rows})
    return found
