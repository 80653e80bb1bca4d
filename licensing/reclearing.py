"""What a changed catalogue owes: its recordings and releases are decided anew in the background, in order, resumably.

Triggers write the `Reclearance` rows in the transaction of the act (migration 0005). A worker claims one, decides its
recordings in the order of their keys, a batch a transaction, and moves the cursor in the same one; if it dies, its
claim runs out and the next goes on from the cursor. A row claimed again has another fence, so that a worker that was
thought dead writes nothing. While a row that `closes` is open, what hangs on its catalogue is not sold (`Held`).
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import F, Func, Q, QuerySet

from catalog.models import Recording, Track
from licensing import affected, batches, clearance, dossiers
from licensing.affected import Affected
from licensing.dossiers import Among
from licensing.models import Reclearance
from licensing.terms import Use

BATCH = 1024  # recordings a transaction: long enough to share its statements, short enough to wait for
STRIPE = 4 * BATCH  # neighbours that one part does: it ends where a slot of `clearance.lock` does, so none wait for it
SHARED_ABOVE = 5 * BATCH
CLAIM_FOR = timedelta(minutes=2)
ACTOR = "task:reclear"
DECIDED = (Use.PERMANENT_DOWNLOAD, Use.PREVIEW)

Sounds = Callable[[Sequence[int]], Mapping[int, str]]


class Held(Func):
    """The keys of all catalogues on which nothing is sold for the moment; asked once a statement."""

    template = "(SELECT licensing_held())"
    output_field = ArrayField(models.BigIntegerField())


@dataclass(frozen=True)
class Done:
    """What a batch came to."""

    recordings: tuple[int, ...] = ()
    changed: int = 0
    finished: bool = False


def waiting(*, at: datetime) -> QuerySet[Reclearance]:
    """What is owed and nobody works on, the oldest first."""
    return Reclearance.objects.filter(Q(claimed_until=None) | Q(claimed_until__lte=at), done_at=None).order_by("pk")


def owe_everything(*, cause: str, parts: int = 1) -> list[Reclearance]:
    """Have every recording decided, in parts that as many workers can do side by side."""
    return Reclearance.objects.bulk_create(
        Reclearance(everything=True, cause=cause, part=part, parts=parts) for part in range(parts)
    )


def claim(*, at: datetime, among: QuerySet[Reclearance] | None = None) -> Reclearance | None:
    """Take the oldest job nobody works on; None where there is none."""
    with transaction.atomic():
        free = waiting(at=at) if among is None else waiting(at=at) & among
        job = free.select_for_update(skip_locked=True).first()
        if job is None:
            return None
        Reclearance.objects.filter(pk=job.pk).update(claimed_until=at + CLAIM_FOR, fence=F("fence") + 1)
        _share(job)
        job.refresh_from_db()
    return job


def let_go(job: Reclearance) -> None:
    """Give a claimed job back, so that the next worker need not wait until the claim runs out."""
    Reclearance.objects.filter(pk=job.pk, fence=job.fence, done_at=None).update(claimed_until=None)


def _share(job: Reclearance) -> None:
    """Part a large job that nobody has begun, so that two workers can do it side by side."""
    if job.parts > 1 or job.cursor or job.everything:
        return
    if len(recordings_of(job).values_list("pk", flat=True)[: SHARED_ABOVE + 1]) <= SHARED_ABOVE:
        return
    Reclearance.objects.filter(pk=job.pk).update(parts=2)
    Reclearance.objects.create(
        grant_id=job.grant_id,
        label_id=job.label_id,
        writer_id=job.writer_id,
        work_id=job.work_id,
        release_id=job.release_id,
        cause=job.cause,
        closes=job.closes,
        part=1,
        parts=2,
    )


def recordings_of(job: Reclearance) -> QuerySet[Recording]:
    """Everything the job is about."""
    if job.grant is not None:
        return affected.recordings_of_grant(job.grant)
    if job.label_id is not None:
        return affected.recordings_of_label(job.label_id)
    if job.writer_id is not None:
        return affected.recordings_of_writer(job.writer_id)
    if job.work_id is not None:
        return Recording.objects.filter(recording_works__work=job.work_id)
    if job.release_id is not None:
        return Recording.objects.filter(tracks__release=job.release_id)
    return Recording.objects.all()


def work(job: Reclearance, *, at: datetime, sounds: Sounds | None = None, size: int = BATCH) -> Done:
    """Decide the next batch of a claimed job, and its releases; write what changed and where the job stands, together.

    `sounds` tells the sound that would be delivered for each recording; then recordings that were never decided are
    decided too. Without it each keeps the sound it was last asked with. Finished also where another has the job now.
    """
    keys = _next(job, size)
    if not keys:
        _done(job, at=at)
        return Done(finished=True)
    with _uncollected():
        return _decided(job, keys, at=at, sounds=sounds)


@contextmanager
def _uncollected() -> Iterator[None]:
    """A batch makes a hundred thousand values that last as long as it does; looking them through took a fifth of it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _decided(job: Reclearance, keys: Sequence[int], *, at: datetime, sounds: Sounds | None) -> Done:
    heard = dict(sounds(keys)) if sounds else None
    hashes = dossiers.hashes_of(keys)
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Triggers look at a batch's rows, with their verdicts, at once. Should the machine fail before the commit
            # is on disk, the cursor is lost with the rows, and the batch is done again.
            cursor.execute("SET LOCAL work_mem = '64MB'; SET LOCAL synchronous_commit = off")
        if not _still_ours(job, keys[-1], at=at):
            return Done(finished=True)
        changed = decide(keys, at=at, actor=ACTOR, heard=heard, hashes=hashes)
        counted = Reclearance.objects.filter(pk=job.pk)
        counted.update(decided=F("decided") + len(keys), changed=F("changed") + changed)
    job.cursor = keys[-1]
    return Done(tuple(keys), changed)


