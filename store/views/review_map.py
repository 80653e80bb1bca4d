"""Where a record clears something, as map and as list: each country once, its state in colour, mark and words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from store import tilemap
from store.records import Kind
from store.regions import region_of


@dataclass(frozen=True)
class State:
    """One of the ways in which a country may stand, and how the page says it."""

    code: str
    kind: Kind
    word: str


STATES = (
    State("after", "cleared", "cleared by this approval"),
    State("now", "cleared", "cleared already"),
    State("lost", "refused", "cleared now, and no longer after it"),
    State("missing", "waiting", "something is still missing"),
    State("out", "", "left out by this record"),
)


@dataclass(frozen=True)
class Place:
    """A country and what is true of it: `now` and `after` are "cleared", "missing" or "excluded"."""

    code: str
    name: str
    now: str
    after: str
    reason: str = ""

    @property
    def state(self) -> str:
        if self.after == "cleared":
            return "now" if self.now == "cleared" else "after"
        if self.now == "cleared":
            return "lost"
        return "out" if self.after == "excluded" else "missing"


@dataclass(frozen=True)
class Square:
    """A country's square on the map."""

    country: str
    x: int
    y: int
    state: str
    words: str

    @property
    def text_x(self) -> int:
        return self.x + 9

    @property
    def text_y(self) -> int:
        return self.y + 13


def drawn(places: Sequence[Place], *, waits: bool) -> dict[str, object]:
    """The map, its legend, its summary and its list. `waits` says whether an approval is still to come."""
    width, height = tilemap.size()
    by_code = {place.code: place for place in places}
    words = {state.code: _word(state, waits=waits) for state in STATES}
    counts = Counter(place.state for place in places)
    return {
        "width": width + 2,
        "height": height + 2,
        "tiles": [
            Square(tile.country, tile.x, tile.y, place.state, _said(place, words[place.state]))
            for tile in tilemap.tiles()
            if (place := by_code.get(tile.country))
        ],
        "legend": [
            {"state": state.code, "word": words[state.code], "count": counts[state.code]}
            for state in STATES
            if counts[state.code]
        ],
        "summary": _summary(counts, waits=waits),
        "groups": [
            {
                "kind": state.kind,
                "word": words[state.code].capitalize(),
                "count": counts[state.code],
                "parts": _parts(place for place in places if place.state == state.code),
            }
            for state in STATES
            if counts[state.code]
        ],
    }


def _word(state: State, *, waits: bool) -> str:
    return "cleared" if state.code == "now" and not waits else state.word


def _said(place: Place, word: str) -> str:
    return f"{place.name}: {word}{f'. {place.reason}' if place.reason else '.'}"


def _summary(counts: Counter[str], *, waits: bool) -> str:
    def countries(number: int) -> str:
        return "one country" if number == 1 else f"{number} countries"

    if not waits:
        cleared = counts["now"]
        return f"It is cleared in {countries(cleared)}." if cleared else "It is cleared nowhere."
    said = []
    if counts["after"]:
        said.append(f"It would clear {countries(counts['after'])}.")
    elif not counts["lost"]:
        said.append("By itself it would clear no country.")
    if counts["lost"]:
        said.append(f"It would take {countries(counts['lost'])} off sale.")
    if counts["now"]:
        said.append(f"{countries(counts['now']).capitalize()} {'is' if counts['now'] == 1 else 'are'} cleared already.")
    if counts["missing"]:
        said.append(f"In {countries(counts['missing'])} something would still be missing.")
    if counts["out"]:
        said.append(f"The record leaves out {countries(counts['out'])}.")
    return " ".join(said)


def _parts(places: Iterable[Place]) -> list[dict[str, object]]:
    """Countries of one state, by reason and then by region, the commonest reason first."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for place in places:
        found[place.reason][region_of(place.code)].append(place.name)
    return [
        {"reason": reason, "regions": [{"name": name, "countries": sorted(regions[name])} for name in sorted(regions)]}
        for reason, regions in sorted(found.items(), key=lambda one: -sum(map(len, one[1].values())))
    ]
