"""A bought release as one zip: the files, the licence text, the credits, and the cover."""

from collections.abc import Sequence

from django.conf import settings
from django.core.files.storage import storages

from licensing.licences import in_words
from licensing.verdicts import Verdict
from store import library, tagging
from store.models import OrderLine, OrderLineTrack
from transcoding import formats
from transcoding.archives import Content
from transcoding.models import Rendition

Files = Sequence[tuple[OrderLineTrack, Rendition]]


def listing(line: OrderLine, format: str) -> list[Content]:  # noqa: A002
    """What goes into the zip of a line in one format; names are made safe by `transcoding.archives`."""
    files = library.contents(line, format)
    folder = f"{line.artist} - {line.title}".replace("/", "_")
    found = [
        Content(
            f"{folder}/{_name(row, line, rendition)}",
            key=rendition.storage_key,
            length=rendition.bytes,
        )
        for row, rendition in files
    ]
    found.append(Content(f"{folder}/LICENSE.txt", data=licence_text(line, files).encode()))
    found.append(Content(f"{folder}/ATTRIBUTION.txt", data=attribution_text(line, files).encode()))
    cover = files[0][0].track.release.artworks.order_by("position").first()
    if cover is not None:
        with storages["artwork"].open(str(cover.file.name)) as file:
            found.append(Content(f"{folder}/cover.jpg", data=file.read()))
    return found


def licence_text(line: OrderLine, files: Files) -> str:
    """Which licence goes with which file. The store adds no term to a public licence and uses no copy protection."""
    parts = [
        f"{line.artist}: {line.title}",
        f"Bought from {settings.SITE_NAME} ({settings.SITE_URL}). The files carry no copy protection.",
        "",
    ]
    for row, rendition in files:
        verdict = Verdict.from_data(row.decision.verdict)
        parts.append(_name(row, line, rendition))
        duties = verdict.obligations.licences
        if not duties:
            parts.append(f"    The store's buyer's licence: {settings.SITE_URL}/terms")
        for duty in duties:
            layer = "recording" if duty.layer == "RECORDING" else "composition"
            parts.append(f"    {layer}: {duty.name}, {duty.url}")
        parts += [f"    - {words}" for words in in_words(verdict.obligations.duties)]
        parts.append("")
    parts += [
        "Music under a public licence comes as it is, without warranties, as that licence says in full at its address.",
        "No further terms are laid on it: you may do all that the licence allows.",
        "",
    ]
    return "\n".join(parts)


def attribution_text(line: OrderLine, files: Files) -> str:
    """Title, author, source and licence of each file, ready to be copied; and where its clearance is shown."""
    parts = ["To share or use this music, credit it like this:", ""]
    for row, _ in files:
        verdict = Verdict.from_data(row.decision.verdict)
        parts.append(verdict.obligations.attribution or f"“{row.track.title}” by {line.artist}")
        parts.append(f"    Source: {settings.SITE_URL}/release/{row.track.release.slug}")
        parts.append(f"    Clearance: {tagging.proof_url(row.sound_sha256)}")
        parts.append("")
    return "\n".join(parts)


def _name(row: OrderLineTrack, line: OrderLine, rendition: Rendition) -> str:
    extension = formats.extension(formats.get(rendition.format), rendition.master)
    return library.file_name(row.track, line.artist, extension)
