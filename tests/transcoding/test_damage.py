"""Files that lost something on the way, or are not what they seem: refused, or the bytes that the label signed off.

A WAV whose bytes were altered plays as well as one that was not: no examination finds that. Only the hash that was
taken where the file came from does, and that the bytes in our hands are those ever since.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from catalog.models import Party
from tests.factories.catalog import make_label
from tests.factories.transcoding import deliver
from tests.transcoding import sounds
from transcoding import masters, storage, uploads
from transcoding.errors import UploadDamaged
from transcoding.models import Arrival, Master

pytestmark = pytest.mark.django_db
NAMES = [f"plain.{suffix}" for suffix in ("wav", "flac", "aiff", "m4a", "ogg", "opus", "mp3", "wv")] + ["aac.m4a"]
KINDS = ["cut at 1 %", "cut at 25 %", "cut at 50 %", "cut at 99 %", "one bit", "forty bytes", "polyglot", "behind it"]


def damaged(data: bytes, kind: str) -> bytes:
    if kind.startswith("cut"):
        return data[: len(data) * int(kind.split()[2]) // 100]
    if kind == "one bit":
        at = int(np.random.default_rng(len(data)).integers(len(data) // 3, len(data)))
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    if kind == "forty bytes":
        at = len(data) // 2
        return data[:at] + bytes(byte ^ 0x55 for byte in data[at : at + 40]) + data[at + 40 :]
    if kind == "polyglot":
        return b"%PDF-1.7\n<html><script>alert(1)</script>" + data
    return data + b"PK\x03\x04 and what a zip holds, which is found from its end" + b"PK\x05\x06" + b"\0" * 18


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_refused_or_the_bytes_are_proved(audio: Path, tmp_path: Path, name: str, kind: str) -> None:
    """The promise holds for all; what cannot be found by listening is said by the hash, see below."""
    data = damaged((audio / name).read_bytes(), kind)
    (tmp_path / name).write_bytes(data)
    master = deliver(tmp_path / name)
    if master.state == Master.State.REJECTED:
        assert master.findings.get().message.endswith(".")
        return
    assert not kind.startswith("cut")
    assert kind != "polyglot"
    assert master.file_sha256 == hashlib.sha256(data).hexdigest()
    assert b"".join(storage.read_whole(master.storage_key, master.bytes)) == data


@pytest.fixture
def label() -> Party:
    return make_label("Bob's Records")


def send(label: Party, data: bytes, *, promised: str) -> Arrival:
    parcel = uploads.parcel_of(label, actor="user:7")
    arrival = uploads.announce(parcel, path="song", length=len(data), sha256=promised)
    return uploads.append(arrival, offset=0, length=len(data), read=io.BytesIO(data).read)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_the_label_signed_off_is_held_against_what_arrives(
    audio: Path, label: Party, name: str, kind: str
) -> None:
    whole = (audio / name).read_bytes()
    with pytest.raises(UploadDamaged, match="not the file that was announced"):
        send(label, damaged(whole, kind), promised=hashlib.sha256(whole).hexdigest())
    assert not Arrival.objects.exists()


def test_without_that_hash_an_altered_wav_is_taken(audio: Path, label: Party) -> None:
    """The control: nothing else could tell."""
    arrival = send(label, damaged((audio / "plain.wav").read_bytes(), "one bit"), promised="")
    assert arrival.state == Arrival.State.WHOLE


def test_bytes_that_change_in_our_hands_are_not_accepted(audio: Path) -> None:
    master = deliver(audio / "plain.wav", examine=False)
    kept = storage.path_of(master.storage_key)
    assert kept is not None
    kept.chmod(0o644)
    kept.write_bytes(damaged(kept.read_bytes(), "one bit"))
    masters.examine(master.pk)
    master.refresh_from_db()
    assert (master.state, master.attempts) == (Master.State.EXAMINING, 1)


@pytest.mark.parametrize("suffix", ["mp3", "wav", "m4a"])
def test_a_wrong_ending_changes_nothing(audio: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song.{suffix}"
    path.write_bytes((audio / "plain.flac").read_bytes())
    assert deliver(path).container == "flac"


def test_an_mp3_in_a_wav_is_no_lossless_master(audio: Path, tmp_path: Path) -> None:
    path = sounds.convert(audio / "plain.wav", tmp_path / "x.wav", "-c:a", "libmp3lame")
    assert deliver(path).findings.get().code == "CODEC_NOT_TAKEN"
