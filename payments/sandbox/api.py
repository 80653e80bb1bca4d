"""The calls we make, each as Stripe answers it. A call gets checked parameters and returns the object's body.

Funds are available at once, a payment costs 1.5 % and 25 cents, an Express account can receive once its owner has gone
through the onboarding page. Everything else follows Stripe's reference.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from payments.errors import CurrencyError
from payments.money import Currency
from payments.sandbox.errors import ApiError, missing
from payments.sandbox.state import Body, State

FEE_PER_THOUSAND = 15
FEE_CENTS = 25
SESSION_SECONDS = 24 * 3600
LINK_SECONDS = 5 * 60


@dataclass(frozen=True, slots=True)
class Api:
    """The calls on one state; `address` is where the hosted pages answer."""

    state: State
    address: Callable[[], str]

    def create_session(self, params: Body) -> Body:
        if params.get("mode") != "payment":
            raise ApiError("This sandbox opens sessions of mode payment only.", param="mode")
        items = params.get("line_items") or []
        if not items:
            raise ApiError("You must provide at least one line item.", param="line_items")
        lines = [_line(item, i) for i, item in enumerate(items)]
        currencies = {line["currency"] for line in lines}
        if len(currencies) > 1:
            raise ApiError("All prices on a Checkout Session must use the same currency.", param="line_items")
        currency = _currency(currencies.pop(), "currency")
        total = sum(line["amount"] for line in lines)
        _check_amount(total, currency)
        if not str(params.get("success_url", "")).startswith(("http://", "https://")):
            raise ApiError("Not a valid URL", code="url_invalid", param="success_url")
        now = int(time.time())
        body = _session_body(params, currency, total, now)
        hidden = {"lines": lines, "intent_data": params.get("payment_intent_data") or {}}
        session = self.state.add("checkout.session", "cs_test", body, hidden=hidden)
        return self.state.change(session, url=f"{self.address()}/pay/{session['id']}")

    def read_session(self, key: str) -> Body:
        return self._with_expiry(self.state.get("checkout.session", key))

    def expire_session(self, key: str) -> Body:
        session = self.read_session(key)
        if session["status"] != "open":
            raise ApiError(f"Only Checkout Sessions with a status of open can be expired; it is {session['status']}.")
        return self._expire(session)

    def _with_expiry(self, session: Body) -> Body:
        if session["status"] == "open" and session["expires_at"] <= time.time():
            return self._expire(session)
        return session

    def _expire(self, session: Body) -> Body:
        session = self.state.change(session, status="expired", url=None)
        self.state.emit("checkout.session.expired", session)
        return session

    def pay(self, key: str) -> Body:
        """What happens when the buyer presses Pay: payment, charge, fee, balance, events. Again changes nothing."""
        session = self.read_session(key)
        if session["status"] != "open":
            return session
        intent = self._intent(session)
        charge = self._charge(session, intent)
        intent = self.state.change(
            intent, status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"]
        )
        session = self.state.change(
            session, status="complete", payment_status="paid", payment_intent=intent["id"], url=None
        )
        self.state.emit("payment_intent.succeeded", intent)
        self.state.emit("charge.succeeded", charge)
        self.state.emit("checkout.session.completed", session)
        return session

    def decline(self, key: str) -> Body:
        """The bank says no; the session stays open, as Stripe's does."""
        session = self.read_session(key)
        if session["status"] == "open":
            intent = self.state.change(self._intent(session), status="requires_payment_method")
            session = self.state.change(session, payment_intent=intent["id"])
            self.state.emit("payment_intent.payment_failed", intent)
        return session

    def _intent(self, session: Body) -> Body:
        if session["payment_intent"]:
            return self.state.get("payment_intent", session["payment_intent"])
        data = self.state.hidden(session["id"])["intent_data"]
        return self.state.add("payment_intent", "pi", _intent_body(session, data))

    def _charge(self, session: Body, intent: Body) -> Body:
        currency = Currency(session["currency"].upper())
        amount = session["amount_total"]
        fee = _fee(amount, currency)
        charge = self.state.add("charge", "ch", _charge_body(session, intent))
        balance = self._balance_transaction(amount, currency, kind="charge", source=charge["id"], fee=fee)
        return self.state.change(charge, balance_transaction=balance["id"])

    def _balance_transaction(self, amount: int, currency: Currency, *, kind: str, source: str, fee: int = 0) -> Body:
        code = currency.code.lower()
        self.state.move(code, amount - fee)
        fees = [
            {"amount": fee, "application": None, "currency": code, "description": "Sandbox fee", "type": "stripe_fee"}
        ]
        now = int(time.time())
        return self.state.add(
            "balance_transaction",
            "txn",
            {
                "amount": amount, "available_on": now, "balance_type": "payments", "created": now, "currency": code,
                "description": None, "exchange_rate": None, "fee": fee, "fee_details": fees if fee else [],
                "net": amount - fee, "reporting_category": kind, "source": source, "status": "available", "type": kind,
            },
        )  # fmt: skip

    def read_intent(self, key: str) -> Body:
        return self.state.get("payment_intent", key)

    def read_charge(self, key: str) -> Body:
        return self.state.get("charge", key)

    def read_balance_transaction(self, key: str) -> Body:
        return self.state.get("balance_transaction", key)

    def read_balance(self) -> Body:
        funds = [{"amount": amount, "currency": code, "source_types": {"card": amount}}
                 for code, amount in self.state.balances().items()]  # fmt: skip
        nothing = [{"amount": 0, "currency": fund["currency"], "source_types": {"card": 0}} for fund in funds]
        return {"object": "balance", "available": funds, "pending": nothing, "livemode": False}

    def create_refund(self, params: Body) -> Body:
        charge = self._refunded_charge(params)
        left = charge["amount"] - charge["amount_refunded"]
        amount = params.get("amount", left)
        if left == 0:
            raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if not 0 < amount <= left:
            raise ApiError(
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
            )
        currency = Currency(charge["currency"].upper())
        refund = self.state.add("refund", "re", _refund_body(charge, amount, params))
        balance = self._balance_transaction(-amount, currency, kind="refund", source=refund["id"])
        refund = self.state.change(refund, balance_transaction=balance["id"])
        given_back = charge["amount_refunded"] + amount
        charge = self.state.change(charge, amount_refunded=given_back, refunded=given_back == charge["amount"])
        self.state.emit("refund.created", refund)
        self.state.emit("charge.refunded", charge)
        return refund

    def _refunded_charge(self, params: Body) -> Body:
        if "charge" in params:
            return self.state.get("charge", params["charge"])
        if "payment_intent" not in params:
            raise ApiError("One of the following params should be provided: payment_intent or charge.")
        intent = self.state.get("payment_intent", params["payment_intent"])
        if not intent["latest_charge"]:
            raise ApiError("This PaymentIntent does not have a successful charge to refund.")
        return self.state.get("charge", intent["latest_charge"])

    def read_refund(self, key: str) -> Body:
        return self.state.get("refund", key)

    def list_refunds(self, params: Body) -> Body:
        return self._list("refund", "/v1/refunds", params, filters=("payment_intent", "charge"))

    def create_account(self, params: Body) -> Body:
        if params.get("type") not in {"express", "custom", "standard"}:
            raise ApiError("This sandbox makes accounts by `type`.", param="type")
        asked = (params.get("capabilities") or {}).get("transfers") or {}
        account = self.state.add("account", "acct", _account_body(params, transfers=bool(asked.get("requested"))))
        self.state.emit("account.updated", account, account=account["id"])
        return account

    def read_account(self, key: str) -> Body:
        return self.state.get("account", key)

    def create_account_link(self, params: Body) -> Body:
        account = self.state.get("account", params["account"])
        if params["type"] == "account_onboarding" and not (params.get("refresh_url") and params.get("return_url")):
            raise ApiError("Missing required param: return_url.", code="parameter_missing", param="return_url")
        now = int(time.time())
        ends = now + LINK_SECONDS
        link = self.state.add(
            "account_link", "link", {}, hidden={**params, "account": account["id"], "expires_at": ends}
        )
        url = f"{self.address()}/onboard/{link['id']}"
        return {"object": "account_link", "created": now, "expires_at": ends, "url": url}

    def onboarding(self, key: str) -> Body:
        """What an onboarding link was made for; used or late, it leads to its refresh address."""
        self.state.get("account_link", key)
        return self.state.hidden(key)

    def finish_onboarding(self, account_id: str) -> Body:
        account = self.state.get("account", account_id)
        account = self.state.change(
            account,
            capabilities={**account["capabilities"], "transfers": "active"},
            charges_enabled=True, payouts_enabled=True, details_submitted=True,
        )  # fmt: skip
        self.state.emit("account.updated", account, account=account["id"])
        return account

    def create_transfer(self, params: Body) -> Body:
        currency = _currency(params["currency"], "currency")
        amount = params.get("amount", 0)
        if amount <= 0:
            raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
        try:
            account = self.state.get("account", params["destination"])
        except ApiError:
            raise missing("destination", params["destination"]) from None
        if account["capabilities"].get("transfers") != "active":
            raise ApiError(
                "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
                "crypto_transfers, legacy_payments",
                code="insufficient_capabilities_for_transfer",
            )
        if self.state.balance(currency.code.lower()) < amount:
            raise ApiError("You have insufficient available funds in your Stripe account.", code="balance_insufficient")
        transfer = self.state.add("transfer", "tr", _transfer_body(params, amount, currency))
        balance = self._balance_transaction(-amount, currency, kind="transfer", source=transfer["id"])
        transfer = self.state.change(transfer, balance_transaction=balance["id"])
        transfer["reversals"]["url"] = f"/v1/transfers/{transfer['id']}/reversals"
        transfer = self.state.change(transfer)
        self.state.emit("transfer.created", transfer)
        return transfer

    def read_transfer(self, key: str) -> Body:
        return self.state.get("transfer", key)

    def list_transfers(self, params: Body) -> Body:
        return self._list("transfer", "/v1/transfers", params, filters=("transfer_group", "destination"))

    def read_event(self, key: str) -> Body:
        return self.state.get("event", key)

    def list_events(self, params: Body) -> Body:
        page = self._list("event", "/v1/events", {**params, "limit": 100}, filters=("type",))
        since = params.get("created") or 0
        since = int(since.get("gte", 0) if isinstance(since, dict) else since)
        types = params.get("types")
        kept = [one for one in page["data"] if one["created"] >= since and (not types or one["type"] in types)]
        # Where the page's last event is older than what was asked for, nothing further can be of interest.
        more = page["has_more"] and page["data"][-1]["created"] >= since and bool(kept)
        return {**page, "data": kept, "has_more": more}

    def _list(self, kind: str, url: str, params: Body, *, filters: tuple[str, ...]) -> Body:
        limit = params.get("limit", 10)
        if not 1 <= limit <= 100:  # noqa: PLR2004 - Stripe's bounds
            raise ApiError("limit must be between 1 and 100", param="limit")
        where = {name: params[name] for name in filters if name in params}
        data, more = self.state.find(kind, where=where, limit=limit, after=params.get("starting_after", ""))
        return {"object": "list", "data": data, "has_more": more, "url": url}


