"""Finished files follow credits, covers, names and works too, as they follow titles (0009).

Credits and covers are looked at when they come and go as well; a recording that nobody has decided about has no files,
so a delivery pays one look into an index for each credit.
"""

from django.db import migrations

MARKS = """
CREATE FUNCTION store_mark_credit_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM store_mark_decided(CASE WHEN OLD.recording_id IS NOT NULL THEN ARRAY[OLD.recording_id]
            ELSE store_recordings_of(NULL, OLD.work_id, OLD.release_id, NULL) END, 'tags');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM store_mark_decided(CASE WHEN NEW.recording_id IS NOT NULL THEN ARRAY[NEW.recording_id]
            ELSE store_recordings_of(NULL, NEW.work_id, NEW.release_id, NULL) END, 'tags');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_credit_tags AFTER INSERT OR DELETE ON catalog_credit
    FOR EACH ROW EXECUTE FUNCTION store_mark_credit_tags();
CREATE TRIGGER store_mark_changed_credit_tags AFTER UPDATE ON catalog_credit FOR EACH ROW
    WHEN (NEW IS DISTINCT FROM OLD) EXECUTE FUNCTION store_mark_credit_tags();

CREATE FUNCTION store_mark_cover_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM store_mark_decided(store_recordings_of(NULL, NULL, OLD.release_id, NULL), 'tags');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM store_mark_decided(store_recordings_of(NULL, NULL, NEW.release_id, NULL), 'tags');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_cover_tags AFTER INSERT OR DELETE ON catalog_artwork
    FOR EACH ROW EXECUTE FUNCTION store_mark_cover_tags();
CREATE TRIGGER store_mark_changed_cover_tags AFTER UPDATE ON catalog_artwork FOR EACH ROW
    WHEN (ROW(NEW.release_id, NEW.position, NEW.sha256, NEW.file)
        IS DISTINCT FROM ROW(OLD.release_id, OLD.position, OLD.sha256, OLD.file))
    EXECUTE FUNCTION store_mark_cover_tags();

-- Whoever is credited, and the label.
CREATE FUNCTION store_mark_party_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_decided(array_agg(said), 'tags') FROM (
        SELECT recording_id AS said FROM catalog_credit WHERE party_id = NEW.id
        UNION SELECT heard.recording_id FROM catalog_credit credit
            JOIN catalog_recordingwork heard ON heard.work_id = credit.work_id WHERE credit.party_id = NEW.id
        UNION SELECT track.recording_id FROM catalog_credit credit
            JOIN catalog_track track ON track.release_id = credit.release_id WHERE credit.party_id = NEW.id
        UNION SELECT unnest(store_recordings_of(NULL, NULL, NULL, NEW.id))
    ) AS every;
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_party_tags AFTER UPDATE ON catalog_party FOR EACH ROW
    WHEN (ROW(NEW.name, NEW.sort_name, NEW.musicbrainz_id)
        IS DISTINCT FROM ROW(OLD.name, OLD.sort_name, OLD.musicbrainz_id))
    EXECUTE FUNCTION store_mark_party_tags();

CREATE FUNCTION store_mark_work_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_decided(store_recordings_of(NULL, NEW.id, NULL, NULL), 'tags');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_work_tags AFTER UPDATE ON catalog_work FOR EACH ROW
    WHEN (ROW(NEW.title, NEW.iswc, NEW.musicbrainz_id) IS DISTINCT FROM ROW(OLD.title, OLD.iswc, OLD.musicbrainz_id))
    EXECUTE FUNCTION store_mark_work_tags();

CREATE TRIGGER store_mark_release_house_tags AFTER UPDATE ON catalog_release FOR EACH ROW
    WHEN (ROW(NEW.label_id, NEW.slug) IS DISTINCT FROM ROW(OLD.label_id, OLD.slug))
    EXECUTE FUNCTION store_mark_tags();
"""
NO_MARKS = """
DROP TRIGGER store_mark_release_house_tags ON catalog_release;
DROP TRIGGER store_mark_work_tags ON catalog_work;
DROP TRIGGER store_mark_party_tags ON catalog_party;
DROP TRIGGER store_mark_changed_cover_tags ON catalog_artwork;
DROP TRIGGER store_mark_cover_tags ON catalog_artwork;
DROP TRIGGER store_mark_changed_credit_tags ON catalog_credit;
DROP TRIGGER store_mark_credit_tags ON catalog_credit;
DROP FUNCTION store_mark_work_tags(), store_mark_party_tags(), store_mark_cover_tags(), store_mark_credit_tags();
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0009_tags_follow"), ("catalog", "0004_musicbrainz")]

    operations = [migrations.RunSQL(MARKS, NO_MARKS)]
