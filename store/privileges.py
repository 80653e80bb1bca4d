"""What the running application may do in the database, set again after every `migrate`.

Migrations run as the owner that `DATABASE_URL` names. Everything else works as `clearsong_app` (see `store.settings`),
which may read and write rows but never truncate, never change the schema, and never change or delete a row of a
model that says `append_only = True`. Triggers refuse the same to everyone; this is the second lock on that door.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.utils import CursorWrapper
from django.db.utils import ProgrammingError


def append_only_models() -> Iterator[type[models.Model]]:
    """Every model whose rows are evidence: written once, read for ever."""
    for model in apps.get_models(include_auto_created=True):
        if getattr(model, "append_only", False):
            yield model


def keep(
    sender: AppConfig,  # noqa: ARG001 - the signal's own signature
    *,
    using: str = DEFAULT_DB_ALIAS,
    **_signal: Any,
) -> None:
    """Give the application's role exactly what it needs; a `post_migrate` handler, so it sees every new table.

    Raises ImproperlyConfigured, with the statements to run by hand, where the owner may not make roles.
    """
    if using != DEFAULT_DB_ALIAS:
        return
    connection = connections[using]
    role = connection.ops.quote_name(settings.APPLICATION_ROLE)
    with connection.cursor() as cursor:
        _ensure_role(cursor, role)
        cursor.execute("SELECT current_schema()")
        schema = connection.ops.quote_name(cursor.fetchone()[0])
        cursor.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}")
        cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}")
        existing = set(connection.introspection.table_names(cursor))
        for model in append_only_models():
            if model._meta.db_table in existing:
                table = connection.ops.quote_name(model._meta.db_table)
                cursor.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {role}")


def _ensure_role(cursor: CursorWrapper, role: str) -> None:
    """Make the role once per cluster, and let the owner step into it."""
    try:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [settings.APPLICATION_ROLE])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {role} NOLOGIN")
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        (superuser,) = cursor.fetchone()
        if not superuser:  # a superuser may take any role already
            cursor.execute(f"GRANT {role} TO CURRENT_USER")
    except ProgrammingError as error:
        raise ImproperlyConfigured(
            f"The database's owner may not make the role {role}. Let an administrator run "
            f"CREATE ROLE {role} NOLOGIN; GRANT {role} TO <the owner>; and migrate again."
        ) from error
