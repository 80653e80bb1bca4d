"""From bytes somebody handed over to a master that can be sold: quarantine, examination, acceptance.

Nothing is read from an upload but inside the fence, and a master that was accepted never changes: its file and its
sound are fixed by two hashes. Work owed is a row; see `claims` for who does it.
"""

import logging
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from catalog.models import Recording
from transcoding import analysis, claims, scratch, storage
from transcoding.errors import LateWorker, MasterRefused, StorageFailed, TranscodingError, UploadRefused, foreseen
from transcoding.findings import Found
from transcoding.models import Attempt, Finding, Master, Upload
from transcoding.probe import Examined

log = logging.getLogger(__name__)
FORGOTTEN = timedelta(days=1)
CHUNK = 1024 * 1024


def start_upload(filename: str, *, actor: str) -> Upload:
    """Announce a file. Its bytes go to `finish_upload`; if they never come, the sweep forgets it after a day."""
    upload = Upload(filename=Path(filename).name[-255:] or "unnamed", actor=actor)
    upload.storage_key = storage.quarantine_key(upload.public_id)
    upload.save()
    return upload


def finish_upload(upload: Upload, *, path: Path, recording: Recording, take: bool = False) -> Master:
    """Take the bytes at `path` (a local file, which is copied, or linked with `take`) as the delivery for `recording`.

    The same bytes for the same recording are the same master, whatever became of it: it is returned as it is.
    A new master is EXAMINING; ring `tasks.examine_master` after commit, or let the sweep do it.
    """
    length = path.stat().st_size
    if length == 0:
        raise UploadRefused(f"{upload.filename} is empty. Upload it again.")
    if length > settings.MASTER_MAX_BYTES:
        raise UploadRefused(f"{upload.filename} is larger than {settings.MASTER_MAX_BYTES // 1024**2} MiB.")
    sha256 = storage.sha256_of(path)
    known = Master.objects.filter(recording=recording, file_sha256=sha256).first()
    if known is not None:
        _close(upload, sha256=sha256, length=length)
        return known
    storage.put_file(upload.storage_key, path, sha256=sha256, take=take)
    with transaction.atomic():
        master, made = Master.objects.get_or_create(
            recording=recording,
            file_sha256=sha256,
            defaults={"upload": upload, "storage_key": upload.storage_key, "bytes": length},
        )
        Upload.objects.filter(pk=upload.pk).update(state=Upload.State.RECEIVED, sha256=sha256, bytes=length)
    if not made:
        storage.delete(upload.storage_key)
        _close(upload, sha256=sha256, length=length)
    upload.refresh_from_db()
    return master


def _close(upload: Upload, *, sha256: str, length: int) -> None:
    upload.state, upload.sha256, upload.bytes = Upload.State.RELEASED, sha256, length
    upload.save(update_fields=["state", "sha256", "bytes"])


def current(recording: Recording) -> Master | None:
    """The master that is sold for `recording`: the latest accepted."""
    return (
        Master.objects.filter(recording=recording, state=Master.State.ACCEPTED).order_by("-accepted_at", "-pk").first()
    )


def owed(at: datetime) -> QuerySet[Master]:
    """Masters that wait for their examination and that nobody is examining."""
    return Master.objects.filter(claims.waiting(at), state=Master.State.EXAMINING).order_by("created_at")


def examine(master_id: int, *, meanwhile: Callable[[claims.Pulse], object] | None = None) -> Master | None:
    """Examine a master if it is owed; None where another worker has it, or nothing is owed. `meanwhile` does what is
    more urgent, see `claims.Pulse`."""
    claim = _claim(master_id, at=timezone.now())
    if claim is None:
        return None
    master = Master.objects.select_related("upload").get(pk=master_id)
    pulse = claims.Pulse([claim], meanwhile=meanwhile)
    pulse.follow([claim])
    try:
        with scratch.folder(f"examine-{master_id}") as folder:
            with pulse.kept():
                source = storage.fetch_to(master.storage_key, folder / "delivered", sha256=master.file_sha256)
            with scratch.unspoilt(source, master.file_sha256):
                examined, picture = analysis.listen(source, folder, on_beat=pulse, on_share=pulse.heard)
            key = storage.master_key(master.file_sha256)
            with pulse.kept():
                storage.put_file(key, source, sha256=master.file_sha256, take=True)
        _accept(master, claim, examined, key=key, picture=picture)
    except LateWorker:
        claim.end(Attempt.Outcome.LATE, at=timezone.now())
        return None
    except MasterRefused as refusal:
        _reject(master, claim, [Found(refusal.code, Finding.Severity.FATAL, str(refusal))])
    except DatabaseError:
        raise  # nobody can write down what became of it; the claim runs out
    except Exception as error:  # noqa: BLE001 - a mistake of ours that this file brought to light counts as its failure
        _put_back(master, claim, foreseen(error))
        return Master.objects.get(pk=master_id)
    _release(master.upload)
    master = Master.objects.get(pk=master_id)
    analysis.compare(master)
    return master


