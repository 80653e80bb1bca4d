"""A hundred odd files through the upload page: each taken or refused with a reason, and the server never stumbles."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from store import parcels
from store.models import DeliveryLine
from tests.oddities import odd_files
from tests.studio.test_uploads import DELIVER, announce, ask
from transcoding import masters
from transcoding.models import Arrival, Finding, Master, Parcel

PIECE = 100_000
WHAT_TO_DO = (
    "write", "deliver", "export", "upload", "split", "give", "hand in", "check", "put", "send", "left out",
)  # fmt: skip
SPEAKS_OF_OUR_INSIDES = ("Error", "Traceback", "None", "Exception", "ffmpeg", "quarantine", "b'")


def upload(client: Client, name: str, data: bytes) -> None:
    """As the page does it, piece by piece; any answer but the good one fails."""
    url = announce(client, data, f"Odd/{name}")
    for start in range(0, len(data), PIECE):
        sent = ask(client, "PATCH", url, data[start : start + PIECE], Upload_Offset=start)
        assert sent.status_code == 204, (name, sent.text)


def is_plain(words: str) -> bool:
    """Whether a refusal says what to do, and nothing that only a programmer knows."""
    return any(each in words.lower() for each in WHAT_TO_DO) and not any(
        each in words for each in SPEAKS_OF_OUR_INSIDES
    )


@pytest.mark.long
def test_every_odd_file_is_taken_or_refused_in_plain_words(at_bobs: Client) -> None:
    files = odd_files()
    assert len(files) >= 100
    for name, data in files.items():
        upload(at_bobs, name, data)
    assert set(Arrival.objects.values_list("state", flat=True)) == {"WHOLE"}
    handed_in = at_bobs.post(DELIVER, {"own_works": "on"})
    parcels.take(Parcel.objects.get().pk, at=timezone.now())
    for key in Master.objects.values_list("pk", flat=True):
        masters.examine(key)

    lines = list(DeliveryLine.objects.all())
    assert {line.path for line in lines} == set(files)
    assert not [f"{line.path}: {line.message}" for line in lines if not line.recording and not is_plain(line.message)]
    assert not Master.objects.filter(state=Master.State.EXAMINING).exists()
    fatal = Finding.objects.filter(severity=Finding.Severity.FATAL)
    assert fatal.values("master").distinct().count() == Master.objects.filter(state=Master.State.REJECTED).count() > 0
    assert not [found.message for found in fatal if not is_plain(found.message)]
    assert Master.objects.filter(state=Master.State.ACCEPTED).count() > 10, "odd is not always broken"

    assert at_bobs.get(handed_in["Location"]).status_code == 200
    for line in lines:
        if line.recording:
            page = reverse("studio-recording", args=["bobs", line.recording.public_id])
            assert at_bobs.get(page).status_code == 200, line.path
