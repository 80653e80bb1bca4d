"""One right that has to be whole, the sound recording's or a work's, in each country. Pure.

A layer is clear where the records that pass (`judgements`) make up exactly the whole and nobody disputes it. Where it
is not, the records that came nearest say why.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from licensing.judgements import Judgement, reason_of
from licensing.records import WHOLE, MembershipFact, NoticeFact
from licensing.terms import Basis, Layer, Licensee, NoticeKind
from licensing.territories import ALL, day_after, day_start
from licensing.verdicts import Reason

# What these license is anybody's share: of a society's member as well as of others.
_WHOEVER_HOLDS_IT = frozenset({Basis.CMO, Basis.STATUTORY, Basis.PASS_THROUGH})


class LayerAnswer(NamedTuple):
    """One layer in one country: clear on `relied_on` until the local day `until`, or not clear for `reasons`."""

    reasons: tuple[Reason, ...]
    relied_on: tuple[Judgement, ...] = ()
    until: date | None = None


class Mandate:
    """A society's mandate from one member as it stands at an instant: where it holds, and where it will begin.

    A member whose share nobody stated is taken to hold all of it.
    """

    def __init__(self, fact: MembershipFact, at: datetime) -> None:
        self.fact = fact
        self.share = fact.share or WHOLE
        self.territory = ALL if fact.territories.unknown else fact.territories.mask
        self.begins = day_start(fact.joined_on) if fact.joined_on else None
        self.ends = day_start(day_after(fact.left_on)) if fact.left_on else None
        begun = self.begins.begun_at(at) if self.begins else ALL
        ended = self.ends.begun_at(at) if self.ends else 0
        self.mask = self.territory & begun & ~ended
        self.coming = self.territory & ~begun
        changes = [day.next_after(at, self.territory) for day in (self.begins, self.ends) if day]
        self.next_change = min((change for change in changes if change), default=None)

    def turns_on(self, bit: int) -> date | None:
        """The next local day in the country of `bit` on which the mandate begins or no longer holds."""
        if self.coming & bit:
            return self.fact.joined_on
        return day_after(self.fact.left_on) if self.mask & bit and self.fact.left_on else None


class RightLayer:
    """One right that has to be whole: in the recording, or in one of its works.

    `mandates` are those that the work's writers and publishers gave to societies. A member has no right left to give,
    so that a public licence has force only for the shares of the others.
    """

    def __init__(
        self,
        layer: Layer,
        subject: str,
        judgements: Sequence[Judgement],
        notices: Iterable[NoticeFact],
        mandates: Sequence[Mandate] = (),
    ) -> None:
        self.layer = layer
        self.subject = subject
        self.judgements = judgements
        self.mandates = mandates
        self.disputes = tuple([
            Reason.of("DISPUTED", layer=layer.value, detail=notice.claimant)
            for notice in notices
            if notice.kind == NoticeKind.DISPUTE
            and notice.layer in {"", layer.value}
            and notice.subject in {"", subject}
        ])  # fmt: skip
        self._seen: dict[tuple[int, ...], LayerAnswer] = {}
        self._masks = [mask for judgement in judgements for _reason, mask in judgement.partial]
        self._masks += [mask for each in judgements for _day, mask in (*each.stops, *each.coming)]
        self._masks += [mask for mandate in mandates for mask in (mandate.mask, mandate.coming)]
        self._dated = any(each.until or each.stops or each.coming for each in judgements) or bool(mandates)
        self._starting = [each for each in judgements if each.coming]
        self._whole = lcm(
            *[each.record.share.denominator for each in judgements],
            *[mandate.share.denominator for mandate in mandates],
        )

    def answer_at(self, bit: int) -> LayerAnswer:
        """The answer in the country of `bit`; countries where the same tests fail share one."""
        key = tuple([place for place, mask in enumerate(self._masks) if mask & bit])
        answer = self._seen.get(key)
        if answer is None:
            answer = self._seen[key] = self._answer(bit)
        return answer

    def _answer(self, bit: int) -> LayerAnswer:
        if not self.judgements:
            code = "NO_MASTER_LICENCE" if self.layer is Layer.RECORDING else "NO_WORK_LICENCE"
            return LayerAnswer((Reason.of(code, layer=self.layer.value, detail=self._named()), *self.disputes))
        judgements = self._with_force(bit) if self.mandates else self.judgements
        passing = [judgement for judgement in judgements if not judgement.fails & bit]
        held = _by_holder(passing)
        total = sum([self._weight(judgement) for judgement in held.values()])
        if total == self._whole and not self.disputes:
            relied = tuple(sorted(held.values(), key=_record_id))
            return LayerAnswer((), relied, self._until(passing, held, bit) if self._dated else None)
        if total > self._whole:
            return LayerAnswer((self._overclaim(passing, total), *self.disputes))
        missing = self._missing(judgements, held, total, bit) if total < self._whole else ()
        return LayerAnswer((*missing, *self.disputes))

    def _with_force(self, bit: int) -> Sequence[Judgement]:
        """The judgements in the country of `bit`, in which public licences of rights that a society holds fail."""
        binding = [mandate for mandate in self.mandates if mandate.mask & bit]
        members: dict[str, Fraction] = {}
        for mandate in binding:
            members[mandate.fact.member] = max(mandate.share, members.get(mandate.fact.member, mandate.share))
        given = sum([share.numerator * (self._whole // share.denominator) for share in members.values()])
        judgements = list(self.judgements)
        while binding:
            held = _by_holder([each for each in judgements if not each.fails & bit]).values()
            public = [each for each in held if each.record.basis == Basis.PUBLIC_LICENCE]
            taken = sum([self._weight(each) for each in held if each.record.basis not in _WHOEVER_HOLDS_IT])
            without = [each for each in public if each.record.licensor in members]
            if not without and taken + given > self._whole:
                without = public
            if not without:
                break
            judgements = [_bound(each, binding, bit) if each in without else each for each in judgements]
        return judgements

    def _weight(self, judgement: Judgement) -> int:
        """The record's share as a whole number of the layer's smallest common part; `_whole` of them are all of it."""
        share = judgement.record.share
        return share.numerator * (self._whole // share.denominator)

    def _named(self) -> str:
        return self.subject if self.layer is Layer.WORK else ""

    def _overclaim(self, passing: Iterable[Judgement], total: int) -> Reason:
        """`exclusive` in a DDEX deal means exclusive to the shop and says nothing about who owns the right."""
        exclusive = [each for each in passing if each.record.exclusive and each.record.basis != Basis.DDEX_DEAL]
        names = sorted({each.record.licensor_name or each.record.licensor for each in passing})
        code = "CONFLICTING_CLAIM" if exclusive else "SHARES_OVER_100"
        detail = ", ".join(names) if exclusive else percent(Fraction(total, self._whole))
        return Reason.of(code, layer=self.layer.value, detail=detail)

    def _missing(
        self, judgements: Iterable[Judgement], held: Mapping[str, Judgement], total: int, bit: int
    ) -> tuple[Reason, ...]:
        """The failures of the records that came nearest to making up the whole, each holder's best one."""
        nearest: dict[str, Judgement] = {}
        for judgement in judgements:
            holder = judgement.record.licensor
            best = nearest.get(holder)
            if holder not in held and (best is None or _distance(judgement, bit) < _distance(best, bit)):
                nearest[holder] = judgement
        reasons: list[Reason] = []
        could_be = total
        for judgement in sorted(nearest.values(), key=lambda each: _distance(each, bit)):
            if could_be >= self._whole:
                break
            reasons += judgement.reasons_at(bit)
            could_be += self._weight(judgement)
        if total or could_be < self._whole:
            detail = f"{self._named()} {percent(Fraction(total, self._whole))} licensed".strip()
            reasons.append(Reason.of("SHARES_NOT_100", layer=self.layer.value, detail=detail))
        return tuple(reasons)

    def _until(self, passing: Iterable[Judgement], held: Mapping[str, Judgement], bit: int) -> date | None:
        """The first local day on which the layer may no longer be whole: an end, or another claim's beginning."""
        days: list[date] = []
        for holder, chosen in held.items():
            ends = chosen.until_at(bit)
            if ends is None:
                continue
            for each in passing:
                if each is not chosen and each.record.licensor == holder and each.record.share == chosen.record.share:
                    ends = max(ends, each.until_at(bit) or date.max)
            days.append(ends)
        for each in self._starting:
            if each.fails & bit:
                days += [day for day, mask in each.coming if mask & bit]
        if self.mandates and any(
            each.record.basis == Basis.PUBLIC_LICENCE and not each.fails & bit for each in self.judgements
        ):
            days += [day for mandate in self.mandates if (day := mandate.turns_on(bit))]
        first = min(days, default=date.max)
        return first if first < date.max else None


