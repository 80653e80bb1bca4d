"""What wide grants and their withdrawals need of the database."""

from typing import Any

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("licensing", "0004_rates")]

    operations: list[Any] = []
