"""What the shop refuses, each with a stable code, a sentence that says what to do, and the HTTP status it becomes."""


class StoreError(Exception):
    """Base of every refusal of the shop. Clients and tests match `code`; people read the message."""

    code = "STORE"
    status = 400

    def __init__(self, message: str, **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class NotOnSale(StoreError):
    """The offer is closed, or not cleared for this buyer's country."""

    code = "NOT_ON_SALE"
    status = 409


class RateMissing(NotOnSale):
    """What the works of a recording are owed for a copy is not known, so no copy is sold."""

    code = "RATE_MISSING"


class PriceTooLow(NotOnSale):
    """The royalty of the works and the commission are more than the price without tax."""

    code = "PRICE_TOO_LOW"


class BasketEmpty(StoreError):
    code = "BASKET_EMPTY"
    status = 409


class BasketMixed(StoreError):
    """Offers of several currencies cannot be paid in one order."""

    code = "BASKET_MIXED"
    status = 409


class AmountRefused(StoreError):
    """A price that is too low, too high, or that the currency cannot say."""

    code = "AMOUNT_REFUSED"
    status = 422


class PriceChanged(StoreError):
    """What the buyer saw is no longer what it would cost: she is shown the new sum before she pays."""

    code = "PRICE_CHANGED"
    status = 409


class CodeRefused(StoreError):
    """A code that is unknown, over, used up, or for something else."""

    code = "CODE_REFUSED"
    status = 422


class GiftRefused(StoreError):
    """A gift that was claimed, taken back, or that this link does not lead to."""

    code = "GIFT_REFUSED"
    status = 409


class CountryUnknown(StoreError):
    code = "COUNTRY_UNKNOWN"


class ConsentMissing(StoreError):
    """Downloads start at once only with the buyer's express consent to lose the right of withdrawal."""

    code = "CONSENT_MISSING"


class RequestConflict(StoreError):
    """The same request key came with something else; the first request stands."""

    code = "REQUEST_CONFLICT"
    status = 409


class TaxRateMissing(StoreError):
    code = "TAX_RATE_MISSING"
    status = 409


class TaxRateUnverified(StoreError):
    """Nobody vouches for the rate of a country: `manage.py tax confirm` does."""

    code = "TAX_RATE_UNVERIFIED"
    status = 409


class ExchangeRateMissing(StoreError):
    """A return needs a day's exchange rate that the operator has not brought."""

    code = "EXCHANGE_RATE_MISSING"
    status = 409


class RatesRefused(StoreError):
    """A table of exchange rates cannot be read, or says another rate than the one that is here."""

    code = "RATES_REFUSED"
    status = 422


class ReturnRefused(StoreError):
    """Papers and ledger do not agree, or a paper is still to be written: there is no tax return yet."""

    code = "RETURN_REFUSED"
    status = 409


class VatIdRefused(StoreError):
    """A number that is none, of another country, not valid, or that cannot be asked about now."""

    code = "VAT_ID_REFUSED"
    status = 422


class LocationUnclear(StoreError):
    """The buyer's connection comes from elsewhere than she says she lives: she is asked to confirm it."""

    code = "LOCATION_UNCLEAR"
    status = 422


class ChargeMismatch(StoreError):
    """What Stripe says was paid is not what the order asks; nothing is delivered and an alert is kept."""

    code = "CHARGE_MISMATCH"
    status = 409


class NotOwned(StoreError):
    """Foreign and nonexistent look the same to the asker."""

    code = "NOT_OWNED"
    status = 404


class FormatUnknown(StoreError):
    code = "FORMAT_UNKNOWN"
    status = 404


class NotReadyYet(StoreError):
    """The file is being made; ask again soon."""

    code = "NOT_READY_YET"
    status = 409


class LinkRefused(StoreError):
    """A download link that is expired, altered, foreign, refunded, or made for something else."""

    code = "LINK_REFUSED"
    status = 404


class Recalled(StoreError):
    """The rights were void: nobody may fetch it any more, and the buyer gets the money back."""

    code = "RECALLED"
    status = 410


class RedownloadOver(StoreError):
    """The licence ended, and its agreement lets past buyers fetch their copies no longer."""

    code = "REDOWNLOAD_OVER"
    status = 410


class DemandRefused(StoreError):
    """A report from outside that cannot be taken: too many, an old link, or dealt with before."""

    code = "DEMAND_REFUSED"
    status = 422


class NotAllowed(StoreError):
    code = "NOT_ALLOWED"
    status = 403


class SecondFactorMissing(StoreError):
    """Deciding takes more than a password. `data["page"]` names the page where the person can mend that."""

    code = "SECOND_FACTOR"
    status = 403


class RefundRefused(StoreError):
    code = "REFUND_REFUSED"
    status = 409


class CreditRefused(StoreError):
    """Credit that cannot be bought, redeemed, spent or given back; the message says what can."""

    code = "CREDIT_REFUSED"
    status = 409


class LetterRefused(StoreError):
    code = "LETTER_REFUSED"
    status = 409


class ContractRefused(StoreError):
    """What was agreed about commission or an advance cannot stand as it was said."""

    code = "CONTRACT_REFUSED"
    status = 409


class RecordRefused(StoreError):
    """The label may not change this record so, or there is nothing to change."""

    code = "RECORD_REFUSED"


class ImportRefused(StoreError):
    """A table of records cannot be read or applied as it is."""

    code = "IMPORT_REFUSED"


class NoHeadYet(StoreError):
    """No head of the ledger was signed yet that a slice could be held against."""

    code = "NO_HEAD_YET"
    status = 409


class OrderStateError(StoreError):
    """The order or line is not in a state in which this can be done."""

    code = "ORDER_STATE"
    status = 409


class StartOutside(StoreError):
    """A preview cannot begin where there is no sound."""

    code = "START_OUTSIDE"
    status = 422
