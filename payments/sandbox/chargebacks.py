"""What a buyer starts at her bank, Stripe's disputes: opened, answered, won, lost, and the money that moves."""

from payments.money import Currency
from payments.sandbox import bodies
from payments.sandbox.balances import book, listed
from payments.sandbox.errors import ApiError
from payments.sandbox.state import Body, State

FEE_CENTS = 1500
ANSWER_SECONDS = 7 * 24 * 3600
CLOSED = {"won", "lost", "warning_closed", "prevented"}


class Chargebacks:
    """The calls about disputes, and what buyer and bank do."""

    def __init__(self, state: State) -> None:
        self._state = state

    def open(
        self, charge_id: str, *, amount: int | None = None, reason: str = "fraudulent", inquiry: bool = False
    ) -> Body:
        """The buyer complains. An inquiry takes no money yet; a dispute takes it at once, and a fee."""
        charge = self._state.get("charge", charge_id)
        if not charge["paid"] or charge["disputed"]:
            raise ApiError("There is no payment here that could be disputed, or it already is.", param="charge")
        amount = charge["amount"] if amount is None else amount
        if not 0 < amount <= charge["amount"]:
            raise ApiError("No more than was paid can be disputed.", param="amount")
        status = "warning_needs_response" if inquiry else "needs_response"
        dispute = self._state.add("dispute", "du", bodies.dispute(charge, amount, reason=reason, status=status))
        details = dispute["evidence_details"] | {"due_by": int(self._state.now()) + ANSWER_SECONDS}
        dispute = self._state.change(dispute, evidence_details=details)
        self._state.change(charge, disputed=True)
        self._state.emit("charge.dispute.created", dispute)
        return dispute if inquiry else self._take(dispute)

    def escalate(self, key: str) -> Body:
        """The bank makes an inquiry a dispute: now the money goes."""
        dispute = self._state.get("dispute", key)
        if not dispute["status"].startswith("warning"):
            return dispute
        dispute = self._state.change(dispute, status="needs_response", is_charge_refundable=False)
        self._state.emit("charge.dispute.updated", dispute)
        return self._take(dispute)

    def _take(self, dispute: Body) -> Body:
        currency = Currency(dispute["currency"].upper())
        fee = FEE_CENTS * 10**currency.exponent // 100
        entry = book(
            self._state, -dispute["amount"], currency, kind="adjustment", source=dispute["id"], fee=fee, about="dispute"
        )
        dispute = self._state.change(dispute, balance_transactions=[entry])
        self._state.emit("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def win(self, key: str) -> Body:
        """The bank finds for the shop: the money comes back, the fee does not."""
        dispute = self._state.get("dispute", key)
        if dispute["status"] in CLOSED:
            return dispute
        if not dispute["balance_transactions"]:
            return self._close(dispute, "warning_closed")
        currency = Currency(dispute["currency"].upper())
        entry = book(
            self._state, dispute["amount"], currency, kind="adjustment", source=dispute["id"], about="dispute_reversal"
        )
        dispute = self._state.change(dispute, balance_transactions=[*dispute["balance_transactions"], entry])
        self._state.emit("charge.dispute.funds_reinstated", dispute)
        return self._close(dispute, "won")

    def lose(self, key: str) -> Body:
        dispute = self._state.get("dispute", key)
        return dispute if dispute["status"] in CLOSED else self._close(dispute, "lost")

    def _close(self, dispute: Body, status: str) -> Body:
        dispute = self._state.change(dispute, status=status)
        self._state.emit("charge.dispute.closed", dispute)
        return dispute

    def read(self, key: str) -> Body:
        return self._state.get("dispute", key)

    def list_all(self, params: Body) -> Body:
        return listed(self._state, "dispute", "/v1/disputes", params, filters=("charge", "payment_intent"))

    def answer(self, key: str, params: Body) -> Body:
        """The shop hands in evidence; with `submit` it goes to the bank."""
        dispute = self._state.get("dispute", key)
        if dispute["status"] in CLOSED:
            raise ApiError("This dispute is closed.", param="evidence")
        given = {name: value for name, value in (params.get("evidence") or {}).items() if value}
        details = dispute["evidence_details"] | {"has_evidence": bool(given)}
        status = dispute["status"]
        if params.get("submit", True):
            status = "warning_under_review" if status.startswith("warning") else "under_review"
            details["submission_count"] += 1
        evidence = dispute["evidence"] | given
        dispute = self._state.change(dispute, status=status, evidence=evidence, evidence_details=details)
        self._state.emit("charge.dispute.updated", dispute)
        return dispute

    def accept(self, key: str) -> Body:
        """The shop does not fight: the dispute is lost."""
        return self.lose(key)


def charge_is_refundable(state: State, charge: Body) -> bool:
    """Whether a disputed charge may be refunded all the same: while it is only asked about, or once it was won."""
    found, _ = state.find("dispute", where={"charge": [charge["id"]]}, limit=1)
    return not found or found[0]["status"] == "won" or found[0]["status"].startswith("warning")
