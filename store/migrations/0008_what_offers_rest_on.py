"""Offers close with whatever they were made for, and rest on records that are there and approved.

- A track that is turned to another recording or moved to another release, and a recording whose works change, close the
  offers made before in the same transaction, of the tracks and of the releases that are sold whole; a review opens
  again what is still cleared.
- An offer stands, and a line is sold, only on a decision whose records are there, about this very music, approved and
  neither replaced, revoked nor suspended: whoever can write a decision cannot sell on one that nobody gave.
- A notice about a label, work or release with many recordings holds all of them back at once (`licensing_held`), and
  leaves the closing of its offers to the reclearance that it owes.
"""

from importlib import import_module

from django.db import migrations

# Releases are locked before their offers, as `store_offers_follow` does it, and only where an offer stands: deliveries
# write tracks in any order.
CLOSE = """
CREATE FUNCTION store_close(releases bigint[], tracks bigint[], why text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    closing bigint[];
BEGIN
    SELECT array_agg(id) INTO closing FROM store_offer
        WHERE closed_at IS NULL AND (release_id = ANY (releases) OR track_id = ANY (tracks));
    IF closing IS NOT NULL THEN
        PERFORM 1 FROM catalog_release WHERE id IN (
            SELECT coalesce(offer.release_id, track.release_id) FROM store_offer offer
                LEFT JOIN catalog_track track ON track.id = offer.track_id WHERE offer.id = ANY (closing)
        ) ORDER BY id FOR NO KEY UPDATE;
        UPDATE store_offer SET closed_at = clock_timestamp(), closed_reason = why
            WHERE id = ANY (closing) AND closed_at IS NULL;
    END IF;
END $$;

CREATE FUNCTION store_track_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_close((SELECT array_agg(DISTINCT release_id) FROM joined), '{}', 'TRACKS_CHANGED');
    RETURN NULL;
END $$;
CREATE TRIGGER store_track_joined AFTER INSERT ON catalog_track
    REFERENCING NEW TABLE AS joined FOR EACH STATEMENT EXECUTE FUNCTION store_track_joined();

CREATE FUNCTION store_track_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tracks bigint[];
    releases bigint[];
BEGIN
    SELECT array_agg(DISTINCT after.id), array_agg(DISTINCT after.release_id) || array_agg(DISTINCT before.release_id)
        INTO tracks, releases FROM after JOIN before ON before.id = after.id
        WHERE ROW(after.recording_id, after.release_id) IS DISTINCT FROM ROW(before.recording_id, before.release_id);
    IF tracks IS NOT NULL THEN
        PERFORM store_close(releases, tracks, 'TRACKS_CHANGED');
        PERFORM store_shelve(releases);
        PERFORM store_mark_recordings((SELECT array_agg(recording_id) FROM after WHERE id = ANY (tracks)), 'track');
        PERFORM store_mark_left(releases);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_track_moved AFTER UPDATE ON catalog_track
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION store_track_moved();

CREATE FUNCTION store_track_left() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    releases bigint[] := (SELECT array_agg(DISTINCT release_id) FROM gone);
BEGIN
    PERFORM store_close(releases, '{}', 'TRACKS_CHANGED');
    PERFORM store_mark_left(releases);
    RETURN NULL;
END $$;
CREATE TRIGGER store_track_left AFTER DELETE ON catalog_track
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION store_track_left();

-- One recording that stayed is enough to have a release looked at.
CREATE FUNCTION store_mark_left(releases bigint[]) RETURNS void LANGUAGE sql AS $$
    SELECT store_mark_decided(array_agg(stayed), 'track') FROM (
        SELECT min(recording_id) AS stayed FROM catalog_track WHERE release_id = ANY (releases) GROUP BY release_id
    ) AS every;
$$;

CREATE FUNCTION store_works_changed(recordings bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tracks bigint[];
    releases bigint[];
BEGIN
    SELECT array_agg(id), array_agg(DISTINCT release_id) INTO tracks, releases
        FROM catalog_track WHERE recording_id = ANY (recordings);
    PERFORM store_close(releases, tracks, 'WORKS_CHANGED');
    PERFORM store_mark_decided(recordings, 'recording');
END $$;

CREATE FUNCTION store_work_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_works_changed((SELECT array_agg(DISTINCT recording_id) FROM joined));
    RETURN NULL;
END $$;
CREATE TRIGGER store_work_joined AFTER INSERT ON catalog_recordingwork
    REFERENCING NEW TABLE AS joined FOR EACH STATEMENT EXECUTE FUNCTION store_work_joined();

CREATE FUNCTION store_work_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_works_changed(array_agg(DISTINCT after.recording_id) || array_agg(DISTINCT before.recording_id))
        FROM after JOIN before ON before.id = after.id
        WHERE ROW(after.recording_id, after.work_id) IS DISTINCT FROM ROW(before.recording_id, before.work_id);
    RETURN NULL;
END $$;
CREATE TRIGGER store_work_moved AFTER UPDATE ON catalog_recordingwork
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION store_work_moved();

CREATE FUNCTION store_work_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_works_changed((SELECT array_agg(DISTINCT recording_id) FROM gone));
    RETURN NULL;
END $$;
CREATE TRIGGER store_work_left AFTER DELETE ON catalog_recordingwork
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION store_work_left();
"""
NO_CLOSE = """
DROP TRIGGER store_work_left ON catalog_recordingwork;
DROP TRIGGER store_work_moved ON catalog_recordingwork;
DROP TRIGGER store_work_joined ON catalog_recordingwork;
DROP FUNCTION store_work_left(), store_work_moved(), store_work_joined(), store_works_changed(bigint[]);
DROP TRIGGER store_track_left ON catalog_track;
DROP TRIGGER store_track_moved ON catalog_track;
DROP TRIGGER store_track_joined ON catalog_track;
DROP FUNCTION store_track_left(), store_track_moved(), store_track_joined(), store_mark_left(bigint[]),
    store_close(bigint[], bigint[], text);
"""

