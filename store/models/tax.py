"""What the tax of a sale rests on: rates that the operator confirmed, and what VIES said of a business."""

import uuid

from django.db import models
from django.db.models import Q

from store.models.people import User


class RateConfirmation(models.Model):
    """Somebody compared a row of the rate table with the law. It speaks of that very rate and of no other."""

    append_only = True

    country = models.CharField(max_length=2)
    since = models.DateField()
    basis_points = models.IntegerField()
    confirmed_by = models.CharField(max_length=100)
    note = models.TextField(blank=True)
    confirmed_at = models.DateTimeField()

    class Meta:
        ordering = ["country", "since", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["country", "since", "basis_points"], name="rateconfirmation_once"),
            models.CheckConstraint(condition=~Q(confirmed_by=""), name="rateconfirmation_signed"),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.basis_points} since {self.since}"


class VatCheck(models.Model):
    """One question to VIES about a VAT number that a buyer gave, and its answer: the proof of a reverse charge.

    `company` and `address` are the buyer's own words for the invoice; `registered_name` and `registered_address` are
    what the member state tells, which some do not. `consultation` is VIES's number for our question.
    """

    append_only = True

    class State(models.TextChoices):
        VALID = "VALID", "valid"
        INVALID = "INVALID", "not valid"
        UNANSWERED = "UNANSWERED", "VIES did not answer"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    buyer = models.ForeignKey(User, models.PROTECT, related_name="+")
    country = models.CharField(max_length=2)
    vat_id = models.CharField(max_length=20)
    company = models.CharField(max_length=200)
    address = models.TextField()
    state = models.CharField(max_length=10, choices=State)
    consultation = models.CharField(max_length=60, blank=True)
    registered_name = models.CharField(max_length=500, blank=True)
    registered_address = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["VALID", "INVALID", "UNANSWERED"]), name="vatcheck_state"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="vatcheck_country_form"),
        ]

    def __str__(self) -> str:
        return f"{self.vat_id}: {self.get_state_display()}"
