"""Demands that something stop, and their ends."""

import uuid

from django.db import models
from django.db.models import Q

from licensing.models.columns import choices, exactly_one, one_of
from licensing.models.grants import Instrument
from licensing.terms import Layer, NoticeKind


class Notice(models.Model):
    """Somebody demands that something stop: who, about what, on what ground. It holds until a `NoticeEnd`.

    `answers` links a counter-notice or a repeated notice to the one before. A dispute names the `layer` it is about.
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


class NoticeEnd(models.Model):
    """The notice no longer holds. One end a notice; a repeated demand is a new notice."""

    append_only = True

    notice = models.OneToOneField(Notice, on_delete=models.PROTECT, related_name="end")
    reason = models.TextField()
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="notice_end_reasoned", condition=~Q(reason="") & ~Q(actor=""))]

    def __str__(self) -> str:
        return f"lifted {self.at:%Y-%m-%d}"
