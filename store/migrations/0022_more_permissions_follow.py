"""Finished files follow the address where a label is asked for more, as they follow its name (0010)."""

from django.db import migrations

COLUMNS = "name, sort_name, musicbrainz_id"
MORE = f"{COLUMNS}, more_permissions_url"


def trigger(columns: str) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in columns.split(", ")) for row in ("NEW", "OLD"))
    return (
        "DROP TRIGGER store_mark_party_tags ON catalog_party;"
        "CREATE TRIGGER store_mark_party_tags AFTER UPDATE ON catalog_party FOR EACH ROW"
        f" WHEN (ROW({new}) IS DISTINCT FROM ROW({old})) EXECUTE FUNCTION store_mark_party_tags();"
    )


class Migration(migrations.Migration):
    dependencies = [("store", "0021_gifts"), ("catalog", "0005_more_permissions")]

    operations = [migrations.RunSQL(trigger(MORE), trigger(COLUMNS))]
