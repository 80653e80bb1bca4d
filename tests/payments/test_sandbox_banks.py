"""What banks do at the stand-in: pay later or not at all, take payments back, and keep what they have paid out."""

from typing import Any

import pytest
import requests
import stripe

from payments.sandbox.state import State
from payments.sandbox.webhooks import MISCHIEF
from tests.fakes import SECRET_KEY, StripeFake
from tests.payments.test_sandbox_answers import paid_intent, problems, ready_account, session_params


@pytest.fixture
def api(stripe_sandbox: StripeFake) -> stripe.StripeClient:
    return stripe.StripeClient(SECRET_KEY, base_addresses={"api": stripe_sandbox.address}, max_network_retries=0)


def charge_of(fake: StripeFake) -> dict[str, Any]:
    return fake.objects("charge")[-1]


def kinds(fake: StripeFake) -> list[str]:
    return [one["type"] for one in fake.objects("event")]


def test_a_bank_debit_is_on_its_way_until_the_bank_pays(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    session = api.v1.checkout.sessions.create(session_params(1000))
    assert stripe_sandbox.pay_later(session.url or "").startswith("http://shop.example/thanks")
    waiting = api.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert isinstance(waiting.payment_intent, stripe.PaymentIntent)
    assert waiting.payment_intent.status == "processing"
    assert problems(stripe.PaymentIntent, waiting.payment_intent) == []
    assert api.v1.balance.retrieve().available == []

    for _ in range(2):
        stripe_sandbox.arrive(session.url or "")
    assert api.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert api.v1.balance.retrieve().available[0].amount == 960
    assert kinds(stripe_sandbox).count("checkout.session.async_payment_succeeded") == 1


def test_a_bank_debit_may_bounce(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    session = api.v1.checkout.sessions.create(session_params(1000))
    stripe_sandbox.pay_later(session.url or "")
    stripe_sandbox.bounce(session.url or "")
    stripe_sandbox.arrive(session.url or "")  # too late
    refused = api.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert isinstance(refused.payment_intent, stripe.PaymentIntent)
    assert (refused.payment_status, refused.payment_intent.status) == ("unpaid", "requires_payment_method")
    assert kinds(stripe_sandbox)[-1] == "checkout.session.async_payment_failed"


def test_a_dispute_takes_money_and_fee_and_winning_it_brings_the_money_back(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    paid_intent(stripe_sandbox, api, 1000)
    made = stripe_sandbox.sandbox.chargebacks.open(charge_of(stripe_sandbox)["id"])
    dispute = api.v1.disputes.retrieve(made["id"])
    assert problems(stripe.Dispute, dispute) == []
    assert [(one.amount, one.fee) for one in dispute.balance_transactions] == [(-1000, 1500)]
    assert api.v1.balance.retrieve().available[0].amount == 960 - 2500

    answered = api.v1.disputes.update(made["id"], {"evidence": {"uncategorized_text": "He has it."}, "submit": True})
    assert answered.status == "under_review"
    stripe_sandbox.sandbox.chargebacks.win(made["id"])
    assert api.v1.disputes.list({"charge": made["charge"]}).data[0].status == "won"
    assert api.v1.balance.retrieve().available[0].amount == 960 - 1500
    assert kinds(stripe_sandbox)[-2:] == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]


def test_a_charge_in_dispute_is_not_refunded(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    intent = paid_intent(stripe_sandbox, api, 1000)
    made = stripe_sandbox.sandbox.chargebacks.open(charge_of(stripe_sandbox)["id"])
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"
    assert api.v1.disputes.close(made["id"]).status == "lost"


def test_an_inquiry_takes_nothing_until_it_is_a_dispute(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    paid_intent(stripe_sandbox, api, 1000)
    banks = stripe_sandbox.sandbox.chargebacks
    made = banks.open(charge_of(stripe_sandbox)["id"], inquiry=True)
    assert api.v1.balance.retrieve().available[0].amount == 960
    assert banks.escalate(made["id"])["status"] == "needs_response"
    assert api.v1.balance.retrieve().available[0].amount == 960 - 2500


def test_every_movement_of_the_balance_is_in_the_books(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    intent = paid_intent(stripe_sandbox, api, 1000)
    account = ready_account(stripe_sandbox, api)
    api.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    transfer = api.v1.transfers.create({"amount": 200, "currency": "eur", "destination": account.id})
    api.v1.transfers.reversals.create(transfer.id, {"amount": 50})
    books = list(api.v1.balance_transactions.list({"limit": 2}).auto_paging_iter())
    assert [problems(stripe.BalanceTransaction, one) for one in books] == [[]] * 4
    assert sum(one.net for one in books) == api.v1.balance.retrieve().available[0].amount == 710
    assert [one.amount for one in api.v1.balance_transactions.list({"type": "refund"}).data] == [-100]
    assert api.v1.balance_transactions.list({"created": {"lt": books[-1].created}}).data == []


def test_a_transfer_comes_back_only_while_the_account_still_has_it(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    account = ready_account(stripe_sandbox, api)
    stripe_sandbox.fund(500)
    transfer = api.v1.transfers.create({"amount": 500, "currency": "eur", "destination": account.id})
    assert api.v1.balance.retrieve(options={"stripe_account": account.id}).available[0].amount == 500
    stripe_sandbox.sandbox.api.spend(account.id, 300)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.transfers.reversals.create(transfer.id, {"amount": 300})
    assert refused.value.code == "balance_insufficient"
    back = api.v1.transfers.reversals.create(transfer.id, {"amount": 200})
    assert problems(stripe.TransferReversal, back) == []


def test_a_day_at_stripe_passes_when_its_clock_is_moved(stripe_sandbox: StripeFake, api: stripe.StripeClient) -> None:
    first = api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    stripe_sandbox.pass_hours(23)
    assert api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"}).id == first.id
    stripe_sandbox.pass_hours(2)
    assert api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"}).id != first.id
    assert api.v1.checkout.sessions.retrieve(first.id).status == "expired"


def test_a_call_may_time_out_after_it_was_done(stripe_sandbox: StripeFake) -> None:
    stripe_sandbox.sandbox.fail_next("/v1/checkout/sessions", "timeout")
    http = stripe.RequestsClient(timeout=1)
    api = stripe.StripeClient(
        SECRET_KEY, http_client=http, base_addresses={"api": stripe_sandbox.address}, max_network_retries=0
    )
    with pytest.raises(stripe.APIConnectionError):
        api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    assert len(stripe_sandbox.objects("checkout.session")) == 1
    api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    assert len(stripe_sandbox.objects("checkout.session")) == 1


@pytest.mark.parametrize(("how", "status"), [("rate_limited", 429), ("insufficient_funds", 400)])
def test_a_call_may_be_refused_on_demand_and_is_not_kept(
    how: str, status: int, stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    stripe_sandbox.sandbox.fail_next("/v1/checkout/sessions", how)
    with pytest.raises(stripe.StripeError) as refused:
        api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    assert refused.value.http_status == status
    assert api.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"}).status == "open"


def test_webhooks_come_doubled_late_and_shuffled_on_demand(stripe_sandbox: StripeFake) -> None:
    state, postman = stripe_sandbox.sandbox.state, stripe_sandbox.sandbox.postman
    for number in range(20):
        state.emit("account.updated", {"id": f"acct_{number}", "object": "account"})
    in_order = postman.due()
    stripe_sandbox.sandbox.fail_next(MISCHIEF, "doubled")
    stripe_sandbox.sandbox.fail_next(MISCHIEF, "shuffled")
    assert postman.due() != in_order
    assert sorted(postman.due()) == sorted(in_order * 2)
    stripe_sandbox.sandbox.fail_next(MISCHIEF, "late")
    assert postman.due() == []
    stripe_sandbox.sandbox.fail_none()
    stripe_sandbox.pass_hours(1)
    assert {event for event, _ in postman.due()} == {event for event, _ in in_order}


def test_faults_and_the_clock_outlive_a_restart(tmp_path: Any) -> None:
    state = State(tmp_path / "s.sqlite3")
    state.fail_next("/v1/refunds", "saved_500")
    state.move_clock(3600)
    before = state.now()
    state.close()
    state = State(tmp_path / "s.sqlite3")
    assert state.fault("/v1/refunds") == "saved_500"
    assert state.now() >= before
    state.close()


def test_a_persons_page_lets_the_buyer_dispute_a_payment_at_her_bank(
    stripe_sandbox: StripeFake, api: stripe.StripeClient
) -> None:
    paid_intent(stripe_sandbox, api, 1000)
    with requests.Session() as http:
        http.trust_env = False
        assert "Dispute it at the bank" in http.get(stripe_sandbox.address, timeout=10).text
        pressed = {"action": "dispute", "about": charge_of(stripe_sandbox)["id"]}
        assert "The buyer wins" in http.post(stripe_sandbox.address, pressed, timeout=10).text
    assert stripe_sandbox.objects("dispute")[0]["status"] == "needs_response"
