"""Ask the engine about rows, and keep its answer where it changed.

Two acts on one recording are kept apart by an advisory lock: whoever holds it reads what is committed, decides and
writes, so that the newest decision never rests on older facts than the one before. Evidence is hashed before the lock
is taken, because reading a storage may take long.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from catalog.models import Recording, Release
from licensing import batches, dossiers, instruments, rules
from licensing.affected import Affected
from licensing.batches import PREVIEW_SECONDS, question
from licensing.models import ClearanceDecision
from licensing.reasons import sentence
from licensing.terms import Use
from licensing.territories import COUNTRY_NAMES
from licensing.verdicts import Verdict

__all__ = [
    "PREVIEW_SECONDS",
    "Sale",
    "ask",
    "clear",
    "clear_release",
    "decide_again",
    "explain",
    "is_cleared",
    "latest",
    "lock",
    "open_all",
    "question",
    "why_not_sold",
]

Prices = tuple[tuple[str, int], ...]

_SLOTS = 1024
_SHARING = 6  # 64 neighbouring keys share a slot, so that a batch of neighbours takes few locks
_RECORDING_SLOTS = 0x4C49_0000_0000
_RELEASE_SLOTS = 0x4C49_0001_0000


def ask(
    recording: Recording, *, use: Use | str, at: datetime, sound_sha256: str, prices: Prices | None = None
) -> Verdict:
    """The engine's answer from what is on record now, for the instant `at`; nothing is kept."""
    hashes = dossiers.hashes_of([recording.pk])
    evidence = dossiers.load([recording.pk], at=at, hashes=hashes)[recording.pk]
    return rules.decide(replace(question(use, at=at, sound_sha256=sound_sha256), prices=prices), evidence)


@dataclass(frozen=True, slots=True)
class Sale:
    """One recording about to be sold: with which sound, and for how much (minor units by currency)."""

    recording: int
    sound_sha256: str
    prices: tuple[tuple[str, int], ...] = ()


def why_not_sold(
    sales: Iterable[Sale], *, country: str, at: datetime, hashes: Mapping[int, str], use: Use | str
) -> dict[int, list[str]]:
    """The codes for which each of these recordings may not be sold in `country` now; those that may are left out.

    Asks the engine from what is on record at this moment, whatever was decided before. To be called under `lock`, in
    the transaction that makes the sale; `hashes` were taken before it.
    """
    asked = list(sales)
    known = open_all({sale.recording for sale in asked}, at=at, hashes=hashes)
    found: dict[int, list[str]] = {}
    for sale in asked:
        evidence = known.evidence.get(sale.recording)
        if evidence is None:
            found[sale.recording] = ["NO_MASTER_LICENCE"]
            continue
        plain = question(use, at=at, sound_sha256=sale.sound_sha256)
        verdict = rules.decide(replace(plain, prices=sale.prices or None), evidence)
        if not verdict.is_cleared(country, at=at):
            found[sale.recording] = verdict.codes_in(country) or ["TERRITORY_UNKNOWN"]
    return found


def clear(recording: Recording, *, use: Use | str, at: datetime, actor: str, sound_sha256: str) -> ClearanceDecision:
    """Decide about one recording and one use with the sound that would be delivered ("" for none).

    Returns the decision in force: a new row where the answer changed, else the one before. Safe to call at once from
    many places.
    """
    hashes = dossiers.hashes_of([recording.pk])
    with transaction.atomic():
        lock(Affected((recording.pk,), ()))
        known = open_all([recording.pk], at=at, hashes=hashes)
        rows, _answers = batches.decide_recordings({recording.pk: sound_sha256}, known, use=use, at=at, actor=actor)
        return batches.create(rows[0]) if rows else _standing(recording, use)


def clear_release(
    release: Release, *, use: Use | str, at: datetime, actor: str, sounds: Mapping[int, str]
) -> ClearanceDecision:
    """Decide about a release whole, after its recordings. `sounds` are sound hashes by recording key.

    Not to be called inside another transaction: the recordings are decided in one of their own.
    """
    keys = [place.recording for place in batches.tracks_of([release.pk])[release.pk]]
    hashes = dossiers.hashes_of(keys)
    with transaction.atomic():
        lock(Affected(tuple(sorted(keys)), ()))
        known = open_all(keys, at=at, hashes=hashes)
        asked = {key: sounds.get(key, "") for key in keys}
        rows, _answers = batches.decide_recordings(asked, known, use=use, at=at, actor=actor)
        batches.write(rows)
    with transaction.atomic():
        lock(Affected((), (release.pk,)))
        rows = batches.decide_releases([release.pk], {}, use=use, at=at, actor=actor)
        return batches.create(rows[0]) if rows else _standing(release, use)


