"""Gifts: an order that is one has no owner until it is claimed, once; every other is its buyer's from the start."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

OWNERS = """
UPDATE store_order SET owner_id = buyer_id;
SET CONSTRAINTS ALL IMMEDIATE;

CREATE FUNCTION store_order_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.owner_id := CASE WHEN NEW.is_gift THEN NULL ELSE NEW.buyer_id END;
    ELSIF NEW.is_gift <> OLD.is_gift OR (OLD.owner_id IS NOT NULL AND NEW.owner_id IS DISTINCT FROM OLD.owner_id) THEN
        RAISE EXCEPTION 'store: order % has its owner, and keeps it', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_order_owned BEFORE INSERT OR UPDATE ON store_order
    FOR EACH ROW EXECUTE FUNCTION store_order_owned();

CREATE FUNCTION store_order_given() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM store_gift WHERE order_id = NEW.id) THEN
        RAISE EXCEPTION 'store: nobody is named whom order % is given to', NEW.number USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER store_order_given AFTER INSERT ON store_order DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.is_gift) EXECUTE FUNCTION store_order_given();

CREATE FUNCTION store_gift_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.claimed_at IS NOT NULL OR NEW.order_id <> OLD.order_id OR NEW.message <> OLD.message THEN
        RAISE EXCEPTION 'store: a gift is claimed once, and its words stay' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_gift_frozen BEFORE UPDATE ON store_gift FOR EACH ROW EXECUTE FUNCTION store_gift_frozen();
CREATE TRIGGER store_gift_kept BEFORE DELETE ON store_gift FOR EACH ROW EXECUTE FUNCTION store_refuse();
"""
NO_OWNERS = """
DROP TRIGGER store_gift_kept ON store_gift;
DROP TRIGGER store_gift_frozen ON store_gift;
DROP FUNCTION store_gift_frozen();
DROP TRIGGER store_order_given ON store_order;
DROP FUNCTION store_order_given();
DROP TRIGGER store_order_owned ON store_order;
DROP FUNCTION store_order_owned();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0020_codes"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="is_gift",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="order",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="Gift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("recipient", models.EmailField(max_length=254)),
                ("recipient_name", models.CharField(blank=True, max_length=100)),
                ("sender_name", models.CharField(blank=True, max_length=100)),
                ("message", models.TextField(blank=True, max_length=1000)),
                ("send_at", models.DateTimeField()),
                ("turn", models.PositiveIntegerField(default=0)),
                ("letter_at", models.DateTimeField(blank=True, null=True)),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "claimed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="gift", to="store.order"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("claimed_at", None), ("letter_at", None)),
                        fields=["send_at"],
                        name="gift_to_send",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("claimed_at", None), ("claimed_by", None)),
                            models.Q(("claimed_at__isnull", False), ("claimed_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="gift_claimed_whole",
                    )
                ],
            },
        ),
        migrations.RunSQL(OWNERS, NO_OWNERS),
    ]
