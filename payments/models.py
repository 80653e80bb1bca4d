"""Who is owed what, and the proof of it.

Payments knows no music: a subject, a reference and a label are plain text given by the caller. What the ledger
promises is kept by the database itself (migration `0002_promises`), so that it also holds for raw SQL, for the admin
and for code not yet written.
"""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

MICROS_BOUND = 2**62
"""Every amount in the ledger lies strictly between nought and this many millionths."""


class Payee(models.Model):
    """A party that is paid. Not a rights holder: a letter of direction in the store links the two, with a history.

    `named_in_public` says that it agrees to be named to buyers; otherwise only those who pay it read its name.
    """

    class State(models.TextChoices):
        NEW = "NEW", "no account at Stripe yet"
        ONBOARDING = "ONBOARDING", "has still to tell Stripe who it is"
        READY = "READY", "can be paid"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    stripe_account_id = models.CharField(max_length=64, blank=True)
    named_in_public = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stripe_account_id"], condition=~Q(stripe_account_id=""), name="payee_stripe_account_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """One account of the ledger, in one currency for ever. Made once, never changed.

    `code` reads like `payee:<public id>:EUR` or `tax:DE:EUR`; it is what the hash chain names, so it holds no person's
    name. `subject` is the caller's word for what a suspense account waits for.
    """

    append_only = True

    class Kind(models.TextChoices):
        STRIPE_BALANCE = "STRIPE_BALANCE", "money at Stripe"
        FEES = "FEES", "payment fees"
        DEBT = "DEBT", "what a payee owes us"
        FX_DIFFERENCE = "FX_DIFFERENCE", "differences of exchange"
        TAX = "TAX", "consumer tax"
        COMMISSION = "COMMISSION", "the store's commission"
        PAYEE = "PAYEE", "owed to a payee"
        SUSPENSE = "SUSPENSE", "owed to nobody known yet"
        RESERVE = "RESERVE", "held back for refunds"
        BUYER_CREDIT = "BUYER_CREDIT", "buyers' credit"
        RECOUPMENT = "RECOUPMENT", "advances still to be recouped from a payee"
        ADVANCES = "ADVANCES", "advances still to come back to a payee"

    code = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=20, choices=Kind)
    currency = models.CharField(max_length=3)
    payee = models.ForeignKey(Payee, models.PROTECT, null=True, blank=True, related_name="accounts")
    subject = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def is_debit_normal(self) -> bool:
        """Whether debits make its balance grow: what we have and what it cost us, rather than what we owe or earn."""
        return self.kind in {self.Kind.STRIPE_BALANCE, self.Kind.FEES, self.Kind.DEBT, self.Kind.RECOUPMENT}