def decide_again(found: Affected, *, at: datetime, actor: str, hashes: Mapping[int, str] | None = None) -> int:
    """Decide anew, in the caller's transaction if there is one, whatever was decided about these before.

    For acts after which an old yes must not stand for one more request. A recording keeps the sound it was last asked
    with. `hashes` are those of all evidence about them (`dossiers.hashes_of`), taken before the transaction: acts that
    can give a right bring them. Acts that take one away need not wait for a storage: what is cleared all the same is
    believed to rest on what was last found there; whoever sells hashes it again. Returns how many answers changed.
    What is too much for one request (`found.owed`) is left to the reclearance that the act's rows have made owed.
    """
    if found.owed:
        return 0
    written: list[batches.Row] = []
    with transaction.atomic():
        lock(found)
        for use in Use:
            before = batches.before("recording", found.recordings, use)
            fresh: dict[int, batches.Answer] = {}
            if before:
                sounds = {key: row.sound_sha256 for key, row in before.items()}
                rows, fresh = _decide_again(sounds, use=use, at=at, actor=actor, hashes=hashes)
                written += rows
            written += batches.decide_releases(found.releases, fresh, use=use, at=at, actor=actor, asked_before=True)
        batches.write(written)  # at once, so that offers and the shelf follow once
    return len(written)


def _decide_again(
    sounds: Mapping[int, str], *, use: Use, at: datetime, actor: str, hashes: Mapping[int, str] | None
) -> tuple[list[batches.Row], dict[int, batches.Answer]]:
    """As `batches.decide_recordings`; what may come out cleared is decided with the hashes of its evidence."""
    rows, answers = batches.decide_recordings(sounds, open_all(sounds, at=at, hashes=None), use=use, at=at, actor=actor)
    hopeful = {key: sounds[key] for key, found in answers.items() if found.verdict.cleared}
    if not hopeful:
        return rows, answers
    known = open_all(hopeful, at=at, hashes=dossiers.last_hashes_of(hopeful) if hashes is None else hashes)
    hashed, surer = batches.decide_recordings(hopeful, known, use=use, at=at, actor=actor)
    return [*(row for row in rows if row.recording_id not in hopeful), *hashed], {**answers, **surer}


def lock(found: Affected) -> None:
    """Hold these recordings and releases until the transaction ends.

    Locks are 1,024 slots each for recordings and releases, taken in ascending order in one statement: a label's whole
    catalogue never needs more, and no two acts can wait for each other.
    """
    slots = sorted({_RECORDING_SLOTS + (key >> _SHARING) % _SLOTS for key in found.recordings})
    slots += sorted({_RELEASE_SLOTS + (key >> _SHARING) % _SLOTS for key in found.releases})
    if slots:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(slot) FROM unnest(%s::bigint[]) AS slot", [slots])


def latest(subject: Recording | Release, use: Use | str) -> ClearanceDecision | None:
    """The decision in force for a recording or release and a use; None where it was never asked."""
    about: dict[str, Any] = {"release" if isinstance(subject, Release) else "recording": subject}
    return ClearanceDecision.objects.filter(**about, use=str(use)).order_by("-pk").first()


def is_cleared(decision: ClearanceDecision, country: str, at: datetime) -> bool:
    """Whether the decision says yes for `country` at `at`. That it is the newest is not asked here.

    After `good_until` only the countries that were known to last are still cleared, and none after `lasting_until`.
    """
    if decision.good_until is None or at < decision.good_until:
        return country in decision.cleared_countries
    lasts = decision.lasting_until is None or at < decision.lasting_until
    return lasts and country in decision.lasting_countries


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


def open_all(recordings: Collection[int], *, at: datetime, hashes: Mapping[int, str] | None) -> dossiers.Dossiers:
    """The evidence under the lock; what was captured since the hashes were taken is hashed now."""
    if hashes is not None:
        late = [each for each in dossiers.evidence_of(recordings) if each.pk not in hashes]
        hashes = {**hashes, **instruments.current_hashes(late)}
    return dossiers.open_all(recordings, at=at, hashes=hashes)


def _standing(subject: Recording | Release, use: Use | str) -> ClearanceDecision:
    found = latest(subject, use)
    assert found is not None  # noqa: S101 - nothing new is only said of what was decided before
    return found
