"""Where a buyer is, for the tax: which proofs agree. Pure.

What the buyer states is one proof; where her connection comes from and which country issued her card are others, from
people who are neither buyer nor seller. Two that agree are wanted (implementing regulation (EU) 282/2011 art. 24b and
24f). A seller of less than 100,000 EUR a year over the borders may do with one, if it is not the buyer's own word.
"""

UNION = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())  # noqa: SIM905
# Countries that count as part of another for this tax: directive 2006/112/EC art. 7, and UK law for the island.
COUNTS_AS = {"MC": "FR", "IM": "GB"}
AGREED, LONE, CONTRADICTED = "AGREED", "LONE", "CONTRADICTED"


def taxed_in(country: str) -> str:
    """The country whose tax is owed for a buyer in `country`."""
    return COUNTS_AS.get(country, country)


def same(one: str, other: str) -> bool:
    """Whether two countries are one for the tax."""
    return taxed_in(one) == taxed_in(other)


def judge(stated: str, *, network: str, card: str, wanted: int) -> str:
    """How far the proofs carry the country that was stated; an empty country is not known.

    With `wanted` 2 a card from elsewhere contradicts whatever the connection says; a connection from elsewhere is
    outweighed by a card that agrees. With `wanted` 1 a single proof from others that agrees is enough.
    """
    known = [found for found in (network, card) if found]
    if not known:
        return LONE
    if card and not same(card, stated):
        return AGREED if wanted == 1 and network and same(network, stated) else CONTRADICTED
    return AGREED if any(same(found, stated) for found in known) else CONTRADICTED


def must_be_asked_again(stated: str, *, network: str, wanted: int) -> bool:
    """Whether the connection speaks against the country stated, so that the buyer confirms it before she pays."""
    return wanted > 1 and bool(network) and not same(network, stated)