# As many recordings as `licensing.affected.AT_ONCE` says are decided, and their offers closed, in the act itself. An
# offer whose decision does not know what it hangs on (its track joined the release later) is closed as well.
NOTICE = """
CREATE OR REPLACE FUNCTION store_close_on_notice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    struck bigint[] := store_recordings_of(NEW.recording_id, NEW.work_id, NEW.release_id, NEW.label_id);
    key bigint := licensing_held_key(NEW.label_id, NEW.work_id, NEW.release_id);
    held boolean := key IS NOT NULL AND cardinality(struck) > 500;
BEGIN
    UPDATE store_offer SET closed_at = clock_timestamp(), closed_reason =
            CASE NEW.kind WHEN 'LEGAL_HOLD' THEN 'LEGAL_HOLD' WHEN 'DISPUTE' THEN 'DISPUTED' ELSE 'TAKEN_DOWN' END
        WHERE closed_at IS NULL AND (
            track_id IN (SELECT id FROM catalog_track WHERE recording_id = ANY (struck))
            OR release_id IN (SELECT release_id FROM catalog_track WHERE recording_id = ANY (struck))
            OR release_id = NEW.release_id
            OR release_id IN (SELECT id FROM catalog_release WHERE label_id = NEW.label_id))
        AND NOT (held AND EXISTS (
            SELECT 1 FROM licensing_clearancedecision kept
            WHERE kept.id = decision_id AND kept.hangs_on @> ARRAY[key]));
    RETURN NULL;
END $$;
"""

