"""Keys, signed heads and the certificates of sales."""

import base64
import uuid

from django.db import models
from django.db.models import Q

from store.models.orders import OrderLine


class SigningKey(models.Model):
    """The public half of a key that signs certificates and heads, kept when another follows it.

    `key` is its name, made from the key itself, so that no other key can go by it.
    """

    append_only = True
    audited = True

    key = models.CharField(max_length=32, unique=True)
    public = models.CharField(max_length=44)
    since = models.DateTimeField()

    class Meta:
        ordering = ["since", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(key__regex=r"^[0-9a-f]{32}$", public__regex=r"^[A-Za-z0-9+/]{43}=$"), name="signingkey_form"
            )
        ]

    def __str__(self) -> str:
        return f"key {self.key}"

    @property
    def public_bytes(self) -> bytes:
        return base64.b64decode(self.public)


class SignedHead(models.Model):
    """How far the chains had come on a day, in the store's signed word, for others to keep.

    `text` is what was signed, byte for byte; `sha256` is its hash.
    """

    append_only = True

    day = models.DateField(unique=True)
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    signature = models.CharField(max_length=88)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$", signature__regex=r"^[A-Za-z0-9+/]{86}==$"),
                name="signedhead_form",
            )
        ]

    def __str__(self) -> str:
        return f"head of {self.day}"


class Certificate(models.Model):
    """Public proof of one sale: what was cleared, on what evidence, for which sound. Holds nothing about the buyer.

    `sha256` is the hash of the canonical form of `document` and rides on the line's ledger transfer. `text` is that
    form, byte for byte what `signature` signs. The first certificates (version 1) were not signed.
    """

    append_only = True
    audited = True

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order_line = models.OneToOneField(OrderLine, models.PROTECT, related_name="certificate")
    document = models.JSONField()
    sha256 = models.CharField(max_length=64, unique=True)
    text = models.TextField(null=True)
    key = models.ForeignKey(SigningKey, models.PROTECT, null=True, related_name="+")
    signature = models.CharField(max_length=88, null=True)
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-issued_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(document__contains={"version": 1})
                | Q(key__isnull=False, signature__isnull=False, text__isnull=False),
                name="certificate_signed",
            )
        ]

    def __str__(self) -> str:
        return f"certificate {self.public_id}"
