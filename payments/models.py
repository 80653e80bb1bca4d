"""Who is owed what, and the proof of it.

Payments knows no music: a subject, a reference and a label are plain text given by the caller. What the ledger
promises is kept by the database itself (migration `0002_promises`), so that it also holds for raw SQL, for the admin
and for code not yet written.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q

MICROS_BOUND = 2**62
"""Every amount in the ledger lies strictly between nought and this many millionths."""


class Payee(models.Model):
    """A party that is paid. Not a rights holder: a letter of direction in the store links the two, with a history.

    `named_in_public` says that it agrees to be named to buyers; otherwise only those who pay it read its name.
    `minimum_minor` stands in for the operator's least payout, in minor units of the payee's own currency.
    `stripe_wants` are Stripe's own words for what it still has to be told.
    """

    class State(models.TextChoices):
        NEW = "NEW", "no account at Stripe yet"
        ONBOARDING = "ONBOARDING", "has still to tell Stripe who it is"
        READY = "READY", "can be paid"

    class Route(models.TextChoices):
        STRIPE = "STRIPE", "through Stripe"
        SEPA = "SEPA", "by bank transfer (SEPA)"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    stripe_account_id = models.CharField(max_length=64, blank=True)
    named_in_public = models.BooleanField(default=False, db_default=False)
    stripe_wants = ArrayField(models.CharField(max_length=120), default=list, blank=True, db_default=[])
    stripe_says = models.CharField(max_length=120, blank=True, default="", db_default="")
    asked_at = models.DateTimeField(null=True, blank=True)
    route = models.CharField(max_length=6, choices=Route, default=Route.STRIPE, db_default="STRIPE")
    minimum_minor = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(route__in=["STRIPE", "SEPA"]), name="payee_route_known"),
            models.CheckConstraint(
                condition=Q(minimum_minor=None) | Q(minimum_minor__gte=1, minimum_minor__lt=10**12),
                name="payee_minimum_bounded",
            ),
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
        LOSSES = "LOSSES", "lost to chargebacks"
        DEBT = "DEBT", "what a payee owes us"
        FX_DIFFERENCE = "FX_DIFFERENCE", "differences of exchange"
        TAX = "TAX", "consumer tax"
        COMMISSION = "COMMISSION", "the store's commission"
        PAYEE = "PAYEE", "owed to a payee"
        SUSPENSE = "SUSPENSE", "owed to nobody known yet"
        RESERVE = "RESERVE", "held back for refunds"
        BUYER_CREDIT = "BUYER_CREDIT", "a buyer's credit"
        GIFT_CARDS = "GIFT_CARDS", "gift cards nobody has redeemed"
        RECOUPMENT = "RECOUPMENT", "advances still to be recouped from a payee"
        ADVANCES = "ADVANCES", "advances still to come back to a payee"
        WITHHOLDING = "WITHHOLDING", "tax withheld from payees"
        CLEARING = "CLEARING", "on its way through a bank"
        BANK = "BANK", "money at our bank"

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
        kinds = self.Kind
        return self.kind in {kinds.STRIPE_BALANCE, kinds.FEES, kinds.LOSSES, kinds.DEBT, kinds.RECOUPMENT, kinds.BANK}


class Wallet(models.Model):
    """What one buyer has paid ahead, in one currency: an account that no route may take below nought (a trigger).

    `owner` is the caller's opaque word for who that is, such as `user:42`; payments knows no people.
    """

    append_only = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.CharField(max_length=80)
    account = models.OneToOneField(Account, models.PROTECT, related_name="wallet")
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["owner", "currency"], name="wallet_once")]

    def __str__(self) -> str:
        return f"{self.owner} {self.currency}"


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
    own. Where it is `taxed_by_stripe`, `tax` is what Stripe reckoned (`gateway.TaxFacts`), kept once it is complete.
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
    taxed_by_stripe = models.BooleanField(default=False, db_default=False)
    tax = models.JSONField(null=True, blank=True)
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


class Chargeback(models.Model):
    """A buyer disputes a charge at her bank (Stripe's dispute), as Stripe last told it; amounts in minor units.

    While the bank only asks (ASKED), no money has moved. OPEN has taken `withdrawn_minor` and a fee; WON brought the
    money back; LOST did not. DROPPED is an inquiry that came to nothing.
    """

    class State(models.TextChoices):
        ASKED = "ASKED", "the bank asks"
        OPEN = "OPEN", "the bank decides"
        WON = "WON", "won"
        LOST = "LOST", "lost"
        DROPPED = "DROPPED", "dropped"

    charge = models.ForeignKey(Charge, models.PROTECT, related_name="chargebacks")
    stripe_dispute_id = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=8, choices=State)
    stripe_status = models.CharField(max_length=40)
    reason = models.CharField(max_length=60, blank=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    withdrawn_minor = models.BigIntegerField(default=0)
    reinstated_minor = models.BigIntegerField(default=0)
    fee_minor = models.BigIntegerField(default=0)
    fee_returned_minor = models.BigIntegerField(default=0)
    answer_by = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="chargeback_is_money"),
            models.CheckConstraint(
                condition=Q(
                    withdrawn_minor__gte=0, reinstated_minor__gte=0, fee_minor__gte=0, fee_returned_minor__gte=0
                )
                & Q(reinstated_minor__lte=F("withdrawn_minor"))
                & Q(fee_returned_minor__lte=F("fee_minor")),
                name="chargeback_brings_back_what_it_took",
            ),
        ]
        indexes = [models.Index(fields=["state"], condition=Q(state__in=["ASKED", "OPEN"]), name="chargeback_running")]

    def __str__(self) -> str:
        return self.stripe_dispute_id


class Payout(models.Model):
    """Money sent to a payee: planned, sent, settled; at most one under way for a payee and currency.

    `transfer_group` is made at planning and is what a payout is looked up by at Stripe before anything is sent, because
    idempotency keys are forgotten after a day and a payout must not be. One that goes by bank is exported in a file
    instead, and settled when staff confirm it with the bank's date. `reversed_minor` is what Stripe took back of it.
    """

    class State(models.TextChoices):
        PLANNED = "PLANNED", "to be sent"
        SENT = "SENT", "sent, not yet in the ledger"
        EXPORTED = "EXPORTED", "in a file for the bank"
        SETTLED = "SETTLED", "sent and in the ledger"
        FAILED = "FAILED", "refused"
        REVERSED = "REVERSED", "taken back by Stripe"

    payee = models.ForeignKey(Payee, models.PROTECT, related_name="payouts")
    number = models.CharField(max_length=40, unique=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    route = models.CharField(max_length=6, choices=Payee.Route, default=Payee.Route.STRIPE, db_default="STRIPE")
    batch = models.ForeignKey("PayoutBatch", models.PROTECT, null=True, blank=True, related_name="payouts")
    transfer_group = models.CharField(max_length=120, unique=True)
    stripe_transfer_id = models.CharField(max_length=120, blank=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, blank=True, related_name="payout")
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    planned_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    reversed_minor = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-planned_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) & Q(amount_minor__lt=10**12), name="payout_amount_bounded"
            ),
            models.UniqueConstraint(
                fields=["payee", "currency"],
                condition=Q(state__in=["PLANNED", "SENT", "EXPORTED"]),
                name="payout_one_under_way",
            ),
            models.CheckConstraint(
                condition=~Q(state="SETTLED") | Q(transfer__isnull=False), name="payout_settled_is_in_the_ledger"
            ),
            models.CheckConstraint(
                condition=Q(reversed_minor__gte=0, reversed_minor__lte=F("amount_minor")),
                name="payout_never_reversed_above_sent",
            ),
            models.CheckConstraint(condition=~Q(state="EXPORTED") | Q(batch__isnull=False), name="payout_has_a_file"),
            models.UniqueConstraint(
                fields=["stripe_transfer_id"], condition=~Q(stripe_transfer_id=""), name="payout_stripe_transfer_once"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class TaxForm(models.Model):
    """What a payee gave us about its tax in one country: the form, the rate it claims, and until when it holds.

    Forms are followed, never edited. `rate` is in millionths: 150000 is 15 percent.
    """

    append_only = True

    class Kind(models.TextChoices):
        W8BEN = "W-8BEN", "W-8BEN (not of the United States)"
        W9 = "W-9", "W-9 (of the United States)"
        EU = "EU", "certificate of residence or exemption (EU)"

    payee = models.ForeignKey(Payee, models.PROTECT, related_name="tax_forms")
    kind = models.CharField(max_length=8, choices=Kind)
    country = models.CharField(max_length=2)
    rate = models.PositiveIntegerField(default=0)
    valid_from = models.DateField()
    valid_to = models.DateField()
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=100)

    class Meta:
        ordering = ["-received_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["W-8BEN", "W-9", "EU"]), name="taxform_kind_known"),
            models.CheckConstraint(condition=Q(rate__lte=10**6), name="taxform_rate_bounded"),
            models.CheckConstraint(condition=Q(valid_from__lte=F("valid_to")), name="taxform_runs_forward"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="taxform_country_form"),
            models.CheckConstraint(
                condition=~Q(kind__in=["W-8BEN", "W-9"]) | Q(country="US"), name="taxform_of_its_country"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of payee {self.payee_id}"


def paper_storage() -> Storage:
    """Where strangers' papers lie: beside the evidence, and served as carefully."""
    return storages["evidence"]


class TaxPaper(models.Model):
    """A tax form as it was handed in for a payee: the file, what it is said to say, and what finance staff made of it.

    It lowers no withholding: an accepted one has a `TaxForm`, with what staff read on it. `rate` is in millionths.
    Answered once, by somebody else than who handed it in, and never changed or deleted (triggers).
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "waits to be read"
        ACCEPTED = "ACCEPTED", "accepted"
        REFUSED = "REFUSED", "refused"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payee = models.ForeignKey(Payee, models.PROTECT, related_name="tax_papers")
    kind = models.CharField(max_length=8, choices=TaxForm.Kind)
    country = models.CharField(max_length=2)
    rate = models.PositiveIntegerField(default=0)
    valid_from = models.DateField()
    valid_to = models.DateField()
    file = models.FileField(storage=paper_storage, max_length=200)
    media_type = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64)
    bytes = models.PositiveIntegerField()
    handed_by = models.CharField(max_length=100)
    handed_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    answered_by = models.CharField(max_length=100, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    form = models.OneToOneField(TaxForm, models.PROTECT, null=True, blank=True, related_name="paper")

    class Meta:
        ordering = ["-handed_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="WAITING", reason="", answered_by="", answered_at=None, form=None)
                | Q(state="ACCEPTED", answered_at__isnull=False, form__isnull=False)
                | (Q(state="REFUSED", answered_at__isnull=False, form=None) & ~Q(reason="")),
                name="taxpaper_answered_whole",
            ),
            models.CheckConstraint(
                condition=Q(state="WAITING") | (~Q(answered_by="") & ~Q(answered_by=F("handed_by"))),
                name="taxpaper_read_by_another",
            ),
            models.CheckConstraint(condition=Q(valid_from__lte=F("valid_to")), name="taxpaper_runs_forward"),
            models.CheckConstraint(condition=Q(rate__lte=10**6), name="taxpaper_rate_bounded"),
        ]
        indexes = [models.Index(fields=["handed_at"], condition=Q(state="WAITING"), name="taxpaper_waiting")]

    def __str__(self) -> str:
        return f"{self.kind} handed in for payee {self.payee_id}"


class Withholding(models.Model):
    """Tax withheld with a payout: on how much, at which rate and why; a ledger transfer of its own."""

    append_only = True

    payee = models.ForeignKey(Payee, models.PROTECT, related_name="withholdings")
    payout = models.ForeignKey(Payout, models.PROTECT, related_name="withholdings")
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    basis_micros = models.BigIntegerField()
    rate = models.PositiveIntegerField()
    amount_micros = models.BigIntegerField()
    reason = models.CharField(max_length=100)
    form = models.ForeignKey(TaxForm, models.PROTECT, null=True, blank=True, related_name="+")
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["payout", "country"], name="withholding_once"),
            models.CheckConstraint(
                condition=Q(basis_micros__gt=0, amount_micros__gte=0, amount_micros__lte=F("basis_micros")),
                name="withholding_within_its_basis",
            ),
            models.CheckConstraint(
                condition=Q(amount_micros=0) | Q(transfer__isnull=False), name="withholding_is_in_the_ledger"
            ),
        ]
        indexes = [models.Index(fields=["payee", "currency", "country"], name="withholding_by_payee")]

    def __str__(self) -> str:
        return f"{self.amount_micros} for {self.country} of payout {self.payout_id}"


class BankDetails(models.Model):
    """Where a payee that Stripe does not reach has its account. Personal data: read for the bank's file alone.

    It stands in no ledger row, no statement and no log; `__str__` shows the end only.
    """

    payee = models.OneToOneField(Payee, models.CASCADE, related_name="bank")
    holder = models.CharField(max_length=70)
    iban = models.CharField(max_length=34)
    bic = models.CharField(max_length=11, blank=True)
    given_by = models.CharField(max_length=100)
    given_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "bank details"
        constraints = [
            models.CheckConstraint(
                condition=Q(iban__regex=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$"), name="bank_iban_form"
            ),
        ]

    def __str__(self) -> str:
        return f"… {self.iban[-4:]}"


class BankChange(models.Model):
    """An account given for a payee: by whom, when, from when on it counts, and what became of it.

    While it waits nothing is paid to the payee. It counts once `usable_from` has come or somebody else confirmed it.
    The number stands here only until then (afterwards in `BankDetails` alone), its last four signs stay. Answered
    once, never changed or deleted (triggers).
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "waits"
        TAKEN = "TAKEN", "taken"
        REFUSED = "REFUSED", "not taken"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payee = models.ForeignKey(Payee, models.PROTECT, related_name="bank_changes")
    holder = models.CharField(max_length=70)
    iban = models.CharField(max_length=34, blank=True)
    bic = models.CharField(max_length=11, blank=True)
    ends = models.CharField(max_length=4)
    given_by = models.CharField(max_length=100)
    given_at = models.DateTimeField()
    usable_from = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    answered_by = models.CharField(max_length=100, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-given_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["payee"], condition=Q(state="WAITING"), name="bankchange_one_waits"),
            models.CheckConstraint(
                condition=(Q(state="WAITING", answered_by="", answered_at=None, reason="") & ~Q(iban=""))
                | (Q(state__in=["TAKEN", "REFUSED"], answered_at__isnull=False, iban="", bic="") & ~Q(answered_by="")),
                name="bankchange_answered_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state="TAKEN")
                | Q(answered_at__gte=F("usable_from"))
                | (Q(answered_by__startswith="user:") & ~Q(answered_by=F("given_by"))),
                name="bankchange_waits_or_is_confirmed",
            ),
            models.CheckConstraint(
                condition=~Q(state="REFUSED") | ~Q(reason=""), name="bankchange_refused_for_a_reason"
            ),
            models.CheckConstraint(condition=Q(usable_from__gte=F("given_at")), name="bankchange_runs_forward"),
        ]
        indexes = [models.Index(fields=["usable_from"], condition=Q(state="WAITING"), name="bankchange_waiting")]

    def __str__(self) -> str:
        return f"… {self.ends} for payee {self.payee_id}"


