"""A licence ends while somebody buys (C1), at the very second (C2), or for one of two holders (C3): docs/orders.md."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection
from django.urls import reverse
from django.utils import timezone

from licensing import affected, clearance, grants, reclearing, reviews
from licensing.models import GrantEnd, LicenceGrant
from licensing.terms import EndKind, EvidenceKind, Use
from licensing.territories import TerritorySet, day_begins
from licensing.verdicts import Verdict
from store import checkout, clearing, library, offers, previews
from store.errors import NotOnSale
from store.models import Offer, Order, OrderLine
from tests.factories import catalog, licensing, onsale
from transcoding.models import Master

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")


def record_of(release):
    return LicenceGrant.objects.get(recording__tracks__release=release, successor=None)


def revoke(release):
    grants.end_grant(record_of(release), reason="The contract is over.", actor="user:bob", at=timezone.now())


def expire(release):
    """A new version that ended the day before yesterday, approved: over everywhere on earth."""
    over = timezone.now().date() - timedelta(days=2)
    change(release, starts_on=over - timedelta(days=900), ends_on=over)


def withdraw_the_country(release):
    change(release, territories_set=TerritorySet.only("FR"))


def change(release, **changes):
    newer = grants.new_version(record_of(release), actor="user:bob", at=timezone.now(), **changes)
    approve(newer)


def approve(grant):
    sound = Master.objects.get(recording=grant.recording).sound_sha256 if grant.recording_id else ""
    for name in ("user:rita", "user:sam"):
        if not grant.reviews.filter(second_needed=False).exists():
            reviews.approve(grant, reviewer=reviews.Reviewer(name), sound_sha256=sound, at=timezone.now())


ENDS = pytest.mark.parametrize("end", [revoke, expire, withdraw_the_country])


# -- C1: at each step --------------------------------------------------------------------------------------------------


@ENDS
def test_what_is_listed_is_gone_with_the_next_request(shop, end):
    release = onsale.put_on_sale()
    assert release.title in shop.client.get(reverse("browse")).content.decode()
    end(release)
    assert release.title not in shop.client.get(reverse("browse")).content.decode()


@ENDS
def test_what_is_in_the_basket_is_not_ordered(shop, end):
    release = onsale.put_on_sale()
    shop.basket_of(release)
    end(release)
    with pytest.raises(NotOnSale):
        shop.order(release)
    assert not Order.objects.exists()


@pytest.fixture
def ends_at_the_till(monkeypatch):
    """The record ends after the last look at the marks, and no trigger, mark or decision has heard of it."""

    def slip_in(release):
        grant = record_of(release)

        def end(*_args, **_over):
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("ALTER TABLE licensing_grantend DISABLE TRIGGER USER")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            GrantEnd.objects.create(grant=grant, kind=EndKind.REVOKED, reason="Over.", actor="bob", at=timezone.now())

        monkeypatch.setattr(clearing, "refresh", end)

    return slip_in


def test_the_sale_itself_asks_the_engine_again(shop, ends_at_the_till):
    release = onsale.put_on_sale()
    ends_at_the_till(release)
    with pytest.raises(NotOnSale):
        shop.order(release)
    assert not Order.objects.exists()


def test_what_was_refused_at_the_till_is_looked_at_and_closed(shop, ends_at_the_till):
    release = onsale.put_on_sale()
    ends_at_the_till(release)
    with pytest.raises(NotOnSale):
        shop.order(release)
    onsale.review()
    assert not Offer.objects.filter(closed_at=None).exists()


def test_without_asking_again_the_database_still_refuses_the_line(shop, ends_at_the_till, monkeypatch):
    release = onsale.put_on_sale()
    ends_at_the_till(release)
    monkeypatch.setattr(clearing, "refuse_unless_cleared_now", lambda *_args, **_over: {})
    with pytest.raises(NotOnSale) as refused:
        shop.order(release)
    assert "does not stand" in str(refused.value.__cause__)


def test_without_either_the_sale_would_go_through(shop, ends_at_the_till, monkeypatch):
    release = onsale.put_on_sale()
    ends_at_the_till(release)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE store_orderline DISABLE TRIGGER store_orderline_licensed")
    monkeypatch.setattr(clearing, "refuse_unless_cleared_now", lambda *_args, **_over: {})
    assert shop.order(release).state == Order.State.PLACED


@ENDS
def test_what_was_ordered_before_is_delivered(shop, end):
    release = onsale.put_on_sale()
    order = shop.order(release)
    end(release)
    shop.pay(order)
    shop.deliver_webhooks()
    assert order.lines.get().state == OrderLine.State.PAID


@ENDS
def test_what_was_paid_before_the_webhook_came_is_delivered(shop, end):
    release = onsale.put_on_sale()
    order = shop.order(release)
    shop.pay(order)
    end(release)
    shop.deliver_webhooks()
    assert order.lines.get().state == OrderLine.State.PAID


@pytest.mark.parametrize("issued", ["before", "after"])
@ENDS
def test_a_link_works_whether_it_was_made_before_the_end_or_after(shop, end, issued):
    release = onsale.put_on_sale()
    order = shop.bought(release)
    line, now = order.lines.get(), timezone.now()
    track = line.tracks.get().track_id

    def link():
        return library.link(line, user=shop.alice, track=track, format="FLAC", at=now, address=None)

    token = link() if issued == "before" else None
    end(release)
    found = library.resolve(token or link(), user=shop.alice, at=now)
    assert found.rendition


def test_a_price_under_the_agreed_minimum_is_not_taken(shop):
    release = onsale.put_on_sale()
    basket = shop.basket_of(release)
    change(release, price_minimum_minor=500, price_currency="EUR")
    with pytest.raises(NotOnSale):
        checkout.place_order(
            basket, buyer=shop.alice, country="DE", evidence={}, consent=True, request_key="k", at=timezone.now()
        )


@pytest.mark.parametrize(("minimum", "sold"), [(100, True), (101, False)])
def test_a_track_under_the_minimum_is_not_offered(minimum, sold):
    release = onsale.put_on_sale()
    change(release, price_minimum_minor=minimum, price_currency="EUR")
    onsale.review()
    assert Offer.objects.filter(track__release=release, closed_at=None).exists() == sold


# -- C2: at the very second --------------------------------------------------------------------------------------------


@pytest.fixture
def ends_tomorrow():
    """A release whose licence ends with tomorrow in each country's own time."""
    release = onsale.put_on_sale()
    change(release, ends_on=timezone.now().date() + timedelta(days=1))
    onsale.review()
    return release


