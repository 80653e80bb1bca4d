"""Files made from masters: what is owed, making it, and proving that it is right.

`plan` writes down what is owed; `make_due` makes it, most urgent first, all formats of one urgency from one decode.
A rendition is published only after it was decoded again and found right, and its bytes never change afterwards.
"""

import contextlib
import errno
import functools
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from transcoding import claims, encode, formats, looks, originals, payloads, previews, scratch, storage, tags
from transcoding.encode import Proved
from transcoding.errors import (
    DiskFailed,
    FormatNotOffered,
    KeptFileWrong,
    LateWorker,
    MasterNotAccepted,
    ProcessFailed,
    RenditionWrong,
    StorageFailed,
    TranscodingError,
    foreseen,
)
from transcoding.formats import Format
from transcoding.models import Attempt, Master, Rendition
from transcoding.tags import TagSet
from transcoding.waveform import Digest

log = logging.getLogger(__name__)
PREVIEW_FIRST, BUYER_WAITS, AHEAD = 0, 10, 20
MASTER, ORIGINAL = "master", "ORIGINAL"
AT_ONCE = 50  # masters that one call looks after
_OWED = (Rendition.State.PLANNED, Rendition.State.MAKING)


def plan(
    master: Master,
    wanted: Iterable[Format],
    *,
    tags: TagSet,
    priority: int = AHEAD,
    at: datetime,
    renew: bool = False,
) -> list[Rendition]:
    """Owe each of `wanted` with these tags; what is owed or made already is returned as it is, only more urgent.

    With `renew` also whatever else was made for this place under this licence, which comes behind. Tags that stood
    before and are asked for again are the newest from now on. Ring `tasks.make_renditions` after commit. Raises
    FormatNotOffered for what this master cannot honestly give.
    """
    _check_accepted(master)
    wanted = list(wanted)
    for each in wanted:
        if why := formats.refusal(each, master):
            raise FormatNotOffered(f"{each.name} is not offered from this master: {why}.")
    known = Rendition.objects.filter(master=master, purpose=Rendition.Purpose.FULL).defer("peaks")
    if not renew:
        known = known.filter(format__in=[each.code for each in wanted])
    mine = kin_of(tags.to_json())
    kin = [row for row in known.order_by("tags_at", "pk") if kin_of(row.tags) == mine]
    if renew:
        wanted += _others(master, kin, wanted)
    newest = {(row.format, row.recipe): row for row in kin}
    there = {(row.format, row.recipe, row.tag_signature): row for row in kin}
    keys = [(each.code, each.recipe, tags.fitting(each).signature()) for each in wanted]
    fresh = [each for each, key in zip(wanted, keys, strict=True) if key not in there]
    made = _owe_each(master, fresh, tags=tags, priority=priority, at=at)
    rows = []
    for each, key in zip(wanted, keys, strict=True):
        row = there.get(key) or made[key]
        _hasten(row, priority)
        if key in there and row != newest[each.code, each.recipe]:
            Rendition.objects.filter(pk=row.pk).update(tags_at=at)
        rows.append(row)
    return rows


def _owe_each(
    master: Master, wanted: Sequence[Format], *, tags: TagSet, priority: int, at: datetime
) -> dict[tuple[str, int, str], Rendition]:
    """Rows for what has none yet, or that another has written meanwhile; by format, recipe and tag signature."""
    rows = []
    for each in wanted:
        fitting = tags.fitting(each)
        row = Rendition(master=master, format=each.code, recipe=each.recipe, tag_signature=fitting.signature())
        row.tags, row.priority, row.planned_at, row.tags_at = fitting.to_json(), priority, at, at
        rows.append(row)
    if not rows:
        return {}
    Rendition.objects.bulk_create(rows, ignore_conflicts=True)
    signatures = {row.tag_signature for row in rows}
    found = Rendition.objects.filter(master=master, tag_signature__in=signatures).defer("peaks")
    return {(row.format, row.recipe, row.tag_signature): row for row in found}


def _others(master: Master, kin: Iterable[Rendition], wanted: Sequence[Format]) -> list[Format]:
    """The formats besides `wanted` that are ready, and of which a file with other tags can be had."""
    ready = {row.format: row.recipe for row in kin if row.state == Rendition.State.READY}
    others = [formats.get(code) for code in ready if code not in {each.code for each in wanted}]
    return [each for each in others if each.recipe == ready[each.code] or formats.is_offered(each, master)]


