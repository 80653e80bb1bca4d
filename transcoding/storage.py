"""Where audio lives: one seam, two kinds (a folder, or a bucket of an S3-compatible store).

Keys are `masters/ab/<sha256>`, `renditions/ab/<sha256>.<ext>` and `spectra/ab/<sha256>.png` (written once, named after
their content) and `quarantine/<uuid>`, the only ones that may be deleted. No call is made inside a transaction: each
opens an empty durable block first, which Django refuses when nested. Raises StorageFailed, or StorageCorrupt when bytes
and name disagree.
"""

import contextlib
import functools
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
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

Beat = Callable[[], None]


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


class Store(Protocol):
    def put(self, key: str, path: Path, *, sha256: str, take: bool) -> None: ...
    def fetch(self, key: str, path: Path) -> None: ...
    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]: ...
    def size(self, key: str) -> int: ...
    def delete(self, key: str) -> None: ...
    def presigned(self, key: str, *, filename: str, media_type: str, seconds: int) -> str | None: ...
    def path_of(self, key: str) -> Path | None: ...


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
        target.parent.mkdir(parents=True, exist_ok=True)
        if take:
            with contextlib.suppress(OSError):  # another disk: copy instead
                path.chmod(0o444)
                os.link(path, target)
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
            with contextlib.suppress(FileExistsError):
                os.link(fresh, target)
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


def delete(key: str) -> None:
    """Remove an upload from quarantine. Masters and renditions are never deleted by this code."""
    if not key.startswith(QUARANTINE):
        raise StorageFailed(f"{key} is kept for good; only quarantine may be emptied.")
    with _asking(key) as store:
        store.delete(key)


def presigned(key: str, *, filename: str, seconds: int, media_type: str = "application/octet-stream") -> str | None:
    """An address at which the store itself serves the file for `seconds`, or None where this server must."""
    with _asking(key) as store:
        return store.presigned(key, filename=filename, media_type=media_type, seconds=seconds)


def path_of(key: str) -> Path | None:
    """Where the file lies on this machine's disk, or None when it does not."""
    with _asking(key) as store:
        return store.path_of(key)
