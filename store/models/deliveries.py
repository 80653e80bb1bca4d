"""What labels hand in: folders of recordings, and tables of licence records."""

import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Delivery(models.Model):
    """One folder handed in by a label, and what the label declared about it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    folder_name = models.CharField(max_length=500)
    actor = models.CharField(max_length=100)
    declaration = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.folder_name} ({self.started_at:%Y-%m-%d})"


class DeliveryLine(models.Model):
    """What became of one delivered file, and what to do where it could not be taken."""

    class Outcome(models.TextChoices):
        DELIVERED = "DELIVERED"
        ALREADY_HERE = "ALREADY_HERE"
        REFUSED = "REFUSED"
        WARNED = "WARNED"

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="lines")
    path = models.CharField(max_length=1000)
    file_sha256 = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome)
    code = models.CharField(max_length=50, blank=True)
    message = models.TextField(blank=True)
    recording = models.ForeignKey("catalog.Recording", models.PROTECT, null=True, blank=True, related_name="+")
    track = models.ForeignKey("catalog.Track", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["file_sha256"], name="deliveryline_file"),
            models.Index(fields=["code"], condition=~Q(code=""), name="deliveryline_code"),
        ]

    def __str__(self) -> str:
        return f"{self.path}: {self.outcome}"


class RecordImport(models.Model):
    """A table of licence records (CSV) that a label handed in: staged, shown as what it would change, then applied.

    `text` is the table as it was handed in, `papers` the evidence that came with it, by file name. `plan_sha256` is the
    hash of what was shown last: only that is applied, all of it or nothing.
    """

    class State(models.TextChoices):
        STAGED = "STAGED"
        APPLIED = "APPLIED"
        DROPPED = "DROPPED"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    text = models.TextField()
    papers = models.JSONField(default=dict)
    actor = models.CharField(max_length=100)
    state = models.CharField(max_length=7, choices=State, default=State.STAGED)
    plan_sha256 = models.CharField(max_length=64, blank=True)
    made = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(name="record_import_state", condition=Q(state__in=["STAGED", "APPLIED", "DROPPED"])),
        ]
        indexes = [models.Index(name="record_import_label", fields=["label", "-id"])]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"