def plan_preview(
    master: Master,
    *,
    tags: TagSet,
    fades: bool,
    at: datetime,
    seconds: int | None = None,
    start_ms: int | None = None,
    format: Format = formats.FORMATS["PREVIEW_MP3"],  # noqa: A002 - the trade's word
) -> Rendition:
    """Owe a preview from `start_ms`, or of the loudest passage. `fades` is false where the licence forbids changes;
    `seconds` is the shorter of what licence and territory allow, the instance's own length by default."""
    _check_accepted(master)
    cut = previews.plan_cut(
        master,
        start_ms=master.loudest_second * previews.THOUSAND if start_ms is None else start_ms,
        seconds=seconds or settings.PREVIEW_SECONDS,
        fades=fades,
    )
    return _owe(master, format, tags=tags, cut=cut.to_json(), priority=PREVIEW_FIRST, at=at)


def plan_for_review(master: Master, *, at: datetime) -> Rendition:
    """Owe the whole recording in a kind that every browser plays. It is never sold, and for nobody but reviewers; its
    tags say so, and nothing that could change."""
    _check_accepted(master)
    tags = TagSet(title="The whole recording", artist_line="For reviewers alone")
    return _owe(
        master, formats.FORMATS["REVIEW"], tags=tags, cut=None, priority=PREVIEW_FIRST, at=at,
        purpose=Rendition.Purpose.REVIEW,
    )  # fmt: skip


def _check_accepted(master: Master) -> None:
    if master.state != Master.State.ACCEPTED:
        raise MasterNotAccepted(f"{master} is {master.get_state_display()}; renditions are made from accepted masters.")


def _owe(
    master: Master,
    format: Format,  # noqa: A002
    *,
    tags: TagSet,
    cut: dict[str, int] | None,
    priority: int,
    at: datetime,
    purpose: str = "",
) -> Rendition:
    fitting = tags.fitting(format)
    row, made = Rendition.objects.get_or_create(
        master=master,
        format=format.code,
        recipe=format.recipe,
        tag_signature=fitting.signature(cut=cut),
        defaults={
            "purpose": purpose or (Rendition.Purpose.PREVIEW if cut else Rendition.Purpose.FULL),
            "tags": fitting.to_json(),
            "cut": cut,
            "priority": priority,
            "planned_at": at,
            "tags_at": at,
        },
    )
    if not made:
        _hasten(row, priority)
    return row


def _hasten(row: Rendition, priority: int) -> None:
    if priority < row.priority:
        Rendition.objects.filter(pk=row.pk, state__in=_OWED).update(priority=priority)


def kin_of(tags: Mapping[str, Any]) -> tuple[str, str]:
    """The place and the licence that tags (as a row keeps them) are for. Of the files of one kin the newest is the one
    to give: its tags are the right ones, and while it is made the one before does."""
    return str(tags.get("place", "")), str(tags.get("licence_url", ""))


def stand_in(row: Rendition) -> Rendition | None:
    """A finished file that may be sold while this one, of other tags, is owed: the same sound in the same format for
    the same place, and every word of its licence the same. What a title is may lag for a moment, what one may do with
    the file may not."""
    terms = TagSet.from_json(row.tags).terms
    ready = Rendition.objects.filter(
        master=row.master_id,
        format=row.format,
        recipe=row.recipe,
        purpose=Rendition.Purpose.FULL,
        state=Rendition.State.READY,
    )
    return next((one for one in ready.order_by("-tags_at", "-pk") if TagSet.from_json(one.tags).terms == terms), None)


def ask_again(rendition: Rendition) -> None:
    """Give a rendition that was given up three new tries."""
    Rendition.objects.filter(pk=rendition.pk, state=Rendition.State.FAILED).update(
        state=Rendition.State.PLANNED, attempts=0, error="", claimed_until=None, rung_at=None
    )


def owed(at: datetime) -> QuerySet[Rendition]:
    """Renditions that wait and that nobody is making, most urgent first."""
    return Rendition.objects.filter(claims.waiting(at), state__in=_OWED).order_by("priority", "planned_at", "pk")


def make_due(master_id: int) -> int:
    """Make everything owed for one master; how many became ready. Nothing owed, or all in other hands: nought."""
    done = 0
    while claimed := _claim(master_id, at=timezone.now()):
        done += _make(claimed)
    return done


def serve_buyers(outer: claims.Pulse | None = None) -> int:
    """Make what buyers wait for, of whatever master; how many became ready.

    Whoever works on something else calls this first, and again while it works: `outer` is the pulse of what rests
    meanwhile. Nothing of that is lost: its encoders wait at a full pipe, and its claims are kept alive.
    """
    done = 0
    waiting = owed(timezone.now()).filter(priority=BUYER_WAITS).values_list("master_id", flat=True)
    for master_id in dict.fromkeys(waiting[:AT_ONCE]):
        while claimed := _claim(master_id, at=timezone.now(), priority=BUYER_WAITS):
            done += _make(claimed, outer=outer)
    return done


