"""The bridge between rights and sound: licensing decides, and must be told which sound would be delivered.

Neither app below knows the other. A verdict names the hash of the current master's sound, so that a new master asks
for a new approval.
"""

from collections.abc import Iterable
from datetime import datetime

from catalog.models import Recording, Release, Track
from licensing import clearance
from licensing.models import ClearanceDecision
from licensing.terms import Use
from store.models import ReviewDue
from transcoding.models import Master

RIGHTS_CAUSES = ("grant", "review", "grant end", "notice", "notice end", "master", "ended by date")
DOWNLOAD = Use.PERMANENT_DOWNLOAD
PREVIEW = Use.PREVIEW


def masters_of(recordings: Iterable[int]) -> dict[int, Master]:
    """The current (latest accepted) master of each recording that has one. One query."""
    rows = Master.objects.filter(recording_id__in=set(recordings), state=Master.State.ACCEPTED)
    return {
        row.recording_id: row for row in rows.order_by("recording_id", "-accepted_at", "-pk").distinct("recording_id")
    }


def clear_recording(recording: Recording, *, use: str, at: datetime, actor: str) -> ClearanceDecision:
    """Ask about one recording with its current sound; keeps a new decision only where the answer changed."""
    master = masters_of([recording.pk]).get(recording.pk)
    sound = master.sound_sha256 if master else ""
    return clearance.clear(recording, use=use, at=at, actor=actor, sound_sha256=sound)


def clear_release(release: Release, *, use: str, at: datetime, actor: str) -> ClearanceDecision:
    """Ask about a release as a whole: yes only where every track is."""
    masters = masters_of(release.tracks.values_list("recording_id", flat=True))
    sounds = {key: master.sound_sha256 for key, master in masters.items()}
    return clearance.clear_release(release, use=use, at=at, actor=actor, sounds=sounds)


def latest_of_recordings(recordings: Iterable[int], *, use: str = DOWNLOAD) -> dict[int, ClearanceDecision]:
    """The decision in force for each recording that was ever decided. One query."""
    rows = ClearanceDecision.objects.filter(recording_id__in=set(recordings), use=use)
    found = rows.order_by("recording_id", "-pk").distinct("recording_id")
    return {row.recording_id: row for row in found if row.recording_id is not None}


def latest_of_releases(releases: Iterable[int], *, use: str = DOWNLOAD) -> dict[int, ClearanceDecision]:
    """The decision in force for each release that was ever decided. One query."""
    rows = ClearanceDecision.objects.filter(release_id__in=set(releases), use=use)
    found = rows.order_by("release_id", "-pk").distinct("release_id")
    return {row.release_id: row for row in found if row.release_id is not None}


def holds(decision: ClearanceDecision, *, at: datetime, country: str = "") -> bool:
    """Whether a decision says yes at `at`: in `country`, or somewhere where none is given."""
    if decision.good_until is not None and decision.good_until <= at:
        return False
    return country in decision.cleared_countries if country else bool(decision.cleared_countries)


def refresh(recordings: Iterable[int], *, at: datetime, actor: str) -> None:
    """Decide again where a right changed since the last review, so that a sale never rests on yesterday's answer.

    The marks stay for the review of the offers; without a mark this is one query.
    """
    marked = ReviewDue.objects.filter(recording_id__in=set(recordings), cause__in=RIGHTS_CAUSES)
    changed = set(marked.values_list("recording_id", flat=True))
    if not changed:
        return
    for recording in Recording.objects.filter(pk__in=changed).order_by("pk"):
        clear_recording(recording, use=DOWNLOAD, at=at, actor=actor)
    releases = Track.objects.filter(recording_id__in=changed).values("release_id")
    for release in Release.objects.filter(pk__in=releases).order_by("pk"):
        clear_release(release, use=DOWNLOAD, at=at, actor=actor)
