"""What one case's page shows: the sound as a wave, papers as pictures, the map, the records of one agreement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.urls import reverse

from licensing import dossiers
from licensing.territories import COUNTRIES
from store import access, cases, evidence_pages
from store.cases import Grounds, Sound
from store.evidence_pages import Pages
from store.models import User
from store.records import Piece, Record
from store.templatetags.shop import countries_phrase, country_name, seconds_clock
from store.views import review_map
from transcoding import formats
from transcoding.models import Master, Rendition

WIDE, HIGH = 800, 100  # of a wave, in its own units


@dataclass(frozen=True)
class Strip:
    """One recording as the desk plays it."""

    title: str
    facts: str
    length: str
    sha256: str
    wave: str
    master_url: str
    master_type: str
    copy_url: str
    copy_type: str
    copy_word: str
    copy_due: bool


def strip(record: Record, sound: Sound) -> Strip:
    """The master where the browser can play it, a copy behind it for where it cannot."""
    master, copy = sound.master, sound.copy
    whole = copy is not None and copy.purpose == Rendition.Purpose.REVIEW
    return Strip(
        title=sound.recording.full_title,
        facts=f"{master.codec}{'' if master.lossless else ', lossy'}" if master else "",
        length=seconds_clock(master.seconds) if master else "",
        sha256=master.sound_sha256 if master else "",
        wave=wave(master.peaks) if master else "",
        master_url=reverse("review-sound", args=[record.record_id, master.public_id]) if master else "",
        master_type=master_type(master) if master else "",
        copy_url=reverse("review-copy", args=[record.record_id, copy.public_id]) if copy else "",
        copy_type=formats.get(copy.format).media_type if copy else "",
        copy_word="a whole copy" if whole else "the preview",
        copy_due=sound.copy_due,
    )


def master_type(master: Master) -> str:
    return formats.media_type(formats.get("ORIGINAL"), master)


def wave(peaks: Sequence[int]) -> str:
    """The path of a wave out of its peaks (thousandths of full scale): one line for each, about the middle."""
    if not peaks:
        return ""
    top, apart = max(1, *peaks), WIDE / len(peaks)
    lines = []
    for place, peak in enumerate(peaks):
        tall = max(2, round(peak * (HIGH - 4) / top))
        lines.append(f"M{(place + 0.5) * apart:.1f} {(HIGH - tall) / 2:g}v{tall}")
    return "".join(lines)


@dataclass(frozen=True)
class Paper:
    """A piece of evidence with its pages as pictures, where it has any."""

    piece: Piece
    pages: Pages

    def __getattr__(self, name: str) -> object:
        return getattr(self.piece, name)


def papers(pieces: Sequence[Piece]) -> list[Paper]:
    """The pieces with what can be seen of each. Two statements."""
    pages = evidence_pages.pages_by_instrument(piece.instrument for piece in pieces)
    return [Paper(piece, pages[piece.instrument.pk]) for piece in pieces]


def outcomes(record: Record, heard: Sequence[Sound], known: Grounds) -> list[dict[str, object]]:
    """What an approval would clear of each recording, and what would still be missing."""
    return [_outcome(one) for one in cases.outcomes(record, heard, known)] if record.waits else []


def _outcome(outcome: cases.Outcome) -> dict[str, object]:
    words = _cleared(outcome.countries)
    reasons = [
        {"text": reason.text, "where": f"({countries_phrase(reason.countries)})" if outcome.countries else ""}
        for reason in outcome.reasons
    ]
    return {"title": outcome.title, "countries": outcome.countries, "words": words, "reasons": reasons}


def _cleared(countries: Sequence[str]) -> str:
    """Where, with the number wherever it is not the whole world: here nothing is rounded up."""
    if not countries:
        return "Not cleared yet"
    few = len(countries) < 5 or len(countries) == len(COUNTRIES)  # noqa: PLR2004 - as many as one reads at a glance
    return f"Cleared: {countries_phrase(countries) if few else f'{len(countries)} of {len(COUNTRIES)} countries'}"


def world(record: Record, heard: Sequence[Sound], known: Grounds) -> dict[str, object] | None:
    """The map: while the record waits, what an approval would change; afterwards, what holds. None without a sound."""
    if not heard:
        return None
    places = [
        review_map.Place(
            code=place.code,
            name=country_name(place.code),
            now=place.now,
            after=place.after if record.waits else place.now,
            reason=" ".join(place.reasons),
        )
        for place in cases.world(record, heard, known)
    ]
    return review_map.drawn(places, waits=record.waits)


def cannot(record: Record, pieces: Sequence[Piece], heard: Sequence[Sound]) -> str:
    """Why the button that approves is shut; empty where it is not."""
    if cases.can_approve(record, pieces, heard):
        return ""
    if not pieces:
        return "Without evidence nothing can be approved: refuse, and say what would show it."
    if not all(piece.is_whole for piece in pieces):
        return "The evidence is not what was kept, so nothing can be approved on it. Tell the operator, and refuse."
    return "There is no sound to hear yet: wait until the file has been examined."


@dataclass(frozen=True)
class Shared:
    """One of the records that rest on the same agreement, with what a word on all of them would be bound to."""

    record: Record
    evidence_sha256: str
    sound_sha256: str
    why: str

    @property
    def ready(self) -> bool:
        return not self.why

    @property
    def token(self) -> str:
        return f"{self.record.record_id}|{self.evidence_sha256}|{self.sound_sha256}"


def together(record: Record, reviewer: User) -> list[Shared]:
    """The waiting records that rest on this one's agreement, itself first; nothing where it stands alone."""
    listed = cases.sharing_agreement(record)
    if len(listed) < 2:  # noqa: PLR2004 - itself and another
        return []
    shown, own = cases.shown_all(listed), access.label_ids(reviewer)
    found = [
        Shared(one, *shown[one.grant.pk], why=_unready(one, reviewer.actor, own, *shown[one.grant.pk]))
        for one in listed
    ]
    return [found[0], *sorted(found[1:], key=lambda one: one.record.subject_title)]


def _unready(record: Record, actor: str, own: Collection[int], evidence_sha256: str, sound_sha256: str) -> str:
    if not dossiers.is_independent(record.grant, actor=actor, label_ids=own):
        return "of your own label"
    if not evidence_sha256:
        return "without evidence"
    if record.grant.recording_id and not sound_sha256:
        return "no sound yet"
    return ""
