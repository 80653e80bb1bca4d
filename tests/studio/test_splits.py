"""Splits, seen, shown before they are signed, set and ended; and advances. Only an owner signs."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Release
from payments.models import Payee
from store import directions, owed
from store.models import Advance, LetterOfDirection
from tests.factories import shelf

PAGE = "/studio/bobs/money/splits/"
ADVANCES = "/studio/bobs/money/advances/"
TODAY = timezone.now().date()


@pytest.fixture
def ana(label: Party) -> Payee:
    """Paid all of what Bob's earns, until something else is signed."""
    (letter,) = owed.sign_split(
        label, parts=[owed.Named(Fraction(1), name="Ana Lind", email="ana@example.org", country="DE")],
        currency="EUR", layer="", starts_on=TODAY, signed_by="Bob",
    )  # fmt: skip
    return letter.payee


def sent(*rows: dict[str, Any], do: str = "sign", **over: Any) -> dict[str, Any]:
    data = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": 0, "do": do}
    data |= {"layer": "", "starts_on": TODAY.isoformat(), "signed_by": "Bob", **over}
    for number, row in enumerate(rows):
        data |= {f"form-{number}-{name}": value for name, value in row.items()}
    return data


def old(payee: Payee, part: str) -> dict[str, Any]:
    return {"payee": str(payee.public_id), "part": part}


def new(name: str, part: str, **over: Any) -> dict[str, Any]:
    return {"name": name, "email": f"{name.lower()}@example.org", "country": "de", "part": part, **over}


def in_force(label: Party, **scope: Any) -> dict[str, Fraction]:
    letters = owed.letters(label).filter(until=None, **scope)
    return {letter.payee.name: directions.share_of(letter) for letter in letters}


def test_an_owner_signs_a_split_and_the_earlier_one_ends(at_bobs: Client, label: Party, ana: Payee) -> None:
    rows = [old(ana, "33.333333"), new("Ben", "33.333333"), new("Cleo", "33,333334 %"), {}]
    assert at_bobs.post(PAGE, sent(*rows)).status_code == 302
    assert in_force(label) == {
        "Ana Lind": Fraction(33333333, 10**8), "Ben": Fraction(33333333, 10**8), "Cleo": Fraction(33333334, 10**8),
    }  # fmt: skip
    assert LetterOfDirection.objects.filter(until=TODAY).count() == 1


def test_thirds_are_written_as_thirds(at_bobs: Client, label: Party, ana: Payee) -> None:
    at_bobs.post(PAGE, sent(old(ana, "1/3"), new("Ben", "1/3"), new("Cleo", "1/3")))
    assert set(in_force(label).values()) == {Fraction(1, 3)}


@pytest.mark.parametrize("part", ["33.333333", "66.666668", "0", "101", "1/0", "NaN", "1e1", "٣", "-1", "2/1"])
def test_what_is_not_exactly_the_whole_is_refused_and_nothing_is_lost(
    at_bobs: Client, label: Party, ana: Payee, part: str
) -> None:
    answer = at_bobs.post(PAGE, sent(old(ana, "33.333333"), new("Ben", part)))
    assert answer.status_code == 422
    assert "ben@example.org" in answer.text
    assert in_force(label) == {"Ana Lind": Fraction(1)}
    assert not Payee.objects.filter(name="Ben").exists()


def test_somebody_new_needs_name_address_and_country(at_bobs: Client, label: Party) -> None:
    answer = at_bobs.post(PAGE, sent({"name": "Ben", "part": "100"}))
    assert answer.status_code == 422
    assert "Somebody new needs this." in answer.text
    assert not LetterOfDirection.objects.exists()


def test_a_preview_shows_the_next_sale_and_signs_nothing(at_bobs: Client, label: Party, ana: Payee) -> None:
    shelf.shelve("First Light", label=label)
    answer = at_bobs.post(PAGE, sent(old(ana, "60"), new("Ben", "40"), do="preview"))

    assert answer.status_code == 200
    shown = {part.label: part.minor for part in answer.context["preview"] if part.what == "for the recording"}
    assert set(shown) == {"Ana Lind", "Ben"}
    assert sum(part.minor for part in answer.context["preview"]) == 160
    assert in_force(label) == {"Ana Lind": Fraction(1)}
    assert not Payee.objects.filter(name="Ben").exists()


def test_a_preview_without_anything_on_sale_says_so(at_bobs: Client, label: Party, ana: Payee) -> None:
    answer = at_bobs.post(PAGE, sent(old(ana, "100"), do="preview"))
    assert "there is no sale to show" in answer.text


def test_a_release_and_a_recording_have_splits_of_their_own(
    at_bobs: Client, label: Party, ana: Payee, release: Release
) -> None:
    recording = release.tracks.get(number=1).recording
    for kind, about in (("release", release), ("recording", recording)):
        url = reverse("studio-splits-of", args=["bobs", kind, about.public_id])
        assert at_bobs.post(url, sent(old(ana, "50"), new(kind, "50"))).status_code == 302
    assert in_force(label, release=release) == {"Ana Lind": Fraction(1, 2), "release": Fraction(1, 2)}
    assert in_force(label, recording=recording) == {"Ana Lind": Fraction(1, 2), "recording": Fraction(1, 2)}
    page = at_bobs.get(PAGE).text
    assert release.title in page
    assert recording.title in page


