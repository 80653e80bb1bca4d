"""Bytes that approvals rest on, and what they were when they were last looked at."""

from enum import StrEnum

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from licensing.models.columns import choices, one_of


class Place(StrEnum):
    """Where the bytes are kept: the evidence storage, a row's own text, or a storage of the app above."""

    EVIDENCE = "EVIDENCE"
    TEXT = "TEXT"
    AUDIO = "AUDIO"


class ByteCheck(models.Model):
    """One content that an approval rests on, and what it was found to be when it was last hashed.

    A trigger writes the row with the evidence (migration 0010), so that none is forgotten; what keeps other bytes asks
    for theirs by `scrubbing.watch`. Bytes that several pieces of evidence share have one row. `found_sha256` is null
    before the first look and "" where the bytes were gone. `altered_at` says since when they are known to be others.
    """

    place = models.CharField(max_length=8, choices=choices(Place))
    key = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    found_sha256 = models.CharField(max_length=64, null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(db_default=Now())
    altered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="byte_check_once", fields=["place", "key", "sha256"]),
            models.CheckConstraint(name="byte_check_place_known", condition=one_of("place", Place)),
            models.CheckConstraint(name="byte_check_has_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
        ]
        indexes = [
            models.Index(name="byte_check_due", fields=["next_check_at", "id"]),
            models.Index(name="byte_check_altered", fields=["place", "sha256"], condition=Q(altered_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_place_display()} {self.sha256[:12]}"
