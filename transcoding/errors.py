"""What can go wrong with audio. `code` is for programs and tests, the message for people.

`retry` answers the one question callers have: can the same try go better later, by itself?
"""

import logging

log = logging.getLogger(__name__)


class TranscodingError(Exception):
    code = "TRANSCODING"
    retry = False


class UnknownFormat(TranscodingError):
    """No such format in `formats`."""

    code = "UNKNOWN_FORMAT"


class FormatNotOffered(TranscodingError):
    """The format exists, but nothing honest can be made in it from this master."""

    code = "FORMAT_NOT_OFFERED"


class UploadRefused(TranscodingError):
    """The bytes cannot even be examined: empty, or more than an instance takes."""

    code = "UPLOAD_REFUSED"


class QuotaReached(UploadRefused):
    """A label has as much on its way as it may have."""

    code = "QUOTA_REACHED"


class UploadMisplaced(TranscodingError):
    """A piece begins where the kept bytes do not end, or there is nothing to go on with."""

    code = "UPLOAD_MISPLACED"


class UploadExpired(TranscodingError):
    """Nobody went on with the file for too long; it begins anew."""

    code = "UPLOAD_EXPIRED"


class UploadBusy(TranscodingError):
    """Somebody else writes this very file now."""

    code = "UPLOAD_BUSY"
    retry = True


class UploadDamaged(TranscodingError):
    """What arrived is not what was sent."""

    code = "UPLOAD_DAMAGED"
    retry = True


class MasterRefused(TranscodingError):
    """The examination ends here; `code` is the finding's code, the message is for the label."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MasterNotAccepted(TranscodingError):
    """Renditions are made from accepted masters only."""

    code = "MASTER_NOT_ACCEPTED"


class ProcessFailed(TranscodingError):
    """The fenced program ended badly; the message holds its last words."""

    code = "PROCESS_FAILED"


class LimitReached(ProcessFailed):
    """The fenced program was stopped: time, memory or output went past what it was allowed."""

    code = "LIMIT_REACHED"


class SaidTooMuch(LimitReached):
    """It sent more than its input promised. Unlike a limit of time or memory, this says something of the file alone."""

    code = "SAID_TOO_MUCH"


KILLED = "The program was killed from outside"


class Killed(TranscodingError):
    """Somebody ended the fenced program, or a machine short of memory did. It says nothing about the file."""

    code = "KILLED"
    retry = True

    def __init__(self, program: str) -> None:
        super().__init__(f"{KILLED}: {program}. If this happens often, the machine may be short of memory.")


class DiskFull(TranscodingError):
    """There was no room for what the fenced program made: no fault of the file, and better later."""

    code = "DISK_FULL"
    retry = True


class DiskFailed(TranscodingError):
    """A disk lost or changed what lay on it (EIO), or took no more: no fault of the file, and better elsewhere."""

    code = "DISK_FAILED"
    retry = True


class RenditionWrong(TranscodingError):
    """What was made does not hold the master's sound, or not all of it. It is never published."""

    code = "RENDITION_WRONG"


class LateWorker(TranscodingError):
    """The claim passed to another worker while this one was away."""

    code = "LATE_WORKER"


class StorageFailed(TranscodingError):
    """The store of audio files did not do what it was asked."""

    code = "STORAGE_FAILED"
    retry = True


class StorageCorrupt(StorageFailed):
    """The bytes under a key are not those the key names."""

    code = "STORAGE_CORRUPT"
    retry = False


class KeptFileWrong(StorageCorrupt):
    """A finished file that only needed other tags is not what it was when it was made, or is gone. `key` names it."""

    def __init__(self, key: str) -> None:
        super().__init__("The file that only needs new tags is not what it was. It is made anew from its master.")
        self.key = key


class Broken(TranscodingError):
    """A mistake of ours that one file brought to light. It counts as that file's failure, so that it ends with a reason
    and holds nobody up."""

    code = "BROKEN"


def foreseen(error: Exception) -> TranscodingError | OSError:
    """The error as one of those that callers know what to do with; what nobody foresaw is logged with its trace."""
    if isinstance(error, TranscodingError | OSError):
        return error
    log.error("Nobody foresaw this.", exc_info=error)
    return Broken(f"{type(error).__name__}: {error}")
