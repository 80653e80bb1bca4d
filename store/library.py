"""What a buyer owns, and the links that fetch it.

Whatever was bought stays the buyer's in every offered format, also after a grant has ended, for as long as its
agreement lets past buyers fetch it (`redownloads`); a refund ends it, and so does a recall (`recalls`). A link is made
per click: a signed token that names its own absolute end and is bound to buyer, line, track, format and purpose, with a
row that says the same. It must be followed within a minute; a file once begun may be resumed for an hour. Every
following of it is checked against the purchase as it stands then.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import DateTimeField, F, Q, Value, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.utils import timezone

from catalog.models import Track
from store import bells, recalls, redownloads, tagging
from store.errors import FormatUnknown, LinkRefused, NotOwned, NotReadyYet, Recalled, RedownloadOver
from store.models import Download, Order, OrderLine, OrderLineTrack, User
from transcoding import formats, renditions
from transcoding.errors import UnknownFormat
from transcoding.formats import Format
from transcoding.models import Master, Rendition

LINK_SECONDS = 60  # to be followed for the first time
RESUME_SECONDS = 3600  # for a slow line to fetch the rest of a single file
SALT = "store.library.download"
OWNED_STATES = (OrderLine.State.PAID,)
FULL = Rendition.Purpose.FULL


@dataclass(frozen=True)
class FileState:
    """One format of one bought track: what it is, how big (exactly or about), and whether it lies ready.

    `state` is READY, WAITING (being made), ON_DEMAND (made when asked for) or FAILED; `permille` is encoded.
    """

    format: str
    label: str
    quality: str
    notes: tuple[str, ...]
    bytes: int
    exact: bool
    state: str
    permille: int = 0


@dataclass(frozen=True)
class Deliverable:
    """What a link resolves to. For a zip `track` is None and `store.archives` lists what goes in."""

    download: Download
    line: OrderLine
    format: str
    rendition: Rendition | None
    filename: str
    media_type: str


def owned(user: User) -> list[OrderLine]:
    """Every line that is this person's, bought or given, and not given back, newest first. Three queries."""
    rows = OrderLine.objects.filter(order__owner=user, state__in=OWNED_STATES, order__state=Order.State.PAID)
    rows = rows.select_related("order", "release", "track__release", "certificate")
    return list(
        rows.prefetch_related("tracks__track__recording", "tracks__track__release").order_by(
            "-order__placed_at", "position"
        )
    )


def owned_line(user: User, public_id: uuid.UUID | str) -> OrderLine:
    """One line of this person's; a foreign one is as good as none."""
    rows = OrderLine.objects.filter(
        public_id=public_id, order__owner=user, state__in=OWNED_STATES, order__state=Order.State.PAID
    )
    line = rows.select_related("order", "release", "track").first()
    if line is None:
        raise NotOwned("There is no such purchase in your library.")
    return line


def files(lines: Sequence[OrderLine], *, wanted: str = "") -> dict[tuple[int, int], list[FileState]]:
    """The formats of every bought track, by (line, track), best first, with all that were made. A fixed number of
    queries.

    With `wanted` only that one and the first few, which is all that a long library shows.
    """
    rows = [row for line in lines for row in line.tracks.all()]
    copies = copies_of(rows)
    return {
        (row.line_id, row.track_id): [
            _state(each, copies.masters[row.pk], copies.of(row, each.code))
            for each in _shown(copies.masters[row.pk], copies.made(row), wanted=wanted)
        ]
        if row.pk in copies.masters
        else []
        for row in rows
    }


