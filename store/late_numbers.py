"""VAT numbers that VIES confirms after the sale: the business paid the tax, because VIES was silent, and gets it back.

The order stays as it was agreed. The tax of each line that is still whole goes back to the buyer out of the tax
account; a credit note takes the invoice back, and another invoices the same sale with a reverse charge (`invoices`).
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from store import businesses, locations, refunds
from store.errors import VatIdRefused
from store.models import LineRefund, Order, OrderLine, VatCheck

ASK_EVERY = timedelta(hours=6)
ASK_FOR = timedelta(days=60)  # after that only people ask
State = VatCheck.State


def waiting() -> QuerySet[Order]:
    """Orders of businesses that paid tax because VIES was silent, and have not got it back; the latest first."""
    back = LineRefund.objects.filter(line__order=OuterRef("pk"), vat_check__isnull=False)
    whole = OrderLine.objects.filter(
        order=OuterRef("pk"), state=OrderLine.State.PAID, returned_minor=0, tax_minor__gt=0
    )
    found = Order.objects.filter(Exists(whole), ~Exists(back), state=Order.State.PAID, reverse_charge=False)
    home = [code for code in locations.UNION if locations.same(code, settings.SELLER_COUNTRY)]
    found = found.filter(vat_check__state=State.UNANSWERED).exclude(country__in=home)
    return found.select_related("vat_check", "buyer").order_by("-paid_at", "-pk")


def due(*, at: datetime) -> QuerySet[Order]:
    """Those to ask VIES about now: neither answered since, nor asked in the last hours."""
    same = VatCheck.objects.filter(buyer=OuterRef("buyer"), vat_id=OuterRef("vat_check__vat_id"))
    lately, refused = same.filter(asked_at__gt=at - ASK_EVERY), same.filter(state=State.INVALID)
    asked = Exists(lately) | Exists(refused.filter(asked_at__gt=OuterRef("placed_at")))
    return waiting().filter(~Q(asked), paid_at__gt=at - ASK_FOR)


def ask_again(order: Order, *, actor: str, at: datetime) -> VatCheck:
    """Ask VIES once more about an order's number, keep the answer, and give the tax back where it is a plain yes.

    Raises VatIdRefused where the order does not wait for that; RefundRefused and StripeFailed as `refunds.refund_tax`.
    """
    row = waiting().filter(pk=order.pk).first()
    if row is None or row.vat_check is None:
        raise VatIdRefused("This order does not wait for VIES: its tax was given back, or was never in doubt.")
    check = businesses.ask(row.vat_check, at=at)
    if businesses.reverses(check):
        refunds.refund_tax(row, check=check, actor=actor, at=at)
    return check