def _claim(master_id: int, *, at: datetime, priority: int | None = None) -> list[claims.Claim]:
    """Take the most urgent rows of one master, or those of one `priority`; one alone where it failed or was cut
    short often before."""
    with transaction.atomic():
        waiting = owed(at).filter(master_id=master_id)
        if priority is not None:
            waiting = waiting.filter(priority=priority)
        waiting = waiting.select_for_update(skip_locked=True, of=("self",))
        rows = list(waiting.select_related("master"))
        odd = [row for row in rows if row.attempts or row.fence >= claims.SUSPICIOUS]
        calm = [row for row in rows if row not in odd and row.priority == rows[0].priority]
        taken = []
        for row in calm or odd[:1]:
            row.fence += 1
            row.claimed_until, row.permille = at + claims.LEASE, 0
            if claims.worn_out(row):
                row.state, row.error = Rendition.State.FAILED, "Every try was cut short: it seems to end its worker."
                row.save(update_fields=["fence", "state", "claimed_until", "permille", "error"])
            else:
                row.state = Rendition.State.MAKING
                taken.append(claims.Claim(row, row.fence))
        Rendition.objects.filter(pk__in=[claim.row.pk for claim in taken]).update(
            fence=F("fence") + 1, state=Rendition.State.MAKING, claimed_until=at + claims.LEASE, permille=0
        )
        claims.begin(taken, at=at)
    return taken


def _make(claimed: Sequence[claims.Claim], *, outer: claims.Pulse | None = None) -> int:
    """Everything for one set of claims on one master. An error of one file is its own; the rest goes on."""
    master = _row(claimed[0]).master
    urgent = _row(claimed[0]).priority == BUYER_WAITS
    pulse = claims.Pulse(claimed, outer=outer, meanwhile=None if urgent else serve_buyers)
    try:
        with scratch.folder(f"make-{master.pk}") as folder:
            outputs = _produce(folder, claimed, pulse)
            return sum(_finish(claim, outputs[claim], pulse) for claim in claimed)
    except DatabaseError:
        raise  # nobody can write down what became of it; the claims run out
    except Exception as error:  # noqa: BLE001 - a mistake of ours that this file brought to light counts as its failure
        now = timezone.now()
        for claim in claimed:
            _put_back(claim, foreseen(error), at=now)
        return 0


def _row(claim: claims.Claim) -> Rendition:
    if not isinstance(claim.row, Rendition):
        raise TypeError("This claim is not on a rendition.")
    return claim.row


@dataclass(frozen=True)
class Kept:
    """A finished file that only needs other tags: where it lies, its bytes' hash, and what is proved of its sound."""

    path: Path
    key: str
    file_sha256: str
    sha256: str
    samples: int
    heard_at: datetime | None


Proof = Proved | Kept | None


def _produce(
    folder: Path, claimed: Sequence[claims.Claim], pulse: claims.Pulse
) -> dict[claims.Claim, tuple[Path, Proof]]:
    """A file with the sound for each claim, and its digest where it is proved already: previews, files that only need
    other tags, and at last one decode for all that must be encoded. The master is fetched where it is needed alone: a
    corrected title costs nothing that grows with it."""
    master = _row(claimed[0]).master
    done: dict[claims.Claim, tuple[Path, Proof]] = {}
    cuts: dict[str, dict[Path, tuple[claims.Claim, Format]]] = {}
    fresh: dict[Path, tuple[claims.Claim, Format]] = {}
    siblings = _siblings(master)
    for claim in claimed:
        row = _row(claim)
        each = formats.get(row.format)
        path = folder / f"{row.pk}.{formats.extension(each, master)}"
        if row.cut:
            cuts.setdefault(str(row.cut), {})[path] = (claim, each)
        elif (
            not row.sha256
            and (sibling := siblings.get((row.format, row.recipe)))
            and (not row.disowned or sibling.sound_sha256 or sibling.heard_at)
            and (kept := _kept(sibling, folder / f"{row.pk}.kept", pulse))
        ):
            done[claim] = (path, kept)
        else:
            fresh[path] = (claim, each)
    if cuts or fresh:
        with pulse.kept():
            source = storage.fetch_to(master.storage_key, folder / MASTER, sha256=master.file_sha256)
    for wanted in cuts.values():
        cut = previews.Cut(**(_row(next(iter(wanted.values()))[0]).cut or {}))
        outputs = {path: each for path, (_, each) in wanted.items()}
        with known_sound(), scratch.unspoilt(source, master.file_sha256):
            made = previews.make(source, master, outputs, cut=cut, on_beat=pulse)
        done |= {claim: (path, made.digests[path]) for path, (claim, _) in wanted.items()}
        for claim, _ in wanted.values():
            Rendition.objects.filter(pk=_row(claim).pk, fence=claim.fence).update(peaks=made.peaks)
    for path in [path for path, (_, each) in fresh.items() if each.code == ORIGINAL]:
        done[fresh.pop(path)[0]] = (path, None)  # of the master beside it, see `_tagged`
    if fresh:
        pulse.follow([claim for claim, _ in fresh.values()])
        wanted_files = {path: each for path, (_, each) in fresh.items()}
        with known_sound(), scratch.unspoilt(source, master.file_sha256):
            sound = encode.encode(source, master, wanted_files, on_beat=pulse, on_share=pulse.heard)
            _check_source(master, sound)
        pulse.heard(1)
        done |= {claim: (path, None) for path, (claim, _) in fresh.items()}
    return done


