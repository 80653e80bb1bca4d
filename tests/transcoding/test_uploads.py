"""Files that arrive in pieces, in a folder and in a bucket: one whole file in the end, or none."""

import hashlib
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from django.conf import LazySettings
from django.db import DatabaseError
from django.utils import timezone

from catalog.models import Party
from tests.factories.catalog import make_label, make_recording
from tests.factories.transcoding import make_master
from tests.transcoding.test_storage import kind, s3  # noqa: F401 - fixtures: both places audio can live
from transcoding import storage, uploads
from transcoding.errors import (
    QuotaReached,
    StorageCorrupt,
    UploadBusy,
    UploadDamaged,
    UploadExpired,
    UploadMisplaced,
    UploadRefused,
)
from transcoding.models import Arrival, Master, Parcel

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kind")]
SONG = random.Random(4).randbytes(700_001)
PART = 256 * 1024


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes megabytes in life takes a few hundred kilobytes here."""
    monkeypatch.setattr(storage, "PART", PART)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", PART)
    monkeypatch.setattr(uploads, "KEEP_EVERY", 100_000)
    monkeypatch.setattr(uploads, "CHUNK", 30_000)
    monkeypatch.setattr(uploads._hashers, "_kept", type(uploads._hashers._kept)())


@pytest.fixture
def label(db: None) -> Party:
    return make_label("Bob's Records")


@pytest.fixture
def parcel(label: Party) -> Parcel:
    return uploads.parcel_of(label, actor="user:1")


@pytest.fixture
def arrival(parcel: Parcel) -> Arrival:
    return uploads.announce(parcel, path="song.flac", length=len(SONG))


def reader(data: bytes) -> Callable[[int], bytes]:
    """A line that brings `data` and then is silent."""
    left = bytearray(data)

    def read(count: int) -> bytes:
        piece = bytes(left[:count])
        del left[:count]
        return piece

    return read


def send(arrival: Arrival, data: bytes, *, offset: int | None = None, comes: int | None = None, **more) -> Arrival:
    """Send `data`, of which only `comes` bytes get through."""
    offset = arrival.received if offset is None else offset
    return uploads.append(arrival, offset=offset, length=len(data), read=reader(data[:comes]), **more)


def kept(arrival: Arrival) -> bytes:
    return b"".join(storage.open_range(uploads._key(arrival), 0, arrival.length))


def drafts(arrival: Arrival) -> list[dict]:
    """What the storage holds of the file that is not whole; the bucket is shared with other tests."""
    return [pieces for key, pieces, _ in storage.drafts() if key == uploads._key(arrival)]


def test_a_file_that_comes_at_once_is_here_under_its_hash(arrival: Arrival) -> None:
    done = send(arrival, SONG)
    assert (done.state, done.sha256) == ("WHOLE", hashlib.sha256(SONG).hexdigest())
    assert kept(done) == SONG
    assert not drafts(done)


@pytest.mark.parametrize("seed", range(10))
def test_a_file_cut_at_random_points_is_whole_in_the_end(arrival: Arrival, seed: int) -> None:
    cut_and_resume(arrival, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 110))
def test_a_file_cut_at_a_hundred_random_points_is_whole_in_the_end(arrival: Arrival, seed: int) -> None:
    cut_and_resume(arrival, seed)


def cut_and_resume(arrival: Arrival, seed: int) -> None:
    """Pieces of any size, broken off anywhere, some sent twice or too early, by processes that come and go."""
    chance = random.Random(seed)
    tries = 0
    while arrival.state != Arrival.State.WHOLE:
        tries += 1
        rest = SONG[arrival.received :]
        piece = rest[: chance.choice([1, 77_777, PART, 300_000, len(rest)])]
        comes = chance.choice([None, 0, chance.randint(0, len(piece))]) if tries < 30 else None
        if chance.random() < 0.3:
            wrong = chance.choice([max(0, arrival.received - 1), arrival.received + 1])
            if wrong != arrival.received:
                with pytest.raises(UploadMisplaced):
                    send(arrival, b"x", offset=wrong)
        if chance.random() < 0.2:
            uploads._hashers._kept.clear()  # the next piece meets another process
        arrival = send(arrival, piece, comes=comes)
        arrival = Arrival.objects.get(pk=arrival.pk)
    assert arrival.sha256 == hashlib.sha256(SONG).hexdigest()
    assert kept(arrival) == SONG
    assert not drafts(arrival)


def test_the_hash_is_counted_while_bytes_stream_and_nothing_is_read_again(
    arrival: Arrival, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_read_back", lambda _arrival: pytest.fail("it was read again"))
    arrival = send(arrival, SONG[:400_000])
    assert send(arrival, SONG[400_000:]).state == "WHOLE"


@pytest.mark.parametrize("offset", [0, 99_999, 100_001, 700_001])
def test_a_piece_that_overlaps_or_leaves_a_gap_is_refused(arrival: Arrival, offset: int) -> None:
    arrival = send(arrival, SONG[:100_000])
    with pytest.raises(UploadMisplaced, match="100000 bytes of it are here"):
        send(arrival, b"y" * 10, offset=offset)
    assert kept(send(arrival, SONG[100_000:])) == SONG


def test_more_than_was_announced_is_refused_unread(arrival: Arrival) -> None:
    with pytest.raises(UploadRefused, match="announced with 700001 bytes"):
        uploads.append(arrival, offset=0, length=700_002, read=lambda _count: pytest.fail("it was read"))


def test_without_the_look_at_the_length_a_file_would_outgrow_what_was_announced(
    arrival: Arrival, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same lie where nobody compares; the row's own constraint is the last guard."""
    monkeypatch.setattr(uploads, "_claim", lambda arrival, **_how: arrival)
    with pytest.raises(DatabaseError):
        send(arrival, SONG + b"more")


