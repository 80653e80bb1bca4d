"""Where the tests of licensing keep what they capture."""

from pathlib import Path

import pytest
from django.conf import LazySettings


@pytest.fixture
def own_evidence(settings: LazySettings, tmp_path: Path) -> Path:
    """Evidence is kept in a folder of the test's own."""
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "evidence": plain}
    return tmp_path
