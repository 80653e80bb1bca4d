"""What finished files say follows the catalogue, by whatever route it is corrected.

Only updates are looked at, and only of what was decided about: a delivery of thousands of new tracks pays nothing.
"""

from django.db import migrations

MARKS = """
CREATE FUNCTION store_mark_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_decided(CASE TG_TABLE_NAME
        WHEN 'catalog_recording' THEN ARRAY[NEW.id]
        WHEN 'catalog_track' THEN ARRAY[(to_jsonb(NEW) ->> 'recording_id')::bigint]
        ELSE store_recordings_of(NULL, NULL, NEW.id, NULL) END, 'tags');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_recording_tags AFTER UPDATE ON catalog_recording FOR EACH ROW
    WHEN (ROW(NEW.title, NEW.version_title, NEW.p_line, NEW.language, NEW.genre, NEW.year, NEW.musicbrainz_id)
        IS DISTINCT FROM
        ROW(OLD.title, OLD.version_title, OLD.p_line, OLD.language, OLD.genre, OLD.year, OLD.musicbrainz_id))
    EXECUTE FUNCTION store_mark_tags();
CREATE TRIGGER store_mark_release_tags AFTER UPDATE ON catalog_release FOR EACH ROW
    WHEN (ROW(NEW.title, NEW.gtin, NEW.release_date, NEW.c_line, NEW.p_line, NEW.genre, NEW.language,
            NEW.musicbrainz_id, NEW.musicbrainz_group_id)
        IS DISTINCT FROM
        ROW(OLD.title, OLD.gtin, OLD.release_date, OLD.c_line, OLD.p_line, OLD.genre, OLD.language,
            OLD.musicbrainz_id, OLD.musicbrainz_group_id))
    EXECUTE FUNCTION store_mark_tags();
CREATE TRIGGER store_mark_track_tags AFTER UPDATE ON catalog_track FOR EACH ROW
    WHEN (ROW(NEW.disc, NEW.number, NEW.title_override, NEW.musicbrainz_id)
        IS DISTINCT FROM ROW(OLD.disc, OLD.number, OLD.title_override, OLD.musicbrainz_id))
    EXECUTE FUNCTION store_mark_tags();
"""
NO_MARKS = """
DROP TRIGGER store_mark_track_tags ON catalog_track;
DROP TRIGGER store_mark_release_tags ON catalog_release;
DROP TRIGGER store_mark_recording_tags ON catalog_recording;
DROP FUNCTION store_mark_tags();
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0008_what_offers_rest_on"), ("catalog", "0004_musicbrainz")]

    operations = [migrations.RunSQL(MARKS, NO_MARKS)]
