"""The stand-in speaks Stripe's HTTP: what Stripe's own library knows is taken, what it does not know is refused."""

import json
from typing import Any

import pytest
import requests
import stripe

from payments.sandbox import annotations, forms
from payments.sandbox.errors import ApiError
from tests.fakes import SECRET_KEY, StripeFake


@pytest.fixture
def api(stripe_sandbox: StripeFake) -> stripe.StripeClient:
    return stripe.StripeClient(SECRET_KEY, base_addresses={"api": stripe_sandbox.address}, max_network_retries=0)


def session_params(amount: int = 500, **over: Any) -> Any:
    price = {"currency": "eur", "unit_amount": amount, "product_data": {"name": "Nocturne <b>"}}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "http://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.example/basket",
        "payment_intent_data": {"transfer_group": "g", "metadata": {"reference": "r"}},
    } | over


def post(fake: StripeFake, path: str, data: dict[str, str], **headers: str) -> requests.Response:
    with requests.Session() as http:
        http.trust_env = False
        return http.post(fake.address + path, data=data, auth=(SECRET_KEY, ""), headers=headers, timeout=10)


def paid_intent(fake: StripeFake, api: stripe.StripeClient, amount: int = 500) -> stripe.PaymentIntent:
    session = api.v1.checkout.sessions.create(session_params(amount))
    fake.pay(session.url or "")
    intent = str(api.v1.checkout.sessions.retrieve(session.id).payment_intent)
    return api.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge.balance_transaction"]})


def ready_account(fake: StripeFake, api: stripe.StripeClient) -> stripe.Account:
    account = api.v1.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    link = api.v1.account_links.create(
        {"account": account.id, "type": "account_onboarding", "refresh_url": "http://s/r", "return_url": "http://s/b"}
    )
    assert fake.onboard(link.url) == "http://s/b"
    return api.v1.accounts.retrieve(account.id)


def problems(resource: Any, answer: stripe.StripeObject) -> list[str]:
    return annotations.answer_problems(resource, json.loads(json.dumps(answer.to_dict(), default=str)))


def test_every_answer_is_one_that_stripes_library_describes(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    intent = paid_intent(stripe_sandbox, api)
    account = ready_account(stripe_sandbox, api)
    transfer = api.v1.transfers.create({"amount": 100, "currency": "eur", "destination": account.id})
    refund = api.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    session = api.v1.checkout.sessions.create(session_params())
    assert problems(stripe.PaymentIntent, intent) == []
    assert problems(stripe.Account, account) == []
    assert problems(stripe.Transfer, transfer) == []
    assert problems(stripe.Refund, refund) == []
    assert problems(stripe.checkout.Session, session) == []
    assert problems(stripe.Balance, api.v1.balance.retrieve()) == []
    assert [problems(stripe.Event, event) for event in api.v1.events.list().data if problems(stripe.Event, event)] == []


def test_an_answer_with_a_made_up_field_would_be_noticed(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    body = json.loads(json.dumps(paid_intent(stripe_sandbox, api).to_dict(), default=str))
    assert annotations.answer_problems(stripe.PaymentIntent, body | {"vibe": 1}) == [".vibe is unknown"]
    assert annotations.answer_problems(stripe.PaymentIntent, body | {"amount": "1"}) == [".amount is '1', not int"]
    del body["currency"]
    assert annotations.answer_problems(stripe.PaymentIntent, body) == [".currency is missing"]


@pytest.mark.parametrize(
    ("path", "data", "param"),
    [
        ("/v1/transfers", {"amonut": "1"}, "amonut"),
        ("/v1/transfers", {"currency": "eur", "destination": "acct_1", "fee": "1"}, "fee"),
        (
            "/v1/checkout/sessions",
            {"line_items[0][price_data][unit_amont]": "1"},
            "line_items[0][price_data][unit_amont]",
        ),
        ("/v1/refunds", {"payment_intent": "pi_1", "kind": "x"}, "kind"),
        ("/v1/accounts", {"capabilities[transfer][requested]": "true"}, "capabilities[transfer]"),
    ],
)
def test_a_parameter_that_stripe_does_not_know_is_refused(
    path: str, data: dict[str, str], param: str, stripe_sandbox: StripeFake
) -> None:
    answer = post(stripe_sandbox, path, data)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parameter_unknown"
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"amount": "1.5", "currency": "eur", "destination": "acct_1"}, "amount"),
        ({"amount": "１２", "currency": "eur", "destination": "acct_1"}, "amount"),
        ({"amount": "1", "destination": "acct_1"}, "currency"),
        ({"amount": "1", "currency": "eur", "destination": "acct_1", "source_type": "cash"}, "source_type"),
        ({"amount": "1", "currency": "eur", "destination": "acct_1", "metadata": "text"}, "metadata"),
    ],
)
def test_a_parameter_of_the_wrong_form_is_refused_by_name(
    data: dict[str, str], param: str, stripe_sandbox: StripeFake
) -> None:
    answer = post(stripe_sandbox, "/v1/transfers", data)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_an_unknown_call_and_a_wrong_key_are_refused(stripe_sandbox: StripeFake) -> None:
    assert post(stripe_sandbox, "/v1/customers", {}).status_code == 404
    with requests.Session() as http:
        http.trust_env = False
        assert (
            http.get(f"{stripe_sandbox.address}/v1/balance", auth=("sk_test_other", ""), timeout=10).status_code == 401
        )


