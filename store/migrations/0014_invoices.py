"""Invoices and credit notes, numbered without a gap by whatever route they are written, and never changed.

- A paper's number follows the last one of its series, kind and year; the row of that series is the lock.
- A series moves on by one, and only together with its paper.
- What is paid, and what goes back of it, owes a paper in the same transaction.
"""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

NUMBERED = """
CREATE FUNCTION store_invoice_numbered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.year <> extract(year FROM NEW.issued_at AT TIME ZONE 'UTC') THEN
        RAISE EXCEPTION 'store: paper % is not of the year it was issued in', NEW.name USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO store_invoiceseries (series, kind, year) VALUES (NEW.series, NEW.kind, NEW.year)
        ON CONFLICT (series, kind, year) DO NOTHING;
    UPDATE store_invoiceseries SET last = last + 1
        WHERE series = NEW.series AND kind = NEW.kind AND year = NEW.year AND last = NEW.number - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'store: the number of paper % does not follow the last one', NEW.name
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_invoice_numbered BEFORE INSERT ON store_invoice
    FOR EACH ROW EXECUTE FUNCTION store_invoice_numbered();
CREATE TRIGGER store_invoice_final BEFORE UPDATE OR DELETE ON store_invoice
    FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_invoiceseries_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ROW(NEW.id, NEW.series, NEW.kind, NEW.year) IS DISTINCT FROM ROW(OLD.id, OLD.series, OLD.kind, OLD.year)
       OR NEW.last <> OLD.last + 1
    THEN
        RAISE EXCEPTION 'store: a series of papers moves on by one' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_invoiceseries_moves BEFORE UPDATE ON store_invoiceseries
    FOR EACH ROW EXECUTE FUNCTION store_invoiceseries_moves();
CREATE TRIGGER store_invoiceseries_kept BEFORE DELETE ON store_invoiceseries
    FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_invoiceseries_with_paper() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.last > 0 AND NOT EXISTS (
        SELECT 1 FROM store_invoice
        WHERE series = NEW.series AND kind = NEW.kind AND year = NEW.year AND number = NEW.last
    ) THEN
        RAISE EXCEPTION 'store: number % of % was given to no paper', NEW.last, NEW.series
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER store_invoiceseries_with_paper AFTER INSERT OR UPDATE ON store_invoiceseries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION store_invoiceseries_with_paper();

CREATE TRIGGER store_exchangerate_final BEFORE UPDATE OR DELETE ON store_exchangerate
    FOR EACH ROW EXECUTE FUNCTION store_refuse();
"""
NOT_NUMBERED = """
DROP TRIGGER store_exchangerate_final ON store_exchangerate;
DROP TRIGGER store_invoiceseries_with_paper ON store_invoiceseries;
DROP FUNCTION store_invoiceseries_with_paper();
DROP TRIGGER store_invoiceseries_kept ON store_invoiceseries;
DROP TRIGGER store_invoiceseries_moves ON store_invoiceseries;
DROP FUNCTION store_invoiceseries_moves();
DROP TRIGGER store_invoice_final ON store_invoice;
DROP TRIGGER store_invoice_numbered ON store_invoice;
DROP FUNCTION store_invoice_numbered();
"""
OWED = """
CREATE FUNCTION store_invoice_owed_for_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO store_invoicedue (order_id) VALUES (NEW.id) ON CONFLICT (order_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER store_invoice_owed_for_order AFTER UPDATE ON store_order FOR EACH ROW
    WHEN (NEW.paid_at IS NOT NULL AND OLD.paid_at IS NULL AND NEW.total_minor > 0)
    EXECUTE FUNCTION store_invoice_owed_for_order();

CREATE FUNCTION store_invoice_owed_for_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO store_invoicedue (transfer_id) VALUES (NEW.id) ON CONFLICT (transfer_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER store_invoice_owed_for_transfer AFTER INSERT ON payments_transfer FOR EACH ROW
    WHEN (NEW.reference ~ '^(refund|chargeback|reinstated):')
    EXECUTE FUNCTION store_invoice_owed_for_transfer();
"""
NOT_OWED = """
DROP TRIGGER store_invoice_owed_for_transfer ON payments_transfer;
DROP FUNCTION store_invoice_owed_for_transfer();
DROP TRIGGER store_invoice_owed_for_order ON store_order;
DROP FUNCTION store_invoice_owed_for_order();
"""
# What was sold before there were papers is owed one too, in the order in which it happened.
EARLIER = """
INSERT INTO store_invoicedue (order_id)
SELECT id FROM store_order WHERE paid_at IS NOT NULL AND total_minor > 0 ORDER BY paid_at, id;
INSERT INTO store_invoicedue (transfer_id)
SELECT id FROM payments_transfer WHERE reference ~ '^(refund|chargeback|reinstated):' ORDER BY posted_at, reference;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0004_card_country"),
        ("store", "0013_waterfall"),
    ]

    operations = [
        migrations.CreateModel(
            name="ExchangeRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("currency", models.CharField(max_length=3)),
                ("per_euro", models.DecimalField(decimal_places=8, max_digits=18)),
                ("source", models.CharField(max_length=200)),
                ("brought_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["day", "currency"],
                "constraints": [
                    models.UniqueConstraint(fields=("day", "currency"), name="exchangerate_once"),
                    models.CheckConstraint(condition=models.Q(("per_euro__gt", 0)), name="exchangerate_above_nought"),
                ],
            },
        ),
        migrations.CreateModel(
            name="InvoiceSeries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("series", models.CharField(max_length=8)),
                ("kind", models.CharField(max_length=12)),
                ("year", models.PositiveSmallIntegerField()),
                ("last", models.PositiveIntegerField(db_default=0, default=0)),
            ],
            options={
                "verbose_name_plural": "invoice series",
                "ordering": ["series", "year", "kind"],
                "constraints": [models.UniqueConstraint(fields=("series", "kind", "year"), name="invoiceseries_once")],
            },
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(choices=[("INVOICE", "invoice"), ("CREDIT_NOTE", "credit note")], max_length=12),
                ),
                ("series", models.CharField(max_length=8)),
                ("year", models.PositiveSmallIntegerField()),
                ("number", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=40, unique=True)),
                ("country", models.CharField(max_length=2)),
                ("currency", models.CharField(max_length=3)),
                ("tax_rate", models.IntegerField()),
                ("total_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField()),
                ("base_micros", models.BigIntegerField()),
                ("tax_micros", models.BigIntegerField()),
                ("untaxed_micros", models.BigIntegerField()),
                ("supplied_at", models.DateTimeField()),
                ("issued_at", models.DateTimeField()),
                ("text", models.TextField()),
                ("sha256", models.CharField(max_length=64)),
                (
                    "corrects",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="corrections",
                        to="store.invoice",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="store.orderline",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="store.order"
                    ),
                ),
                (
                    "transfer",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.transfer",
                    ),
                ),
            ],
            options={
                "ordering": ["issued_at", "pk"],
                "indexes": [models.Index(fields=["supplied_at"], name="invoice_by_supply")],
                "constraints": [
                    models.UniqueConstraint(fields=("series", "kind", "year", "number"), name="invoice_number_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("transfer", None)), fields=("order",), name="invoice_once_an_order"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["INVOICE", "CREDIT_NOTE"])), name="invoice_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("corrects", None), ("kind", "INVOICE"), ("line", None), ("transfer", None)),
                            models.Q(("corrects__isnull", False), ("line__isnull", False), ("transfer__isnull", False)),
                            _connector="OR",
                        ),
                        name="invoice_correction_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tax_minor__gte", 0),
                            ("tax_minor__lte", models.F("total_minor")),
                            ("total_minor__gt", 0),
                            ("base_micros__gte", 0),
                            ("tax_micros__gte", 0),
                            ("untaxed_micros__gte", 0),
                        ),
                        name="invoice_amounts_bounds",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="InvoiceDue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "owed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("problem", models.CharField(blank=True, db_default="", default="", max_length=300)),
                (
                    "order",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="store.order",
                    ),
                ),
                (
                    "transfer",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.transfer",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("order__isnull", False), ("transfer__isnull", True)),
                            models.Q(("order__isnull", True), ("transfer__isnull", False)),
                            _connector="OR",
                        ),
                        name="invoicedue_one_cause",
                    )
                ],
            },
        ),
        migrations.RunSQL(NUMBERED, NOT_NUMBERED),
        migrations.RunSQL(OWED, NOT_OWED),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
    ]
