"""Single rules of the engine, each with the record that breaks it and the one that does not."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from licensing import tariffs
from licensing.layers import percent
from licensing.records import EvidenceItem, MembershipFact, NoticeFact, RateFact
from licensing.rules import decide
from licensing.terms import Basis, CmoStatus, EvidenceKind, Layer, RecordState, ReviewOutcome, Use
from licensing.territories import TerritorySet
from licensing.verdicts import Verdict
from tests.licensing.facts import NOW, RECORDING, WORK, approved, ask, both, draft, known, master, part, public, work


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


@pytest.mark.parametrize("name", ["CC BY-ND 1.0", "CC BY-ND 2.0", "CC BY-ND 3.0"])
def test_nd_lets_a_part_be_heard_only_where_its_text_speaks_of_parts(name):
    asked = ask(Use.PREVIEW, edited=True)
    assert set(codes(asked, *both(name))) == {"ND_FORBIDS_EDIT"}
    assert codes(asked, *both("CC BY-ND 4.0")) == []
    verdict = decide(asked, known(*both("CC BY-ND 4.0")))
    assert all(duty.no_edits for duty in verdict.obligations.licences)  # so the cut has no fades


def test_nd_forbids_a_change_and_allows_a_transcode():
    assert codes(ask(), *both("CC BY-ND 4.0")) == []
    assert set(codes(ask(edited=True), *both("CC BY-ND 4.0"))) == {"ND_FORBIDS_EDIT"}
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


def rate(**over):
    """A verified row of the American tariff for downloads in 2026."""
    values = {
        "territory": "US",
        "use": Use.PERMANENT_DOWNLOAD,
        "valid_from": date(2026, 1, 1),
        "valid_to": date(2026, 12, 31),
        "verified_on": date(2026, 1, 5),
        "currency": "USD",
    }
    return RateFact(**{**values, **over})


def statutory(*rates, **over):
    return work(Basis.STATUTORY, statutory_condition_met=True, tariff="US-115", rates=rates, **over)


def test_a_statutory_licence_needs_its_conditions_its_rate_and_its_country():
    law = statutory(rate())
    assert codes(ask(), master(), law, country="US") == []
    assert codes(ask(), master(), law) == ["STATUTORY_CONDITION"]
    assert codes(ask(), master(), replace(law, statutory_condition_met=False), country="US") == ["STATUTORY_CONDITION"]


@pytest.mark.parametrize(
    "rates",
    [
        (),
        (rate(verified_on=None),),
        (rate(verified_on=date(2026, 6, 1)),),
        (rate(territory="CA"),),
        (rate(use=Use.STREAM),),
        (rate(valid_from=date(2026, 5, 1)),),
        (rate(valid_to=date(2026, 2, 28)),),
        (rate(), rate(tracks_from=2, verified_on=None)),
        (rate(), rate(valid_from=date(2026, 3, 1), verified_on=None)),
    ],
    ids=["none", "unverified", "not yet", "elsewhere", "other use", "not begun", "over", "one size", "replaced"],
)
def test_a_rate_that_is_missing_or_unverified_holds_the_sale(rates):
    assert codes(ask(), master(), statutory(*rates), country="US") == ["RATE_UNVERIFIED"]


def test_a_tariff_of_a_society_holds_just_the_countries_that_lack_a_rate():
    society = work(Basis.CMO, tariff="S", rates=(rate(territory="DE"), rate(territory="AT", verified_on=None)))
    verdict = decide(ask(), known(master(), society))
    assert verdict.cleared_countries == ("DE",)
    assert verdict.codes_in("AT") == ["RATE_UNVERIFIED"]


def test_a_record_that_names_no_tariff_needs_no_rate():
    assert codes(ask(), master(), work(Basis.CMO)) == []


@pytest.mark.parametrize("use", [Use.PREVIEW, Use.REDOWNLOAD])
def test_what_is_not_paid_by_the_copy_needs_no_rate(use):
    question = ask(use, preview_seconds=30)
    assert codes(question, master(), statutory(), country="US") == []


def test_a_rate_runs_out_with_the_last_day_of_its_country_unless_the_next_is_verified():
    law = statutory(rate())
    verdict = decide(ask(), known(master(), law))
    assert verdict.cleared_until("US") == verdict.good_until == datetime(2027, 1, 1, 5, tzinfo=UTC)
    following = rate(valid_from=date(2027, 1, 1), valid_to=None, verified_on=date(2026, 3, 1))
    assert decide(ask(), known(master(), statutory(rate(), following))).cleared_until("US") is None
    unread = replace(following, verified_on=None, valid_from=date(2026, 7, 1))
    halved = decide(ask(), known(master(), statutory(rate(), unread)))
    assert halved.cleared_until("US") == datetime(2026, 7, 1, 4, tzinfo=UTC)


def test_a_price_under_the_tariffs_minimum_is_refused_where_the_tariff_is_for():
    society = work(Basis.CMO, tariff="S", rates=(rate(territory="DE", currency="EUR", minimum_micros=91_001),))
    for minor, expected in ((9, ["PRICE_BELOW_MINIMUM"]), (10, [])):
        assert codes(ask(prices=(("EUR", minor),)), master(), society) == expected
    assert codes(ask(prices=(("USD", 900),)), master(), society) == ["NO_PRICE"]


@pytest.mark.parametrize(
    ("currency", "micros", "minor"), [("EUR", 91_001, 10), ("EUR", 90_000, 9), ("JPY", 1_500_000, 2), ("KWD", 1_001, 2)]
)
def test_a_minimum_is_rounded_up_to_what_can_be_charged(currency, micros, minor):
    assert tariffs.least_minor(currency, micros) == minor


def bound(**over):
    values = {"work": WORK, "member": "kim", "society": "GEMA", "territories": TerritorySet.only("DE", "AT")}
    return MembershipFact(**{**values, **over})


def test_a_writers_mandate_to_a_society_leaves_a_public_licence_without_force_there():
    public_works = (master(), public(Layer.WORK, "CC BY 4.0"))
    verdict = decide(ask(), known(*public_works, memberships=(bound(),)))
    assert verdict.codes_in("DE") == ["CMO_STATUS_UNKNOWN"]
    assert "GEMA" in verdict.reasons_in("DE")[0].detail
    assert verdict.is_cleared("US")


@pytest.mark.parametrize(
    "over",
    [
        {"online_excluded": True},
        {"joined_on": date(2026, 4, 1)},
        {"left_on": date(2026, 3, 1)},
        {"work": "another work"},
        {"territories": TerritorySet.only("US")},
    ],
)
def test_a_mandate_that_is_not_for_this_binds_nothing(over):
    evidence = known(master(), public(Layer.WORK, "CC BY 4.0"), memberships=(bound(**over),))
    assert decide(ask(), evidence).is_cleared("DE")


def test_a_mandate_nobody_understands_binds_everywhere():
    evidence = known(
        master(), public(Layer.WORK, "CC BY 4.0"), memberships=(bound(territories=TerritorySet.only("EU")),)
    )
    assert decide(ask(), evidence).cleared == ()


def test_a_mandate_that_begins_later_ends_the_licence_on_that_day():
    evidence = known(master(), public(Layer.WORK, "CC BY 4.0"), memberships=(bound(joined_on=date(2026, 4, 1)),))
    verdict = decide(ask(), evidence)
    assert verdict.cleared_until("DE") == verdict.good_until == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert verdict.cleared_until("US") is None


def test_a_mandate_of_one_writer_leaves_the_others_their_shares():
    half = part(50)
    society = work(Basis.CMO, licensor="society", share=half)
    free = public(Layer.WORK, "CC BY 4.0", licensor="w2", share=half)
    member = bound(share=half)
    assert codes(ask(), master(), society, free, memberships=(member,)) == []
    # Control: nobody knows how much the member holds, so all of it.
    for unknown in (bound(), bound(share=part(0))):
        assert "CMO_STATUS_UNKNOWN" in codes(ask(), master(), society, free, memberships=(unknown,))


def test_a_member_cannot_give_away_what_the_society_holds():
    half = part(50)
    own = public(Layer.WORK, "CC BY 4.0", licensor="kim", share=half)
    other = work(licensor="w2", share=half)
    reasons = decide(ask(), known(master(), own, other, memberships=(bound(share=half),))).reasons_in("DE")
    assert [(reason.code, reason.share_holder) for reason in reasons] == [
        ("SHARES_NOT_100", ""),
        ("CMO_STATUS_UNKNOWN", "kim"),
    ]


def test_a_mandate_that_ends_lets_a_public_licence_overclaim_from_that_day():
    """A long run found this: what the mandate held back comes into force beside what made the layer whole."""
    own = work(licensor="w2")
    public_too = public(Layer.WORK, "CC BY 4.0", licensor="kim")
    evidence = known(master(), own, public_too, memberships=(bound(left_on=date(2026, 4, 1)),))
    verdict = decide(ask(), evidence)
    assert verdict.cleared_countries == ("AT", "DE")
    assert verdict.cleared_until("DE") == verdict.good_until == datetime(2026, 4, 1, 22, tzinfo=UTC)
    assert decide(ask(at=datetime(2026, 4, 1, 22, tzinfo=UTC)), evidence).codes_in("DE") == ["SHARES_OVER_100"]


def test_a_rate_that_is_verified_later_lets_a_society_overclaim_from_that_day():
    waiting = work(
        Basis.CMO, licensor="society", tariff="S", rates=(rate(territory="DE", verified_on=date(2026, 4, 1)),)
    )
    verdict = decide(ask(), known(master(), work(), waiting))
    assert verdict.cleared_until("DE") == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_two_mandates_of_one_member_count_once_in_whatever_order_they_come():
    """A long run found this: the larger share counts, and not the one that was read last."""
    free = public(Layer.WORK, "CC BY 4.0", licensor="w2", share=part(50))
    society = work(Basis.CMO, licensor="society", share=part(50))
    half, whole = bound(share=part(50)), bound(share=part(100), society="PRS")
    one, other = (
        decide(ask(), known(master(), society, free, memberships=given)) for given in ((half, whole), (whole, half))
    )
    assert one.to_json() == other.to_json()
    assert not one.is_cleared("DE")


def test_a_mandate_takes_nothing_from_a_private_licence():
    assert codes(ask(), master(), work(), memberships=(bound(),)) == []


def test_an_approval_that_needs_a_second_waits_for_it():
    waiting = approved(draft(Layer.RECORDING), second_needed=True)
    reasons = decide(ask(), known(waiting, work())).reasons_in("DE")
    assert [(reason.code, reason.detail) for reason in reasons] == [("NOT_REVIEWED", "waiting for a second reviewer")]
    assert codes(ask(), approved(draft(Layer.RECORDING), second_needed=True, seconded=True), work()) == []


def test_a_record_for_a_catalogue_holds_for_any_sound_but_needs_one():
    wide = approved(draft(Layer.RECORDING, catalogue=True), sound_sha256="")
    assert codes(ask(sound_sha256="6" * 64), wide, work()) == []
    assert codes(ask(sound_sha256=""), wide, work()) == ["EVIDENCE_ALTERED"]
    assert codes(ask(), replace(wide, catalogue=False), work()) == ["EVIDENCE_ALTERED"]


def test_past_buyers_have_a_while_to_fetch_where_the_agreement_gives_them_notice():
    notice = master(ends_on=date(2026, 2, 20), redownload_rule="NOTICE_PERIOD", territories=TerritorySet.only("DE"))
    verdict = decide(ask(Use.REDOWNLOAD), known(notice, work()))
    assert verdict.cleared_until("DE") == verdict.good_until == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert codes(ask(), notice, work()) == ["TERM_EXPIRED"]
    assert codes(ask(Use.REDOWNLOAD), replace(notice, ends_on=date(2026, 2, 1)), work()) == ["TERM_EXPIRED"]


def test_a_revoked_record_gives_notice_too_but_a_void_one_never():
    revoked = replace(
        master(redownload_rule="NOTICE_PERIOD"), state=RecordState.REVOKED, ended_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    assert codes(ask(Use.REDOWNLOAD), revoked, work()) == []
    assert codes(ask(Use.REDOWNLOAD), replace(revoked, void_title=True), work()) == ["REVOKED"]
    assert codes(ask(Use.REDOWNLOAD), replace(revoked, ended_at=None), work()) == ["REVOKED"]
    assert codes(ask(Use.REDOWNLOAD, at=datetime(2026, 4, 2, tzinfo=UTC)), revoked, work()) == ["TERM_EXPIRED"]
    assert codes(ask(), revoked, work()) == ["REVOKED"]


def test_a_preview_of_unknown_length_is_too_long():
    assert set(codes(ask(Use.PREVIEW), master(), work())) == {"PREVIEW_TOO_LONG"}


def test_a_public_licence_with_nd_stays_one_whatever_the_record_says():
    assert set(codes(ask(edited=True), *both("CC BY-ND 4.0", edits_allowed=True))) == {"ND_FORBIDS_EDIT"}
    assert codes(ask(edited=True), master(edits_allowed=True), work(edits_allowed=True)) == []
    assert set(codes(ask(edited=True), master(), work())) == {"ND_FORBIDS_EDIT"}


def test_a_sale_without_any_price_is_none():
    assert codes(ask(prices=()), *both("CC BY 4.0")) == ["NO_PRICE"]
    assert set(codes(ask(prices=(("EUR", 0),)), master(uses=frozenset({Use.PERMANENT_DOWNLOAD})), work())) == {
        "NO_PRICE"
    }


def test_an_odd_identifier_is_a_warning_and_one_of_two_owners_a_refusal():
    odd = decide(ask(), known(master(), work(), identifier_warning="DEA122400001 on two recordings"))
    assert odd.is_cleared("DE")
    assert [warning.code for warning in odd.warnings_in("DE")] == ["IDENTIFIER_SUSPECT"]
    assert codes(ask(), master(), work(), identifier_conflict="Eve's too") == ["IDENTIFIER_SUSPECT"]


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


def test_a_verdict_of_the_first_engine_still_reads():
    data = decide(ask(), known(*both("CC BY 4.0"))).to_data()
    del data["warnings"], data["obligations"]["changed"]
    for duty in data["obligations"]["licences"]:
        del duty["duties"]
    read = Verdict.from_data({**data, "engine": "1"})
    assert read.is_cleared("DE")
    assert (read.warnings, read.obligations.changed, read.obligations.duties) == ((), False, ())


def test_what_the_licences_ask_comes_with_the_verdict_and_a_cut_says_that_it_is_one():
    verdict = decide(ask(), known(*both("CC BY-SA 3.0")))
    assert verdict.obligations.duties[:3] == ("NAME_AUTHOR", "NAME_TITLE", "NAME_SOURCE")
    assert not verdict.obligations.changed
    assert decide(ask(Use.PREVIEW, edited=True), known(*both("CC BY 4.0"))).obligations.changed
    assert decide(ask(), known(master(), work())).obligations.duties == ()
