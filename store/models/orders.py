"""Baskets, orders and what came of their lines."""

import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from store import locations
from store.models.columns import MOST_MINOR, one_of
from store.models.offers import Offer
from store.models.people import User


class Basket(models.Model):
    """What one visitor gathers before ordering; belongs to a session until its visitor signs in."""

    user = models.OneToOneField(User, models.CASCADE, null=True, blank=True, related_name="basket")
    session_key = models.CharField(max_length=64, null=True, blank=True, unique=True)
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3)
    code = models.ForeignKey("store.Code", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=one_of("user", "session_key"), name="basket_one_owner")]

    def __str__(self) -> str:
        return f"basket {self.pk}"


class BasketLine(models.Model):
    """One offer in a basket; a file is bought once, so there is no quantity. `named_minor` is the price that the buyer
    named where the offer leaves it to her; none: the least."""

    basket = models.ForeignKey(Basket, models.CASCADE, related_name="lines")
    offer = models.ForeignKey(Offer, models.CASCADE, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)
    named_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["added_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["basket", "offer"], name="basketline_once"),
            models.CheckConstraint(
                condition=Q(named_minor=None) | Q(named_minor__gte=0, named_minor__lte=MOST_MINOR),
                name="basketline_named_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} in basket {self.basket_id}"


class Order(models.Model):
    """A sale, from the moment its price was frozen. What was agreed never changes; only its state moves on.

    `country_evidence` says what was known of the buyer's country when the order was placed; `card_country` comes with
    the payment, and `location` is how far the proofs agree then.
    """

    class State(models.TextChoices):
        PLACED = "PLACED"
        PENDING = "PENDING"  # the buyer has told her bank to pay, which takes days
        PAID = "PAID"
        FAILED = "FAILED"  # her bank said no; she may pay in another way
        CANCELLED = "CANCELLED"
        REFUNDED = "REFUNDED"
        CHARGED_BACK = "CHARGED_BACK"  # the buyer's bank took the money of every line back

    class Location(models.TextChoices):
        AGREED = locations.AGREED, "proofs agree"
        LONE = locations.LONE, "one proof alone"
        CONTRADICTED = locations.CONTRADICTED, "proofs contradict"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=40, unique=True)
    buyer = models.ForeignKey(User, models.PROTECT, related_name="orders")
    is_gift = models.BooleanField(default=False, db_default=False)
    owner = models.ForeignKey(User, models.PROTECT, null=True, blank=True, editable=False, related_name="+")
    email = models.EmailField()
    country = models.CharField(max_length=2)
    country_evidence = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    credit_minor = models.BigIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=20, choices=State, default=State.PLACED)
    request_key = models.CharField(max_length=100, unique=True)
    request_sha256 = models.CharField(max_length=64)
    placed_at = models.DateTimeField()
    consent_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    alert = models.CharField(max_length=300, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    receipt_sent_at = models.DateTimeField(null=True, blank=True)
    fee_posted_at = models.DateTimeField(null=True, blank=True)
    vat_check = models.ForeignKey("store.VatCheck", models.PROTECT, null=True, blank=True, related_name="+")
    reverse_charge = models.BooleanField(default=False, db_default=False)
    card_country = models.CharField(max_length=2, blank=True, default="", db_default="")
    location = models.CharField(max_length=12, choices=Location, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-placed_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(total_minor__gte=0, total_minor__lte=MOST_MINOR), name="order_total_bounds"
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0, tax_minor__lte=F("total_minor")), name="order_tax_bounds"
            ),
            models.CheckConstraint(
                condition=Q(credit_minor__gte=0, credit_minor__lte=F("total_minor")), name="order_credit_bounds"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="order_currency_form"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="order_country_form"),
            models.CheckConstraint(
                condition=~Q(state__in=["PAID", "REFUNDED", "CHARGED_BACK"]) | Q(paid_at__isnull=False),
                name="order_paid_has_time",
            ),
            models.CheckConstraint(
                condition=Q(reverse_charge=False) | Q(vat_check__isnull=False, tax_minor=0),
                name="order_reverse_charge_untaxed",
            ),
        ]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="order_to_check"),
            models.Index(fields=["paid_at"], name="order_paid_at"),
            models.Index(fields=["paid_at"], condition=Q(location="CONTRADICTED"), name="order_contradicted"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def due_minor(self) -> int:
        """What is left to pay at Stripe: the total without what the buyer's credit pays."""
        return self.total_minor - self.credit_minor


class OrderLine(models.Model):
    """One thing bought: the decision that allowed it, the price with its tax, and who gets what of it.

    `split` is the frozen answer of `royalties.split`: a list of legs `{kind, label, micros, …}` whose micros sum to the
    amount. `terms` says by which order, percentages and reserve; null on lines that are older than it. `title`,
    `artist` and the licence travel with the line, because catalogue and grants may change. The amount is the offer's,
    and what the buyer freely gave (`given_minor`), less what a code took off (`discount_minor`); a trigger holds the
    sum.
    `returned_minor` is what went back of it or is on its way back, by refunds and chargebacks.
    """

    class State(models.TextChoices):
        PLACED = "PLACED"
        PAID = "PAID"
        REFUND_DUE = "REFUND_DUE"
        REFUNDED = "REFUNDED"
        CANCELLED = "CANCELLED"
        CHARGEBACK = "CHARGEBACK"  # the buyer's bank holds the money while it decides
        CHARGED_BACK = "CHARGED_BACK"  # it took it back for good

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    offer = models.ForeignKey(Offer, models.PROTECT, related_name="+")
    release = models.ForeignKey("catalog.Release", models.PROTECT, null=True, blank=True, related_name="+")
    track = models.ForeignKey("catalog.Track", models.PROTECT, null=True, blank=True, related_name="+")
    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    title = models.CharField(max_length=500)
    artist = models.CharField(max_length=500)
    decision = models.ForeignKey("licensing.ClearanceDecision", models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    given_minor = models.BigIntegerField(default=0, db_default=0)
    discount_minor = models.BigIntegerField(default=0, db_default=0)
    tax_rate = models.IntegerField()  # basis points: 1900 is 19 percent
    tax_minor = models.BigIntegerField()
    split = models.JSONField(encoder=DjangoJSONEncoder)
    terms = models.JSONField(null=True, blank=True)
    buyer_licence_code = models.CharField(max_length=60)
    buyer_licence_url = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.PLACED)
    state_reason = models.CharField(max_length=200, blank=True)
    refunded_at = models.DateTimeField(null=True, blank=True)
    returned_minor = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["order_id", "position"]
        constraints = [
            models.CheckConstraint(
                condition=Q(returned_minor__gte=0, returned_minor__lte=F("amount_minor")),
                name="orderline_never_returned_above_paid",
            ),
            models.CheckConstraint(condition=one_of("release", "track"), name="orderline_one_subject"),
            models.UniqueConstraint(fields=["order", "position"], name="orderline_position_once"),
            models.UniqueConstraint(fields=["order", "offer"], name="orderline_offer_once"),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, amount_minor__lte=MOST_MINOR), name="orderline_amount_bounds"
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0, tax_minor__lte=F("amount_minor")), name="orderline_tax_bounds"
            ),
            models.CheckConstraint(condition=Q(tax_rate__gte=0, tax_rate__lte=10_000), name="orderline_rate_bounds"),
            models.CheckConstraint(
                condition=Q(given_minor__gte=0, given_minor__lte=F("amount_minor")), name="orderline_given_bounds"
            ),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0, discount_minor__lte=MOST_MINOR), name="orderline_discount_bounds"
            ),
        ]
        indexes = [
            models.Index(fields=["label", "order"], name="orderline_label"),
            models.Index(fields=["state"], condition=Q(state="REFUND_DUE"), name="orderline_refund_due"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.order_id}/{self.position})"


