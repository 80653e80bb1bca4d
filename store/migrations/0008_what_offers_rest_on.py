"""Offers close with whatever they were made for, and rest on records that are there and approved.

- A track that is turned to another recording or moved to another release, and a recording whose works change, close the
  offers made before in the same transaction, of the tracks and of the releases that are sold whole; a review opens
  again what is still cleared.
- A notice about a label with a large catalogue holds all of it back at once (`licensing_held`), and leaves the closing
  of its offers to the reclearance that it owes.
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
# offer whose decision does not know that it hangs on the label (its track joined the release later) is closed as well.
NOTICE = """
CREATE OR REPLACE FUNCTION store_close_on_notice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    struck bigint[] := store_recordings_of(NEW.recording_id, NEW.work_id, NEW.release_id, NEW.label_id);
    held boolean := NEW.label_id IS NOT NULL AND cardinality(struck) > 500;
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
            WHERE kept.id = decision_id AND kept.hangs_on @> ARRAY[-NEW.label_id]));
    RETURN NULL;
END $$;
"""


def restored() -> str:
    before = import_module("store.migrations.0006_notices").CLOSE_ON_NOTICE
    function: str = before.partition("CREATE TRIGGER")[0]
    return function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies = [("store", "0007_evidence_pages")]

    operations = [migrations.RunSQL(CLOSE, NO_CLOSE), migrations.RunSQL(NOTICE, restored())]