@dataclass(frozen=True)
class Copies:
    """The masters of bought tracks, by the row's key, and all files made or owed of them, the newest tags last."""

    masters: Mapping[int, Master]
    kin: Mapping[int, tuple[str, str]]
    rows: Mapping[tuple[int, tuple[str, str]], Mapping[str, Sequence[Rendition]]]

    def of(self, row: OrderLineTrack, code: str) -> Sequence[Rendition]:
        """The files of one bought track in a format: those made for its place on this release, under the licence that
        it was sold under. A recording may stand on several, and each file names its own."""
        return self._own(row).get(code, ())

    def ready(self, row: OrderLineTrack, code: str) -> Rendition | None:
        """The file to give: the newest that is finished, an older one while a corrected one is made."""
        return _newest(self.of(row, code))

    def made(self, row: OrderLineTrack) -> list[str]:
        """The codes that were ever asked for."""
        return list(self._own(row))

    def _own(self, row: OrderLineTrack) -> Mapping[str, Sequence[Rendition]]:
        master = self.masters.get(row.pk)
        return self.rows.get((master.pk, self.kin[row.pk]), {}) if master else {}


def copies_of(rows: Sequence[OrderLineTrack]) -> Copies:
    """Few queries, whatever their number: what the rows lack is fetched as well."""
    prefetch_related_objects(rows, "decision", "track__recording", "track__release")
    masters = masters_of(rows)
    found: dict[tuple[int, tuple[str, str]], dict[str, list[Rendition]]] = defaultdict(dict)
    made = Rendition.objects.filter(master__in={master.pk for master in masters.values()}, purpose=FULL).defer("peaks")
    for rendition in made.order_by("recipe", "tags_at", "pk"):
        key = (rendition.master_id, renditions.kin_of(rendition.tags))
        found[key].setdefault(rendition.format, []).append(rendition)
    return Copies(masters, {row.pk: _kin(row) for row in rows}, found)


def _kin(row: OrderLineTrack) -> tuple[str, str]:
    """Place and licence of a sale, read without building the verdict: a library shows thousands of tracks."""
    duties = row.decision.verdict.get("obligations", {}).get("licences", ())
    url = next((duty["url"] for duty in duties if duty["layer"] == "RECORDING"), "")
    return tagging.place_of(row.track), url


def _newest(made: Sequence[Rendition]) -> Rendition | None:
    return next((one for one in reversed(made) if one.state == Rendition.State.READY), None)


def _shown(master: Master, made: Sequence[str], *, wanted: str) -> list[Format]:
    """What is offered, then what was made besides: a grade in between, or a format whose encoder has left since."""
    found = formats.first_for(master) if wanted else formats.offered_for(master)
    codes = {each.code for each in found}
    others = [formats.get(code) for code in made if code not in codes]
    if wanted:
        asked = formats.get(wanted)
        others = [each for each in others if each == asked]
        if not others and wanted not in codes and formats.is_offered(asked, master):
            others = [asked]
    return [*found, *others]


def masters_of(rows: Iterable[OrderLineTrack]) -> dict[int, Master]:
    """The master with the very sound that was bought, by the row's key. One query."""
    rows = list(rows)
    wanted = {(row.track.recording_id, row.sound_sha256) for row in rows}
    found = Master.objects.filter(
        recording_id__in={recording for recording, _ in wanted},
        sound_sha256__in={sound for _, sound in wanted},
        state=Master.State.ACCEPTED,
    )
    by_sound = {(master.recording_id, master.sound_sha256): master for master in found.order_by("accepted_at", "pk")}
    keys = {row.pk: (row.track.recording_id, row.sound_sha256) for row in rows}
    return {key: by_sound[sound] for key, sound in keys.items() if sound in by_sound}


def _state(each: Format, master: Master, made: Sequence[Rendition]) -> FileState:
    ready = _newest(made)
    return FileState(
        format=each.code,
        label=formats.label(each, master),
        quality=formats.quality(each, master),
        notes=tuple(formats.notes(each, master)),
        bytes=ready.bytes if ready else formats.estimate(each, master),
        exact=ready is not None,
        state=_word(ready, made),
        permille=1000 if ready else made[-1].permille if made else 0,
    )


def _word(ready: Rendition | None, made: Sequence[Rendition]) -> str:
    if ready:
        return "READY"
    if not made:
        return "ON_DEMAND"
    return "FAILED" if made[-1].state == Rendition.State.FAILED else "WAITING"


