"""A wallet is locked by its name, so that whoever may post may also lock it.

Locking the wallet's row asked for the right to change wallets, which the application's role does not have and shall not
get: every posting of the running store would have been refused. An advisory lock on the account is held until the
transaction ends just the same. Each debited account is looked up by its index, since a plan made while there were few
wallets must not read all of them for every sale later on.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("payments.migrations.0009_wallets").FORWARD
BACKWARD = BEFORE[: BEFORE.index("CREATE TRIGGER")].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

FORWARD = """
CREATE OR REPLACE FUNCTION payments_wallet_covered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    whose text;
    held bigint;
BEGIN
    FOR taken IN SELECT DISTINCT account_id FROM added WHERE side = 'D' ORDER BY account_id LOOP
        SELECT owner INTO whose FROM payments_wallet WHERE account_id = taken;
        CONTINUE WHEN NOT FOUND;
        PERFORM pg_advisory_xact_lock(hashtextextended('wallet', taken));
        SELECT coalesce(sum(CASE side WHEN 'C' THEN amount_micros ELSE -amount_micros END), 0) INTO held
          FROM payments_entry WHERE account_id = taken;
        IF held < 0 THEN
            RAISE EXCEPTION 'the wallet of % would be % millionths below nought', whose, -held
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_wallet_covered';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_chargebacks")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
