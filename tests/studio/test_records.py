"""A label says everything a record can say, changes it by a new version, and says who wrote its works."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party, Recording, SocietyMembership, Work, WorkShare
from licensing import grants, reviews
from licensing.models import GrantEnd, Instrument, LicenceGrant
from licensing.terms import EvidenceKind
from store import record_forms, submissions, unions
from store.record_fields import read_places, read_share, share_text
from tests.factories import catalog, licensing
from tests.store import papers


def pdf(name: str = "agreement.pdf", data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data or papers.plain(), "application/pdf")


def new(kind: str, row: Any) -> str:
    return reverse("studio-record-new", args=["bobs", kind, row.public_id])


DIRECT = {"basis": "DIRECT", "uses": ["PERMANENT_DOWNLOAD", "PREVIEW"], "evidence_kind": "AGREEMENT"}


def hand_in(client: Client, kind: str, row: Any, **over: Any) -> LicenceGrant:
    answer = client.post(new(kind, row), DIRECT | {"papers": pdf()} | over)
    assert answer.status_code == 302, answer.text
    return LicenceGrant.objects.latest("pk")


# Every field


def test_a_record_keeps_everything_that_was_said(at_bobs: Client, recording: Recording) -> None:
    grant = hand_in(
        at_bobs, "recording", recording, agreement="A-17", where="EXCEPT", countries="us CA", starts_on="2026-01-01",
        ends_on="2030-12-31", share="1/3", exclusive="on", price_minimum="0,99", price_currency="eur",
        redownload_rule="NOTICE_PERIOD", preview_max_seconds="45", edits_allowed="on",
    )  # fmt: skip
    assert (grant.agreement, grant.territory_mode, grant.territories) == ("A-17", "WORLD_EXCEPT", ["CA", "US"])
    assert (grant.starts_on, grant.ends_on) == (date(2026, 1, 1), date(2030, 12, 31))
    assert Fraction(grant.share_numerator, grant.share_denominator) == Fraction(1, 3)
    assert (grant.price_minimum_minor, grant.price_currency) == (99, "EUR")
    assert (grant.redownload_rule, grant.preview_max_seconds) == ("NOTICE_PERIOD", 45)
    assert grant.exclusive
    assert grant.edits_allowed
    assert grant.uses == ["PERMANENT_DOWNLOAD", "PREVIEW"]
    assert grant.territories_as_given == "us CA"


def test_a_short_name_is_written_out_and_kept_as_given(at_bobs: Client, recording: Recording) -> None:
    grant = hand_in(at_bobs, "recording", recording, where="ONLY", countries="EU, CH")
    assert len(grant.territories) == 28
    assert "GB" not in grant.territories
    assert grant.territories_as_given == "EU, CH"


def test_the_evidence_is_kept_with_its_name_and_kind(at_bobs: Client, recording: Recording) -> None:
    kept = hand_in(at_bobs, "recording", recording, evidence_kind="AGREEMENT").evidence.get()
    assert (kept.kind, kept.name, kept.media_type) == ("AGREEMENT", "agreement.pdf", "application/pdf")


def test_another_party_may_be_the_one_who_granted(at_bobs: Client, recording: Recording, label: Party) -> None:
    work = recording.works.get()
    first = hand_in(at_bobs, "work", work, licensor="Ana Writer", licensor_ipi="00052210040")
    again = hand_in(at_bobs, "work", work, licensor="Ana Writer", share="50 %")
    assert first.licensor == again.licensor
    assert first.licensor.party.ipi == "00052210040"
    assert first.submitted_for == label


@pytest.mark.parametrize(("kind", "layer"), [("recordings", "RECORDING"), ("works", "WORK")])
def test_a_whole_catalogue_is_granted_in_one_record(at_bobs: Client, label: Party, kind: str, layer: str) -> None:
    grant = hand_in(at_bobs, kind, label)
    assert (grant.catalogue, grant.layer, grant.recording) == (label, layer, None)


def test_nobody_grants_the_catalogue_of_another(at_bobs: Client, label: Party) -> None:
    other = catalog.make_label()
    assert at_bobs.get(new("recordings", other)).status_code == 404


def test_a_foreign_recording_or_work_is_not_found(at_bobs: Client, label: Party) -> None:
    foreign = catalog.make_recording()
    assert at_bobs.get(new("recording", foreign)).status_code == 404
    assert at_bobs.get(new("work", foreign.works.get())).status_code == 404


def test_a_licence_address_is_kept_as_it_was_given_and_not_fetched(at_bobs: Client, recording: Recording) -> None:
    given = "http://creativecommons.org/licenses/by/3.0/deed.de"
    grant = hand_in(at_bobs, "recording", recording, basis="PUBLIC_LICENCE", licence=given, papers=())
    kept = grant.evidence.get()
    assert (grant.licence_statement, kept.kind) == (given, EvidenceKind.STATEMENT)
    assert grant.licence_url == "https://creativecommons.org/licenses/by/3.0/"
    assert kept.text.startswith(f"{given}\n")
    assert "was not fetched" in kept.text


def test_a_pasted_licence_page_is_evidence(at_bobs: Client, recording: Recording) -> None:
    grant = hand_in(
        at_bobs, "recording", recording, basis="PUBLIC_LICENCE", licence=licensing.BY, papers=(),
        evidence_kind="LICENCE_PAGE", evidence_text="This work is licensed under CC BY 4.0.",
    )  # fmt: skip
    assert set(grant.evidence.values_list("kind", flat=True)) == {"LICENCE_PAGE", "STATEMENT"}


def test_the_word_on_the_writers_is_kept_as_a_declaration(at_bobs: Client, recording: Recording) -> None:
    terms = {"basis": "PUBLIC_LICENCE", "licence": licensing.BY, "papers": (), "cmo_status": "NOT_BOUND"}
    grant = hand_in(at_bobs, "work", recording.works.get(), **terms)
    assert grant.cmo_status == "NOT_BOUND"
    assert grant.evidence.filter(kind="DECLARATION").exists()


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"papers": ()}, "This needs evidence: agreement"),
        ({"papers": pdf(data=papers.web_page_first())}, "is no PDF, picture, web page or text by its content"),
        ({"basis": "PUBLIC_LICENCE"}, "Give the licence&#x27;s address, with its version."),
        ({"basis": "CMO", "evidence_kind": "SOCIETY_LICENCE"}, "A society licenses works and no recordings"),
        ({"share": "101 %"}, "at most 100 %"),
        ({"share": "a third"}, "Write a percentage"),
        ({"where": "ONLY", "countries": "EUROPE"}, "Not a country&#x27;s code: EUROPE"),
        ({"where": "ONLY"}, "Name the countries"),
        ({"starts_on": "2026-02-01", "ends_on": "2026-01-01"}, "lies before the first"),
        ({"price_minimum": "1.00"}, "Name the currency"),
        ({"price_minimum": "1.001", "price_currency": "EUR"}, "2 decimals at most"),
        ({"licensor_ipi": "12345678901"}, "IPI"),
        ({"uses": []}, "required"),
        ({"evidence_text": "We hereby agree.", "papers": ()}, "Words alone prove no such thing"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_do(
    at_bobs: Client, recording: Recording, over: dict[str, Any], words: str
) -> None:
    before = LicenceGrant.objects.count()
    answer = at_bobs.post(new("recording", recording), DIRECT | {"papers": pdf()} | over)
    assert answer.status_code == 422
    assert words in answer.text
    assert LicenceGrant.objects.count() == before


def test_the_subject_is_found_by_title_and_by_code(at_bobs: Client, recording: Recording) -> None:
    Recording.objects.filter(pk=recording.pk).update(isrc="DEA122400001")
    chosen = reverse("studio-record-subject", args=["bobs"])
    assert str(recording.public_id) in at_bobs.get(chosen, {"q": "DE-A12-24-00001"}).text
    assert str(recording.public_id) in at_bobs.get(chosen, {"q": recording.title.lower()}).text
    assert str(recording.public_id) not in at_bobs.get(chosen, {"q": "another"}).text


# Changing


def change_url(grant: LicenceGrant) -> str:
    return reverse("studio-record-change", args=["bobs", grant.record_id])


def said(grant: LicenceGrant, **over: Any) -> dict[str, Any]:
    """The form of a record as a browser would send it back."""
    filled = {name: value for name, value in record_forms.said_by(grant).items() if value and name != "uses"}
    return {**filled, "uses": grant.uses, "version": grant.version, **over}


def test_a_change_is_a_new_version_on_the_old_evidence(at_bobs: Client, recording: Recording) -> None:
    first = hand_in(at_bobs, "recording", recording, share="50 %")
    assert at_bobs.post(change_url(first), said(first, ends_on="2031-01-01")).status_code == 302
    second = LicenceGrant.objects.get(supersedes=first)
    assert (second.record_id, second.version, second.ends_on) == (first.record_id, 2, date(2031, 1, 1))
    assert Fraction(second.share_numerator, second.share_denominator) == Fraction(1, 2)
    assert list(second.evidence.all()) == list(first.evidence.all())


def test_new_evidence_joins_the_old(at_bobs: Client, recording: Recording) -> None:
    first = hand_in(at_bobs, "recording", recording)
    paper = pdf("chain.pdf", papers.plain("Assigned to Bob."))
    at_bobs.post(change_url(first), said(first, papers=paper, evidence_kind="CHAIN_OF_TITLE"))
    second = LicenceGrant.objects.get(supersedes=first)
    assert set(second.evidence.values_list("kind", flat=True)) == {"AGREEMENT", "CHAIN_OF_TITLE"}


def test_a_change_of_nothing_is_refused(at_bobs: Client, recording: Recording) -> None:
    first = hand_in(at_bobs, "recording", recording)
    answer = at_bobs.post(change_url(first), said(first))
    assert answer.status_code == 422
    assert "Nothing is different" in answer.text


def test_what_the_page_does_not_ask_stays_as_it_is(at_bobs: Client, label: Party) -> None:
    grant = licensing.make_grant(
        catalog.make_recording(label=label), submitted_for=label, cmo_status="CARVED_OUT", material="SAMPLE"
    )
    at_bobs.post(change_url(grant), said(grant, ends_on="2031-01-01", cmo_status="UNKNOWN", licensor="Mallory"))
    second = LicenceGrant.objects.get(supersedes=grant)
    assert (second.cmo_status, second.material, second.licensor) == ("CARVED_OUT", "SAMPLE", grant.licensor)


def test_two_who_change_one_record_at_once_do_not_overwrite_each_other(at_bobs: Client, recording: Recording) -> None:
    first = hand_in(at_bobs, "recording", recording)
    at_bobs.post(change_url(first), said(first, ends_on="2031-01-01"))
    answer = at_bobs.post(change_url(first), said(first, ends_on="2032-01-01"))
    assert answer.status_code == 422
    assert "Somebody changed this record meanwhile" in answer.text


@pytest.fixture
def foreign(label: Party, recording: Recording) -> LicenceGrant:
    """A record of somebody else about a work that is heard in Bob's recording: he reads it, and that is all."""
    society = catalog.make_label("Society")
    return licensing.make_grant(
        recording.works.get(), holder=licensing.make_holder(society), submitted_for=society, basis="CMO", licence_url=""
    )


