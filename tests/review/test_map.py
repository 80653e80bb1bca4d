"""The map shows every country once, none over another, and says the same in colour, in words and as a list."""

from collections import Counter

from licensing.territories import COUNTRIES
from store import tilemap
from store.views import review_map
from store.views.review_map import Place


def _places(**over: tuple[str, str, str]) -> list[Place]:
    """The whole world as still missing, but for the countries given as `now, after, reason`."""
    return [Place(code, code, *over.get(code, ("missing", "missing", "Work: no record."))) for code in COUNTRIES]


def test_every_country_has_one_square_of_its_own() -> None:
    squares = tilemap.tiles()
    assert sorted(square.country for square in squares) == list(COUNTRIES)
    assert max(Counter((square.column, square.row) for square in squares).values()) == 1


def test_neighbours_lie_where_one_looks_for_them() -> None:
    place = {square.country: square for square in tilemap.tiles()}
    assert place["CA"].row < place["US"].row < place["MX"].row < place["BR"].row < place["AR"].row
    assert place["PT"].column < place["ES"].column < place["IT"].column < place["TR"].column < place["IR"].column
    assert place["SE"].row < place["DE"].row < place["IT"].row < place["DZ"].row < place["NG"].row < place["ZA"].row
    assert place["BR"].column < place["SN"].column < place["IN"].column < place["JP"].column < place["NZ"].column


def test_each_country_has_the_state_that_its_answers_give() -> None:
    world = review_map.drawn(
        _places(
            DE=("missing", "cleared", ""),
            FR=("cleared", "cleared", ""),
            AT=("cleared", "missing", "Two labels claim it."),
            US=("missing", "excluded", ""),
        ),
        waits=True,
    )
    states = {square.country: square.state for square in world["tiles"]}  # type: ignore[attr-defined]
    assert {code: states[code] for code in ("DE", "FR", "AT", "US", "JP")} == {
        "DE": "after", "FR": "now", "AT": "lost", "US": "out", "JP": "missing",
    }  # fmt: skip
    words = {square.country: square.words for square in world["tiles"]}  # type: ignore[attr-defined]
    assert words["AT"] == "AT: cleared now, and no longer after it. Two labels claim it."


def test_the_summary_adds_up_to_the_world() -> None:
    world = review_map.drawn(_places(DE=("missing", "cleared", ""), FR=("cleared", "cleared", "")), waits=True)
    said = (
        "It would clear one country. One country is cleared already. In 247 countries something would still be missing."
    )
    assert world["summary"] == said
    assert sum(one["count"] for one in world["legend"]) == len(COUNTRIES)  # type: ignore[attr-defined]


def test_the_list_names_every_country_with_its_reason() -> None:
    world = review_map.drawn(_places(DE=("missing", "cleared", "")), waits=True)
    listed = [
        (part["reason"], country)
        for group in world["groups"]  # type: ignore[attr-defined]
        for part in group["parts"]
        for region in part["regions"]
        for country in region["countries"]
    ]
    assert sorted(country for _, country in listed) == list(COUNTRIES)
    assert ("Work: no record.", "FR") in listed
