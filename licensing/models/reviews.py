"""What waits for reviewers, what they asked and were told, and what they said."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from licensing.models.columns import choices, one_of
from licensing.models.grants import Instrument, LicenceGrant
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


class ReviewCase(models.Model):
    """A grant that waits for a reviewer. Triggers open a case with each grant and close it with the word that settles
    it, by whatever route these come; so the queue is as long as the work, however many records there are.

    `seconding` says that one reviewer approved and another must follow. The rest is the risk as it was last worked out
    (`licensing.risk`): it orders the queue and may change with every new fact, so nothing here is evidence.
    """

    grant = models.OneToOneField(LicenceGrant, on_delete=models.CASCADE, related_name="case")
    opened_at = models.DateTimeField()
    seconding = models.BooleanField(default=False)
    points = models.IntegerField(default=0)
    reasons = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    same_sound = models.BooleanField(default=False)
    same_code = models.BooleanField(default=False)
    value_minor = models.BigIntegerField(default=0)
    second_needed = models.BooleanField(default=False)
    assessed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(name="case_order", fields=["-points", "opened_at", "grant"]),
            models.Index(name="case_to_assess", fields=["assessed_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.grant_id} with {self.points} points"


class Question(models.Model):
    """What a reviewer asks the label about a record before she decides; it stands with the version she read."""

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    grant = models.ForeignKey(LicenceGrant, on_delete=models.PROTECT, related_name="questions")
    text = models.TextField()
    asked_by = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="question_says_what", condition=~Q(text="") & ~Q(asked_by=""))]

    def __str__(self) -> str:
        return f"asked {self.at:%Y-%m-%d}"


class Answer(models.Model):
    """The label's answer. A paper that comes with it is evidence of the version that was made with the answer."""

    append_only = True

    question = models.OneToOneField(Question, on_delete=models.PROTECT, related_name="answer")
    text = models.TextField()
    instrument = models.ForeignKey(Instrument, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    answered_by = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="answer_says_what", condition=~Q(text="") & ~Q(answered_by=""))]

    def __str__(self) -> str:
        return f"answered {self.at:%Y-%m-%d}"
