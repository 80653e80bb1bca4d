"""Files that point elsewhere, at an address or a neighbour, are refused; nothing is asked or heard of what they name.

Each is tried twice: through the door, where it is known by its first bytes, and past it, straight into the fence with
every demuxer that we ever name. There the whitelists alone must hold.
"""

import contextlib
import struct
import subprocess
from pathlib import Path

import pytest

from store import tagreading
from tests.factories.transcoding import deliver
from tests.transcoding import bombs, sounds
from transcoding import containers, probe, sandbox
from transcoding.errors import ProcessFailed
from transcoding.models import Master

NEIGHBOUR = 3.0  # seconds; the song itself lasts two
REFERENCES = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXTINF:9,\nneighbour.wav\n#EXT-X-ENDLIST\n",
    "hls of keys": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"\n#EXTINF:9,\nneighbour.wav\n#EXT-X-ENDLIST\n',
    "concat": "ffconcat version 1.0\nfile 'neighbour.wav'\nfile '{url}/b.wav'\n",
    "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><AdaptationSet><Representation>"
    "<BaseURL>{url}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    "smooth streaming": "<?xml version='1.0'?><SmoothStreamingMedia><StreamIndex Url='{url}'/></SmoothStreamingMedia>",
    "asx": "<asx version='3.0'><entry><ref href='{url}/a.mp3'/></entry></asx>",
    "pls": "[playlist]\nFile1={url}/a.mp3\nFile2=neighbour.wav\nNumberOfEntries=2\n",
    "subrip": "1\n00:00:00,000 --> 00:00:09,000\n{url}/a.ts\n",
    "sub station": "[Script Info]\nScriptType: v4.00+\n\n[Events]\nDialogue: 0,0:00:00.00,0:00:09.00,{url}\n",
    "webvtt": "WEBVTT\n\n00:00.000 --> 00:09.000\n{url}\n",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='{url}/a.png'/></svg>",
    "cue sheet": 'FILE "neighbour.wav" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
}


def gab2_avi(inner: bytes) -> bytes:
    """An AVI with subtitles that are themselves a file: how a playlist once came into ffmpeg by the back door."""
    text = b"GAB2\0\x02\0" + struct.pack("<I", 2) + b"x\0" + struct.pack("<HI", 4, len(inner)) + inner
    chunk = b"01tx" + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    body = b"AVI LIST" + struct.pack("<I", 4) + b"hdrlLIST" + struct.pack("<I", 4 + len(chunk)) + b"movi" + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sounds.write_wav(tmp_path / "neighbour.wav", seconds=NEIGHBOUR)
    return tmp_path


@pytest.mark.django_db
@pytest.mark.parametrize("suffix", ["flac", "mp3", "m4a"])
@pytest.mark.parametrize("kind", [*REFERENCES, "avi"])
def test_what_points_elsewhere_is_refused_and_nobody_is_asked(
    folder: Path, canary: tuple[str, list[str]], kind: str, suffix: str
) -> None:
    url, asked = canary
    inner = REFERENCES["hls" if kind == "avi" else kind].replace("{url}", url).encode()
    path = folder / f"song.{suffix}"
    path.write_bytes(gab2_avi(inner) if kind == "avi" else inner)
    master = deliver(path)
    assert (master.state, master.findings.get().code) == (Master.State.REJECTED, "NOT_AUDIO")
    assert asked == []


def heard(path: Path, container: str) -> int:
    """Bytes that ffmpeg decodes from a file when told to take it for this."""
    got = bytearray()
    args = ["-loglevel", "error", *probe.input_args(path, container, strict=False), "-f", "s16le", "pipe:1"]
    limits = sandbox.Limits(wall_seconds=20, stdout_bytes=10**7)
    with contextlib.suppress(ProcessFailed):
        sandbox.run(args, inputs=[path], limits=limits, on_output=got.extend)
    return len(got)


@pytest.mark.parametrize("fence", ["limits", "the best there is"])
@pytest.mark.parametrize("kind", ["hls", "concat", "dash"])
def test_past_the_door_the_fence_alone_holds(
    folder: Path, canary: tuple[str, list[str]], monkeypatch, kind: str, fence: str
) -> None:
    url, asked = canary
    if fence == "limits":
        monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")
    path = folder / "song.mp3"
    path.write_text(REFERENCES[kind].replace("{url}", url))
    assert [name for name in containers.CONTAINERS if heard(path, name)] == []
    assert asked == []


