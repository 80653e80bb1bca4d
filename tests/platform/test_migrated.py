"""A run of the suite may begin with the schema of an earlier one only where that is what migrating would make."""

from pathlib import Path

import pytest

from tests import migrated


@pytest.mark.parametrize(
    "name",
    [
        "store/migrations/0001_initial.py",
        "licensing/models/columns.py",
        "licensing/data/rates.csv",
        "store/settings.py",
    ],
)
def test_whatever_the_schema_is_made_of_names_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made_of, read = migrated.ROOT / name, Path.read_bytes
    assert made_of in migrated.sources()
    before = migrated.path_in(tmp_path)
    assert migrated.path_in(tmp_path) == before
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b"#" if path == made_of else b""))
    assert migrated.path_in(tmp_path) != before


def test_what_no_migration_imports_does_not() -> None:
    assert migrated.ROOT / "store" / "views" / "shop.py" not in migrated.sources()
