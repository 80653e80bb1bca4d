"""A webhook is taken only if Stripe signed it for us, now; then it is one row that one worker at a time may have."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
import stripe
from pytest_django import Settings

from payments import inbox
from payments.errors import EventRefused
from payments.models import Alert, StripeEvent
from tests.factories.payments import AT, make_payee
from tests.fakes import WEBHOOK_SECRET, StripeFake, signed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def secrets(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    settings.STRIPE_WEBHOOK_SECRETS = [WEBHOOK_SECRET]


def body(**over: Any) -> bytes:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "livemode": False,
        "data": {"object": {"id": "cs_1"}},
    } | over
    return json.dumps(event).encode()


def test_a_signed_event_is_kept_as_it_came() -> None:
    event = inbox.record_event(body(), signed(body()))
    assert (event.stripe_id, event.type, event.state) == ("evt_1", "checkout.session.completed", "RECEIVED")
    assert event.payload == json.loads(body())


def test_the_same_event_twice_is_one_row() -> None:
    first = inbox.record_event(body(), signed(body()))
    assert inbox.record_event(body(), signed(body())).pk == first.pk
    assert StripeEvent.objects.count() == 1


def refused(raw: bytes, signature: str) -> bool:
    with pytest.raises(EventRefused):
        inbox.record_event(raw, signature)
    return not StripeEvent.objects.exists()


@pytest.mark.parametrize("seconds", [-301, 61, 3600, 365 * 86400])
def test_a_stamp_too_old_or_in_the_future_is_refused(seconds: int) -> None:
    assert refused(body(), signed(body(), at=int(time.time()) + seconds))


@pytest.mark.parametrize("seconds", [-299, 0, 5])
def test_a_stamp_of_this_moment_is_taken(seconds: int) -> None:
    assert inbox.record_event(body(), signed(body(), at=int(time.time()) + seconds)).pk


def test_another_secret_is_refused() -> None:
    assert refused(body(), signed(body(), secret="whsec_forged"))


def test_another_body_is_refused() -> None:
    assert refused(body(id="evt_2"), signed(body()))


def test_a_v0_signature_alone_is_refused() -> None:
    assert refused(body(), signed(body()).replace("v1=", "v0="))


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=abc", "t=x,v1=abc", "t=１,v1=é", "t=1,t=2,v1=a", "t=" + "9" * 40 + ",v1=a", "," * 5000]
)
def test_a_header_that_is_no_signature_is_refused(header: str) -> None:
    assert refused(body(), header)


@pytest.mark.parametrize("raw", [b"\xff\xfe{}", b"not json", b"[]", b"{}", b'{"object": "event"}', b"null"])
def test_a_signed_body_that_is_no_event_is_refused(raw: bytes) -> None:
    assert refused(raw, signed(raw))


def test_a_body_of_ten_megabytes_is_refused() -> None:
    raw = body(padding="x" * 10 * 1024 * 1024)
    assert refused(raw, signed(raw))


def test_while_a_secret_rotates_either_signature_is_taken(settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", WEBHOOK_SECRET]
    both = signed(body()) + "," + signed(body(), secret="whsec_other").partition(",")[2]
    assert inbox.record_event(body(), both).pk


def test_what_nobody_signed_for_us_leaves_no_alert_either() -> None:
    assert refused(body(livemode=True), signed(body(livemode=True), secret="whsec_forged"))
    assert not Alert.objects.exists()


def test_an_event_of_the_other_mode_is_refused_and_leaves_an_alert() -> None:
    assert refused(body(livemode=True), signed(body(livemode=True)))
    assert Alert.objects.get().subject == "evt_1"


def test_an_event_of_an_account_that_is_no_payees_is_refused_and_leaves_an_alert() -> None:
    raw = body(account="acct_stranger")
    assert refused(raw, signed(raw))
    assert Alert.objects.get().code == "EVENT_FOREIGN"
    make_payee(stripe_account_id="acct_stranger")
    assert inbox.record_event(raw, signed(raw)).pk


def test_one_worker_at_a_time_has_an_event() -> None:
    event = inbox.record_event(body(), signed(body()))
    assert inbox.claim_event(event.pk, at=AT) is not None
    assert inbox.claim_event(event.pk, at=AT) is None
    assert inbox.sweepable(at=AT) == []


def test_a_claim_that_was_never_concluded_is_open_again() -> None:
    event = inbox.record_event(body(), signed(body()))
    inbox.claim_event(event.pk, at=AT)
    later = AT + inbox.LEASE + timedelta(seconds=1)
    assert inbox.sweepable(at=later) == [event.pk]
    assert inbox.claim_event(event.pk, at=later) is not None


def test_a_handled_event_is_never_claimed_again() -> None:
    event = inbox.record_event(body(), signed(body()))
    inbox.conclude_event(event, at=AT)
    assert inbox.claim_event(event.pk, at=AT + timedelta(days=1)) is None


def test_an_event_that_keeps_failing_is_given_up_with_its_reason() -> None:
    event = inbox.record_event(body(), signed(body()))
    at = AT
    for _ in range(inbox.MOST_ATTEMPTS):
        assert inbox.claim_event(event.pk, at=at) is not None
        inbox.fail_event(event, "no such order", at=at)
        at += timedelta(days=1)
    event.refresh_from_db()
    assert (event.state, event.error) == ("FAILED", "no such order")
    assert inbox.sweepable(at=at) == []


def test_a_webhook_that_never_came_is_fetched(stripe_sandbox: StripeFake) -> None:
    session = stripe_sandbox.sandbox.api.create_session(
        {
            "mode": "payment",
            "success_url": "http://s",
            "line_items": [{"price_data": {"currency": "eur", "unit_amount": 100, "product_data": {"name": "n"}}}],
        }
    )
    stripe_sandbox.pay(session["url"])
    came = stripe_sandbox.webhooks("charge.succeeded")[0]
    inbox.record_event(came.body, came.signature)
    wanted = ["charge.succeeded", "checkout.session.completed"]
    missed = inbox.fetch_missed(since=AT, types=wanted)
    assert [event.type for event in missed] == ["checkout.session.completed"]
    assert inbox.fetch_missed(since=AT, types=wanted) == []


def test_an_event_that_is_not_ours_does_not_hold_up_what_was_missed(stripe_sandbox: StripeFake) -> None:
    state = stripe_sandbox.sandbox.state
    state.emit("account.updated", {"id": "acct_stranger", "object": "account"}, account="acct_stranger")
    state.emit("account.updated", {"id": "acct_ours", "object": "account"})
    missed = inbox.fetch_missed(since=AT, types=["account.updated"])
    assert [event.payload["data"]["object"]["id"] for event in missed] == ["acct_ours"]
    assert Alert.objects.get().code == "EVENT_FOREIGN"


def test_the_library_itself_would_take_a_stamp_of_next_year() -> None:
    """The control: why the check is ours."""
    header = signed(body(), at=int(time.time()) + 365 * 86400)
    assert stripe.Webhook.construct_event(body(), header, WEBHOOK_SECRET).id == "evt_1"
