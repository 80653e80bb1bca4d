"""Where audio lives: one seam, two kinds (a folder, or a bucket of an S3-compatible store).

Keys are `masters/ab/<sha256>`, `renditions/ab/<sha256>.<ext>` and `spectra/ab/<sha256>.png` (written once, named after
their content) and `quarantine/<uuid>`, the only ones that may be deleted. No call is made inside a transaction: each
opens an empty durable block first, which Django refuses when nested. Raises StorageFailed, or StorageCorrupt when bytes
and name disagree.
"""

import base64
import contextlib
import errno
import functools
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import transaction

from transcoding.errors import StorageCorrupt, StorageFailed

CHUNK = 256 * 1024
KEY = re.compile(r"((masters|renditions|spectra)/[0-9a-f]{2}|quarantine)/[0-9a-f-]{36,64}(\.[a-z0-9]{2,5})?")
QUARANTINE = "quarantine/"
NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP}
TAIL = re.compile(r"\.tail[01]$")

PART = 8 * 1024 * 1024  # of a multipart upload; S3 takes none below 5 MiB, save the last

LOST = "What arrived of this file before is no longer here. Upload it again."

Beat = Callable[[], None]
Pieces = dict[str, Any]  # what a store must remember of a file that arrives in pieces; its own business


def master_key(sha256: str) -> str:
    return f"masters/{sha256[:2]}/{sha256}"


def rendition_key(sha256: str, extension: str) -> str:
    return f"renditions/{sha256[:2]}/{sha256}.{extension}"


def spectrum_key(sha256: str) -> str:
    return f"spectra/{sha256[:2]}/{sha256}.png"


def quarantine_key(public_id: uuid.UUID) -> str:
    return f"{QUARANTINE}{public_id}"


def sha256_of(path: Path, *, on_beat: Beat | None = None) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(4 * CHUNK):
            hasher.update(piece)
            if on_beat is not None:
                on_beat()
    return hasher.hexdigest()


class Writer(Protocol):
    """The end of a file that arrives in pieces. Nothing that was written counts before `keep` has answered."""

    def write(self, data: bytes) -> None: ...
    def keep(self) -> Pieces: ...
    def close(self) -> None: ...


class Store(Protocol):
    def put(self, key: str, path: Path, *, sha256: str, take: bool) -> None: ...
    def fetch(self, key: str, path: Path) -> None: ...
    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]: ...
    def size(self, key: str) -> int: ...
    def delete(self, key: str) -> None: ...
    def presigned(self, key: str, *, filename: str, media_type: str, seconds: int) -> str | None: ...
    def path_of(self, key: str) -> Path | None: ...
    def writer(self, key: str, pieces: Pieces, received: int) -> Writer: ...
    def join(self, key: str, pieces: Pieces, length: int) -> None: ...
    def discard(self, key: str, pieces: Pieces) -> None: ...
    def discard_draft(self, key: str, pieces: Pieces) -> None: ...
    def drafts(self) -> Iterator[tuple[str, Pieces, datetime]]: ...


