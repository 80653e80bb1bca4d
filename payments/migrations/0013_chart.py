"""The accounts that the sales of one currency go to, by one call whose plan PostgreSQL keeps.

The codes are those of `payments/accounts.py`. What does not exist yet is not among the answers, and is made there.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_chart(of_currency text, payees bigint[], taxes text[], holders text[])
RETURNS SETOF payments_account LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT * FROM payments_account WHERE code = ANY(
        ARRAY['stripe:' || of_currency, 'commission:' || of_currency]
        || ARRAY(SELECT 'tax:' || one || ':' || of_currency FROM unnest(taxes) AS one)
        || ARRAY(SELECT 'suspense:holder-' || one || ':' || of_currency FROM unnest(holders) AS one));
    RETURN QUERY SELECT * FROM payments_account
        WHERE payee_id = ANY(payees) AND kind = 'PAYEE' AND currency = of_currency;
END $$;
"""
BACKWARD = "DROP FUNCTION payments_chart(text, bigint[], text[], text[]);"


class Migration(migrations.Migration):
    dependencies = [("payments", "0012_handed_in")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