# -- Links -------------------------------------------------------------------------------------------------------------


def link(
    line: OrderLine,
    *,
    user: User,
    track: int | None,
    format: str,  # noqa: A002
    at: datetime,
    address: str | None = None,
) -> str:
    """A token that fetches one track (or with `track` None the whole line as a zip) in a format, for a minute.

    Raises NotReadyYet after the missing files were put in order; ask again soon. Raises NotOwned and FormatUnknown.
    """
    line = owned_line(user, line.public_id)
    format = _known(format).code  # noqa: A001 - one name for each, whatever it was asked by
    rows = _fetchable(_rows_of(line, track), country=line.order.country, at=at)
    made = {row.pk: _ready_or_plan(row, format, at=at) for row in rows}
    if any(rendition is None for rendition in made.values()):
        raise NotReadyYet("Your files are being made. This takes a minute at most; the page tells when they are ready.")
    single = made[rows[0].pk] if track is not None else None
    download = Download.objects.create(
        line=line,
        track_id=track,
        format=format,
        purpose=Download.Purpose.ZIP if track is None else Download.Purpose.FILE,
        rendition_ref=single.public_id if single else None,
        issued_at=at,
        expires_at=_whole_second(at) + timedelta(seconds=LINK_SECONDS if track is None else RESUME_SECONDS),
        address=address,
    )
    return _token(download, user)


def resolve(token: str, *, user: User, at: datetime) -> Deliverable:
    """What a token fetches for this person now, counted as a use. Raises LinkRefused, always with the same words,
    or Recalled.

    The signature is compared in constant time. The token's own end, its row and the purchase must all still hold.
    """
    said = _read(token)
    download = Download.objects.filter(public_id=said["id"]).select_related("line__order").first()
    if download is None or said != _payload(download, user) or not _in_time(download, at):
        raise _refused()
    try:
        line = _used(download, user, at=at)
    except NotOwned:
        raise _refused() from None
    rows = _fetchable(_rows_of(line, download.track_id), country=line.order.country, at=at)
    if download.purpose == Download.Purpose.ZIP:
        return Deliverable(
            download, line, download.format, None, f"{line.artist} - {line.title}.zip", "application/zip"
        )
    rendition = Rendition.objects.select_related("master").get(public_id=str(download.rendition_ref))
    each = formats.get(rendition.format)
    name = file_name(rows[0].track, line.artist, formats.extension(each, rendition.master))
    return Deliverable(download, line, each.code, rendition, name, formats.media_type(each, rendition.master))


def _used(download: Download, user: User, *, at: datetime) -> OrderLine:
    """Count a use of a line that is still the buyer's. The first waits for whoever gives the line back meanwhile, so
    that nobody gets both the file and the money. Raises NotOwned."""
    with transaction.atomic():
        if download.first_used_at is None:
            OrderLine.objects.select_for_update(no_key=True).get(pk=download.line_id)
        line = owned_line(user, download.line.public_id)
        first = Coalesce("first_used_at", Value(at, output_field=DateTimeField()))
        Download.objects.filter(pk=download.pk).update(uses=F("uses") + 1, first_used_at=first)
    return line


def contents(line: OrderLine, format: str) -> list[tuple[OrderLineTrack, Rendition]]:  # noqa: A002
    """The finished files of a line in one format, in order, without what may not be fetched; for the zip.

    Raises NotReadyYet.
    """
    rows = _fetchable(_rows_of(line, None), country=line.order.country, at=timezone.now())
    copies = copies_of(rows)
    found = [(row, rendition) for row in rows if (rendition := copies.ready(row, format)) is not None]
    if len(found) != len(rows):
        raise NotReadyYet("Your files are being made. Ask again soon.")
    return found


def file_name(track: Track, artist: str, extension: str) -> str:
    """ "01 Title.flac" with the disc before it where there are several; made safe by whoever sends it."""
    place = f"{track.disc}-{track.number:02}" if track.disc > 1 else f"{track.number:02}"
    return f"{place} {artist} - {track.title}.{extension}"