def test_a_second_writer_is_refused_while_the_first_is_at_it(arrival: Arrival) -> None:
    def read(count: int) -> bytes:
        with pytest.raises(UploadBusy):
            send(Arrival.objects.get(pk=arrival.pk), SONG, offset=0)
        return first(count)

    first = reader(SONG)
    assert uploads.append(arrival, offset=0, length=len(SONG), read=read).state == "WHOLE"


def test_a_writer_who_slept_past_its_claim_writes_no_more(arrival: Arrival) -> None:
    other = b"other" + SONG[5:]

    def slow(count: int) -> bytes:
        Arrival.objects.filter(pk=arrival.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
        whole = send(Arrival.objects.get(pk=arrival.pk), other, offset=0)
        assert whole.state == "WHOLE"
        return SONG[:count]

    with pytest.raises(UploadBusy):
        with_slow_clock(arrival, slow)
    assert kept(Arrival.objects.get()) == other


def with_slow_clock(arrival: Arrival, read: Callable[[int], bytes]) -> None:
    """As if the first look at the clock after the claim came much later."""
    real = uploads._claim

    def late(*args, **how) -> Arrival:
        found = real(*args, **how)
        if found.fence == 1:
            found.claimed_until = timezone.now()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "_claim", late)
        uploads.append(arrival, offset=0, length=len(SONG), read=read)


def test_a_piece_with_a_wrong_checksum_counts_for_nothing(arrival: Arrival) -> None:
    right = uploads.Checksum("sha256", hashlib.sha256(SONG[:300_000]).digest())
    with pytest.raises(UploadDamaged):
        send(arrival, SONG[1:300_001], checksum=right)
    arrival.refresh_from_db()
    assert (arrival.received, arrival.claimed_until) == (0, None)
    arrival = send(arrival, SONG[:300_000], checksum=right)
    assert kept(send(arrival, SONG[300_000:])) == SONG


def test_a_piece_with_a_checksum_that_breaks_off_counts_for_nothing(arrival: Arrival) -> None:
    right = uploads.Checksum("sha256", hashlib.sha256(SONG).digest())
    assert send(arrival, SONG, comes=500_000, checksum=right).received == 0
    assert send(arrival, SONG, checksum=right).state == "WHOLE"


def test_another_file_than_was_promised_is_taken_back(parcel: Parcel) -> None:
    arrival = uploads.announce(parcel, path="a.flac", length=len(SONG), sha256="a" * 64)
    with pytest.raises(UploadDamaged, match="not the file that was announced"):
        send(arrival, SONG)
    assert not Arrival.objects.exists()
    assert not storage.exists(uploads._key(arrival))
    assert not drafts(arrival)