class FolderWriter:
    """Bytes go straight to their place in a file that nobody reads before it is whole."""

    def __init__(self, path: Path, received: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size < received:
            os.close(self._file)
            raise StorageCorrupt(LOST)
        self._at = received

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.pwrite(self._file, view, self._at)
            self._at += done
            view = view[done:]

    def keep(self) -> Pieces:
        os.fdatasync(self._file)
        return {}

    def close(self) -> None:
        os.close(self._file)


class BucketWriter:
    """Bytes are gathered to parts of a multipart upload, each sent with its SHA-256; what fills no part yet waits as an
    object of its own, under one of two names in turn, so that the one which counts is never written over."""

    def __init__(self, bucket: "Bucket", key: str, pieces: Pieces, received: int) -> None:
        self._bucket, self._key = bucket, key
        self._upload, self._parts = str(pieces.get("upload", "")), [list(part) for part in pieces.get("parts", [])]
        self._tail = str(pieces.get("tail", ""))
        self._waiting = bytearray()
        if self._tail:
            with _lost(self._tail):
                for piece in bucket.open_range(self._tail, 0, bucket.size(self._tail)):
                    self._waiting += piece
        if sum(part[2] for part in self._parts) + len(self._waiting) != received:
            raise StorageCorrupt(LOST)

    def write(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) >= PART:
            self._send(bytes(self._waiting[:PART]))
            del self._waiting[:PART]

    def _send(self, part: bytes) -> None:
        if not self._upload:
            self._upload = self._bucket.begin_parts(self._key)
        number = len(self._parts) + 1
        with _lost(self._key):
            etag, checksum = self._bucket.put_part(self._key, self._upload, number, part)
        self._parts.append([etag, checksum, len(part)])

    def keep(self) -> Pieces:
        tail = ""
        if self._waiting:
            tail = f"{self._key}.{'tail1' if self._tail.endswith('tail0') else 'tail0'}"
            self._bucket.put_bytes(tail, bytes(self._waiting))
        self._tail = tail
        return {"upload": self._upload, "parts": self._parts, "tail": tail}

    def close(self) -> None:
        self._waiting.clear()


class Folder:
    """Files under AUDIO_ROOT. A file appears under its name whole or not at all, and is read-only from then on."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, key: str) -> Path:
        return self.root / key

    def put(self, key: str, path: Path, *, sha256: str, take: bool) -> None:
        target = self._path(key)
        if target.exists():
            return
        _make_room(target)
        if take and path.stat().st_dev == target.parent.stat().st_dev:  # on another disk: copy instead
            path.chmod(0o444)
            _keep_for_good(path)
            if _named(path, target):
                return
        waiting = self.root / "incoming"
        waiting.mkdir(parents=True, exist_ok=True)
        fresh = waiting / uuid.uuid4().hex
        try:
            with path.open("rb") as source, fresh.open("wb") as copy:
                shutil.copyfileobj(source, copy, 4 * CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
            if sha256_of(fresh) != sha256:
                raise StorageCorrupt(f"{path.name} changed while it was stored.")
            fresh.chmod(0o444)
            if not _named(fresh, target):
                raise StorageFailed(f"{key} cannot be given its name: this file system has no hard links.")
        finally:
            fresh.unlink(missing_ok=True)

    def fetch(self, key: str, path: Path) -> None:
        try:
            os.link(self._path(key), path)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(self._path(key), path)

    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]:
        with self._path(key).open("rb") as file:
            file.seek(start)
            left = end - start
            while left > 0 and (piece := file.read(min(CHUNK, left))):
                left -= len(piece)
                yield piece

    def size(self, key: str) -> int:
        return self._path(key).stat().st_size

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def presigned(self, key: str, *, filename: str, media_type: str, seconds: int) -> str | None:  # noqa: ARG002
        return None

    def path_of(self, key: str) -> Path | None:
        return self._path(key)

    def _draft(self, key: str) -> Path:
        return self.root / "incoming" / key.removeprefix(QUARANTINE)

    def writer(self, key: str, pieces: Pieces, received: int) -> FolderWriter:  # noqa: ARG002
        return FolderWriter(self._draft(key), received)

    def join(self, key: str, pieces: Pieces, length: int) -> None:  # noqa: ARG002
        draft, target = self._draft(key), self._path(key)
        if target.exists():  # somebody was killed between this and the next step
            draft.unlink(missing_ok=True)
            return
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(0o600)  # an empty file has had no piece
        if draft.stat().st_size != length:
            raise StorageCorrupt(LOST)
        draft.chmod(0o444)
        _make_room(target)
        os.link(draft, target)
        _keep_for_good(target.parent)
        draft.unlink()

    def discard(self, key: str, pieces: Pieces) -> None:  # noqa: ARG002
        self._draft(key).unlink(missing_ok=True)
        self._path(key).unlink(missing_ok=True)

    def discard_draft(self, key: str, pieces: Pieces) -> None:  # noqa: ARG002
        self._draft(key).unlink(missing_ok=True)

    def drafts(self) -> Iterator[tuple[str, Pieces, datetime]]:
        for draft in (self.root / "incoming").glob("*-*"):  # `put` names its own without a stroke
            with contextlib.suppress(FileNotFoundError):
                yield f"{QUARANTINE}{draft.name}", {}, datetime.fromtimestamp(draft.stat().st_mtime, UTC)


def _keep_for_good(path: Path) -> None:
    """Let the disk have all of a file, or all names in a folder, before anybody is told of it: a machine that loses its
    power afterwards has the file or does not, and never a part of it under its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_room(target: Path) -> None:
    if not target.parent.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _keep_for_good(target.parent.parent)


def _named(path: Path, target: Path) -> bool:
    """Give the file its name in the store; false where the file system has no links."""
    try:
        os.link(path, target)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    _keep_for_good(target.parent)
    return True


class Bucket:
    """An S3-compatible store. Addresses for buyers are signed for the public endpoint, where that is another."""

    def __init__(self, name: str) -> None:
        self.name = name

    def put(self, key: str, path: Path, *, sha256: str, take: bool) -> None:  # noqa: ARG002
        if self._has(key, path.stat().st_size):
            return
        _client(settings.S3_ENDPOINT_URL).upload_file(
            str(path),
            self.name,
            key,
            ExtraArgs={"ChecksumAlgorithm": "SHA256", "Metadata": {"sha256": sha256}},
            Config=TransferConfig(use_threads=False),
        )

    def _has(self, key: str, size: int) -> bool:
        try:
            return self.size(key) == size
        except FileNotFoundError:
            return False

    def fetch(self, key: str, path: Path) -> None:
        try:
            with path.open("wb") as file:
                _client(settings.S3_ENDPOINT_URL).download_fileobj(
                    self.name, key, file, Config=TransferConfig(use_threads=False)
                )
        except ClientError as error:
            raise _missing(error, key) from error

    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]:
        try:
            answer = _client(settings.S3_ENDPOINT_URL).get_object(
                Bucket=self.name, Key=key, Range=f"bytes={start}-{end - 1}"
            )
        except ClientError as error:
            raise _missing(error, key) from error
        yield from answer["Body"].iter_chunks(CHUNK)

    def size(self, key: str) -> int:
        try:
            return int(_client(settings.S3_ENDPOINT_URL).head_object(Bucket=self.name, Key=key)["ContentLength"])
        except ClientError as error:
            raise _missing(error, key) from error

    def delete(self, key: str) -> None:
        _client(settings.S3_ENDPOINT_URL).delete_object(Bucket=self.name, Key=key)

    def presigned(self, key: str, *, filename: str, media_type: str, seconds: int) -> str | None:
        plain = filename.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
        address = _client(settings.S3_PUBLIC_ENDPOINT_URL).generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.name,
                "Key": key,
                "ResponseContentDisposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}",
                "ResponseContentType": media_type,
            },
            ExpiresIn=seconds,
        )
        return str(address)

    def path_of(self, key: str) -> Path | None:  # noqa: ARG002
        return None

    def writer(self, key: str, pieces: Pieces, received: int) -> BucketWriter:
        return BucketWriter(self, key, pieces, received)

    def join(self, key: str, pieces: Pieces, length: int) -> None:
        """The parts become one object. Done before, by somebody who was killed, it is as good."""
        if self._has(key, length):
            self._drop_tails(key)
            return
        upload, parts, tail = pieces.get("upload", ""), pieces.get("parts", []), pieces.get("tail", "")
        with _lost(key):
            last = b"".join(self.open_range(tail, 0, self.size(tail))) if tail else b""
            if upload:
                if last:
                    etag, checksum = self.put_part(key, upload, len(parts) + 1, last)
                    parts = [*parts, [etag, checksum, len(last)]]
                self._complete(key, upload, parts)
            else:
                self.put_bytes(key, last)
        if not self._has(key, length):
            self.delete(key)
            raise StorageCorrupt(LOST)
        self._drop_tails(key)

    def _complete(self, key: str, upload: str, parts: list[list[Any]]) -> None:
        """The store puts the parts together, each by its checksum, and tells one of all, which must be ours too."""
        told = [
            {"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum}
            for number, (etag, checksum, _) in enumerate(parts, 1)
        ]
        answer = _client(settings.S3_ENDPOINT_URL).complete_multipart_upload(
            Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": told}
        )
        whole = _checksum(b"".join(base64.b64decode(checksum) for _, checksum, _ in parts))
        if answer.get("ChecksumSHA256", whole).partition("-")[0] != whole:
            self.delete(key)
            raise StorageCorrupt("The store put this file together wrongly. Upload it again.")

    def _drop_tails(self, key: str) -> None:
        for name in ("tail0", "tail1"):
            self.delete(f"{key}.{name}")

    def discard(self, key: str, pieces: Pieces) -> None:
        self.discard_draft(key, pieces)
        self._drop_tails(key)
        self.delete(key)

    def discard_draft(self, key: str, pieces: Pieces) -> None:
        if tail := pieces.get("tail"):
            self.delete(tail)
        if upload := pieces.get("upload"):
            try:
                _client(settings.S3_ENDPOINT_URL).abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchUpload":
                    raise

    def drafts(self) -> Iterator[tuple[str, Pieces, datetime]]:
        pages = _client(settings.S3_ENDPOINT_URL).get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self.name, Prefix=QUARANTINE):
            for each in page.get("Uploads", []):
                yield each["Key"], {"upload": each["UploadId"]}, each["Initiated"]
        pages = _client(settings.S3_ENDPOINT_URL).get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.name, Prefix=QUARANTINE):
            for each in page.get("Contents", []):
                if TAIL.search(each["Key"]):
                    yield TAIL.sub("", each["Key"]), {"tail": each["Key"]}, each["LastModified"]

    def begin_parts(self, key: str) -> str:
        answer = _client(settings.S3_ENDPOINT_URL).create_multipart_upload(
            Bucket=self.name, Key=key, ChecksumAlgorithm="SHA256"
        )
        return str(answer["UploadId"])

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> tuple[str, str]:
        """Its ETag and its checksum; the store refuses a part that does not have it."""
        checksum = _checksum(data)
        answer = _client(settings.S3_ENDPOINT_URL).upload_part(
            Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=data, ChecksumSHA256=checksum
        )
        return str(answer["ETag"]), checksum

    def put_bytes(self, key: str, data: bytes) -> None:
        _client(settings.S3_ENDPOINT_URL).put_object(
            Bucket=self.name, Key=key, Body=data, ChecksumSHA256=_checksum(data)
        )


