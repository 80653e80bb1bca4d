"""Where the tests of licensing keep what they capture."""

from pathlib import Path

import pytest
from django.conf import LazySettings

from licensing.models import Instrument
from licensing.terms import EvidenceKind
from tests.factories.licensing import make_evidence


@pytest.fixture
def own_evidence(settings: LazySettings, tmp_path: Path) -> Path:
    """Evidence is kept in a folder of the test's own."""
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "evidence": plain}
    return tmp_path


def agreement(text: str = "We license this recording to the store.") -> Instrument:
    """An agreement kept as evidence."""
    return make_evidence(EvidenceKind.AGREEMENT, text=text)