class PayoutBatch(models.Model):
    """A file for the bank: payouts that go by transfer, and what the file says of itself.

    `document` is the file; it holds bank details and is emptied once the bank has carried all of it out.
    """

    number = models.CharField(max_length=35, unique=True)
    currency = models.CharField(max_length=3)
    payments = models.PositiveIntegerField()
    control_sum_minor = models.BigIntegerField()
    document = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=100)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(payments__gt=0, control_sum_minor__gt=0), name="batch_holds_payments"),
            models.CheckConstraint(condition=Q(closed_at=None) | Q(document=""), name="batch_closed_is_emptied"),
        ]

    def __str__(self) -> str:
        return self.number


class StatementPeriod(models.Model):
    """A month whose statements are owed, from its end until every payee has been told.

    `problem` says what was refused last: payees whose movements do not add up get no statement, and the month stays
    open.
    """

    since = models.DateTimeField(unique=True)
    until = models.DateTimeField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["-since"]
        constraints = [models.CheckConstraint(condition=Q(since__lt=F("until")), name="period_runs_forward")]

    def __str__(self) -> str:
        return f"{self.since:%Y-%m}"


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


class Reconciliation(models.Model):
    """One day's comparison of Stripe's balance transactions with our ledger. It reports and repairs nothing."""

    day = models.DateField(unique=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    transactions = models.PositiveIntegerField()
    postings = models.PositiveIntegerField()
    found = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day}"


