"""What can go wrong with audio. `code` is for programs and tests, the message for people.

`retry` answers the one question callers have: can the same try go better later, by itself?
"""


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


class DiskFull(TranscodingError):
    """There was no room for what the fenced program made: no fault of the file, and better later."""

    code = "DISK_FULL"
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
