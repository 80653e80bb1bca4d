"""Cover art: of a delivery from the tags, else from pictures that lie beside the recordings; later from the studio."""

import hashlib
from pathlib import Path
from typing import IO

from catalog import artwork
from catalog.errors import ImageRefused
from catalog.models import Artwork, Release
from store import tagreading
from store.folders import Entry
from store.intake import DELIVERED, HERE, REFUSED, WARNED, Intake, unreadable
from store.sheets import Sheet, home_of
from transcoding.errors import MasterRefused

TO_SELL = 500  # pixels a side; what comes with a delivery may be smaller, since it can be replaced
SQUARE = 1.1  # the longer side to the shorter one at most: covers are shown in squares
NAMES = ("cover", "folder", "front", "album", "artwork")


def cover_from_tags(release: Release, sheets: list[Sheet], intake: Intake) -> None:
    """The first picture in the tags that is one, unless the release has a cover."""
    if release.artworks.exists():
        return
    for sheet in sheets:
        try:
            cover = tagreading.read(sheet.path, with_cover=True).cover
            if cover is None:
                continue
            artwork.attach(release, cover)
        except ImageRefused as refusal:
            message = f"The picture in the tags is left out. {refusal}"
            intake.write(sheet.shown, WARNED, refusal.code, message, sha256=sheet.sha256)
        except (OSError, MasterRefused):
            continue  # it was readable a moment ago; a cover can be delivered any time
        else:
            return


def take_images(entries: list[Entry], intake: Intake) -> None:
    """Pictures in, the covers of the releases in their folders out; each picture gets its line."""
    for entry in sorted(entries, key=_likeness_to_a_cover):
        siblings = [other for other in entries if other.path.parent == entry.path.parent]
        near = _releases_near(home_of(entry.path), intake)
        if not entry.path.stem.casefold().startswith(NAMES) and len(siblings) > 1:
            _leave_out(entry, "to be the cover it must be named cover.jpg", intake)
        elif not near:
            _leave_out(entry, "no release was delivered beside it", intake)
        elif len(near) > 1:
            _leave_out(entry, "several releases lie beside it; give each a folder with its cover", intake)
        else:
            _take_cover(entry, intake.releases[near.pop()], intake)


def _leave_out(entry: Entry, why: str, intake: Intake) -> None:
    intake.write(entry.shown, WARNED, "PICTURE_NOT_USED", f"Left out: {why}.")


def _likeness_to_a_cover(entry: Entry) -> tuple[int, str]:
    stem = entry.path.stem.casefold()
    return next((place for place, name in enumerate(NAMES) if stem.startswith(name)), len(NAMES)), entry.shown


def _releases_near(parent: Path, intake: Intake) -> set[int]:
    """Releases with files in this folder, or else in those right below it (discs)."""
    beside = intake.release_folders.get(parent, set())
    below = {key for home, keys in intake.release_folders.items() if home.parent == parent for key in keys}
    return beside or below


def _take_cover(entry: Entry, release: Release, intake: Intake) -> None:
    present = release.artworks.filter(position=1).first()
    try:
        with entry.path.open("rb") as file:
            data = file.read(artwork.MAX_BYTES + 1)  # one too many is refused by its size, whatever the size
        if present is None:
            artwork.attach(release, data)
    except ImageRefused as refusal:
        intake.write(entry.shown, REFUSED, refusal.code, str(refusal))
    except OSError as error:
        intake.write(entry.shown, REFUSED, "UNREADABLE", unreadable(error))
    else:
        sha256 = hashlib.sha256(data).hexdigest()
        if present is None:
            intake.write(entry.shown, DELIVERED, "COVER", f"The cover of “{release}”.", sha256=sha256)
        elif present.source_sha256 == sha256:
            intake.write(entry.shown, HERE, "COVER", f"Already the cover of “{release}”.", sha256=sha256)
        else:
            _leave_out(entry, f"“{release}” has a cover; change it on the release's page in the studio", intake)


def replace(release: Release, picture: IO[bytes]) -> Artwork:
    """Let this picture be the release's cover. Its finished files get it by themselves, without encoding, and their
    buyers may fetch them again. Raises ImageRefused for what is no picture, too small, or far from square."""
    data = picture.read(artwork.MAX_BYTES + 1)  # one too many is refused by its size, whatever the size
    cover = artwork.prepare(data)
    size, (short, long) = f"{cover.width} x {cover.height} pixels", sorted((cover.width, cover.height))
    if short < TO_SELL:
        raise ImageRefused(f"The picture has {size}; send one of {TO_SELL} or more a side.")
    if long > short * SQUARE:
        raise ImageRefused(f"The picture has {size}; covers are square. Crop it first.")
    return artwork.replace(release, cover, data)