def _rows_of(line: OrderLine, track: int | None) -> list[OrderLineTrack]:
    wanted = Q() if track is None else Q(track_id=track)
    rows = list(line.tracks.filter(wanted).select_related("track__recording", "track__release", "decision"))
    if not rows:
        raise NotOwned("There is no such purchase in your library.")
    return rows


def _fetchable(rows: Sequence[OrderLineTrack], *, country: str, at: datetime) -> list[OrderLineTrack]:
    """Those of these tracks that may be fetched now; where it is none of them, why not."""
    void = recalls.void(rows, at=at)
    limits = redownloads.limits([row for row in rows if row.pk not in void], country=country, at=at)
    over = {key for key, limit in limits.items() if limit.until <= at}
    left = [row for row in rows if row.pk not in void and row.pk not in over]
    if left:
        return left
    if void:
        raise Recalled(f"This may not be had any more: {next(iter(void.values()))}. You get the money back.")
    until = max(limits[key].until for key in over)
    raise RedownloadOver(
        f"The licence has ended, and past buyers could fetch their files until {until:%-d %B %Y}. "
        "What you have saved stays yours."
    )


def _ready_or_plan(row: OrderLineTrack, code: str, *, at: datetime) -> Rendition | None:
    """The finished file, or None after it was planned with the tags of the sale."""
    copies = copies_of([row])
    master = copies.masters.get(row.pk)
    if master is None:
        raise FormatUnknown("The sound of this purchase cannot be found; please write to us.")
    each = _known(code)
    made = None if each.preview else copies.ready(row, each.code)
    if made is not None:
        return made
    if not formats.is_offered(each, master):
        raise FormatUnknown("This format is not offered for this recording. Choose another in your library.")
    tags = tagging.tags_of_sale(row, master)
    planned = renditions.plan(master, [each], tags=tags, priority=renditions.BUYER_WAITS, at=at)[0]
    if planned.state == Rendition.State.READY:
        return planned
    if planned.state == Rendition.State.FAILED:
        renditions.ask_again(planned)
    bells.ring("transcoding.tasks.make_renditions", master.pk)
    return None


def _known(code: str) -> Format:
    try:
        return formats.get(code)
    except UnknownFormat as error:
        raise FormatUnknown(str(error)) from error


def _token(download: Download, user: User) -> str:
    said = json.dumps(_payload(download, user), separators=(",", ":"), sort_keys=True)
    return signing.Signer(salt=SALT).sign(signing.b64_encode(said.encode()).decode())


def _payload(download: Download, user: User) -> dict[str, Any]:
    return {
        "id": str(download.public_id),
        "user": user.pk,
        "line": download.line_id,
        "track": download.track_id,
        "format": download.format,
        "purpose": download.purpose,
        "ends": int(download.expires_at.timestamp()),
    }


def _read(token: str) -> dict[str, Any]:
    try:
        said = json.loads(signing.b64_decode(signing.Signer(salt=SALT).unsign(token).encode()))
        uuid.UUID(said["id"])
    except (signing.BadSignature, ValueError, KeyError, TypeError):
        raise _refused() from None
    return dict(said)


def _in_time(download: Download, at: datetime) -> bool:
    """Before its end, and not dated ahead: a clock that jumped back revives nothing for longer than a minute."""
    made = _whole_second(download.issued_at)
    ends = download.expires_at if download.first_used_at else made + timedelta(seconds=LINK_SECONDS)
    return made - timedelta(seconds=1) <= at < ends


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _refused() -> LinkRefused:
    return LinkRefused("This link has ended. Start the download again from your library.")


def by_release(lines: Iterable[OrderLine]) -> dict[int, list[OrderLine]]:
    """Lines under the release they belong to, so that singles of one album stand together."""
    found: dict[int, list[OrderLine]] = defaultdict(list)
    for line in lines:
        release = line.release_id or (line.track.release_id if line.track else 0)
        found[release].append(line)
    return dict(found)