@contextlib.contextmanager
def known_sound() -> Iterator[None]:
    """Accepted masters and our own files were read before: that they can't be read now is the disk's failure."""
    try:
        yield
    except ProcessFailed as error:
        if os.strerror(errno.EIO) in str(error):
            raise DiskFailed(f"The disk failed: {error}") from error
        raise


def _kept(sibling: Rendition, path: Path, pulse: claims.Pulse) -> Kept | None:
    """A finished file to be tagged anew, whose hash is checked with its use; None where it is gone and will come back
    from the master as well."""
    try:
        with pulse.kept():
            storage.fetch_to(sibling.storage_key, path)
    except StorageFailed as error:
        if not isinstance(error.__cause__, FileNotFoundError) or not looks.suspect(
            sibling.storage_key, at=timezone.now()
        ):
            raise
        return None
    known = sibling.sound_sha256, sibling.samples, sibling.heard_at
    return Kept(path, sibling.storage_key, sibling.sha256, *known)


def _siblings(master: Master) -> dict[tuple[str, int], Rendition]:
    """By format and recipe the newest finished file, to be tagged anew. What was lost is made again as it was made
    before."""
    ready = Rendition.objects.filter(master=master, state=Rendition.State.READY, purpose=Rendition.Purpose.FULL)
    newest = ready.order_by("format", "recipe", "-pk").distinct("format", "recipe")
    needed = newest.only("format", "recipe", "storage_key", "sha256", "sound_sha256", "samples", "heard_at")
    return {(row.format, row.recipe): row for row in needed}


def _check_source(master: Master, sound: Digest) -> None:
    """What went into the encoders must be what was accepted. The last digits of a lossy decoder may differ between
    processors, so there the length decides."""
    if sound.sha256 == master.sound_sha256 or (not master.lossless and sound.samples == master.samples):
        return
    raise RenditionWrong("The master decodes to another sound than the one that was accepted.")


def _check_same(row: Rendition, sha256: str) -> None:
    """A file that was lost may only come back as the bytes that buyers have."""
    if row.sha256 not in {"", sha256}:
        raise RenditionWrong("It was lost, and made again it has other bytes than before. Restore it from a copy.")


def _tagged(path: Path, claim: claims.Claim, proof: Proof, pulse: claims.Pulse) -> tuple[Proved | Kept, str]:
    """Tag a file and prove it: what is certain of its sound, and the hash of its bytes."""
    row = _row(claim)
    master, tagset = row.master, TagSet.from_json(row.tags)
    each = formats.for_master(formats.get(row.format), master)
    cover = _cover(tagset)
    samples = proof.samples if proof else formats.output_samples(each, master)
    if each.code == ORIGINAL:
        samples = 0  # it says so itself
    if isinstance(proof, Kept):
        return proof, _anew(path, proof, pulse, lambda: tags.write(path, each, tagset, cover, samples=samples))
    if each.code == ORIGINAL:
        originals.strip(path.with_name(MASTER), path, master.container)
    tags.write(path, each, tagset, cover, samples=samples)
    whole = functools.partial(encode.verify, whole=row.disowned > 0)
    prove = originals.prove if each.code == ORIGINAL else whole
    with known_sound():
        sound = proof or prove(path, each, master, sound_sha256=master.sound_sha256, on_beat=pulse)
    return sound, storage.sha256_of(path, on_beat=pulse)


