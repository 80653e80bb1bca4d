"""Encoders beside ffmpeg that an operator may have installed: where they are, what they are told, what they can read.

Nothing is started here; `encode` hands the words to the fence. Whoever answers pages and whoever encodes must have the
same ones installed: what is offered is what is found here. Found once, since a server does not lose its programs.
"""

import functools
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JARS = (Path("/usr/share/java/jmac.jar"),)
JAVA_SETTINGS = (Path("/etc/java-17-openjdk"), Path("/etc/java-21-openjdk"), Path("/etc/alternatives"))
# A Java that keeps to the fence's memory: a small heap, and none of the gigabytes it reserves to be on the safe side.
JAVA_WORDS = ("-Xmx192m", "-Xss1m", "-XX:+UseSerialGC", "-XX:CompressedClassSpaceSize=32m", "-XX:TieredStopAtLevel=4",
              "-XX:ReservedCodeCacheSize=48m", "-XX:-UsePerfData", "-Djava.awt.headless=true")  # fmt: skip
JMAC_CLASS = "davaguine.jmac.core.jmacu"
EXTENSIBLE = 0xFFFE
PLAIN = 1
_LONG_HEADER = 68
_SHORT_HEADER = 44


@dataclass(frozen=True)
class Encoder:
    """`packages` are Debian's, for the operator who wants it."""

    name: str
    packages: str


FFMPEG = Encoder("ffmpeg", "the wheel imageio-ffmpeg, which comes with this shop")
MPCENC = Encoder("mpcenc", "musepack-tools")
JMAC = Encoder("jmac", "libjmac-java and default-jre-headless")
OGGENC = Encoder("oggenc", "vorbis-tools")
LAME = Encoder("lame", "lame")
LARGEST = 2**31  # bytes of a WAV that any of them reads


@functools.cache
def program(encoder: Encoder) -> tuple[str, ...]:
    """The words that start it; none where it is not installed."""
    if encoder == JMAC:
        found, jar = shutil.which("java"), next((path for path in JARS if path.exists()), None)
        if not found or jar is None:
            return ()
        java = Path(found).resolve()
        # A Java finds its own parts through /proc, which the fence has not got: so it is told.
        parts = ("/usr/bin/env", f"LD_LIBRARY_PATH={java.parent.parent / 'lib'}")
        return (*parts, str(java), *JAVA_WORDS, "-cp", str(jar), JMAC_CLASS)
    found = shutil.which(encoder.name)
    return (str(Path(found).resolve()),) if found else ()


def installed(encoder: Encoder) -> bool:
    return encoder == FFMPEG or bool(program(encoder))


def command(encoder: Encoder, options: Sequence[str], source: Path, target: Path) -> list[str]:
    """Turn the WAV at `source` into `target`."""
    into = ("--output",) if encoder == OGGENC else ()
    return [*program(encoder), *options, str(source), *into, str(target)]


def instead(options: Sequence[str], *, rate: int) -> tuple[Encoder, tuple[str, ...]] | None:
    """The encoder's own program, and its words, for what ffmpeg would be told by `options`: where it is installed and
    serves better than its library inside ffmpeg. docs/performance.md has the figures.

    libvorbis: ffmpeg 9 hands it 64 samples at a time from thread to thread, which doubles the cost of the same file.
    libmp3lame: the wheel carries an alpha of LAME 4, which at constant bit rates lets more noise through in the bass
    and above 16 kHz than the LAME 3.100 of distributions, at the same size. By quality both give the same.
    """
    words = dict(zip(options[::2], options[1::2], strict=False))
    if words.get("-c:a") == "libvorbis" and "-q:a" in words and program(OGGENC):
        return OGGENC, ("--quiet", "--serial", "0", "--quality", words["-q:a"])
    if words.get("-c:a") == "libmp3lame" and "-b:a" in words and program(LAME):
        kept = f"{rate / 1000:g}"  # at low bit rates it would choose a lower sample rate by itself
        return LAME, ("--quiet", "--noreplaygain", "--resample", kept, "-b", words["-b:a"].removesuffix("k"))
    return None


def simplify(path: Path) -> None:
    """Give a WAV from ffmpeg the plain header that older readers want, in place.

    For 24 bits or more than 48 kHz ffmpeg writes WAVE_FORMAT_EXTENSIBLE, 24 bytes longer; those become a chunk that
    readers skip, so that the sound stays where it is.
    """
    with path.open("r+b") as file:
        head = file.read(_LONG_HEADER)
        if len(head) < _SHORT_HEADER or head[:4] != b"RIFF" or head[12:16] != b"fmt ":
            raise ValueError(f"{path.name} is not a WAV file as ffmpeg writes it.")
        (length,), (tag,) = struct.unpack("<I", head[16:20]), struct.unpack("<H", head[20:22])
        if tag != EXTENSIBLE or length != 40 or head[60:64] != b"data":  # noqa: PLR2004 - the length of its long form
            return
        plain = struct.pack("<4sI", b"fmt ", 16) + struct.pack("<H", PLAIN) + head[22:36]
        file.seek(12)
        file.write(plain + struct.pack("<4sI", b"JUNK", 16) + bytes(16))


def reads(encoder: Encoder) -> list[Path]:
    """What it needs of the system beyond `/usr`: a Java keeps its settings elsewhere."""
    return [*JAVA_SETTINGS] if encoder == JMAC else []
