"""The hash chain over what was granted, reviewed, decided and demanded, whatever table it stands in."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AuditPending(models.Model):
    """A row that was just written and waits for its place in the chain. Triggers write these, in the row's own
    transaction, with the hash of the row as it was at that moment; `licensing.audit` takes them."""

    table_name = models.CharField(max_length=63)
    row_id = models.BigIntegerField()
    row_sha256 = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "audit pending"

    def __str__(self) -> str:
        return f"{self.table_name} {self.row_id}"


class AuditEntry(models.Model):
    """A row's place in the chain, given just after its commit by the one writer.

    Holds hashes and keys, never content, so that the whole chain may be shown to anybody.
    """

    append_only = True
    audited = False  # it is the chain

    position = models.BigIntegerField(primary_key=True)
    table_name = models.CharField(max_length=63)
    row_id = models.BigIntegerField()
    row_sha256 = models.CharField(max_length=64)
    previous_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(condition=Q(position__gte=1), name="audit_position_from_one"),
            models.UniqueConstraint(fields=["table_name", "row_id"], name="audit_row_once"),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.table_name} {self.row_id}"
