"""What this shop makes, and what one release can be had in: told before anyone pays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from transcoding import formats
from transcoding.formats import FORMATS, Family, Format, Shelf
from transcoding.models import Master

HOUR = 3600
LOSSLESS = "Lossless: the master's own sound, rate and depth"


@dataclass(frozen=True)
class CompactDisc:
    """An hour of sound as a compact disc holds it: what sizes are compared by."""

    container: str = "wav"
    codec: str = "pcm"
    lossless: bool = True
    sample_rate: int = 44_100
    bit_depth: int = 16
    channels: int = 2
    samples: int = 44_100 * HOUR
    bytes: int = 44_100 * HOUR * 4


DISC = CompactDisc()

# What each family is, and where it plays.
ABOUT: Mapping[Family, tuple[str, str]] = {
    Family.FLAC: (
        "Packed to about 60% and unpacked to the very samples. Open, and it checks itself.",
        "Nearly everything of the last ten years: phones, computers, network players, most cars.",
    ),
    Family.ALAC: ("The same idea by Apple.", "Everything by Apple, iTunes included, and most players."),
    Family.WAV: ("Plain samples, nothing packed, for studios.", "Everything."),
    Family.AIFF: ("Plain samples as Apple's studios keep them.", "Apple's programs, DJ gear, most players."),
    Family.WAVPACK: ("Packed a little tighter than FLAC.", "foobar2000, VLC, Kodi, Rockbox."),
    Family.TTA: ("Packed like FLAC, simple to unpack.", "foobar2000, VLC, Kodi, Rockbox."),
    Family.APE: ("Packed tightest; takes more work to play.", "foobar2000, VLC, JRiver, Rockbox."),
    Family.MP3: (
        "V0 to V6 hold the quality and let the rate follow the music; a fixed rate is for old gear.",
        "Everything, the oldest car radio included.",
    ),
    Family.VORBIS: ("Open, and better than MP3 at the same size.", "Android, Linux, VLC, games, most browsers."),
    Family.AAC: ("The successor of MP3.", "Everything by Apple, Android, Windows, most cars and televisions."),
    Family.OPUS: ("Open, the best sound in the least space; always 48 kHz inside.", "Android, browsers, VLC, new iOS."),
    Family.MUSEPACK: ("Made for middle rates, gapless to the sample.", "foobar2000, VLC, Kodi, Rockbox."),
    Family.WMA: (
        "For old Windows players. It cannot say where its sound ends, so a short gap follows each track.",
        "Windows, old portable players and car radios, VLC.",
    ),
    Family.ORIGINAL: ("Where a label had only a lossy file: its very sound, with tags as ours.", "As its kind does."),
}


# -- The formats page --------------------------------------------------------------------------------------------------


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every member of the table with what it is, where it plays, and whether it is made here."""
    listed = [FORMATS[code] for code in formats.NAMED if FORMATS[code].extension]
    families = [family for family in Family if any(each.family is family for each in listed)]
    groups = [
        {
            "name": family.value,
            "what": ABOUT[family][0],
            "plays": ABOUT[family][1],
            "why_not": next(filter(None, (formats.unavailable(each) for each in listed if each.family is family)), ""),
            "steps": steps_of(family),
            "rows": [_row(each) for each in listed if each.family is family],
        }
        for family in families
    ]
    context = {"families": groups, "formats": [row for group in groups for row in group["rows"]]}
    return render(request, "pages/formats.html", context)


def _row(each: Format) -> dict[str, Any]:
    return {
        "code": each.code,
        "label": each.name,
        "extension": each.extension,
        "quality": _quality(each),
        "hour": formats.estimate(each, DISC),
        "about": not (each.steady or each.codec == "pcm"),
        "made": _when(each),
        "here": not formats.unavailable(each),
    }


def _when(each: Format) -> str:
    if formats.unavailable(each):
        return "not here"
    return "ahead of every sale" if each.ahead else "when asked for"


