"""The calls we make, each as Stripe answers it. A call gets checked parameters and returns the object's body.

Funds are available at once, a payment costs 1.5 % and 25 cents, an Express account can receive once its owner has gone
through the onboarding page. Everything else follows Stripe's reference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from payments.errors import CurrencyError
from payments.money import Currency
from payments.sandbox import bodies, taxes
from payments.sandbox.balances import book, listed
from payments.sandbox.chargebacks import charge_is_refundable
from payments.sandbox.errors import ApiError, missing
from payments.sandbox.state import Body, State

FEE_PER_THOUSAND = 15
FEE_CENTS = 25
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
        taxes.check(params)
        if not str(params.get("success_url", "")).startswith(("http://", "https://")):
            raise ApiError("Not a valid URL", code="url_invalid", param="success_url")
        now = int(self.state.now())
        body = bodies.session(params, currency, total, now)
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
        if session["status"] == "open" and session["expires_at"] <= self.state.now():
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
        session = self._taxed(session)
        intent = self._intent(session)
        charge = self.state.add("charge", "ch", bodies.charge(session, intent, method=bodies.CARD))
        session = self._paid(session, intent, charge)
        self.state.emit("checkout.session.completed", session)
        return session

    def pay_later(self, key: str) -> Body:
        """The buyer orders her bank to pay: the page is complete, and the money is on its way for days."""
        session = self.read_session(key)
        if session["status"] != "open":
            return session
        session = self._taxed(session)
        intent = self._intent(session)
        charge = self.state.add("charge", "py", bodies.charge(session, intent, method=bodies.BANK_DEBIT))
        intent = self.state.change(
            intent, status="processing", latest_charge=charge["id"], payment_method_types=["sepa_debit"]
        )
        session = self.state.change(session, status="complete", payment_intent=intent["id"], url=None)
        self.state.emit("payment_intent.processing", intent)
        self.state.emit("charge.pending", charge)
        self.state.emit("checkout.session.completed", session)
        return session

    def _taxed(self, session: Body) -> Body:
        """The buyer has given her address: Stripe Tax reckons, where the page asked for it."""
        hidden = self.state.hidden(session["id"])
        return self.state.change(session, **taxes.reckoned(session, hidden["lines"], hidden.get("address", taxes.HOME)))

    def live_in(self, key: str, country: str) -> None:
        """The buyer gives an address in this country on the page; until then she lives where its card is from."""
        self.state.hide(key, address=country)

    def list_line_items(self, key: str, params: Body) -> Body:
        session = self.read_session(key)
        hidden = self.state.hidden(key)
        rows = taxes.items(session, hidden["lines"], hidden.get("address", taxes.HOME))
        return {"object": "list", "data": rows[: params.get("limit", 10)], "has_more": False,
                "url": f"/v1/checkout/sessions/{key}/line_items"}  # fmt: skip

    def arrive(self, key: str) -> Body:
        """The bank pays what was on its way."""
        session, intent = self._on_its_way(key)
        if intent is None:
            return session
        charge = self.state.change(self.state.get("charge", intent["latest_charge"]), status="succeeded", paid=True)
        session = self._paid(session, intent, charge)
        self.state.emit("checkout.session.async_payment_succeeded", session)
        return session

    def bounce(self, key: str) -> Body:
        """The bank says no to what was on its way."""
        session, intent = self._on_its_way(key)
        if intent is None:
            return session
        charge = self.state.change(
            self.state.get("charge", intent["latest_charge"]), status="failed", failure_code="insufficient_funds",
            failure_message="The customer's account has insufficient funds to cover this payment.",
        )  # fmt: skip
        intent = self.state.change(intent, status="requires_payment_method")
        self.state.emit("payment_intent.payment_failed", intent)
        self.state.emit("charge.failed", charge)
        self.state.emit("checkout.session.async_payment_failed", session)
        return session

    def _on_its_way(self, key: str) -> tuple[Body, Body | None]:
        session = self.read_session(key)
        intent = self.state.get("payment_intent", session["payment_intent"]) if session["payment_intent"] else None
        return session, intent if intent and intent["status"] == "processing" else None

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
        return self.state.add("payment_intent", "pi", bodies.intent(session, data))

    def _paid(self, session: Body, intent: Body, charge: Body) -> Body:
        """The money is there: fee, balance and the events that say so."""
        currency = Currency(charge["currency"].upper())
        fee = _fee(charge["amount"], currency)
        entry = book(self.state, charge["amount"], currency, kind="charge", source=charge["id"], fee=fee)
        charge = self.state.change(charge, balance_transaction=entry["id"])
        intent = self.state.change(
            intent, status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"]
        )
        self.state.emit("payment_intent.succeeded", intent)
        self.state.emit("charge.succeeded", charge)
        return self.state.change(
            session, status="complete", payment_status="paid", payment_intent=intent["id"], url=None
        )

    def read_intent(self, key: str) -> Body:
        return self.state.get("payment_intent", key)

    def read_charge(self, key: str) -> Body:
        return self.state.get("charge", key)

    def create_refund(self, params: Body) -> Body:
        charge = self._refunded_charge(params)
        if charge["disputed"] and not charge_is_refundable(self.state, charge):
            raise ApiError(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )
        left = charge["amount"] - charge["amount_refunded"]
        amount = params.get("amount", left)
        if left == 0:
            raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if not 0 < amount <= left:
            raise ApiError(
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
            )
        currency = Currency(charge["currency"].upper())
        refund = self.state.add("refund", "re", bodies.refund(charge, amount, params))
        balance = book(self.state, -amount, currency, kind="refund", source=refund["id"])
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

    def finish_refund(self, key: str) -> Body:
        """What was on its way to a bank account has come there."""
        refund = self.state.change(self.state.get("refund", key), status="succeeded")
        self.state.emit("refund.updated", refund)
        return refund

    def fail_refund(self, key: str) -> Body:
        """The buyer's bank sends it back: the account is closed, say. The money returns to the balance."""
        refund = self.state.get("refund", key)
        charge = self.state.get("charge", refund["charge"])
        currency = Currency(refund["currency"].upper())
        entry = book(self.state, refund["amount"], currency, kind="refund_failure", source=key)
        refund = self.state.change(
            refund, status="failed", failure_reason="lost_or_stolen_card", failure_balance_transaction=entry["id"]
        )
        self.state.change(charge, amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
        self.state.emit("refund.failed", refund)
        self.state.emit("charge.refund.updated", refund)
        return refund

    def read_refund(self, key: str) -> Body:
        return self.state.get("refund", key)

    def list_refunds(self, params: Body) -> Body:
        return listed(self.state, "refund", "/v1/refunds", params, filters=("payment_intent", "charge"))

    def create_account(self, params: Body) -> Body:
        if params.get("type") not in {"express", "custom", "standard"}:
            raise ApiError("This sandbox makes accounts by `type`.", param="type")
        asked = (params.get("capabilities") or {}).get("transfers") or {}
        account = self.state.add("account", "acct", bodies.account(params, transfers=bool(asked.get("requested"))))
        self.state.emit("account.updated", account, account=account["id"])
        return account

    def read_account(self, key: str) -> Body:
        return self.state.get("account", key)

    def create_account_link(self, params: Body) -> Body:
        account = self.state.get("account", params["account"])
        if params["type"] == "account_onboarding" and not (params.get("refresh_url") and params.get("return_url")):
            raise ApiError("Missing required param: return_url.", code="parameter_missing", param="return_url")
        now = int(self.state.now())
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
            requirements=bodies.requirements([]),
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
        transfer = self.state.add("transfer", "tr", bodies.transfer(params, amount, currency))
        balance = book(self.state, -amount, currency, kind="transfer", source=transfer["id"])
        transfer = self.state.change(transfer, balance_transaction=balance["id"])
        self.state.move(currency.code.lower(), amount, account=account["id"])
        transfer["reversals"]["url"] = f"/v1/transfers/{transfer['id']}/reversals"
        transfer = self.state.change(transfer)
        self.state.emit("transfer.created", transfer)
        return transfer

    def create_reversal(self, key: str, params: Body) -> Body:
        """Take a transfer back, as far as the connected account still has the money."""
        transfer = self.state.get("transfer", key)
        left = transfer["amount"] - transfer["amount_reversed"]
        amount = params.get("amount", left)
        if not 0 < amount <= left:
            raise ApiError(f"Reversal amount ({amount}) is greater than what is left ({left}).", param="amount")
        code, account = transfer["currency"], transfer["destination"]
        if self.state.balance(code, account=account) < amount:
            raise ApiError(
                "Insufficient funds in the destination account to reverse this transfer.", code="balance_insufficient"
            )
        reversal = self.state.add("transfer_reversal", "trr", bodies.reversal(transfer, amount, params))
        self.state.move(code, -amount, account=account)
        entry = book(self.state, amount, Currency(code.upper()), kind="transfer_refund", source=reversal["id"])
        reversal = self.state.change(reversal, balance_transaction=entry["id"])
        gone = transfer["amount_reversed"] + amount
        reversals = {**transfer["reversals"], "data": [reversal, *transfer["reversals"]["data"]]}
        transfer = self.state.change(
            transfer, amount_reversed=gone, reversed=gone == transfer["amount"], reversals=reversals
        )
        self.state.emit("transfer.reversed", transfer)
        return reversal

    def spend(self, account: str, amount: int, currency: str = "eur") -> None:
        """The payee has its money paid to its bank: it is no longer on the connected account."""
        self.state.move(currency, -amount, account=account)

    def read_transfer(self, key: str) -> Body:
        return self.state.get("transfer", key)

    def list_transfers(self, params: Body) -> Body:
        return listed(self.state, "transfer", "/v1/transfers", params, filters=("transfer_group", "destination"))

    def read_event(self, key: str) -> Body:
        return self.state.get("event", key)

    def list_events(self, params: Body) -> Body:
        types = params.get("types") or ([params["type"]] if "type" in params else [])
        return listed(self.state, "event", "/v1/events", params, one_of={"type": types} if types else {})


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


def expand(state: State, body: Any, paths: list[str]) -> Any:
    """Replace ids by their objects along `expand` paths such as `latest_charge.balance_transaction`."""
    for path in paths:
        body = _expand_one(state, body, path.split("."))
    return body


EXPANDABLE = {
    "latest_charge": "charge", "charge": "charge", "balance_transaction": "balance_transaction",
    "payment_intent": "payment_intent", "destination": "account",
}  # fmt: skip
SOURCES = {"ch": "charge", "re": "refund", "tr": "transfer", "trr": "transfer_reversal", "du": "dispute",
           "po": "payout"}  # fmt: skip
"""What a balance transaction may be for, by how its id begins."""


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
        kind = SOURCES.get(value.partition("_")[0]) if name == "source" else EXPANDABLE.get(name)
        if kind is None:
            raise ApiError(f"This property cannot be expanded ({name}).", param="expand")
        value = state.get(kind, value)
    return {**body, name: _expand_one(state, value, path[1:])}
