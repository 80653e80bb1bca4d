"""How much a record wants a second look, in points with named reasons. Pure: no database, no clock.

Points only order the queue and ask for a second reviewer; they clear nothing and refuse nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MANY_COUNTRIES = 50


class RiskReason(StrEnum):
    """What makes a record worth an earlier look."""

    OPEN_CLAIM = "OPEN_CLAIM"
    SAME_SOUND = "SAME_SOUND"
    SAME_CODE = "SAME_CODE"
    RIVAL_CLAIM = "RIVAL_CLAIM"
    WHOLE_CATALOGUE = "WHOLE_CATALOGUE"
    LICENCE_UNCLEAR = "LICENCE_UNCLEAR"
    OTHERS_MUSIC = "OTHERS_MUSIC"
    NEW_LABEL = "NEW_LABEL"
    HIGH_VALUE = "HIGH_VALUE"
    SOCIETY = "SOCIETY"
    NON_COMMERCIAL = "NON_COMMERCIAL"
    MANY_COUNTRIES = "MANY_COUNTRIES"


POINTS: dict[RiskReason, int] = {
    RiskReason.OPEN_CLAIM: 50,
    RiskReason.SAME_SOUND: 50,
    RiskReason.SAME_CODE: 40,
    RiskReason.RIVAL_CLAIM: 40,
    RiskReason.WHOLE_CATALOGUE: 40,
    RiskReason.LICENCE_UNCLEAR: 25,
    RiskReason.OTHERS_MUSIC: 25,
    RiskReason.NEW_LABEL: 20,
    RiskReason.HIGH_VALUE: 20,
    RiskReason.SOCIETY: 20,
    RiskReason.NON_COMMERCIAL: 15,
    RiskReason.MANY_COUNTRIES: 10,
}

WORDS: dict[RiskReason, str] = {
    RiskReason.OPEN_CLAIM: "somebody contests it",
    RiskReason.SAME_SOUND: "the same sound, or nearly, is here under another title",
    RiskReason.SAME_CODE: "another label used its ISRC",
    RiskReason.RIVAL_CLAIM: "another licensor claims the same right",
    RiskReason.WHOLE_CATALOGUE: "it speaks for a whole catalogue",
    RiskReason.LICENCE_UNCLEAR: "its licence is not known or lacks its version",
    RiskReason.OTHERS_MUSIC: "a cover, remix, sample or arrangement",
    RiskReason.NEW_LABEL: "nothing of this label has been approved yet",
    RiskReason.HIGH_VALUE: "much would go on sale with it",
    RiskReason.SOCIETY: "it rests on a society, a statute or a pass-through",
    RiskReason.NON_COMMERCIAL: "its licence forbids sale",
    RiskReason.MANY_COUNTRIES: "it is for many countries",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a record when its risk is worked out. What nobody could find out counts as not so."""

    open_claim: bool = False
    same_sound: bool = False
    same_code: bool = False
    rival_claim: bool = False
    whole_catalogue: bool = False
    licence_unclear: bool = False
    others_music: bool = False
    new_label: bool = False
    society: bool = False
    non_commercial: bool = False
    countries: int = 0
    value_minor: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Above which risk, or above which value at stake, two reviewers must approve."""

    two_above_risk: int
    two_above_minor: int


@dataclass(frozen=True, slots=True)
class Risk:
    """The points, why, the heaviest reason first, and whether one reviewer is enough."""

    points: int
    reasons: tuple[RiskReason, ...]
    second_needed: bool


def assess(facts: Facts, policy: Policy) -> Risk:
    """The risk of a record. A fact more never lowers it."""
    holds = {
        RiskReason.OPEN_CLAIM: facts.open_claim,
        RiskReason.SAME_SOUND: facts.same_sound,
        RiskReason.SAME_CODE: facts.same_code,
        RiskReason.RIVAL_CLAIM: facts.rival_claim,
        RiskReason.WHOLE_CATALOGUE: facts.whole_catalogue,
        RiskReason.LICENCE_UNCLEAR: facts.licence_unclear,
        RiskReason.OTHERS_MUSIC: facts.others_music,
        RiskReason.NEW_LABEL: facts.new_label,
        RiskReason.HIGH_VALUE: facts.value_minor > policy.two_above_minor,
        RiskReason.SOCIETY: facts.society,
        RiskReason.NON_COMMERCIAL: facts.non_commercial,
        RiskReason.MANY_COUNTRIES: facts.countries >= MANY_COUNTRIES,
    }
    reasons = tuple(reason for reason in POINTS if holds[reason])
    points = sum(POINTS[reason] for reason in reasons)
    second = points > policy.two_above_risk or facts.value_minor > policy.two_above_minor
    return Risk(points, reasons, second)


def words(reasons: Iterable[str]) -> list[str]:
    """Stored reasons as people read them; one that this release does not know stands as it is."""
    return [WORDS[RiskReason(reason)] if reason in {*RiskReason} else reason for reason in reasons]