def _bound(judgement: Judgement, binding: Iterable[Mandate], bit: int) -> Judgement:
    societies = ", ".join(sorted({mandate.fact.society for mandate in binding}))
    reason = reason_of(judgement.record, "CMO_STATUS_UNKNOWN", f"held by {societies} for a member")
    return judgement.failing(reason, bit)


def _record_id(judgement: Judgement) -> str:
    return judgement.record.id


def _by_holder(passing: Iterable[Judgement]) -> dict[str, Judgement]:
    """The record each holder's share rests on: several of one holder are a union and not a sum."""
    held: dict[str, Judgement] = {}
    for judgement in passing:
        best = held.get(judgement.record.licensor)
        if best is None or _preference(judgement) < _preference(best):
            held[judgement.record.licensor] = judgement
    return held


def _preference(judgement: Judgement) -> tuple[Fraction, bool, int, str]:
    """The larger share first, then the store's own licence, then the one that lasts longest."""
    record = judgement.record
    ends = judgement.until or date.max
    return (-record.share, record.licensee != Licensee.STORE, -ends.toordinal(), record.id)


def _distance(judgement: Judgement, bit: int) -> tuple[int, str]:
    return (judgement.count_at(bit), judgement.record.id)


def percent(share: Fraction) -> str:
    """A share as people write it: exact decimals where there are any, else the fraction."""
    hundred = share * 100
    scaled = hundred * 10**6
    if scaled.denominator != 1:
        return f"{share.numerator}/{share.denominator}"
    whole, rest = divmod(scaled.numerator, 10**6)
    return f"{whole}{f'.{rest:06}'.rstrip('0') if rest else ''} %"