def decide(
    keys: Sequence[int],
    *,
    at: datetime,
    actor: str,
    heard: Mapping[int, str] | None = None,
    hashes: Mapping[int, str],
    uses: Sequence[Use] = DECIDED,
) -> int:
    """Decide these recordings and the releases they stand on, in the caller's transaction; how many answers changed.

    With `heard`, the sounds that would be delivered, all of them are decided for `uses`, which are selling and
    previewing; those that were asked about before may be given away are asked again. Without, those that were decided
    before for the uses they were decided for.
    """
    tracks = Track.objects.filter(Among("recording_id", keys))
    releases = sorted(set(tracks.values_list("release_id", flat=True)))
    clearance.lock(Affected(tuple(keys), tuple(releases)))
    known = dossiers.open_all(keys, at=at, hashes=hashes)  # whoever adds evidence meanwhile decides again after us
    written: list[batches.Row] = []
    for use in Use if heard is None else dict.fromkeys((*uses, Use.FREE_DOWNLOAD)):
        if heard is None or use not in uses:
            before = batches.before("recording", keys, use)
            asked = {key: (heard or {}).get(key, row.sound_sha256) for key, row in before.items()}
        else:
            asked = {key: heard.get(key, "") for key in keys}
        if not asked:
            continue
        rows, fresh = batches.decide_recordings(asked, known, use=use, at=at, actor=actor)
        written += rows
        fresh_sale = heard is not None and use in uses and use != Use.PREVIEW
        written += batches.decide_releases(releases, fresh, use=use, at=at, actor=actor, asked_before=not fresh_sale)
    batches.write(written)  # at once, so that offers and the shelf follow once
    return len(written)


def _next(job: Reclearance, size: int) -> list[int]:
    """The keys of the next batch. Parts are stripes of neighbours, which tend to stand on one release.

    Whoever works on one stripe shares locks with whoever works on the next only where a release does.
    """
    found = recordings_of(job).filter(pk__gt=job.cursor)
    if job.parts > 1:
        found = found.annotate(mine=(F("pk") / STRIPE) % job.parts).filter(mine=job.part)
    return list(found.order_by("pk").values_list("pk", flat=True)[:size])


def _still_ours(job: Reclearance, cursor: int, *, at: datetime) -> bool:
    """Move the cursor and prolong the claim, unless somebody else has claimed the job since."""
    mine = Reclearance.objects.filter(pk=job.pk, fence=job.fence, done_at=None)
    return bool(mine.update(cursor=cursor, claimed_until=at + CLAIM_FOR))


def _done(job: Reclearance, *, at: datetime) -> None:
    Reclearance.objects.filter(pk=job.pk, fence=job.fence, done_at=None).update(done_at=at, claimed_until=None)
