"""What a label may set right about how its music is called. Sales already made stay as they were.

A title changes tags, so the recordings are marked: files fetched from then on carry it, and nothing is encoded anew.
"""

from django.db import transaction

from catalog.models import Recording, Release
from store import offers

CAUSE = "title"


def retitle_recording(recording: Recording, *, title: str, version_title: str = "") -> Recording:
    with transaction.atomic():
        recording.title, recording.version_title = title, version_title
        recording.save(update_fields=["title", "version_title"])
        offers.mark_due([recording.pk], cause=CAUSE)
    return recording


def retitle_release(release: Release, *, title: str) -> Release:
    """Its address stays, so that links do not break."""
    with transaction.atomic():
        release.title = title
        release.save(update_fields=["title"])
        offers.mark_due(release.tracks.values_list("recording_id", flat=True), cause=CAUSE)
    return release
