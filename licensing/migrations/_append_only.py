"""The trigger that every table of evidence has; the underscore keeps Django from taking this file for a migration."""

from django.db import migrations


def append_only(table: str) -> migrations.RunSQL:
    """Refuse every change and deletion of a row, whoever asks (`licensing_append_only`, migration 0002)."""
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION licensing_append_only();",
        f"DROP TRIGGER {table}_append_only ON {table};",
    )
