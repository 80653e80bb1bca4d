"""What reviewers ask, answer and say again and again."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("licensing", "0006_audit_chain")]

    operations: list[Any] = []