def test_the_record_of_another_is_read_and_neither_changed_nor_ended(at_bobs: Client, foreign: LicenceGrant) -> None:
    assert at_bobs.get(reverse("studio-record", args=["bobs", foreign.record_id])).status_code == 200
    assert at_bobs.get(change_url(foreign)).status_code == 404
    end = reverse("studio-record-end", args=["bobs", foreign.record_id])
    assert at_bobs.post(end, {"reason": "mine", "sure": "on"}).status_code == 404
    assert not GrantEnd.objects.exists()


def test_without_that_guard_it_would_be(
    at_bobs: Client, foreign: LicenceGrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(submissions, "is_own", lambda *_: True)
    end = reverse("studio-record-end", args=["bobs", foreign.record_id])
    at_bobs.post(end, {"reason": "mine", "sure": "on"})
    assert GrantEnd.objects.exists()


# The list


def test_records_are_grouped_as_their_states_read(label: Party) -> None:
    from store import records

    made = {state: licensing.make_grant(catalog.make_recording(label=label), submitted_for=label) for state in
            ("waiting", "refused", "approved", "over", "suspended")}  # fmt: skip
    now = timezone.now()
    reviews.refuse(made["refused"], reviewer=licensing.RITA, reason="No.", at=now)
    reviews.approve(made["approved"], reviewer=licensing.RITA, sound_sha256=licensing.SOUND, at=now)
    grants.end_grant(made["over"], reason="Sold.", actor="user:bob", at=now)
    grants.end_grant(made["suspended"], reason="Wait.", actor="user:bob", kind="SUSPENDED", at=now)
    found = {each.pk: each.group for each in records.grouped(records.of_label(label), at=now)}  # type: ignore[attr-defined]
    expected = {"waiting": "waiting", "refused": "refused", "approved": "approved", "over": "over", "suspended": "over"}
    assert {state: found[grant.pk] for state, grant in made.items()} == expected


def test_the_list_is_searched_by_agreement(at_bobs: Client, recording: Recording) -> None:
    hand_in(at_bobs, "recording", recording, agreement="A-17")
    hand_in(at_bobs, "work", recording.works.get(), agreement="B-2")
    page = at_bobs.get("/studio/bobs/rights/", {"q": "a-17"}).text
    assert page.count('data-label="State"') == 1


# Works


def lines(*rows: dict[str, str]) -> dict[str, str]:
    sent = {"line-TOTAL_FORMS": str(len(rows)), "line-INITIAL_FORMS": "0", "title": "Elan", "iswc": "T-034.524.680-1"}
    for place, row in enumerate(rows):
        sent |= {f"line-{place}-{name}": value for name, value in {"role": "C", **row}.items()}
    return sent


ANA = {"name": "Ana Writer", "ipi": "00052210040", "mechanical": "50 %", "performing": "1/2", "published_by": "House"}
HOUSE = {"name": "House", "role": "E", "mechanical": "50 %", "performing": "50 %"}


def test_writers_publishers_and_shares_are_kept(at_bobs: Client, recording: Recording) -> None:
    work = recording.works.get()
    answer = at_bobs.post(reverse("studio-work", args=["bobs", work.public_id]), lines(ANA, HOUSE))
    assert answer.status_code == 302, answer.text
    writer = WorkShare.objects.get(work=work, role="C")
    assert (writer.mechanical, writer.party.ipi) == (Fraction(1, 2), "00052210040")
    assert writer.published_by.party.name == "House"
    work.refresh_from_db()
    assert (work.title, work.iswc) == ("Elan", "T0345246801")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ANA, {**HOUSE, "mechanical": "60 %"}], "more than the whole"),
        ([ANA], "Give this publisher a line of its own"),
        ([{**ANA, "ipi": "1"}], "IPI"),
    ],
)
def test_shares_that_cannot_be_are_refused_whole(
    at_bobs: Client, recording: Recording, rows: list[dict[str, str]], words: str
) -> None:
    work = recording.works.get()
    answer = at_bobs.post(reverse("studio-work", args=["bobs", work.public_id]), lines(*rows))
    assert answer.status_code == 422
    assert words in answer.text
    assert not WorkShare.objects.exists()
    assert Work.objects.get(pk=work.pk).iswc is None