def _currency(code: str, param: str) -> Currency:
    try:
        return Currency(code.upper())
    except CurrencyError:
        raise ApiError(f"Invalid currency: {code}.", param=param) from None


def _check_amount(total: int, currency: Currency) -> None:
    if total <= 0 or total > 99_999_999:  # noqa: PLR2004 - eight digits, as Stripe takes
        raise ApiError("The amount must be above nought and at most eight digits.", code="amount_too_large")
    if total % currency.charge_step:
        raise ApiError(f"Invalid amount for {currency}: parts it is not paid in.", param="amount")
    if total < currency.least_charge:
        raise ApiError(
            f"The Checkout Session's total amount due must add up to at least {currency.least_charge} "
            f"{currency.code.lower()} in minor units",
            code="amount_too_small",
        )


def _line(item: Body, index: int) -> Body:
    price = item.get("price_data")
    at = f"line_items[{index}]"
    if not price or "unit_amount" not in price or "product_data" not in price:
        raise ApiError(
            "This sandbox needs price_data with unit_amount and product_data.", code="parameter_missing", param=at
        )
    quantity = item.get("quantity", 1)
    if price["unit_amount"] < 0 or quantity < 1:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=f"{at}[price_data]")
    product = price["product_data"]
    if not product.get("name"):
        raise ApiError(
            "Missing required param", code="parameter_missing", param=f"{at}[price_data][product_data][name]"
        )
    return {
        "name": product["name"],
        "description": product.get("description", ""),
        "currency": price["currency"],
        "quantity": quantity,
        "amount": price["unit_amount"] * quantity,
    }


