"""The shop's own rows: people, prices, offers, orders, what was bought, and who is paid on whose behalf.

Amounts called `…_minor` are whole numbers of the currency's minor unit as a buyer pays it; a split's `micros` are
millionths of the main unit, as in the ledger. The promises that no route may break (an offer or an order line only
with a decision that says yes, money fields that never move) are triggers in migration 0002.
"""

import base64
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from licensing.models.columns import CountriesField

MOST_MINOR = 10**12 - 1  # as payments.money; in micros a bigint holds it many times over


def one_of(*fields: str) -> Q:
    """Exactly one of the nullable fields is set."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition


class UserManager(BaseUserManager["User"]):
    """Makes people known by their e-mail address alone; addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractUser):
    """A person who signs in: a shopper first, and a label's member or a reviewer where a row or flag says so."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=2, blank=True)
    is_reviewer = models.BooleanField(default=False)

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @property
    def actor(self) -> str:
        """How the apps below name this person; outlives the account."""
        return f"user:{self.pk}"


class Membership(models.Model):
    """A person may act for a label."""

    class Role(models.TextChoices):
        OWNER = "OWNER"
        MEMBER = "MEMBER"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    label = models.ForeignKey("catalog.Party", models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "label"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} for {self.label_id}"


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


class Price(models.Model):
    """What a release, or a recording sold singly, shall cost in one currency, tax inside, as the label set it."""

    release = models.ForeignKey("catalog.Release", models.CASCADE, null=True, blank=True, related_name="+")
    recording = models.ForeignKey("catalog.Recording", models.CASCADE, null=True, blank=True, related_name="+")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    set_by = models.CharField(max_length=100, blank=True)
    set_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=one_of("release", "recording"), name="price_one_subject"),
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


class Offer(models.Model):
    """A release or one track on sale at one price, resting on the clearance decision that allows it.

    Only the decision may move (to a newer one that still says yes) and the offer may be closed; a new price is a new
    offer, so that an order line always shows what was seen.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    release = models.ForeignKey("catalog.Release", models.PROTECT, null=True, blank=True, related_name="+")
    track = models.ForeignKey("catalog.Track", models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.ForeignKey("licensing.ClearanceDecision", models.PROTECT, related_name="+")
    use = models.CharField(max_length=30, default="PERMANENT_DOWNLOAD")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
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


class Basket(models.Model):
    """What one visitor gathers before ordering; belongs to a session until its visitor signs in."""

    user = models.OneToOneField(User, models.CASCADE, null=True, blank=True, related_name="basket")
    session_key = models.CharField(max_length=64, null=True, blank=True, unique=True)
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=one_of("user", "session_key"), name="basket_one_owner")]

    def __str__(self) -> str:
        return f"basket {self.pk}"


class BasketLine(models.Model):
    """One offer in a basket; a file is bought once, so there is no quantity."""

    basket = models.ForeignKey(Basket, models.CASCADE, related_name="lines")
    offer = models.ForeignKey(Offer, models.CASCADE, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["added_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["basket", "offer"], name="basketline_once")]

    def __str__(self) -> str:
        return f"{self.offer_id} in basket {self.basket_id}"


class Order(models.Model):
    """A sale, from the moment its price was frozen. What was agreed never changes; only its state moves on."""

    class State(models.TextChoices):
        PLACED = "PLACED"
        PAID = "PAID"
        CANCELLED = "CANCELLED"
        REFUNDED = "REFUNDED"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=40, unique=True)
    buyer = models.ForeignKey(User, models.PROTECT, related_name="orders")
    email = models.EmailField()
    country = models.CharField(max_length=2)
    country_evidence = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
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

    class Meta:
        ordering = ["-placed_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(total_minor__gte=0, total_minor__lte=MOST_MINOR), name="order_total_bounds"
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0, tax_minor__lte=F("total_minor")), name="order_tax_bounds"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="order_currency_form"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="order_country_form"),
            models.CheckConstraint(
                condition=~Q(state__in=["PAID", "REFUNDED"]) | Q(paid_at__isnull=False), name="order_paid_has_time"
            ),
        ]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="order_to_check"),
            models.Index(fields=["paid_at"], name="order_paid_at"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """One thing bought: the decision that allowed it, the price with its tax, and who gets what of it.

    `split` is the frozen answer of `royalties.split`: a list of legs `{kind, key, label, micros, …}` whose micros sum
    to the amount. `title`, `artist` and the licence travel with the line, because catalogue and grants may change.
    """

    class State(models.TextChoices):
        PLACED = "PLACED"
        PAID = "PAID"
        REFUND_DUE = "REFUND_DUE"
        REFUNDED = "REFUNDED"
        CANCELLED = "CANCELLED"

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
    tax_rate = models.IntegerField()  # basis points: 1900 is 19 percent
    tax_minor = models.BigIntegerField()
    split = models.JSONField(encoder=DjangoJSONEncoder)
    buyer_licence_code = models.CharField(max_length=60)
    buyer_licence_url = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.PLACED)
    state_reason = models.CharField(max_length=200, blank=True)
    refunded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["order_id", "position"]
        constraints = [
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


class LetterOfDirection(models.Model):
    """ "Pay this party on my behalf, from this day": links a rights holder to a payee, with a history.

    Letters are ended (`until`, the first day they no longer hold) and followed by new ones, never edited. `layer` is
    RECORDING or WORK; blank holds for both. `share` is the payee's part of what the holder is owed.
    """

    holder = models.ForeignKey("licensing.RightsHolder", models.PROTECT, related_name="+")
    payee = models.ForeignKey("payments.Payee", models.PROTECT, related_name="+")
    layer = models.CharField(max_length=20, blank=True)
    share_numerator = models.BigIntegerField(default=1)
    share_denominator = models.BigIntegerField(default=1)
    starts_on = models.DateField()
    until = models.DateField(null=True, blank=True)
    signed_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["holder_id", "starts_on", "pk"]
        verbose_name_plural = "letters of direction"
        constraints = [
            models.CheckConstraint(condition=Q(layer__in=["", "RECORDING", "WORK"]), name="letter_layer_known"),
            models.CheckConstraint(
                condition=Q(
                    share_numerator__gt=0, share_denominator__gt=0, share_numerator__lte=F("share_denominator")
                ),
                name="letter_share_bounds",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("starts_on")), name="letter_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"holder {self.holder_id} → payee {self.payee_id}"


class SigningKey(models.Model):
    """The public half of a key that signs certificates and heads, kept when another follows it.

    `key` is its name, made from the key itself, so that no other key can go by it.
    """

    append_only = True
    audited = True

    key = models.CharField(max_length=32, unique=True)
    public = models.CharField(max_length=44)
    since = models.DateTimeField()

    class Meta:
        ordering = ["since", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(key__regex=r"^[0-9a-f]{32}$", public__regex=r"^[A-Za-z0-9+/]{43}=$"), name="signingkey_form"
            )
        ]

    def __str__(self) -> str:
        return f"key {self.key}"

    @property
    def public_bytes(self) -> bytes:
        return base64.b64decode(self.public)


class SignedHead(models.Model):
    """How far the chains had come on a day, in the store's signed word, for others to keep.

    `text` is what was signed, byte for byte; `sha256` is its hash.
    """

    append_only = True

    day = models.DateField(unique=True)
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    signature = models.CharField(max_length=88)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$", signature__regex=r"^[A-Za-z0-9+/]{86}==$"),
                name="signedhead_form",
            )
        ]

    def __str__(self) -> str:
        return f"head of {self.day}"


