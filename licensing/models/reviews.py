"""What reviewers said about grants."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from licensing.models.columns import choices, one_of
from licensing.models.grants import LicenceGrant
from licensing.terms import ReviewOutcome


class Review(models.Model):
    """A person's word on a grant, bound to the very evidence she saw and the very sound she heard.

    `second_needed` says that, by the store's policy on that day, one more independent approval of the same evidence and
    sound, by another reviewer, was needed before the record counts. `evidence_sha256` is the hash over the hashes of
    all evidence; `sound_sha256` that of the decoded master.
    """

    append_only = True

    grant = models.ForeignKey(LicenceGrant, on_delete=models.PROTECT, related_name="reviews")
    outcome = models.CharField(max_length=8, choices=choices(ReviewOutcome))
    reason = models.TextField(blank=True)
    reviewer = models.CharField(max_length=100)
    reviewer_labels = ArrayField(models.BigIntegerField(), default=list, blank=True)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    sound_sha256 = models.CharField(max_length=64, blank=True)
    second_needed = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="review_outcome_known", condition=one_of("outcome", ReviewOutcome)),
            models.CheckConstraint(name="review_has_reviewer", condition=~Q(reviewer="")),
            models.CheckConstraint(
                name="review_approval_bound",
                condition=~Q(outcome="APPROVED") | Q(evidence_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(name="review_refusal_reasoned", condition=~Q(outcome="REFUSED") | ~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} by {self.reviewer}"
