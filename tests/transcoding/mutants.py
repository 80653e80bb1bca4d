"""Files that went wrong, made on the spot from sound ones; the same number gives the same file each time."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.transcoding import sounds

HEAD = 600  # bytes in which most of what a header says lies
EXTREMES = [
    b"\0" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x01",
    b"\x01\0\0\0",
]
Change = Callable[[bytearray, random.Random], None]


def seeds(folder: Path) -> list[Path]:
    """A fifth of a second in every container that is taken, with a few tags to go wrong."""
    plain = sounds.write_wav(folder / "plain.wav", seconds=0.2)
    tags = ("-metadata", "title=Song", "-metadata", "artist=Ana", "-metadata", "comment=" + "words " * 20)
    made = {
        "wav": (), "flac": (), "aiff": (), "wv": (), "m4a": ("-c:a", "alac"), "aac.m4a": ("-c:a", "aac"),
        "ogg": ("-c:a", "libvorbis"), "opus": ("-c:a", "libopus"), "mp3": ("-c:a", "libmp3lame"),
    }  # fmt: skip
    return [sounds.convert(plain, folder / f"seed.{ending}", *args, *tags) for ending, args in made.items()]


def mutant(data: bytes, number: int, others: list[bytes]) -> bytes:
    """One to twenty changes, half of them where the header is."""
    chance = random.Random(number)
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 5, 20])):
        chance.choice(CHANGES)(changed, chance)
        if not changed:
            changed += b"\0"
    if chance.random() < 0.05:
        other = chance.choice(others)
        changed[_place(changed, chance) :] = other[chance.randrange(len(other)) :]
    return bytes(changed)


def _place(data: bytearray, chance: random.Random) -> int:
    return chance.randrange(min(len(data), HEAD) if chance.random() < 0.5 else len(data))


def _bit(data: bytearray, chance: random.Random) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: random.Random) -> None:
    data[_place(data, chance)] = chance.choice([0, 0xFF, 0x7F, 0x80, chance.randrange(256)])


def _number(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    data[at : at + 4] = chance.choice(EXTREMES)


def _noise(data: bytearray, chance: random.Random) -> None:
    at, length = _place(data, chance), chance.randrange(1, 200)
    data[at : at + length] = chance.randbytes(length)


def _cut_out(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    del data[at : at + chance.randrange(1, 400)]


def _double(data: bytearray, chance: random.Random) -> None:
    at, length = _place(data, chance), chance.randrange(1, 400)
    data[at:at] = data[at : at + length]


def _grow(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    data[at:at] = bytes([chance.choice([0, 0xFF, 0x41])]) * chance.randrange(1, 5000)


def _end(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data) + 1) :]


CHANGES: list[Change] = [_bit, _bit, _byte, _byte, _number, _number, _noise, _cut_out, _double, _grow, _end]


def odd(data: bytes) -> Iterator[bytes]:
    """The same file with each of its first 56 bytes at nought, and at 255."""
    for at in range(56):
        for value in (0, 0xFF):
            yield data[:at] + bytes([value]) + data[at + 1 :]