def _quality(each: Format) -> str:
    if each.bits:
        return f"{each.bits} bit with dither, from masters of 24; the master's rate"
    if each.lossless:
        return LOSSLESS
    if each.rates == formats.OPUS_RATES:
        return f"About {each.kilobits} kbit/s, always 48 kHz"
    limit = ", at most 48 kHz" if each.rates else ""
    return f"{'' if each.steady else 'About '}{each.kilobits} kbit/s{limit}"


def steps_of(family: Family) -> str:
    """The grades in between, in words: "96 to 320 kbit/s in steps of 8"."""
    every = [each for each in FORMATS.values() if each.family is family and not each.preview and not each.lossless]
    if not any(each.shelf is Shelf.GRADE for each in every):
        return ""
    said = []
    by_quality = sorted(each.name.rpartition(" ")[2] for each in every if not each.code.rpartition("_")[2].isdigit())
    if by_quality:
        by_quality.sort(key=lambda mark: (len(mark), mark))
        said.append(f"{by_quality[0]} to {by_quality[-1]}")
    rates = sorted(each.kilobits for each in every if each.code.rpartition("_")[2].isdigit())
    if rates:
        widths = {after - before for before, after in pairwise(rates)}
        steps = f" in steps of {widths.pop()}" if len(widths) == 1 else ""
        said.append(f"{rates[0]} to {rates[-1]} kbit/s{steps}")
    return ", and ".join(said)


# -- What a release can be had in --------------------------------------------------------------------------------------


def offered(masters: Iterable[Master]) -> list[Format]:
    """The formats that every one of `masters` can honestly be had in, best first."""
    return formats.common(formats.offered_for(master) for master in _kinds(masters))


def grades(masters: Iterable[Master]) -> list[Format]:
    """The same with every grade in between, family by family."""
    return formats.common(formats.grades_for(master) for master in _kinds(masters))


def grouped(found: Iterable[Format]) -> list[tuple[str, list[Format]]]:
    """By family, for a list to choose from."""
    return [(family.value, list(members)) for family, members in groupby(found, key=lambda each: each.family)]


def _kinds(masters: Iterable[Master]) -> list[Master]:
    """One master for each kind of sound, the longest: what it can be had in, all of its kind can. A release of three
    hundred tracks is mostly one kind."""
    longest: dict[tuple[object, ...], Master] = {}
    for master in masters:
        key = (master.container, master.codec, master.sample_rate, master.bit_depth, master.channels)
        if key not in longest or longest[key].samples < master.samples:
            longest[key] = master
    return list(longest.values())


def shelf(masters: Sequence[Master], made: Mapping[tuple[int, str], int]) -> list[dict[str, Any]]:
    """Each format with its true quality and sizes: of the files where they are made, estimated and marked elsewhere.

    `made` holds the bytes of finished files by master and code. `sizes` are one (bytes, exact) for each master.
    """
    kinds, rows = _kinds(masters), []
    for each in formats.common(formats.offered_for(master) for master in kinds):
        sizes = [_size(each, master, made) for master in masters]
        told = masters if each.code == "ORIGINAL" else kinds  # a delivered file's rate is its own
        qualities = list(dict.fromkeys(formats.quality(each, master) for master in told))
        labels = list(dict.fromkeys(formats.label(each, master) for master in kinds))
        rows.append(
            {
                "code": each.code,
                "name": each.name,
                "first": each.shelf is Shelf.FIRST,
                "label": labels[0] if len(labels) == 1 else each.name,
                "quality": qualities[0] if len(qualities) == 1 else f"{qualities[0]} to {qualities[-1]}",
                "bytes": sum(size for size, _ in sizes),
                "exact": all(exact for _, exact in sizes),
                "sizes": sizes,
                "notes": list(dict.fromkeys(note for master in kinds for note in formats.notes(each, master))),
            }
        )
    return rows


def _size(each: Format, master: Master, made: Mapping[tuple[int, str], int]) -> tuple[int, bool]:
    length = made.get((master.pk, each.code))
    if length is not None:
        return length, True
    return formats.estimate(each, master), False