# Every recording needs a record of its own, and so does every work in it. That shares and terms suffice is the engine's
# to say; this is what it must have said it of.
RECORDS = """
CREATE FUNCTION store_check_records(decision bigint) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    named text[];
    standing bigint[];
    sold bigint[];
BEGIN
    SELECT array_agg(DISTINCT relied #>> '{}') INTO named FROM licensing_clearancedecision kept,
        jsonb_path_query(kept.verdict::jsonb, '$.cleared[*].relied_on[*]') AS relied WHERE kept.id = decision;
    SELECT CASE WHEN kept.recording_id IS NOT NULL THEN ARRAY[kept.recording_id]
            ELSE ARRAY(SELECT recording_id FROM catalog_track WHERE release_id = kept.release_id) END
        INTO sold FROM licensing_clearancedecision kept WHERE kept.id = decision;
    SELECT array_agg(about.id) INTO standing
    FROM licensing_clearancedecision kept, jsonb_array_elements(kept.verdict::jsonb -> 'records') AS one
    JOIN licensing_licencegrant about ON about.record_id = substring(one ->> 'record' FROM '^[0-9a-f-]{36}')::uuid
        AND about.version = (one ->> 'version')::integer AND about.layer = one ->> 'layer'
    JOIN LATERAL (
        SELECT outcome, second_needed, reviewer FROM licensing_review WHERE grant_id = about.id ORDER BY id DESC LIMIT 1
    ) AS word ON word.outcome = 'APPROVED'
    WHERE kept.id = decision AND one ->> 'record' = ANY (named)
      AND NOT EXISTS (SELECT 1 FROM licensing_licencegrant newer WHERE newer.supersedes_id = about.id)
      AND (NOT word.second_needed OR EXISTS (SELECT 1 FROM licensing_review other
          WHERE other.grant_id = about.id AND other.outcome = 'APPROVED' AND other.reviewer <> word.reviewer))
      AND coalesce((
          SELECT ended.kind = 'RESUMED' FROM licensing_grantend ended
          JOIN licensing_licencegrant every ON every.id = ended.grant_id
          WHERE every.record_id = about.record_id AND ended.at <= clock_timestamp()
          ORDER BY ended.kind = 'REVOKED' DESC, ended.id DESC LIMIT 1), true);
    IF coalesce(cardinality(standing), 0) < coalesce(cardinality(named), 0) THEN
        RAISE EXCEPTION 'store: decision % relies on a record that does not stand', decision USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM catalog_recording recording WHERE recording.id = ANY (sold) AND NOT EXISTS (
            SELECT 1 FROM licensing_licencegrant about WHERE about.id = ANY (standing) AND about.layer = 'RECORDING'
                AND (about.recording_id = recording.id OR about.catalogue_id = recording.label_id))
    ) OR EXISTS (
        SELECT 1 FROM catalog_recordingwork heard WHERE heard.recording_id = ANY (sold) AND NOT EXISTS (
            SELECT 1 FROM licensing_licencegrant about WHERE about.id = ANY (standing) AND about.layer = 'WORK'
                AND (about.work_id = heard.work_id OR about.catalogue_id IS NOT NULL))
    ) OR cardinality(sold) = 0 THEN
        RAISE EXCEPTION 'store: decision % names no licence for all that would be sold', decision USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION store_offer_licensed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.closed_at IS NULL THEN
        PERFORM store_check_records(NEW.decision_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_offer_licensed BEFORE INSERT OR UPDATE OF decision_id, closed_at ON store_offer
    FOR EACH ROW EXECUTE FUNCTION store_offer_licensed();

CREATE FUNCTION store_orderline_licensed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_check_records(NEW.decision_id);
    RETURN NEW;
END $$;
CREATE TRIGGER store_orderline_licensed BEFORE INSERT ON store_orderline
    FOR EACH ROW EXECUTE FUNCTION store_orderline_licensed();
"""
NO_RECORDS = """
DROP TRIGGER store_orderline_licensed ON store_orderline;
DROP TRIGGER store_offer_licensed ON store_offer;
DROP FUNCTION store_orderline_licensed(), store_offer_licensed(), store_check_records(bigint);
"""


def restored() -> str:
    before = import_module("store.migrations.0006_notices").CLOSE_ON_NOTICE
    function: str = before.partition("CREATE TRIGGER")[0]
    return function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies = [("store", "0007_evidence_pages"), ("licensing", "0011_large_notices")]

    operations = [
        migrations.RunSQL(CLOSE, NO_CLOSE),
        migrations.RunSQL(NOTICE, restored()),
        migrations.RunSQL(RECORDS, NO_RECORDS),
    ]
