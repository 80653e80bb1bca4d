"""Which recordings and releases a grant or a notice is about, in the order in which they are locked."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from catalog.models import (
    Party,
    Recording,
    RecordingWork,
    Release,
    SocietyMembership,
    SocietyRight,
    Track,
    Work,
    WorkShare,
)
from licensing.models import LicenceGrant
from licensing.terms import Layer


@dataclass(frozen=True, slots=True)
class Affected:
    """Primary keys, ascending. Locks are taken in this order, recordings first, so that no two acts can deadlock.

    `owed` says that it is more than one request can decide: then no keys are named, the catalogue is held back from
    sale as long as anything is owed (`licensing_held`), and a worker decides it (`reclearing`).
    """

    recordings: tuple[int, ...]
    releases: tuple[int, ...]
    owed: bool = False


AT_ONCE = 500  # recordings that an act decides in its own transaction


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
    touched = recordings_of_label(label).values_list("pk", flat=True)[: AT_ONCE + 1]
    if len(touched) > AT_ONCE:
        return Affected((), (), owed=True)
    own = Recording.objects.filter(label=label).values_list("pk", flat=True)
    placed = Track.objects.filter(release__label=label).values_list("recording_id", flat=True)
    releases = Release.objects.filter(label=label).values_list("pk", flat=True)
    return _with_releases([*own, *placed], releases)


def by_grant(grant: LicenceGrant) -> Affected:
    if grant.recording_id is not None:
        return _with_releases([grant.recording_id])
    if grant.work_id is not None:
        return by_work(grant.work_id)
    touched = list(recordings_of_grant(grant).values_list("pk", flat=True)[: AT_ONCE + 1])
    return Affected((), (), owed=True) if len(touched) > AT_ONCE else _with_releases(touched)


def recordings_of_grant(grant: LicenceGrant) -> QuerySet[Recording]:
    """Every recording that a record for a whole catalogue is, was or will be about."""
    if grant.layer == Layer.RECORDING:
        return Recording.objects.filter(label_id=grant.catalogue_id)
    members = SocietyMembership.objects.filter(society_id=grant.catalogue_id, right=SocietyRight.MECHANICAL)
    shares = WorkShare.objects.filter(Q(party_id=grant.catalogue_id) | Q(party__in=members.values("party_id")))
    works = RecordingWork.objects.filter(work__in=shares.values("work_id"))
    return Recording.objects.filter(pk__in=works.values("recording_id"))


def recordings_of_label(label: Party | int) -> QuerySet[Recording]:
    """What is issued under the label's name, and all that stands on its releases."""
    placed = Track.objects.filter(release__label=label).values("recording_id")
    return Recording.objects.filter(Q(label=label) | Q(pk__in=placed))


def recordings_of_writer(party: Party | int) -> QuerySet[Recording]:
    """The recordings of the works in which the party has a share."""
    works = RecordingWork.objects.filter(work__in=WorkShare.objects.filter(party=party).values("work_id"))
    return Recording.objects.filter(pk__in=works.values("recording_id"))


def by_subject(subject: Recording | Work | Release | Party) -> Affected:
    """What a notice about `subject` is about; triggers owe a reclearance for what is too much for one request."""
    if isinstance(subject, Recording):
        return by_recording(subject)
    if isinstance(subject, Party):
        return by_label(subject)
    found = by_work(subject.pk) if isinstance(subject, Work) else by_release(subject)
    return found if len(found.recordings) <= AT_ONCE else Affected((), (), owed=True)