def test_another_labels_release_is_not_found(at_charlies: Client, at_bobs: Client, release: Release) -> None:
    url = reverse("studio-splits-of", args=["charlies", "release", release.public_id])
    assert at_charlies.get(url).status_code == 404
    assert at_charlies.get(PAGE).status_code == 404
    assert at_bobs.get(reverse("studio-splits-of", args=["bobs", "work", release.public_id])).status_code == 404


def test_a_payee_of_another_label_cannot_be_chosen(at_bobs: Client, label: Party) -> None:
    theirs = Payee.objects.create(name="Other", email="o@example.org", country="DE", currency="EUR")
    assert at_bobs.post(PAGE, sent(old(theirs, "100"))).status_code == 422
    assert not LetterOfDirection.objects.exists()


def test_a_member_sees_and_signs_none(at_eves: Client, label: Party, ana: Payee) -> None:
    page = at_eves.get(PAGE)
    assert "Ana Lind" in page.text
    assert "Sign the split" not in page.text
    assert at_eves.post(PAGE, sent(old(ana, "100"))).status_code == 404


def test_more_rows_come_without_losing_what_was_written(at_bobs: Client, label: Party) -> None:
    answer = at_bobs.post(PAGE, sent(new("Ben", "100"), do="more"))
    assert len(answer.context["rows"].forms) == 4
    assert "ben@example.org" in answer.text


def test_a_letter_is_ended_on_a_day_and_the_rest_is_said_to_wait(at_bobs: Client, label: Party, ana: Payee) -> None:
    at_bobs.post(PAGE, sent(old(ana, "75"), new("Ben", "25")))
    letter = LetterOfDirection.objects.get(payee__name="Ben")
    url = reverse("studio-letter-end", args=["bobs", letter.pk])
    assert at_bobs.post(url, {"until": (TODAY - timedelta(days=1)).isoformat()}).status_code == 302
    assert set(in_force(label)) == {"Ana Lind", "Ben"}
    at_bobs.post(url, {"until": TODAY.isoformat()})
    assert set(in_force(label)) == {"Ana Lind"}
    assert "25% of what the recording earns waits for a letter." in at_bobs.get(PAGE).text


def test_a_foreign_letter_is_not_ended(at_charlies: Client, at_eves: Client, label: Party, ana: Payee) -> None:
    letter = LetterOfDirection.objects.get()
    assert at_charlies.post(reverse("studio-letter-end", args=["charlies", letter.pk])).status_code == 404
    assert at_eves.post(reverse("studio-letter-end", args=["bobs", letter.pk])).status_code == 404


def test_a_payee_agrees_to_be_named_and_no_longer(at_bobs: Client, at_eves: Client, label: Party, ana: Payee) -> None:
    url = reverse("studio-payee-named", args=["bobs", ana.public_id])
    for agreed in ("yes", "no"):
        assert at_bobs.post(url, {"agreed": agreed}).status_code == 302
        ana.refresh_from_db()
        assert ana.named_in_public is (agreed == "yes")
    assert at_eves.post(url, {"agreed": "yes"}).status_code == 404


def test_the_page_costs_the_same_for_many_letters(
    at_bobs: Client, label: Party, ana: Payee, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    at_bobs.post(PAGE, sent(*(new(f"Payee{number}", "5") for number in range(20))))
    with django_assert_max_num_queries(12):
        assert at_bobs.get(PAGE).status_code == 200


# -- Advances ----------------------------------------------------------------------------------------------------------


def advance(ana: Payee, ben: Payee, **over: Any) -> dict[str, Any]:
    return {
        "payee": ana.public_id, "repaid_to": ben.public_id, "amount": "500", "share": "50",
        "given_on": TODAY.isoformat(), "agreement": "Record contract 4", **over,
    }  # fmt: skip


@pytest.fixture
def ben(at_bobs: Client, label: Party, ana: Payee) -> Payee:
    at_bobs.post(PAGE, sent(old(ana, "50"), new("Ben", "50")))
    return Payee.objects.get(name="Ben")


def test_an_owner_records_an_advance(at_bobs: Client, label: Party, ana: Payee, ben: Payee) -> None:
    assert at_bobs.post(ADVANCES, advance(ana, ben)).status_code == 302
    kept = Advance.objects.get()
    assert (kept.payee, kept.repaid_to, kept.amount_micros) == (ana, ben, 500_000_000)
    assert (kept.share_numerator, kept.share_denominator) == (1, 2)
    assert "Record contract 4" in at_bobs.get(ADVANCES).text


@pytest.mark.parametrize("wrong", [{"amount": "0"}, {"share": "0"}, {"agreement": ""}, {"given_on": "x"}])
def test_what_is_no_advance_is_refused_in_words(
    at_bobs: Client, label: Party, ana: Payee, ben: Payee, wrong: dict[str, str]
) -> None:
    assert at_bobs.post(ADVANCES, advance(ana, ben, **wrong)).status_code == 422
    assert at_bobs.post(ADVANCES, advance(ana, ana)).status_code == 422
    assert not Advance.objects.exists()


def test_a_member_records_no_advance(at_eves: Client, label: Party, ana: Payee, ben: Payee) -> None:
    assert at_eves.get(ADVANCES).status_code == 200
    assert at_eves.post(ADVANCES, advance(ana, ben)).status_code == 404


def test_an_advance_needs_two_payees(at_bobs: Client, label: Party) -> None:
    assert "name both first" in at_bobs.get(ADVANCES).text