class Certificate(models.Model):
    """Public proof of one sale: what was cleared, on what evidence, for which sound. Holds nothing about the buyer.

    `sha256` is the hash of the canonical form of `document` and rides on the line's ledger transfer. `text` is that
    form, byte for byte what `signature` signs. The first certificates (version 1) were not signed.
    """

    append_only = True
    audited = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order_line = models.OneToOneField(OrderLine, models.PROTECT, related_name="certificate")
    document = models.JSONField()
    sha256 = models.CharField(max_length=64, unique=True)
    text = models.TextField(null=True)
    key = models.ForeignKey(SigningKey, models.PROTECT, null=True, related_name="+")
    signature = models.CharField(max_length=88, null=True)
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-issued_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(document__contains={"version": 1})
                | Q(key__isnull=False, signature__isnull=False, text__isnull=False),
                name="certificate_signed",
            )
        ]

    def __str__(self) -> str:
        return f"certificate {self.public_id}"


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


class HeldShare(models.Model):
    """Money of a sale that waits because the right behind it is in dispute: how much, of which holder, since when.

    Nothing here moves but the release: the ledger's transfer that paid it out once the dispute had ended.
    """

    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="held_shares")
    recording = models.ForeignKey("catalog.Recording", models.PROTECT, related_name="+")
    layer = models.CharField(max_length=20)
    holder = models.ForeignKey("licensing.RightsHolder", models.PROTECT, related_name="+")
    payee = models.ForeignKey("payments.Payee", models.PROTECT, null=True, blank=True, related_name="+")
    account = models.ForeignKey("payments.Account", models.PROTECT, related_name="+")
    micros = models.BigIntegerField()
    notice = models.ForeignKey("licensing.Notice", models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=40)
    held_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    release_reference = models.CharField(max_length=160, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "recording", "layer", "holder", "payee"],
                name="heldshare_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(layer__in=["RECORDING", "WORK"]), name="heldshare_layer_known"),
            models.CheckConstraint(condition=Q(micros__gt=0), name="heldshare_is_money"),
            models.CheckConstraint(
                condition=Q(released_at=None, release_reference="")
                | (Q(released_at__isnull=False) & ~Q(release_reference="")),
                name="heldshare_release_whole",
            ),
        ]
        indexes = [models.Index(fields=["recording"], condition=Q(released_at=None), name="heldshare_waiting")]

    def __str__(self) -> str:
        return f"{self.micros} of line {self.line_id}"


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


class Shelf(models.Model):
    """A release of which something is on sale in one currency, and where: what lists by country ask for.

    A trigger derives it from the open offers and their decisions (migration 0003), so that no route forgets it. After
    `until` only the countries of `lasting` count, and none after `lasting_until`; it `hangs_on` the catalogues on which
    all of its offers hang. `named` are the same countries as a text: where half the shelf is walked through, an array
    that has to be unpacked at each row is what costs; where few rows match, the array's index finds them.
    """

    release = models.ForeignKey("catalog.Release", models.CASCADE, related_name="+")
    currency = models.CharField(max_length=3)
    countries = ArrayField(models.CharField(max_length=2))
    named = CountriesField(default=list)
    until = models.DateTimeField(null=True, blank=True)
    lasting = ArrayField(models.CharField(max_length=2))
    lasting_until = models.DateTimeField(null=True, blank=True)
    hangs_on = ArrayField(models.BigIntegerField())

    class Meta:
        verbose_name_plural = "shelf"
        constraints = [models.UniqueConstraint(name="shelf_once", fields=["release", "currency"])]
        indexes = [GinIndex(name="shelf_countries", fields=["countries"], fastupdate=False)]

    def __str__(self) -> str:
        return f"release {self.release_id} in {len(self.countries)} countries"
