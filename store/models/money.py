"""Who is paid on whose behalf, what was agreed with a label, and what is kept back of a sale."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from store.models.orders import OrderLine


class LetterOfDirection(models.Model):
    """ "Pay this party on my behalf, from this day": links a rights holder to a payee, with a history.

    Letters are ended (`until`, the first day they no longer hold) and followed by new ones, never edited. `layer` is
    RECORDING or WORK; blank holds for both. `share` is the payee's part of what the holder is owed. A letter about one
    recording counts before those about a release it is sold on, and these before the holder's general ones. On no day
    do the letters of one scope give away more than the whole (a trigger, in exact fractions).
    """

    holder = models.ForeignKey("licensing.RightsHolder", models.PROTECT, related_name="+")
    payee = models.ForeignKey("payments.Payee", models.PROTECT, related_name="+")
    layer = models.CharField(max_length=20, blank=True)
    share_numerator = models.BigIntegerField(default=1)
    share_denominator = models.BigIntegerField(default=1)
    starts_on = models.DateField()
    until = models.DateField(null=True, blank=True)
    signed_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    release = models.ForeignKey("catalog.Release", models.PROTECT, null=True, blank=True, related_name="+")
    recording = models.ForeignKey("catalog.Recording", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["holder_id", "starts_on", "pk"]
        verbose_name_plural = "letters of direction"
        constraints = [
            models.CheckConstraint(condition=Q(release=None) | Q(recording=None), name="letter_one_scope"),
            models.CheckConstraint(condition=~Q(signed_by=""), name="letter_signed"),
            models.CheckConstraint(condition=Q(layer__in=["", "RECORDING", "WORK"]), name="letter_layer_known"),
            models.CheckConstraint(
                condition=Q(
                    share_numerator__gt=0, share_denominator__gt=0, share_numerator__lte=F("share_denominator")
                ),
                name="letter_share_bounds",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("starts_on")), name="letter_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"holder {self.holder_id} → payee {self.payee_id}"


class HeldShare(models.Model):
    """Money of a sale that waits because the right behind it is in dispute: how much, of which holder, since when.

    Nothing here moves but the release: the ledger's transfer that paid it out once the dispute had ended.
    """

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="held_shares")
    recording = models.ForeignKey("catalog.Recording", models.PROTECT, related_name="+")
    layer = models.CharField(max_length=20)
    holder = models.ForeignKey("licensing.RightsHolder", models.PROTECT, related_name="+")
    payee = models.ForeignKey("payments.Payee", models.PROTECT, null=True, blank=True, related_name="+")
    account = models.ForeignKey("payments.Account", models.PROTECT, related_name="+")
    micros = models.BigIntegerField()
    notice = models.ForeignKey("licensing.Notice", models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=40)
    held_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    release_reference = models.CharField(max_length=160, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "recording", "layer", "holder", "payee"],
                name="heldshare_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(layer__in=["RECORDING", "WORK"]), name="heldshare_layer_known"),
            models.CheckConstraint(condition=Q(micros__gt=0), name="heldshare_is_money"),
            models.CheckConstraint(
                condition=Q(released_at=None, release_reference="")
                | (Q(released_at__isnull=False) & ~Q(release_reference="")),
                name="heldshare_release_whole",
            ),
        ]
        indexes = [models.Index(fields=["recording"], condition=Q(released_at=None), name="heldshare_waiting")]

    def __str__(self) -> str:
        return f"{self.micros} of line {self.line_id}"


class CommissionContract(models.Model):
    """What the store keeps of a label's sales by contract, from a day on, in place of the store's own percentage.

    Ended and followed, never edited; at most one holds on any day (a trigger).
    """

    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    share_numerator = models.BigIntegerField()
    share_denominator = models.BigIntegerField()
    starts_on = models.DateField()
    until = models.DateField(null=True, blank=True)
    agreement = models.CharField(max_length=200)
    recorded_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)
    ended_by = models.CharField(max_length=100, blank=True, default="", db_default="")

    class Meta:
        ordering = ["label_id", "starts_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    share_numerator__gte=0, share_denominator__gt=0, share_numerator__lte=F("share_denominator")
                ),
                name="commission_share_bounds",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("starts_on")), name="commission_ends_after_start"
            ),
            models.CheckConstraint(condition=~Q(agreement="") & ~Q(recorded_by=""), name="commission_agreed"),
        ]

    def __str__(self) -> str:
        return f"{self.share_numerator}/{self.share_denominator} of label {self.label_id}"


class Advance(models.Model):
    """Money that a holder gave a payee ahead of its earnings; kept back from them, and paid to `repaid_to` instead.

    `share` is the part of each earning that is kept until `recouped_micros` reaches the amount. Nothing else moves.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    holder = models.ForeignKey("licensing.RightsHolder", models.PROTECT, related_name="+")
    payee = models.ForeignKey("payments.Payee", models.PROTECT, related_name="+")
    repaid_to = models.ForeignKey("payments.Payee", models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()
    recouped_micros = models.BigIntegerField(default=0)
    share_numerator = models.BigIntegerField(default=1)
    share_denominator = models.BigIntegerField(default=1)
    given_on = models.DateField()
    agreement = models.CharField(max_length=200)
    recorded_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["given_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0, recouped_micros__gte=0, recouped_micros__lte=F("amount_micros")),
                name="advance_never_recouped_above_given",
            ),
            models.CheckConstraint(
                condition=Q(
                    share_numerator__gt=0, share_denominator__gt=0, share_numerator__lte=F("share_denominator")
                ),
                name="advance_share_bounds",
            ),
            models.CheckConstraint(condition=~Q(payee=F("repaid_to")), name="advance_between_two"),
            models.CheckConstraint(condition=~Q(agreement="") & ~Q(recorded_by=""), name="advance_agreed"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="advance_currency_form"),
        ]
        indexes = [
            models.Index(
                fields=["payee", "currency"],
                condition=Q(recouped_micros__lt=F("amount_micros")),
                name="advance_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount_micros} {self.currency} to payee {self.payee_id}"

    @property
    def rest_micros(self) -> int:
        """What is still to be recouped."""
        return self.amount_micros - self.recouped_micros


class Recoupment(models.Model):
    """What one line gave back of one advance; undone when the line was refunded."""

    advance = models.ForeignKey(Advance, models.PROTECT, related_name="recoupments")
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="recoupments")
    micros = models.BigIntegerField()
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["line", "advance"], name="recoupment_once"),
            models.CheckConstraint(condition=Q(micros__gt=0), name="recoupment_is_money"),
        ]

    def __str__(self) -> str:
        return f"{self.micros} of advance {self.advance_id} by line {self.line_id}"


class Reserve(models.Model):
    """What is held back of a line's payees until `release_on`, so that a refund finds it: work that is owed."""

    line = models.OneToOneField(OrderLine, models.PROTECT, related_name="reserve")
    micros = models.BigIntegerField()
    release_on = models.DateField()
    held_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    release_reference = models.CharField(max_length=160, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(micros__gt=0), name="reserve_is_money"),
            models.CheckConstraint(
                condition=Q(released_at=None, release_reference="")
                | (Q(released_at__isnull=False) & ~Q(release_reference="")),
                name="reserve_release_whole",
            ),
        ]
        indexes = [models.Index(fields=["release_on"], condition=Q(released_at=None), name="reserve_waiting")]

    def __str__(self) -> str:
        return f"{self.micros} of line {self.line_id} until {self.release_on}"
