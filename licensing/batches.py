"""Decisions about many recordings and releases at once: asked together, written together.

Thousands are read in a fixed number of statements, decided by the pure engine, each shape of evidence once (`shapes`),
and copied into the table. The same rows come out as when each is asked alone (`clearance.clear`), byte for byte: there
is one way to make a row.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from uuid import uuid4

from django.db import connection
from django.db.models import Q

from catalog.models import Release, Track
from licensing import dossiers, rules, shapes
from licensing.dossiers import Among
from licensing.models import ClearanceDecision
from licensing.records import NoticeFact, Question
from licensing.terms import Use
from licensing.territories import codes_of, mask_of
from licensing.verdicts import Obligations, Verdict

PREVIEW_SECONDS = 30


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, with what it comes to once its time has run out and nobody has asked again; `data` are its bytes."""

    verdict: Verdict
    lasting: int = 0
    lasting_until: datetime | None = None
    hangs_on: tuple[int, ...] = ()
    data: bytes = b""

    def at(self, instant: datetime) -> tuple[int, datetime | None]:
        """The countries cleared at `instant`, and until when that is known."""
        until = self.verdict.good_until
        if until is None or instant < until:
            return self.verdict.cleared_mask, until
        if self.lasting_until is None or instant < self.lasting_until:
            return self.lasting, self.lasting_until
        return 0, None


class Before(NamedTuple):
    """What is needed of the decision in force to tell whether a new one says anything new."""

    pk: int
    answer_sha256: str
    sound_sha256: str


class Row(NamedTuple):
    """A decision about to be written, in the order of `COLUMNS`."""

    public_id: str
    recording_id: int | None
    release_id: int | None
    use: str
    at: datetime
    engine: str
    cleared: int
    good_until: datetime | None
    lasting: int
    lasting_until: datetime | None
    hangs_on: tuple[int, ...]
    verdict: bytes
    verdict_sha256: str
    answer_sha256: str
    sound_sha256: str
    actor: str


COLUMNS = (
    "public_id", "recording_id", "release_id", "use", "at", "engine", "cleared_countries", "good_until",
    "lasting_countries", "lasting_until", "hangs_on", "verdict", "verdict_sha256", "answer_sha256", "sound_sha256",
    "actor",
)  # fmt: skip


def new_row(
    found: Answer, before: Before | None, *, actor: str, recording: int | None = None, release: int | None = None
) -> Row | None:
    """The row to write; None where the decision in force says the same, until the same instant."""
    verdict = found.verdict
    data = found.data or verdict.to_json()
    same = sha256(data.replace(_asked_at(verdict.question.at), b'"question":{', 1)).hexdigest()
    if before is not None and before.answer_sha256 == same:
        return None
    return Row(
        public_id=str(uuid4()),
        recording_id=recording,
        release_id=release,
        use=verdict.question.use,
        at=verdict.question.at,
        engine=verdict.engine,
        cleared=verdict.cleared_mask,
        good_until=verdict.good_until,
        lasting=found.lasting,
        lasting_until=found.lasting_until,
        hangs_on=found.hangs_on,
        verdict=data,
        verdict_sha256=sha256(data).hexdigest(),
        answer_sha256=same,
        sound_sha256=verdict.question.sound_sha256,
        actor=actor,
    )


@lru_cache(maxsize=64)
def _asked_at(instant: datetime) -> bytes:
    """How a question's bytes begin: `at` is its first key, because keys are sorted."""
    return b'"question":{"at":' + json.dumps(instant.astimezone(UTC).isoformat()).encode() + b","


def write(rows: Sequence[Row]) -> None:
    """Copy the rows into the table, whose triggers and constraints hold for them as for any other."""
    if not rows:
        return
    statement = f"COPY licensing_clearancedecision ({', '.join(COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.cursor.copy(statement) as copy:
        for first in range(0, len(rows), _WRITTEN_AT_ONCE):
            copy.write(b"".join([_line(row) for row in rows[first : first + _WRITTEN_AT_ONCE]]))


_WRITTEN_AT_ONCE = 100
_NULL = "\\N"


