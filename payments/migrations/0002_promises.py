"""What the ledger promises, kept by PostgreSQL for every route in: code, admin, shell and raw SQL.

* A transfer's entries sum to nought in each currency and are as many as `legs` says (at least two): a constraint
  trigger on the transfer, checked at commit. Positions run from 1 to `legs` and are unique, so once that check has
  passed there is no room for one entry more, not even where constraints were made immediate half-way.
* No entry joins a transfer after the transfer's own transaction: `xid` is set by the database and compared.
* Transfers, entries, seals, statements and accounts are never changed or deleted. TRUNCATE is a matter of privilege:
  the application's role does not get it (a trigger against it would break Django's own test clean-up).
* An entry's transfer and account exist, and it is in its account's currency. The trigger that looks at all entries of
  a statement at once keeps this instead of foreign keys, which would lock the account rows that every sale shares and
  cost a third of a posting; since neither transfers nor accounts can be deleted, it is the same promise.
"""

from django.db import migrations

APPEND_ONLY = ["account", "transfer", "entry", "transferseal", "statement"]

FORWARD = """
CREATE FUNCTION payments_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is recorded here is never changed; post a correction instead',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION payments_transfer_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_transfer_begin BEFORE INSERT ON payments_transfer
    FOR EACH ROW EXECUTE FUNCTION payments_transfer_begin();

CREATE FUNCTION payments_transfer_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_unsealedtransfer (transfer_id, posted_at) VALUES (NEW.id, NEW.posted_at);
    RETURN NULL;
END $$;
CREATE TRIGGER payments_transfer_waits AFTER INSERT ON payments_transfer
    FOR EACH ROW EXECUTE FUNCTION payments_transfer_waits();

CREATE FUNCTION payments_transfer_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SELECT coalesce(sum(number), 0) AS number, coalesce(bool_or(total <> 0), false) AS crooked
      INTO found
      FROM (SELECT count(*) AS number,
                   sum(CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END) AS total
              FROM payments_entry WHERE transfer_id = NEW.id GROUP BY currency) AS per_currency;
    IF found.number <> NEW.legs OR found.number < 2 THEN
        RAISE EXCEPTION 'transfer % has % entries where % were promised', NEW.reference, found.number, NEW.legs
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_transfer_balanced';
    END IF;
    IF found.crooked THEN
        RAISE EXCEPTION 'transfer % does not balance', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_transfer_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_transfer_balanced AFTER INSERT ON payments_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_transfer_balanced();

CREATE FUNCTION payments_entry_joins() RETURNS trigger LANGUAGE plpgsql AS $$
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
    -- A scalar look-up, not a join: a plan made while the tables were small must not scan them when they are big.
    FOR joined IN SELECT account_id, currency FROM added
        WHERE (SELECT currency FROM payments_account WHERE id = added.account_id) IS DISTINCT FROM added.currency LIMIT 1
    LOOP
        RAISE EXCEPTION 'there is no account % in %', joined.account_id, joined.currency
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'payments_entry_account_currency';
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_entry_joins AFTER INSERT ON payments_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION payments_entry_joins();
"""

BACKWARD = """
DROP TRIGGER payments_entry_joins ON payments_entry;
DROP TRIGGER payments_transfer_balanced ON payments_transfer;
DROP TRIGGER payments_transfer_waits ON payments_transfer;
DROP TRIGGER payments_transfer_begin ON payments_transfer;
DROP FUNCTION payments_entry_joins();
DROP FUNCTION payments_transfer_balanced();
DROP FUNCTION payments_transfer_waits();
DROP FUNCTION payments_transfer_begin();
DROP FUNCTION payments_refuse_change();
"""


def append_only(table: str) -> str:
    return (
        f"CREATE TRIGGER payments_{table}_append_only BEFORE UPDATE OR DELETE ON payments_{table} "
        f"FOR EACH ROW EXECUTE FUNCTION payments_refuse_change();\n"
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.RunSQL(
            FORWARD + "".join(map(append_only, APPEND_ONLY)),
            "".join(f"DROP TRIGGER payments_{table}_append_only ON payments_{table};\n" for table in APPEND_ONLY)
            + BACKWARD,
        ),
    ]
