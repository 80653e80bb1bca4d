"""A label's folder of recordings, taken into catalogue, quarantine and review.

One file at a time, in the order of the folder; each gets a line that says what became of it and what to do. Nothing
here stops at an odd file, and nothing is done twice: a delivery that was cut short is finished by delivering the folder
again. Files are handed on by path; none is ever read whole into memory.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from catalog import releases
from catalog.models import Party, Recording, Release
from catalog.words import clean
from licensing import licences
from licensing.errors import LicensingError
from payments.money import Money
from store import bells, covers, filing, folders, offers, tagreading
from store.delivered_rights import Declaration, Desk, writers
from store.filing import Filed
from store.folders import Entry
from store.intake import DELIVERED, HERE, REFUSED, WARNED, Intake, OnLine, unreadable
from store.models import Delivery, Price
from store.sheets import FileRefused, Sheet, check
from transcoding import masters, probe, scratch, storage, uploads
from transcoding.errors import MasterRefused, TranscodingError
from transcoding.models import Finding, Master

__all__ = ["Declaration", "audio_files", "deliver"]

SUFFIXES = {
    "flac": (".flac",),
    "wav": (".wav", ".wave", ".bwf"),
    "aiff": (".aiff", ".aif", ".aifc"),
    "ogg": (".ogg", ".oga", ".opus"),
    "mov": (".m4a", ".mp4"),
    "mp3": (".mp3",),
    "wv": (".wv",),
}
FOREIGN = frozenset(
    {".3g2", ".3gp", ".aac", ".ac3", ".amr", ".ape", ".au", ".caf", ".dff", ".dsf", ".dts", ".eac3", ".m4b", ".m4p",
     ".mid", ".midi", ".mka", ".mp1", ".mp2", ".mpc", ".ofr", ".ofs", ".ra", ".rm", ".shn", ".snd", ".spx", ".tak",
     ".thd", ".tta", ".w64", ".webm", ".wma"}
)  # fmt: skip
MILD = frozenset({"NAMED_WRONG", "NO_NUMBER"})  # said, but nothing need be done about them
TAKEN = "deliver FLAC, WAV, AIFF, ALAC or AAC in m4a, Ogg Vorbis, Opus, MP3 or WavPack."
AUDIO = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def audio_files(folder: Path) -> list[Path]:
    """The files of a folder that by their names are recordings; each will get one line at least."""
    return [entry.path for entry in folders.walk(folder) if entry.path.suffix.lower() in AUDIO]


def deliver(
    folder: Path,
    *,
    label: Party,
    actor: str,
    declaration: Declaration,
    price: Money | None = None,
    release_price: Money | None = None,
    on_line: OnLine | None = None,
    delivery: Delivery | None = None,
) -> Delivery:
    """Take all that lies in `folder` for `label`; `on_line` is called with each line as soon as it is written.

    `price` is per track; a release costs the sum of its tracks, at most `release_price`. Delivering the same folder
    again changes nothing. `delivery` is one that was opened by handing a parcel in; its files are our own, and may be
    linked instead of copied. Raises NotADirectoryError; what is wrong with single files stands in their lines.
    """
    if price is not None and release_price is not None:
        min(price, release_price)  # refuses two currencies before anything is written
    entries = folders.walk(folder)
    ours = delivery is not None
    delivery = delivery or Delivery.objects.create(
        label=label,
        folder_name=clean(folder.resolve().name) or "Files",
        actor=actor,
        declaration=declaration.as_json(),
    )
    desk = Desk(label, declaration, actor)
    intake = Intake(delivery, desk, on_line=on_line or (lambda _line: None), ours=ours)
    for sheets in _by_release(_sheets(entries, intake)):
        _take_release(sheets, intake)
    covers.take_images([entry for entry in entries if entry.is_image and not entry.code], intake)
    _set_prices(intake, price=price, release_price=release_price)
    delivery.ended_at = timezone.now()
    delivery.save(update_fields=["ended_at"])
    return delivery


# -- Reading -----------------------------------------------------------------------------------------------------------


def _sheets(entries: Iterable[Entry], intake: Intake) -> Iterator[Sheet]:
    """Entries in, sheets of the recordings among them out; a line for each that is none, images left for later."""
    for entry in entries:
        try:
            sheet = _read(entry)
        except (FileRefused, MasterRefused) as refusal:
            outcome = WARNED if refusal.code == "LINK" else REFUSED
            intake.write(entry.shown, outcome, refusal.code, str(refusal))
            continue
        except OSError as error:
            intake.write(entry.shown, REFUSED, "UNREADABLE", unreadable(error))
            continue
        if sheet is not None:
            yield sheet
        elif not entry.is_image:
            intake.write(entry.shown, WARNED, "NOT_TAKEN", "Left out: only recordings and covers are taken.")


def _read(entry: Entry) -> Sheet | None:
    """The sheet of one entry; None where it neither is audio nor calls itself so. Raises FileRefused, MasterRefused."""
    suffix = entry.path.suffix.lower()
    if entry.code:
        raise FileRefused(entry.code, entry.message)
    if entry.is_image:
        return None
    if entry.bytes > settings.MASTER_MAX_BYTES and suffix in AUDIO:
        most = uploads.size_words(settings.MASTER_MAX_BYTES)
        raise FileRefused("TOO_LARGE", f"The file is larger than {most}; split the recording.")
    try:
        tags = tagreading.read(entry.path)
    except MasterRefused:
        if suffix in AUDIO:
            raise
        if suffix in FOREIGN:
            raise FileRefused("NOT_A_DELIVERY_FORMAT", f"Files in {suffix} are not taken: {TAKEN}") from None
        return None
    sheet = Sheet(entry.path, entry.shown, tags, album=tags.album, album_artists=tags.album_artists)
    check(sheet)
    if suffix not in SUFFIXES[tags.container]:
        right = SUFFIXES[tags.container][0]
        sheet.note("NAMED_WRONG", f"The file is named “{suffix or 'without ending'}” but holds {right[1:].upper()}.")
    return sheet


def _by_release(sheets: Iterable[Sheet]) -> list[list[Sheet]]:
    """Sheets in, those of one release together: with numbers first, in order, then the rest in the order of files.

    Files of one album title without an album artist are one release where they share their artist. Otherwise each
    folder is looked at by itself, and one with several artists is a compilation.
    """
    found: dict[tuple[object, ...], list[Sheet]] = defaultdict(list)
    unnamed: dict[str, list[Sheet]] = defaultdict(list)
    for sheet in sheets:
        if not sheet.album:
            found[(sheet.path,)].append(sheet)
        elif sheet.album_artists:
            found[(sheet.album.casefold(), _folded(sheet.album_artists))].append(sheet)
        else:
            unnamed[sheet.album.casefold()].append(sheet)
    for album, group in unnamed.items():
        for part in _by_artist(group):
            found[(album, _folded(part[0].album_artists))] += part
    return [sorted(group, key=_order) for group in found.values()]


def _by_artist(group: list[Sheet]) -> list[list[Sheet]]:
    """Say whose album it is: the artist's all share, or nobody's."""
    if len({_folded(sheet.main_artists) for sheet in group if sheet.artists}) == 1:
        artists = next(sheet.main_artists for sheet in group if sheet.artists)
        for sheet in group:
            sheet.album_artists = artists
        return [group]
    folders_: dict[Path, list[Sheet]] = defaultdict(list)
    for sheet in group:
        folders_[sheet.home].append(sheet)
    if len(folders_) > 1:
        return [part for each in folders_.values() for part in _by_artist(each)]
    return [group]


def _folded(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name.casefold() for name in names))


def _order(sheet: Sheet) -> tuple[object, ...]:
    return sheet.disc, sheet.number is None, sheet.number or 0, folders.place(sheet.shown)


# -- Taking ------------------------------------------------------------------------------------------------------------


def _take_release(sheets: list[Sheet], intake: Intake) -> None:
    """Take each file, then the cover from their tags, and say what kind of release it is if it is new."""
    taken: list[tuple[Sheet, Filed]] = []
    for sheet in sheets:
        try:
            filed = _take(sheet, intake)
        except (FileRefused, TranscodingError, LicensingError) as refusal:
            intake.write(sheet.shown, REFUSED, refusal.code, str(refusal), sha256=sheet.sha256)
        except OSError as error:
            intake.write(sheet.shown, REFUSED, "UNREADABLE", unreadable(error), sha256=sheet.sha256)
        else:
            taken.append((sheet, filed))
    for sheet, filed in taken:
        intake.release_folders[sheet.home].add(filed.track.release_id)
    for key in {filed.track.release_id for _, filed in taken}:
        release = intake.releases[key]
        covers.cover_from_tags(release, [sheet for sheet, filed in taken if filed.track.release_id == key], intake)
        if any(filed.is_new_release for _, filed in taken if filed.track.release_id == key):
            promised = max(sheet.tags.total or 0 for sheet in sheets)
            release.kind = releases.kind_for(max(release.tracks.count(), promised))
            release.save(update_fields=["kind"])


def _take(sheet: Sheet, intake: Intake) -> Filed:
    """One file: into the catalogue, into quarantine, its rights to the reviewer, and its line. Raises what refuses."""
    sheet.sha256 = folders.sha256_of(sheet.path)
    own_works = intake.desk.declaration.own_works
    filed = filing.file_sheet(
        sheet, label=intake.label, own_works=own_works, sound_of=_sound_of, sound_of_master=_sound_of_master
    )
    recording = filed.recording
    if filed.is_new:
        upload = masters.start_upload(_file_name(sheet), actor=intake.delivery.actor)
        master = masters.finish_upload(upload, path=sheet.path, recording=recording, take=intake.ours)
        bells.ring("transcoding.tasks.examine_master", master.pk)
    elif filed.is_known:
        _refuse_if_unusable(sheet, recording)
    if filed.filled:
        offers.mark_due([recording.pk], cause="tags")  # finished files are to say it too
    made = intake.desk.hand_in(recording, sheet.tags, file_sha256=sheet.sha256, shown=sheet.shown)
    _note_rights(sheet, own_works=own_works, direct=intake.desk.declaration.direct_grant)
    intake.recordings[recording.pk] = recording
    intake.releases.setdefault(filed.track.release_id, filed.track.release)
    _write_line(sheet, filed, records=len(made), intake=intake)
    return filed


def _refuse_if_unusable(sheet: Sheet, recording: Recording) -> None:
    master = Master.objects.filter(recording=recording, file_sha256=sheet.sha256).first()
    if master is None or master.state != Master.State.REJECTED:
        return
    fatal = master.findings.filter(severity=Finding.Severity.FATAL).order_by("pk").first()
    said = fatal.message if fatal else "It cannot be used."
    raise FileRefused(fatal.code if fatal else "REJECTED", f"This very file was examined before. {said}")


def _file_name(sheet: Sheet) -> str:
    """The delivered name, printable, with the ending of what it holds."""
    name = clean(sheet.path.name, limit=200)
    endings = SUFFIXES[sheet.tags.container]
    return name if name.lower().endswith(endings) else f"{name}{endings[0]}"


def _sound_of(path: Path) -> str:
    """The hash of the decoded sound, as the examination will find it. Raises MasterRefused."""
    return probe.examine(
        path,
        max_seconds=settings.MASTER_MAX_SECONDS,
        max_bytes=settings.MASTER_MAX_DECODED_BYTES,
        window_seconds=settings.PREVIEW_SECONDS,
    ).heard.sha256


def _sound_of_master(master: Master) -> str:
    """The hash of a master's sound, examined here where nobody has yet; empty where it turns out unusable."""
    if master.sound_sha256:
        return master.sound_sha256
    with scratch.folder(f"compare-{master.pk}") as folder:
        source = storage.fetch_to(master.storage_key, folder / "delivered", sha256=master.file_sha256)
        try:
            return _sound_of(source)
        except MasterRefused:
            return ""


