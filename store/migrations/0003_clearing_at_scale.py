"""Offers that follow their decisions, a shelf that is listed by country, and marks for whatever may change an answer.

- When a new decision is written, open offers move to it in the same statement, or close where it says no.
- `store_shelf` has one row for each release and currency of which anything is on sale, with the countries; whatever
  route changes an offer, the row follows.
- A sale needs a decision that holds now in the buyer's country and hangs on no catalogue that is being taken back.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import licensing.models.columns

CHECK_DECISION = """
CREATE OR REPLACE FUNCTION store_check_decision(decision bigint, release_wanted bigint, track_wanted bigint, use_wanted text, country text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kept licensing_clearancedecision%ROWTYPE;
    recording_wanted bigint;
    there varchar(2)[];
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
    NOW_CLEARED
    IF country IS NULL AND cardinality(there) = 0 THEN
        RAISE EXCEPTION 'store: decision % clears no country', decision USING ERRCODE = 'check_violation';
    END IF;
    IF country IS NOT NULL AND NOT country = ANY (there) THEN
        RAISE EXCEPTION 'store: decision % does not clear %', decision, country USING ERRCODE = 'check_violation';
    END IF;
    NOT_HELD
END $$;
"""
NO_LONGER = """IF kept.good_until IS NOT NULL AND kept.good_until <= clock_timestamp() THEN
        RAISE EXCEPTION 'store: decision % no longer holds', decision USING ERRCODE = 'check_violation';
    END IF;
    there := string_to_array(kept.cleared_countries, ' ');"""
LASTING = """there := store_cleared_now(kept.cleared_countries, kept.good_until, kept.lasting_countries, kept.lasting_until);
    IF cardinality(there) = 0 AND kept.cleared_countries <> '' THEN
        RAISE EXCEPTION 'store: decision % no longer holds', decision USING ERRCODE = 'check_violation';
    END IF;"""
NOT_HELD = """IF country IS NOT NULL AND kept.hangs_on && licensing_held() THEN
        RAISE EXCEPTION 'store: decision % hangs on a catalogue that is being taken back', decision USING ERRCODE = 'check_violation';
    END IF;"""
CHECK_NOW = """
CREATE FUNCTION store_cleared_now(cleared text, good_until timestamptz, lasting text, lasting_until timestamptz)
RETURNS varchar(2)[] LANGUAGE sql VOLATILE AS $$
    SELECT string_to_array(CASE
        WHEN good_until IS NULL OR good_until > clock_timestamp() THEN cleared
        WHEN lasting_until IS NULL OR lasting_until > clock_timestamp() THEN lasting
        ELSE '' END, ' ')
$$;
""" + CHECK_DECISION.replace("NOW_CLEARED", LASTING).replace("NOT_HELD", NOT_HELD)
CHECK_BEFORE = (
    CHECK_DECISION.replace("NOW_CLEARED", NO_LONGER).replace("NOT_HELD", "")
    + "DROP FUNCTION store_cleared_now(text, timestamptz, text, timestamptz);"
)

# Releases are locked before their offers, and in the order of their keys, as a review of offers does it too.
FOLLOW = """
CREATE FUNCTION store_offers_follow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moving bigint[];
BEGIN
    SELECT array_agg(DISTINCT offer.id) INTO moving FROM (
        SELECT standing.id FROM made JOIN catalog_track track ON track.recording_id = made.recording_id
            JOIN store_offer standing ON standing.track_id = track.id AND standing.closed_at IS NULL AND standing.use = made.use
        UNION ALL
        SELECT standing.id FROM made JOIN store_offer standing
            ON standing.release_id = made.release_id AND standing.closed_at IS NULL AND standing.use = made.use
    ) AS offer;
    IF moving IS NOT NULL THEN
        PERFORM 1 FROM catalog_release WHERE id IN (
            SELECT coalesce(offer.release_id, track.release_id) FROM store_offer offer
                LEFT JOIN catalog_track track ON track.id = offer.track_id WHERE offer.id = ANY (moving)
        ) ORDER BY id FOR NO KEY UPDATE;
        UPDATE store_offer offer SET
            decision_id = CASE WHEN cardinality(newest.there) > 0 THEN newest.id ELSE offer.decision_id END,
            closed_at = CASE WHEN cardinality(newest.there) > 0 THEN NULL ELSE clock_timestamp() END,
            closed_reason = CASE WHEN cardinality(newest.there) > 0 THEN '' ELSE newest.reason END
        FROM (
            SELECT DISTINCT ON (standing.id) standing.id AS offer, made.id,
                store_cleared_now(made.cleared_countries, made.good_until, made.lasting_countries, made.lasting_until) AS there,
                coalesce(made.verdict #>> '{refused,0,reasons,0,code}', 'NOT_CLEARED') AS reason
            FROM (
                SELECT one.id, whole.id AS decision FROM store_offer one
                    JOIN made whole ON whole.release_id = one.release_id AND whole.use = one.use WHERE one.id = ANY (moving)
                UNION ALL
                SELECT one.id, part.id FROM store_offer one JOIN catalog_track track ON track.id = one.track_id
                    JOIN made part ON part.recording_id = track.recording_id AND part.use = one.use WHERE one.id = ANY (moving)
            ) AS standing
            JOIN made ON made.id = standing.decision
            ORDER BY standing.id, made.id DESC
        ) AS newest
        WHERE offer.id = newest.offer AND offer.closed_at IS NULL;
    END IF;
    INSERT INTO store_reviewdue (recording_id, cause)
        SELECT DISTINCT made.recording_id, 'cleared' FROM made
        WHERE made.recording_id IS NOT NULL AND made.use = 'PERMANENT_DOWNLOAD' AND made.actor <> 'task:review_offers'
          AND made.cleared_countries <> ''
          AND EXISTS (SELECT 1 FROM catalog_track track WHERE track.recording_id = made.recording_id)
          AND NOT EXISTS (SELECT 1 FROM catalog_track track JOIN store_offer offer ON offer.track_id = track.id
              WHERE track.recording_id = made.recording_id AND offer.closed_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM store_reviewdue due WHERE due.recording_id = made.recording_id);
    RETURN NULL;
END $$;
CREATE TRIGGER store_offers_follow AFTER INSERT ON licensing_clearancedecision
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION store_offers_follow();
"""
NO_FOLLOW = """
DROP TRIGGER store_offers_follow ON licensing_clearancedecision;
DROP FUNCTION store_offers_follow();
"""

# A shelf row says where at least one offer of the release stands; it hangs on what all of them hang on. After `until`
# only the countries of `lasting` count, and none after `lasting_until`.
SHELVE = """
CREATE AGGREGATE store_every(anycompatiblearray) (SFUNC = array_cat, STYPE = anycompatiblearray, INITCOND = '{}');

CREATE FUNCTION store_shelve(wanted bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM catalog_release WHERE id = ANY (wanted) ORDER BY id FOR NO KEY UPDATE;
    WITH standing AS MATERIALIZED (
        SELECT release, currency, string_to_array(cleared, ' ')::varchar(2)[] AS cleared, good_until,
            string_to_array(lasting, ' ')::varchar(2)[] AS lasting, lasting_until, hangs_on FROM (
            SELECT offer.release_id AS release, offer.currency, kept.cleared_countries AS cleared, kept.good_until,
                kept.lasting_countries AS lasting, kept.lasting_until, kept.hangs_on
            FROM store_offer offer JOIN licensing_clearancedecision kept ON kept.id = offer.decision_id
            WHERE offer.release_id = ANY (wanted) AND offer.closed_at IS NULL
            UNION
            SELECT track.release_id, offer.currency, kept.cleared_countries, kept.good_until, kept.lasting_countries,
                kept.lasting_until, kept.hangs_on
            FROM catalog_track track JOIN store_offer offer ON offer.track_id = track.id
            JOIN licensing_clearancedecision kept ON kept.id = offer.decision_id
            WHERE track.release_id = ANY (wanted) AND offer.closed_at IS NULL
        ) AS alike
    ), ends AS (
        SELECT release, currency, min(good_until) AS until, count(*) AS kinds FROM standing GROUP BY 1, 2
    ), shelf AS (
        SELECT ends.release, ends.currency, ends.until,
            CASE WHEN ends.kinds = 1 THEN store_every(standing.cleared)
                ELSE ARRAY(SELECT DISTINCT unnest(store_every(standing.cleared)) ORDER BY 1) END AS countries,
            CASE WHEN ends.until IS NULL THEN '{}'
                WHEN ends.kinds = 1 THEN store_every(standing.lasting)
                ELSE ARRAY(SELECT DISTINCT unnest(store_every(
                    CASE WHEN standing.good_until = ends.until THEN standing.lasting ELSE standing.cleared END)) ORDER BY 1)
                END AS lasting,
            min(CASE WHEN standing.good_until = ends.until THEN standing.lasting_until ELSE standing.good_until END) AS lasting_until,
            ARRAY(SELECT held FROM unnest(store_every(standing.hangs_on)) AS held GROUP BY held
                HAVING count(*) >= ends.kinds ORDER BY held) AS hangs_on
        FROM ends JOIN standing ON standing.release = ends.release AND standing.currency = ends.currency
        GROUP BY ends.release, ends.currency, ends.until, ends.kinds
    ), gone AS (
        DELETE FROM store_shelf place WHERE place.release_id = ANY (wanted)
            AND NOT EXISTS (SELECT 1 FROM shelf WHERE shelf.release = place.release_id AND shelf.currency = place.currency)
    )
    INSERT INTO store_shelf AS place (release_id, currency, countries, named, until, lasting, lasting_until, hangs_on)
        SELECT release, currency, countries, array_to_string(countries, ' '), until, lasting, lasting_until, hangs_on
        FROM shelf
    ON CONFLICT (release_id, currency) DO UPDATE SET countries = excluded.countries, named = excluded.named,
        until = excluded.until,
        lasting = excluded.lasting, lasting_until = excluded.lasting_until, hangs_on = excluded.hangs_on
        WHERE ROW(place.countries, place.until, place.lasting, place.lasting_until, place.hangs_on)
            IS DISTINCT FROM ROW(excluded.countries, excluded.until, excluded.lasting, excluded.lasting_until, excluded.hangs_on);
END $$;

CREATE FUNCTION store_shelf_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted bigint[];
BEGIN
    SELECT array_agg(DISTINCT coalesce(offer.release_id, track.release_id)) INTO wanted
        FROM changed offer LEFT JOIN catalog_track track ON track.id = offer.track_id;
    IF wanted IS NOT NULL THEN
        PERFORM store_shelve(wanted);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_shelf_opened AFTER INSERT ON store_offer
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION store_shelf_follows();
CREATE TRIGGER store_shelf_changed AFTER UPDATE ON store_offer
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION store_shelf_follows();
CREATE TRIGGER store_shelf_deleted AFTER DELETE ON store_offer
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION store_shelf_follows();

SELECT store_shelve((SELECT array_agg(id) FROM catalog_release));
"""
NO_SHELVE = """
DROP TRIGGER store_shelf_deleted ON store_offer;
DROP TRIGGER store_shelf_changed ON store_offer;
DROP TRIGGER store_shelf_opened ON store_offer;
DROP FUNCTION store_shelf_follows();
DROP FUNCTION store_shelve(bigint[]);
DROP AGGREGATE store_every(anycompatiblearray);
"""

# The text of the countries stays in the row as it is: packed or put elsewhere, it would cost what the array does.
INLINE = "ALTER TABLE store_shelf ALTER COLUMN named SET STORAGE PLAIN;"
PACKED = "ALTER TABLE store_shelf ALTER COLUMN named SET STORAGE EXTENDED;"

# The shelf is walked newest first; without this order in an index, each page sorts the whole of it.
NEWEST = "CREATE INDEX store_releases_newest ON catalog_release (created_at DESC, id DESC);"
NO_NEWEST = "DROP INDEX store_releases_newest;"

# What a label's or another large notice touches is owed by a `Reclearance` row, not by a mark for each recording. What a recording is,
# holds, and who wrote it, changes the answer as well as any licence does.
MARKS = """
CREATE OR REPLACE FUNCTION store_mark_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT licensing_large(NEW.work_id, NEW.release_id) THEN
        PERFORM store_mark_recordings(store_recordings_of(NEW.recording_id, NEW.work_id, NEW.release_id, NULL), 'notice');
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION store_mark_noticeend() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about licensing_notice%ROWTYPE;
BEGIN
    SELECT * INTO about FROM licensing_notice WHERE id = NEW.notice_id;
    IF NOT licensing_large(about.work_id, about.release_id) THEN
        PERFORM store_mark_recordings(
            store_recordings_of(about.recording_id, about.work_id, about.release_id, NULL), 'notice end');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION store_mark_decided(recordings bigint[], cause text) RETURNS void LANGUAGE sql AS $$
    SELECT store_mark_recordings(array_agg(found), cause) FROM unnest(recordings) AS found
    WHERE EXISTS (SELECT 1 FROM licensing_clearancedecision decided WHERE decided.recording_id = found);
$$;

CREATE FUNCTION store_mark_share() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM store_mark_decided(store_recordings_of(NULL, OLD.work_id, NULL, NULL), 'share');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM store_mark_decided(store_recordings_of(NULL, NEW.work_id, NULL, NULL), 'share');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_share AFTER INSERT OR UPDATE OR DELETE ON catalog_workshare
    FOR EACH ROW EXECUTE FUNCTION store_mark_share();

CREATE FUNCTION store_mark_recording() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_decided(ARRAY[(to_jsonb(NEW) ->> TG_ARGV[0])::bigint], 'recording');
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_recordingwork AFTER INSERT OR UPDATE ON catalog_recordingwork
    FOR EACH ROW EXECUTE FUNCTION store_mark_recording('recording_id');
CREATE TRIGGER store_mark_recording AFTER UPDATE ON catalog_recording FOR EACH ROW
    WHEN (ROW(NEW.label_id, NEW.isrc, NEW.is_cover, NEW.is_remix, NEW.is_arrangement, NEW.contains_samples)
        IS DISTINCT FROM ROW(OLD.label_id, OLD.isrc, OLD.is_cover, OLD.is_remix, OLD.is_arrangement, OLD.contains_samples))
    EXECUTE FUNCTION store_mark_recording('id');

CREATE FUNCTION store_mark_rate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named text := CASE TG_TABLE_NAME WHEN 'licensing_rate' THEN to_jsonb(NEW) ->> 'tariff'
        ELSE (SELECT tariff FROM licensing_rate WHERE id = (to_jsonb(NEW) ->> 'rate_id')::bigint) END;
BEGIN
    PERFORM store_mark_recordings(store_recordings_of(paid.recording_id, paid.work_id, NULL, NULL), 'rate')
        FROM licensing_licencegrant paid WHERE paid.tariff = named AND paid.catalogue_id IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER store_mark_rate AFTER INSERT ON licensing_rate FOR EACH ROW EXECUTE FUNCTION store_mark_rate();
CREATE TRIGGER store_mark_rateverification AFTER INSERT ON licensing_rateverification
    FOR EACH ROW EXECUTE FUNCTION store_mark_rate();
"""
MARKS_BEFORE = """
DROP TRIGGER store_mark_rateverification ON licensing_rateverification;
DROP TRIGGER store_mark_rate ON licensing_rate;
DROP FUNCTION store_mark_rate();
DROP TRIGGER store_mark_recording ON catalog_recording;
DROP TRIGGER store_mark_recordingwork ON catalog_recordingwork;
DROP FUNCTION store_mark_recording();
DROP TRIGGER store_mark_share ON catalog_workshare;
DROP FUNCTION store_mark_share();
DROP FUNCTION store_mark_decided(bigint[], text);
CREATE OR REPLACE FUNCTION store_mark_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_mark_recordings(
        store_recordings_of(NEW.recording_id, NEW.work_id, NEW.release_id, NEW.label_id), 'notice');
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION store_mark_noticeend() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about licensing_notice%ROWTYPE;
BEGIN
    SELECT * INTO about FROM licensing_notice WHERE id = NEW.notice_id;
    PERFORM store_mark_recordings(
        store_recordings_of(about.recording_id, about.work_id, about.release_id, about.label_id), 'notice end');
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0002_promises"), ("licensing", "0009_records"), ("catalog", "0003_composition")]

    operations = [
        migrations.CreateModel(
            name="Shelf",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                (
                    "countries",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=2), size=None),
                ),
                ("named", licensing.models.columns.CountriesField(default=list)),
                ("until", models.DateTimeField(blank=True, null=True)),
                (
                    "lasting",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=2), size=None),
                ),
                ("lasting_until", models.DateTimeField(blank=True, null=True)),
                (
                    "hangs_on",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.release"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "shelf",
                "constraints": [
                    models.UniqueConstraint(fields=("release", "currency"), name="shelf_once"),
                ],
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["countries"], name="shelf_countries"
                    ),
                ],
            },
        ),
        migrations.RunSQL(INLINE, PACKED),
        migrations.RunSQL(CHECK_NOW, CHECK_BEFORE),
        migrations.RunSQL(FOLLOW, NO_FOLLOW),
        migrations.RunSQL(SHELVE, NO_SHELVE),
        migrations.RunSQL(NEWEST, NO_NEWEST),
        migrations.RunSQL(MARKS, MARKS_BEFORE),
    ]
