"""Letters to buyers, in plain text. A letter that is owed is a mark on the order; sending it twice is worse than late,
so the mark is taken before the letter goes and put back where the mail server refuses it."""

import logging
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from licensing.licences import asked_at
from payments.money import Money
from store import certificates, credit, invoices, papers
from store.models import Invoice, Order, OrderLine

log = logging.getLogger(__name__)


def send_receipt(order: Order, *, at: datetime) -> bool:
    """Send the receipt of a paid order once, with its invoice; false where it was sent, is not paid, or cannot go now.

    An invoice that cannot be written yet does not hold the receipt back: it waits on the order's page.
    """
    mine = Order.objects.filter(pk=order.pk, receipt_sent_at=None, paid_at__isnull=False).update(receipt_sent_at=at)
    if not mine:
        return False
    invoices.write(at=at, patient=True)
    paper = Invoice.objects.filter(order=order, transfer=None).first()
    lines = list(order.lines.select_related("certificate").order_by("position"))
    context = {
        "order": order,
        "site_name": settings.SITE_NAME,
        "lines": [
            (line, money(line.amount_minor, order.currency), _proof(line), asked_at(line.buyer_licence_url))
            for line in lines
        ],
        "total": money(order.total_minor, order.currency),
        "tax": money(order.tax_minor, order.currency),
        "invoice": paper,
        "gift": order.gift if order.is_gift else None,
        "page": f"{settings.SITE_URL}{reverse('order', args=[order.public_id])}",
        "library": f"{settings.SITE_URL}{reverse('library')}",
    }
    try:
        letter = EmailMessage(
            f"Your order {order.number}", render_to_string("emails/receipt.txt", context), None, [order.email]
        )
        if paper is not None:
            letter.attach(f"{paper.name}.pdf", papers.invoice(paper), "application/pdf")
        letter.send()
    except (SMTPException, OSError) as error:
        log.warning("The receipt of %s could not be sent: %s", order.number, error)
        Order.objects.filter(pk=order.pk, receipt_sent_at=at).update(receipt_sent_at=None)
        return False
    return True


def money(minor: int, currency: str) -> str:
    """An amount as people write it, exact to the minor unit."""
    return credit.said(Money.of(minor, currency))


def _proof(line: OrderLine) -> str:
    certificate = getattr(line, "certificate", None)
    return certificates.address(certificate) if certificate else ""
