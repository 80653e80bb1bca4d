"""Promises of the shop that hold by whatever route a row is written: form, API, admin, shell, bulk or raw SQL.

- An offer stands, and an order line is made, only with the latest decision on that release or recording that says yes
  (for a line: in the buyer's country) and still holds now.
- What was agreed in an order never changes; certificates and delivered tracks are never changed or deleted.
- The lines of an order sum to its total when the transaction commits.
- Whatever changes what may be sold leaves a `ReviewDue` row in the same transaction, so that no change is forgotten.
"""

from django.db import migrations

CHECK_DECISION = """
CREATE FUNCTION store_check_decision(decision bigint, release_wanted bigint, track_wanted bigint, use_wanted text, country text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kept licensing_clearancedecision%ROWTYPE;
    recording_wanted bigint;
BEGIN
    SELECT * INTO kept FROM licensing_clearancedecision WHERE id = decision;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'store: there is no clearance decision %', decision USING ERRCODE = 'check_violation';
    END IF;
    IF track_wanted IS NOT NULL THEN
        SELECT recording_id INTO recording_wanted FROM catalog_track WHERE id = track_wanted;
    END IF;
    IF kept.release_id IS DISTINCT FROM release_wanted OR kept.recording_id IS DISTINCT FROM recording_wanted THEN
        RAISE EXCEPTION 'store: decision % is about something else', decision USING ERRCODE = 'check_violation';
    END IF;
    IF kept.use <> use_wanted THEN
        RAISE EXCEPTION 'store: decision % is about another use', decision USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM licensing_clearancedecision newer
        WHERE newer.id > kept.id AND newer.use = kept.use
          AND (newer.release_id = kept.release_id OR newer.recording_id = kept.recording_id)
    ) THEN
        RAISE EXCEPTION 'store: decision % was superseded', decision USING ERRCODE = 'check_violation';
    END IF;
    IF kept.good_until IS NOT NULL AND kept.good_until <= clock_timestamp() THEN
        RAISE EXCEPTION 'store: decision % no longer holds', decision USING ERRCODE = 'check_violation';
    END IF;
    IF country IS NULL AND cardinality(kept.cleared_countries) = 0 THEN
        RAISE EXCEPTION 'store: decision % clears no country', decision USING ERRCODE = 'check_violation';
    END IF;
    IF country IS NOT NULL AND NOT country = ANY (kept.cleared_countries) THEN
        RAISE EXCEPTION 'store: decision % does not clear %', decision, country USING ERRCODE = 'check_violation';
    END IF;
END $$;
"""

OFFER = """
CREATE FUNCTION store_offer_cleared() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF ROW(NEW.public_id, NEW.release_id, NEW.track_id, NEW.use, NEW.currency, NEW.amount_minor, NEW.opened_at)
           IS DISTINCT FROM
           ROW(OLD.public_id, OLD.release_id, OLD.track_id, OLD.use, OLD.currency, OLD.amount_minor, OLD.opened_at)
        THEN
            RAISE EXCEPTION 'store: an offer is never changed; close it and open another' USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.closed_at IS NOT NULL AND ROW(NEW.closed_at, NEW.decision_id) IS DISTINCT FROM ROW(OLD.closed_at, OLD.decision_id)
        THEN
            RAISE EXCEPTION 'store: a closed offer stays closed; open another' USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.closed_at IS NULL THEN
        PERFORM store_check_decision(NEW.decision_id, NEW.release_id, NEW.track_id, NEW.use, NULL);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_offer_cleared BEFORE INSERT OR UPDATE ON store_offer
    FOR EACH ROW EXECUTE FUNCTION store_offer_cleared();
"""

ORDER_LINE = """
CREATE FUNCTION store_orderline_cleared() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sale store_order%ROWTYPE;
    offered store_offer%ROWTYPE;
BEGIN
    SELECT * INTO sale FROM store_order WHERE id = NEW.order_id;
    IF sale.state <> 'PLACED' THEN
        RAISE EXCEPTION 'store: no line joins order % later', sale.number USING ERRCODE = 'check_violation';
    END IF;
    SELECT * INTO offered FROM store_offer WHERE id = NEW.offer_id;
    IF offered.closed_at IS NOT NULL OR offered.currency <> sale.currency
       OR ROW(offered.release_id, offered.track_id) IS DISTINCT FROM ROW(NEW.release_id, NEW.track_id)
    THEN
        RAISE EXCEPTION 'store: the offer is closed or is not for this line' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM store_check_decision(NEW.decision_id, NEW.release_id, NEW.track_id, offered.use, sale.country);
    RETURN NEW;
END $$;
CREATE TRIGGER store_orderline_cleared BEFORE INSERT ON store_orderline
    FOR EACH ROW EXECUTE FUNCTION store_orderline_cleared();
"""

