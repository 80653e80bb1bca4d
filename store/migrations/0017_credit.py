"""Credit and gift cards that buyers pay for: what was agreed never changes, and a card is used or called back once."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION store_creditpurchase_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - '{state,paid_at,refunded_minor,next_check_at,alert}'::text[]
       <> to_jsonb(OLD) - '{state,paid_at,refunded_minor,next_check_at,alert}'::text[] THEN
        RAISE EXCEPTION 'store: what a purchase of credit agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
        'PLACED>PAID', 'PLACED>CANCELLED', 'CANCELLED>PAID')
    THEN
        RAISE EXCEPTION 'store: a purchase of credit does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_creditpurchase_frozen BEFORE UPDATE ON store_creditpurchase
    FOR EACH ROW EXECUTE FUNCTION store_creditpurchase_frozen();
CREATE TRIGGER store_creditpurchase_kept BEFORE DELETE ON store_creditpurchase
    FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_giftcard_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.redeemed_at IS NOT NULL OR OLD.called_back_at IS NOT NULL
       OR to_jsonb(NEW) - '{redeemed_by_id,redeemed_at,called_back_at}'::text[]
          <> to_jsonb(OLD) - '{redeemed_by_id,redeemed_at,called_back_at}'::text[] THEN
        RAISE EXCEPTION 'store: a gift card is redeemed or called back once, and never changed'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_giftcard_once BEFORE UPDATE ON store_giftcard
    FOR EACH ROW EXECUTE FUNCTION store_giftcard_once();
CREATE TRIGGER store_giftcard_kept BEFORE DELETE ON store_giftcard FOR EACH ROW EXECUTE FUNCTION store_refuse();
"""

BACKWARD = """
DROP TRIGGER store_giftcard_kept ON store_giftcard;
DROP TRIGGER store_giftcard_once ON store_giftcard;
DROP FUNCTION store_giftcard_once();
DROP TRIGGER store_creditpurchase_kept ON store_creditpurchase;
DROP TRIGGER store_creditpurchase_frozen ON store_creditpurchase;
DROP FUNCTION store_creditpurchase_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0016_price_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="CreditPurchase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("number", models.CharField(max_length=40, unique=True)),
                ("kind", models.CharField(choices=[("TOP_UP", "credit"), ("GIFT_CARD", "gift card")], max_length=10)),
                ("currency", models.CharField(max_length=3)),
                ("amount_minor", models.BigIntegerField()),
                ("refunded_minor", models.BigIntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[("PLACED", "waits for the payment"), ("PAID", "paid"), ("CANCELLED", "not paid")],
                        default="PLACED",
                        max_length=10,
                    ),
                ),
                ("recipient_email", models.EmailField(blank=True, max_length=254)),
                ("message", models.CharField(blank=True, max_length=500)),
                ("deliver_on", models.DateField(blank=True, null=True)),
                ("request_key", models.CharField(max_length=100, unique=True)),
                ("request_sha256", models.CharField(max_length=64)),
                ("placed_at", models.DateTimeField()),
                ("paid_at", models.DateTimeField(blank=True, null=True)),
                ("next_check_at", models.DateTimeField(blank=True, null=True)),
                ("alert", models.CharField(blank=True, max_length=300)),
                (
                    "buyer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_purchases",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-placed_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="CreditRefund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("amount_minor", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("DUE", "on its way"),
                            ("DONE", "paid back"),
                            ("REFUSED", "refused by Stripe, and back in the wallet"),
                        ],
                        default="DUE",
                        max_length=8,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "purchase",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="store.creditpurchase"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="GiftCard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code_sha256", models.CharField(max_length=64, unique=True)),
                ("made_at", models.DateTimeField()),
                ("redeemed_at", models.DateTimeField(blank=True, null=True)),
                ("called_back_at", models.DateTimeField(blank=True, null=True)),
                (
                    "purchase",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="gift_card", to="store.creditpurchase"
                    ),
                ),
                (
                    "redeemed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddIndex(
            model_name="creditpurchase",
            index=models.Index(
                condition=models.Q(("next_check_at__isnull", False)),
                fields=["next_check_at"],
                name="creditpurchase_to_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpurchase",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0), ("amount_minor__lte", 999999999999)),
                name="creditpurchase_amount_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpurchase",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded_minor__gte", 0), ("refunded_minor__lte", models.F("amount_minor"))),
                name="creditpurchase_never_refunded_above_paid",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpurchase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "PAID"), _negated=True), ("paid_at__isnull", False), _connector="OR"
                ),
                name="creditpurchase_paid_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditpurchase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("deliver_on", None), ("kind", "TOP_UP"), ("recipient_email", "")),
                    models.Q(
                        ("deliver_on__isnull", False),
                        ("kind", "GIFT_CARD"),
                        models.Q(("recipient_email", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="creditpurchase_gift_card_has_recipient",
            ),
        ),
        migrations.AddIndex(
            model_name="creditrefund",
            index=models.Index(condition=models.Q(("state", "DUE")), fields=["state"], name="creditrefund_due"),
        ),
        migrations.AddConstraint(
            model_name="creditrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="creditrefund_amount_above_nought"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state", "DUE")),
                    models.Q(models.Q(("state", "DUE"), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="creditrefund_ended_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="giftcard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("redeemed_at", None), ("redeemed_by", None)),
                    models.Q(("redeemed_at__isnull", False), ("redeemed_by__isnull", False)),
                    _connector="OR",
                ),
                name="giftcard_redeemed_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="giftcard",
            constraint=models.CheckConstraint(
                condition=models.Q(("redeemed_at", None), ("called_back_at", None), _connector="OR"),
                name="giftcard_redeemed_or_called_back",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