def test_a_file_whose_last_writer_was_killed_is_finished_by_the_next_look(
    arrival: Arrival, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(storage, "join", lambda *_args: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            send(arrival, SONG)
    arrival.refresh_from_db()
    assert (arrival.state, arrival.received) == ("ARRIVING", len(SONG))
    assert uploads.settle(arrival).sha256 == hashlib.sha256(SONG).hexdigest()


@pytest.mark.parametrize("here", [100_000, 600_000])
def test_kept_bytes_that_are_lost_are_noticed_and_the_file_begins_anew(arrival: Arrival, here: int) -> None:
    arrival = send(arrival, SONG[:here])
    storage.discard(uploads._key(arrival), arrival.pieces)
    with pytest.raises(StorageCorrupt, match="Upload it again"):
        send(arrival, SONG[here:])
    assert not Arrival.objects.exists()


def test_parts_put_together_wrongly_are_no_file(
    arrival: Arrival, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bucket says of the whole is held against what was sent to it; a folder has no parts."""
    if not settings.AUDIO_BUCKET:
        return
    arrival = send(arrival, SONG[:600_000])
    other = storage._checksum(b"other")
    real = botocore.client.BaseClient._make_api_call

    def crooked(client: Any, name: str, given: Any) -> Any:
        answer = real(client, name, given)
        return answer | {"ChecksumSHA256": f"{other}-3"} if name == "CompleteMultipartUpload" else answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", crooked)
    with pytest.raises(StorageCorrupt, match="put this file together wrongly"):
        send(arrival, SONG[600_000:])
    assert not storage.exists(uploads._key(arrival))
    assert not Arrival.objects.exists()


def test_an_empty_file_is_here_at_once(parcel: Parcel) -> None:
    arrival = uploads.announce(parcel, path="empty.flac", length=0)
    assert (arrival.state, arrival.sha256) == ("WHOLE", hashlib.sha256(b"").hexdigest())


def test_a_label_has_a_quota(parcel: Parcel, settings: LazySettings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 1000
    uploads.announce(parcel, path="a", length=600)
    with pytest.raises(QuotaReached, match=r"At most 1 kB may be on their way at a time, and 600 bytes are\."):
        uploads.announce(parcel, path="b", length=401)
    uploads.announce(parcel, path="b", length=400)
    others = uploads.parcel_of(make_label("Charlie's"), actor="user:2")
    assert uploads.announce(others, path="c", length=1000).length == 1000


def test_what_colleagues_have_on_the_way_counts_too(parcel: Parcel, label: Party, settings: LazySettings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 1000
    uploads.announce(parcel, path="a", length=600)
    with pytest.raises(QuotaReached):
        uploads.announce(uploads.parcel_of(label, actor="user:2"), path="b", length=600)


def test_what_is_kept_counts_against_what_a_label_may_have_in_all(
    parcel: Parcel, label: Party, settings: LazySettings
) -> None:
    settings.LABEL_QUOTA_BYTES = 10_000_000
    make_master(make_recording(label=label), bytes=9_000_000)
    make_master(make_recording(label=label), bytes=5_000_000, state=Master.State.REJECTED)
    make_master(make_recording(label=make_label("Charlie's")), bytes=5_000_000)
    uploads.announce(parcel, path="a", length=600_000)
    with pytest.raises(QuotaReached, match="500 kB do not fit: 400 kB of your label's 10 MB are left"):
        uploads.announce(parcel, path="b", length=500_000)
    assert uploads.room_of(label).left == 400_000
    settings.LABEL_QUOTA_BYTES = 0
    assert uploads.announce(parcel, path="b", length=500_000).length == 500_000


def test_a_file_that_never_fits_is_told_so(parcel: Parcel, settings: LazySettings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 1000
    with pytest.raises(QuotaReached, match=r"this file has 1\.5 kB\. Ask"):
        uploads.announce(parcel, path="a", length=1500)


def test_one_delivery_holds_so_many_files(parcel: Parcel, settings: LazySettings) -> None:
    settings.UPLOAD_MAX_FILES = 1
    uploads.announce(parcel, path="a", length=1)
    with pytest.raises(QuotaReached, match="at most 1"):
        uploads.announce(parcel, path="b", length=1)


def test_a_file_too_large_for_the_shop_is_refused_before_a_byte(parcel: Parcel, settings: LazySettings) -> None:
    settings.MASTER_MAX_BYTES = 1000
    with pytest.raises(UploadRefused, match="larger than"):
        uploads.announce(parcel, path="a", length=1001)


def test_what_nobody_goes_on_with_is_forgotten_with_its_bytes(arrival: Arrival) -> None:
    arrival = send(arrival, SONG, comes=300_000)
    soon, later = timezone.now() + timedelta(hours=23), timezone.now() + timedelta(hours=25)
    assert uploads.expire(at=soon) == 0
    assert uploads.expire(at=later) == 1
    assert not Arrival.objects.exists()
    assert not drafts(arrival)


def test_an_expired_file_takes_no_more_bytes_and_leaves_its_place(arrival: Arrival, parcel: Parcel) -> None:
    """Between its hour and the next sweep: nobody sends bytes that the sweep would throw away."""
    arrival = send(arrival, SONG[:300_000])
    Arrival.objects.update(expires_at=timezone.now())
    with pytest.raises(UploadExpired):
        send(arrival, SONG[300_000:])
    assert uploads.announce(parcel, path="song.flac", length=len(SONG)).path == "song.flac"
    assert not drafts(arrival)


def test_what_is_handed_in_does_not_expire(parcel: Parcel, arrival: Arrival) -> None:
    send(arrival, SONG)
    uploads.hand_in(parcel, order={}, at=timezone.now())
    assert uploads.expire(at=timezone.now() + timedelta(days=9)) == 0


def test_bytes_without_a_row_are_found_and_taken_back(arrival: Arrival) -> None:
    """A process killed between the storage and the row leaves them; nobody pays for ghosts after a day."""
    arrival = send(arrival, SONG, comes=300_000)
    uploads.forget_ghosts(at=timezone.now() + timedelta(days=2))
    arrival = send(arrival, SONG[300_000:600_000])
    assert arrival.received == 600_000, "what has a row is left alone"
    Arrival.objects.all().delete()
    uploads.forget_ghosts(at=timezone.now())
    assert drafts(arrival), "younger than a day: its row may be on its way"
    assert uploads.forget_ghosts(at=timezone.now() + timedelta(days=2))
    assert not drafts(arrival)


def listed(arrival: Arrival, settings: LazySettings) -> list[str]:
    """What the place itself says it holds of a file, asked past our own code; unfinished uploads are billed as well."""
    name = str(arrival.public_id)
    if not settings.AUDIO_BUCKET:
        return [path.name for path in Path(settings.AUDIO_ROOT).rglob(f"*{name}*")]
    bucket = storage._client(settings.S3_ENDPOINT_URL)
    begun = bucket.list_multipart_uploads(Bucket=settings.AUDIO_BUCKET).get("Uploads", [])
    kept = bucket.list_objects_v2(Bucket=settings.AUDIO_BUCKET, Prefix=storage.QUARANTINE).get("Contents", [])
    return [each["Key"] for each in [*begun, *kept] if name in each["Key"]]


@pytest.mark.parametrize("row", ["kept", "lost"])
def test_a_day_later_nobody_is_billed_for_what_broke_off(arrival: Arrival, settings: LazySettings, row: str) -> None:
    send(arrival, SONG, comes=600_000)
    assert listed(arrival, settings)
    if row == "lost":
        Arrival.objects.all().delete()
    a_day_later = timezone.now() + timedelta(hours=25)
    uploads.expire(at=a_day_later)
    uploads.forget_ghosts(at=a_day_later)
    assert listed(arrival, settings) == []


def test_a_file_that_was_taken_back_is_gone(arrival: Arrival) -> None:
    arrival = send(arrival, SONG)
    uploads.drop(arrival)
    assert not Arrival.objects.exists()
    assert not storage.exists(uploads._key(arrival))


def test_what_is_being_written_is_not_taken_back(arrival: Arrival) -> None:
    Arrival.objects.update(claimed_until=timezone.now() + timedelta(seconds=9))
    with pytest.raises(UploadBusy):
        uploads.drop(arrival)


def test_a_parcel_is_handed_in_once_and_whole(parcel: Parcel, arrival: Arrival) -> None:
    with pytest.raises(UploadRefused, match="1 file is still on the way"):
        uploads.hand_in(parcel, order={}, at=timezone.now())
    send(arrival, SONG)
    uploads.hand_in(parcel, order={"a": 1}, at=timezone.now())
    with pytest.raises(UploadMisplaced):
        uploads.hand_in(parcel, order={}, at=timezone.now())
    with pytest.raises(UploadMisplaced):
        uploads.announce(parcel, path="late.flac", length=1)


@pytest.mark.parametrize(
    ("told", "name", "place"),
    [
        ("Shore/CD 1/01.flac", "01.flac", "Shore/CD 1/01.flac"),
        ("../../etc/01.flac", "01.flac", "01.flac"),
        ("/etc/01.flac", "01.flac", "01.flac"),
        ("a/other.flac", "01.flac", "01.flac"),
        ("a/b\0/01.flac", "01.flac", "a/b_/01.flac"),
        ("..", "..", "unnamed"),
        ("a" * 300 + ".flac", "a" * 300 + ".flac", "a" * 195 + ".flac"),
        ("a\u202eb.flac", "a\u202eb.flac", "a_b.flac"),
    ],
)
def test_a_path_that_leads_elsewhere_is_only_a_name(told: str, name: str, place: str) -> None:
    assert uploads.plain_path(told, name) == place


def test_two_files_of_one_name_do_not_overwrite_each_other(parcel: Parcel) -> None:
    paths = [uploads.announce(parcel, path=path, length=9).path for path in ["a.jpg", "a.jpg", "a.jpg/b", "c", "c/d"]]
    assert paths == ["a.jpg", "2/a.jpg", "2/b", "c", "2/d"]