FROZEN = """
CREATE FUNCTION store_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'store: % rows are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION store_orderline_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'state' - 'state_reason' - 'refunded_at' <> to_jsonb(OLD) - 'state' - 'state_reason' - 'refunded_at' THEN
        RAISE EXCEPTION 'store: what an order line agreed never changes' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
        'PLACED>PAID', 'PLACED>REFUND_DUE', 'PLACED>CANCELLED', 'CANCELLED>REFUND_DUE',
        'PAID>REFUND_DUE', 'REFUND_DUE>REFUNDED', 'PAID>REFUNDED')
    THEN
        RAISE EXCEPTION 'store: an order line does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_orderline_frozen BEFORE UPDATE ON store_orderline
    FOR EACH ROW EXECUTE FUNCTION store_orderline_frozen();
CREATE TRIGGER store_orderline_kept BEFORE DELETE ON store_orderline FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_order_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
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
        RAISE EXCEPTION 'store: an order does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_order_frozen BEFORE UPDATE ON store_order FOR EACH ROW EXECUTE FUNCTION store_order_frozen();
CREATE TRIGGER store_order_kept BEFORE DELETE ON store_order FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE TRIGGER store_certificate_final BEFORE UPDATE OR DELETE ON store_certificate
    FOR EACH ROW EXECUTE FUNCTION store_refuse();
CREATE TRIGGER store_orderlinetrack_final BEFORE UPDATE OR DELETE ON store_orderlinetrack
    FOR EACH ROW EXECUTE FUNCTION store_refuse();

CREATE FUNCTION store_letter_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'until' <> to_jsonb(OLD) - 'until' OR OLD.until IS NOT NULL THEN
        RAISE EXCEPTION 'store: a letter of direction is ended once, never changed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_letter_frozen BEFORE UPDATE ON store_letterofdirection
    FOR EACH ROW EXECUTE FUNCTION store_letter_frozen();
CREATE TRIGGER store_letter_kept BEFORE DELETE ON store_letterofdirection
    FOR EACH ROW EXECUTE FUNCTION store_refuse();
"""

TOTALS = """
CREATE FUNCTION store_order_sums() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted bigint := CASE TG_TABLE_NAME WHEN 'store_order' THEN NEW.id ELSE (to_jsonb(NEW) ->> 'order_id')::bigint END;
    sale store_order%ROWTYPE;
    amount numeric;
    tax numeric;
BEGIN
    SELECT * INTO sale FROM store_order WHERE id = wanted;
    SELECT coalesce(sum(amount_minor), 0), coalesce(sum(tax_minor), 0) INTO amount, tax
        FROM store_orderline WHERE order_id = wanted;
    IF amount <> sale.total_minor OR tax <> sale.tax_minor THEN
        RAISE EXCEPTION 'store: the lines of order % do not sum to its total', sale.number USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER store_order_sums AFTER INSERT ON store_order
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION store_order_sums();
CREATE CONSTRAINT TRIGGER store_orderline_sums AFTER INSERT ON store_orderline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION store_order_sums();
"""

