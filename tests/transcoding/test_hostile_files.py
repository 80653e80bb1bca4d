"""Files that lie, are cut short, point elsewhere or swell: refused with a reason, and nothing gets out."""

import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.factories.catalog import make_recording
from tests.factories.transcoding import deliver
from tests.transcoding import sounds
from transcoding import containers, masters, sandbox
from transcoding.errors import UploadRefused
from transcoding.models import Master

pytestmark = pytest.mark.django_db
NAMES = [f"plain.{suffix}" for suffix in ("wav", "flac", "aiff", "m4a", "ogg", "opus", "mp3", "wv")] + ["aac.m4a"]


def refusal(path: Path) -> str:
    master = deliver(path)
    assert master.state == Master.State.REJECTED
    return master.findings.get().code


@pytest.mark.parametrize("share", [0.25, 0.5, 0.99])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_short_is_refused(audio: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (audio / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: int(len(data) * share)])
    assert refusal(cut) in {"TRUNCATED", "DAMAGED", "NOT_AUDIO"}


def test_ffmpeg_alone_would_have_taken_it(audio: Path, tmp_path: Path) -> None:
    """The control of the test above: without our comparison, half a song passes for a whole one."""
    data = (audio / "plain.flac").read_bytes()
    (tmp_path / "half.flac").write_bytes(data[: len(data) // 2])
    command = [sandbox.ffmpeg(), "-loglevel", "quiet", "-i", str(tmp_path / "half.flac"), "-f", "null", "-"]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("name", ["plain.flac", "plain.wv"])
def test_flipped_bytes_in_the_sound_are_found(audio: Path, tmp_path: Path, name: str) -> None:
    data = bytearray((audio / name).read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 40):
        data[at] ^= 0x55
    (tmp_path / name).write_bytes(data)
    assert refusal(tmp_path / name) in {"DAMAGED", "TRUNCATED"}


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile 'neighbour.wav'\nfile '{url}/b.wav'\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{url}/</BaseURL></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        b"RIFF\x20\0\0\0AVI LIST",
        b"hello, I am a poem\n",
        b"\0" * 4096,
        b"PK\x03\x04" + b"\0" * 64,
        b"%PDF-1.7\n",
    ],
    ids=["hls", "ffconcat", "dash", "sdp", "avi", "text", "zeros", "zip", "pdf"],
)
@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".m4a"])
def test_playlists_and_strangers_are_refused_and_nobody_is_asked(
    audio: Path, tmp_path: Path, canary: tuple[str, list[str]], content: bytes, suffix: str
) -> None:
    url, asked = canary
    (tmp_path / "neighbour.wav").write_bytes((audio / "plain.wav").read_bytes())
    disguised = tmp_path / f"song{suffix}"
    disguised.write_bytes(content.replace(b"{url}", url.encode()))
    assert refusal(disguised) == "NOT_AUDIO"
    assert asked == []


def test_ffmpeg_alone_would_have_asked(tmp_path: Path, canary: tuple[str, list[str]]) -> None:
    """The control: handed the same playlist without our fence, ffmpeg reads the neighbour it names."""
    sounds.write_wav(tmp_path / "neighbour.wav", seconds=0.1)
    disguised = tmp_path / "song.mp3"
    disguised.write_bytes(b"ffconcat version 1.0\nfile 'neighbour.wav'\n")
    command = [sandbox.ffmpeg(), "-loglevel", "quiet", "-i", str(disguised), "-f", "null", "-"]
    assert subprocess.run(command, check=False).returncode == 0


def test_a_film_with_references_to_other_files_is_not_followed(audio: Path, tmp_path: Path) -> None:
    data = (audio / "plain.m4a").read_bytes()
    at = data.find(b"url \x00\x00\x00\x01")
    assert at > 0
    outside = data[:at] + b"url \x00\x00\x00\x00" + data[at + 8 :]
    (tmp_path / "refs.m4a").write_bytes(outside)
    assert deliver(tmp_path / "refs.m4a").state in {Master.State.ACCEPTED, Master.State.REJECTED}


