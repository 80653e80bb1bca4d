"""A label is told 60, 14 and 2 days before a licence ends, once each, of what the engine says it loses."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from licensing import grants, reviews
from licensing.models import LicenceGrant
from store import access, catalogue, clearing, expiry
from store.models import ExpiryLook, ExpiryWarning, Letter
from tests.factories import licensing, onsale
from tests.factories.store import make_user

pytestmark = pytest.mark.django_db


def noon(days=0):
    return datetime.combine(timezone.now().date(), datetime.min.time(), tzinfo=UTC) + timedelta(days=days, hours=12)


@pytest.fixture
def bob():
    return make_user("Bob")


def ending(bob, days, **terms):
    """Bob's release, whose recording's record ends so many days from now; its work's goes on."""
    release = onsale.put_on_sale(**terms)
    access.join(bob, release.label)
    grant = LicenceGrant.objects.get(recording=release.recordings.get())
    later = grants.new_version(grant, actor="user:bob", ends_on=noon(days).date())
    reviews.approve(later, reviewer=licensing.RITA, sound_sha256=grant.reviews.get().sound_sha256, at=timezone.now())
    onsale.review()
    return release


def test_a_label_is_told_at_each_of_the_three_distances_once(bob):
    ending(bob, 60)
    told = [60 - day for day in range(62) for _ in range(2) if expiry.warn(at=noon(day))]
    assert told == [60, 14, 2]
    assert Letter.objects.filter(kind="expiry", recipient=bob.email).count() == 3


def test_what_was_handed_in_late_gets_the_one_warning_that_fits(bob):
    ending(bob, 10)
    assert expiry.warn(at=noon()) == 1
    assert ExpiryWarning.objects.get().days == 14


def test_the_letter_says_what_goes_off_sale_and_where(bob):
    ending(bob, 14)
    expiry.warn(at=noon())
    letter = Letter.objects.get(kind="expiry")
    assert "First Light, part 1: worldwide" in letter.body
    assert letter.subject.startswith("A licence ends in 14 days")


def test_nobody_is_told_where_another_record_takes_over(bob):
    release = ending(bob, 14)
    recording = release.recordings.get()
    sound = clearing.masters_of([recording.pk])[recording.pk].sound_sha256
    onsale.agree(
        recording, holder=licensing.make_holder(release.label), sound=sound, starts_on=noon(15).date(),
    )  # fmt: skip
    assert expiry.warn(at=noon()) == 0
    assert ExpiryLook.objects.count() == 1
    assert not Letter.objects.exists()


def test_nobody_is_told_of_a_record_that_has_ended_already(bob):
    release = ending(bob, 14)
    grant = LicenceGrant.objects.get(recording=release.recordings.get(), successor=None)
    grants.end_grant(grant, reason="R", actor="t")
    assert expiry.warn(at=noon()) == 0


def test_a_newer_version_that_goes_on_ends_the_warnings(bob):
    release = ending(bob, 14)
    grant = LicenceGrant.objects.get(recording=release.recordings.get(), successor=None)
    grants.new_version(grant, actor="user:bob", ends_on=None)
    assert expiry.warn(at=noon()) == 0


def test_the_studio_says_when_something_ends_soon(bob):
    release = ending(bob, 14)
    (row,) = catalogue.rows(release.recordings.with_credits(), currency="EUR")
    ((last, countries),) = row.ends_soon
    assert last == noon(14).date()
    assert "DE" in countries


def test_the_studio_says_nothing_of_a_distant_end(bob):
    release = ending(bob, 200)
    (row,) = catalogue.rows(release.recordings.with_credits(), currency="EUR")
    assert row.ends_soon == []


def test_a_quiet_catalogue_costs_three_statements(django_assert_num_queries):
    onsale.put_on_sale()
    with django_assert_num_queries(3):
        assert expiry.warn(at=timezone.now()) == 0
