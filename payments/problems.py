"""What a verification finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """The first row that does not fit: what it is, which one, and why."""

    where: str
    row: str
    what: str
