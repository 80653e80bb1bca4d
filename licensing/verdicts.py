"""The engine's answer: where a recording is cleared, until when, on what; and where it is not, and why. Pure.

A verdict is data. `to_json` gives the same bytes for the same answer, so that a stored one can be hashed and compared;
`from_data` reads it back. Sets of countries are written as `{"only": […]}` or `{"except": […]}`, whichever is
shorter, beside the version of the country list they were made with: under another list, a complement means nowhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple, Self

from licensing.licences import Duty
from licensing.reasons import REASONS, Scope
from licensing.records import Question
from licensing.territories import ALL, BIT, COUNTRIES, DATA_VERSION, codes_of, day_begins, mask_of

COUNTRY_LIST = f"{len(COUNTRIES)}-{hashlib.sha256(' '.join(COUNTRIES).encode()).hexdigest()[:8]}"

_SCOPE_RANK = {scope.value: rank for rank, scope in enumerate(Scope)}


class Reason(NamedTuple):
    """Why not, in one code. `record` and `share_holder` are empty where the reason is not about one."""

    code: str
    scope: str
    layer: str = ""
    record: str = ""
    share_holder: str = ""
    detail: str = ""
    who_can_fix: str = ""

    @classmethod
    def of(cls, code: str, *, layer: str = "", record: str = "", share_holder: str = "", detail: str = "") -> Self:
        text = REASONS[code]
        return cls(code, text.scope.value, layer, record, share_holder, detail, text.who.value)

    @property
    def rank(self) -> tuple[int, str, str, str, str, str]:
        """By scope, layer, code; then whatever makes the order total."""
        return (_SCOPE_RANK[self.scope], self.layer, self.code, self.record, self.share_holder, self.detail)


class Reliance(NamedTuple):
    """A record that the answer rests on, as it stood: enough to prove the sale after the record is gone."""

    record: str
    version: int
    layer: str
    subject: str
    holder: str
    holder_name: str
    share: Fraction
    basis: str
    licensee: str
    licence_url: str
    territories: str
    starts_on: str
    ends_on: str
    evidence: tuple[tuple[str, str], ...]
    evidence_sha256: str
    sound_sha256: str
    reviewer_independent: bool


@dataclass(frozen=True, slots=True)
class LicenceDuty:
    """A public licence that goes with each copy, and what it asks (`duties`, of `licences.Duty`).

    `relied_on` is false where the sale rests on a private licence beside it (CC+): the buyer still receives the public
    one.
    """

    layer: str
    name: str
    url: str
    attribution: bool
    share_alike: bool
    no_drm: bool
    no_edits: bool
    relied_on: bool
    duties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obligations:
    """What must go along with every copy: in its tags, the zip's LICENSE.txt, the product page and the receipt.

    `attribution` is title, author and licences in one line (the source, the S of TASL, is an address the shop adds).
    `changed` says that more than a transcode of the master is delivered, which most of these licences want said.
    """

    attribution: str = ""
    licences: tuple[LicenceDuty, ...] = ()
    changed: bool = False

    @property
    def share_alike(self) -> bool:
        return any(duty.share_alike for duty in self.licences)

    @property
    def no_drm(self) -> bool:
        """Whether no technical measure and no further term may be laid on the copy."""
        return any(duty.no_drm for duty in self.licences)

    @property
    def duties(self) -> tuple[str, ...]:
        """What all the licences together ask of whoever passes the copy on, each once, in the order of the list."""
        asked = {duty for each in self.licences for duty in each.duties}
        return tuple(duty.value for duty in Duty if duty in asked)

    @property
    def buyer_licence(self) -> tuple[str, str]:
        """Name and address of the public licence the buyer receives for the sound; empty texts where there is none."""
        found = next((duty for duty in self.licences if duty.layer == "RECORDING"), None)
        return (found.name, found.url) if found else ("", "")


@dataclass(frozen=True, slots=True)
class ClearedGroup:
    """Countries with the same yes. `until` is the first local day on which it no longer holds; None for open-ended."""

    countries: int
    until: date | None
    relied_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusedGroup:
    """Countries with the same no, and every reason for it, ranked."""

    countries: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """Who holds how much of a layer of this recording in one country; for the royalty split."""

    layer: str
    subject: str
    holder: str
    holder_name: str
    share: Fraction
    record: str


@dataclass(frozen=True)
class Verdict:
    """The answer for all countries at once. Countries in no group are refused: the engine leaves none out.

    `good_until` is the next instant at which a yes can become a no, or a no a yes, in any country; None where time
    alone changes nothing. Which of several reasons a no has may shift earlier. `warnings` stop nothing.
    """

    subject: str
    question: Question
    engine: str
    cleared: tuple[ClearedGroup, ...]
    refused: tuple[RefusedGroup, ...]
    records: tuple[Reliance, ...]
    obligations: Obligations
    good_until: datetime | None
    tables: str = DATA_VERSION
    warnings: tuple[Reason, ...] = ()

    @property
    def cleared_mask(self) -> int:
        mask = 0
        for group in self.cleared:
            mask |= group.countries
        return mask

    @property
    def cleared_countries(self) -> tuple[str, ...]:
        return codes_of(self.cleared_mask)

    def is_cleared(self, country: str, *, at: datetime | None = None) -> bool:
        """Whether the answer for `country` is yes, and still holds at `at` where an instant is given."""
        current = at is None or self.good_until is None or at < self.good_until
        return current and bool(self.cleared_mask & BIT.get(country, 0))

    def cleared_until(self, country: str) -> datetime | None:
        """The instant at which the yes for `country` ends by date; None for open-ended. KeyError where it is no."""
        group = self._cleared_in(country)
        if group is None:
            raise KeyError(country)
        return day_begins(group.until, country) if group.until else None

    def reasons_in(self, country: str) -> tuple[Reason, ...]:
        """Why not in `country`, ranked; empty where it is cleared."""
        bit = BIT.get(country)
        if bit is None:
            return (Reason.of("TERRITORY_UNKNOWN", detail=country),)
        return next((group.reasons for group in self.refused if group.countries & bit), ())

    def codes_in(self, country: str) -> list[str]:
        return [reason.code for reason in self.reasons_in(country)]

    def shares_in(self, country: str) -> tuple[Share, ...]:
        """Who holds what in `country`, for the layers this sale rests on; each layer's shares sum to one."""
        group = self._cleared_in(country)
        wanted = set(group.relied_on) if group else set()
        return tuple(
            Share(each.layer, each.subject, each.holder, each.holder_name, each.share, each.record)
            for each in self.records
            if each.record in wanted
        )

    def warnings_in(self, country: str, *, days: int = 60) -> tuple[Reason, ...]:
        """What does not stop the sale but should be known; EXPIRES_SOON within `days` of the question."""
        group = self._cleared_in(country)
        if not group or not group.until or group.until > (self.question.at + timedelta(days=days)).date():
            return self.warnings
        last_day = group.until - timedelta(days=1)
        return (*self.warnings, Reason.of("EXPIRES_SOON", detail=f"cleared until the end of {last_day}"))

    def _cleared_in(self, country: str) -> ClearedGroup | None:
        bit = BIT.get(country, 0)
        return next((group for group in self.cleared if group.countries & bit), None)

    # -- Bytes ---------------------------------------------------------------------------------------------------------

    def to_data(self) -> dict[str, Any]:
        """The verdict as plain JSON values."""
        return {
            "engine": self.engine,
            "tables": self.tables,
            "country_list": COUNTRY_LIST,
            "subject": self.subject,
            "question": _question_data(self.question),
            "cleared": [
                {
                    "countries": countries_data(group.countries),
                    "until": group.until.isoformat() if group.until else None,
                    "relied_on": list(group.relied_on),
                }
                for group in self.cleared
            ],
            "refused": [
                {
                    "countries": countries_data(group.countries),
                    "reasons": [_reason_data(reason) for reason in group.reasons],
                }
                for group in self.refused
            ],
            "records": [_reliance_data(reliance) for reliance in self.records],
            "obligations": {
                "attribution": self.obligations.attribution,
                "licences": [_duty_data(duty) for duty in self.obligations.licences],
                "changed": self.obligations.changed,
            },
            "warnings": [_reason_data(reason) for reason in self.warnings],
            "good_until": _instant(self.good_until),
        }

    def to_json(self) -> bytes:
        """Canonical bytes: the same answer to the same question gives the same bytes."""
        return canonical(self.to_data())

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json()).hexdigest()

    @property
    def answer_sha256(self) -> str:
        """The hash without the instant of asking: equal where asking later gave the same answer."""
        data = self.to_data()
        del data["question"]["at"]
        return hashlib.sha256(canonical(data)).hexdigest()

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """A stored verdict, read back; those of engine 1 say nothing of warnings, duties and changes."""
        same_list = data["country_list"] == COUNTRY_LIST
        obligations = data["obligations"]
        return cls(
            subject=data["subject"],
            question=_question_from(data["question"]),
            engine=data["engine"],
            cleared=tuple(
                ClearedGroup(
                    countries_from(group["countries"], same_list=same_list),
                    date.fromisoformat(group["until"]) if group["until"] else None,
                    tuple(group["relied_on"]),
                )
                for group in data["cleared"]
            ),
            refused=tuple(
                RefusedGroup(
                    countries_from(group["countries"], same_list=same_list),
                    tuple(Reason(**reason) for reason in group["reasons"]),
                )
                for group in data["refused"]
            ),
            records=tuple(_reliance_from(each) for each in data["records"]),
            obligations=Obligations(
                obligations["attribution"],
                tuple(
                    LicenceDuty(**{**duty, "duties": tuple(duty.get("duties", ()))}) for duty in obligations["licences"]
                ),
                obligations.get("changed", False),
            ),
            good_until=datetime.fromisoformat(data["good_until"]) if data["good_until"] else None,
            tables=data["tables"],
            warnings=tuple(Reason(**reason) for reason in data.get("warnings", ())),
        )