def _note_rights(sheet: Sheet, *, own_works: bool, direct: bool) -> None:
    """Say what the file's own words lack for a sale, as far as can be told without a review."""
    tags = sheet.tags
    statement = licences.find_statement(tags.statements)
    if statement is None and not direct:
        in_comment = licences.find_statement(tuple(("COMMENT", text) for text in tags.comments))
        where = "A licence only in a comment, which grants nothing" if in_comment else "No licence in the tags"
        sheet.note("NO_LICENCE", f"{where}: write its address into LICENSE (or WCOP), or grant the rights yourself.")
    elif statement is not None and statement.licence is None:
        seen = f"{statement.detail[:1].upper()}{statement.detail[1:]}".rstrip(".")
        sheet.note(statement.problem, f"{seen}. Write the licence's address into LICENSE (or WCOP).")
    strangers = [name for name in writers(tags) if name.casefold() not in _folded(sheet.main_artists)]
    if own_works and strangers:
        named = ", ".join(strangers)
        sheet.note("WRITER_NAMED", f"The tags name {named} as writer; the reviewer will hold that against “own works”.")


def _write_line(sheet: Sheet, filed: Filed, *, records: int, intake: Intake) -> None:
    said = [note.message for note in sheet.notes]
    called = filing.line_of(filed.recording)
    changed = bool(filed.filled or records or filed.is_new_place)
    if not filed.is_new and not changed:
        same = "" if filed.is_known else " These bytes are new, the sound is not: the tags changed nothing."
        intake.write(
            sheet.shown, HERE, "ALREADY_HERE", f"Already here: {called}.{same}", sha256=sheet.sha256, filed=filed
        )
        return
    if filed.is_new:
        head, outcome = f"{called}.", WARNED if any(note.code not in MILD for note in sheet.notes) else DELIVERED
    else:
        head, outcome = f"Already here: {called}. Now with {_added(filed, records)}.", HERE
    code = next(
        (note.code for note in sheet.notes if note.code not in MILD), sheet.notes[0].code if sheet.notes else ""
    )
    intake.write(sheet.shown, outcome, code, " ".join([head, *said]), sha256=sheet.sha256, filed=filed)


