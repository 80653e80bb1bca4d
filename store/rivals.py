"""Who else claims what a record is about: the same sound or the same code elsewhere, another licensor, an open notice.

For one case with all that a reviewer wants to read of it, and for thousands at once as facts of their risk.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import F, Q, Sum
from django.urls import reverse
from django.utils import timezone

from catalog.codes import ISRC
from catalog.models import Recording, Track
from licensing import assessments, dossiers
from licensing.assessments import Outside
from licensing.models import LicenceGrant, Notice
from licensing.terms import Layer
from store import records
from store.models import DeliveryLine, Price
from store.records import Record
from transcoding import analysis
from transcoding.models import Likeness, Master

REFUSED_CODE = "ISRC_OF_ANOTHER_LABEL"
MOST = 20
_ISRC = re.compile(r"[A-Z]{2}-?[A-Z0-9]{3}-?[0-9]{2}-?[0-9]{5}")


@dataclass(frozen=True)
class Rival:
    """Somebody else's claim: what it is called there, whose it is, why it bears on this record, and how it stands."""

    title: str
    label: str
    why: str
    state: str
    url: str = ""


def rivals(record: Record) -> list[Rival]:
    """Who else claims what this record is about, the weightiest first. A fixed number of statements."""
    grant = record.grant
    keys = assessments.recordings_of([grant])[grant.pk]
    return [
        *_contested(grant, keys),
        *_same_sound(keys),
        *_like_sound(keys),
        *_same_code(keys),
        *_other_licensors(grant),
    ][:MOST]


def _contested(grant: LicenceGrant, keys: Collection[int]) -> list[Rival]:
    releases = Track.objects.filter(recording__in=keys).values("release")
    labels = [key for key in (grant.submitted_for_id, grant.catalogue_id) if key]
    found = dossiers.open_notices(at=timezone.now()).filter(
        Q(recording__in=keys)
        | Q(work=grant.work_id, work__isnull=False)
        | Q(release__in=releases)
        | Q(label__in=labels)
    )
    return [
        Rival(
            title=_about(notice),
            label=notice.claimant,
            why=f"{notice.get_kind_display()} since {notice.at:%-d %B %Y}",
            state="open",
            url=reverse("review-notices"),
        )
        for notice in found.select_related("recording", "work", "release", "label")[:MOST]
    ]


def _about(notice: Notice) -> str:
    return str(notice.recording or notice.work or notice.release or notice.label)


def _same_sound(keys: Collection[int]) -> list[Rival]:
    hashes = Master.objects.filter(recording__in=keys).exclude(sound_sha256="").values("sound_sha256")
    twins = (
        Master.objects.filter(sound_sha256__in=hashes)
        .exclude(recording__in=keys)
        .select_related("recording__label")
        .order_by("recording_id", "-pk")
        .distinct("recording_id")
    )
    return [_recording(twin.recording, "The very same sound", twin.get_state_display()) for twin in twins[:MOST]]


def _like_sound(keys: Collection[int]) -> list[Rival]:
    """Other labels' recordings that sound alike without being the same to the bit, as another codec or level leaves
    them. What one label sells in two versions is its own affair."""
    masters = set(Master.objects.filter(recording__in=keys).values_list("pk", flat=True))
    found: dict[int, Rival] = {}
    alike = analysis.likenesses(masters).order_by("-seconds", "pk")
    for each in alike.select_related("one__recording__label", "other__recording__label")[:MOST]:
        mine, theirs = (each.one, each.other) if each.one_id in masters else (each.other, each.one)
        if mine.recording.label_id != theirs.recording.label_id and theirs.state == Master.State.ACCEPTED:
            why = f"Nearly the same sound for {each.seconds} s"
            found.setdefault(theirs.recording_id, _recording(theirs.recording, why, theirs.get_state_display()))
    return list(found.values())


def _recording(recording: Recording, why: str, state: str) -> Rival:
    about = LicenceGrant.objects.filter(recording=recording, layer=Layer.RECORDING, successor=None)
    first = about.order_by("pk").values_list("record_id", flat=True).first()
    return Rival(
        title=recording.full_title,
        label=recording.label.name,
        why=why,
        state=state.lower(),
        url=reverse("review-case", args=[first]) if first else "",
    )


def _same_code(keys: Collection[int]) -> list[Rival]:
    """Files that other labels delivered under one of these recordings' ISRCs, and that were refused for it."""
    codes = set(Recording.objects.filter(pk__in=keys, isrc__isnull=False).values_list("isrc", flat=True))
    if not codes:
        return []
    printed = Q()
    for code in codes:
        printed |= Q(message__contains=ISRC(str(code)).printed)
    lines = DeliveryLine.objects.filter(printed, code=REFUSED_CODE).select_related("delivery__label")
    return [
        Rival(line.path, line.delivery.label.name, "Delivered under the same ISRC", "refused", "")
        for line in lines.order_by("-pk")[:MOST]
    ]


