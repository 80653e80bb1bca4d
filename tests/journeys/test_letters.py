"""The receipt goes out once and tells what was bought; the certificates' command finds what was altered."""

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from store import emails
from store.models import Invoice, Order
from tests.factories import shelf


def test_a_receipt_goes_out_once(shop):
    order = shop.bought(shelf.shelve())
    assert emails.send_receipt(order, at=timezone.now())
    assert not emails.send_receipt(order, at=timezone.now())

    (letter,) = mail.outbox
    assert letter.to == [shop.alice.email]
    ((name, paper, kind),) = letter.attachments
    assert (name, kind) == (f"{Invoice.objects.get(order=order).name}.pdf", "application/pdf")
    assert paper.startswith(b"%PDF")
    for said in ("First Light", "€1.60", "€0.26", "CC BY-SA 4.0", str(order.lines.get().certificate.public_id)):
        assert said in letter.body


def test_nothing_is_confirmed_before_it_is_paid(shop):
    order = shop.order(shelf.shelve())
    assert not emails.send_receipt(order, at=timezone.now())


def test_a_mail_server_that_is_away_leaves_the_receipt_owed(shop, monkeypatch):
    order = shop.bought(shelf.shelve())
    monkeypatch.setattr(mail.EmailMessage, "send", lambda _letter: (_ for _ in ()).throw(OSError("away")))
    assert not emails.send_receipt(order, at=timezone.now())
    assert Order.objects.get(pk=order.pk).receipt_sent_at is None


def test_an_altered_certificate_is_found(shop, capsys):
    shop.bought(shelf.shelve(tracks=1))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE store_certificate DISABLE TRIGGER store_certificate_final")
        cursor.execute("UPDATE store_certificate SET document = jsonb_set(document, '{sale,territory}', '\"FR\"')")
    with pytest.raises(CommandError):
        call_command("certificates", "verify")
    assert "does not have the hash" in capsys.readouterr().out