def _claim(master_id: int, *, at: datetime) -> claims.Claim | None:
    with transaction.atomic():
        taken = owed(at).filter(pk=master_id).update(fence=F("fence") + 1, claimed_until=at + claims.LEASE, permille=0)
        if not taken:
            return None
        master = Master.objects.get(pk=master_id)
        claim = claims.Claim(master, master.fence)
        claims.begin([claim], at=at)
    if claims.worn_out(master):
        cut_short = Found("GIVEN_UP", Finding.Severity.FATAL, "Every try to examine this file was cut short.")
        _reject(master, claim, [cut_short])
        return None
    return claim


def _mine(claim: claims.Claim) -> QuerySet[Master]:
    return Master.objects.filter(pk=claim.row.pk, fence=claim.fence, state=Master.State.EXAMINING)


def _accept(master: Master, claim: claims.Claim, examined: Examined, *, key: str, picture: str) -> None:
    facts, heard, now = examined.facts, examined.heard, timezone.now()
    with transaction.atomic():
        Finding.objects.bulk_create(analysis.rows(master, examined.findings))
        won = _mine(claim).update(
            state=Master.State.ACCEPTED,
            accepted_at=now,
            storage_key=key,
            sound_sha256=heard.sha256,
            container=facts.container,
            codec=facts.codec,
            lossless=facts.lossless,
            sample_rate=facts.sample_rate,
            bit_depth=facts.bit_depth,
            channels=facts.channels,
            samples=heard.samples,
            peaks=heard.peaks,
            loudest_second=heard.loudest_second,
            permille=1000,
            claimed_until=None,
        )
        if not won:
            raise LateWorker(f"{master} was examined by another worker.")
        analysis.keep(master, examined, picture=picture)
        claim.end(Attempt.Outcome.DONE, at=now)


def _reject(master: Master, claim: claims.Claim, findings: Sequence[Found]) -> None:
    with transaction.atomic():
        if _mine(claim).update(state=Master.State.REJECTED, claimed_until=None):
            Finding.objects.bulk_create(analysis.rows(master, findings))
            claim.end(Attempt.Outcome.DONE, at=timezone.now())


def _put_back(master: Master, claim: claims.Claim, error: TranscodingError | OSError) -> None:
    """A try failed for a reason that is not the label's: try again later, three times where it is the file's own."""
    now = timezone.now()
    attempts = master.attempts + claims.counts(error)
    log.warning("Examining %s failed: %s", master, error)
    if attempts >= claims.MAX_ATTEMPTS:
        _reject(master, claim, [Found("EXAMINATION_FAILED", Finding.Severity.FATAL, f"Tried three times: {error}")])
        return
    again = claims.next_try(attempts, error, fence=claim.fence, at=now)
    if _mine(claim).update(attempts=attempts, claimed_until=again):
        claim.end(Attempt.Outcome.FAILED, at=now, error=str(error))


def _release(upload: Upload) -> None:
    """Empty quarantine: the bytes are kept elsewhere, or refused."""
    try:
        storage.delete(upload.storage_key)
    except StorageFailed:
        log.warning("Could not remove %s; the sweep will.", upload.storage_key)
        return
    Upload.objects.filter(pk=upload.pk).update(state=Upload.State.RELEASED)


def sweep_quarantine(*, at: datetime) -> int:
    """Release uploads whose examination is over, or that never became a master; how many those were."""
    owing = Q(masters__state=Master.State.EXAMINING)
    over = Upload.objects.filter(state=Upload.State.RECEIVED, masters__isnull=False).exclude(owing)
    lost = Upload.objects.filter(
        state__in=[Upload.State.STARTED, Upload.State.RECEIVED], masters__isnull=True, created_at__lt=at - FORGOTTEN
    )
    uploads = list(over[:100]) + list(lost[:100])
    for upload in uploads:
        _release(upload)
    return len(uploads)


def copy_to(master: Master, path: Path) -> Path:
    """The delivered bytes of an accepted master in a local file of one's own."""
    with scratch.folder(f"copy-{master.pk}") as folder:
        source = storage.fetch_to(master.storage_key, folder / "master", sha256=master.file_sha256)
        shutil.copyfile(source, path)
    return path