class Discrepancy(models.Model):
    """Something that Stripe and our ledger do not say alike; open until a person has written down why.

    `key` names the business fact and `kind` what is wrong, so that looking again finds the same row. Micros are as each
    side has them, nought where it has nothing.
    """

    class Kind(models.TextChoices):
        MISSING = "MISSING", "at Stripe, not in our ledger"
        EXTRA = "EXTRA", "in our ledger, not at Stripe"
        ALTERED = "ALTERED", "the amounts differ"
        FEE = "FEE", "the fees differ"

    class State(models.TextChoices):
        OPEN = "OPEN", "to be explained"
        EXPLAINED = "EXPLAINED", "explained"

    kind = models.CharField(max_length=8, choices=Kind)
    key = models.CharField(max_length=160)
    currency = models.CharField(max_length=3)
    stripe_micros = models.BigIntegerField()
    ledger_micros = models.BigIntegerField()
    about = models.CharField(max_length=300, blank=True)
    first_seen = models.DateField()
    last_seen = models.DateField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    explanation = models.TextField(blank=True)
    explained_by = models.CharField(max_length=100, blank=True)
    explained_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-first_seen", "pk"]
        verbose_name_plural = "discrepancies"
        constraints = [
            models.UniqueConstraint(fields=["kind", "key", "currency"], name="discrepancy_once"),
            models.CheckConstraint(
                condition=Q(state="OPEN", explained_at=None)
                | (Q(state="EXPLAINED", explained_at__isnull=False) & ~Q(explanation="") & ~Q(explained_by="")),
                name="discrepancy_explained_whole",
            ),
        ]
        indexes = [models.Index(fields=["state"], condition=Q(state="OPEN"), name="discrepancy_open")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
