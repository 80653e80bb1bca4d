"""Where the tests of licensing keep what they capture."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.conf import settings as configured


@pytest.fixture(autouse=True, scope="session")
def _static_folder() -> None:
    """WhiteNoise warns of a folder that nobody has collected static files into."""
    Path(configured.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def own_evidence(settings: LazySettings, tmp_path: Path) -> Path:
    """Evidence is kept in a folder of the test's own."""
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "evidence": plain}
    return tmp_path
