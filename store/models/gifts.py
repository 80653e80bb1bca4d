"""Music bought for somebody else."""

import uuid

from django.db import models
from django.db.models import Q

from store.models.people import User


class Gift(models.Model):
    """An order that its buyer gives away: whom to, with which words, and from which day on.

    The letter to the friend is owed by this row from `send_at` on, once the order is paid. Whoever claims it owns what
    was bought (`Order.owner`); the buyer keeps the receipt. `turn` moves on with the address, so that a link that went
    to another one is worth nothing any more.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.OneToOneField("store.Order", models.PROTECT, related_name="gift")
    recipient = models.EmailField()
    recipient_name = models.CharField(max_length=100, blank=True)
    sender_name = models.CharField(max_length=100, blank=True)
    message = models.TextField(max_length=1000, blank=True)
    send_at = models.DateTimeField()
    turn = models.PositiveIntegerField(default=0)
    letter_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(claimed_by=None, claimed_at=None) | Q(claimed_by__isnull=False, claimed_at__isnull=False),
                name="gift_claimed_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["send_at"], condition=Q(letter_at=None, claimed_at=None), name="gift_to_send"),
        ]

    def __str__(self) -> str:
        return f"gift of order {self.order_id}"
