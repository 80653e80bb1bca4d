"""Demands that something stop, what was answered to them, and their ends."""

import uuid

from django.db import models
from django.db.models import F, Q

from licensing.models.columns import choices, exactly_one, one_of
from licensing.models.grants import Instrument, RightsHolder
from licensing.notice_rules import NoticeOutcome, Side, StepKind
from licensing.terms import Layer, NoticeKind


class Notice(models.Model):
    """Somebody demands that something stop: who, about what, on what ground. It holds until a `NoticeEnd`.

    `answers` links a repeated notice to the one before. A dispute names the `layer` it is about. `deadline` is the time
    until which the label is asked to answer, or until which an order holds by its own words.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=choices(NoticeKind))
    recording = models.ForeignKey(
        "catalog.Recording", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work = models.ForeignKey("catalog.Work", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    release = models.ForeignKey("catalog.Release", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    label = models.ForeignKey("catalog.Party", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    layer = models.CharField(max_length=10, choices=choices(Layer), blank=True)
    claimant = models.CharField(max_length=200)
    contact = models.CharField(max_length=200, blank=True)
    statement = models.TextField()
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    answers = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="answered_by")
    deadline = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="notice_kind_known", condition=one_of("kind", NoticeKind)),
            models.CheckConstraint(name="notice_layer_known", condition=one_of("layer", Layer, blank=True)),
            models.CheckConstraint(
                name="notice_one_subject", condition=exactly_one("recording", "work", "release", "label")
            ),
            models.CheckConstraint(name="notice_says_who", condition=~Q(claimant="") & ~Q(statement="") & ~Q(actor="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.claimant}"


class NoticeStep(models.Model):
    """Something said about a notice while it holds: by the label, by whoever demanded it, or by the desk.

    A COUNTER starts a clock that ends at `deadline`; `restores_by_itself` is the store's policy on that day. A CONTEST
    (the claimant went to court, or shows better proof) stops it. A WITHDRAWAL is the claimant's wish; the desk acts.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=10, choices=choices(StepKind))
    side = models.CharField(max_length=8, choices=choices(Side))
    name = models.CharField(max_length=200)
    contact = models.CharField(max_length=200, blank=True)
    statement = models.TextField()
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    deadline = models.DateTimeField(null=True, blank=True)
    restores_by_itself = models.BooleanField(null=True, blank=True)
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(name="notice_step_kind_known", condition=one_of("kind", StepKind)),
            models.CheckConstraint(name="notice_step_side_known", condition=one_of("side", Side)),
            models.CheckConstraint(
                name="notice_step_says_who", condition=~Q(name="") & ~Q(statement="") & ~Q(actor="")
            ),
            models.CheckConstraint(
                name="notice_counter_has_clock",
                condition=~Q(kind="COUNTER") | Q(deadline__isnull=False, restores_by_itself__isnull=False),
            ),
            models.UniqueConstraint(name="notice_counter_once", fields=["notice"], condition=Q(kind="COUNTER")),
            models.UniqueConstraint(name="notice_contest_once", fields=["notice"], condition=Q(kind="CONTEST")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.name}"


class NoticeEnd(models.Model):
    """The notice no longer holds. One end a notice; a repeated demand is a new notice.

    `outcome` is empty only in rows from before outcomes were kept. What was held back of the money goes by the awards.
    """

    append_only = True

    notice = models.OneToOneField(Notice, on_delete=models.PROTECT, related_name="end")
    reason = models.TextField()
    outcome = models.CharField(max_length=10, choices=choices(NoticeOutcome), null=True, blank=True)
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="notice_end_reasoned", condition=~Q(reason="") & ~Q(actor="")),
            models.CheckConstraint(
                name="notice_outcome_known", condition=Q(outcome__isnull=True) | one_of("outcome", NoticeOutcome)
            ),
        ]

    def __str__(self) -> str:
        return f"lifted {self.at:%Y-%m-%d}"


class NoticeAward(models.Model):
    """A dispute ended so: this part of what was in dispute is this holder's. What no award names is as it was."""

    append_only = True

    end = models.ForeignKey(NoticeEnd, on_delete=models.PROTECT, related_name="awards")
    holder = models.ForeignKey(RightsHolder, on_delete=models.PROTECT, related_name="+")
    share_numerator = models.BigIntegerField(default=1)
    share_denominator = models.BigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="award_once_a_holder", fields=["end", "holder"]),
            models.CheckConstraint(
                name="award_is_a_part",
                condition=Q(
                    share_numerator__gt=0, share_denominator__gt=0, share_numerator__lte=F("share_denominator")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.share_numerator}/{self.share_denominator} to holder {self.holder_id}"
