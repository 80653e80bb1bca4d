"""All that speaks to Stripe; nothing else imports `stripe`.

Every call is made outside any transaction (Django refuses otherwise), and answers come back as our own small values, so
that no Stripe object travels. Every failure is a StripeFailed that says whether trying again can help. Without keys of
one's own the sandbox answers at `STRIPE_API_BASE`; the code is the same.
"""

import hmac
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
from django.conf import settings
from django.db import transaction

from payments.errors import EventRefused, StripeFailed
from payments.money import Money

TOLERANCE_SECONDS = 300
FUTURE_SECONDS = 60  # clocks differ a little; Stripe's library would take a stamp of next year
MOST_EVENT_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what a buyer pays, as Stripe's page shows it."""

    name: str
    amount_minor: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A hosted payment page: `status` is open, complete or expired; `payment_status` is paid or unpaid.

    Complete and unpaid means a way of paying that takes days. `named` is the reference in its metadata.
    """

    stripe_id: str
    url: str
    status: str
    payment_status: str
    payment_intent_id: str
    reference: str
    named: str


@dataclass(frozen=True, slots=True)
class TaxedLine:
    """A line of a payment page with the tax that Stripe found inside it; the rates of all places added up."""

    name: str
    amount_minor: int
    tax_minor: int
    basis_points: int


@dataclass(frozen=True, slots=True)
class TaxFacts:
    """What Stripe Tax reckoned for a page: only `complete` may be believed. `country` is the address it went by."""

    status: str
    country: str
    tax_minor: int
    lines: tuple[TaxedLine, ...]


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """What was really paid. `status` is the payment's: processing, succeeded, requires_payment_method, canceled, …;
    `fee_minor` is None until Stripe reports it."""

    payment_intent_id: str
    charge_id: str
    status: str
    amount_minor: int
    currency: str
    refunded_minor: int
    fee_minor: int | None
    fee_currency: str
    paid_at: datetime | None
    card_country: str
    reference: str


@dataclass(frozen=True, slots=True)
class RefundFacts:
    stripe_id: str
    status: str
    amount_minor: int
    reference: str


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved on our balance: below nought it left; a fee above nought was charged."""

    amount_minor: int
    fee_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A buyer's complaint at her bank, with the money that moved because of it; `status` is Stripe's."""

    stripe_id: str
    status: str
    reason: str
    amount_minor: int
    currency: str
    payment_intent_id: str
    opened_at: datetime
    answer_by: datetime | None
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """A payee's account: `wants` are Stripe's words for what it has to be told now, `disabled_reason` why it waits."""

    stripe_id: str
    can_receive: bool
    details_submitted: bool
    email: str
    wants: tuple[str, ...] = ()
    disabled_reason: str = ""


@dataclass(frozen=True, slots=True)
class TransferFacts:
    stripe_id: str
    amount_minor: int
    currency: str
    destination: str
    transfer_group: str
    reversed_minor: int


@dataclass(frozen=True, slots=True)
class BalanceFacts:
    """One movement of our balance at Stripe: `amount_minor` before the fee, `source` is what it was for.

    `is_return` says that it gives back what another movement for the same source took.
    """

    stripe_id: str
    type: str
    source: str
    amount_minor: int
    fee_minor: int
    currency: str
    created_at: datetime
    is_return: bool = False


def create_checkout_session(
    reference: str,
    *,
    lines: Sequence[Line],
    amount: Money,
    success_url: str,
    cancel_url: str,
    metadata: Mapping[str, str],
    email: str,
    transfer_group: str,
    idempotency_key: str,
    tax_code: str = "",
) -> SessionFacts:
    """Open a hosted page that asks for exactly `amount`; the lines must sum to it.

    With a `tax_code` Stripe Tax reckons the tax inside each line by the address that the buyer gives there.
    """
    if sum(line.amount_minor for line in lines) != amount.minor:
        raise ValueError(f"{reference}: the lines do not sum to {amount}.")
    params: Any = {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": amount.currency.code.lower(),
                    "unit_amount": line.amount_minor,
                    "product_data": {"name": line.name[:250]}
                    | ({"description": line.description[:500]} if line.description else {})
                    | ({"tax_code": tax_code} if tax_code else {}),
                }
                | ({"tax_behavior": "inclusive"} if tax_code else {}),
            }
            for line in lines
        ],
        "success_url": success_url,
        "cancel_url": cancel_url,
        "client_reference_id": reference,
        "metadata": {"reference": reference, **metadata},
        "payment_intent_data": {"transfer_group": transfer_group, "metadata": {"reference": reference}},
    }
    if email:
        params["customer_email"] = email
    if tax_code:
        params["automatic_tax"] = {"enabled": True}
    with _outside_any_transaction():
        session = _client().v1.checkout.sessions.create(params, {"idempotency_key": idempotency_key})
    return _session_facts(session)


def read_session(session_id: str) -> SessionFacts:
    with _outside_any_transaction():
        return _session_facts(_client().v1.checkout.sessions.retrieve(session_id))


def read_tax(session_id: str) -> TaxFacts:
    """What Stripe Tax reckoned for a page, read again, with every line."""
    with _outside_any_transaction():
        session = _plain(_client().v1.checkout.sessions.retrieve(session_id))
        page = _client().v1.checkout.sessions.line_items.list(session_id, {"limit": 100, "expand": ["data.taxes"]})
        lines = [_plain(one) for one in page.auto_paging_iter()]
    address = (session.get("customer_details") or {}).get("address") or {}
    return TaxFacts(
        status=(session.get("automatic_tax") or {}).get("status") or "",
        country=address.get("country") or "",
        tax_minor=int((session.get("total_details") or {}).get("amount_tax") or 0),
        lines=tuple(
            TaxedLine(one.get("description") or "", int(one["amount_total"]), int(one["amount_tax"]), _points(one))
            for one in lines
        ),
    )


def _points(line: dict[str, Any]) -> int:
    """The rates of a taxed line in basis points, to the nearest whole one (8.875 % is 888).

    Stripe writes percentages as decimals of JSON, read here as text.
    """
    rates = [one["rate"]["percentage"] for one in line.get("taxes") or []]
    points = sum((Decimal(str(rate)) for rate in rates), Decimal(0)) * 100
    return int(points.to_integral_value(ROUND_HALF_UP))


def expire_session(session_id: str) -> SessionFacts:
    """End a page that must not be paid any more. Raises StripeFailed where it is already paid or ended."""
    with _outside_any_transaction():
        return _session_facts(_client().v1.checkout.sessions.expire(session_id))


def read_charge(payment_intent_id: str) -> ChargeFacts:
    """The payment as Stripe holds it now, with its fee where that is known."""
    with _outside_any_transaction():
        intent = _client().v1.payment_intents.retrieve(
            payment_intent_id, {"expand": ["latest_charge.balance_transaction"]}
        )
    charge = _plain(intent.latest_charge) if intent.latest_charge else {}
    balance = charge.get("balance_transaction") or {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    return ChargeFacts(
        payment_intent_id=intent.id,
        charge_id=charge.get("id", ""),
        status=str(intent.status),
        amount_minor=int(charge["amount_captured"]) if charge else 0,
        currency=intent.currency.upper(),
        refunded_minor=int(charge.get("amount_refunded", 0)),
        fee_minor=int(balance["fee"]) if isinstance(balance, dict) and "fee" in balance else None,
        fee_currency=str(balance.get("currency", "")).upper() if isinstance(balance, dict) else "",
        paid_at=datetime.fromtimestamp(charge["created"], UTC) if charge.get("paid") else None,
        card_country=card.get("country") or "",
        reference=(_plain(intent).get("metadata") or {}).get("reference", ""),
    )


def refund(payment_intent_id: str, *, amount_minor: int, reference: str, idempotency_key: str) -> RefundFacts:
    params: Any = {
        "payment_intent": payment_intent_id,
        "amount": amount_minor,
        "reason": "requested_by_customer",
        "metadata": {"reference": reference},
    }
    with _outside_any_transaction():
        return _refund_facts(_client().v1.refunds.create(params, {"idempotency_key": idempotency_key}))


def read_refund(refund_id: str) -> RefundFacts:
    with _outside_any_transaction():
        return _refund_facts(_client().v1.refunds.retrieve(refund_id))


def find_refunds(payment_intent_id: str) -> list[RefundFacts]:
    """Every refund of a payment: what to look at before asking for one again."""
    with _outside_any_transaction():
        page = _client().v1.refunds.list({"payment_intent": payment_intent_id, "limit": 100})
        return [_refund_facts(one) for one in page.auto_paging_iter()]


def read_dispute(dispute_id: str) -> DisputeFacts:
    with _outside_any_transaction():
        dispute = _plain(_client().v1.disputes.retrieve(dispute_id))
    intent = dispute.get("payment_intent") or ""
    due = (dispute.get("evidence_details") or {}).get("due_by")
    return DisputeFacts(
        stripe_id=dispute["id"],
        status=dispute["status"],
        reason=dispute.get("reason") or "",
        amount_minor=int(dispute["amount"]),
        currency=dispute["currency"].upper(),
        payment_intent_id=intent if isinstance(intent, str) else intent["id"],
        opened_at=datetime.fromtimestamp(dispute["created"], UTC),
        answer_by=datetime.fromtimestamp(due, UTC) if due else None,
        movements=tuple(
            Movement(int(one["amount"]), int(one["fee"]), one["currency"].upper())
            for one in dispute.get("balance_transactions") or []
        ),
    )


def create_account(*, name: str, email: str, country: str, reference: str, idempotency_key: str) -> AccountFacts:
    """An Express account: Stripe's own pages ask who the payee is, and we never see a bank number."""
    params: Any = {
        "type": "express",
        "country": country,
        "capabilities": {"transfers": {"requested": True}},
        "business_profile": {"name": name[:100]},
        "metadata": {"reference": reference},
    }
    if email:
        params["email"] = email
    with _outside_any_transaction():
        return _account_facts(_client().v1.accounts.create(params, {"idempotency_key": idempotency_key}))


