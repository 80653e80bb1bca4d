"""Every page of the staff desk opens, costs the same however many rows there are, and writes nothing past the rules."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party
from licensing import notices
from payments import chain
from payments.models import Charge, Payout, StripeEvent
from store import access, owed
from store.admin import dashboard
from store.models import (
    Basket,
    BasketLine,
    Delivery,
    DeliveryLine,
    Download,
    LetterOfDirection,
    Membership,
    Offer,
    Order,
    OrderLine,
    User,
)
from tests.factories import catalog, licensing, shelf, transcoding
from tests.factories import payments as payments_rows
from tests.factories.store import make_order, make_user

# Django's own form for an address that is typed without "https://"; the catalogue's parties have one.
pytestmark = pytest.mark.filterwarnings("ignore:The default scheme will be changed")

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
EDITABLE = {User, Membership}


@pytest.fixture
def at_adas(db: None) -> Client:
    client = Client()
    client.force_login(make_user("Ada", is_staff=True, is_superuser=True))
    return client


def _seed(number: int) -> None:
    """One row more of nearly everything, each with relations of its own."""
    label = catalog.make_label()
    user = make_user("Bob")
    access.join(user, label)
    shelf.shelve(f"Release {number}", label=label, tracks=1)
    licensing.make_approved(catalog.make_recording(label=label), submitted_for=label)
    notices.take_down(
        catalog.make_recording(label=label), claimant="Carla", statement="mine", actor="user:1", at=timezone.now()
    )
    transcoding.make_rendition()
    _seed_store(user, label, number)
    payments_rows.post_sale()
    StripeEvent.objects.create(stripe_id=f"evt_{number}", type="x", payload={}, received_at=timezone.now())
    Charge.objects.create(
        reference=f"c{number}", request_sha256="0" * 64, amount_minor=1, currency="EUR", transfer_group="x"
    )


def _seed_store(user: User, label: Party, number: int) -> None:
    delivery = Delivery.objects.create(label=label, folder_name="Folder", actor=user.actor)
    DeliveryLine.objects.create(delivery=delivery, path="a.flac", outcome="DELIVERED")
    offer = Offer.objects.filter(closed_at=None, track__isnull=False).latest("pk")
    basket = Basket.objects.create(user=user, currency="EUR")
    BasketLine.objects.create(basket=basket, offer=offer)
    order = make_order(offer, buyer=user)
    line = order.lines.get()
    Download.objects.create(
        line=line, track=line.track, format="FLAC", purpose="FILE", issued_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    letter: LetterOfDirection = owed.sign_letter(
        label, name="Payee", email=f"p{number}@example.org", country="DE", currency="EUR", percent=Decimal(100),
        layer="", starts_on=timezone.now().date(), signed_by="Bob",
    )  # fmt: skip
    Payout.objects.create(
        payee=letter.payee, number=f"PO-{number}", amount_minor=1, currency="EUR", transfer_group=f"po-{number}",
        planned_at=timezone.now(),
    )  # fmt: skip


def _changelist(model: type[models.Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_costs_the_same_for_more_rows(at_adas: Client, model: type[models.Model]) -> None:
    counts = []
    for number in (1, 2, 3):
        _seed(number)
        if number == 2:
            continue
        at_adas.get(_changelist(model))
        with CaptureQueriesContext(connection) as seen:
            assert at_adas.get(_changelist(model)).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1], [query["sql"][:120] for query in seen.captured_queries]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_page_of_a_row_opens(at_adas: Client, model: type[models.Model]) -> None:
    _seed(1)
    chain.seal_new(at=timezone.now())
    row = model._default_manager.first()
    if row is None:
        pytest.skip("Nothing of it is made here.")
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    assert at_adas.get(reverse(name, args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_page_of_a_new_row_opens_or_is_forbidden(at_adas: Client, model: type[models.Model]) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_add"
    assert at_adas.get(reverse(name)).status_code in {200, 403}


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model._meta.app_label == "store"], ids=lambda model: model._meta.label
)
def test_nothing_of_the_shop_is_written_past_its_rules(at_adas: Client, model: type[models.Model]) -> None:
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    page = admin.site._registry[model]
    may = {page.has_add_permission(request), page.has_change_permission(request), page.has_delete_permission(request)}
    assert may == ({True} if model in EDITABLE else {False})


def test_a_shopper_does_not_enter(db: None) -> None:
    client = Client()
    client.force_login(make_user("Alice"))
    assert client.get(reverse("admin:index")).status_code == 302


def test_the_first_page_says_what_waits_for_somebody(at_adas: Client) -> None:
    _seed(1)
    assert at_adas.get(reverse("admin:index")).status_code == 200
    waits = {words: count for words, count, _ in dashboard(RequestFactory().get("/"), {})["waits"]}
    assert waits["Notices that hold"] == 1
    assert waits["Records to review"] == 0


def _refund(line: OrderLine) -> str:
    return reverse("admin:store_orderline_refund", args=[line.pk])


def test_a_line_that_was_never_paid_is_not_refunded(at_adas: Client) -> None:
    _seed(1)
    line = OrderLine.objects.get()
    assert at_adas.post(_refund(line), {"reason": "Bought twice."}).status_code == 409
    line.refresh_from_db()
    assert line.state == "PLACED"


def test_a_link_alone_refunds_nothing(at_adas: Client) -> None:
    _seed(1)
    _pay(OrderLine.objects.get())
    assert at_adas.get(_refund(OrderLine.objects.get())).status_code == 200
    assert OrderLine.objects.get().state == "PAID"


def test_a_refund_needs_its_reason(at_adas: Client) -> None:
    _seed(1)
    _pay(OrderLine.objects.get())
    assert at_adas.post(_refund(OrderLine.objects.get()), {"reason": " "}).status_code == 409
    assert OrderLine.objects.get().state == "PAID"


def _pay(line: OrderLine) -> None:
    Order.objects.filter(pk=line.order_id).update(state="PAID", paid_at=timezone.now())
    OrderLine.objects.filter(pk=line.pk).update(state="PAID")


def test_the_refund_is_there_only_for_those_who_may(db: None) -> None:
    _seed(1)
    client = Client()
    client.force_login(make_user("Dora", is_staff=True))
    line = OrderLine.objects.get()
    assert client.get(reverse("admin:store_orderline_refund", args=[line.pk])).status_code == 403
    assert Order.objects.get().state == "PLACED"