def _fee(amount: int, currency: Currency) -> int:
    """1.5 % and a quarter of the main unit, rounded half up, never more than the amount."""
    share = (amount * FEE_PER_THOUSAND * 2 + 1000) // 2000
    return min(amount, share + FEE_CENTS * int(10**currency.exponent) // 100)


def _session_body(params: Body, currency: Currency, total: int, now: int) -> Body:
    return {
        "after_expiration": None, "allow_promotion_codes": None, "amount_subtotal": total, "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None, "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"), "created": now,
        "currency": currency.code.lower(), "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None,
                        "terms_of_service_acceptance": None},
        "customer": None, "customer_creation": "if_required",
        "customer_details": None, "customer_email": params.get("customer_email"),
        "expires_at": params.get("expires_at", now + SESSION_SECONDS), "invoice": None, "livemode": False,
        "locale": params.get("locale"), "metadata": params.get("metadata") or {}, "mode": "payment",
        "origin_context": None, "payment_intent": None, "payment_link": None,
        "payment_method_collection": "if_required", "payment_method_types": ["card"], "payment_status": "unpaid",
        "redirect_on_completion": "always", "setup_intent": None, "shipping_options": [], "status": "open",
        "submit_type": None, "subscription": None, "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page", "url": None,
    }  # fmt: skip


