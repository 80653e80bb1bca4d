"""Entries carry the time of their transfer, and a sale is posted by one call.

* `posted_at` on the entry makes a balance at any moment the work of one index. It is the transfer's own, always: the
  trigger that looks at a statement's entries compares. An entry inserted without it gets it from its transfer.
* `payments_post` inserts a transfer with all its entries in one round trip, by plans that PostgreSQL keeps; it promises
  nothing that the triggers do not promise to every other way in.
"""

import django.contrib.postgres.indexes
from django.db import migrations, models

FILL = """
ALTER TABLE payments_entry DISABLE TRIGGER payments_entry_append_only;
UPDATE payments_entry SET posted_at = t.posted_at FROM payments_transfer t WHERE t.id = transfer_id;
ALTER TABLE payments_entry ENABLE TRIGGER payments_entry_append_only;
"""

FORWARD = """
CREATE FUNCTION payments_entry_moment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT posted_at INTO NEW.posted_at FROM payments_transfer WHERE id = NEW.transfer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no transfer % for an entry to join', NEW.transfer_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'payments_entry_joins';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_entry_moment BEFORE INSERT ON payments_entry
    FOR EACH ROW WHEN (NEW.posted_at IS NULL) EXECUTE FUNCTION payments_entry_moment();

CREATE OR REPLACE FUNCTION payments_entry_joins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    joined record;
    known record;
BEGIN
    -- A scalar look-up, not a join: a plan made while the tables were small must not scan them when they are big.
    FOR joined IN SELECT transfer_id, max(position) AS last, min(posted_at) AS earliest, max(posted_at) AS latest,
            bool_and(currency IS NOT DISTINCT FROM (SELECT currency FROM payments_account WHERE id = added.account_id))
                AS in_accounts
            FROM added GROUP BY transfer_id LOOP
        SELECT reference, legs, xid, posted_at INTO known FROM payments_transfer WHERE id = joined.transfer_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no transfer % for an entry to join', joined.transfer_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
        IF known.xid <> pg_current_xact_id()::text::bigint THEN
            RAISE EXCEPTION 'no entry may join transfer % after its own transaction', known.reference
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
        IF joined.last > known.legs THEN
            RAISE EXCEPTION 'transfer % has no place % among its % entries', known.reference, joined.last, known.legs
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
        IF joined.earliest <> known.posted_at OR joined.latest <> known.posted_at THEN
            RAISE EXCEPTION 'an entry of transfer % has another time than the transfer', known.reference
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
        IF NOT joined.in_accounts THEN
            SELECT account_id, currency INTO known FROM added
             WHERE (SELECT currency FROM payments_account WHERE id = added.account_id) IS DISTINCT FROM added.currency
             LIMIT 1;
            RAISE EXCEPTION 'there is no account % in %', known.account_id, known.currency
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'payments_entry_account_currency';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION payments_post(
    made uuid, named text, of_kind text, asked text, document text, note text, mirrored uuid, at timestamptz,
    accounts bigint[], sides text[], amounts bigint[], currencies text[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_transfer
        (id, reference, kind, request_sha256, document_sha256, memo, reverses_id, legs, posted_at, xid)
        VALUES (made, named, of_kind, asked, document, note, mirrored, cardinality(accounts), at, 0)
        ON CONFLICT (reference) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO payments_entry (transfer_id, position, account_id, side, amount_micros, currency, posted_at)
        SELECT made, leg.position, leg.account, leg.side, leg.micros, leg.currency, at
          FROM unnest(accounts, sides, amounts, currencies) WITH ORDINALITY
            AS leg(account, side, micros, currency, position);
    RETURN true;
END $$;
"""

BACKWARD = """
DROP FUNCTION payments_post(
    uuid, text, text, text, text, text, uuid, timestamptz, bigint[], text[], bigint[], text[]
);
CREATE OR REPLACE FUNCTION payments_entry_joins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    joined record;
    known record;
BEGIN
    FOR joined IN SELECT transfer_id, max(position) AS last FROM added GROUP BY transfer_id LOOP
        SELECT reference, legs, xid INTO known FROM payments_transfer WHERE id = joined.transfer_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no transfer % for an entry to join', joined.transfer_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
        IF known.xid <> pg_current_xact_id()::text::bigint THEN
            RAISE EXCEPTION 'no entry may join transfer % after its own transaction', known.reference
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
        IF joined.last > known.legs THEN
            RAISE EXCEPTION 'transfer % has no place % among its % entries', known.reference, joined.last, known.legs
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_entry_joins';
        END IF;
    END LOOP;
    FOR joined IN SELECT account_id, currency FROM added
        WHERE (SELECT currency FROM payments_account WHERE id = added.account_id) IS DISTINCT FROM added.currency LIMIT 1
    LOOP
        RAISE EXCEPTION 'there is no account % in %', joined.account_id, joined.currency
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'payments_entry_account_currency';
    END LOOP;
    RETURN NULL;
END $$;
DROP TRIGGER payments_entry_moment ON payments_entry;
DROP FUNCTION payments_entry_moment();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_waterfall")]

    operations = [
        migrations.AddField("entry", "posted_at", models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField("entry", "posted_at", models.DateTimeField()),
        migrations.RemoveIndex("entry", "entry_by_account"),
        migrations.AddIndex(
            "entry",
            models.Index(
                fields=["account", "posted_at"], include=["side", "amount_micros"], name="entry_by_account_and_time"
            ),
        ),
        migrations.AddIndex(
            "entry",
            django.contrib.postgres.indexes.BrinIndex(
                fields=["posted_at"], autosummarize=True, pages_per_range=32, name="entry_by_time"
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