def _other_licensors(grant: LicenceGrant) -> list[Rival]:
    found = records.read(assessments.rivals_of([grant])[grant.pk])
    return [
        Rival(
            title=one.subject_title,
            label=one.licensor,
            why="Exclusive, and it overlaps"
            if one.grant.exclusive or grant.exclusive
            else "Together the shares come to more than the whole",
            state=one.word.lower(),
            url=reverse("review-case", args=[one.record_id]),
        )
        for one in found
    ]


def outside(grants: Sequence[LicenceGrant]) -> dict[int, Outside]:
    """What the shop knows that bears on the risk of each grant, by primary key. A fixed number of statements."""
    about = assessments.recordings_of(grants)
    every = {key for keys in about.values() for key in keys}
    twins, coded = _with_twins(every), _with_codes(every)
    values, wide = _values(every), _catalogue_values(grants)
    return {
        grant.pk: Outside(
            same_sound=any(key in twins for key in about[grant.pk]),
            same_code=any(key in coded for key in about[grant.pk]),
            value_minor=wide.get(grant.catalogue_id or 0, 0) + sum(values.get(key, 0) for key in about[grant.pk]),
        )
        for grant in grants
    }


def _with_twins(keys: Collection[int]) -> set[int]:
    """The recordings whose very sound is here as another recording too, or nearly the same as another label's."""
    mine = Master.objects.filter(recording__in=keys).exclude(sound_sha256="").values("sound_sha256")
    heard: dict[str, set[int]] = defaultdict(set)
    for sound, recording in Master.objects.filter(sound_sha256__in=mine).values_list("sound_sha256", "recording"):
        heard[sound].add(recording)
    return {key for several in heard.values() if len(several) > 1 for key in several} | _with_likes(keys)


def _with_likes(keys: Collection[int]) -> set[int]:
    masters = Master.objects.filter(recording__in=keys).values("pk")
    alike = Likeness.objects.filter(Q(one__in=masters) | Q(other__in=masters)).exclude(
        one__recording__label=F("other__recording__label")
    )
    pairs = alike.values_list("one__recording", "other__recording")
    return {key for pair in pairs for key in pair}


def _with_codes(keys: Collection[int]) -> set[int]:
    """The recordings under whose ISRC another label delivered something."""
    said = DeliveryLine.objects.filter(code=REFUSED_CODE).values_list("message", flat=True)
    claimed = {code.replace("-", "") for message in said for code in _ISRC.findall(message)}
    if not claimed:
        return set()
    return set(Recording.objects.filter(pk__in=keys, isrc__in=claimed).values_list("pk", flat=True))


def _values(keys: Collection[int]) -> dict[int, int]:
    """What a copy of everything with the recording in it costs: the track and each release, in minor units.

    Of several currencies the highest number counts, which errs towards a second look.
    """
    sums: dict[tuple[int, str], int] = defaultdict(int)
    singly = Price.objects.filter(recording__in=keys).values_list("recording", "currency", "amount_minor")
    placed = Track.objects.filter(recording__in=keys).values_list("release", "recording")
    holding: dict[int, list[int]] = defaultdict(list)
    for release, recording in placed:
        holding[release].append(recording)
    for recording, currency, amount in singly:
        sums[recording, currency] += amount
    whole = Price.objects.filter(release__in=holding).values_list("release", "currency", "amount_minor")
    for release, currency, amount in whole:
        for recording in holding[release]:
            sums[recording, currency] += amount
    return _highest(((recording, amount) for (recording, _currency), amount in sums.items()))


def _catalogue_values(grants: Iterable[LicenceGrant]) -> dict[int, int]:
    """What a copy of each recording of a catalogue costs, by the party whose catalogue it is."""
    listed = list(grants)
    labels = {grant.catalogue_id for grant in listed if grant.catalogue_id and grant.layer == Layer.RECORDING}
    authors = {grant.catalogue_id for grant in listed if grant.catalogue_id and grant.layer == Layer.WORK}
    found: list[tuple[int, int]] = []
    if labels:
        of_labels = Price.objects.filter(recording__label__in=labels).values_list("recording__label", "currency")
        found += [(party, amount) for party, _currency, amount in of_labels.annotate(sum=Sum("amount_minor"))]
    for way in ("recording__works__shares__party", "recording__works__shares__party__memberships__society"):
        if authors:
            of_authors = Price.objects.filter(**{f"{way}__in": authors}).values_list(way, "currency")
            found += [(party, amount) for party, _currency, amount in of_authors.annotate(sum=Sum("amount_minor"))]
    return _highest(found)


def _highest(amounts: Iterable[tuple[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for key, amount in amounts:
        found[key] = max(amount, found.get(key, 0))
    return found