def test_the_same_idempotency_key_gives_the_first_answer(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    first = api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    again = api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    assert first.id == again.id
    assert len(stripe_sandbox.objects("checkout.session")) == 1


def test_the_same_key_with_other_parameters_is_an_error(api: stripe.StripeClient) -> None:
    api.v1.checkout.sessions.create(session_params(500), {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        api.v1.checkout.sessions.create(session_params(600), {"idempotency_key": "k"})


def test_a_failure_is_replayed_under_its_key_until_keys_are_forgotten(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    stripe_sandbox.sandbox.fail_next("/v1/checkout/sessions", "saved_500")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    stripe_sandbox.forget_keys()
    assert api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"}).status == "open"


def test_a_lost_reply_is_work_done(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    stripe_sandbox.sandbox.fail_next("/v1/checkout/sessions", "lost_reply")
    with pytest.raises(stripe.APIConnectionError):
        api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    assert len(stripe_sandbox.objects("checkout.session")) == 1


def test_paying_costs_a_fee_and_funds_the_balance(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    charge = paid_intent(stripe_sandbox, api, 1000).latest_charge
    assert isinstance(charge, stripe.Charge)
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert charge.balance_transaction.fee == 40
    assert api.v1.balance.retrieve().available[0].amount == 960


def test_paying_twice_pays_once(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    session = api.v1.checkout.sessions.create(session_params())
    for _ in range(3):
        stripe_sandbox.pay(session.url or "")
    assert len(stripe_sandbox.objects("charge")) == 1


def test_a_declined_payment_leaves_the_page_open(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    session = api.v1.checkout.sessions.create(session_params())
    assert stripe_sandbox.decline(session.url or "") == "http://shop.example/basket"
    assert api.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert stripe_sandbox.pay(session.url or "") == f"http://shop.example/thanks?session={session.id}"


def test_a_transfer_beyond_the_balance_is_refused(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    account = ready_account(stripe_sandbox, api)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.transfers.create({"amount": 1, "currency": "eur", "destination": account.id})
    assert refused.value.code == "balance_insufficient"


def test_a_transfer_to_an_account_that_told_nothing_is_refused(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    stripe_sandbox.fund(100)
    account = api.v1.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.transfers.create({"amount": 1, "currency": "eur", "destination": account.id})
    assert refused.value.code == "insufficient_capabilities_for_transfer"


def test_less_than_stripe_takes_is_refused(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.checkout.sessions.create(session_params(49))
    assert refused.value.code == "amount_too_small"


def test_the_payment_page_is_marked_as_a_test_and_shows_what_is_paid(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    session = api.v1.checkout.sessions.create(session_params())
    with requests.Session() as http:
        http.trust_env = False
        page = http.get(session.url or "", timeout=10).text
    assert "No real money moves" in page
    assert "Nocturne &lt;b&gt;" in page
    assert "5.00 EUR" in page
    assert "<script" not in page


def test_lists_are_read_page_by_page(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    account = ready_account(stripe_sandbox, api)
    stripe_sandbox.fund(100)
    made = [
        api.v1.transfers.create({"amount": 1, "currency": "eur", "destination": account.id, "transfer_group": "g"}).id
        for _ in range(5)
    ]
    page = api.v1.transfers.list({"transfer_group": "g", "limit": 2})
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]
    assert api.v1.transfers.list({"transfer_group": "other"}).data == []


@pytest.mark.parametrize("text", ["a[=1", "a[0]=1&a=2&a[0]=3", "=1", "]=1", "a=1&" * 3000])
def test_a_form_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ApiError):
        forms.decode(text)


def test_nested_names_become_lists_and_objects() -> None:
    assert forms.decode("a[0][b]=1&a[1][b]=2&c[d]=3&e=4") == {"a": [{"b": "1"}, {"b": "2"}], "c": {"d": "3"}, "e": "4"}
