"""Anybody may report something; it counts once confirmed from a mailbox, and nobody may flood the desk."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from licensing.models import Notice, NoticeStep
from store import demands, letters, notice_desk
from store.models import Demand, Letter
from tests.factories import catalog
from tests.factories.store import make_user, sign_in

pytestmark = pytest.mark.django_db

BODY = {
    "kind": "TAKEDOWN",
    "layer": "",
    "statement": "I wrote and recorded it in 2019.",
    "name": "Carla",
    "on_behalf_of": "",
    "email": "Carla@Example.org",
    "website": "",
    "good_faith": "on",
}


@pytest.fixture
def release():
    return catalog.make_release("First Light", slug="first-light", tracks=1)


@pytest.fixture
def at_ritas():
    return sign_in(make_user("Rita", is_reviewer=True))


def send(client, release, **over):
    return client.post("/report", BODY | {"subject": f"/release/{release.slug}"} | over)


def link_in(letter):
    return re.findall(r"http\S+(/(?:report|notices)/\S+)", letter.body)[0]


def confirmed(client, release, **over):
    send(client, release, **over)
    client.post(link_in(Letter.objects.get(kind="demand_confirm")))
    return Demand.objects.get()


def paper(data=b"%PDF-1.4 contract"):
    return SimpleUploadedFile("contract.pdf", data, "application/pdf")


def test_a_report_waits_for_its_senders_mailbox(client, release):
    assert send(client, release).url == "/report/sent"
    demand = Demand.objects.get()
    assert (demand.state, demand.email, demand.release) == ("UNCONFIRMED", "carla@example.org", release)
    assert list(demands.waiting()) == []


def test_looking_at_the_link_confirms_nothing_and_pressing_does(client, release):
    send(client, release)
    link = link_in(Letter.objects.get())
    client.get(link)
    assert Demand.objects.get().state == "UNCONFIRMED"
    client.post(link)
    client.post(link)
    assert Demand.objects.get().state == "WAITING"
    assert Letter.objects.filter(kind="demand_received").count() == 1


def test_a_paper_is_taken_with_the_confirmation(client, release):
    send(client, release)
    client.post(link_in(Letter.objects.get()), {"letter": paper()})
    assert Demand.objects.get().instrument.bytes == 17


def test_what_is_no_pdf_is_refused(client, release):
    send(client, release)
    assert client.post(link_in(Letter.objects.get()), {"letter": paper(b"<html>")}).status_code == 422
    assert Demand.objects.get().state == "UNCONFIRMED"


@pytest.mark.parametrize("change", ["x", "", ":other"])
def test_an_altered_link_leads_nowhere(client, release, change):
    send(client, release)
    link = link_in(Letter.objects.get())
    assert client.post(f"{link[:-3]}{change}").status_code == 404
    assert Demand.objects.get().state == "UNCONFIRMED"


def test_a_link_ends_after_three_days(client, release, time_machine):
    send(client, release)
    time_machine.move_to(timezone.now() + timedelta(days=3, seconds=1))
    assert client.post(link_in(Letter.objects.get())).status_code == 404


def test_what_nobody_confirms_is_forgotten(client, release):
    send(client, release)
    assert demands.forget(at=timezone.now() + timedelta(days=6)) == 0
    assert demands.forget(at=timezone.now() + timedelta(days=8)) == 1


def test_what_was_confirmed_is_kept(client, release):
    confirmed(client, release)
    assert demands.forget(at=timezone.now() + timedelta(days=800)) == 0


def test_one_mailbox_sends_only_so_many_a_day(client, release, settings):
    settings.REPORTS_PER_EMAIL, settings.REPORTS_PER_ADDRESS = 3, 100
    answers = [send(client, release, email=email).status_code for email in ["a@example.org"] * 4 + ["b@example.org"]]
    assert answers == [302, 302, 302, 422, 302]


def test_one_address_sends_only_so_many_an_hour(client, release, settings):
    settings.REPORTS_PER_ADDRESS = 2
    answers = [send(client, release, email=f"{each}@example.org").status_code for each in range(3)]
    elsewhere = client.post("/report", BODY | {"subject": "/release/first-light"}, REMOTE_ADDR="192.0.2.7").status_code
    assert (answers, elsewhere) == ([302, 302, 422], 302)


def test_the_address_itself_is_not_kept(client, release):
    send(client, release)
    assert "127.0.0.1" not in str(Demand.objects.values().get())


def test_a_robot_is_thanked_and_nothing_is_kept(client, release):
    assert send(client, release, website="http://spam.example").url == "/report/sent"
    assert not Demand.objects.exists()
    assert not Letter.objects.exists()


@pytest.mark.parametrize(
    "over",
    [{"subject": "/release/none"}, {"good_faith": ""}, {"email": "nobody"}, {"statement": "x" * 5001}, {"name": ""}],
)
def test_what_is_not_whole_is_said_to_be_so(client, release, over):
    assert send(client, release, **over).status_code == 422
    assert not Demand.objects.exists()


def test_a_name_with_a_line_break_becomes_no_header(client, release):
    release.title = "First\nBcc: everybody@example.org"
    release.save()
    send(client, release)
    assert "\n" not in Letter.objects.get().subject


def test_the_desk_makes_a_notice_of_it_with_one_press(client, at_ritas, release):
    demand = confirmed(client, release, on_behalf_of="Dora")
    at_ritas.post(reverse("review-report", args=[demand.public_id]), {"act": "accept"})
    notice = Notice.objects.get()
    assert (notice.claimant, notice.release, notice.contact) == ("Dora (by Carla)", release, "carla@example.org")
    assert Demand.objects.get().state == "ENTERED"
    again = at_ritas.post(reverse("review-report", args=[demand.public_id]), {"act": "accept"})
    assert (again.status_code, Notice.objects.count()) == (422, 1)


def test_the_desk_refuses_it_with_a_reason_its_sender_reads(client, at_ritas, release):
    url = reverse("review-report", args=[confirmed(client, release).public_id])
    assert at_ritas.post(url, {"act": "refuse", "reason": ""}).status_code == 422
    at_ritas.post(url, {"act": "refuse", "reason": "This is another song of that name."})
    assert Demand.objects.get().state == "REFUSED"
    assert "another song" in Letter.objects.get(kind="demand_refused").body
    assert not Notice.objects.exists()


def test_an_unconfirmed_report_is_not_on_the_desk(client, at_ritas, release):
    send(client, release)
    url = reverse("review-report", args=[Demand.objects.get().public_id])
    assert at_ritas.post(url, {"act": "accept"}).status_code == 404
    assert "First Light" not in at_ritas.get(reverse("review-reports")).text


def accepted(client, at_ritas, release):
    demand = confirmed(client, release)
    at_ritas.post(reverse("review-report", args=[demand.public_id]), {"act": "accept"})
    return Notice.objects.get(), link_in(Letter.objects.get(kind="notice_claimant"))


def test_the_claimant_follows_the_case_and_may_give_up(client, at_ritas, release):
    _, link = accepted(client, at_ritas, release)
    assert "I wrote and recorded it" in client.get(link).text
    client.post(link, {"what": "WITHDRAWAL", "statement": "We agreed."})
    assert NoticeStep.objects.get().kind == "WITHDRAWAL"


def test_the_claimant_contests_only_what_was_answered(client, at_ritas, release):
    notice, link = accepted(client, at_ritas, release)
    contest = {"what": "CONTEST", "statement": "See the court's file.", "letter": paper()}
    assert client.post(link, contest).status_code == 422
    notice_desk.counter(
        notice, name="Bob", contact="bob@example.org", statement="Mine.", actor="user:bob", at=timezone.now()
    )
    assert client.post(link, contest | {"letter": paper()}).status_code == 302
    assert [step.kind for step in NoticeStep.objects.all()] == ["COUNTER", "CONTEST"]


def test_a_link_to_one_case_opens_no_other(client, at_ritas, release):
    notice, link = accepted(client, at_ritas, release)
    assert client.get(f"/notices/{notice.public_id}").status_code == 404
    assert client.get(f"{link}0").status_code == 404


def test_a_letter_that_could_not_go_out_stays_owed(release, client, monkeypatch):
    send(client, release)
    letter = Letter.objects.get()
    monkeypatch.setattr(letters, "send_mail", lambda *_: (_ for _ in ()).throw(OSError("away")))
    now = timezone.now()
    assert not letters.send(letter, at=now)
    assert letters.owed(at=now, limit=9) == []
    assert letters.owed(at=now + timedelta(minutes=20), limit=9) == [letter.pk]


def test_a_letter_goes_out_once(release, client, mailoutbox):
    send(client, release)
    letter = Letter.objects.get()
    assert [letters.send(letter, at=timezone.now()) for _ in range(3)] == [True, False, False]
    assert [mail.to for mail in mailoutbox] == [["carla@example.org"]]