def test_without_fence_and_whitelists_the_address_is_asked(folder: Path, canary: tuple[str, list[str]]) -> None:
    """The control: the playlist is one that ffmpeg would follow."""
    url, asked = canary
    path = folder / "song.m3u8"
    path.write_text(REFERENCES["hls"].replace("{url}", url))
    command = [sandbox.ffmpeg(), "-loglevel", "quiet", "-protocol_whitelist", "file,http,tcp", "-f", "hls"]
    subprocess.run([*command, "-i", str(path), "-f", "null", "-"], check=False, timeout=30)
    assert asked


# --- films whose sound is in another file ---


def outside(data: bytes, entry: bytes) -> bytes:
    """The film with its data reference replaced by another of the same length or more."""
    at = data.index(b"dref") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    dref = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    grown = bytearray(data[:at] + dref + data[at + length :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = grown.index(name) - 4
        grown[place : place + 4] = (int.from_bytes(grown[place : place + 4], "big") + len(dref) - length).to_bytes(4)
    return bytes(grown)


def alias(name: bytes) -> bytes:
    """A Macintosh alias to a file in the same folder, as QuickTime wrote them."""
    record = b"\0" * 4 + struct.pack(">HHH", 150, 2, 0) + b"\x04disk".ljust(28, b"\0") + b"\0" * 12
    record += bytes([len(name)]) + name.ljust(63, b"\0") + b"\0" * 16 + struct.pack(">hh", 0, 0) + b"\0" * 16
    path = b"/" + name
    record += struct.pack(">hh", 18, len(path)) + path + b"\0" * (len(path) % 2) + struct.pack(">hh", -1, 0)
    return struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["address", "neighbour", "alias", "empty"])
def test_a_film_whose_sound_is_in_another_file_is_refused(
    audio: Path, folder: Path, canary: tuple[str, list[str]], kind: str
) -> None:
    url, asked = canary
    told = {"address": url.encode() + b"/a.m4a\0", "neighbour": b"neighbour.wav\0", "empty": b""}
    entry = alias(b"neighbour.wav")
    if kind != "alias":
        entry = struct.pack(">I4sI", 12 + len(told[kind]), b"url ", 0) + told[kind]
    path = folder / "film.m4a"
    path.write_bytes(outside((audio / "plain.m4a").read_bytes(), entry))
    master = deliver(path)
    assert (master.state, master.findings.get().code) == (Master.State.REJECTED, "REFERS_ELSEWHERE")
    assert asked == []


def test_a_film_that_holds_its_own_sound_is_whole(audio: Path, tmp_path: Path) -> None:
    (tmp_path / "film.m4a").write_bytes(outside((audio / "plain.m4a").read_bytes(), b"\0\0\0\x0curl \0\0\0\x01"))
    assert containers.read(tmp_path / "film.m4a").container is containers.MOV


@pytest.mark.parametrize("fence", ["limits", "the best there is"])
def test_past_the_door_ffmpeg_does_not_follow_a_film(
    audio: Path, folder: Path, canary: tuple[str, list[str]], monkeypatch, fence: str
) -> None:
    url, asked = canary
    if fence == "limits":
        monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")
    path = folder / "film.m4a"
    for entry in (alias(b"neighbour.wav"), struct.pack(">I4sI", 12 + len(url) + 1, b"url ", 0) + url.encode() + b"\0"):
        path.write_bytes(outside((audio / "plain.m4a").read_bytes(), entry))
        assert heard(path, "mov") <= 88_200 * 4
    assert asked == []


# --- pictures that are an address ---


def test_a_cover_that_is_an_address_is_not_fetched(audio: Path, folder: Path, canary: tuple[str, list[str]]) -> None:
    """ID3 lets a picture be a link."""
    url, asked = canary
    content = b"\0-->\0\x03\0" + url.encode() + b"/cover.png"
    frame = b"APIC" + bombs.syncsafe(len(content)) + b"\0\0" + content
    path = folder / "song.mp3"
    path.write_bytes(bombs.id3(frame) + (audio / "plain.mp3").read_bytes())
    tagreading.read(path, with_cover=True)
    assert probe.header(path).codec == "mp3"
    assert asked == []