def order_at(shop, release, at, country):
    basket = shop.basket_of(release)
    return checkout.place_order(
        basket, buyer=shop.alice, country=country, evidence={}, consent=True, request_key=f"{at}{country}", at=at
    )


def begins_in_two_days(country):
    over = day_begins(timezone.now().date() + timedelta(days=2), country)
    assert over is not None
    return over


@pytest.mark.parametrize("country", ["DE", "KI", "US"])
def test_a_sale_is_made_up_to_the_last_second_and_not_after(shop, ends_tomorrow, country):
    over = begins_in_two_days(country)
    with pytest.raises(NotOnSale):
        order_at(shop, ends_tomorrow, over, country)
    assert order_at(shop, ends_tomorrow, over - timedelta(seconds=1), country)


def test_where_it_has_not_ended_the_shelf_goes_on(ends_tomorrow):
    over = begins_in_two_days("KI")
    offer = Offer.objects.get(release=ends_tomorrow, closed_at=None)
    standing = {
        country: Offer.objects.filter(clearing.standing(at=over, country=country), pk=offer.pk).exists()
        for country in ("KI", "DE", "US")
    }
    assert standing == {"KI": False, "DE": True, "US": True}


@pytest.mark.parametrize(
    ("last", "over"),
    [
        ("2026-03-28", datetime(2026, 3, 29, 0, tzinfo=BERLIN)),
        ("2026-03-29", datetime(2026, 3, 30, 0, tzinfo=BERLIN)),
        ("2026-10-24", datetime(2026, 10, 25, 0, tzinfo=BERLIN)),
        ("2026-10-25", datetime(2026, 10, 26, 0, tzinfo=BERLIN)),
    ],
    ids=["into spring", "out of the short day", "into autumn", "out of the long day"],
)
def test_both_nights_when_clocks_change_end_at_the_countrys_own_midnight(last, over):
    recording = licensing.make_cleared(ends_on=datetime.fromisoformat(last).date())
    ask: dict[str, Any] = {"use": Use.PERMANENT_DOWNLOAD, "sound_sha256": licensing.SOUND}
    early = over.astimezone(UTC) - timedelta(seconds=1)
    assert clearance.ask(recording, at=early, **ask).is_cleared("DE")
    assert not clearance.ask(recording, at=over.astimezone(UTC), **ask).is_cleared("DE")


def test_what_a_date_turned_is_decided_by_itself(ends_tomorrow):
    turns = clearing.latest_of_releases([ends_tomorrow.pk])[ends_tomorrow.pk].good_until
    assert turns is not None
    asked = offers.follow_dates(at=turns)
    assert asked == 1
    assert "KI" not in clearing.latest_of_releases([ends_tomorrow.pk])[ends_tomorrow.pk].cleared_countries