def test_a_mandate_to_a_society_is_noted_with_its_countries(at_bobs: Client, recording: Recording) -> None:
    work = recording.works.get()
    at_bobs.post(reverse("studio-work", args=["bobs", work.public_id]), lines({**ANA, "published_by": ""}))
    writer = WorkShare.objects.get().party
    url = reverse("studio-work-society", args=["bobs", work.public_id])
    body = {"party": writer.public_id, "society": "GEMA", "right": "MECHANICAL", "where": "ONLY", "countries": "DACH"}
    assert at_bobs.post(url, body).status_code == 302
    made = SocietyMembership.objects.get()
    assert (made.society.name, made.territories) == ("GEMA", ["AT", "CH", "DE"])


def test_of_a_work_that_others_record_too_a_label_changes_nothing(at_bobs: Client, recording: Recording) -> None:
    work = recording.works.get()
    catalog.make_recording(works=0).recording_works.create(work=work)
    answer = at_bobs.post(reverse("studio-work", args=["bobs", work.public_id]), lines({**ANA, "published_by": ""}))
    assert "Other labels record this work too" in answer.text
    assert not WorkShare.objects.exists()


# Words into values


@pytest.mark.parametrize(
    ("text", "share"),
    [("100", Fraction(1)), ("33.333333 %", Fraction(33333333, 10**8)), ("26 2/3", None), ("1/3", Fraction(1, 3)),
     ("12,5%", Fraction(1, 8)), ("0", None), ("2/1", None), ("1/0", None), ("-5", None)],
)  # fmt: skip
def test_a_share_is_read_exactly_or_not_at_all(text: str, share: Fraction | None) -> None:
    if share is None:
        with pytest.raises(ValueError, match=r"share"):
            read_share(text)
    else:
        assert read_share(text) == share
        assert read_share(share_text(share)) == share


def test_the_union_is_read_as_it_stood_that_day() -> None:
    assert "GB" in unions.members("EU", on=date(2020, 1, 31))
    assert "GB" not in unions.members("EU", on=date(2020, 2, 1))
    assert len(unions.members("EU", on=date(2026, 1, 1))) == 27
    assert len(unions.members("EEA", on=date(2026, 1, 1))) == 30


def test_historic_codes_become_what_they_stand_for() -> None:
    assert read_places("UK, BENELUX", on=date(2026, 1, 1)) == ("BE", "GB", "LU", "NL")


def test_nothing_of_a_refused_form_is_kept_as_evidence(at_bobs: Client, recording: Recording) -> None:
    before = Instrument.objects.count()
    at_bobs.post(new("recording", recording), DIRECT | {"papers": pdf(), "share": "0"})
    assert Instrument.objects.count() == before
