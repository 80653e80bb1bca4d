"""How long a past buyer may fetch again depends on what the sale rested on, and on the agreement's own rule."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from licensing import grants
from licensing.models import LicenceGrant
from store import library
from store.errors import RedownloadOver
from store.models import Order
from tests.factories import onsale, shelf
from tests.factories.store import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_user("Alice")


def bought(alice, **terms):
    release = onsale.put_on_sale(**terms)
    return shelf.sell(shelf.whole(release), buyer=alice, at=timezone.now()).lines.get()


def revoke(line):
    for grant in LicenceGrant.objects.filter(successor=None):
        grants.end_grant(grant, reason="The label has left.", actor="user:bob", at=timezone.now())


def fetch(line, alice, *, days=0):
    return library.link(
        line, user=alice, track=line.tracks.get().track_id, format="FLAC", at=timezone.now() + timedelta(days=days)
    )


def test_by_the_usual_agreement_for_ever(alice):
    line = bought(alice)
    revoke(line)
    assert fetch(line, alice, days=1000)


def test_a_notice_period_counts_from_the_end(alice, settings):
    settings.REDOWNLOAD_NOTICE_DAYS = 30
    line = bought(alice, redownload_rule="NOTICE_PERIOD")
    assert fetch(line, alice)
    revoke(line)
    assert fetch(line, alice, days=29)
    with pytest.raises(RedownloadOver, match="until"):
        fetch(line, alice, days=31)


def test_never_means_not_beyond_the_end(alice):
    line = bought(alice, redownload_rule="NEVER")
    assert fetch(line, alice)
    revoke(line)
    with pytest.raises(RedownloadOver):
        fetch(line, alice)


def test_a_term_that_runs_out_counts_as_an_end_in_the_buyers_own_time(alice):
    last = timezone.now().date() + timedelta(days=3)
    line = bought(alice, redownload_rule="NEVER", ends_on=last)
    assert fetch(line, alice, days=2)
    with pytest.raises(RedownloadOver):
        fetch(line, alice, days=5)


def test_a_newer_record_that_allows_it_takes_the_limit_away(alice):
    line = bought(alice, redownload_rule="NEVER")
    revoke(line)
    row = line.tracks.get()
    recording = row.track.recording
    for subject in (recording, *recording.works.all()):
        onsale.agree(subject, sound=row.sound_sha256)
    assert fetch(line, alice, days=400)


def test_a_link_made_before_the_end_is_refused_after_it(alice):
    line = bought(alice, redownload_rule="NEVER")
    token = fetch(line, alice)
    revoke(line)
    with pytest.raises(RedownloadOver):
        library.resolve(token, user=alice, at=timezone.now())


def test_an_unlimited_purchase_costs_few_statements(alice, django_assert_max_num_queries):
    line = bought(alice)
    with django_assert_max_num_queries(16):
        fetch(line, alice)


def test_the_day_of_the_sale_says_which_rule_counts(alice):
    line = bought(alice)
    for grant in LicenceGrant.objects.all():
        grants.new_version(grant, actor="user:bob", redownload_rule="NEVER", ends_on=date(2020, 1, 1))
    assert fetch(line, alice, days=10)
    assert Order.objects.count() == 1
