"""What may be heard before buying: how long a cut may be and in which country, where it begins, which one is played.

A preview stands on the page while it is a cut that would be planned now: no longer than licence and country allow, from
the start that the label chose (else the loudest passage), without fades where a licence forbids changes. Whatever was
cut before under other terms is not to be heard any more, from the next request on.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from catalog.models import Recording, Track
from licensing import excerpts
from licensing.models import ClearanceDecision, LicenceGrant
from licensing.territories import BIT
from licensing.verdicts import Verdict
from store import bells, clearing, tagging
from store.errors import StartOutside
from store.models import ReviewDue
from store.waiting import in_review
from transcoding import formats, previews, renditions
from transcoding.models import Master, PreviewStart, Rendition
from transcoding.previews import Cut

MP3, OPUS = "PREVIEW_MP3", "PREVIEW_OPUS"
KINDS = (MP3, OPUS)
THOUSAND = 1000


@dataclass(frozen=True)
class Preview:
    """The passage of one recording that is played: MP3 goes everywhere, Opus to browsers that know it."""

    mp3: Rendition
    opus: Rendition | None


@dataclass(frozen=True)
class Terms:
    """What a decision allows: the longest cut in seconds with the countries (a mask) it may be heard in, and fades."""

    seconds: Mapping[int, int]
    fades: bool

    def in_country(self, country: str) -> int:
        """The longest cut there, nought where none may be heard; without a country, what all of them allow."""
        if not country:
            return min(self.seconds, default=0)
        return max((seconds for seconds, mask in self.seconds.items() if mask & BIT.get(country, 0)), default=0)


def terms(decisions: Collection[ClearanceDecision]) -> dict[int, Terms]:
    """What decisions on previews allow, by recording. One query."""
    verdicts = {decision.recording_id or 0: Verdict.from_data(decision.verdict) for decision in decisions}
    limits = _limits({each.record.partition(":")[0] for verdict in verdicts.values() for each in verdict.records})
    found = {}
    for key, verdict in verdicts.items():
        granted = {
            each.record: limits[place]
            for each in verdict.records
            if (place := (each.record.partition(":")[0], each.version)) in limits
        }
        seconds: dict[int, int] = {}
        for most, mask in excerpts.longest(verdict, granted).items():
            ours = min(most, settings.PREVIEW_SECONDS)
            seconds[ours] = seconds.get(ours, 0) | mask
        found[key] = Terms(seconds, fades=not any(duty.no_edits for duty in verdict.obligations.licences))
    return found


def _limits(records: Iterable[str]) -> dict[tuple[str, int], int | None]:
    rows = LicenceGrant.objects.filter(record_id__in=sorted(records))
    return {
        (str(record), version): limit
        for record, version, limit in rows.values_list("record_id", "version", "preview_max_seconds")
    }


def starts(masters: Iterable[Master]) -> dict[int, int]:
    """Where the preview of each master begins, in milliseconds. One query."""
    rows = {master.pk: master for master in masters}
    chosen = dict(
        PreviewStart.objects.filter(recording__in={master.recording_id for master in rows.values()}).values_list(
            "recording_id", "milliseconds"
        )
    )
    return {key: chosen.get(master.recording_id, master.loudest_second * THOUSAND) for key, master in rows.items()}


def heard(recordings: Iterable[int], *, country: str = "") -> dict[int, Preview]:
    """The preview of each recording that may be heard now. Five queries."""
    now = timezone.now()
    decisions = clearing.latest_of_recordings(set(recordings), use=clearing.PREVIEW)
    allowed = {key: found for key, found in decisions.items() if clearing.holds(found, at=now, country=country)}
    masters = clearing.masters_of(allowed)
    given, begins = terms(list(allowed.values())), starts(masters.values())
    made: dict[int, list[Rendition]] = defaultdict(list)
    ready = Rendition.objects.filter(purpose=Rendition.Purpose.PREVIEW, state=Rendition.State.READY)
    for row in ready.filter(master__in=[master.pk for master in masters.values()]).order_by("ready_at"):
        made[row.master_id].append(row)
    found = {}
    for key, master in masters.items():
        seconds = given[key].in_country(country)
        chosen = best(made[master.pk], master, start_ms=begins[master.pk], seconds=seconds, fades=given[key].fades)
        if chosen is not None:
            found[key] = chosen
    return found


def best(rows: Iterable[Rendition], master: Master, *, start_ms: int, seconds: int, fades: bool) -> Preview | None:
    """The longest cut that fits, the newest of equals, with the Opus file of the same cut."""
    by_cut: dict[Cut, dict[str, Rendition]] = defaultdict(dict)
    for row in rows:
        cut = Cut(**(row.cut or {}))
        if previews.fits(cut, master, start_ms=start_ms, seconds=seconds, fades=fades):
            by_cut[cut][row.format] = row
    whole = [kinds for kinds in by_cut.values() if MP3 in kinds]
    if not whole:
        return None
    longest = max(whole, key=lambda kinds: ((kinds[MP3].cut or {})["length_ms"], kinds[MP3].ready_at))
    return Preview(longest[MP3], longest.get(OPUS))


def may_be_heard(rendition: Rendition, *, country: str = "") -> bool:
    """Whether a preview may be played now; asked for each request, so that a takedown is heard at once."""
    key = rendition.master.recording_id
    found = heard([key], country=country).get(key)
    return found is not None and rendition in {found.mp3, found.opus}


def plan(
    tracks: Iterable[Track], masters: Mapping[int, Master], decisions: Mapping[int, ClearanceDecision], *, at: datetime
) -> list[int]:
    """Owe the cuts that the decisions on previews allow: one for each length that some country is left with, in both
    kinds. Returns the masters with something new to make; both mappings are by recording."""
    standing = [found for key, found in decisions.items() if key in masters and clearing.holds(found, at=at)]
    given, begins = terms(standing), starts(masters.values())
    new = []
    for track in tracks:
        key = track.recording_id
        if key not in given:
            continue
        verdict = Verdict.from_data(decisions[key].verdict)
        tags = tagging.preview_tagset(track, verdict=verdict, master=masters[key])
        made = [
            renditions.plan_preview(
                masters[key], tags=tags, fades=given[key].fades, seconds=seconds,
                start_ms=begins[masters[key].pk], format=formats.get(kind), at=at,
            )
            for seconds in sorted(given[key].seconds, reverse=True)
            for kind in KINDS
        ]  # fmt: skip
        if any(row.planned_at == at for row in made):
            new.append(masters[key].pk)
    return new


def plan_for_review(recordings: Iterable[int], *, at: datetime) -> list[int]:
    """Owe reviewers a whole copy to hear, of recordings that wait for them in a kind that not every browser plays;
    elsewhere the delivered file serves. No licence is asked about it: nobody else gets it. Returns the masters with one
    new to make. One query, and three for such kinds."""
    mute = {key: one for key, one in clearing.masters_of(recordings).items() if not formats.plays_in_browsers(one)}
    if not mute:
        return []
    waiting = Recording.objects.filter(in_review(), pk__in=mute).order_by("pk").values_list("pk", flat=True)
    owed = [renditions.plan_for_review(mute[key], at=at) for key in waiting]
    return [row.master_id for row in owed if row.planned_at == at]


def wave(rendition: Rendition) -> list[int]:
    """A preview's wave in thousandths of full scale: as it was cut, else the part of the master's that it covers."""
    if rendition.peaks:
        return list(rendition.peaks)
    master, cut = rendition.master, rendition.cut or {}
    whole = max(1, round(master.seconds * THOUSAND))
    first = len(master.peaks) * cut.get("start_ms", 0) // whole
    last = -(-len(master.peaks) * (cut.get("start_ms", 0) + cut.get("length_ms", whole)) // whole)
    return list(master.peaks[first:last])


@dataclass(frozen=True)
class Planned:
    """What a label sees of a recording's preview: where it begins and how long the longest cut is, in milliseconds.

    `chosen` says that the label set the start; `cleared` that a preview may be heard at all, `ready` that it is.
    """

    master: Master
    start_ms: int
    length_ms: int
    whole_ms: int
    fades: bool
    chosen: bool
    cleared: bool
    ready: bool

    @property
    def start(self) -> float:
        return self.start_ms / THOUSAND

    @property
    def seconds(self) -> int:
        return self.length_ms // THOUSAND

    @property
    def whole(self) -> int:
        return self.whole_ms // THOUSAND


def planned(recording: Recording) -> Planned | None:
    """The preview of a recording as it stands or would be cut; nothing without an accepted master."""
    master = clearing.masters_of([recording.pk]).get(recording.pk)
    if master is None:
        return None
    decided = clearing.latest_of_recordings([recording.pk], use=clearing.PREVIEW)
    allowed = [found for found in decided.values() if clearing.holds(found, at=timezone.now())]
    given = terms(allowed).get(recording.pk, Terms({settings.PREVIEW_SECONDS: 0}, fades=True))
    cut = previews.plan_cut(master, start_ms=starts([master])[master.pk], seconds=max(given.seconds), fades=given.fades)
    return Planned(
        master=master,
        start_ms=cut.start_ms,
        length_ms=cut.length_ms,
        whole_ms=max(1, round(master.seconds * THOUSAND)),
        fades=bool(cut.fade_in_ms),
        chosen=PreviewStart.objects.filter(recording=recording).exists(),
        cleared=bool(allowed),
        ready=recording.pk in heard([recording.pk]),
    )


def set_start(master: Master, *, milliseconds: int | None, actor: str) -> None:
    """Let the preview begin where the label says, or with None at the loudest passage again.

    What was cut from elsewhere falls silent at once, the new cut is made within seconds.
    """
    if milliseconds is not None and not 0 <= milliseconds < master.seconds * THOUSAND:
        raise StartOutside("The recording is not that long. Choose a place within it.")
    with transaction.atomic():
        chosen = PreviewStart.objects.filter(recording_id=master.recording_id)
        if milliseconds is None:
            chosen.delete()
        else:
            PreviewStart.objects.update_or_create(
                recording_id=master.recording_id,
                defaults={"milliseconds": milliseconds, "actor": actor, "at": timezone.now()},
            )
        ReviewDue.objects.create(recording_id=master.recording_id, cause="preview start")
        bells.ring("store.tasks.review_offers")
