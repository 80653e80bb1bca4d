"""The papers of sales for the buyer's and the taxman's books: invoices and credit notes, numbered without a gap."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from store.models.columns import one_of
from store.models.orders import Order, OrderLine


class Invoice(models.Model):
    """One invoice, or a credit note that corrects one: kept as it was written, never changed.

    Written by one writer just after the sale, so that no sale waits for a number; a trigger refuses a number that does
    not follow the last one of its series, kind and year. `text` is the document's canonical form, `sha256` its hash.
    The amounts of both kinds are above nought. `…_micros` are what the ledger holds, exact; `…_minor` what is printed:
    of a line given back in parts, the parts' tax is rounded so that it sums to the line's. `transfer` is what a
    correction stands for; an invoice with one takes a credit note back (a payment that a bank returned to us), or
    follows it (the same sale with a reverse charge, where a VAT number was confirmed late: both of one transfer).
    """

    append_only = True

    class Kind(models.TextChoices):
        INVOICE = "INVOICE", "invoice"
        CREDIT_NOTE = "CREDIT_NOTE", "credit note"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=Kind)
    series = models.CharField(max_length=8)
    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=40, unique=True)
    order = models.ForeignKey(Order, models.PROTECT, related_name="invoices")
    line = models.ForeignKey(OrderLine, models.PROTECT, null=True, blank=True, related_name="+")
    transfer = models.ForeignKey("payments.Transfer", models.PROTECT, null=True, blank=True, related_name="+")
    corrects = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="corrections")
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    tax_rate = models.IntegerField()  # basis points
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    base_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField()
    untaxed_micros = models.BigIntegerField()
    reverse_charge = models.BooleanField(default=False, db_default=False)
    supplied_at = models.DateTimeField()
    issued_at = models.DateTimeField()
    text = models.TextField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["issued_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["series", "kind", "year", "number"], name="invoice_number_once"),
            models.UniqueConstraint(fields=["order"], condition=Q(transfer=None), name="invoice_once_an_order"),
            models.UniqueConstraint(fields=["transfer", "kind"], name="invoice_once_a_transfer"),
            models.CheckConstraint(
                condition=Q(reverse_charge=False) | Q(tax_rate=0, tax_minor=0, tax_micros=0),
                name="invoice_reverse_charge_is_untaxed",
            ),
            models.CheckConstraint(condition=Q(kind__in=["INVOICE", "CREDIT_NOTE"]), name="invoice_kind_known"),
            models.CheckConstraint(
                condition=Q(kind="INVOICE", transfer=None, corrects=None, line=None)
                | Q(transfer__isnull=False, corrects__isnull=False, line__isnull=False),
                name="invoice_correction_whole",
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0, total_minor__gt=0, tax_minor__lte=F("total_minor"))
                & Q(base_micros__gte=0, tax_micros__gte=0, untaxed_micros__gte=0),
                name="invoice_amounts_bounds",
            ),
        ]
        indexes = [models.Index(fields=["supplied_at"], name="invoice_by_supply")]

    def __str__(self) -> str:
        return self.name


class InvoiceSeries(models.Model):
    """The last number given in a series, of a kind, in a year; it moves on with its paper, or not at all."""

    series = models.CharField(max_length=8)
    kind = models.CharField(max_length=12)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["series", "year", "kind"]
        verbose_name_plural = "invoice series"
        constraints = [models.UniqueConstraint(fields=["series", "kind", "year"], name="invoiceseries_once")]

    def __str__(self) -> str:
        return f"{self.series} {self.year} {self.kind}: {self.last}"


class InvoiceDue(models.Model):
    """A paper that is owed: for an order that was paid, or a transfer that gave a part of it back. Written by triggers.

    `problem` says why it could not be written; then it waits for a person, and the others go on.
    """

    order = models.OneToOneField(Order, models.PROTECT, null=True, blank=True, related_name="+")
    transfer = models.OneToOneField("payments.Transfer", models.PROTECT, null=True, blank=True, related_name="+")
    owed_at = models.DateTimeField(default=timezone.now, db_default=Now())
    problem = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        ordering = ["pk"]
        constraints = [models.CheckConstraint(condition=one_of("order", "transfer"), name="invoicedue_one_cause")]

    def __str__(self) -> str:
        return f"paper {self.pk} that is owed"


class ExchangeRate(models.Model):
    """What a euro cost in a currency on a day: the European Central Bank's rate, as the operator brought it."""

    append_only = True

    day = models.DateField()
    currency = models.CharField(max_length=3)
    per_euro = models.DecimalField(max_digits=18, decimal_places=8)
    source = models.CharField(max_length=200)
    brought_at = models.DateTimeField()

    class Meta:
        ordering = ["day", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["day", "currency"], name="exchangerate_once"),
            models.CheckConstraint(condition=Q(per_euro__gt=0), name="exchangerate_above_nought"),
        ]

    def __str__(self) -> str:
        return f"{self.per_euro} {self.currency} per EUR on {self.day}"
