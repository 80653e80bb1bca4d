"""Codes that take something off, and the orders they were redeemed for."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from store.models.columns import MOST_MINOR, chargeable
from store.models.people import User


class Code(models.Model):
    """A word that takes so many per cent, or an amount, off the music it is for: of a release, a label, or the shop.

    What a label makes, the label bears, because its price is lower; what the shop makes, its commission bears. `used`
    counts the orders that hold it: a trigger takes it with each redemption, or refuses that, and gives it back when an
    order is cancelled.
    """

    class Bearer(models.TextChoices):
        LABEL = "LABEL"
        SHOP = "SHOP"

    text = models.CharField(max_length=40, unique=True)
    batch = models.CharField(max_length=80, blank=True)
    bearer = models.CharField(max_length=5, choices=Bearer)
    label = models.ForeignKey("catalog.Party", models.PROTECT, null=True, blank=True, related_name="+")
    release = models.ForeignKey("catalog.Release", models.PROTECT, null=True, blank=True, related_name="+")
    percent = models.PositiveSmallIntegerField(null=True, blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    used = models.PositiveIntegerField(default=0)
    made_by = models.CharField(max_length=100)
    made_at = models.DateTimeField(default=timezone.now)
    ended_by = models.CharField(max_length=100, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(text__regex=r"^[A-Z0-9][A-Z0-9-]{2,38}[A-Z0-9]$"), name="code_text_form"
            ),
            models.CheckConstraint(
                condition=Q(bearer="SHOP") | Q(label__isnull=False), name="code_label_bears_its_own"
            ),
            models.CheckConstraint(condition=Q(release=None) | Q(label__isnull=False), name="code_release_has_label"),
            models.CheckConstraint(
                condition=Q(percent__gte=1, percent__lte=100, amount_minor=None, currency="")
                | (Q(percent=None, amount_minor__gt=0, amount_minor__lte=MOST_MINOR) & chargeable()),
                name="code_percent_or_amount",
            ),
            models.CheckConstraint(condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="code_ends_later"),
            models.CheckConstraint(condition=Q(max_uses=None) | Q(used__lte=F("max_uses")), name="code_used_bounds"),
        ]
        indexes = [models.Index(fields=["label", "-made_at"], name="code_of_label")]

    def __str__(self) -> str:
        return self.text


class Redemption(models.Model):
    """A code that an order holds. An order holds one at most, and a buyer redeems each code once.

    `released_at`: the order was cancelled, and the code is free again. Should the order be paid all the same, its buyer
    has what she was promised, and the code stays free.
    """

    code = models.ForeignKey(Code, models.PROTECT, related_name="redemptions")
    order = models.OneToOneField("store.Order", models.PROTECT, related_name="redemption")
    buyer = models.ForeignKey(User, models.PROTECT, related_name="+")
    discount_minor = models.BigIntegerField()
    redeemed_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["code", "buyer"], condition=Q(released_at=None), name="redemption_once_each_buyer"
            ),
            models.CheckConstraint(
                condition=Q(discount_minor__gt=0, discount_minor__lte=MOST_MINOR), name="redemption_takes_off"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code_id} for order {self.order_id}"