class OrderLineTrack(models.Model):
    """A track that came with a line, with the sound and the decision that cleared it.

    This is what the library gives, whatever becomes of release and grants later.
    """

    append_only = True

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="tracks")
    track = models.ForeignKey("catalog.Track", models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    decision = models.ForeignKey("licensing.ClearanceDecision", models.PROTECT, related_name="+")
    sound_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["line_id", "position"]
        constraints = [models.UniqueConstraint(fields=["line", "track"], name="orderlinetrack_once")]

    def __str__(self) -> str:
        return f"track {self.track_id} of line {self.line_id}"


class Download(models.Model):
    """One link that was made for a buyer, the moment it ends, and whether it was followed."""

    class Purpose(models.TextChoices):
        FILE = "FILE"
        ZIP = "ZIP"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="downloads")
    track = models.ForeignKey("catalog.Track", models.PROTECT, null=True, blank=True, related_name="+")
    format = models.CharField(max_length=30)
    purpose = models.CharField(max_length=10, choices=Purpose)
    rendition_ref = models.UUIDField(null=True, blank=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    first_used_at = models.DateTimeField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0)
    address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-issued_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="download_ends_after_start"),
            models.CheckConstraint(
                condition=Q(purpose="FILE", track__isnull=False) | Q(purpose="ZIP", track__isnull=True),
                name="download_file_has_track",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.format} of line {self.line_id}"


class RefundCase(models.Model):
    """A track of a paid line was void: its buyer is owed something, and this says what came of it.

    A line that holds nothing else is refunded by itself (REFUND); what a part of an album is worth, people say.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", "the desk decides"
        REFUND = "REFUND", "the line is given back"
        SETTLED = "SETTLED", "settled otherwise"

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="refund_cases")
    track = models.ForeignKey("catalog.Track", models.PROTECT, related_name="+")
    cause = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=100, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["line", "track"], name="refundcase_once"),
            models.CheckConstraint(
                condition=Q(state="OPEN", closed_at=None) | (~Q(state="OPEN") & Q(closed_at__isnull=False)),
                name="refundcase_closed_has_time",
            ),
            models.CheckConstraint(condition=~Q(state="SETTLED") | ~Q(note=""), name="refundcase_settled_reasoned"),
        ]
        indexes = [models.Index(fields=["state"], condition=Q(state="OPEN"), name="refundcase_open")]

    def __str__(self) -> str:
        return f"track {self.track_id} of line {self.line_id}"