def read_account(account_id: str) -> AccountFacts:
    with _outside_any_transaction():
        return _account_facts(_client().v1.accounts.retrieve(account_id))


def account_link(account_id: str, *, refresh_url: str, return_url: str) -> str:
    """The address of Stripe's page where the payee says who it is; good once and for minutes."""
    params: Any = {
        "account": account_id,
        "type": "account_onboarding",
        "refresh_url": refresh_url,
        "return_url": return_url,
    }
    with _outside_any_transaction():
        return str(_client().v1.account_links.create(params).url)


def create_transfer(
    amount: Money, *, destination: str, transfer_group: str, reference: str, idempotency_key: str
) -> TransferFacts:
    params: Any = {
        "amount": amount.minor,
        "currency": amount.currency.code.lower(),
        "destination": destination,
        "transfer_group": transfer_group,
        "metadata": {"reference": reference},
    }
    with _outside_any_transaction():
        return _transfer_facts(_client().v1.transfers.create(params, {"idempotency_key": idempotency_key}))


def read_transfer(transfer_id: str) -> TransferFacts:
    with _outside_any_transaction():
        return _transfer_facts(_client().v1.transfers.retrieve(transfer_id))


def list_balance_transactions(*, since: datetime, until: datetime) -> list[BalanceFacts]:
    """Every movement of our balance with `since` ≤ time < `until`, newest first."""
    created: Any = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
    with _outside_any_transaction():
        page = _client().v1.balance_transactions.list({"created": created, "limit": 100, "expand": ["data.source"]})
        return [_balance_facts(one) for one in page.auto_paging_iter()]


