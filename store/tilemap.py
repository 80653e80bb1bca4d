"""A map of the world in which every country is one square of the same size, so that none is too small to see. Pure.

The squares are `data/tilemap.csv`, laid out by hand: each near its neighbours, the parts of the world where one looks
for them. The map shows where a licence holds, and there Monaco counts as much as Canada.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "data" / "tilemap.csv"
SIDE = 20  # of a square with the gap to the next, in the map's own units


@dataclass(frozen=True)
class Tile:
    """Where a country's square lies: columns from the west, rows from the north."""

    country: str
    column: int
    row: int

    @property
    def x(self) -> int:
        return self.column * SIDE

    @property
    def y(self) -> int:
        return self.row * SIDE


@cache
def tiles() -> tuple[Tile, ...]:
    """All squares, in the order of their codes."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Tile(line["country"], int(line["column"]), int(line["row"])) for line in csv.DictReader(file))


@cache
def size() -> tuple[int, int]:
    """Width and height of the map."""
    return (max(tile.x for tile in tiles()) + SIDE, max(tile.y for tile in tiles()) + SIDE)
