"""A tree of hashes over a list, as RFC 6962 grows it: one root for all, and twenty hashes to show that one is under it.

Pure. Leaves and roots are 32 bytes; a leaf here is the hash of a seal.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def roots(data: Iterable[bytes], sizes: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The root over the first `size` of the list, for each size asked for, in one pass; sizes beyond it get none."""
    wanted = set(sizes)
    if 0 in wanted:
        yield 0, EMPTY
    peaks: list[tuple[int, bytes]] = []  # whole subtrees from left to right, each smaller than the one before
    for size, one in enumerate(data, start=1):
        peaks.append((1, leaf(one)))
        while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
            (width, right), (_, left) = peaks.pop(), peaks.pop()
            peaks.append((2 * width, node(left, right)))
        if size in wanted:
            yield size, _bagged([peak for _, peak in peaks])


def root(data: Iterable[bytes]) -> bytes:
    listed = list(data)
    return next(found for _, found in roots(listed, [len(listed)]))


def paths(data: Iterable[bytes], indexes: Collection[int]) -> dict[int, list[bytes]]:
    """For each index the hashes beside its way to the root, from the leaf upwards."""
    found: dict[int, list[bytes]] = {index: [] for index in indexes}
    places = {index: index for index in indexes}
    level = [leaf(one) for one in data]
    while len(level) > 1:
        for index, place in places.items():
            if place ^ 1 < len(level):
                found[index].append(level[place ^ 1])
            places[index] = place // 2
        above = [node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level = above + level[len(level) - len(level) % 2 :]  # one without a sibling moves up as it is
    return found


def climb(data: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to; None where the path is too long or too short for that place."""
    if not 0 <= index < size:
        return None
    here, last, rest = leaf(data), size - 1, list(path)
    while last:
        if index % 2:
            if not rest:
                return None
            here = node(rest.pop(0), here)
        elif index < last:
            if not rest:
                return None
            here = node(here, rest.pop(0))
        index, last = index // 2, last // 2
    return None if rest else here


def _bagged(peaks: list[bytes]) -> bytes:
    whole = peaks[-1]
    for peak in reversed(peaks[:-1]):
        whole = node(peak, whole)
    return whole
