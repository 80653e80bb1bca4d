"""The shop's own rows: people, prices, offers, orders, what was bought, and who is paid on whose behalf.

Amounts called `…_minor` are whole numbers of the currency's minor unit as a buyer pays it; a split's `micros` are
millionths of the main unit, as in the ledger. The promises that no route may break (an offer or an order line only
with a decision that says yes, money fields that never move) are triggers in migration 0002.
"""

from store.models.codes import Code, Redemption
from store.models.columns import MOST_MINOR
from store.models.credit import CreditPurchase, CreditRefund, GiftCard
from store.models.deliveries import Delivery, DeliveryLine, RecordImport
from store.models.desk import Demand, EvidencePage, EvidencePages, ExpiryLook, ExpiryWarning, Letter, SavedReason
from store.models.gifts import Gift
from store.models.invoices import ExchangeRate, Invoice, InvoiceDue, InvoiceSeries
from store.models.money import (
    Advance,
    CommissionContract,
    HeldShare,
    LetterOfDirection,
    Recoupment,
    Reserve,
)
from store.models.offers import ListPrice, Offer, Price, ReviewDue, Shelf, WideReview
from store.models.orders import Basket, BasketLine, Download, Order, OrderLine, OrderLineTrack, RefundCase
from store.models.people import Membership, User, UserManager
from store.models.proof import Certificate, SignedHead, SigningKey
from store.models.returns import LineChargeback, LineRefund
from store.models.tax import RateConfirmation, VatCheck

__all__ = [
    "MOST_MINOR",
    "Advance",
    "Basket",
    "BasketLine",
    "Certificate",
    "Code",
    "CommissionContract",
    "CreditPurchase",
    "CreditRefund",
    "Delivery",
    "DeliveryLine",
    "Demand",
    "Download",
    "EvidencePage",
    "EvidencePages",
    "ExchangeRate",
    "ExpiryLook",
    "ExpiryWarning",
    "Gift",
    "GiftCard",
    "HeldShare",
    "Invoice",
    "InvoiceDue",
    "InvoiceSeries",
    "Letter",
    "LetterOfDirection",
    "LineChargeback",
    "LineRefund",
    "ListPrice",
    "Membership",
    "Offer",
    "Order",
    "OrderLine",
    "OrderLineTrack",
    "Price",
    "RateConfirmation",
    "RecordImport",
    "Recoupment",
    "Redemption",
    "RefundCase",
    "Reserve",
    "ReviewDue",
    "SavedReason",
    "Shelf",
    "SignedHead",
    "SigningKey",
    "User",
    "UserManager",
    "VatCheck",
    "WideReview",
]
