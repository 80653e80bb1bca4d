"""The platform's balance as Stripe keeps it: each movement is a balance transaction, and nothing moves without one."""

from collections.abc import Mapping, Sequence

from payments.money import Currency
from payments.sandbox.errors import ApiError
from payments.sandbox.state import Body, State

MOST = 100  # rows of a page, as at Stripe


def book(
    state: State, amount: int, currency: Currency, *, kind: str, source: str, fee: int = 0, about: str = ""
) -> Body:
    """Move `amount` less `fee` and keep the balance transaction that says so. `about` is the reporting category."""
    code = currency.code.lower()
    state.move(code, amount - fee)
    details = {"amount": fee, "application": None, "currency": code, "description": "Sandbox fee", "type": "stripe_fee"}
    return state.add(
        "balance_transaction",
        "txn",
        {
            "amount": amount, "available_on": int(state.now()), "balance_type": "payments", "created": 0,
            "currency": code, "description": None, "exchange_rate": None, "fee": fee,
            "fee_details": [details] if fee else [], "net": amount - fee, "reporting_category": about or kind,
            "source": source, "status": "available", "type": kind,
        },
    )  # fmt: skip


class Balances:
    """The calls that read the books."""

    def __init__(self, state: State) -> None:
        self._state = state

    def read(self) -> Body:
        funds = [{"amount": amount, "currency": code, "source_types": {"card": amount}}
                 for code, amount in self._state.balances(account=self._state.acting_for).items()]  # fmt: skip
        nothing = [{"amount": 0, "currency": fund["currency"], "source_types": {"card": 0}} for fund in funds]
        return {"object": "balance", "available": funds, "pending": nothing, "livemode": False}

    def read_one(self, key: str) -> Body:
        return self._state.get("balance_transaction", key)

    def list_all(self, params: Body) -> Body:
        filters = ("type", "source", "currency")
        return listed(self._state, "balance_transaction", "/v1/balance_transactions", params, filters=filters)


def listed(
    state: State,
    kind: str,
    url: str,
    params: Body,
    *,
    filters: Sequence[str] = (),
    one_of: Mapping[str, Sequence[str]] | None = None,
) -> Body:
    """One page of a list, newest first, as Stripe gives it."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= MOST:
        raise ApiError("limit must be between 1 and 100", param="limit")
    wanted = {name: [params[name]] for name in filters if name in params} | dict(one_of or {})
    created = params.get("created") or {}
    bounds = created if isinstance(created, dict) else {"gte": created, "lte": created}
    data, more = state.find(kind, where=wanted, created=bounds, limit=limit, after=params.get("starting_after", ""))
    return {"object": "list", "data": data, "has_more": more, "url": url}
