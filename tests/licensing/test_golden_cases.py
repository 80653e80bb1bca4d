"""The golden cases of the trade, one by one: what is on record, what is asked, what must come out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from licensing.rules import decide
from licensing.terms import Basis, Layer, RecordState, Use
from licensing.territories import TerritorySet
from tests.licensing.facts import NOW, WORK, ask, both, draft, known, master, part, public, work


def test_both_layers_under_cc_by_sell_everywhere() -> None:
    verdict = decide(ask(), known(*both("CC BY 4.0")))
    assert len(verdict.cleared_countries) == 249
    assert verdict.refused == ()
    assert verdict.good_until is None


def test_a_cover_cleared_by_its_performer_only_is_not_cleared() -> None:
    verdict = decide(ask(), known(public(Layer.RECORDING, "CC BY 4.0"), materials=frozenset({"COVER"})))
    assert verdict.codes_in("DE") == ["NO_WORK_LICENCE"]


def test_nc_forbids_a_sale() -> None:
    assert set(decide(ask(), known(*both("CC BY-NC 3.0"))).codes_in("DE")) == {"NC_FORBIDS_SALE"}


def test_nc_needs_consent_for_a_free_download() -> None:
    verdict = decide(ask(Use.FREE_DOWNLOAD), known(*both("CC BY-NC 3.0")))
    assert set(verdict.codes_in("DE")) == {"NC_FREE_NEEDS_CONSENT"}


def test_nc_with_private_licences_from_all_but_one_writer_names_that_writer() -> None:
    nc = "CC BY-NC 3.0"
    verdict = decide(
        ask(),
        known(
            public(Layer.RECORDING, nc),
            master(Basis.CC_PLUS),
            public(Layer.WORK, nc, licensor="w1", share=part(50)),
            public(Layer.WORK, nc, licensor="w2", share=part(50)),
            work(Basis.CC_PLUS, licensor="w1", share=part(50)),
        ),
    )
    reasons = verdict.reasons_in("DE")
    assert {(reason.layer, reason.code) for reason in reasons} == {
        ("WORK", "NC_FORBIDS_SALE"),
        ("WORK", "SHARES_NOT_100"),
    }
    assert [reason.share_holder for reason in reasons if reason.code == "NC_FORBIDS_SALE"] == ["w2"]


@pytest.mark.parametrize(
    ("country", "layers"),
    [("DE", []), ("US", ["RECORDING", "WORK"]), ("FR", ["WORK"]), ("CA", ["RECORDING", "WORK"])],
)
def test_each_layer_excludes_its_own_countries(country: str, layers: list[str]) -> None:
    verdict = decide(
        ask(),
        known(
            master(territories=TerritorySet.world(but=["US", "CA"])),
            work(Basis.CMO, licensor="society", territories=TerritorySet.only("DE", "AT")),
        ),
    )
    reasons = verdict.reasons_in(country)
    assert [reason.layer for reason in reasons] == layers
    assert {reason.code for reason in reasons} <= {"TERRITORY_EXCLUDED"}
    assert verdict.is_cleared(country) is (not layers)


def test_an_ended_record_does_no_harm_beside_a_current_one() -> None:
    ended = master(id="old", ends_on=date(2026, 3, 8))
    verdict = decide(ask(), known(ended, master(id="new"), work()))
    assert verdict.is_cleared("DE")
    assert "new" in verdict.cleared[0].relied_on
    assert "old" not in verdict.cleared[0].relied_on


def test_a_term_ends_with_the_day_of_the_easternmost_zone() -> None:
    honolulu_late_on_the_last_day = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    verdict = decide(ask(at=honolulu_late_on_the_last_day), known(master(ends_on=date(2025, 12, 31)), work()))
    assert verdict.codes_in("US") == ["TERM_EXPIRED"]


def test_a_term_begins_with_the_day_of_each_country() -> None:
    at = datetime(2026, 3, 5, 11, 30, tzinfo=UTC)
    verdict = decide(ask(at=at), known(master(starts_on=date(2026, 3, 6)), work()))
    assert verdict.is_cleared("NZ")
    assert verdict.codes_in("PT") == ["NOT_YET_STARTED"]


def test_an_unreviewed_share_leaves_the_layer_short() -> None:
    shares = [
        work(licensor="w1", share=part(50)),
        work(licensor="w2", share=part(25)),
        draft(Layer.WORK, licensor="w3", share=part(25)),
    ]
    assert decide(ask(), known(master(), *shares)).codes_in("DE") == ["SHARES_NOT_100", "NOT_REVIEWED"]


def test_a_hundredth_of_a_percent_too_much_is_too_much() -> None:
    shares = work(licensor="w1", share=part(50)), work(licensor="w2", share=part(5001, 10000))
    assert decide(ask(), known(master(), *shares)).codes_in("DE") == ["SHARES_OVER_100"]


def test_two_exclusive_claims_conflict_on_the_day_they_overlap_and_not_after() -> None:
    japan = TerritorySet.only("JP")
    first = master(licensor="a", exclusive=True, territories=japan, ends_on=date(2026, 3, 10))
    second = master(licensor="b", exclusive=True, territories=japan, starts_on=date(2026, 3, 10))
    verdict = decide(ask(at=NOW), known(first, second, work()))
    assert verdict.codes_in("JP") == ["CONFLICTING_CLAIM"]
    assert verdict.good_until == datetime(2026, 3, 10, 15, tzinfo=UTC)
    assert decide(ask(at=verdict.good_until), known(first, second, work())).is_cleared("JP")


def test_a_deal_that_demands_drm_is_refused() -> None:
    verdict = decide(ask(), known(master(Basis.DDEX_DEAL, drm_required=True), work()))
    assert verdict.codes_in("DE") == ["DRM_REQUIRED"]


def test_a_deal_that_ended_is_refused() -> None:
    verdict = decide(ask(), known(master(Basis.DDEX_DEAL, ends_on=date(2025, 1, 1)), work()))
    assert verdict.codes_in("DE") == ["TERM_EXPIRED"]


def test_a_society_for_the_whole_world_without_a_mandate_clears_nothing() -> None:
    society = work(Basis.CMO, licensor="society", cmo_mandate_proven=False, cmo_in_repertoire=False)
    assert decide(ask(), known(master(), society)).codes_in("DE") == ["CMO_MANDATE_UNPROVEN"]


def test_a_label_passes_the_work_through_in_the_us_only() -> None:
    verdict = decide(ask(), known(master(), work(Basis.PASS_THROUGH)))
    assert verdict.cleared_countries == ("US",)
    assert verdict.codes_in("DE") == ["PASS_THROUGH_NOT_VALID_HERE"]


def test_a_void_title_stops_past_buyers_and_an_ended_one_does_not() -> None:
    question = ask(Use.REDOWNLOAD)
    revoked = replace(master(), state=RecordState.REVOKED)
    assert decide(question, known(revoked, work())).is_cleared("DE")
    assert decide(question, known(replace(revoked, void_title=True), work())).codes_in("DE") == ["REVOKED"]


def test_every_work_of_a_medley_must_be_whole() -> None:
    verdict = decide(ask(), known(master(), work(), works=(WORK, "work-2")))
    assert verdict.codes_in("DE") == ["NO_WORK_LICENCE"]
    assert verdict.reasons_in("DE")[0].detail == "work-2"


@pytest.mark.parametrize(
    ("country", "last_day", "ends"),
    [
        ("DE", date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)),  # the night that loses an hour, later on
        ("DE", date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),  # the night after it
        ("DE", date(2026, 10, 24), datetime(2026, 10, 24, 22, tzinfo=UTC)),  # the night that has an hour twice
        ("DE", date(2026, 10, 25), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        ("US", date(2026, 3, 7), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("US", date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        ("US", date(2026, 11, 1), datetime(2026, 11, 2, 5, tzinfo=UTC)),
        ("LB", date(2026, 3, 28), datetime(2026, 3, 28, 22, tzinfo=UTC)),  # midnight itself is left out
        ("CU", date(2026, 10, 31), datetime(2026, 11, 1, 4, tzinfo=UTC)),  # the hour after midnight comes twice
        ("NZ", date(2026, 4, 4), datetime(2026, 4, 4, 10, 15, tzinfo=UTC)),  # the Chathams, 45 minutes ahead
    ],
)
def test_a_term_ends_to_the_second_in_the_nights_when_clocks_change(country, last_day, ends):
    evidence = known(master(ends_on=last_day, territories=TerritorySet.only(country)), work())
    before, after = (decide(ask(at=ends + timedelta(seconds=shift)), evidence) for shift in (-1, 0))
    assert before.is_cleared(country)
    assert before.good_until == before.cleared_until(country) == ends
    assert after.codes_in(country) == ["TERM_EXPIRED"]
