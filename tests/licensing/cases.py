"""Questions and evidence put together at random: what the laws of the engine are tried on.

The builders take their luck from a `Random` with a drawn seed, which is many times faster than drawing each term. A
seed cannot be made smaller, so a law that breaks drops one thing after the other from the evidence while it stays
broken, and fails with what is left.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from licensing.licences import parse
from licensing.records import Evidence, EvidenceItem, MembershipFact, NoticeFact, Question, RateFact, Record
from licensing.terms import Basis, EvidenceKind, Layer, Licensee, Material, NoticeKind, RecordState, RedownloadRule, Use
from licensing.territories import TerritorySet
from tests.licensing.facts import NOW, SOUND, WORK, approved, draft, known

FEW = ["DE", "US", "NZ", "JP", "KI", "BR"]
LICENCES = [parse(name).url for name in ("CC BY 4.0", "CC BY-NC 3.0", "CC BY-ND 2.0", "CC0 1.0")]
ODD_LICENCES = ["CC BY", "royalty free", "https://www.gnu.org/licenses/gpl-3.0.html", ""]
SHARES = [Fraction(1)] * 4 + [Fraction(1, 2), Fraction(1, 2), Fraction(1, 3), Fraction(2, 3), Fraction(1, 7)]
TERRITORIES = [TerritorySet.world()] * 3 + [
    TerritorySet.only("DE"),
    TerritorySet.only("US", "NZ"),
    TerritorySet.only("JP", "KI", "BR"),
    TerritorySet.world(but=["US"]),
    TerritorySet.world(but=["DE", "KI"]),
    TerritorySet.world(but=["XX"]),
    TerritorySet.only("DE", "EU"),
]

tried: Counter[str] = Counter()


def days(luck: Random) -> date | None:
    """A day near the question's, or none."""
    return NOW.date() + timedelta(days=luck.randint(-3, 3)) if luck.randint(0, 2) == 0 else None


def rarely(luck: Random, one_in: int) -> bool:
    return luck.randint(1, one_in) == 1


def records(luck: Random, layer: Layer | None = None) -> Record:
    """One record of any kind, with any of its terms odd now and then."""
    layer = layer or luck.choice([Layer.RECORDING, Layer.WORK])
    basis = luck.choice([Basis.DIRECT, Basis.PUBLIC_LICENCE, Basis.CC_PLUS, *Basis])
    public = basis == Basis.PUBLIC_LICENCE
    tariff = luck.choice(["", "T"]) if basis in {Basis.CMO, Basis.STATUTORY} else ""
    record = draft(
        layer,
        basis,
        id=luck.choice("abcdefgh") + layer[0] + basis,
        licensor=luck.choice(["bob", "eve", "kim"]),
        share=luck.choice(SHARES),
        territories=luck.choice(TERRITORIES),
        starts_on=days(luck),
        ends_on=days(luck),
        exclusive=rarely(luck, 4),
        licence_url=luck.choice(ODD_LICENCES if rarely(luck, 5) else LICENCES) if public else "",
        licensee="SOMEBODY" if rarely(luck, 20) else Licensee.PUBLIC if public else Licensee.STORE,
        cmo_status=luck.choice(["UNKNOWN", "NEW"]) if rarely(luck, 8) else luck.choice(["NOT_BOUND", "CARVED_OUT"]),
        cmo_mandate_proven=not rarely(luck, 10),
        cmo_in_repertoire=not rarely(luck, 10),
        statutory_condition_met=not rarely(luck, 5),
        tariff=tariff,
        rates=rates(luck) if tariff else (),
        catalogue=rarely(luck, 5),
        drm_required=rarely(luck, 20),
        edits_allowed=rarely(luck, 3),
        preview_max_seconds=luck.choice([None, None, 30, 90]),
        redownload_rule=luck.choice([*RedownloadRule]),
        free_consent=rarely(luck, 2),
        price_minimum_minor=100 if rarely(luck, 5) else None,
        price_currency="EUR",
        material=luck.choice([*Material]) if rarely(luck, 10) else "",
        ended_at=luck.choice([None, NOW - timedelta(days=2)]),
        void_title=rarely(luck, 10),
    )
    if not rarely(luck, 10):
        seen_twice = {"second_needed": rarely(luck, 8), "seconded": rarely(luck, 2)}
        record = approved(record, independent=not rarely(luck, 15), **seen_twice)
    state = luck.choice([RecordState.REVOKED, RecordState.SUSPENDED, "ODD"]) if rarely(luck, 12) else record.state
    return replace(record, state=state)


def sound(luck: Random, layer: Layer) -> Record:
    """A record that fills its layer by itself, so that something clears for the odd ones beside it to spoil."""
    public = rarely(luck, 2)
    return approved(
        draft(
            layer,
            Basis.PUBLIC_LICENCE if public else Basis.DIRECT,
            id=f"sound{layer[0]}",
            licensor=luck.choice(["bob", "kim"]),
            territories=luck.choice(TERRITORIES[:7]),
            starts_on=days(luck) if rarely(luck, 3) else None,
            ends_on=days(luck) if rarely(luck, 3) else None,
            licence_url=LICENCES[0] if public else "",
            redownload_rule=luck.choice([*RedownloadRule]),
        )
    )


