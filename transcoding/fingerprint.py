"""Knowing a sound again that is not the same to the bit: another codec, level or cut. Pure.

Chromaprint describes each eighth of a second by 32 bits, of which most survive what people do to files. `marks` are
the few values of a sound that come first in an order that has nothing to do with music: two sounds that share many
values share marks, so one index finds candidates. `compare` then lays one over the other and counts the bits.
"""

import base64
import binascii
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

SECONDS = 120  # of a sound that are described; what AcoustID uses too
PER_SECOND = 7.8
MARKS = 64
LEAST_MARKS = 2  # that candidates share
FEWEST = 16  # values: two seconds
WINDOW = 32  # values that are compared at a time: four seconds
DULL = 6  # different values in a window at least; fewer are silence or a single tone, and alike everywhere
ALIKE = 0.22  # bits that differ, of one; strangers differ in 0.4 to 0.5
OFFSETS = 6  # ways to lay one over the other that are tried
_SALT = np.uint32(0x9E3779B1)


@dataclass(frozen=True)
class Alike:
    """For how many seconds two sounds are alike, and what part of the bits agrees there."""

    seconds: float
    agreeing: float


def decode(text: str) -> Words:
    """The values of a fingerprint as Chromaprint writes it: Base64 of a packed list of which bits change.

    After four bytes (algorithm, count) come three bits for each step to the next changed bit, nought ending a value; a
    seven means that five more bits, after all the threes, are to be added. Empty for what is no fingerprint.
    """
    try:
        data = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
    except (ValueError, binascii.Error):
        return np.zeros(0, dtype=np.uint32)
    if len(data) < 4:  # noqa: PLR2004 - its head
        return np.zeros(0, dtype=np.uint32)
    count = int.from_bytes(data[1:4], "big")
    bits = np.unpackbits(np.frombuffer(data[4:], dtype=np.uint8), bitorder="little")
    threes = bits[: len(bits) // 3 * 3].reshape(-1, 3) @ np.array([1, 2, 4])
    ends = np.flatnonzero(threes == 0)
    if count == 0 or len(ends) < count:
        return np.zeros(0, dtype=np.uint32)
    steps = threes[: ends[count - 1] + 1].astype(np.int64)
    large = np.flatnonzero(steps == 7)  # noqa: PLR2004
    start = -(-3 * len(steps) // 8) * 8
    fives = bits[start : start + 5 * len(large)]
    if len(fives) < 5 * len(large):
        return np.zeros(0, dtype=np.uint32)
    steps[large] += fives.reshape(-1, 5) @ np.array([1, 2, 4, 8, 16])
    return _words(steps)


def _words(steps: npt.NDArray[np.int64]) -> Words:
    found, word, place = [], 0, 0
    for step in steps.tolist():
        if step == 0:
            found.append(word)
            place = 0
            continue
        place += step
        word ^= 1 << (place - 1) & 0xFFFFFFFF
    return np.array(found, dtype=np.uint32)


def marks(words: Words) -> list[int]:
    """At most MARKS of the values, as signed numbers; none of what stands still, as silence does."""
    if len(words) < FEWEST:
        return []
    moving = np.ones(len(words), dtype=bool)
    moving[1:] = words[1:] != words[:-1]
    moving[:-1] &= words[:-1] != words[1:]
    found = np.unique(words[moving])
    if len(found) < DULL:
        return []
    order = _mixed(found)
    return sorted(int(value) for value in found[np.argsort(order, kind="stable")[:MARKS]].view(np.int32))


def _mixed(words: Words) -> Words:
    """A number for each value that says nothing about its bits."""
    mixed = words * _SALT
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x85EBCA77)
    mixed ^= mixed >> np.uint32(13)
    return mixed


def compare(one: Words, other: Words) -> Alike:
    """The longest likeness among the likeliest ways to lay one over the other."""
    best = Alike(0.0, 0.0)
    if min(len(one), len(other)) < FEWEST:
        return best
    for offset in _offsets(one, other):
        start, end = max(0, -offset), min(len(one), len(other) - offset)
        if end - start >= FEWEST:
            found = _laid(one[start:end], other[start + offset : end + offset])
            best = max(best, found, key=lambda alike: (alike.seconds, alike.agreeing))
    return best


def _offsets(one: Words, other: Words) -> list[int]:
    """Where in `other` the start of `one` would lie, the most often voted for first; equal values vote."""
    where: dict[int, list[int]] = {}
    for place, word in enumerate(other.tolist()):
        where.setdefault(word, []).append(place)
    votes: dict[int, int] = {0: 1}
    for place, word in enumerate(one.tolist()):
        for there in where.get(word, ())[:8]:
            votes[there - place] = votes.get(there - place, 0) + 1
    return sorted(votes, key=lambda offset: (-votes[offset], abs(offset)))[:OFFSETS]


def _laid(one: Words, other: Words) -> Alike:
    """How many windows are alike, of two equally long pieces."""
    errors = np.bitwise_count(one ^ other)
    windows = max(1, len(one) // WINDOW)
    width = min(WINDOW, len(one))
    alike, wrong = 0, 0
    for at in range(0, windows * width, width):
        bits = int(errors[at : at + width].sum())
        if len(np.unique(one[at : at + width])) >= DULL and bits <= ALIKE * 32 * width:
            alike, wrong = alike + 1, wrong + bits
    if not alike:
        return Alike(0.0, 0.0)
    return Alike(alike * width / PER_SECOND, 1 - wrong / (alike * width * 32))