def find_transfers(transfer_group: str) -> list[TransferFacts]:
    """What was ever sent under this group: asked before sending, because idempotency keys are forgotten."""
    with _outside_any_transaction():
        page = _client().v1.transfers.list({"transfer_group": transfer_group, "limit": 100})
        return [_transfer_facts(one) for one in page.auto_paging_iter()]


def list_events(*, since: datetime, types: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Events of these types since a moment, newest first, as the webhook would have brought them."""
    with _outside_any_transaction():
        page = _client().v1.events.list(
            {"created": {"gte": int(since.timestamp())}, "types": list(types), "limit": 100}
        )
        found = [_plain(event) for event in page.auto_paging_iter()]
    yield from found


def verify_event(body: bytes, signature: str) -> dict[str, Any]:
    """The event in a webhook's body, proved to be Stripe's and of this moment.

    Any one of the configured secrets may have signed it, so that secrets rotate without loss. Raises EventRefused for
    everything else: a body that is no text or too big, a stamp too old or in the future.
    """
    if len(body) > MOST_EVENT_BYTES:
        raise EventRefused("The body is larger than any event of Stripe's.")
    stamp, given = _read_signature(signature)
    now = time.time()
    if not now - TOLERANCE_SECONDS <= stamp <= now + FUTURE_SECONDS:
        raise EventRefused("The signature is not of this moment.")
    expected = [_sign(secret, stamp, body) for secret in settings.STRIPE_WEBHOOK_SECRETS if secret]
    if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in given):
        raise EventRefused("No signature of ours is on it.")
    try:
        event = json.loads(body.decode("utf-8"))
    except ValueError:
        raise EventRefused("The body is no JSON in UTF-8.") from None
    return check_event(event)


def check_event(event: Any) -> dict[str, Any]:
    """The event, if it has an event's form; raises EventRefused."""
    if not isinstance(event, dict) or event.get("object") != "event":
        raise EventRefused("The body is no event.")
    texts = [event.get("id"), event.get("type")]
    if not all(isinstance(text, str) and text and len(text) <= 80 for text in texts):  # noqa: PLR2004 - as our columns
        raise EventRefused("The event lacks its id or its type.")
    data = event.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("object"), dict):
        raise EventRefused("The event says nothing of what it is about.")
    return event


