"""Money that went back to a buyer: refunds that we decided, chargebacks that her bank did. What of which line."""

from django.db import models
from django.db.models import F, Q

from store.models.orders import OrderLine


class LineRefund(models.Model):
    """A decision to give back a line, or a part of it: by whom, why, and what came of it.

    A whole one ends the buyer's right to the files; a part leaves it. `reference` is its name at Stripe and in the
    ledger. Of the amount `credit_minor` goes back into the buyer's wallet, the rest to her card. A FAILED one freed
    what it had reserved, and a new decision may follow. With a `vat_check` it is the tax of the line and nothing else,
    because that number was found valid late; a trigger holds that VIES said so.
    """

    class State(models.TextChoices):
        DUE = "DUE", "on its way"
        DONE = "DONE", "paid back"
        FAILED = "FAILED", "refused by the bank"

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="line_refunds")
    reference = models.CharField(max_length=120, unique=True)
    amount_minor = models.BigIntegerField()
    credit_minor = models.BigIntegerField(default=0, db_default=0)
    whole = models.BooleanField()
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=100)
    state = models.CharField(max_length=6, choices=State, default=State.DUE)
    decided_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    vat_check = models.ForeignKey("store.VatCheck", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-decided_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(vat_check=None) | Q(whole=False), name="linerefund_of_tax_is_a_part"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="linerefund_is_money"),
            models.CheckConstraint(
                condition=Q(credit_minor__gte=0, credit_minor__lte=F("amount_minor")), name="linerefund_credit_bounds"
            ),
            models.UniqueConstraint(
                fields=["line"],
                condition=Q(vat_check__isnull=False) & ~Q(state="FAILED"),
                name="linerefund_of_tax_once",
            ),
            models.UniqueConstraint(
                fields=["line"], condition=Q(whole=True) & ~Q(state="FAILED"), name="linerefund_whole_once"
            ),
            models.CheckConstraint(
                condition=Q(state="DUE", closed_at=None) | (~Q(state="DUE") & Q(closed_at__isnull=False)),
                name="linerefund_closed_has_time",
            ),
        ]
        indexes = [models.Index(fields=["state"], condition=Q(state="DUE"), name="linerefund_due")]

    def __str__(self) -> str:
        return self.reference


class LineChargeback(models.Model):
    """What a buyer's bank took of a line, and whether it came back."""

    class State(models.TextChoices):
        TAKEN = "TAKEN", "taken while the bank decides"
        PUT_BACK = "PUT_BACK", "put back: we won"
        LOST = "LOST", "gone: the buyer won"

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="chargebacks")
    chargeback = models.ForeignKey("payments.Chargeback", models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.TAKEN)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["line", "chargeback"], name="linechargeback_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="linechargeback_is_money"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of line {self.line_id}"
