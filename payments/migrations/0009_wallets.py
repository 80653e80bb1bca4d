"""Wallets: what buyers paid ahead, and that nobody spends more than there is.

The trigger looks at the entries of a statement at once. Where one debits a wallet, its row is locked until the
transaction ends, so that two who spend at the same moment come one after the other, and the second sees what the first
has left. Entries of other accounts cost one look into an index that stays in memory.
"""

import uuid

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION payments_wallet_covered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken record;
    held bigint;
BEGIN
    FOR taken IN
        SELECT wallet.id, wallet.account_id, wallet.owner FROM payments_wallet wallet
         WHERE wallet.account_id IN (SELECT account_id FROM added WHERE side = 'D')
         ORDER BY wallet.id FOR NO KEY UPDATE
    LOOP
        SELECT coalesce(sum(CASE side WHEN 'C' THEN amount_micros ELSE -amount_micros END), 0) INTO held
          FROM payments_entry WHERE account_id = taken.account_id;
        IF held < 0 THEN
            RAISE EXCEPTION 'the wallet of % would be % millionths below nought', taken.owner, -held
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_wallet_covered';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_wallet_covered AFTER INSERT ON payments_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION payments_wallet_covered();
CREATE TRIGGER payments_wallet_append_only BEFORE UPDATE OR DELETE ON payments_wallet
    FOR EACH ROW EXECUTE FUNCTION payments_refuse_change();
"""

BACKWARD = """
DROP TRIGGER payments_wallet_append_only ON payments_wallet;
DROP TRIGGER payments_wallet_covered ON payments_entry;
DROP FUNCTION payments_wallet_covered();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0008_paying_out"),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="kind",
            field=models.CharField(
                choices=[
                    ("STRIPE_BALANCE", "money at Stripe"),
                    ("FEES", "payment fees"),
                    ("DEBT", "what a payee owes us"),
                    ("FX_DIFFERENCE", "differences of exchange"),
                    ("TAX", "consumer tax"),
                    ("COMMISSION", "the store's commission"),
                    ("PAYEE", "owed to a payee"),
                    ("SUSPENSE", "owed to nobody known yet"),
                    ("RESERVE", "held back for refunds"),
                    ("BUYER_CREDIT", "a buyer's credit"),
                    ("GIFT_CARDS", "gift cards nobody has redeemed"),
                    ("RECOUPMENT", "advances still to be recouped from a payee"),
                    ("ADVANCES", "advances still to come back to a payee"),
                    ("WITHHOLDING", "tax withheld from payees"),
                    ("CLEARING", "on its way through a bank"),
                    ("BANK", "money at our bank"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Wallet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("owner", models.CharField(max_length=80)),
                ("currency", models.CharField(max_length=3)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="wallet", to="payments.account"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [models.UniqueConstraint(fields=("owner", "currency"), name="wallet_once")],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