def test_mp3_inside_wav_is_no_delivery_format(audio: Path, tmp_path: Path) -> None:
    sounds.convert(audio / "plain.wav", tmp_path / "x.wav", "-c:a", "libmp3lame")
    assert refusal(tmp_path / "x.wav") == "CODEC_NOT_TAKEN"


def test_a_bomb_is_refused_by_its_header(audio: Path, tmp_path: Path) -> None:
    """A header that claims a day of sound is refused before a sample is decoded."""
    data = bytearray((audio / "plain.flac").read_bytes())
    packed = int.from_bytes(data[18:26], "big") & ~((1 << 36) - 1) | 24 * 3600 * 44100
    data[18:26] = packed.to_bytes(8, "big")
    (tmp_path / "day.flac").write_bytes(data)
    begun = time.monotonic()
    assert refusal(tmp_path / "day.flac") == "TOO_LONG"
    assert time.monotonic() - begun < 5


def test_a_header_that_claims_less_than_decodes_is_refused(audio: Path, tmp_path: Path) -> None:
    data = bytearray((audio / "plain.flac").read_bytes())
    packed = int.from_bytes(data[18:26], "big") & ~((1 << 36) - 1) | 1000
    data[18:26] = packed.to_bytes(8, "big")
    (tmp_path / "short.flac").write_bytes(data)
    assert refusal(tmp_path / "short.flac") in {"TRUNCATED", "DAMAGED"}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("-ac", "6"), "TOO_MANY_CHANNELS"),
        (("-c:a", "pcm_f32le"), "DEPTH_NOT_TAKEN"),
        (("-c:a", "pcm_s32le"), "DEPTH_NOT_TAKEN"),
        (("-ar", "384000"), "RATE_NOT_TAKEN"),
        (("-ar", "4000"), "RATE_NOT_TAKEN"),
    ],
)
def test_what_cannot_be_sold_yet_is_refused_with_its_reason(
    audio: Path, tmp_path: Path, args: tuple[str, ...], code: str
) -> None:
    assert refusal(sounds.convert(audio / "plain.wav", tmp_path / "odd.wav", "-t", "0.2", *args)) == code


def test_an_empty_file_is_not_even_taken(tmp_path: Path) -> None:
    (tmp_path / "nothing.flac").write_bytes(b"")
    upload = masters.start_upload("nothing.flac", actor="user:1")
    with pytest.raises(UploadRefused, match="empty"):
        masters.finish_upload(upload, path=tmp_path / "nothing.flac", recording=make_recording())


def test_a_file_above_the_limit_is_not_taken(audio: Path, settings) -> None:
    settings.MASTER_MAX_BYTES = 1000
    upload = masters.start_upload("plain.flac", actor="user:1")
    with pytest.raises(UploadRefused, match="larger"):
        masters.finish_upload(upload, path=audio / "plain.flac", recording=make_recording())


@pytest.mark.parametrize("seed", range(12))
def test_no_mutant_crashes_the_examination(audio: Path, tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    data = bytearray((audio / NAMES[seed % len(NAMES)]).read_bytes()[:30_000])
    for at in chance.integers(0, 600, 12):
        data[at] = int(chance.integers(0, 256))
    (tmp_path / "mutant").write_bytes(data)
    assert deliver(tmp_path / "mutant").state in {Master.State.ACCEPTED, Master.State.REJECTED}


def test_a_chunk_that_claims_nonsense_is_read_within_bounds(tmp_path: Path) -> None:
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFF0) + b"WAVE" + (b"junk" + struct.pack("<I", 0)) * 5000
    (tmp_path / "chunks.wav").write_bytes(head)
    assert containers.read(tmp_path / "chunks.wav").missing


def test_a_hybrid_wavpack_without_its_correction_is_lossy(audio: Path, tmp_path: Path) -> None:
    data = bytearray((audio / "plain.wv").read_bytes())
    data[24] |= containers.HYBRID_FLAG
    (tmp_path / "hybrid.wv").write_bytes(data)
    assert containers.read(tmp_path / "hybrid.wv").hybrid
