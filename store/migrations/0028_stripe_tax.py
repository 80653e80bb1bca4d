"""The tax of an order that Stripe reckoned is kept as Stripe says, until the order is paid and never after.

What was agreed still never changes otherwise: amounts, titles, terms. Lines and order go on summing to each other.
"""

from django.db import migrations

TAXED = """
CREATE FUNCTION store_stripe_taxed(number text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM payments_charge
        WHERE reference = number AND taxed_by_stripe AND state = 'PAID' AND tax ->> 'status' = 'complete'
    );
$$;

CREATE OR REPLACE FUNCTION store_orderline_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moves text[] := ARRAY['state', 'state_reason', 'refunded_at', 'returned_minor'];
    taxed text[] := ARRAY['tax_rate', 'tax_minor', 'split'];
    sale store_order%ROWTYPE;
BEGIN
    IF to_jsonb(NEW) - moves = to_jsonb(OLD) - moves THEN
        RETURN NEW;
    END IF;
    SELECT * INTO sale FROM store_order WHERE id = OLD.order_id;
    IF to_jsonb(NEW) - moves - taxed <> to_jsonb(OLD) - moves - taxed
       OR sale.paid_at IS NOT NULL OR NOT store_stripe_taxed(sale.number)
    THEN
        RAISE EXCEPTION 'store: what an order line agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION store_order_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ROW(NEW.public_id, NEW.number, NEW.buyer_id, NEW.country, NEW.country_evidence, NEW.currency, NEW.total_minor,
           NEW.request_key, NEW.request_sha256, NEW.placed_at, NEW.consent_at)
       IS DISTINCT FROM
       ROW(OLD.public_id, OLD.number, OLD.buyer_id, OLD.country, OLD.country_evidence, OLD.currency, OLD.total_minor,
           OLD.request_key, OLD.request_sha256, OLD.placed_at, OLD.consent_at)
       OR (NEW.tax_minor <> OLD.tax_minor AND (OLD.paid_at IS NOT NULL OR NOT store_stripe_taxed(OLD.number)))
    THEN
        RAISE EXCEPTION 'store: what an order agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE CONSTRAINT TRIGGER store_order_sums_again AFTER UPDATE OF tax_minor ON store_order
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION store_order_sums();
CREATE CONSTRAINT TRIGGER store_orderline_sums_again AFTER UPDATE OF tax_minor ON store_orderline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION store_order_sums();
"""
AGREED = """
DROP TRIGGER store_orderline_sums_again ON store_orderline;
DROP TRIGGER store_order_sums_again ON store_order;

CREATE OR REPLACE FUNCTION store_orderline_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'state' - 'state_reason' - 'refunded_at' - 'returned_minor'
       <> to_jsonb(OLD) - 'state' - 'state_reason' - 'refunded_at' - 'returned_minor' THEN
        RAISE EXCEPTION 'store: what an order line agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION store_order_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ROW(NEW.public_id, NEW.number, NEW.buyer_id, NEW.country, NEW.country_evidence, NEW.currency, NEW.total_minor,
           NEW.tax_minor, NEW.request_key, NEW.request_sha256, NEW.placed_at, NEW.consent_at)
       IS DISTINCT FROM
       ROW(OLD.public_id, OLD.number, OLD.buyer_id, OLD.country, OLD.country_evidence, OLD.currency, OLD.total_minor,
           OLD.tax_minor, OLD.request_key, OLD.request_sha256, OLD.placed_at, OLD.consent_at)
    THEN
        RAISE EXCEPTION 'store: what an order agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP FUNCTION store_stripe_taxed(text);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0014_stripe_tax"),
        ("store", "0027_late_numbers"),
    ]

    operations = [migrations.RunSQL(TAXED, AGREED)]