def _line(row: Row) -> bytes:
    """The row in PostgreSQL's text form of COPY."""
    cells = (
        row.public_id,
        _NULL if row.recording_id is None else str(row.recording_id),
        _NULL if row.release_id is None else str(row.release_id),
        _text(row.use),
        _instant(row.at),
        _text(row.engine),
        _countries(row.cleared),
        _instant(row.good_until),
        _countries(row.lasting),
        _instant(row.lasting_until),
        f"{{{','.join(map(str, row.hangs_on))}}}",
        _text(row.verdict.decode()),
        row.verdict_sha256,
        row.answer_sha256,
        _text(row.sound_sha256),
        _text(row.actor),
    )
    return ("\t".join(cells) + "\n").encode()


@lru_cache(maxsize=4096)
def _instant(instant: datetime | None) -> str:
    return _NULL if instant is None else instant.isoformat()


def _text(text: str) -> str:
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text


@lru_cache(maxsize=4096)
def _countries(mask: int) -> str:
    return " ".join(codes_of(mask))


def create(row: Row) -> ClearanceDecision:
    """Write one row and return it."""
    return ClearanceDecision.objects.create(
        public_id=row.public_id,
        recording_id=row.recording_id,
        release_id=row.release_id,
        use=row.use,
        at=row.at,
        engine=row.engine,
        cleared_countries=list(codes_of(row.cleared)),
        good_until=row.good_until,
        lasting_countries=list(codes_of(row.lasting)),
        lasting_until=row.lasting_until,
        hangs_on=list(row.hangs_on),
        verdict=json.loads(row.verdict),
        verdict_sha256=row.verdict_sha256,
        answer_sha256=row.answer_sha256,
        sound_sha256=row.sound_sha256,
        actor=row.actor,
    )


_STANDING = {
    "recording": """SELECT DISTINCT ON (recording_id) recording_id, id, answer_sha256, sound_sha256
        FROM licensing_clearancedecision WHERE recording_id = ANY(%s) AND use = %s ORDER BY recording_id, id DESC""",
    "release": """SELECT DISTINCT ON (release_id) release_id, id, answer_sha256, sound_sha256
        FROM licensing_clearancedecision WHERE release_id = ANY(%s) AND use = %s ORDER BY release_id, id DESC""",
}


