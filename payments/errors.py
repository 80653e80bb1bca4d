"""What payments refuses. Each has a stable `code` that tests and clients match, and a message that says what to do."""


class PaymentsError(Exception):
    code = "PAYMENTS_ERROR"


class CurrencyError(PaymentsError):
    """A currency or an amount that cannot be: unknown code, parts of a minor unit, two currencies in one sum."""

    code = "CURRENCY_ERROR"


class SplitError(PaymentsError):
    """Weights that cannot divide an amount."""

    code = "SPLIT_ERROR"


class LedgerError(PaymentsError):
    code = "LEDGER_ERROR"


class LedgerConflict(LedgerError):
    """The reference was posted before, with something else under it."""

    code = "LEDGER_CONFLICT"


class LedgerOutsideTransaction(LedgerError):
    """`ledger.post` was called where nothing holds it together with the rows it belongs to."""

    code = "LEDGER_OUTSIDE_TRANSACTION"


class LedgerRefused(LedgerError):
    """Legs that cannot be posted: too few, crooked, an amount out of bounds, an account in another currency."""

    code = "LEDGER_REFUSED"


class LedgerClosed(LedgerRefused):
    """The time of the posting lies in a period that is closed: post it with the present time."""

    code = "LEDGER_CLOSED"


class ChargeConflict(PaymentsError):
    """The reference was charged before, with another amount."""

    code = "CHARGE_CONFLICT"


class ChargeMismatch(PaymentsError):
    """Stripe took another amount or currency than was asked, or names another charge: nothing may be delivered."""

    code = "CHARGE_MISMATCH"


class ChargebackMismatch(PaymentsError):
    """A chargeback that cannot be posted as it is: another currency, or only a part of the money put back."""

    code = "CHARGEBACK_MISMATCH"


class RefundRefused(PaymentsError):
    """More than was paid, or nothing was paid."""

    code = "REFUND_REFUSED"


class CreditTooLow(PaymentsError):
    """A wallet does not hold what is to be taken from it."""

    code = "CREDIT_TOO_LOW"


class EventRefused(PaymentsError):
    """A webhook that Stripe did not sign, or not now; nothing of it is kept."""

    code = "EVENT_REFUSED"


class EventForeign(EventRefused):
    """Signed with our secret and yet not ours: of the other mode, or of an account that is none of our payees'."""

    code = "EVENT_FOREIGN"


class AlertError(PaymentsError):
    """An alert that cannot be closed so: it was closed before, or nothing is said of what came of it."""

    code = "ALERT_ERROR"


class PayeeNotReady(PaymentsError):
    code = "PAYEE_NOT_READY"


class PayoutError(PaymentsError):
    code = "PAYOUT_ERROR"


class StatementError(PaymentsError):
    code = "STATEMENT_ERROR"


class TaxFormRefused(PaymentsError):
    """A form that cannot be: of another country, or over before it begins."""

    code = "TAX_FORM_REFUSED"


class BankRefused(PaymentsError):
    """Bank details that no bank would take, or a payout that is not in the state the act needs."""

    code = "BANK_REFUSED"


class ReconcileError(PaymentsError):
    """A day that is not over, or a difference explained without a reason or twice."""

    code = "RECONCILE_ERROR"


class StripeFailed(PaymentsError):
    """Stripe did not do what was asked.

    `retriable` says whether asking again can help; `stripe_code` is Stripe's own word, where it gave one. A `saved`
    failure is replayed for a day under the same idempotency key: look what was done, then ask under another key.
    """

    code = "STRIPE_FAILED"

    def __init__(self, message: str, *, retriable: bool, stripe_code: str = "", saved: bool = False) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.stripe_code = stripe_code
        self.saved = saved
