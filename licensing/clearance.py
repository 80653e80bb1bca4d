"""Ask the engine about rows, and keep its answer where it changed.

Two acts on one recording are kept apart by an advisory lock: whoever holds it reads what is committed, decides and
writes, so that the newest decision never rests on older facts than the one before. Evidence is hashed before the lock
is taken, because reading a storage may take long.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from catalog.models import Recording, Release, Track
from licensing import dossiers, instruments, rules
from licensing.affected import Affected
from licensing.models import ClearanceDecision
from licensing.reasons import sentence
from licensing.records import Question
from licensing.terms import Use
from licensing.territories import COUNTRY_NAMES
from licensing.verdicts import Obligations, Verdict

PREVIEW_SECONDS = 30

_SLOTS = 1024
_RECORDING_SLOTS = 0x4C49_0000_0000
_RELEASE_SLOTS = 0x4C49_0001_0000


def question(use: Use | str, *, at: datetime, sound_sha256: str) -> Question:
    """The store's usual question about a use: a preview is a cut with fades, a free download costs nothing."""
    preview = use == Use.PREVIEW
    return Question(
        use=str(use),
        at=at,
        sound_sha256=sound_sha256,
        price_is_zero=use == Use.FREE_DOWNLOAD,
        preview_seconds=PREVIEW_SECONDS if preview else None,
        edited=preview,
    )


def ask(recording: Recording, *, use: Use | str, at: datetime, sound_sha256: str) -> Verdict:
    """The engine's answer from what is on record now, for the instant `at`; nothing is kept."""
    hashes = dossiers.hashes_of([recording.pk])
    evidence = dossiers.load([recording.pk], at=at, hashes=hashes)[recording.pk]
    return rules.decide(question(use, at=at, sound_sha256=sound_sha256), evidence)


def clear(recording: Recording, *, use: Use | str, at: datetime, actor: str, sound_sha256: str) -> ClearanceDecision:
    """Decide about one recording and one use with the sound that would be delivered ("" for none).

    Returns the decision in force: a new row where the answer changed, else the one before. Safe to call at once from
    many places.
    """
    hashes = dossiers.hashes_of([recording.pk])
    with transaction.atomic():
        lock(Affected((recording.pk,), ()))
        evidence = _load([recording.pk], at=at, hashes=hashes)[recording.pk]
        verdict = rules.decide(question(use, at=at, sound_sha256=sound_sha256), evidence)
        return _keep(latest(recording, use), verdict, actor=actor, recording_id=recording.pk)


def clear_release(
    release: Release, *, use: Use | str, at: datetime, actor: str, sounds: Mapping[int, str]
) -> ClearanceDecision:
    """Decide about a release whole, after each of its recordings. `sounds` are sound hashes by recording key.

    Not to be called inside another transaction: each recording is decided in one of its own.
    """
    for track in _tracks([release.pk])[release.pk]:
        clear(track.recording, use=use, at=at, actor=actor, sound_sha256=sounds.get(track.recording_id, ""))
    with transaction.atomic():
        lock(Affected((), (release.pk,)))
        return _decide_releases([release], use=use, at=at, actor=actor)[0]


def decide_again(found: Affected, *, at: datetime, actor: str) -> list[ClearanceDecision]:
    """Decide anew, in the caller's transaction if there is one, whatever was decided about these before.

    For acts after which an old yes must not stand for one more request. A recording keeps the sound it was last asked
    with. Evidence is only hashed where the answer would otherwise be yes.
    """
    with transaction.atomic():
        lock(found)
        kept = []
        for use in Use:
            before = _latest_of("recording", found.recordings, use)
            if before:
                kept += _decide_recordings(before, use=use, at=at, actor=actor)
            decided = _latest_of("release", found.releases, use)
            releases = list(Release.objects.filter(pk__in=decided).order_by("pk"))
            if releases:
                kept += _decide_releases(releases, use=use, at=at, actor=actor)
    return kept


def lock(found: Affected) -> None:
    """Hold these recordings and releases until the transaction ends.

    Locks are 1,024 slots each for recordings and releases, taken in ascending order: a label's whole catalogue never
    needs more, and no two acts can wait for each other.
    """
    slots = sorted({_RECORDING_SLOTS + key % _SLOTS for key in found.recordings})
    slots += sorted({_RELEASE_SLOTS + key % _SLOTS for key in found.releases})
    with connection.cursor() as cursor:
        for slot in slots:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [slot])


def latest(subject: Recording | Release, use: Use | str) -> ClearanceDecision | None:
    """The decision in force for a recording or release and a use; None where it was never asked."""
    key = "release" if isinstance(subject, Release) else "recording"
    return _latest_of(key, [subject.pk], use).get(subject.pk)


def is_cleared(decision: ClearanceDecision, country: str, at: datetime) -> bool:
    """Whether the decision says yes for `country` and still holds at `at`. That it is the newest is not asked here."""
    holds = decision.good_until is None or at < decision.good_until
    return holds and country in decision.cleared_countries


