"""Search vectors kept current by the database, by whatever route a name changes."""

from django.db import migrations

VECTORS = r"""
CREATE FUNCTION catalog_party_vector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_vector := setweight(to_tsvector('simple', catalog_plain(NEW.name)), 'A');
    RETURN NEW;
END $$;

CREATE FUNCTION catalog_recording_vector() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE artists text; label text;
BEGIN
    SELECT string_agg(concat_ws(' ', party.name, credit.credited_as), ' ') INTO artists
        FROM catalog_credit credit JOIN catalog_party party ON party.id = credit.party_id
        WHERE credit.recording_id = NEW.id;
    SELECT name INTO label FROM catalog_party WHERE id = NEW.label_id;
    NEW.search_vector :=
        setweight(to_tsvector('simple', catalog_plain(concat_ws(' ', NEW.title, NEW.version_title, NEW.isrc))), 'A')
        || setweight(to_tsvector('simple', catalog_plain(coalesce(artists, ''))), 'B')
        || setweight(to_tsvector('simple', catalog_plain(coalesce(label, ''))), 'D');
    RETURN NEW;
END $$;

CREATE FUNCTION catalog_release_vector() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE artists text; label text;
BEGIN
    SELECT string_agg(concat_ws(' ', party.name, credit.credited_as), ' ') INTO artists
        FROM catalog_credit credit JOIN catalog_party party ON party.id = credit.party_id
        WHERE credit.release_id = NEW.id;
    SELECT name INTO label FROM catalog_party WHERE id = NEW.label_id;
    NEW.search_vector :=
        setweight(to_tsvector('simple', catalog_plain(concat_ws(' ', NEW.title, NEW.gtin))), 'A')
        || setweight(to_tsvector('simple', catalog_plain(coalesce(artists, ''))), 'B')
        || setweight(to_tsvector('simple', catalog_plain(coalesce(label, ''))), 'D');
    RETURN NEW;
END $$;

-- Touching a row is enough: its own trigger computes the vector, after waiting for whoever holds the row.
CREATE FUNCTION catalog_credit_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE catalog_recording SET search_vector = NULL WHERE id = OLD.recording_id;
        UPDATE catalog_release SET search_vector = NULL WHERE id = OLD.release_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE catalog_recording SET search_vector = NULL WHERE id = NEW.recording_id;
        UPDATE catalog_release SET search_vector = NULL WHERE id = NEW.release_id;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION catalog_party_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE catalog_recording SET search_vector = NULL WHERE label_id = NEW.id
        OR id IN (SELECT recording_id FROM catalog_credit WHERE party_id = NEW.id);
    UPDATE catalog_release SET search_vector = NULL WHERE label_id = NEW.id
        OR id IN (SELECT release_id FROM catalog_credit WHERE party_id = NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER party_vector BEFORE INSERT OR UPDATE ON catalog_party
    FOR EACH ROW EXECUTE FUNCTION catalog_party_vector();
CREATE TRIGGER recording_vector BEFORE INSERT OR UPDATE ON catalog_recording
    FOR EACH ROW EXECUTE FUNCTION catalog_recording_vector();
CREATE TRIGGER release_vector BEFORE INSERT OR UPDATE ON catalog_release
    FOR EACH ROW EXECUTE FUNCTION catalog_release_vector();
CREATE TRIGGER credit_changed AFTER INSERT OR UPDATE OR DELETE ON catalog_credit
    FOR EACH ROW EXECUTE FUNCTION catalog_credit_changed();
CREATE TRIGGER party_renamed AFTER UPDATE OF name ON catalog_party
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION catalog_party_renamed();
"""

NO_VECTORS = """
DROP TRIGGER party_renamed ON catalog_party;
DROP TRIGGER credit_changed ON catalog_credit;
DROP TRIGGER release_vector ON catalog_release;
DROP TRIGGER recording_vector ON catalog_recording;
DROP TRIGGER party_vector ON catalog_party;
DROP FUNCTION catalog_party_renamed(), catalog_credit_changed(), catalog_release_vector(),
    catalog_recording_vector(), catalog_party_vector();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [migrations.RunSQL(VECTORS, NO_VECTORS)]
