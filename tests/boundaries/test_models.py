"""Foreign keys and migrations point down, and evidence cannot be changed: read from the models and from PostgreSQL."""

from itertools import pairwise

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.fields.related import RelatedField
from django.db.utils import ProgrammingError

from store import privileges

OURS = {"store", "payments", "licensing", "transcoding", "catalog"}
MAY_POINT_AT = {
    "store": OURS,
    "payments": {"payments"},
    "licensing": {"licensing", "catalog"},
    "transcoding": {"transcoding", "catalog"},
    "catalog": {"catalog"},
}
OUR_MODELS = [model for app in sorted(OURS) for model in apps.get_app_config(app).get_models()]
APPEND_ONLY = sorted(privileges.append_only_models(), key=lambda model: model._meta.label)
UPDATE, DELETE, BEFORE = 16, 8, 2  # bits of pg_trigger.tgtype


def named(model: type[models.Model]) -> str:
    return model._meta.label


@pytest.mark.parametrize("model", OUR_MODELS, ids=named)
def test_relations_point_down_and_leave_no_road_up(model: type[models.Model]) -> None:
    app = model._meta.app_label
    for field in model._meta.get_fields():
        if not isinstance(field, RelatedField) or not isinstance(field.related_model, type):
            continue
        target = field.related_model._meta.app_label
        if target in OURS:
            assert target in MAY_POINT_AT[app], f"{field} points up"
        if target in OURS - {app}:
            assert field.remote_field.hidden, f"{field} between apps needs related_name='+'"


@pytest.mark.parametrize("model", OUR_MODELS, ids=named)
def test_no_relation_of_a_lower_app_names_the_user(model: type[models.Model]) -> None:
    """Grants and entries outlive accounts: lower apps keep an actor's name."""
    if model._meta.app_label != "store":
        targets = {field.related_model for field in model._meta.get_fields() if isinstance(field, RelatedField)}
        assert apps.get_model(settings.AUTH_USER_MODEL) not in targets


def test_migrations_depend_downwards() -> None:
    for (app, name), migration in MigrationLoader(None, ignore_no_migrations=True).disk_migrations.items():
        if app in OURS:
            for dependency in migration.dependencies:
                assert dependency[0] not in OURS - MAY_POINT_AT[app], f"{app}.{name} depends on {dependency}"


def test_migrations_are_numbered_without_gaps() -> None:
    found = sorted(key for key in MigrationLoader(None, ignore_no_migrations=True).disk_migrations if key[0] in OURS)
    for (app, name), (next_app, next_name) in pairwise(found):
        if app == next_app:
            assert int(next_name[:4]) == int(name[:4]) + 1, f"{app}: {name}, {next_name}"


def triggers(table: str) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgtype FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table]
        )
        return [(name, kind) for name, kind in cursor.fetchall()]


def may(right: str, model: type[models.Model]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege(%s, %s, %s)", [settings.APPLICATION_ROLE, model._meta.db_table, right]
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db
@pytest.mark.parametrize("model", APPEND_ONLY, ids=named)
def test_append_only_rows_are_guarded_by_a_trigger(model: type[models.Model]) -> None:
    guards = [kind for _, kind in triggers(model._meta.db_table) if kind & BEFORE]
    assert any(kind & UPDATE for kind in guards)
    assert any(kind & DELETE for kind in guards)


@pytest.mark.django_db
@pytest.mark.parametrize("model", APPEND_ONLY, ids=named)
def test_the_application_may_not_even_try_to_change_them(model: type[models.Model]) -> None:
    assert {right for right in ("UPDATE", "DELETE", "TRUNCATE") if may(right, model)} == set()


@pytest.mark.django_db
@pytest.mark.parametrize("model", OUR_MODELS, ids=named)
def test_a_table_that_a_trigger_closes_for_ever_is_declared_so(model: type[models.Model]) -> None:
    if any(name.endswith(("_append_only", "_final")) for name, _ in triggers(model._meta.db_table)):
        assert getattr(model, "append_only", False), f"{named(model)} needs append_only = True"


@pytest.mark.django_db
def test_something_is_append_only_in_each_app_that_keeps_evidence() -> None:
    assert {model._meta.app_label for model in APPEND_ONLY} >= {"licensing", "payments", "store"}


@pytest.mark.django_db
@pytest.mark.parametrize("model", OUR_MODELS, ids=named)
def test_the_application_may_truncate_nothing(model: type[models.Model]) -> None:
    assert may("SELECT", model)
    assert not may("TRUNCATE", model)


@pytest.mark.usefixtures("as_application")
def test_the_application_may_not_change_the_schema() -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE planted (id int)")


@pytest.mark.usefixtures("as_application")
def test_the_application_may_write_what_is_not_evidence() -> None:
    parties = apps.get_model("catalog.Party")._default_manager
    parties.update(name="another")
    parties.all().delete()
