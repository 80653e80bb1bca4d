"""Which bytes a request asks for (RFC 9110 §14). Pure: a header and a size in, a span out.

Only a single range is served; several in one header are answered with the whole file, as the RFC allows.
"""

import re
from dataclasses import dataclass

_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)


class RangeUnsatisfiable(ValueError):
    """No byte of the file lies in the range; the answer is 416 with the file's size."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        return f"bytes {self.first}-{self.last}/{size}"


def parse(header: str, size: int) -> Span | None:
    """The span asked for, or None where the header asks for nothing we understand and the whole file is the answer.

    Raises RangeUnsatisfiable when the range is well formed but lies outside the file.
    """
    unit, _, specs = header.partition("=")
    if unit.strip().lower() != "bytes" or "," in specs:
        return None
    match = _SPEC.fullmatch(specs.strip())
    if match is None or match.group() == "-":
        return None
    first, last = match.groups()
    if not first:
        wanted = int(last)
        if wanted == 0 or size == 0:
            raise RangeUnsatisfiable(header)
        return Span(max(0, size - wanted), size - 1)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise RangeUnsatisfiable(header)
    return Span(int(first), min(int(last), size - 1) if last else size - 1)