def rates(luck: Random) -> tuple[RateFact, ...]:
    """Rows of a tariff, some unverified, over or to come."""
    return tuple(
        RateFact(
            territory=luck.choice(["US", "DE"]),
            use=luck.choice([Use.PERMANENT_DOWNLOAD, Use.PERMANENT_DOWNLOAD, Use.FREE_DOWNLOAD]),
            valid_from=NOW.date() + timedelta(days=luck.randint(-4, 3)),
            valid_to=days(luck),
            verified_on=luck.choice([date(2026, 1, 1), date(2026, 1, 1), days(luck)]),
            currency="EUR",
            minimum_micros=luck.choice([None, 50_000, 2_000_000]),
            tracks_from=luck.choice([1, 1, 2]),
        )
        for _ in range(luck.randint(0, 3))
    )


def memberships(luck: Random) -> tuple[MembershipFact, ...]:
    return tuple(
        MembershipFact(
            work=luck.choice([WORK, WORK, "another"]),
            member=luck.choice(["bob", "eve", "ann"]),
            society="GEMA",
            territories=luck.choice(TERRITORIES),
            joined_on=days(luck),
            left_on=days(luck),
            online_excluded=rarely(luck, 5),
            share=luck.choice(SHARES),
        )
        for _ in range(luck.choice([0, 0, 0, 1, 2]))
    )


def questions(luck: Random) -> Question:
    return Question(
        use=luck.choice([*Use, Use.PERMANENT_DOWNLOAD, Use.PERMANENT_DOWNLOAD, "SYNC"]),
        at=NOW + timedelta(hours=luck.randint(-72, 72)),
        sound_sha256=luck.choice([SOUND] * 7 + [""]),
        price_is_zero=rarely(luck, 6),
        prices=luck.choice([(("EUR", 50), ("USD", 50)), ()])
        if rarely(luck, 6)
        else luck.choice([None, (("EUR", 500),)]),
        preview_seconds=luck.choice([None, 30, 30, 60]),
        edited=rarely(luck, 5),
    )


def dossiers(luck: Random) -> Evidence:
    """What is on record about one recording: records of both layers, notices, mandates, marks, a release date."""
    layers = [layer for layer in (Layer.RECORDING, Layer.WORK) if not rarely(luck, 5)]
    found = [sound(luck, layer) if not rarely(luck, 3) else records(luck, layer) for layer in layers]
    found += [records(luck) for _ in range(luck.choice([0, 0, 0, 1, 1, 2, 6]))]
    return known(
        *found,
        materials=frozenset([luck.choice([*Material])] if rarely(luck, 8) else []),
        memberships=memberships(luck),
        notices=notices(luck),
        embargoed_until=days(luck) if rarely(luck, 5) else None,
    )


def notices(luck: Random) -> tuple[NoticeFact, ...]:
    if not rarely(luck, 10):
        return ()
    return (NoticeFact("n", luck.choice([*NoticeKind, "ODD"]), "Charlie", layer=luck.choice(["", "WORK"])),)


def altered(record: Record) -> Record:
    """The record with other bytes under its evidence."""
    items = tuple(replace(item, current_sha256="0" * 64) for item in record.evidence)
    return replace(record, evidence=items or (EvidenceItem(EvidenceKind.AGREEMENT, "e" * 64, "0" * 64),))


def law(*builders: Callable[[Random], Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test that must hold for whatever `builders` make; each case is counted."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        def tried_on(seed: int) -> None:
            tried[test.__name__] += 1
            luck = Random(seed)
            case = [build(luck) for build in builders]
            try:
                test(*case)
            except AssertionError:
                test(*smallest(case, lambda less: not holds(test, less)))
                raise

        tried_on.__name__, tried_on.__qualname__ = test.__name__, test.__qualname__
        tried_on.__doc__, tried_on.__module__ = test.__doc__, test.__module__
        return settings(phases=[Phase.explicit, Phase.generate])(given(st.integers(0, 2**64 - 1))(tried_on))

    return decorate


def holds(test: Callable[..., None], case: list[Any]) -> bool:
    try:
        test(*case)
    except AssertionError:
        return False
    return True


def smallest(case: list[Any], breaks: Callable[[list[Any]], bool]) -> list[Any]:
    """The case without everything that can be left out of its evidence while it still `breaks`."""
    for place, part in enumerate(case):
        if not isinstance(part, Evidence):
            continue
        for field in ("records", "memberships", "notices"):
            for item in getattr(part, field):
                kept = tuple(each for each in getattr(case[place], field) if each is not item)
                less = [*case[:place], replace(case[place], **{field: kept}), *case[place + 1 :]]
                if breaks(less):
                    case = less
    return case


def one_of(values: list[Any]) -> Callable[[Random], Any]:
    return lambda luck: luck.choice(values)
