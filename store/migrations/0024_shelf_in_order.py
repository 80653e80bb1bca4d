"""The shelf stands in the order of its pages: newest release first, by currency.

So a page for a country walks the shelf alone, and reads a release only where it is shown; before, each release that was
walked over cost a look-up of its shelf. A trigger takes the release's moment over, another follows it.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F

TAKE = """
CREATE FUNCTION store_shelf_takes_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := (SELECT created_at FROM catalog_release WHERE id = NEW.release_id);
    RETURN NEW;
END $$;
CREATE TRIGGER store_shelf_takes_date BEFORE INSERT ON store_shelf
    FOR EACH ROW EXECUTE FUNCTION store_shelf_takes_date();

CREATE FUNCTION store_shelf_follows_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE store_shelf SET created_at = NEW.created_at WHERE release_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER store_shelf_follows_date AFTER UPDATE ON catalog_release
    FOR EACH ROW WHEN (NEW.created_at <> OLD.created_at) EXECUTE FUNCTION store_shelf_follows_date();

UPDATE store_shelf place SET created_at = release.created_at FROM catalog_release release
    WHERE release.id = place.release_id;
DROP INDEX store_releases_newest;
"""
LEAVE = """
CREATE INDEX store_releases_newest ON catalog_release (created_at DESC, id DESC);
DROP TRIGGER store_shelf_follows_date ON catalog_release;
DROP FUNCTION store_shelf_follows_date();
DROP TRIGGER store_shelf_takes_date ON store_shelf;
DROP FUNCTION store_shelf_takes_date();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0023_spend_credit"),
    ]

    operations = [
        migrations.AddField(
            model_name="shelf",
            name="created_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(TAKE, LEAVE),
        migrations.AlterField(
            model_name="shelf",
            name="created_at",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="shelf",
            name="release",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalog.release",
            ),
        ),
        migrations.AddIndex(
            model_name="shelf",
            index=models.Index("currency", F("created_at").desc(), F("release_id").desc(), name="shelf_newest"),
        ),
    ]