# -- C3: one of two ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shared():
    """A release of one recording that two holders own by halves, on sale; and the second one's record."""
    release = onsale.put_on_sale()
    recording = release.tracks.get().recording
    sound = Master.objects.get(recording=recording).sound_sha256
    change(release, share=Fraction(1, 2))
    other = licensing.make_holder(catalog.make_party("Dora"))
    record = onsale.agree(recording, holder=other, share=Fraction(1, 2), sound=sound)
    onsale.review()
    assert Offer.objects.filter(release=release, closed_at=None).exists()
    return release, record


def test_when_one_of_two_holders_leaves_it_is_off_sale_at_once_and_says_why(shop, shared):
    release, record = shared
    grants.end_grant(record, reason="I take my half back.", actor="user:dora", at=timezone.now())
    decision = clearing.latest_of_recordings([release.tracks.get().recording_id])[release.tracks.get().recording_id]
    reasons = {reason.code for reason in Verdict.from_data(decision.verdict).reasons_in("DE")}

    assert not Offer.objects.filter(closed_at=None).exists()
    assert {"REVOKED", "SHARES_NOT_100"} <= reasons
    assert shop.client.get(reverse("release", args=[release.slug])).status_code == 404


def test_without_the_decision_in_the_act_it_would_stay_listed(shop, shared, monkeypatch):
    release, record = shared
    monkeypatch.setattr(clearance, "decide_again", lambda *_args, **_over: 0)
    grants.end_grant(record, reason="I take my half back.", actor="user:dora", at=timezone.now())
    assert shop.client.get(reverse("release", args=[release.slug])).status_code == 200


# -- A whole catalogue -------------------------------------------------------------------------------------------------


@pytest.fixture
def catalogue(monkeypatch):
    """A release that stands on its label's record for the whole catalogue; too large for one request."""
    label = catalog.make_label("Large")
    release = onsale.put_on_sale(label=label)
    own = record_of(release)
    evidence = [licensing.make_evidence(EvidenceKind.AGREEMENT, text="All we have.")]
    wide = grants.record_grant(
        licensing.make_holder(label), layer="RECORDING", catalogue=label, basis="DIRECT", evidence=evidence,
        actor="user:bob", at=timezone.now(),
    )  # fmt: skip
    approve(wide)
    grants.end_grant(own, reason="Replaced by the whole.", actor="user:bob", at=timezone.now())
    onsale.review()
    work_off()
    assert Offer.objects.filter(release=release, closed_at=None).exists()
    monkeypatch.setattr(affected, "AT_ONCE", 0)
    return release, wide


def work_off():
    while (job := reclearing.claim(at=timezone.now())) is not None:
        while not reclearing.work(job, at=timezone.now(), sounds=clearing.sounds_of).finished:
            pass


def test_a_withdrawn_catalogue_is_neither_listed_nor_sold_before_it_is_decided(shop, catalogue):
    release, wide = catalogue
    recording = release.tracks.get().recording_id
    assert previews.heard([recording], country="DE")
    shop.basket_of(release)
    grants.end_grant(wide, reason="Over.", actor="user:bob", at=timezone.now())

    assert Offer.objects.filter(release=release, closed_at=None).exists()
    assert release.title not in shop.client.get(reverse("browse")).content.decode()
    assert shop.client.get(reverse("release", args=[release.slug])).status_code == 404
    assert not previews.heard([recording], country="DE")
    with pytest.raises(NotOnSale):
        shop.order(release)


def test_the_database_refuses_the_line_whatever_the_code_says(shop, catalogue, monkeypatch):
    release, wide = catalogue
    grants.end_grant(wide, reason="Over.", actor="user:bob", at=timezone.now())
    monkeypatch.setattr(clearing, "refuse_unless_cleared_now", lambda *_args, **_over: {})
    monkeypatch.setattr(clearing, "holds", lambda *_args, **_over: True)
    with pytest.raises(NotOnSale) as refused:
        shop.order(release)
    assert isinstance(refused.value.__cause__, IntegrityError)


def test_without_the_hold_it_would_be_listed_until_it_is_decided(shop, catalogue):
    release, wide = catalogue
    grants.end_grant(wide, reason="Over.", actor="user:bob", at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION licensing_held() RETURNS bigint[] LANGUAGE sql AS $$ SELECT '{}'::bigint[] $$"
        )
    assert release.title in shop.client.get(reverse("browse")).content.decode()


def test_once_decided_the_offers_are_closed(catalogue):
    release, wide = catalogue
    grants.end_grant(wide, reason="Over.", actor="user:bob", at=timezone.now())
    work_off()
    assert not Offer.objects.filter(closed_at=None).exists()
    assert Offer.objects.filter(release=release).latest("pk").closed_reason == "RELEASE_INCOMPLETE"