class Transfer(models.Model):
    """One balanced movement, final from its first moment.

    `reference` is the caller's own name for the business fact: posting it again returns this row, and posting something
    else under it is refused (`request_sha256`). `legs` is the number of its entries; together with their positions it
    leaves no room for an entry that comes later. `xid` is set by the database: the transaction that made it.
    """

    append_only = True

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=30)
    request_sha256 = models.CharField(max_length=64)
    document_sha256 = models.CharField(max_length=64, blank=True)
    memo = models.CharField(max_length=500, blank=True)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="reversed_by")
    legs = models.PositiveSmallIntegerField()
    posted_at = models.DateTimeField()
    xid = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["-posted_at", "id"]
        indexes = [models.Index(fields=["posted_at"], name="transfer_by_time")]
        constraints = [
            models.CheckConstraint(condition=Q(legs__gte=2), name="transfer_has_two_entries"),
            models.CheckConstraint(condition=~Q(reference=""), name="transfer_has_a_reference"),
            models.CheckConstraint(
                condition=Q(reverses__isnull=True) | ~Q(reverses=F("id")), name="transfer_not_of_itself"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class Entry(models.Model):
    """One side of a transfer: a positive number of millionths, debited or credited.

    `posted_at` is the transfer's own (a trigger compares), so that an index alone knows a balance at any moment.
    """

    append_only = True

    class Side(models.TextChoices):
        DEBIT = "D", "debit"
        CREDIT = "C", "credit"

    # A trigger keeps both keys: a foreign key would lock the account rows that every sale shares (0002_promises).
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="entries", db_index=False, db_constraint=False)
    position = models.PositiveSmallIntegerField()
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries", db_index=False, db_constraint=False)
    side = models.CharField(max_length=1, choices=Side)
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    posted_at = models.DateTimeField()

    class Meta:
        ordering = ["transfer", "position"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(
                fields=["account", "posted_at"], include=["side", "amount_micros"], name="entry_by_account_and_time"
            ),
            BrinIndex(fields=["posted_at"], autosummarize=True, pages_per_range=32, name="entry_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["transfer", "position"], name="entry_position_once"),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0) & Q(amount_micros__lt=MICROS_BOUND), name="entry_amount_bounded"
            ),
            models.CheckConstraint(condition=Q(side__in=["D", "C"]), name="entry_side_known"),
            models.CheckConstraint(condition=Q(position__gte=1), name="entry_position_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.get_side_display()} {self.amount_micros} {self.currency}"


class UnsealedTransfer(models.Model):
    """A transfer that waits for its place in the chain; written by a trigger, taken away by the one writer."""

    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="+", db_constraint=False)
    posted_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.transfer_id)


class TransferSeal(models.Model):
    """A transfer's place in the hash chain, given in batches just after its commit, by one writer."""

    append_only = True

    position = models.BigIntegerField(unique=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="seal")
    previous_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        constraints = [models.CheckConstraint(condition=Q(position__gte=1), name="seal_position_from_one")]

    def __str__(self) -> str:
        return f"{self.position} {self.sha256}"


class Closing(models.Model):
    """The end of a period in which nothing is posted any more (see `payments.closings`); it stays for ever.

    `horizon` is the transaction id that must be outlived before the balances can be summed up, `kept` whether they are
    still there.
    """

    until = models.DateTimeField(unique=True)
    announced_at = models.DateTimeField()
    horizon = models.BigIntegerField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    kept = models.BooleanField(default=False)

    class Meta:
        ordering = ["-until"]
        constraints = [
            models.CheckConstraint(condition=Q(until__lte=F("announced_at")), name="closing_is_over"),
            models.CheckConstraint(
                condition=Q(kept=False) | Q(closed_at__isnull=False), name="closing_kept_once_closed"
            ),
        ]

    def __str__(self) -> str:
        return f"closed until {self.until:%Y-%m-%d %H:%M}"


class ClosedBalance(models.Model):
    """Debits less credits of an account over all that was posted before a closing. Never the truth: the entries are."""

    closing = models.ForeignKey(Closing, models.PROTECT, related_name="balances", db_index=False, db_constraint=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    micros = models.BigIntegerField()

    class Meta:
        ordering = ["closing", "account"]
        constraints = [
            models.UniqueConstraint(fields=["closing", "account"], include=["micros"], name="closed_balance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.micros} of account {self.account_id}"


class Charge(models.Model):
    """Money asked of a buyer, and what Stripe last said about it.

    `refunded_minor` counts refunds asked for and not failed, so that refunds running at the same time can never add
    up to more than was paid. `fee_minor` stays empty until Stripe has told it. `attempts` counts requests that Stripe
    answered with a failure it keeps replaying, or whose session has ended; each new one has an idempotency key of its
    own.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "waits for the buyer"
        PROCESSING = "PROCESSING", "on its way"
        PAID = "PAID", "paid"
        FAILED = "FAILED", "not paid"
        REFUNDED = "REFUNDED", "paid back in full"

    reference = models.CharField(max_length=120, unique=True)
    request_sha256 = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    transfer_group = models.CharField(max_length=120)
    stripe_session_id = models.CharField(max_length=120, blank=True, db_index=True)
    stripe_session_url = models.TextField(blank=True)
    stripe_payment_intent_id = models.CharField(max_length=120, blank=True, db_index=True)
    stripe_charge_id = models.CharField(max_length=120, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    fee_minor = models.BigIntegerField(null=True, blank=True)
    refunded_minor = models.BigIntegerField(default=0)
    card_country = models.CharField(max_length=2, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) & Q(amount_minor__lt=10**12), name="charge_amount_bounded"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0) & Q(refunded_minor__lte=F("amount_minor")),
                name="charge_never_refunded_above_paid",
            ),
            models.CheckConstraint(
                condition=Q(fee_minor__isnull=True) | Q(fee_minor__gte=0), name="charge_fee_bounded"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class Refund(models.Model):
    """Money given back for a charge, asked for once under its reference."""

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", "to be asked of Stripe"
        PENDING = "PENDING", "on its way"
        SUCCEEDED = "SUCCEEDED", "paid back"
        FAILED = "FAILED", "refused"

    charge = models.ForeignKey(Charge, models.PROTECT, related_name="refunds")
    reference = models.CharField(max_length=120, unique=True)
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    stripe_refund_id = models.CharField(max_length=120, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_above_nought")]

    def __str__(self) -> str:
        return self.reference


class Payout(models.Model):
    """Money sent to a payee: planned, sent, settled; at most one under way for a payee and currency.

    `transfer_group` is made at planning and is what a payout is looked up by at Stripe before anything is sent, because
    idempotency keys are forgotten after a day and a payout must not be.
    """

    class State(models.TextChoices):
        PLANNED = "PLANNED", "to be sent"
        SENT = "SENT", "sent, not yet in the ledger"
        SETTLED = "SETTLED", "sent and in the ledger"
        FAILED = "FAILED", "refused by Stripe"

    payee = models.ForeignKey(Payee, models.PROTECT, related_name="payouts")
    number = models.CharField(max_length=40, unique=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    transfer_group = models.CharField(max_length=120, unique=True)
    stripe_transfer_id = models.CharField(max_length=120, blank=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, blank=True, related_name="payout")
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    planned_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-planned_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) & Q(amount_minor__lt=10**12), name="payout_amount_bounded"
            ),
            models.UniqueConstraint(
                fields=["payee", "currency"], condition=Q(state__in=["PLANNED", "SENT"]), name="payout_one_under_way"
            ),
            models.CheckConstraint(
                condition=~Q(state="SETTLED") | Q(transfer__isnull=False), name="payout_settled_is_in_the_ledger"
            ),
            models.UniqueConstraint(
                fields=["stripe_transfer_id"], condition=~Q(stripe_transfer_id=""), name="payout_stripe_transfer_once"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class Statement(models.Model):
    """What a payee was told for a period: numbered, kept as told, never changed.

    `document` is the statement's canonical form and `sha256` its hash; both close on the ledger's own sums.
    """

    append_only = True

    payee = models.ForeignKey(Payee, models.PROTECT, related_name="statements")
    number = models.CharField(max_length=40, unique=True)
    currency = models.CharField(max_length=3)
    since = models.DateTimeField()
    until = models.DateTimeField()
    opening_micros = models.BigIntegerField()
    closing_micros = models.BigIntegerField()
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-until", "payee"]
        constraints = [
            models.UniqueConstraint(fields=["payee", "currency", "since", "until"], name="statement_period_once"),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="statement_period_runs_forward"),
        ]

    def __str__(self) -> str:
        return self.number


class Alert(models.Model):
    """Something about money that does not fit, and that a person must look at; nothing was delivered or paid on it.

    `subject` is what it is about: an order's number, an event's id. While it stands open, the same again only counts.
    """

    code = models.CharField(max_length=40)
    subject = models.CharField(max_length=160)
    text = models.CharField(max_length=500)
    times = models.PositiveIntegerField(default=1)
    raised_at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=100, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["-raised_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "subject"], condition=Q(closed_at__isnull=True), name="alert_open_once"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | (~Q(note="") & ~Q(closed_by="")), name="alert_closed_with_a_note"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}"


class StripeEvent(models.Model):
    """A webhook as it came, recorded before anything is done about it. The row, not the message, is the work owed."""

    class State(models.TextChoices):
        RECEIVED = "RECEIVED", "to be handled"
        HANDLED = "HANDLED", "handled"
        FAILED = "FAILED", "given up after several attempts"

    stripe_id = models.CharField(max_length=120, unique=True)
    type = models.CharField(max_length=80)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(state="RECEIVED"), name="event_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.stripe_id}"