def _added(filed: Filed, records: int) -> str:
    parts = [
        name.replace("_", "-")
        .replace("isrc", "ISRC")
        .replace("p-line", "P-line")
        .replace("musicbrainz-ids", "MusicBrainz ids")
        for name in filed.filled
    ]
    parts += ["a place on this release"] if filed.is_new_place else []
    parts += [f"{records} licence record{'s' if records > 1 else ''}"] if records else []
    return ", ".join(parts)


# -- Prices ------------------------------------------------------------------------------------------------------------


def _set_prices(intake: Intake, *, price: Money | None, release_price: Money | None) -> None:
    """Prices of what was delivered, where they differ from what is set: per track, and the sum, capped, per release."""
    if price is not None:
        for recording in intake.recordings.values():
            _set_price(recording, price, actor=intake.delivery.actor)
    for release in intake.releases.values():
        amounts = [Money(price.minor * release.tracks.count(), price.currency)] if price is not None else []
        amounts += [release_price] if release_price is not None else []
        if amounts:
            _set_price(release, min(amounts), actor=intake.delivery.actor)


def _set_price(subject: Release | Recording, amount: Money, *, actor: str) -> None:
    key = "release" if isinstance(subject, Release) else "recording"
    code = str(amount.currency)
    if not Price.objects.filter(**{key: subject}, currency=code, amount_minor=amount.minor).exists():
        offers.set_price(subject, currency=code, amount_minor=amount.minor, actor=actor)
