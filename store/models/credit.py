"""Money paid ahead: credit and gift cards that were bought, and what was given back of them."""

import uuid

from django.db import models
from django.db.models import F, Q

from store.models.columns import MOST_MINOR
from store.models.people import User


class CreditPurchase(models.Model):
    """Credit for oneself, or a gift card for somebody: asked for, paid, and perhaps given back.

    `refunded_minor` counts what was asked back and not refused, so that it never exceeds what was paid.
    """

    class Kind(models.TextChoices):
        TOP_UP = "TOP_UP", "credit"
        GIFT_CARD = "GIFT_CARD", "gift card"

    class State(models.TextChoices):
        PLACED = "PLACED", "waits for the payment"
        PAID = "PAID", "paid"
        CANCELLED = "CANCELLED", "not paid"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    buyer = models.ForeignKey(User, models.PROTECT, related_name="credit_purchases")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.PLACED)
    recipient_email = models.EmailField(blank=True)
    message = models.CharField(max_length=500, blank=True)
    deliver_on = models.DateField(null=True, blank=True)
    request_key = models.CharField(max_length=100, unique=True)
    request_sha256 = models.CharField(max_length=64)
    placed_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    alert = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-placed_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, amount_minor__lte=MOST_MINOR), name="creditpurchase_amount_bounds"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="creditpurchase_never_refunded_above_paid",
            ),
            models.CheckConstraint(
                condition=~Q(state="PAID") | Q(paid_at__isnull=False), name="creditpurchase_paid_has_time"
            ),
            models.CheckConstraint(
                condition=Q(kind="TOP_UP", recipient_email="", deliver_on=None)
                | (Q(kind="GIFT_CARD", deliver_on__isnull=False) & ~Q(recipient_email="")),
                name="creditpurchase_gift_card_has_recipient",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="creditpurchase_to_check"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class GiftCard(models.Model):
    """A gift card that was paid for; its code is kept as a hash alone. Redeemed or called back, once."""

    purchase = models.OneToOneField(CreditPurchase, models.PROTECT, related_name="gift_card")
    code_sha256 = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    redeemed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    redeemed_at = models.DateTimeField(null=True, blank=True)
    called_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(redeemed_by=None, redeemed_at=None)
                | Q(redeemed_by__isnull=False, redeemed_at__isnull=False),
                name="giftcard_redeemed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(redeemed_at=None) | Q(called_back_at=None), name="giftcard_redeemed_or_called_back"
            ),
        ]

    def __str__(self) -> str:
        return f"gift card of {self.purchase_id}"


class CreditRefund(models.Model):
    """Credit that goes back to where it was paid from: taken out of the wallet first, then asked of Stripe."""

    class State(models.TextChoices):
        DUE = "DUE", "on its way"
        DONE = "DONE", "paid back"
        REFUSED = "REFUSED", "refused by Stripe, and back in the wallet"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    purchase = models.ForeignKey(CreditPurchase, models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.DUE)
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="creditrefund_amount_above_nought"),
            models.CheckConstraint(
                condition=Q(state="DUE", ended_at=None) | (~Q(state="DUE") & Q(ended_at__isnull=False)),
                name="creditrefund_ended_has_time",
            ),
        ]
        indexes = [models.Index(fields=["state"], condition=Q(state="DUE"), name="creditrefund_due")]

    def __str__(self) -> str:
        return f"{self.amount_minor} of {self.purchase_id}"
