"""A copy with other tags is published while its original is found wrong: neither is handed out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.factories.transcoding import make_rendition, make_tags
from tests.waiters import until_somebody_waits
from transcoding import claims, hearings, renditions
from transcoding.models import Rendition


def disown(row: Rendition) -> None:
    try:
        hearings.disown(row, "Nonsense.", at=timezone.now())
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_whoever_finds_a_file_wrong_waits_for_its_copy_and_finds_that_too() -> None:
    wrong = make_rendition(format="MP3_V0")
    tags = make_tags(title="Corrected")
    copy = make_rendition(
        wrong.master, "MP3_V0", tags=tags.to_json(), tag_signature=tags.signature(),
        state=Rendition.State.MAKING, fence=1, storage_key="", sha256="", bytes=0, samples=0, ready_at=None,
    )  # fmt: skip
    sound = renditions.Kept(Path(), wrong.storage_key, wrong.sha256, "", wrong.samples, None)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            renditions._publish(claims.Claim(copy, 1), key="renditions/a", sha256="a" * 64, length=1, sound=sound)
            found = pool.submit(disown, wrong)
            until_somebody_waits("transactionid", "tuple")
        found.result()
    assert set(Rendition.objects.values_list("state", "sha256")) == {(Rendition.State.PLANNED, "")}
