"""Name your price: what the buyer names is frozen, shared as a whole, and taxed as the operator says."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from catalog.models import Recording, Release
from licensing import notices
from licensing.models import ClearanceDecision
from payments.models import Transfer
from store import baskets, catalogue, checkout, offers, pricing, refunds, settlement
from store.errors import AmountRefused, NotOnSale, PriceChanged, RefundRefused, RequestConflict
from store.models import Certificate, Offer, Order, OrderLine, Price, User
from store.quotes import Quote
from store.royalties import Split
from tests.factories import onsale, shelf
from tests.factories.store import line_fields, make_offer, make_user, order_fields

pytestmark = pytest.mark.django_db
GIVE_AND_SELL = ["PERMANENT_DOWNLOAD", "FREE_DOWNLOAD", "PREVIEW"]


@pytest.fixture
def alice() -> User:
    return make_user("Alice")


@pytest.fixture
def free() -> Release:
    """Given away, for nothing or more."""
    return priced(onsale.put_on_sale(uses=GIVE_AND_SELL), 0, or_more=True)


def priced(release: Release, minor: int, *, or_more: bool) -> Release:
    offers.set_price(release, currency="EUR", amount_minor=minor, or_more=or_more, actor="user:bob")
    onsale.review()
    return release


def place(buyer: User, release: Release, *, named: int | None = None, key: str = "k", seen: str = "") -> Order:
    basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
    baskets.add(basket, shelf.whole(release), named_minor=named)
    return checkout.place_order(
        basket, buyer=buyer, country="DE", evidence={}, consent=True, request_key=key, at=timezone.now(), seen=seen
    )


def test_the_named_price_is_frozen_and_shared_as_a_whole(alice: User) -> None:
    line = place(alice, priced(onsale.put_on_sale(), 300, or_more=True), named=500).lines.get()
    assert (line.amount_minor, line.given_minor, line.tax_minor) == (500, 200, 80)
    assert Split.from_json(line.split).micros == 5_000_000


def test_what_is_freely_given_is_untaxed_where_the_operator_says_so(alice: User, settings: Settings) -> None:
    settings.TAX_ON_TIPS = False
    line = place(alice, priced(onsale.put_on_sale(), 300, or_more=True), named=500).lines.get()
    assert (line.amount_minor, line.tax_minor) == (500, 48)
    assert Split.from_json(line.split).micros == 5_000_000


def test_less_than_the_least_never_reaches_the_basket(alice: User) -> None:
    with pytest.raises(AmountRefused):
        place(alice, priced(onsale.put_on_sale(), 300, or_more=True), named=299)
    assert not Order.objects.exists()


def test_the_price_named_last_counts(alice: User) -> None:
    release = priced(onsale.put_on_sale(), 300, or_more=True)
    place(alice, release, named=500)
    assert place(alice, release, named=700, key="k2").total_minor == 700
    assert baskets.contents(alice.basket).total_minor == 700


def test_the_same_key_with_another_price_is_refused(alice: User) -> None:
    release = priced(onsale.put_on_sale(), 300, or_more=True)
    place(alice, release, named=500)
    with pytest.raises(RequestConflict):
        place(alice, release, named=501)


def test_a_sum_too_small_for_a_card_is_refused_at_the_till(alice: User) -> None:
    with pytest.raises(AmountRefused):
        place(alice, priced(onsale.put_on_sale(), 20, or_more=False))


def test_who_saw_another_sum_is_not_charged(alice: User) -> None:
    release = priced(onsale.put_on_sale(), 300, or_more=False)
    with pytest.raises(PriceChanged):
        place(alice, release, seen="EUR:200:32")
    assert place(alice, release, seen="EUR:300:48").total_minor == 300


def test_a_price_of_nought_opens_an_offer_that_rests_on_the_leave_to_give_away(free: Release) -> None:
    offer = shelf.whole(free)
    assert (offer.use, offer.decision.use, offer.amount_minor, offer.or_more) == (
        "FREE_DOWNLOAD", "FREE_DOWNLOAD", 0, True,
    )  # fmt: skip


def test_what_may_only_be_sold_is_not_given_away() -> None:
    release = priced(onsale.put_on_sale(uses=["PERMANENT_DOWNLOAD", "PREVIEW"]), 0, or_more=False)
    assert not Offer.objects.filter(release=release, closed_at=None).exists()


def test_a_right_that_ends_closes_what_was_given_away_on_it(free: Release) -> None:
    recording = free.recordings.get()
    for use in ("FREE_DOWNLOAD", "PERMANENT_DOWNLOAD"):
        assert ClearanceDecision.objects.filter(recording=recording, use=use).exists()
    notices.take_down(recording, claimant="Charlie", statement="Mine.", actor="user:staff", at=timezone.now())
    assert not Offer.objects.filter(release=free, closed_at=None).exists()


def test_no_release_is_asked_about_that_nobody_gives_away() -> None:
    onsale.put_on_sale()
    assert not ClearanceDecision.objects.filter(use="FREE_DOWNLOAD").exists()


def test_a_free_order_is_settled_at_once_with_certificate_and_library_and_no_charge(alice: User, free: Release) -> None:
    order = settlement.settle_order(place(alice, free), at=timezone.now())
    line = order.lines.get()
    assert (order.state, order.total_minor, line.state, line.split) == ("PAID", 0, "PAID", [])
    assert line.decision.use == "FREE_DOWNLOAD"
    assert Certificate.objects.get().document["sale"]["use"] == "FREE_DOWNLOAD"
    assert not Transfer.objects.exists()


def test_a_free_order_that_was_left_lying_is_delivered_by_the_sweep(alice: User, free: Release) -> None:
    order = place(alice, free)
    assert order.next_check_at is not None
    assert settlement.check_order(order, at=timezone.now()).state == "PAID"


def test_a_free_order_is_settled_once(alice: User, free: Release) -> None:
    order = place(alice, free)
    for _ in range(2):
        settlement.settle_order(order, at=timezone.now())
    assert Certificate.objects.count() == 1


def test_what_was_given_away_cannot_be_given_back(alice: User, free: Release) -> None:
    order = settlement.settle_order(place(alice, free), at=timezone.now())
    with pytest.raises(RefundRefused, match="given away"):
        refunds.refund_line(order.lines.get(), reason="", at=timezone.now())


def test_more_than_nothing_is_a_sale_and_rests_on_the_leave_to_sell(alice: User, free: Release) -> None:
    line = place(alice, free, named=500).lines.get()
    assert (line.amount_minor, line.given_minor, line.decision.use) == (500, 500, "PERMANENT_DOWNLOAD")


def test_what_may_be_given_away_but_not_sold_takes_no_money(alice: User) -> None:
    release = priced(onsale.put_on_sale(uses=["FREE_DOWNLOAD", "PREVIEW"]), 0, or_more=True)
    onsale.make_ready()
    onsale.review()
    assert not shelf.whole(release).or_more
    assert place(alice, release).total_minor == 0
    Offer.objects.filter(release=release).update(closed_at=timezone.now())
    Offer.objects.create(
        release=release,
        decision=ClearanceDecision.objects.filter(release=release, use="FREE_DOWNLOAD").latest("pk"),
        use="FREE_DOWNLOAD",
        currency="EUR",
        amount_minor=0,
        or_more=True,
    )
    with pytest.raises(NotOnSale):
        place(make_user("Charlie"), release, named=100, key="c")


def test_an_order_of_something_free_and_something_sold_posts_what_was_paid(alice: User, free: Release) -> None:
    basket = baskets.open_basket(user=alice, session_key=None, currency="EUR")
    baskets.add(basket, shelf.whole(free))
    order = shelf.sell(shelf.whole(onsale.put_on_sale("Harbour")), buyer=alice, at=timezone.now())
    assert {line.state for line in order.lines.all()} == {"PAID"}
    assert Transfer.objects.filter(kind="SALE").count() == 1
    assert Certificate.objects.count() == 2


@pytest.mark.parametrize(
    "over", [{"amount_minor": 101}, {"given_minor": 1}, {"given_minor": 1, "amount_minor": 101}, {"discount_minor": -1}]
)
def test_a_line_that_costs_something_else_than_asked_is_refused_by_the_database(over: dict[str, int]) -> None:
    offer = make_offer()
    order = Order.objects.create(**order_fields(total_minor=0, tax_minor=0))
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.create(**line_fields(order, offer, **over))


def test_without_the_trigger_it_would_be_taken() -> None:
    offer = make_offer()
    order = Order.objects.create(**order_fields(total_minor=101))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE store_orderline DISABLE TRIGGER store_orderline_priced")
    OrderLine.objects.create(**line_fields(order, offer, amount_minor=101))
    assert order.lines.count() == 1


def test_whether_a_price_is_the_least_never_changes_on_an_offer() -> None:
    make_offer()
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.update(or_more=True)


def test_a_sold_line_resting_on_the_leave_to_give_away_is_refused(free: Release) -> None:
    offer = shelf.whole(free)
    order = Order.objects.create(**order_fields(total_minor=0, tax_minor=0))
    with pytest.raises(IntegrityError, match="another use"), transaction.atomic():
        OrderLine.objects.create(**line_fields(order, offer, amount_minor=100, given_minor=100))


def test_a_price_page_for_a_named_price_shows_what_would_be_frozen(alice: User) -> None:
    release = priced(onsale.put_on_sale(), 300, or_more=True)
    shown = pricing.price(shelf.whole(release), country="DE", at=timezone.now(), quote=Quote(300, 200))
    assert place(alice, release, named=500).lines.get().split == shown.split.to_json()


def test_changing_price_split_or_tax_after_the_order_changes_nothing_of_it(alice: User, settings: Settings) -> None:
    """The sale posts what the buyer saw and paid."""
    release = priced(onsale.put_on_sale(), 300, or_more=False)
    order = place(alice, release)
    before = order.lines.get().split
    settings.COMMISSION_PERCENT = 90
    shelf.make_letter(shelf.make_holder(release.label))
    Price.objects.update(amount_minor=900)
    onsale.review()
    paid = shelf.pay(order)
    posted = Transfer.objects.get(kind="SALE")
    assert paid.lines.get().split == before
    assert sum(entry.amount_micros for entry in posted.entries.all() if entry.side == "C") == 3_000_000
    kinds = {entry.account.kind: entry.amount_micros for entry in posted.entries.select_related("account")}
    assert kinds["COMMISSION"] == next(leg["micros"] for leg in before if leg["kind"] == "COMMISSION")


def test_the_studio_says_why_a_track_that_shall_cost_nothing_is_not_given_away() -> None:
    release = onsale.put_on_sale(uses=["PERMANENT_DOWNLOAD", "PREVIEW"])
    recording = release.recordings.get()
    offers.set_price(recording, currency="EUR", amount_minor=0, actor="user:bob")
    onsale.review()
    (row,) = catalogue.rows(Recording.objects.with_credits().filter(pk=recording.pk), currency="EUR")
    assert "NOT_FREE" in [missing.code for missing in row.missing]