def _checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@functools.lru_cache(maxsize=4)
def _client_at(endpoint: str, access: str, secret: str, region: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        aws_access_key_id=access or None,
        aws_secret_access_key=secret or None,
        region_name=region,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 4}),
    )


def _client(endpoint: str) -> Any:
    return _client_at(endpoint, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY, settings.S3_REGION)


def _missing(error: Exception, key: str) -> Exception:
    """FileNotFoundError where that is what the store said, else its own error."""
    if isinstance(error, ClientError) and error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
        return FileNotFoundError(key)
    return error


@contextlib.contextmanager
def _lost(key: str) -> Iterator[None]:
    """Pieces that the store does not know any more make a file that must begin anew, not one to be tried again."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageCorrupt(LOST) from error
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchUpload", "InvalidPart"}:
            raise StorageCorrupt(LOST) from error
        raise _missing(error, key) from error


def _store() -> Store:
    return Bucket(settings.AUDIO_BUCKET) if settings.AUDIO_BUCKET else Folder(Path(settings.AUDIO_ROOT))


@contextlib.contextmanager
def _asking(key: str) -> Iterator[Store]:
    """The store, outside any transaction; what it answers badly becomes StorageFailed."""
    if not KEY.fullmatch(key):
        raise StorageFailed(f"{key!r} is no key of this store.")
    with transaction.atomic(durable=True):
        pass  # refuses to be nested: no network call inside a transaction
    try:
        yield _store()
    except (OSError, BotoCoreError, ClientError) as error:
        raise StorageFailed(f"{key}: {error}") from error


def put_file(key: str, path: Path, *, sha256: str = "", take: bool = False) -> str:
    """Keep the bytes of `path` under `key`, once; a second time changes nothing. Answers their SHA-256.

    `sha256` is what the caller knows them to be, checked before anything is kept. `take` hands the file over: it may be
    linked instead of copied, and must not be written again.
    """
    found = sha256_of(path)
    if sha256 and found != sha256:
        raise StorageCorrupt(f"{path.name} holds {found[:12]}, not {sha256[:12]}.")
    if not key.startswith(QUARANTINE) and found not in key:
        raise StorageCorrupt(f"{key} does not name what {path.name} holds.")
    with _asking(key) as store:
        store.put(key, path, sha256=found, take=take)
    return found


def put_hashed(key: str, path: Path, *, sha256: str) -> None:
    """Keep a file of our own that was hashed just now, as `put_file` does with `take`; it is not read again."""
    if sha256 not in key:
        raise StorageCorrupt(f"{key} does not name what {path.name} holds.")
    with _asking(key) as store:
        store.put(key, path, sha256=sha256, take=True)


def fetch_to(key: str, path: Path, *, sha256: str = "") -> Path:
    """A local file with the bytes under `key`, checked against `sha256`. Only for reading: it may be a link."""
    with _asking(key) as store:
        store.fetch(key, path)
    if sha256 and sha256_of(path) != sha256:
        raise StorageCorrupt(f"The bytes under {key} are not those it was given. Restore them from a copy.")
    return path


def open_range(key: str, start: int, end: int) -> Iterator[bytes]:
    """Bytes `start` up to, not including, `end`, piece by piece."""
    with _asking(key) as store:
        yield from store.open_range(key, start, end)


def read_whole(key: str, length: int) -> Iterator[bytes]:
    """All bytes under a key that names what they hold. The last piece comes only where they still do, so that nobody
    takes altered bytes for the file: what arrives is too short, and StorageCorrupt is raised."""
    hasher, held = hashlib.sha256(), b""
    for piece in open_range(key, 0, length):
        if held:
            yield held
        hasher.update(piece)
        held = piece
    if hasher.hexdigest() not in key:
        raise StorageCorrupt(f"The bytes under {key} are not those it was given. Restore them from a copy.")
    yield held


def size(key: str) -> int:
    with _asking(key) as store:
        return store.size(key)


def exists(key: str) -> bool:
    try:
        size(key)
    except StorageFailed as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return False
        raise
    return True


@contextlib.contextmanager
def writer(key: str, pieces: Pieces, received: int) -> Iterator[Writer]:
    """Goes on where `received` bytes of a file in quarantine are kept already. The parts of a bucket's upload go there
    as they come, each with its checksum, and never as a whole through this machine's memory or disk."""
    if not key.startswith(QUARANTINE):
        raise StorageFailed(f"{key} is no place for what arrives in pieces.")
    with _asking(key) as store:
        opened = store.writer(key, pieces, received)
        try:
            yield opened
        finally:
            opened.close()


