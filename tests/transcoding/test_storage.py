"""The two places audio can live, held to the same promises."""

import hashlib
import os
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.db import transaction
from moto.server import ThreadedMotoServer

from transcoding import storage
from transcoding.errors import StorageCorrupt, StorageFailed

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1"
    ).create_bucket(Bucket="audio")
    yield endpoint
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def kind(request, settings) -> str:
    if request.param == "bucket":
        settings.AUDIO_BUCKET = "audio"
        settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = request.getfixturevalue("s3")
        settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY = "k", "s"
    return str(request.param)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.flac"
    path.write_bytes(b"fLaC" + os.urandom(700_000))
    return path


def keep(song: Path, **more: bool) -> str:
    sha256 = hashlib.sha256(song.read_bytes()).hexdigest()
    key = storage.rendition_key(sha256, "flac")
    storage.put_file(key, song, sha256=sha256, **more)
    return key


@pytest.mark.parametrize("take", [False, True])
def test_what_is_put_comes_back(kind: str, song: Path, tmp_path: Path, take: bool) -> None:  # noqa: FBT001
    before = song.read_bytes()
    key = keep(song, take=take)
    assert storage.exists(key)
    assert storage.size(key) == len(before)
    assert storage.fetch_to(key, tmp_path / "back").read_bytes() == before


def test_a_part_is_the_part(kind: str, song: Path) -> None:
    before = song.read_bytes()
    key = keep(song)
    assert b"".join(storage.open_range(key, 100, 600_100)) == before[100:600_100]
    assert b"".join(storage.open_range(key, 0, len(before))) == before


def test_putting_twice_changes_nothing(kind: str, song: Path) -> None:
    assert keep(song) == keep(song)


def test_a_name_that_is_not_the_contents_hash_is_refused(kind: str, song: Path) -> None:
    with pytest.raises(StorageCorrupt):
        storage.put_file(storage.master_key("a" * 64), song)
    with pytest.raises(StorageCorrupt):
        storage.put_file(storage.quarantine_key(uuid.uuid4()), song, sha256="a" * 64)


def test_bytes_that_rot_are_noticed_when_fetched(kind: str, song: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageCorrupt):
        storage.fetch_to(keep(song), tmp_path / "back", sha256="a" * 64)


def test_what_is_not_there_is_not_there(kind: str, tmp_path: Path) -> None:
    key = storage.rendition_key("d" * 64, "flac")
    assert not storage.exists(key)
    with pytest.raises(StorageFailed):
        storage.fetch_to(key, tmp_path / "back")
    with pytest.raises(StorageFailed):
        list(storage.open_range(key, 0, 10))


def test_only_quarantine_can_be_emptied(kind: str, song: Path) -> None:
    key = storage.quarantine_key(uuid.uuid4())
    storage.put_file(key, song)
    storage.delete(key)
    storage.delete(key)
    assert not storage.exists(key)
    with pytest.raises(StorageFailed, match="kept for good"):
        storage.delete(keep(song))


@pytest.mark.parametrize("key", ["../secret", "masters/../../x", "quarantine/", "/etc/passwd", "renditions/aa/x y"])
def test_a_key_that_is_none_never_reaches_the_store(kind: str, key: str) -> None:
    with pytest.raises(StorageFailed, match="no key"):
        storage.size(key)


@pytest.mark.django_db(transaction=True)
def test_the_store_is_not_asked_inside_a_transaction(kind: str, song: Path) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        keep(song)


def test_a_folder_keeps_files_read_only_and_leaves_no_half_file(settings, song: Path) -> None:
    key = keep(song)
    path = storage.path_of(key)
    assert path is not None
    assert path.stat().st_mode & 0o222 == 0
    assert list((settings.AUDIO_ROOT / "incoming").iterdir()) == []
    assert storage.presigned(key, filename="song.flac", seconds=60) is None


def test_a_bucket_hands_out_addresses_that_say_the_files_name(settings, s3: str, song: Path) -> None:
    settings.AUDIO_BUCKET, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY = "audio", "k", "s"
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = s3
    address = storage.presigned(keep(song), filename='Élan "1".flac', media_type="audio/flac", seconds=60)
    assert address is not None
    assert "X-Amz-Expires=60" in address
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - the fake store's own
        assert answer.read() == song.read_bytes()
        assert answer.headers["Content-Type"] == "audio/flac"
        assert "filename*=UTF-8''%C3%89lan%20%221%22.flac" in answer.headers["Content-Disposition"]
    assert storage.path_of(keep(song)) is None


@pytest.mark.parametrize("take", [False, True], ids=["copied", "handed over"])
def test_a_file_is_on_the_disk_before_its_name_is_and_its_name_before_anybody_is_told(
    song: Path,
    monkeypatch,
    take: bool,  # noqa: FBT001
) -> None:
    """Or the power may fail in between, and a part of a file stand under the name of the whole."""
    done: list[tuple[str, int]] = []
    sync, link = os.fsync, os.link

    def synced(descriptor: int) -> None:
        done.append(("synced", os.fstat(descriptor).st_ino))
        sync(descriptor)

    def named(source: Path, target: Path) -> None:
        done.append(("named", source.stat().st_ino))
        link(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", named)
    key = keep(song, take=take)
    path = storage.path_of(key)
    assert path
    inode = path.stat().st_ino
    assert done[-3:] == [("synced", inode), ("named", inode), ("synced", path.parent.stat().st_ino)]
    assert ("synced", path.parent.parent.stat().st_ino) in done