def canonical(data: object) -> bytes:
    """JSON with sorted keys, no blanks, UTF-8: one way only to write a value."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@lru_cache(maxsize=4096)
def _countries_shape(mask: int) -> tuple[str, tuple[str, ...]]:
    inside, outside = codes_of(mask), codes_of(ALL & ~mask)
    return ("only", inside) if len(inside) <= len(outside) else ("except", outside)


def countries_data(mask: int) -> dict[str, list[str]]:
    mode, codes = _countries_shape(mask)
    return {mode: list(codes)}


def countries_from(data: Mapping[str, Iterable[str]], *, same_list: bool) -> int:
    if "only" in data:
        return mask_of(data["only"])
    return ALL & ~mask_of(data["except"]) if same_list else 0


def merged(answers: Iterator[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """Equal answers for several masks as one, in the order of their first country."""
    masks: dict[Any, int] = {}
    for mask, answer in answers:
        masks[answer] = masks.get(answer, 0) | mask
    return sorted(((mask, answer) for answer, mask in masks.items()), key=lambda pair: pair[0] & -pair[0])


def _instant(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat() if instant else None


def _question_data(question: Question) -> dict[str, Any]:
    return {
        "use": str(question.use),
        "at": _instant(question.at),
        "sound_sha256": question.sound_sha256,
        "price_is_zero": question.price_is_zero,
        "prices": None if question.prices is None else [list(price) for price in question.prices],
        "preview_seconds": question.preview_seconds,
        "edited": question.edited,
        "carries_attribution": question.carries_attribution,
    }


def _question_from(data: Mapping[str, Any]) -> Question:
    prices = data["prices"]
    return Question(
        **{
            **data,
            "at": datetime.fromisoformat(data["at"]),
            "prices": None if prices is None else tuple((currency, minor) for currency, minor in prices),
        }
    )


def _reason_data(reason: Reason) -> dict[str, str]:
    return reason._asdict()


def _duty_data(duty: LicenceDuty) -> dict[str, Any]:
    return {**asdict(duty), "duties": list(duty.duties)}


def _reliance_data(reliance: Reliance) -> dict[str, Any]:
    data = reliance._asdict()
    data["share"] = f"{reliance.share.numerator}/{reliance.share.denominator}"
    data["evidence"] = [list(item) for item in reliance.evidence]
    return data


def _reliance_from(data: Mapping[str, Any]) -> Reliance:
    return Reliance(
        **{
            **data,
            "share": Fraction(data["share"]),
            "evidence": tuple((kind, sha256) for kind, sha256 in data["evidence"]),
        }
    )