def _anew(path: Path, kept: Kept, pulse: claims.Pulse, write: Callable[[], None]) -> str:
    """Make the file at `path` the kept one with other tags; its hash. Its sound is the kept one's to the byte.

    Usually in one pass; where the tags do not fit into the place of the old ones, by copying, moving and comparing.
    """
    payloads.hollow(kept.path, path)
    with contextlib.suppress(RenditionWrong):
        write()
        if found := payloads.fill(kept.path, path, sha256=kept.file_sha256, on_beat=pulse):
            return found
    if storage.sha256_of(kept.path, on_beat=pulse) != kept.file_sha256:
        raise KeptFileWrong(kept.key)
    shutil.copyfile(kept.path, path)
    write()
    if not payloads.same_sound(kept.path, path):
        raise RenditionWrong("New tags changed the sound.")
    return storage.sha256_of(path, on_beat=pulse)


def _finish(claim: claims.Claim, output: tuple[Path, Proof], pulse: claims.Pulse) -> bool:
    """Tag, prove, hash, store and publish one file; true when it is ready."""
    row, (path, proof) = _row(claim), output
    try:
        pulse()
        sound, sha256 = _tagged(path, claim, proof, pulse)
        _check_same(row, sha256)
        key = storage.rendition_key(sha256, path.suffix[1:])
        length = path.stat().st_size
        with pulse.kept():
            storage.put_hashed(key, path, sha256=sha256)
        _publish(claim, key=key, sha256=sha256, length=length, sound=sound)
    except DatabaseError:
        raise  # nobody can write down what became of it; the claims run out
    except Exception as error:  # noqa: BLE001 - a mistake of ours that this file brought to light counts as its failure
        _put_back(claim, foreseen(error), at=timezone.now())
        return False
    finally:
        pulse.drop(claim)
    return True


def _cover(tagset: TagSet) -> bytes | None:
    if tagset.cover is None:
        return None
    with storages["artwork"].open(tagset.cover.name) as file:
        return bytes(file.read())


def _publish(claim: claims.Claim, *, key: str, sha256: str, length: int, sound: Proved | Kept) -> None:
    row, now = _row(claim), timezone.now()
    each = formats.get(row.format)
    proved: dict[str, Any] = {"sound_sha256": sound.sha256, "samples": sound.samples}
    if isinstance(sound, Kept):
        proved["heard_at"] = sound.heard_at
    with transaction.atomic():
        if isinstance(sound, Kept) and not _still_there(sound, row):
            raise KeptFileWrong(sound.key)
        won = Rendition.objects.filter(pk=row.pk, fence=claim.fence, state=Rendition.State.MAKING).update(
            state=Rendition.State.READY,
            storage_key=key,
            sha256=sha256,
            bytes=length,
            sample_rate=formats.output_rate(each, row.master.sample_rate),
            claimed_until=None,
            permille=1000,
            error="",
            ready_at=row.ready_at or now,  # what was lost and made again was there before
            # the very bytes are back: what is known of their sound stands, however much was decoded this time
            **({} if row.sha256 else proved),
        )
        if not won:
            raise LateWorker(f"{row} passed to another worker.")
        claim.end(Attempt.Outcome.DONE, at=now)


def _still_there(kept: Kept, row: Rendition) -> bool:
    """Is what this file was copied from one that we hand out, and not found wrong meanwhile? It stays so until the copy
    is published, so that whoever finds it wrong then finds the copy too."""
    ready = Rendition.objects.filter(master=row.master_id, storage_key=kept.key, state=Rendition.State.READY)
    return ready.select_for_update(no_key=True).values_list("pk").first() is not None


def _put_back(claim: claims.Claim, error: TranscodingError | OSError, *, at: datetime) -> None:
    """After a failure: wait and try again, or give up with the reason. A late worker changes nothing any more."""
    row = _row(claim)
    if isinstance(error, LateWorker):
        claim.end(Attempt.Outcome.LATE, at=at)
        return
    log.warning("Making %s failed: %s", row, error)
    anew = isinstance(error, KeptFileWrong) and looks.suspect(error.key, at=at)  # from its master, and at once
    attempts = row.attempts + (claims.counts(error) and not anew)
    given_up = attempts >= claims.MAX_ATTEMPTS
    Rendition.objects.filter(pk=row.pk, fence=claim.fence, state=Rendition.State.MAKING).update(
        state=Rendition.State.FAILED if given_up else Rendition.State.PLANNED,
        attempts=attempts,
        error=str(error)[:2000],
        claimed_until=None if given_up or anew else claims.next_try(attempts, error, fence=claim.fence, at=at),
    )
    claim.end(Attempt.Outcome.FAILED, at=at, error=str(error)[:2000])
