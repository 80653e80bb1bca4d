"""What the tax of a sale rests on never changes: confirmed rates, VIES's answers, and what an order was told.

An order without tax to a business needs a check of its own country that VIES called valid, by whatever route it comes.
The card's country and the verdict on the proofs arrive with the payment, once.
"""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

PROMISES = """
CREATE TRIGGER store_rateconfirmation_final BEFORE UPDATE OR DELETE ON store_rateconfirmation
    FOR EACH ROW EXECUTE FUNCTION store_refuse();
CREATE TRIGGER store_vatcheck_final BEFORE UPDATE OR DELETE ON store_vatcheck
    FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_order_reverse_charge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM store_vatcheck
        WHERE id = NEW.vat_check_id AND state = 'VALID' AND country = NEW.country AND buyer_id = NEW.buyer_id
    ) THEN
        RAISE EXCEPTION 'store: order % has no valid VAT number that would take its tax away', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_order_reverse_charge BEFORE INSERT ON store_order
    FOR EACH ROW WHEN (NEW.reverse_charge) EXECUTE FUNCTION store_order_reverse_charge();

CREATE FUNCTION store_order_tax_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ROW(NEW.vat_check_id, NEW.reverse_charge) IS DISTINCT FROM ROW(OLD.vat_check_id, OLD.reverse_charge) THEN
        RAISE EXCEPTION 'store: what an order agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.card_country <> '' AND NEW.card_country <> OLD.card_country)
       OR (OLD.location <> '' AND NEW.location <> OLD.location)
    THEN
        RAISE EXCEPTION 'store: the proofs of where a buyer is are kept as they came' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_order_tax_frozen BEFORE UPDATE ON store_order
    FOR EACH ROW EXECUTE FUNCTION store_order_tax_frozen();
"""
NO_PROMISES = """
DROP TRIGGER store_order_tax_frozen ON store_order;
DROP FUNCTION store_order_tax_frozen();
DROP TRIGGER store_order_reverse_charge ON store_order;
DROP FUNCTION store_order_reverse_charge();
DROP TRIGGER store_vatcheck_final ON store_vatcheck;
DROP TRIGGER store_rateconfirmation_final ON store_rateconfirmation;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0011_finance_staff"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="card_country",
            field=models.CharField(blank=True, db_default="", default="", max_length=2),
        ),
        migrations.AddField(
            model_name="order",
            name="location",
            field=models.CharField(
                blank=True,
                choices=[
                    ("AGREED", "proofs agree"),
                    ("LONE", "one proof alone"),
                    ("CONTRADICTED", "proofs contradict"),
                ],
                db_default="",
                default="",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="reverse_charge",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="RateConfirmation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("country", models.CharField(max_length=2)),
                ("since", models.DateField()),
                ("basis_points", models.IntegerField()),
                ("confirmed_by", models.CharField(max_length=100)),
                ("note", models.TextField(blank=True)),
                ("confirmed_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["country", "since", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("country", "since", "basis_points"), name="rateconfirmation_once"),
                    models.CheckConstraint(
                        condition=models.Q(("confirmed_by", ""), _negated=True), name="rateconfirmation_signed"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VatCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("country", models.CharField(max_length=2)),
                ("vat_id", models.CharField(max_length=20)),
                ("company", models.CharField(max_length=200)),
                ("address", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[("VALID", "valid"), ("INVALID", "not valid"), ("UNANSWERED", "VIES did not answer")],
                        max_length=10,
                    ),
                ),
                ("consultation", models.CharField(blank=True, max_length=60)),
                ("registered_name", models.CharField(blank=True, max_length=500)),
                ("registered_address", models.TextField(blank=True)),
                ("answer", models.TextField(blank=True)),
                ("asked_at", models.DateTimeField()),
                (
                    "buyer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-pk"],
            },
        ),
        migrations.AddField(
            model_name="order",
            name="vat_check",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="store.vatcheck",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("location", "CONTRADICTED")), fields=["paid_at"], name="order_contradicted"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("reverse_charge", False), models.Q(("tax_minor", 0), ("vat_check__isnull", False)), _connector="OR"
                ),
                name="order_reverse_charge_untaxed",
            ),
        ),
        migrations.AddConstraint(
            model_name="vatcheck",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["VALID", "INVALID", "UNANSWERED"])), name="vatcheck_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="vatcheck",
            constraint=models.CheckConstraint(
                condition=models.Q(("country__regex", "^[A-Z]{2}$")), name="vatcheck_country_form"
            ),
        ),
        migrations.RunSQL(PROMISES, NO_PROMISES),
    ]
