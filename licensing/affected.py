"""Which recordings and releases a grant or a notice is about, in the order in which they are locked."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.models import Party, Recording, RecordingWork, Release, Track, Work
from licensing.models import LicenceGrant


@dataclass(frozen=True, slots=True)
class Affected:
    """Primary keys, ascending. Locks are taken in this order, recordings first, so that no two acts can deadlock."""

    recordings: tuple[int, ...]
    releases: tuple[int, ...]


def _with_releases(recordings: Iterable[int], releases: Iterable[int] = ()) -> Affected:
    keys = sorted(set(recordings))
    holding = Track.objects.filter(recording_id__in=keys).values_list("release_id", flat=True)
    return Affected(tuple(keys), tuple(sorted({*holding, *releases})))


def by_recording(recording: Recording) -> Affected:
    return _with_releases([recording.pk])


def by_work(work_id: int) -> Affected:
    return _with_releases(RecordingWork.objects.filter(work_id=work_id).values_list("recording_id", flat=True))


def by_release(release: Release) -> Affected:
    tracks = Track.objects.filter(release=release).values_list("recording_id", flat=True)
    return _with_releases(tracks, [release.pk])


def by_label(label: Party) -> Affected:
    """Everything issued under the label's name, and all that stands on its releases."""
    own = Recording.objects.filter(label=label).values_list("pk", flat=True)
    placed = Track.objects.filter(release__label=label).values_list("recording_id", flat=True)
    releases = Release.objects.filter(label=label).values_list("pk", flat=True)
    return _with_releases([*own, *placed], releases)


def by_grant(grant: LicenceGrant) -> Affected:
    if grant.recording_id is not None:
        return _with_releases([grant.recording_id])
    return by_work(grant.work_id or 0)


def by_subject(subject: Recording | Work | Release | Party) -> Affected:
    if isinstance(subject, Recording):
        return by_recording(subject)
    if isinstance(subject, Work):
        return by_work(subject.pk)
    if isinstance(subject, Release):
        return by_release(subject)
    return by_label(subject)
