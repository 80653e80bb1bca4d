"""The staff desk writes nothing past the rules, and says what waits for somebody."""

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from store.admin import dashboard
from store.models import Membership, Order, OrderLine, User
from tests.factories import everything
from tests.factories.store import make_user

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
EDITABLE = {User, Membership}


@pytest.fixture
def at_adas(db: None) -> Client:
    client = Client()
    client.force_login(make_user("Ada", is_staff=True, is_superuser=True))
    return client


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
    everything.seed(1)
    assert at_adas.get(reverse("admin:index")).status_code == 200
    waits = {words: count for words, count, _ in dashboard(RequestFactory().get("/"), {})["waits"]}
    assert waits["Notices that hold"] == 1
    assert waits["Records to review"] == 0


def _refund(line: OrderLine) -> str:
    return reverse("admin:store_orderline_refund", args=[line.pk])


def test_a_line_that_was_never_paid_is_not_refunded(at_adas: Client) -> None:
    everything.seed(1)
    line = OrderLine.objects.get()
    assert at_adas.post(_refund(line), {"reason": "Bought twice."}).status_code == 409
    line.refresh_from_db()
    assert line.state == "PLACED"


def test_a_link_alone_refunds_nothing(at_adas: Client) -> None:
    everything.seed(1)
    _pay(OrderLine.objects.get())
    assert at_adas.get(_refund(OrderLine.objects.get())).status_code == 200
    assert OrderLine.objects.get().state == "PAID"


def test_a_refund_needs_its_reason(at_adas: Client) -> None:
    everything.seed(1)
    _pay(OrderLine.objects.get())
    assert at_adas.post(_refund(OrderLine.objects.get()), {"reason": " "}).status_code == 409
    assert OrderLine.objects.get().state == "PAID"


def _pay(line: OrderLine) -> None:
    Order.objects.filter(pk=line.order_id).update(state="PAID", paid_at=timezone.now())
    OrderLine.objects.filter(pk=line.pk).update(state="PAID")


def test_the_refund_is_there_only_for_those_who_may(db: None) -> None:
    everything.seed(1)
    client = Client()
    client.force_login(make_user("Dora", is_staff=True))
    line = OrderLine.objects.get()
    assert client.get(reverse("admin:store_orderline_refund", args=[line.pk])).status_code == 403
    assert Order.objects.get().state == "PLACED"
