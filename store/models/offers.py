"""What is for sale, at which price, and where it stands on the shelves."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from licensing.models.columns import CountriesField
from store.models.columns import MOST_MINOR, chargeable, one_of


class Price(models.Model):
    """What a release, or a recording sold singly, shall cost in one currency, tax inside, as the label set it.

    `by_list`: nobody set it by itself, it follows the label's list (`ListPrice`).
    """

    release = models.ForeignKey("catalog.Release", models.CASCADE, null=True, blank=True, related_name="+")
    recording = models.ForeignKey("catalog.Recording", models.CASCADE, null=True, blank=True, related_name="+")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    or_more = models.BooleanField(default=False, db_default=False)  # the buyer names the price; this is the least
    by_list = models.BooleanField(default=False, db_default=False)
    set_by = models.CharField(max_length=100, blank=True)
    set_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=one_of("release", "recording"), name="price_one_subject"),
            models.CheckConstraint(condition=chargeable(), name="price_chargeable"),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, amount_minor__lte=MOST_MINOR), name="price_amount_bounds"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="price_currency_form"),
            models.UniqueConstraint(
                fields=["release", "currency"], condition=Q(release__isnull=False), name="price_release_once"
            ),
            models.UniqueConstraint(
                fields=["recording", "currency"], condition=Q(recording__isnull=False), name="price_recording_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} (minor units)"


class ListPrice(models.Model):
    """What each release or track of a label costs in one currency unless it has a price of its own.

    Triggers write it down as the price of what joins the catalogue later, by whatever route.
    """

    class Kind(models.TextChoices):
        RELEASE = "RELEASE"
        TRACK = "TRACK"

    label = models.ForeignKey("catalog.Party", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=7, choices=Kind)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    or_more = models.BooleanField(default=False)
    set_by = models.CharField(max_length=100, blank=True)
    set_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["label", "kind", "currency"], name="listprice_once"),
            models.CheckConstraint(condition=Q(kind__in=["RELEASE", "TRACK"]), name="listprice_kind_known"),
            models.CheckConstraint(condition=chargeable(), name="listprice_chargeable"),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, amount_minor__lte=MOST_MINOR), name="listprice_amount_bounds"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} (minor units) for each {self.kind.lower()}"


class Offer(models.Model):
    """A release or one track on sale at one price, resting on the clearance decision that allows it.

    Only the decision may move (to a newer one that still says yes) and the offer may be closed; a new price is a new
    offer, so that an order line always shows what was seen. With `or_more` the amount is the least, and the buyer names
    hers. What costs nothing rests on the leave to give it away (FREE_DOWNLOAD), another than the leave to sell.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    release = models.ForeignKey("catalog.Release", models.PROTECT, null=True, blank=True, related_name="+")
    track = models.ForeignKey("catalog.Track", models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.ForeignKey("licensing.ClearanceDecision", models.PROTECT, related_name="+")
    use = models.CharField(max_length=30, default="PERMANENT_DOWNLOAD")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    or_more = models.BooleanField(default=False, db_default=False)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_reason = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=one_of("release", "track"), name="offer_one_subject"),
            models.CheckConstraint(
                condition=Q(amount_minor__lte=MOST_MINOR)
                & (Q(amount_minor__gt=0) | Q(amount_minor=0, use="FREE_DOWNLOAD")),
                name="offer_amount_bounds",
            ),
            models.CheckConstraint(
                condition=Q(use__in=["PERMANENT_DOWNLOAD", "FREE_DOWNLOAD"]), name="offer_use_sells"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="offer_currency_form"),
            models.UniqueConstraint(
                fields=["release", "currency"],
                condition=Q(release__isnull=False, closed_at__isnull=True),
                name="offer_release_open_once",
            ),
            models.UniqueConstraint(
                fields=["track", "currency"],
                condition=Q(track__isnull=False, closed_at__isnull=True),
                name="offer_track_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"offer {self.public_id}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class ReviewDue(models.Model):
    """A recording whose offers must be looked at again. Triggers write these rows whenever a grant, review, notice,
    master, rendition or price changes, by whatever route; a worker takes them and deletes them when done."""

    recording = models.ForeignKey("catalog.Recording", models.CASCADE, related_name="+")
    cause = models.CharField(max_length=60)
    marked_at = models.DateTimeField(default=timezone.now, db_default=Now())
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "reviews due"

    def __str__(self) -> str:
        return f"recording {self.recording_id}: {self.cause}"


class WideReview(models.Model):
    """All offers, or one label's, must be looked at again from `due_at` on: what is kept of each sale has changed.

    Triggers write it with rows of the operator's own card (HOUSE) and with contracts on the commission. `upto` is the
    last recording that was marked (`ReviewDue`) so far; the row goes when there is none after it.
    """

    due_at = models.DateTimeField()
    label = models.ForeignKey("catalog.Party", models.CASCADE, null=True, blank=True, related_name="+")
    cause = models.CharField(max_length=60)
    upto = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["due_at", "pk"]

    def __str__(self) -> str:
        return f"{self.cause}, from {self.due_at}"


class Shelf(models.Model):
    """A release of which something is on sale in one currency, and where: what lists by country ask for.

    A trigger derives it from the open offers and their decisions (migration 0003), so that no route forgets it. After
    `until` only the countries of `lasting` count, and none after `lasting_until`; it `hangs_on` the catalogues on which
    all of its offers hang. `named` are the same countries as a text: where half the shelf is walked through, an array
    that has to be unpacked at each row is what costs; where few rows match, the array's index finds them. `created_at`
    is the release's: pages are read off the shelf in its order.
    """

    release = models.ForeignKey("catalog.Release", models.CASCADE, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    countries = ArrayField(models.CharField(max_length=2))
    named = CountriesField(default=list)
    until = models.DateTimeField(null=True, blank=True)
    lasting = ArrayField(models.CharField(max_length=2))
    lasting_until = models.DateTimeField(null=True, blank=True)
    hangs_on = ArrayField(models.BigIntegerField())
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "shelf"
        constraints = [models.UniqueConstraint(name="shelf_once", fields=["release", "currency"])]
        indexes = [
            GinIndex(name="shelf_countries", fields=["countries"], fastupdate=False),
            models.Index("currency", F("created_at").desc(), F("release_id").desc(), name="shelf_newest"),
        ]

    def __str__(self) -> str:
        return f"release {self.release_id} in {len(self.countries)} countries"
