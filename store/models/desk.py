"""What people outside and inside are told, ask, and decide: letters, demands, warnings, reasons, pages of evidence."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from store.models.columns import one_of


class Letter(models.Model):
    """A mail that is owed. Written in the transaction of what it tells; sent once, by a worker, some time after."""

    kind = models.CharField(max_length=30)
    about = models.CharField(max_length=100)
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    owed_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "about", "recipient"], name="letter_once"),
        ]
        indexes = [models.Index(fields=["owed_at"], condition=Q(sent_at=None), name="letter_owed")]

    def __str__(self) -> str:
        return f"{self.kind} about {self.about}"


class Demand(models.Model):
    """What somebody from outside demands through the public form, until the desk has made a notice of it, or not.

    It counts for nothing before its sender has confirmed it from her own mailbox. `address_sha256` is a keyed hash of
    the address it came from, for the limits alone.
    """

    class State(models.TextChoices):
        UNCONFIRMED = "UNCONFIRMED", "not confirmed by mail yet"
        WAITING = "WAITING", "waits for the desk"
        ENTERED = "ENTERED", "became a notice"
        REFUSED = "REFUSED", "refused"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=[("TAKEDOWN", "Takedown"), ("DISPUTE", "Dispute")])
    layer = models.CharField(max_length=10, blank=True)
    recording = models.ForeignKey("catalog.Recording", models.PROTECT, null=True, blank=True, related_name="+")
    work = models.ForeignKey("catalog.Work", models.PROTECT, null=True, blank=True, related_name="+")
    release = models.ForeignKey("catalog.Release", models.PROTECT, null=True, blank=True, related_name="+")
    label = models.ForeignKey("catalog.Party", models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    on_behalf_of = models.CharField(max_length=200, blank=True)
    statement = models.TextField()
    instrument = models.ForeignKey("licensing.Instrument", models.PROTECT, null=True, blank=True, related_name="+")
    address_sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.UNCONFIRMED)
    reason = models.TextField(blank=True)
    decided_by = models.CharField(max_length=100, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    notice = models.OneToOneField("licensing.Notice", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=one_of("recording", "work", "release", "label"), name="demand_one_subject"
            ),
            models.CheckConstraint(condition=Q(kind__in=["TAKEDOWN", "DISPUTE"]), name="demand_kind_known"),
            models.CheckConstraint(
                condition=Q(state="UNCONFIRMED") | Q(confirmed_at__isnull=False), name="demand_confirmed_first"
            ),
            models.CheckConstraint(
                condition=Q(state="ENTERED", notice__isnull=False) | (~Q(state="ENTERED") & Q(notice=None)),
                name="demand_entered_has_notice",
            ),
            models.CheckConstraint(condition=~Q(state="REFUSED") | ~Q(reason=""), name="demand_refusal_reasoned"),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="demand_by_state"),
            models.Index(fields=["email", "made_at"], name="demand_by_sender"),
            models.Index(fields=["address_sha256", "made_at"], name="demand_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.name}"


class ExpiryLook(models.Model):
    """Somebody looked, so many days before a record's last day, what would go off sale with it. Once each."""

    grant = models.ForeignKey("licensing.LicenceGrant", models.PROTECT, related_name="+")
    days = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["grant", "days"], name="expirylook_once")]

    def __str__(self) -> str:
        return f"grant {self.grant_id}, {self.days} days before"


class ExpiryWarning(models.Model):
    """A label was told what goes off sale when a record ends. `lost` lists the first titles with their countries."""

    grant = models.ForeignKey("licensing.LicenceGrant", models.PROTECT, related_name="+")
    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    days = models.PositiveIntegerField()
    recordings = models.PositiveIntegerField()
    lost = models.JSONField()
    told = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["grant", "label", "days"], name="expirywarning_once")]

    def __str__(self) -> str:
        return f"label {self.label_id} told of grant {self.grant_id}, {self.days} days before"


class SavedReason(models.Model):
    """Words that reviewers say again and again: a refusal's reason, or a question to the label."""

    class Kind(models.TextChoices):
        REFUSAL = "REFUSAL", "Reason of a refusal"
        QUESTION = "QUESTION", "Question to the label"

    code = models.SlugField(max_length=40, unique=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.REFUSAL)
    text = models.CharField(max_length=500)
    position = models.PositiveSmallIntegerField(default=100)
    retired_at = models.DateTimeField(null=True, blank=True)
    saved_by = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["kind", "position", "pk"]
        constraints = [models.CheckConstraint(name="saved_reason_says_something", condition=~Q(text=""))]

    def __str__(self) -> str:
        return self.text


class EvidencePages(models.Model):
    """The pages of one evidence file as pictures, owed from the moment it is kept (a trigger), drawn by a worker.

    One row for each content, however many records rest on it. `codes` say what is odd about the file; their words are
    in `evidence_pages`. `total` is how many pages the file says it has.
    """

    class State(models.TextChoices):
        DUE = "DUE"
        DRAWN = "DRAWN"

    sha256 = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=5, choices=State, default=State.DUE, db_default="DUE")
    codes = ArrayField(models.CharField(max_length=20), default=list, blank=True, db_default=[])
    total = models.PositiveIntegerField(default=0, db_default=0)
    fence = models.PositiveIntegerField(default=0, db_default=0)
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField(default=timezone.now, db_default=Now())
    drawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "evidence pages"
        constraints = [
            models.CheckConstraint(name="evidence_pages_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(name="evidence_pages_state", condition=Q(state__in=["DUE", "DRAWN"])),
        ]
        indexes = [models.Index(name="evidence_pages_due", fields=["next_try_at"], condition=Q(state="DUE"))]

    def __str__(self) -> str:
        return f"{self.state} {self.sha256[:12]}"


class EvidencePage(models.Model):
    """One page's picture, kept in the evidence storage under the hash of its own bytes."""

    pages = models.ForeignKey(EvidencePages, models.CASCADE, related_name="pages")
    number = models.PositiveSmallIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(name="evidence_page_once", fields=["pages", "number"]),
            models.CheckConstraint(name="evidence_page_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
        ]

    def __str__(self) -> str:
        return f"page {self.number} of {self.pages_id}"
