"""How long a preview may be, country by country, once it is cleared at all. Pure.

A decision answers for a preview of the usual length and names the records that it rests on. How much longer the cut may
be follows from them: the shortest that one of them grants, and in each country no more than its law leaves free.
"""

from collections.abc import Iterable, Mapping

from licensing.judgements import PREVIEW_SECONDS_ANYWHERE, PREVIEW_SECONDS_IN
from licensing.terms import Licensee
from licensing.territories import BIT
from licensing.verdicts import Verdict


def longest(verdict: Verdict, granted: Mapping[str, int | None]) -> dict[int, int]:
    """Seconds of the longest cut, and the countries (a mask) where it may be heard; no country stands twice.

    `granted` is what each record relied on allows, None where it sets no limit. A record that is missing there allows
    what was asked, no more.
    """
    asked = verdict.question.preview_seconds or 0
    public = {each.record for each in verdict.records if each.licensee == Licensee.PUBLIC}
    found: dict[int, int] = {}
    for group in verdict.cleared:
        most = _shortest(granted.get(key, asked) for key in group.relied_on)
        left = group.countries
        if not public.issuperset(group.relied_on):
            for country, here in PREVIEW_SECONDS_IN.items():
                if here < most and left & BIT[country]:
                    found[here] = found.get(here, 0) | BIT[country]
                    left &= ~BIT[country]
        if left:
            found[most] = found.get(most, 0) | left
    return found


def _shortest(limits: Iterable[int | None]) -> int:
    return min([PREVIEW_SECONDS_ANYWHERE, *(limit for limit in limits if limit is not None)])