def _intent_body(session: Body, data: Body) -> Body:
    return {
        "amount": session["amount_total"], "amount_capturable": 0, "amount_received": 0, "application": None,
        "cancellation_reason": None, "capture_method": "automatic", "confirmation_method": "automatic",
        "created": int(time.time()), "currency": session["currency"], "customer": None,
        "description": data.get("description"), "latest_charge": None, "livemode": False,
        "metadata": data.get("metadata") or {}, "on_behalf_of": None, "payment_method": None,
        "payment_method_types": ["card"], "payment_record": None, "receipt_email": None, "review": None,
        "setup_future_usage": None, "source": None, "status": "processing",
        "transfer_group": data.get("transfer_group"),
    }  # fmt: skip


def _charge_body(session: Body, intent: Body) -> Body:
    details = {"address": None, "email": session["customer_email"], "name": None, "phone": None, "tax_id": None}
    card = {"brand": "visa", "country": "DE", "last4": "4242"}
    return {
        "amount": intent["amount"], "amount_captured": intent["amount"], "amount_refunded": 0, "application": None,
        "application_fee": None, "balance_transaction": None, "billing_details": details, "captured": True,
        "created": int(time.time()), "currency": intent["currency"], "customer": None, "description": None,
        "disputed": False, "failure_balance_transaction": None, "failure_code": None, "failure_message": None,
        "livemode": False, "metadata": intent["metadata"], "on_behalf_of": None, "paid": True,
        "payment_intent": intent["id"], "payment_method": None,
        "payment_method_details": {"card": card, "type": "card"}, "refunded": False, "review": None, "source": None,
        "source_transfer": None, "status": "succeeded", "transfer": None, "transfer_group": intent["transfer_group"],
    }  # fmt: skip


def _refund_body(charge: Body, amount: int, params: Body) -> Body:
    return {
        "amount": amount, "balance_transaction": None, "charge": charge["id"], "created": int(time.time()),
        "currency": charge["currency"], "customer": None, "failure_balance_transaction": None,
        "metadata": params.get("metadata") or {},
        "payment_intent": charge["payment_intent"], "payment_method": None, "pending_reason": None,
        "reason": params.get("reason"), "receipt_number": None, "source_transfer_reversal": None,
        "status": "succeeded", "transfer_reversal": None,
    }  # fmt: skip


def _account_body(params: Body, *, transfers: bool) -> Body:
    return {
        "business_profile": {"name": (params.get("business_profile") or {}).get("name")},
        "business_type": params.get("business_type"),
        "capabilities": {"transfers": "inactive"} if transfers else {},
        "charges_enabled": False, "country": params.get("country"), "created": int(time.time()),
        "default_currency": "eur", "details_submitted": False, "email": params.get("email"),
        "metadata": params.get("metadata") or {}, "payouts_enabled": False, "type": params["type"],
    }  # fmt: skip


def _transfer_body(params: Body, amount: int, currency: Currency) -> Body:
    return {
        "amount": amount, "amount_reversed": 0, "balance_transaction": None, "created": int(time.time()),
        "currency": currency.code.lower(), "description": params.get("description"),
        "destination": params["destination"], "destination_payment": None, "livemode": False,
        "metadata": params.get("metadata") or {},
        "reversals": {"object": "list", "data": [], "has_more": False, "url": ""}, "reversed": False,
        "source_transaction": params.get("source_transaction"), "source_type": params.get("source_type", "card"),
        "transfer_group": params.get("transfer_group"),
    }  # fmt: skip


def expand(state: State, body: Any, paths: list[str]) -> Any:
    """Replace ids by their objects along `expand` paths such as `latest_charge.balance_transaction`."""
    for path in paths:
        body = _expand_one(state, body, path.split("."))
    return body


EXPANDABLE = {
    "latest_charge": "charge", "charge": "charge", "balance_transaction": "balance_transaction",
    "payment_intent": "payment_intent", "destination": "account",
}  # fmt: skip


def _expand_one(state: State, body: Any, path: list[str]) -> Any:
    if not path or body is None:
        return body
    if isinstance(body, list):
        return [_expand_one(state, one, path) for one in body]
    name = path[0]
    if name not in body:
        raise ApiError(f"This property cannot be expanded ({name}).", param="expand")
    value = body[name]
    if isinstance(value, str):
        if name not in EXPANDABLE:
            raise ApiError(f"This property cannot be expanded ({name}).", param="expand")
        value = state.get(EXPANDABLE[name], value)
    return {**body, name: _expand_one(state, value, path[1:])}
