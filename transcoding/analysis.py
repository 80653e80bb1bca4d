"""What is measured in masters, kept as rows, and which masters sound alike.

It comes out of the one decode of the examination (`probe.examine`). What older releases of this software left out, or
measured otherwise, is owed until it is measured anew: `owed` says which, `tasks` rings.
"""

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from transcoding import fingerprint, probe, scratch, storage
from transcoding.errors import MasterRefused, TranscodingError
from transcoding.findings import Found
from transcoding.models import Analysis, Finding, Fingerprint, Likeness, Master
from transcoding.probe import Examined

log = logging.getLogger(__name__)
RECIPE = 1  # raise it when something is measured otherwise: all masters are measured anew
CATCH_UP, CATCH_UP_SECONDS = 500, 30
CANDIDATES = 30
OF_EACH_MARK = 200
LEAST_SECONDS = 8.0  # that two sounds must be alike for, or else the better part of the shorter
PART = 0.5

# Masters of other recordings and other sound that share the most marks with one, through the index on marks. Some marks
# are in every other sound: of each, no more masters are looked at than tell something, however many there are.
_CANDIDATES = """
    SELECT near.master_id, a.fingerprint
    FROM (
        SELECT holding.master_id, count(*) AS shared
        FROM unnest(%(marks)s::integer[]) AS mark, LATERAL (
            SELECT f.master_id FROM transcoding_fingerprint f
            WHERE f.marks @> ARRAY[mark] AND f.master_id <> %(master)s LIMIT %(each)s
        ) AS holding
        GROUP BY holding.master_id
        HAVING count(*) >= %(least)s
        ORDER BY shared DESC, holding.master_id
        LIMIT %(most)s
    ) near
    JOIN transcoding_analysis a ON a.master_id = near.master_id
    JOIN transcoding_master m ON m.id = near.master_id
    WHERE m.recording_id <> %(recording)s AND m.sound_sha256 <> %(sound)s
    ORDER BY near.shared DESC, near.master_id"""


def listen(
    source: Path,
    folder: Path,
    *,
    on_beat: Callable[[], None] | None = None,
    on_share: Callable[[float], None] | None = None,
) -> tuple[Examined, str]:
    """Examine a local file within this shop's limits (`probe.examine`), and keep the picture of its spectrum: its key,
    empty where there is none."""
    examined = probe.examine(
        source,
        max_seconds=settings.MASTER_MAX_SECONDS,
        max_bytes=settings.MASTER_MAX_DECODED_BYTES,
        window_seconds=settings.PREVIEW_SECONDS,
        folder=folder,
        on_beat=on_beat,
        on_share=on_share,
    )
    return examined, _store_picture(examined, folder)


def _store_picture(examined: Examined, folder: Path) -> str:
    picture = examined.heard.spectrum.picture()
    if not picture:
        return ""
    path = folder / "spectrum.png"
    path.write_bytes(picture)
    sha256 = hashlib.sha256(picture).hexdigest()
    key = storage.spectrum_key(sha256)
    storage.put_file(key, path, sha256=sha256, take=True)
    return key


def keep(master: Master, examined: Examined, *, picture: str) -> None:
    """Write down what was measured, in the caller's transaction; ask `compare` afterwards."""
    heard, edge = examined.heard, examined.heard.spectrum.edge()
    Analysis.objects.update_or_create(
        master=master,
        defaults={
            "recipe": RECIPE,
            "loudness": examined.loudness.integrated,
            "loudness_range": examined.loudness.range,
            "true_peak": heard.true_peak,
            "curve": list(examined.loudness.curve),
            "cutoff_hz": edge.hertz,
            "true_depth": heard.true_depth if examined.facts.lossless else 0,
            "fingerprint": examined.fingerprint,
            "spectrum_key": picture,
            "made_at": timezone.now(),
        },
    )
    marks = fingerprint.marks(fingerprint.decode(examined.fingerprint))
    Fingerprint.objects.update_or_create(master=master, defaults={"marks": marks, "compared_at": None})


def owed() -> QuerySet[Master]:
    """Accepted masters that were never measured, or not as it is done today; the newest first."""
    behind = Q(analysis=None) | Q(analysis__recipe__lt=RECIPE)
    return Master.objects.filter(behind, state=Master.State.ACCEPTED).order_by("-pk")


def not_compared() -> QuerySet[Fingerprint]:
    return Fingerprint.objects.filter(compared_at=None).order_by("pk")


def catch_up() -> int:
    """Work off what is owed for CATCH_UP_SECONDS, so that other work gets its turn; how much was tried."""
    until, tried = time.monotonic() + CATCH_UP_SECONDS, 0
    for fingerprinted in not_compared().select_related("master")[:CATCH_UP]:
        compare(fingerprinted.master)
        tried += 1
    for key in owed().values_list("pk", flat=True)[:CATCH_UP]:
        if time.monotonic() > until:
            break
        measure(key)
        tried += 1
    return tried