# A mark is only inserted, never updated, so that marking takes no lock that another sale or review could wait for.
MARKS = """
CREATE FUNCTION store_mark_recordings(recordings bigint[], cause text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO store_reviewdue (recording_id, cause)
    SELECT DISTINCT found, cause FROM unnest(recordings) AS found WHERE found IS NOT NULL;
$$;

CREATE FUNCTION store_recordings_of(recording bigint, work bigint, release bigint, label bigint) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
    SELECT array_agg(DISTINCT found) FROM (
        SELECT recording AS found
        UNION ALL SELECT recording_id FROM catalog_recordingwork WHERE work_id = work
        UNION ALL SELECT recording_id FROM catalog_track WHERE release_id = release
        UNION ALL SELECT id FROM catalog_recording WHERE label_id = label
        UNION ALL SELECT track.recording_id FROM catalog_track track
            JOIN catalog_release issued ON issued.id = track.release_id WHERE issued.label_id = label
    ) AS every WHERE found IS NOT NULL;
$$;

CREATE FUNCTION store_mark_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_recordings(store_recordings_of(NEW.recording_id, NEW.work_id, NULL, NULL), 'grant');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_grant AFTER INSERT ON licensing_licencegrant
    FOR EACH ROW EXECUTE FUNCTION store_mark_grant();

CREATE FUNCTION store_mark_about_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about licensing_licencegrant%ROWTYPE;
BEGIN
    SELECT * INTO about FROM licensing_licencegrant WHERE id = NEW.grant_id;
    PERFORM store_mark_recordings(store_recordings_of(about.recording_id, about.work_id, NULL, NULL), TG_ARGV[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_review AFTER INSERT ON licensing_review
    FOR EACH ROW EXECUTE FUNCTION store_mark_about_grant('review');
CREATE TRIGGER store_mark_grantend AFTER INSERT ON licensing_grantend
    FOR EACH ROW EXECUTE FUNCTION store_mark_about_grant('grant end');

CREATE FUNCTION store_mark_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_recordings(
        store_recordings_of(NEW.recording_id, NEW.work_id, NEW.release_id, NEW.label_id), 'notice');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_notice AFTER INSERT ON licensing_notice
    FOR EACH ROW EXECUTE FUNCTION store_mark_notice();

CREATE FUNCTION store_mark_noticeend() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about licensing_notice%ROWTYPE;
BEGIN
    SELECT * INTO about FROM licensing_notice WHERE id = NEW.notice_id;
    PERFORM store_mark_recordings(
        store_recordings_of(about.recording_id, about.work_id, about.release_id, about.label_id), 'notice end');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_noticeend AFTER INSERT ON licensing_noticeend
    FOR EACH ROW EXECUTE FUNCTION store_mark_noticeend();

CREATE FUNCTION store_mark_master() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_recordings(ARRAY[NEW.recording_id], 'master');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_master AFTER UPDATE OF state ON transcoding_master
    FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION store_mark_master();

CREATE FUNCTION store_mark_rendition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_recordings(
        ARRAY[(SELECT recording_id FROM transcoding_master WHERE id = NEW.master_id)], 'rendition');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_rendition AFTER UPDATE OF state ON transcoding_rendition
    FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('READY', 'FAILED'))
    EXECUTE FUNCTION store_mark_rendition();

CREATE FUNCTION store_mark_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed store_price%ROWTYPE;
BEGIN
    IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
    PERFORM store_mark_recordings(
        store_recordings_of(changed.recording_id, NULL, changed.release_id, NULL), 'price');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_price AFTER INSERT OR UPDATE OR DELETE ON store_price
    FOR EACH ROW EXECUTE FUNCTION store_mark_price();

CREATE FUNCTION store_mark_track() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_recordings(ARRAY[NEW.recording_id], 'track');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_track AFTER INSERT ON catalog_track FOR EACH ROW EXECUTE FUNCTION store_mark_track();
"""

MARKS_REVERSE = """
DROP TRIGGER store_mark_track ON catalog_track;
DROP FUNCTION store_mark_track();
DROP TRIGGER store_mark_price ON store_price;
DROP FUNCTION store_mark_price();
DROP TRIGGER store_mark_rendition ON transcoding_rendition;
DROP FUNCTION store_mark_rendition();
DROP TRIGGER store_mark_master ON transcoding_master;
DROP FUNCTION store_mark_master();
DROP TRIGGER store_mark_noticeend ON licensing_noticeend;
DROP FUNCTION store_mark_noticeend();
DROP TRIGGER store_mark_notice ON licensing_notice;
DROP FUNCTION store_mark_notice();
DROP TRIGGER store_mark_grantend ON licensing_grantend;
DROP TRIGGER store_mark_review ON licensing_review;
DROP FUNCTION store_mark_about_grant();
DROP TRIGGER store_mark_grant ON licensing_licencegrant;
DROP FUNCTION store_mark_grant();
DROP FUNCTION store_recordings_of(bigint, bigint, bigint, bigint);
DROP FUNCTION store_mark_recordings(bigint[], text);
"""

REVERSE = """
DROP TRIGGER store_orderline_sums ON store_orderline;
DROP TRIGGER store_order_sums ON store_order;
DROP FUNCTION store_order_sums();
DROP TRIGGER store_letter_kept ON store_letterofdirection;
DROP TRIGGER store_letter_frozen ON store_letterofdirection;
DROP FUNCTION store_letter_frozen();
DROP TRIGGER store_orderlinetrack_final ON store_orderlinetrack;
DROP TRIGGER store_certificate_final ON store_certificate;
DROP TRIGGER store_order_kept ON store_order;
DROP TRIGGER store_order_frozen ON store_order;
DROP FUNCTION store_order_frozen();
DROP TRIGGER store_orderline_kept ON store_orderline;
DROP TRIGGER store_orderline_frozen ON store_orderline;
DROP FUNCTION store_orderline_frozen();
DROP FUNCTION store_refuse();
DROP TRIGGER store_orderline_cleared ON store_orderline;
DROP FUNCTION store_orderline_cleared();
DROP TRIGGER store_offer_cleared ON store_offer;
DROP FUNCTION store_offer_cleared();
DROP FUNCTION store_check_decision(bigint, bigint, bigint, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial"), ("transcoding", "0002_promises")]

    operations = [
        migrations.RunSQL(CHECK_DECISION + OFFER + ORDER_LINE + FROZEN + TOTALS, REVERSE),
        migrations.RunSQL(MARKS, MARKS_REVERSE),
    ]
