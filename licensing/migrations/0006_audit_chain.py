"""The chain over what was granted, reviewed, decided and demanded."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("licensing", "0005_clearing_at_scale")]

    operations: list[Any] = []