def before(subject: str, keys: Collection[int], use: Use | str) -> dict[int, Before]:
    """The decisions in force about recordings or releases (`subject`), as far as `new_row` needs them."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING[subject], [list(keys), str(use)])
        return {row[0]: Before(*row[1:]) for row in cursor.fetchall()}


def decide_recordings(
    sounds: Mapping[int, str], known: dossiers.Dossiers, *, use: Use | str, at: datetime, actor: str
) -> tuple[list[Row], dict[int, Answer]]:
    """Decide about recordings, each with the sound that would be delivered: the rows to write, and all answers."""
    standing = before("recording", sounds, use)
    rows, answers = [], {}
    for key in sorted(sounds):
        asked = question(use, at=at, sound_sha256=sounds[key])
        told = shapes.decide(asked, known.evidence[key], known.shape(key, sounds[key]))
        hangs_on = known.hangs_on(key, told.verdict.records)
        found = Answer(told.verdict, told.lasting, told.lasting_until, hangs_on, told.data)
        answers[key] = found
        row = new_row(found, standing.get(key), actor=actor, recording=key)
        if row is not None:
            rows.append(row)
    return rows, answers


# -- Releases ----------------------------------------------------------------------------------------------------------


class Placed(NamedTuple):
    """A recording's place on a release, as a release's verdict names it."""

    recording: int
    recording_id: str
    title: str


def tracks_of(releases: Collection[int]) -> dict[int, list[Placed]]:
    """What stands on each release, in playing order. One statement."""
    tracks: dict[int, list[Placed]] = {key: [] for key in releases}
    rows = Track.objects.filter(Among("release_id", releases)).order_by("release_id", "disc", "number")
    for release, recording, public_id, override, title, version in rows.values_list(
        "release_id", "recording_id", "recording__public_id", "title_override", "recording__title",
        "recording__version_title",
    ):  # fmt: skip
        named = override or (f"{title} ({version})" if version else title)
        tracks[release].append(Placed(recording, str(public_id), named))
    return tracks


def decide_releases(
    keys: Collection[int],
    fresh: Mapping[int, Answer],
    *,
    use: Use | str,
    at: datetime,
    actor: str,
    asked_before: bool = False,
) -> list[Row]:
    """Decide about these releases from the answers in force for their recordings: `fresh` ones, else those on record.

    `asked_before` leaves out releases about which nothing was ever decided.
    """
    standing = before("release", keys, use)
    chosen = sorted(standing) if asked_before else sorted(keys)
    releases = Release.objects.filter(Among("pk", chosen)).order_by("pk").values_list(
        "pk", "public_id", "label_id", "release_date"
    )  # fmt: skip
    tracks = tracks_of(chosen)
    missing = {each.recording for some in tracks.values() for each in some} - fresh.keys()
    kept = {**_on_record(missing, use), **fresh}
    notices = _release_notices(chosen, [row[2] for row in releases], at)
    rows = []
    for key, public_id, label, released in releases:
        answers = [_current(each, kept.get(each.recording), use, at) for each in tracks[key]]
        verdict = rules.decide_release(
            str(public_id),
            question(use, at=at, sound_sha256=""),
            [(each.title, found.verdict) for each, found in zip(tracks[key], answers, strict=True)],
            notices=(*notices.get(("release", key), ()), *notices.get(("label", label), ())),
            embargoed_until=_embargo(released, use),
        )
        row = new_row(_whole(verdict, answers, key, label), standing.get(key), actor=actor, release=key)
        if row is not None:
            rows.append(row)
    return rows


def _whole(verdict: Verdict, answers: Sequence[Answer], release: int, label: int) -> Answer:
    """A release hangs on whatever its tracks hang on, and lasts where all of them last."""
    own = {dossiers.release_held(release), dossiers.label_held(label)}
    hangs_on = tuple(sorted({*own, *(each for found in answers for each in found.hangs_on)}))
    if verdict.good_until is None or not verdict.cleared:
        return Answer(verdict, hangs_on=hangs_on)
    mask = verdict.cleared_mask
    ends = []
    for found in answers:
        lasting, until = found.at(verdict.good_until)
        mask &= lasting
        if until is not None:
            ends.append(until)
    return Answer(verdict, mask, min(ends, default=None), hangs_on)


def _on_record(recordings: Collection[int], use: Use | str) -> dict[int, Answer]:
    rows = ClearanceDecision.objects.filter(Among("recording_id", recordings), use=str(use))
    return {
        row.recording_id or 0: Answer(
            Verdict.from_data(row.verdict), mask_of(row.lasting_countries), row.lasting_until, tuple(row.hangs_on)
        )
        for row in rows.order_by("recording_id", "-pk").distinct("recording_id")
    }


def _current(place: Placed, found: Answer | None, use: Use | str, at: datetime) -> Answer:
    """The answer in force for a track; one that says nothing where none was made, or where it has run out."""
    if found is not None and (found.verdict.good_until is None or at < found.verdict.good_until):
        return found
    silent = Verdict(
        subject=f"recording:{place.recording_id}",
        question=question(use, at=at, sound_sha256=""),
        engine=rules.ENGINE,
        cleared=(),
        refused=(),
        records=(),
        obligations=Obligations(),
        good_until=None,
    )
    return Answer(silent)


def _release_notices(
    releases: Collection[int], labels: Collection[int], at: datetime
) -> dict[tuple[str, int], tuple[NoticeFact, ...]]:
    holding = dossiers.open_notices(at=at)
    about = holding.filter(Q(Among("release_id", releases)) | Q(Among("label_id", set(labels))))
    found: dict[tuple[str, int], tuple[NoticeFact, ...]] = {}
    for notice in about:
        key = ("release", notice.release_id) if notice.release_id else ("label", notice.label_id or 0)
        found[key] = (*found.get(key, ()), dossiers.notice_fact(notice, {}))
    return found


def _embargo(released: date | None, use: Use | str) -> date | None:
    return None if use in {Use.PREVIEW, Use.REDOWNLOAD} else released
