"""Who is paid on whose behalf, and what waits because of a dispute."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from store.models.orders import OrderLine


class LetterOfDirection(models.Model):
    """ "Pay this party on my behalf, from this day": links a rights holder to a payee, with a history.

    Letters are ended (`until`, the first day they no longer hold) and followed by new ones, never edited. `layer` is
    RECORDING or WORK; blank holds for both. `share` is the payee's part of what the holder is owed.
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

    class Meta:
        ordering = ["holder_id", "starts_on", "pk"]
        verbose_name_plural = "letters of direction"
        constraints = [
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