def measure(master_id: int) -> None:
    """Measure an accepted master anew where that is owed; twice at once does no harm.

    A file that cannot be measured any more is not tried again with this recipe: its sound is what was accepted.
    """
    master = owed().filter(pk=master_id).first()
    if master is None:
        return
    try:
        with scratch.folder(f"measure-{master.pk}") as folder:
            source = storage.fetch_to(master.storage_key, folder / "master", sha256=master.file_sha256)
            examined, picture = listen(source, folder)
    except (TranscodingError, OSError) as error:
        log.warning("Measuring %s failed: %s", master, error)
        if isinstance(error, OSError) or (error.retry and not isinstance(error, MasterRefused)):
            return
        Analysis.objects.update_or_create(master=master, defaults={"recipe": RECIPE})
        return
    with transaction.atomic():
        keep(master, examined, picture=picture)
        Finding.objects.bulk_create(rows(master, examined.findings), ignore_conflicts=True)
    compare(master)


def rows(master: Master, findings: Collection[Found]) -> list[Finding]:
    return [Finding(master=master, code=each.code, severity=each.severity, message=each.message) for each in findings]


def compare(master: Master) -> int:
    """Look for masters of other recordings that sound like this one, and keep what is found; how many there are.

    Call it when its marks are committed: of two masters that come in at once, the later look then sees both.
    """
    mine = Fingerprint.objects.filter(master=master).first()
    if mine is None:
        return 0
    found = list(_alike(master, mine.marks)) if mine.marks else []
    with transaction.atomic():
        Likeness.objects.filter(Q(one=master) | Q(other=master)).delete()
        Likeness.objects.bulk_create(found, ignore_conflicts=True)
        Fingerprint.objects.filter(pk=mine.pk).update(compared_at=timezone.now())
    return len(found)


def _candidates(master: Master, marks: list[int]) -> list[tuple[int, str]]:
    """Masters that share marks with this one, by key with their fingerprints; the more they share, the earlier."""
    asked: dict[str, Any] = {
        "marks": marks,
        "master": master.pk,
        "most": CANDIDATES,
        "each": OF_EACH_MARK,
        "least": fingerprint.LEAST_MARKS,
        "recording": master.recording_id,
        "sound": master.sound_sha256,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # it takes a rare mark for a common one, and reads all rows
        cursor.execute(_CANDIDATES, asked)
        return list(cursor.fetchall())


def _alike(master: Master, marks: list[int]) -> list[Likeness]:
    words = fingerprint.decode(Analysis.objects.values_list("fingerprint", flat=True).get(master=master))
    found = []
    for other, text in _candidates(master, marks):
        theirs = fingerprint.decode(text)
        alike = fingerprint.compare(words, theirs)
        shorter = min(len(words), len(theirs)) / fingerprint.PER_SECOND
        if alike.seconds >= min(LEAST_SECONDS, PART * shorter) and alike.seconds > 0:
            first, second = sorted((master.pk, int(other)))
            likeness = Likeness(one_id=first, other_id=second)
            likeness.seconds, likeness.permille = round(alike.seconds), round(alike.agreeing * 1000)
            found.append(likeness)
    return found


def twins(masters: Collection[int]) -> dict[int, list[tuple[int, Likeness | None]]]:
    """For each of these masters, the accepted masters of other recordings with the very sound (None) or one alike, the
    same ones first. Two statements for any number."""
    sounds = Master.objects.filter(pk__in=masters).exclude(sound_sha256="")
    mine = list(sounds.values_list("pk", "recording_id", "sound_sha256"))
    same: dict[str, list[tuple[int, int]]] = defaultdict(list)
    holding = Master.objects.filter(sound_sha256__in={sound for *_, sound in mine}, state=Master.State.ACCEPTED)
    for key, recording, sound in holding.order_by("pk").values_list("pk", "recording_id", "sound_sha256"):
        same[sound].append((key, recording))
    found: dict[int, list[tuple[int, Likeness | None]]] = defaultdict(list)
    for key, recording, sound in mine:
        found[key] += [(twin, None) for twin, theirs in same[sound] if theirs != recording]
    alike = likenesses(masters).order_by("-seconds", "-permille", "pk")
    for likeness in alike:
        for key, other in ((likeness.one_id, likeness.other_id), (likeness.other_id, likeness.one_id)):
            if key in masters:
                found[key].append((other, likeness))
    return found


def likenesses(masters: Collection[int]) -> QuerySet[Likeness]:
    """Those in which one of these masters is alike another recording's."""
    return Likeness.objects.filter(Q(one__in=masters) | Q(other__in=masters)).exclude(
        one__recording_id=F("other__recording_id")
    )
