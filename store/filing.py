"""Filing one delivered file in the catalogue: which recording it is, and where on which release it stands.

A file is known again by its bytes, then by its ISRC, then by its place and title; only within one label. What matches
by name alone must also sound the same: another sound is another recording, and never slips in under an old name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model

from catalog import parties, releases
from catalog.codes import ISRC
from catalog.credits import add_credit, artist_line
from catalog.models import CreditRole, Party, PartyKind, Recording, RecordingWork, Release, ReleaseKind, Track, Work
from catalog.words import clean, split_featured
from store.models import DeliveryLine
from store.sheets import FileRefused, Sheet
from transcoding.models import Master

ANOTHER_SOUND = "Another mix, edit or remaster is another recording: give it a title, number and ISRC of its own."
COLLISIONS = 3


@dataclass(frozen=True, slots=True)
class Filed:
    """Where the file went. `is_new` where its bytes are wanted; `is_known` where the very bytes were here before;
    `filled` names what its tags added to a recording that was here."""

    recording: Recording
    track: Track
    is_new: bool
    is_known: bool = False
    is_new_place: bool = False
    is_new_release: bool = False
    filled: tuple[str, ...] = ()


def file_sheet(
    sheet: Sheet,
    *,
    label: Party,
    own_works: bool,
    sound_of: Callable[[Path], str],
    sound_of_master: Callable[[Master], str],
) -> Filed:
    """Find or make what the sheet is about, all or nothing. Raises FileRefused.

    One file of a label is filed at a time (its party's row is locked). A sound is compared only where a name matches
    and the bytes do not; that takes a decode, so it happens between two looks, outside the transaction.
    """
    sounds: dict[int, str] = {}
    collisions = 0
    while True:
        notes = list(sheet.notes)
        try:
            with transaction.atomic():
                Party.objects.select_for_update(no_key=True).get(pk=label.pk)
                known, rival = _known(sheet, label=label, sounds=sounds)
                if rival is None:
                    return _enter(sheet, known, label=label, own_works=own_works)
        except IntegrityError:  # another label took the same code or address meanwhile: look again
            collisions += 1
            if collisions == COLLISIONS:
                raise
            sheet.notes = notes
            continue
        sounds[rival.pk] = sound_of_master(rival)
        sheet.sound_sha256 = sheet.sound_sha256 or sound_of(sheet.path)


@dataclass(frozen=True, slots=True)
class _Known:
    """The recording a file was recognised as; by its bytes, or by name and sound."""

    recording: Recording
    by_bytes: bool = False
    unfinished: bool = False


_Match = tuple[_Known | None, Master | None]


def _known(sheet: Sheet, *, label: Party, sounds: dict[int, str]) -> _Match:
    """The recording this file is, if it is here; or the master whose sound must be compared first."""
    for look in (_by_bytes, _by_isrc, _by_place):
        found, rival = look(sheet, label, sounds)
        if found or rival:
            return found, rival
    return None, None


def _by_bytes(sheet: Sheet, label: Party, sounds: dict[int, str]) -> _Match:  # noqa: ARG001 - one shape for all looks
    master = Master.objects.filter(file_sha256=sheet.sha256, recording__label=label).order_by("pk").first()
    if master is not None:
        return _Known(master.recording, by_bytes=True), None
    # the same sound with other tags was recognised before; its bytes were not kept as a master
    lines = DeliveryLine.objects.filter(file_sha256=sheet.sha256, recording__label=label)
    line = lines.exclude(outcome=DeliveryLine.Outcome.REFUSED).select_related("recording").order_by("pk").first()
    if line is None or line.recording is None or not Master.objects.filter(recording=line.recording).exists():
        return None, None
    return _Known(line.recording, by_bytes=True), None


def _by_isrc(sheet: Sheet, label: Party, sounds: dict[int, str]) -> _Match:
    isrc = sheet.isrc
    recording = Recording.objects.filter(isrc=isrc).select_related("label").first() if isrc else None
    if recording is None:
        return None, None
    if recording.label_id != label.pk:
        message = (
            f"ISRC {ISRC(isrc).printed} already names a recording of another label. Correct the tag; if"
            " the recording changed hands, ask the store's staff."
        )
        raise FileRefused("ISRC_OF_ANOTHER_LABEL", message)
    if _is_unfinished(recording):
        return _Known(recording, unfinished=True), None
    return _compared(
        sheet,
        recording,
        sounds,
        other=f"ISRC {ISRC(isrc).printed} already names “{recording}”, which sounds different. {ANOTHER_SOUND}",
    )


def _by_place(sheet: Sheet, label: Party, sounds: dict[int, str]) -> _Match:
    """A recording of the same title on the same release: at the same number, or anywhere if the file has none."""
    release = _release(sheet, label)
    if release is None:
        return None, None
    tracks = release.tracks.select_related("recording").filter(disc=sheet.disc)
    if sheet.number is not None:
        tracks = tracks.filter(number=sheet.number)
    isrc = sheet.isrc
    for track in tracks:
        recording = track.recording
        if recording.full_title.casefold() != sheet.full_title.casefold() or (isrc and recording.isrc):
            continue
        if _is_unfinished(recording):
            return _Known(recording, unfinished=True), None
        place = f"track {track.disc}.{track.number} of “{release}”"
        refusal = f"“{recording}” is already {place}, and sounds different. {ANOTHER_SOUND}"
        found, rival = _compared(sheet, recording, sounds, other=refusal if sheet.number is not None else "")
        if found or rival:
            return found, rival
    return None, None


def _compared(sheet: Sheet, recording: Recording, sounds: dict[int, str], *, other: str) -> _Match:
    """Known where the sound is that of the newest usable master. Where it is not: refused with `other`, if given."""
    master = Master.objects.filter(recording=recording).exclude(state=Master.State.REJECTED).order_by("-pk").first()
    assert master is not None, "unfinished recordings were told apart before"  # noqa: S101
    if not sheet.sound_sha256 or master.pk not in sounds:
        return None, master
    if not sounds[master.pk]:
        return _Known(recording, unfinished=True), None
    if sounds[master.pk] == sheet.sound_sha256:
        return _Known(recording), None
    if other:
        raise FileRefused("SOUND_DIFFERS", other)
    return None, None


def _is_unfinished(recording: Recording) -> bool:
    """A delivery was cut short before its bytes were kept, or the file turned out to be unusable: bytes are welcome."""
    return not Master.objects.filter(recording=recording).exclude(state=Master.State.REJECTED).exists()


# -- Entering ----------------------------------------------------------------------------------------------------------


def _enter(sheet: Sheet, known: _Known | None, *, label: Party, own_works: bool) -> Filed:
    filled: tuple[str, ...] = ()
    if known is None:
        recording = _make_recording(sheet, label=label)
    else:
        recording = known.recording
        filled = () if known.by_bytes else _fill(sheet, recording)
    if known is None or not known.by_bytes:
        _credit_recording(sheet, recording, label=label)
    _credit_works(sheet, recording, label=label, own_works=own_works)
    track = recording.tracks.select_related("release").order_by("pk").first()
    if known is not None and known.by_bytes and track is not None:
        return Filed(recording, track, is_new=False, is_known=True)
    release = _release(sheet, label)
    is_new_release = release is None
    release = release or _make_release(sheet, label=label)
    track, is_new_place = _place(sheet, recording, release)
    if _identify(sheet, recording, track) and known is not None:
        filled = (*filled, "musicbrainz_ids")
    return Filed(
        recording,
        track,
        is_new=known is None or known.unfinished,
        is_known=known is not None and known.by_bytes,
        is_new_place=is_new_place,
        is_new_release=is_new_release,
        filled=filled,
    )


def _make_recording(sheet: Sheet, *, label: Party) -> Recording:
    tags = sheet.tags
    recording = Recording.objects.create(
        title=sheet.title,
        version_title=tags.version,
        isrc=sheet.isrc or None,
        label=label,
        p_line=tags.copyright,
        language=tags.language,
        genre=tags.genre,
        year=tags.year,
        is_remix=bool(tags.remixers) and not _same(tags.remixers, sheet.main_artists),
    )
    RecordingWork.objects.create(recording=recording, work=_work(sheet, label=label))
    return recording


def _work(sheet: Sheet, *, label: Party) -> Work:
    """The work that is heard: the label's own of this ISWC, else a new one. An equal title proves nothing."""
    iswc = sheet.iswc or None
    known = Work.objects.filter(iswc=iswc).first() if iswc else None
    if known is not None and known.recordings.filter(label=label).exists():
        return known
    if known is not None:
        sheet.note(
            "ISWC_OF_ANOTHER_LABEL", f"ISWC {iswc} is here with another label's recording; the staff must join them."
        )
        iswc = None
    return Work.objects.create(title=sheet.title, iswc=iswc)


def _fill(sheet: Sheet, recording: Recording) -> tuple[str, ...]:
    """Add what the catalogue lacks and the tags now say; what it knows stays, because people may have corrected it."""
    tags = sheet.tags
    told = {
        "isrc": sheet.isrc,
        "year": tags.year,
        "genre": tags.genre,
        "language": tags.language,
        "p_line": tags.copyright,
    }
    filled = tuple(name for name, value in told.items() if value and not getattr(recording, name))
    for name in filled:
        setattr(recording, name, told[name])
    if filled:
        recording.save(update_fields=filled)
    return filled


def _credit_recording(sheet: Sheet, recording: Recording, *, label: Party) -> None:
    """Credits once: a recording that has artists keeps those it has."""
    if not recording.credits.exists():
        for artist in sheet.artists:
            main, featured = split_featured(artist)
            add_credit(recording, parties.artist_of(label, main), role=CreditRole.MAIN_ARTIST)
            for guest in featured:
                add_credit(recording, parties.artist_of(label, guest), role=CreditRole.FEATURED_ARTIST)
        for names, role in (
            (sheet.tags.producers, CreditRole.PRODUCER),
            (sheet.tags.remixers, CreditRole.REMIXER),
            (sheet.tags.conductors, CreditRole.CONDUCTOR),
            (sheet.tags.arrangers, CreditRole.ARRANGER),
        ):
            for name in names:
                add_credit(recording, parties.artist_of(label, name, kind=PartyKind.PERSON), role=role)


def _credit_works(sheet: Sheet, recording: Recording, *, label: Party, own_works: bool) -> None:
    """Writers by the tags; where the label declares the works the performers' own and no tag says more, these."""
    composers: tuple[str, ...] = sheet.tags.composers
    if not composers and own_works:
        composers = sheet.main_artists
    for work in recording.works.all():
        if work.credits.exists():
            continue
        for name in composers:
            add_credit(work, parties.artist_of(label, name, kind=PartyKind.PERSON), role=CreditRole.COMPOSER)
        for name in sheet.tags.lyricists:
            add_credit(work, parties.artist_of(label, name, kind=PartyKind.PERSON), role=CreditRole.LYRICIST)


def _place(sheet: Sheet, recording: Recording, release: Release) -> tuple[Track, bool]:
    """The recording's track on this release, and whether it was made now."""
    present = release.tracks.select_related("release").filter(recording=recording).first()
    if present is not None:
        return present, False
    disc, number = sheet.disc, sheet.number
    behind = releases.next_number(release, disc=disc)
    if number is None:
        number = behind
        if sheet.album:
            sheet.note("NO_NUMBER", f"No track number in the tags: placed as number {number}, by file name.")
    elif release.tracks.filter(disc=disc, number=number).exists():
        sheet.note("NUMBER_TAKEN", f"Number {number} of disc {disc} is taken: placed as number {behind}.")
        number = behind
    return releases.add_track(release, recording, disc=disc, number=number), True


def _release(sheet: Sheet, label: Party) -> Release | None:
    """The label's release of this barcode, else of this title and these artists."""
    own = Release.objects.filter(label=label)
    gtin = sheet.gtin
    if gtin is not None:
        found = own.filter(gtin__in=gtin.same).first()
        if found is not None:
            return found
    named = own.filter(title__iexact=sheet.release_title).with_credits()
    wanted = _folded(sheet.release_artists)
    return next((release for release in named.order_by("pk") if _folded(_artists_of(release)) == wanted), None)


def _artists_of(release: Release) -> tuple[str, ...]:
    return tuple(credit.name for credit in release.credits.all() if credit.role == CreditRole.MAIN_ARTIST)


def _make_release(sheet: Sheet, *, label: Party) -> Release:
    tags, artists = sheet.tags, sheet.release_artists
    gtin = sheet.gtin
    if gtin is not None and Release.objects.filter(gtin__in=gtin.same).exists():
        sheet.note("BARCODE_OF_ANOTHER_LABEL", f"Barcode {gtin} is another label's release; delivered without.")
        gtin = None
    if not sheet.album:
        sheet.note("NO_ALBUM", "No album in the tags: issued as a single under its own title.")
    release = releases.make_release(
        sheet.release_title,
        label=label,
        artist=" ".join(artists),
        kind=ReleaseKind.ALBUM if sheet.album else ReleaseKind.SINGLE,
        gtin=str(gtin) if gtin else None,
        release_date=tags.date,
        c_line=tags.copyright,
        p_line=tags.copyright,
        genre=tags.genre,
        language=tags.language,
    )
    for artist in artists:
        add_credit(release, parties.artist_of(label, artist), role=CreditRole.MAIN_ARTIST)
    return release


def _identify(sheet: Sheet, recording: Recording, track: Track) -> bool:
    """Note the MusicBrainz ids of what has none here yet; whether there were any. Those of artists only where the tags
    give as many as they credit: which belongs to whom is not guessed."""
    release, works = track.release, list(recording.works.all())
    names = [name for artist in sheet.artists for main, guests in [split_featured(artist)] for name in (main, *guests)]
    told: list[tuple[Model, str, list[UUID]]] = [
        (recording, "musicbrainz_id", sheet.musicbrainz("recording")),
        (track, "musicbrainz_id", sheet.musicbrainz("track")),
        (release, "musicbrainz_id", sheet.musicbrainz("release")),
        (release, "musicbrainz_group_id", sheet.musicbrainz("release group")),
        *((work, "musicbrainz_id", sheet.musicbrainz("work")) for work in works if len(works) == 1),
        *_credited(recording, names, sheet.musicbrainz("artist")),
        *_credited(release, sheet.release_artists, sheet.musicbrainz("release artist")),
    ]
    noted = [(row, name, ids[0]) for row, name, ids in told if len(ids) == 1 and getattr(row, name) is None]
    for row, name, known in noted:
        setattr(row, name, known)
        row.save(update_fields=[name])
    return bool(noted)


def _credited(
    subject: Recording | Release, names: Sequence[str], ids: Sequence[UUID]
) -> Iterator[tuple[Model, str, list[UUID]]]:
    if len(names) != len(ids):
        return
    parties_ = {credit.name.casefold(): credit.party for credit in subject.credits.select_related("party")}
    for name, known in zip(names, ids, strict=True):
        if party := parties_.get(clean(name).casefold()):
            yield party, "musicbrainz_id", [known]


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return set(_folded(one)) <= set(_folded(other))


def _folded(names: tuple[str, ...]) -> list[str]:
    return sorted(name.casefold() for name in names)


def line_of(recording: Recording) -> str:
    """How a delivered recording is called in a line."""
    return ": ".join(part for part in (artist_line(recording), recording.full_title) if part)
