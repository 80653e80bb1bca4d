"""Whole catalogues that have to be decided anew."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from licensing.models.columns import exactly_one


class Reclearance(models.Model):
    """Everything that a wide grant, a large notice or a writer's mandate touches is owed a new decision.

    Written by triggers in the transaction of the act, and worked off in the order of the recordings' keys; those up to
    `cursor` are done. While a row that `closes` is not done, no decision that hangs on
    its catalogue counts for a sale, a list or a preview. `fence` grows with each claim: a worker that was thought dead
    and wakes up finds another number and writes nothing.
    """

    grant = models.ForeignKey(
        "licensing.LicenceGrant", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    label = models.ForeignKey("catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    writer = models.ForeignKey("catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    work = models.ForeignKey("catalog.Work", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    release = models.ForeignKey("catalog.Release", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    everything = models.BooleanField(default=False)
    cause = models.CharField(max_length=60)
    closes = models.BooleanField(default=False)
    part = models.PositiveSmallIntegerField(default=0)
    parts = models.PositiveSmallIntegerField(default=1)
    cursor = models.BigIntegerField(default=0)
    decided = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(db_default=Now())
    claimed_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="reclearance_one_scope",
                condition=(exactly_one("grant", "label", "writer", "work", "release") & Q(everything=False))
                | Q(grant=None, label=None, writer=None, work=None, release=None, everything=True),
            ),
            models.CheckConstraint(
                name="reclearance_part_of_parts", condition=Q(parts__gt=0, part__lt=models.F("parts"))
            ),
        ]
        indexes = [models.Index(name="reclearance_open", fields=["id"], condition=Q(done_at=None))]

    def __str__(self) -> str:
        return f"{self.cause} {self.pk}"
