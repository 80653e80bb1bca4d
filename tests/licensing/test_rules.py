"""Single rules of the engine, each with the record that breaks it and the one that does not."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from licensing.layers import percent
from licensing.records import EvidenceItem, NoticeFact
from licensing.rules import decide
from licensing.terms import Basis, CmoStatus, EvidenceKind, Layer, RecordState, ReviewOutcome, Use
from licensing.territories import TerritorySet
from tests.licensing.facts import NOW, RECORDING, approved, ask, both, draft, known, master, part, public, work


def codes(question, *records, country="DE", **over):
    return decide(question, known(*records, **over)).codes_in(country)


def test_an_approved_pair_is_the_control_of_every_test_here():
    assert codes(ask(), master(), work()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": RecordState.SUBMITTED}, "NOT_REVIEWED"),
        ({"approval": None}, "NOT_REVIEWED"),
        ({"state": RecordState.SUSPENDED}, "SUSPENDED"),
        ({"state": RecordState.REVOKED}, "REVOKED"),
        ({"evidence": ()}, "EVIDENCE_MISSING"),
        ({"evidence": (EvidenceItem(EvidenceKind.TAG_STATEMENT, "e" * 64, "e" * 64),)}, "EVIDENCE_MISSING"),
        ({"evidence": (EvidenceItem(EvidenceKind.AGREEMENT, "e" * 64, "f" * 64),)}, "EVIDENCE_ALTERED"),
        ({"evidence": (EvidenceItem(EvidenceKind.AGREEMENT, "e" * 64, ""),)}, "EVIDENCE_ALTERED"),
        ({"territories": TerritorySet.only("FR")}, "TERRITORY_EXCLUDED"),
        ({"starts_on": date(2026, 3, 11)}, "NOT_YET_STARTED"),
        ({"ends_on": date(2026, 3, 9)}, "TERM_EXPIRED"),
        ({"uses": frozenset({Use.STREAM})}, "USE_NOT_GRANTED"),
        ({"drm_required": True}, "DRM_REQUIRED"),
        ({"share": part(99)}, "SHARES_NOT_100"),
    ],
)
def test_each_fault_of_a_record_has_its_own_code(change, code):
    assert code in codes(ask(), replace(master(), **change), work())


@pytest.mark.parametrize(
    "change",
    [
        {"layer": "LYRICS"},
        {"basis": "HANDSHAKE"},
        {"licensee": "FRIENDS"},
        {"state": "BLESSED"},
        {"territories": TerritorySet("EVERYWHERE", frozenset())},
        {"territories": TerritorySet.world(but=["EU"])},
        {"territories": TerritorySet.only("DE", "AN")},
        {"uses": frozenset({"EVERYTHING"})},
    ],
)
def test_a_term_that_nobody_knows_clears_nothing(change):
    assert decide(ask(), known(replace(master(), **change), work())).cleared == ()


def test_an_unknown_outcome_of_a_review_clears_nothing():
    assert codes(ask(), approved(draft(Layer.RECORDING), outcome="MAYBE"), work()) == ["NOT_REVIEWED"]


def test_a_refused_record_says_why():
    refused = approved(draft(Layer.RECORDING), outcome=ReviewOutcome.REFUSED, reason="Wrong label.")
    reasons = decide(ask(), known(refused, work())).reasons_in("DE")
    assert [(reason.code, reason.detail) for reason in reasons] == [("NOT_REVIEWED", "refused: Wrong label.")]


def test_a_review_by_the_labels_own_people_counts_for_nothing():
    assert codes(ask(), approved(draft(Layer.RECORDING), independent=False), work()) == ["REVIEW_NOT_INDEPENDENT"]


def test_an_approval_holds_for_the_evidence_it_saw_only():
    assert codes(ask(), approved(draft(Layer.RECORDING), evidence_sha256="0" * 64), work()) == ["EVIDENCE_ALTERED"]


def test_an_approval_holds_for_the_sound_it_heard_only():
    assert codes(ask(sound_sha256="6" * 64), master(), work()) == ["EVIDENCE_ALTERED"]
    assert codes(ask(sound_sha256=""), master(), work()) == ["EVIDENCE_ALTERED"]


def test_a_country_outside_iso_3166_is_unknown():
    verdict = decide(ask(), known(master(), work()))
    assert [reason.code for reason in verdict.reasons_in("EU")] == ["TERRITORY_UNKNOWN"]
    assert not verdict.is_cleared("EU")


def test_countries_are_read_literally():
    verdict = decide(ask(), known(master(territories=TerritorySet.only("US", "GB", "FR")), work()))
    assert verdict.cleared_countries == ("FR", "GB", "US")


@pytest.mark.parametrize("kind", ["TAKEDOWN", "RECALL", "LEGAL_HOLD", "SOMETHING"])
def test_a_notice_stops_the_sale_everywhere(kind):
    verdict = decide(ask(), known(master(), work(), notices=(NoticeFact("n", kind, "Charlie"),)))
    assert verdict.cleared == ()
    assert verdict.codes_in("DE") == ["LEGAL_HOLD" if kind == "LEGAL_HOLD" else "TAKEN_DOWN"]


def test_past_buyers_keep_what_they_bought_after_a_takedown_but_not_after_a_recall():
    for kind, kept in (("TAKEDOWN", True), ("LEGAL_HOLD", True), ("RECALL", False)):
        verdict = decide(ask(Use.REDOWNLOAD), known(master(), work(), notices=(NoticeFact("n", kind, "C"),)))
        assert verdict.is_cleared("DE") is kept


def test_past_buyers_may_fetch_again_after_the_term_where_the_agreement_says_so():
    over = master(ends_on=date(2026, 1, 1))
    assert codes(ask(Use.REDOWNLOAD), over, work()) == []
    assert codes(ask(Use.REDOWNLOAD), replace(over, redownload_rule="NEVER"), work()) == ["TERM_EXPIRED"]


def test_a_dispute_stops_the_layer_it_names():
    dispute = NoticeFact("n", "DISPUTE", "Charlie", layer="WORK")
    reasons = decide(ask(), known(master(), work(), notices=(dispute,))).reasons_in("DE")
    assert [(reason.layer, reason.code) for reason in reasons] == [("WORK", "DISPUTED")]


def test_the_release_date_comes_with_the_day_of_each_country():
    evidence = known(master(), work(), embargoed_until=date(2026, 3, 11))
    verdict = decide(ask(at=datetime(2026, 3, 10, 12, tzinfo=UTC)), evidence)
    assert verdict.is_cleared("NZ")
    assert verdict.codes_in("DE") == ["EMBARGOED"]
    assert verdict.good_until == datetime(2026, 3, 10, 13, tzinfo=UTC)


def test_a_preview_longer_than_granted_is_refused():
    short = master(preview_max_seconds=20)
    assert codes(ask(Use.PREVIEW, preview_seconds=30), short, work()) == ["PREVIEW_TOO_LONG"]
    assert codes(ask(Use.PREVIEW, preview_seconds=20), short, work()) == []


def test_a_preview_of_a_minute_is_too_long_in_canada_only():
    question = ask(Use.PREVIEW, preview_seconds=60)
    assert codes(question, master(), work()) == []
    assert set(codes(question, master(), work(), country="CA")) == {"PREVIEW_TOO_LONG"}


def test_nd_forbids_a_cut_and_allows_a_transcode():
    assert codes(ask(), *both("CC BY-ND 4.0")) == []
    assert set(codes(ask(Use.PREVIEW, edited=True), *both("CC BY-ND 4.0"))) == {"ND_FORBIDS_EDIT"}
    assert codes(ask(Use.PREVIEW, edited=True), *both("CC BY 4.0")) == []


def test_nc_is_free_with_consent():
    consent = [replace(record, free_consent=True) for record in both("CC BY-NC 4.0")]
    assert codes(ask(Use.FREE_DOWNLOAD), *consent) == []


def test_private_licences_beside_nc_sell_and_the_buyer_still_gets_the_public_one():
    records = (*both("CC BY-NC 4.0"), master(Basis.CC_PLUS), work(Basis.CC_PLUS))
    verdict = decide(ask(), known(*records))
    assert verdict.is_cleared("DE")
    assert {duty.relied_on for duty in verdict.obligations.licences} == {False}
    assert verdict.obligations.buyer_licence[0] == "CC BY-NC 4.0"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("CC BY", "LICENCE_VERSION_MISSING"),
        ("royalty free", "LICENCE_UNKNOWN"),
        ("https://creativecommons.org/licenses/sampling+/1.0/", "LICENCE_UNKNOWN"),
        ("https://www.gnu.org/licenses/gpl-3.0.html", "LICENCE_UNKNOWN"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "LICENCE_UNKNOWN"),
        ("", "LICENCE_UNKNOWN"),
    ],
)
def test_only_licences_of_the_list_clear(url, code):
    record = replace(public(Layer.RECORDING, "CC BY 4.0"), licence_url=url)
    assert codes(ask(), record, work()) == [code]


@pytest.mark.parametrize("over", [{"title": " "}, {"creators": ()}, {"creators": ("",)}])
def test_a_licence_that_asks_for_names_needs_them(over):
    assert codes(ask(), *both("CC BY 4.0"), **over) == ["ATTRIBUTION_INCOMPLETE"]
    assert codes(ask(), *both("CC0 1.0"), **over) == []


@pytest.mark.parametrize("status", [CmoStatus.UNKNOWN, CmoStatus.EXCLUSIVE, "NEW"])
def test_a_work_under_a_public_licence_needs_to_know_its_writers_society(status):
    record = public(Layer.WORK, "CC BY 4.0", cmo_status=status)
    assert codes(ask(), master(), record) == ["CMO_STATUS_UNKNOWN"]


def test_a_society_for_works_licenses_no_recording():
    assert codes(ask(), master(Basis.CMO), work()) == ["CMO_MANDATE_UNPROVEN"]


def test_a_work_outside_the_repertoire_is_not_covered():
    assert codes(ask(), master(), work(Basis.CMO, cmo_in_repertoire=False)) == ["NOT_IN_REPERTOIRE"]


def test_a_statutory_licence_needs_its_conditions_its_rate_and_its_country():
    law = work(Basis.STATUTORY, statutory_condition_met=True, rate_verified_on=date(2026, 1, 1))
    assert codes(ask(), master(), law, country="US") == []
    assert codes(ask(), master(), law) == ["STATUTORY_CONDITION"]
    assert codes(ask(), master(), replace(law, rate_verified_on=None), country="US") == ["RATE_UNVERIFIED"]
    assert codes(ask(), master(), replace(law, statutory_condition_met=False), country="US") == ["STATUTORY_CONDITION"]


def test_a_price_under_the_minimum_is_refused():
    dear = master(price_minimum_minor=100, price_currency="EUR")
    for minor, expected in ((99, ["PRICE_BELOW_MINIMUM"]), (100, [])):
        assert codes(ask(prices=(("EUR", minor),)), dear, work()) == expected
    assert codes(ask(prices=(("USD", 500),)), dear, work()) == ["NO_PRICE"]


@pytest.mark.parametrize("mark", ["SAMPLE", "REMIX", "ARRANGEMENT", "COVER", "MASHUP"])
def test_marked_material_needs_a_record_of_its_own(mark):
    marked = {"materials": frozenset({mark})}
    own = approved(draft(Layer.RECORDING, id="own", material=mark, licensor="kim"))
    assert codes(ask(), master(), work(), **marked) == ["DERIVED_MATERIAL_UNCLEARED"]
    assert codes(ask(), master(), work(), own, **marked) == []


def test_a_cover_is_cleared_by_the_licence_of_somebody_elses_work():
    assert codes(ask(), master(), work(licensor="kim"), materials=frozenset({"COVER"})) == []


def test_claims_over_the_whole_conflict_where_one_is_exclusive():
    assert codes(ask(), master(licensor="a"), master(licensor="b"), work()) == ["SHARES_OVER_100"]
    assert codes(ask(), master(licensor="a", exclusive=True), master(licensor="b"), work()) == ["CONFLICTING_CLAIM"]


def test_exclusive_in_a_deal_is_no_claim_to_ownership():
    deal = master(Basis.DDEX_DEAL, licensor="a", exclusive=True)
    assert codes(ask(), deal, master(licensor="b"), work()) == ["SHARES_OVER_100"]


def test_a_newer_version_replaces_the_older():
    newer = replace(draft(Layer.RECORDING), version=2)
    assert codes(ask(), master(), newer, work()) == ["NOT_REVIEWED"]


def test_a_recording_of_no_known_work_is_not_cleared():
    assert codes(ask(), master(), works=()) == ["NO_WORK_LICENCE"]


def test_what_ends_soon_is_said_beside_the_yes():
    verdict = decide(ask(), known(master(ends_on=date(2026, 4, 1)), work()))
    assert [warning.code for warning in verdict.warnings_in("DE")] == ["EXPIRES_SOON"]
    assert verdict.warnings_in("DE", days=7) == ()


def test_a_question_without_a_zone_is_no_question():
    with pytest.raises(ValueError, match="zone"):
        ask(at=datetime(2026, 3, 10))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(("share", "words"), [(part(50), "50 %"), (part(5001, 10000), "50.01 %"), (part(1, 3), "1/3")])
def test_shares_read_exactly(share, words):
    assert percent(share) == words


def test_reasons_come_by_scope_then_layer_then_code():
    notice = NoticeFact("n", "TAKEDOWN", "C")
    found = decide(ask(at=NOW), known(draft(Layer.RECORDING), notices=(notice,))).reasons_in("DE")
    assert [(reason.scope, reason.code) for reason in found] == [
        ("TRACK", "TAKEN_DOWN"),
        ("LAYER", "NO_WORK_LICENCE"),
        ("RECORD", "NOT_REVIEWED"),
    ]
    assert found[2].record.startswith("recording-")
    assert RECORDING not in found[2].detail


def test_a_statement_without_a_settled_address_clears_nothing() -> None:
    record = replace(public(Layer.RECORDING, "CC BY 4.0"), licence_url="", licence_statement="CC BY 4.0")
    verdict = decide(ask(), known(record, public(Layer.WORK, "CC BY 4.0")))
    assert verdict.codes_in("DE") == ["LICENCE_UNKNOWN"]
