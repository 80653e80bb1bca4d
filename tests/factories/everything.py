"""One row more of nearly everything that the shop keeps."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from catalog.models import Party
from licensing import notices
from payments.models import Charge, Payout, StripeEvent
from store import access, owed
from store.models import (
    Basket,
    BasketLine,
    Delivery,
    DeliveryLine,
    Download,
    LetterOfDirection,
    Offer,
    User,
)
from tests.factories import catalog, licensing, shelf, transcoding
from tests.factories import payments as payments_rows
from tests.factories.store import make_order, make_user


def seed(number: int) -> None:
    """Each row has relations of its own; `number` is another each time."""
    label = catalog.make_label()
    user = make_user("Bob")
    access.join(user, label)
    shelf.shelve(f"Release {number}", label=label, tracks=1)
    licensing.make_approved(catalog.make_recording(label=label), submitted_for=label)
    notices.take_down(
        catalog.make_recording(label=label), claimant="Carla", statement="mine", actor="user:1", at=timezone.now()
    )
    transcoding.make_rendition()
    _seed_store(user, label, number)
    payments_rows.post_sale()
    StripeEvent.objects.create(stripe_id=f"evt_{number}", type="x", payload={}, received_at=timezone.now())
    Charge.objects.create(
        reference=f"c{number}", request_sha256="0" * 64, amount_minor=1, currency="EUR", transfer_group="x"
    )


def _seed_store(user: User, label: Party, number: int) -> None:
    delivery = Delivery.objects.create(label=label, folder_name="Folder", actor=user.actor)
    DeliveryLine.objects.create(delivery=delivery, path="a.flac", outcome="DELIVERED")
    offer = Offer.objects.filter(closed_at=None, track__isnull=False).latest("pk")
    basket = Basket.objects.create(user=user, currency="EUR")
    BasketLine.objects.create(basket=basket, offer=offer)
    order = make_order(offer, buyer=user)
    line = order.lines.get()
    Download.objects.create(
        line=line, track=line.track, format="FLAC", purpose="FILE", issued_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    letter: LetterOfDirection = owed.sign_letter(
        label, name="Payee", email=f"p{number}@example.org", country="DE", currency="EUR", percent=Decimal(100),
        layer="", starts_on=timezone.now().date(), signed_by="Bob",
    )  # fmt: skip
    Payout.objects.create(
        payee=letter.payee, number=f"PO-{number}", amount_minor=1, currency="EUR", transfer_group=f"po-{number}",
        planned_at=timezone.now(),
    )  # fmt: skip
