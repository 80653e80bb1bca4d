"""Owners say who acts for the label; nobody else does."""

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Party
from store.models import Membership, User
from tests.factories.store import make_user

URL = "/studio/bobs/settings/"


def test_an_owner_adds_somebody_by_address_in_any_case(at_bobs: Client, label: Party) -> None:
    dora = make_user("Dora", email="dora@example.org")
    at_bobs.post(URL, {"email": "Dora@Example.org", "role": "MEMBER"})
    assert Membership.objects.get(user=dora).label == label


def test_an_unknown_address_is_said_to_be_unknown(at_bobs: Client, label: Party) -> None:
    answer = at_bobs.post(URL, {"email": "nobody@example.org", "role": "MEMBER"})
    assert answer.status_code == 422
    assert "Nobody has an account with this address" in answer.text


def test_a_member_adds_nobody(at_eves: Client, label: Party) -> None:
    make_user("Dora", email="dora@example.org")
    assert at_eves.post(URL, {"email": "dora@example.org", "role": "OWNER"}).status_code == 404
    assert Membership.objects.count() == 1


def test_an_owner_removes_a_member(at_bobs: Client, at_eves: Client, label: Party) -> None:
    eve = Membership.objects.get(role="MEMBER")
    at_bobs.post(reverse("studio-member-remove", args=["bobs", eve.pk]))
    assert at_eves.get(URL).status_code == 404


@pytest.mark.parametrize("who", ["owner", "member"])
def test_an_owner_is_not_removed_by_herself_or_a_member(at_bobs: Client, at_eves: Client, bob: User, who: str) -> None:
    owner = Membership.objects.get(user=bob)
    client = at_bobs if who == "owner" else at_eves
    assert client.post(reverse("studio-member-remove", args=["bobs", owner.pk])).status_code == 404


def test_an_owner_does_not_lower_herself(at_bobs: Client, bob: User) -> None:
    answer = at_bobs.post(URL, {"email": bob.email, "role": "MEMBER"})
    assert answer.status_code == 422
    assert Membership.objects.get(user=bob).role == "OWNER"


# -- Where the label is asked for more ---------------------------------------------------------------------------------

MORE = f"{URL}more/"


def test_an_owner_says_where_the_label_is_asked_for_more(at_bobs: Client, label: Party) -> None:
    assert at_bobs.post(MORE, {"url": "bobs.example/contact"}).status_code == 302
    label.refresh_from_db()
    assert label.more_permissions_url == "https://bobs.example/contact"
    assert "https://bobs.example/contact" in at_bobs.get(URL).text
    at_bobs.post(MORE, {"url": ""})
    label.refresh_from_db()
    assert label.more_permissions_url == ""


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://bobs.example", "not an address", "mailto:bob@x.example"])
def test_what_is_no_address_of_a_page_is_refused(at_bobs: Client, label: Party, url: str) -> None:
    answer = at_bobs.post(MORE, {"url": url})
    assert answer.status_code == 422
    assert "valid URL" in answer.text
    label.refresh_from_db()
    assert label.more_permissions_url == ""


def test_another_labels_people_change_nothing(at_charlies: Client, label: Party) -> None:
    assert at_charlies.post(MORE, {"url": "https://evil.example"}).status_code == 404


def test_a_member_sees_it_and_does_not_change_it(at_eves: Client, label: Party) -> None:
    Party.objects.filter(pk=label.pk).update(more_permissions_url="https://bobs.example/contact")
    assert at_eves.post(MORE, {"url": "https://evil.example"}).status_code == 404
    assert "https://bobs.example/contact" in at_eves.get(URL).text