def explain(verdict: Verdict | Mapping[str, Any], country: str) -> list[str]:
    """The verdict for one country in plain sentences, the weightiest first. `verdict` may be a decision's own data."""
    read = verdict if isinstance(verdict, Verdict) else Verdict.from_data(verdict)
    name = COUNTRY_NAMES.get(country, country)
    reasons = read.reasons_in(country)
    if not reasons and read.is_cleared(country):
        warnings = [sentence(each.code, detail=each.detail) for each in read.warnings_in(country)]
        return [f"Cleared in {name}.", *warnings]
    if not reasons:
        return [f"Nothing has been decided for {name}. Ask again."]
    return [sentence(each.code, layer=each.layer, detail=each.detail) for each in reasons]


def _load(recordings: Sequence[int], *, at: datetime, hashes: Mapping[int, str] | None) -> dict[int, rules.Evidence]:
    """The evidence under the lock; what was captured since the hashes were taken is hashed now."""
    if hashes is not None:
        late = [each for each in dossiers.evidence_of(recordings) if each.pk not in hashes]
        hashes = {**hashes, **instruments.current_hashes(late)}
    return dossiers.load(recordings, at=at, hashes=hashes)


def _latest_of(key: str, subjects: Iterable[int], use: Use | str) -> dict[int, ClearanceDecision]:
    rows = ClearanceDecision.objects.filter(**{f"{key}__in": list(subjects)}, use=str(use))
    return {getattr(row, f"{key}_id"): row for row in rows.order_by(f"{key}_id", "-pk").distinct(f"{key}_id")}


def _decide_recordings(
    before: Mapping[int, ClearanceDecision], *, use: Use, at: datetime, actor: str
) -> list[ClearanceDecision]:
    def verdicts(keys: Sequence[int], hashes: Mapping[int, str] | None) -> dict[int, Verdict]:
        known = _load(keys, at=at, hashes=hashes)
        return {
            key: rules.decide(question(use, at=at, sound_sha256=before[key].sound_sha256), known[key]) for key in keys
        }

    keys = sorted(before)
    found = verdicts(keys, None)
    hopeful = [key for key in keys if found[key].cleared]
    if hopeful:
        found.update(verdicts(hopeful, dossiers.hashes_of(hopeful)))
    return [_keep(before[key], found[key], actor=actor, recording_id=key) for key in keys]


def _tracks(releases: Sequence[int]) -> dict[int, list[Track]]:
    tracks: dict[int, list[Track]] = {key: [] for key in releases}
    rows = Track.objects.filter(release_id__in=releases).select_related("recording")
    for track in rows.order_by("release_id", "disc", "number"):
        tracks[track.release_id].append(track)
    return tracks


def _decide_releases(
    releases: Sequence[Release], *, use: Use | str, at: datetime, actor: str
) -> list[ClearanceDecision]:
    tracks = _tracks([release.pk for release in releases])
    recordings = {track.recording_id for each in tracks.values() for track in each}
    decisions = _latest_of("recording", recordings, use)
    before = _latest_of("release", [release.pk for release in releases], use)
    notices = _release_notices(releases, at)
    kept = []
    for release in releases:
        verdict = rules.decide_release(
            str(release.public_id),
            question(use, at=at, sound_sha256=""),
            [
                (track.title, _current(track, decisions.get(track.recording_id), use, at))
                for track in tracks[release.pk]
            ],
            notices=notices[release.pk],
            embargoed_until=_embargo(release, use),
        )
        kept.append(_keep(before.get(release.pk), verdict, actor=actor, release_id=release.pk))
    return kept


def _current(track: Track, decision: ClearanceDecision | None, use: Use | str, at: datetime) -> Verdict:
    """The verdict in force for a track; one that says nothing where none was made, or where it has run out."""
    if decision is not None and (decision.good_until is None or at < decision.good_until):
        return Verdict.from_data(decision.verdict)
    return Verdict(
        subject=f"recording:{track.recording.public_id}",
        question=question(use, at=at, sound_sha256=""),
        engine=rules.ENGINE,
        cleared=(),
        refused=(),
        records=(),
        obligations=Obligations(),
        good_until=None,
    )


def _release_notices(releases: Sequence[Release], at: datetime) -> dict[int, tuple[rules.NoticeFact, ...]]:
    holding = dossiers.open_notices(at=at)
    about = list(
        holding.filter(release__in=[release.pk for release in releases])
        | holding.filter(label__in=[release.label_id for release in releases])
    )
    return {
        release.pk: tuple(
            dossiers.notice_fact(notice, {})
            for notice in about
            if notice.release_id == release.pk or notice.label_id == release.label_id
        )
        for release in releases
    }


def _embargo(release: Release, use: Use | str) -> date | None:
    return None if use in {Use.PREVIEW, Use.REDOWNLOAD} else release.release_date


def _keep(before: ClearanceDecision | None, verdict: Verdict, *, actor: str, **subject: int) -> ClearanceDecision:
    """The decision in force afterwards: the one before where it says the same, until the same instant."""
    answer = verdict.answer_sha256
    if before is not None and before.answer_sha256 == answer:
        return before
    return ClearanceDecision.objects.create(
        use=verdict.question.use,
        at=verdict.question.at,
        engine=verdict.engine,
        cleared_countries=list(verdict.cleared_countries),
        good_until=verdict.good_until,
        verdict=verdict.to_data(),
        verdict_sha256=verdict.sha256,
        answer_sha256=answer,
        sound_sha256=verdict.question.sound_sha256,
        actor=actor,
        **subject,
    )