def join(key: str, pieces: Pieces, length: int) -> None:
    """All pieces are here: from now on `key` names the whole. A second time changes nothing."""
    with _asking(key) as store:
        store.join(key, pieces, length)


def discard(key: str, pieces: Pieces) -> None:
    """Take back whatever is kept of a file in quarantine, whole or not."""
    if not key.startswith(QUARANTINE):
        raise StorageFailed(f"{key} is kept for good; only quarantine may be emptied.")
    with _asking(key) as store:
        store.discard(key, pieces)


def discard_draft(key: str, pieces: Pieces) -> None:
    """Take back what `drafts` named; what has become whole under `key` stays."""
    with _asking(key) as store:
        store.discard_draft(key, pieces)


def drafts() -> list[tuple[str, Pieces, datetime]]:
    """What the store holds of files that are not whole, with the time it was begun or last written."""
    with _asking(quarantine_key(uuid.UUID(int=0))) as store:
        return list(store.drafts())


def delete(key: str) -> None:
    """Remove an upload from quarantine. Masters and renditions are never deleted by this code."""
    if not key.startswith(QUARANTINE):
        raise StorageFailed(f"{key} is kept for good; only quarantine may be emptied.")
    with _asking(key) as store:
        store.delete(key)


def remove_altered(key: str) -> bool:
    """Make room for a rendition whose bytes are no longer those that its key names; false where they are, after all.

    The one exception to write-once: what does not have the hash in its name is not that file any more.
    """
    if not key.startswith("renditions/"):
        raise StorageFailed(f"{key} is kept for good, whatever it holds; restore it from a copy.")
    hasher = hashlib.sha256()
    with _asking(key) as store:
        try:
            for piece in store.open_range(key, 0, store.size(key)):
                hasher.update(piece)
        except FileNotFoundError:
            return True
        if hasher.hexdigest() in key:
            return False
        store.delete(key)
    return True


def presigned(key: str, *, filename: str, seconds: int, media_type: str = "application/octet-stream") -> str | None:
    """An address at which the store itself serves the file for `seconds`, or None where this server must."""
    with _asking(key) as store:
        return store.presigned(key, filename=filename, media_type=media_type, seconds=seconds)


def path_of(key: str) -> Path | None:
    """Where the file lies on this machine's disk, or None when it does not."""
    with _asking(key) as store:
        return store.path_of(key)
