"""A label reads what is demanded of its music, answers it in time, and sees nothing of another's."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from licensing.models import NoticeStep
from store import access, notice_desk
from store.models import Letter
from tests.factories import catalog, licensing
from tests.factories.store import make_user, sign_in

pytestmark = pytest.mark.django_db

ANSWER = {"name": "Bob", "contact": "bob@example.org", "statement": "I recorded it in 2019.", "sure": "on"}


@pytest.fixture
def label():
    return catalog.make_label("Bob's Records", slug="bobs")


@pytest.fixture
def at_bobs(label):
    bob = make_user("Bob")
    access.join(bob, label, role="OWNER")
    return sign_in(bob)


@pytest.fixture
def at_charlies():
    charlie = make_user("Charlie")
    access.join(charlie, catalog.make_label("Charlie's", slug="charlies"), role="OWNER")
    return sign_in(charlie)


def demand(subject, kind="TAKEDOWN", **over):
    return notice_desk.enter(
        subject, kind=kind, claimant="Carla", contact="carla@example.org", statement="It is mine.", actor="user:rita",
        at=timezone.now(), **over,
    )  # fmt: skip


@pytest.fixture
def notice(label):
    return demand(catalog.make_recording("Tide", label=label))


def page(notice, slug="bobs"):
    return reverse("studio-notice", args=[slug, notice.public_id])


def test_the_label_sees_every_notice_that_strikes_it(at_bobs, label):
    recording = catalog.make_recording("Tide", label=label)
    release = catalog.make_release("First Light", label=label)
    for subject in (recording, release, label, recording.works.get()):
        demand(subject)
    assert at_bobs.get("/studio/bobs/notices/").text.count("Takedown") == 4


def test_another_label_sees_nothing_of_it(at_charlies, notice):
    assert "Tide" not in at_charlies.get("/studio/charlies/notices/").text
    assert at_charlies.get(page(notice, "charlies")).status_code == 404
    assert at_charlies.post(page(notice, "charlies"), ANSWER).status_code == 404
    assert at_charlies.get(page(notice)).status_code == 404
    assert not NoticeStep.objects.exists()


def test_a_counter_notice_goes_to_the_claimant_and_starts_the_clock(at_bobs, notice):
    assert at_bobs.post(page(notice), ANSWER).status_code == 302
    step = NoticeStep.objects.get()
    assert (step.kind, step.side, step.name) == ("COUNTER", "LABEL", "Bob, Bob's Records")
    letter = Letter.objects.get(kind="counter_claimant")
    assert letter.recipient == "carla@example.org"
    assert "I recorded it in 2019." in letter.body


@pytest.mark.parametrize("missing", ["name", "contact", "statement", "sure"])
def test_a_counter_notice_without_one_of_its_parts_is_refused(at_bobs, notice, missing):
    assert at_bobs.post(page(notice), ANSWER | {missing: ""}).status_code == 422
    assert not NoticeStep.objects.exists()


def test_after_the_counter_notice_the_label_adds_statements(at_bobs, notice):
    at_bobs.post(page(notice), ANSWER)
    at_bobs.post(page(notice), {"statement": "Here is the contract."})
    assert [step.kind for step in NoticeStep.objects.all()] == ["COUNTER", "STATEMENT"]


def test_an_order_offers_no_counter_notice(at_bobs, label):
    hold = demand(label, "LEGAL_HOLD", instrument=licensing.make_evidence())
    text = at_bobs.get(page(hold)).text
    assert "Counter-notice" not in text
    assert "write to whoever ordered it" in text


def test_a_paper_of_the_case_is_an_attachment_for_its_two_sides_only(at_bobs, at_charlies, notice, tmp_path, settings):
    letter = SimpleUploadedFile("l.pdf", b"%PDF-1.4 contract", "application/pdf")
    at_bobs.post(page(notice), ANSWER | {"letter": letter})
    paper = NoticeStep.objects.get().instrument
    where = reverse("studio-notice-paper", args=["bobs", notice.public_id, paper.public_id])
    answer = at_bobs.get(where)
    assert answer["Content-Disposition"].startswith("attachment")
    assert b"".join(answer.streaming_content) == b"%PDF-1.4 contract"
    assert at_charlies.get(where).status_code == 404
    other = licensing.make_evidence()
    assert at_bobs.get(where.replace(str(paper.public_id), str(other.public_id))).status_code == 404


def test_the_list_takes_the_same_statements_for_many(at_bobs, label, django_assert_max_num_queries):
    for _ in range(12):
        demand(label)
    with django_assert_max_num_queries(20):
        at_bobs.get("/studio/bobs/notices/")
