"""Codes, and that nothing comes off an order without one: what an order holds is given back when it is cancelled."""

from importlib import import_module

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

lists = import_module("store.migrations.0016_price_lists")

CODES = """
CREATE FUNCTION store_code_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'used' - 'ends_at' <> to_jsonb(OLD) - 'used' - 'ends_at' THEN
        RAISE EXCEPTION 'store: what a code promises never changes; end it and make another' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_code_frozen BEFORE UPDATE ON store_code FOR EACH ROW EXECUTE FUNCTION store_code_frozen();

CREATE FUNCTION store_redemption_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'released_at' <> to_jsonb(OLD) - 'released_at' OR OLD.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'store: a redemption is released once, never changed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_redemption_frozen BEFORE UPDATE ON store_redemption
    FOR EACH ROW EXECUTE FUNCTION store_redemption_frozen();
CREATE TRIGGER store_redemption_kept BEFORE DELETE ON store_redemption FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_redemption_released() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH freed AS (
        UPDATE store_redemption SET released_at = clock_timestamp()
        WHERE order_id = NEW.id AND released_at IS NULL RETURNING code_id
    )
    UPDATE store_code SET used = used - 1 WHERE id IN (SELECT code_id FROM freed);
    RETURN NULL;
END $$;
CREATE TRIGGER store_redemption_released AFTER UPDATE OF state ON store_order
    FOR EACH ROW WHEN (NEW.state = 'CANCELLED' AND OLD.state <> 'CANCELLED') EXECUTE FUNCTION store_redemption_released();

CREATE FUNCTION store_discount_redeemed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(discount_minor) FROM store_orderline WHERE order_id = NEW.order_id) IS DISTINCT FROM
       (SELECT discount_minor FROM store_redemption WHERE order_id = NEW.order_id)
    THEN
        RAISE EXCEPTION 'store: nothing comes off an order without a code' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER store_discount_redeemed AFTER INSERT ON store_orderline DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.discount_minor > 0) EXECUTE FUNCTION store_discount_redeemed();
"""
NO_CODES = """
DROP TRIGGER store_discount_redeemed ON store_orderline;
DROP FUNCTION store_discount_redeemed();
DROP TRIGGER store_redemption_released ON store_order;
DROP FUNCTION store_redemption_released();
DROP TRIGGER store_redemption_kept ON store_redemption;
DROP TRIGGER store_redemption_frozen ON store_redemption;
DROP FUNCTION store_redemption_frozen();
DROP TRIGGER store_code_frozen ON store_code;
DROP FUNCTION store_code_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_musicbrainz"),
        ("store", "0019_moves"),
    ]

    operations = [
        migrations.CreateModel(
            name="Code",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=40, unique=True)),
                ("batch", models.CharField(blank=True, max_length=80)),
                ("bearer", models.CharField(choices=[("LABEL", "Label"), ("SHOP", "Shop")], max_length=5)),
                ("percent", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("amount_minor", models.BigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("starts_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("max_uses", models.PositiveIntegerField(blank=True, null=True)),
                ("used", models.PositiveIntegerField(default=0)),
                ("made_by", models.CharField(max_length=100)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.party",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.release",
                    ),
                ),
            ],
            options={
                "ordering": ["-made_at", "-pk"],
            },
        ),
        migrations.AddField(
            model_name="basket",
            name="code",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="store.code"
            ),
        ),
        migrations.CreateModel(
            name="Redemption",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("discount_minor", models.BigIntegerField()),
                ("redeemed_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                (
                    "buyer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="redemptions", to="store.code"
                    ),
                ),
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="redemption", to="store.order"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="code",
            index=models.Index(fields=["label", "-made_at"], name="code_of_label"),
        ),
        migrations.AddConstraint(
            model_name="code",
            constraint=models.CheckConstraint(
                condition=models.Q(("text__regex", "^[A-Z0-9][A-Z0-9-]{2,38}[A-Z0-9]$")), name="code_text_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="code",
            constraint=models.CheckConstraint(
                condition=models.Q(("bearer", "SHOP"), ("label__isnull", False), _connector="OR"),
                name="code_label_bears_its_own",
            ),
        ),
        migrations.AddConstraint(
            model_name="code",
            constraint=models.CheckConstraint(
                condition=models.Q(("release", None), ("label__isnull", False), _connector="OR"),
                name="code_release_has_label",
            ),
        ),
        migrations.AddConstraint(
            model_name="code",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor", None), ("currency", ""), ("percent__gte", 1), ("percent__lte", 100)),
                    models.Q(
                        ("amount_minor__gt", 0),
                        ("amount_minor__lte", 999999999999),
                        ("percent", None),
                        lists.chargeable(),
                    ),
                    _connector="OR",
                ),
                name="code_percent_or_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="code",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at", None), ("ends_at__gte", models.F("starts_at")), _connector="OR"),
                name="code_ends_later",
            ),
        ),
        migrations.AddConstraint(
            model_name="code",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_uses", None), ("used__lte", models.F("max_uses")), _connector="OR"),
                name="code_used_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.UniqueConstraint(
                condition=models.Q(("released_at", None)), fields=("code", "buyer"), name="redemption_once_each_buyer"
            ),
        ),
        migrations.AddConstraint(
            model_name="redemption",
            constraint=models.CheckConstraint(
                condition=models.Q(("discount_minor__gt", 0), ("discount_minor__lte", 999999999999)),
                name="redemption_takes_off",
            ),
        ),
        migrations.RunSQL(CODES, NO_CODES),
    ]