def is_live() -> bool:
    """Whether our key moves real money."""
    return settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))


def _read_signature(header: str) -> tuple[int, list[bytes]]:
    pairs = [item.partition("=") for item in header[:2000].split(",")]
    stamps = [value for name, _, value in pairs if name.strip() == "t"]
    given = [value.strip().encode("ascii", "replace") for name, _, value in pairs if name.strip() == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit()) or len(stamps[0]) > 12 or not given:  # noqa: PLR2004
        raise EventRefused("There is no signature we could check.")
    return int(stamps[0]), given


def _sign(secret: str, stamp: int, body: bytes) -> bytes:
    return hmac.new(secret.encode(), str(stamp).encode() + b"." + body, sha256).hexdigest().encode()


@contextmanager
def _outside_any_transaction() -> Iterator[None]:
    """No lock is held while we wait for another machine: Django refuses a durable block inside another one."""
    with transaction.atomic(durable=True):
        pass
    try:
        yield
    except stripe.APIConnectionError as error:
        raise StripeFailed(f"Stripe could not be reached: {error.user_message or error}", retriable=True) from error
    except stripe.StripeError as error:
        status = error.http_status or 0
        raise StripeFailed(
            f"Stripe answered {status}: {error.user_message or error}",
            retriable=status >= 500 or status in {409, 429},  # noqa: PLR2004 - HTTP's own numbers
            stripe_code=error.code or "",
            saved=status >= 500,  # noqa: PLR2004 - Stripe replays a saved failure under the same idempotency key
        ) from error


def _client() -> stripe.StripeClient:
    return _client_for(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


@lru_cache(maxsize=8)
def _client_for(key: str, base: str) -> stripe.StripeClient:
    if not base:
        http = stripe.RequestsClient(timeout=TIMEOUT_SECONDS)
        return stripe.StripeClient(key, http_client=http, max_network_retries=2)
    session = requests.Session()
    # A proxy meant for the outside world must not stand between us and a sandbox on this machine.
    session.trust_env = urlsplit(base).hostname not in {"127.0.0.1", "localhost", "::1"}
    http = stripe.RequestsClient(timeout=TIMEOUT_SECONDS, session=session)
    return stripe.StripeClient(key, http_client=http, base_addresses={"api": base}, max_network_retries=2)


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(value.to_dict(), default=str))
    return plain


def _session_facts(session: stripe.checkout.Session) -> SessionFacts:
    intent = session.payment_intent
    named = (_plain(session).get("metadata") or {}).get("reference", "")
    return SessionFacts(
        stripe_id=session.id,
        url=session.url or "",
        status=str(session.status),
        payment_status=str(session.payment_status),
        payment_intent_id=intent if isinstance(intent, str) else (intent.id if intent else ""),
        reference=session.client_reference_id or "",
        named=named,
    )


def _refund_facts(refund: stripe.Refund) -> RefundFacts:
    metadata = _plain(refund).get("metadata") or {}
    return RefundFacts(refund.id, str(refund.status), int(refund.amount), metadata.get("reference", ""))


def _account_facts(account: stripe.Account) -> AccountFacts:
    capabilities = _plain(account).get("capabilities") or {}
    return AccountFacts(
        stripe_id=account.id,
        can_receive=capabilities.get("transfers") == "active",
        details_submitted=bool(account.details_submitted),
        email=account.email or "",
        wants=tuple((_plain(account).get("requirements") or {}).get("currently_due") or ()),
        disabled_reason=(_plain(account).get("requirements") or {}).get("disabled_reason") or "",
    )


def _balance_facts(moved: stripe.BalanceTransaction) -> BalanceFacts:
    source = _plain(moved).get("source") or {}
    of = source if isinstance(source, str) else source.get("id", "")
    if moved.type == "transfer_refund" and not isinstance(source, str):
        of = source.get("transfer") or of  # a reversal is of its transfer
    return BalanceFacts(
        stripe_id=moved.id,
        type=str(moved.type),
        source=of,
        amount_minor=int(moved.amount),
        fee_minor=int(moved.fee),
        currency=moved.currency.upper(),
        created_at=datetime.fromtimestamp(moved.created, UTC),
        is_return=moved.type == "transfer_refund" or moved.reporting_category == "dispute_reversal",
    )


def _transfer_facts(transfer: stripe.Transfer) -> TransferFacts:
    destination = transfer.destination
    return TransferFacts(
        stripe_id=transfer.id,
        amount_minor=int(transfer.amount),
        currency=transfer.currency.upper(),
        destination=destination if isinstance(destination, str) else (destination.id if destination else ""),
        transfer_group=transfer.transfer_group or "",
        reversed_minor=int(transfer.amount_reversed),
    )
