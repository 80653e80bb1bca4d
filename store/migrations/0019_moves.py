"""How orders and their lines move on, in triggers of their own: payments that take days, refunds in parts, chargebacks.

What they agreed stays frozen by the triggers of 0002, which no longer look at states.
"""

from django.db import migrations

FROZEN = """
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
"""
MOVES = """
CREATE FUNCTION store_orderline_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state || '>' || NEW.state) NOT IN (
        'PLACED>PAID', 'PLACED>REFUND_DUE', 'PLACED>CANCELLED', 'CANCELLED>REFUND_DUE', 'CANCELLED>PAID',
        'PAID>REFUND_DUE', 'REFUND_DUE>REFUNDED', 'PAID>REFUNDED',
        'PAID>CHARGEBACK', 'CHARGEBACK>PAID', 'CHARGEBACK>CHARGED_BACK', 'CHARGED_BACK>CHARGEBACK',
        'REFUND_DUE>CHARGED_BACK')
    THEN
        RAISE EXCEPTION 'store: an order line does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_orderline_moves BEFORE UPDATE ON store_orderline FOR EACH ROW
    WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION store_orderline_moves();

CREATE FUNCTION store_order_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state || '>' || NEW.state) NOT IN (
        'PLACED>PAID', 'PLACED>CANCELLED', 'CANCELLED>PAID', 'PAID>REFUNDED',
        'PLACED>PENDING', 'CANCELLED>PENDING', 'FAILED>PENDING', 'PENDING>PAID', 'PENDING>FAILED',
        'FAILED>PAID', 'FAILED>CANCELLED', 'PAID>CHARGED_BACK', 'CHARGED_BACK>PAID')
    THEN
        RAISE EXCEPTION 'store: an order does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_order_moves BEFORE UPDATE ON store_order FOR EACH ROW
    WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION store_order_moves();
"""
# What was refunded before parts could be: each line as a whole.
EARLIER = """
UPDATE store_orderline SET returned_minor = amount_minor WHERE state = 'REFUNDED';
INSERT INTO store_linerefund (line_id, reference, amount_minor, whole, reason, actor, state, decided_at, closed_at)
SELECT id, 'refund:' || public_id, amount_minor, true, state_reason, 'task:refunds', 'DONE', refunded_at, refunded_at
FROM store_orderline WHERE state = 'REFUNDED' AND amount_minor > 0 AND refunded_at IS NOT NULL;
"""
BACK = """
DROP TRIGGER store_order_moves ON store_order;
DROP FUNCTION store_order_moves();
DROP TRIGGER store_orderline_moves ON store_orderline;
DROP FUNCTION store_orderline_moves();
"""
AS_BEFORE = """
CREATE OR REPLACE FUNCTION store_orderline_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'state' - 'state_reason' - 'refunded_at'
       <> to_jsonb(OLD) - 'state' - 'state_reason' - 'refunded_at' THEN
        RAISE EXCEPTION 'store: what an order line agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
        'PLACED>PAID', 'PLACED>REFUND_DUE', 'PLACED>CANCELLED', 'CANCELLED>REFUND_DUE',
        'PAID>REFUND_DUE', 'REFUND_DUE>REFUNDED', 'PAID>REFUNDED')
    THEN
        RAISE EXCEPTION 'store: an order line does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
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
    IF NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
        'PLACED>PAID', 'PLACED>CANCELLED', 'CANCELLED>PAID', 'PAID>REFUNDED')
    THEN
        RAISE EXCEPTION 'store: an order does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0018_returns")]

    operations = [
        migrations.RunSQL(FROZEN, AS_BEFORE),
        migrations.RunSQL(MOVES, BACK),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
    ]
